//! Messages as text, against Python's `str` of them, by `tests/interop/dump_printed.py`.

use std::path::{Path, PathBuf};

use savedmodel::text::{self, Printer, UnknownFields};
use savedmodel::{Error, ErrorKind};
use serde_json::Value as Json;

use crate::answers::unhex;
use crate::fixtures::fixtures;
use crate::tensorflow;
use crate::text::sorted;

/// Compares what is printed of each case; returns how many were printed.
fn compare(cases: &str) -> usize {
    let mut printed = 0;
    for line in cases.lines() {
        let case: Json = serde_json::from_str(line).unwrap();
        let message = case["message"].as_str().unwrap();
        let bytes = unhex(&case["hex"]);
        let strict = text::print(&bytes, message);
        let mut ours = Vec::new();
        let lenient = Printer::new(message)
            .unwrap()
            .unknown_fields(UnknownFields::Drop)
            .print(&bytes, &mut ours);
        let Some(text) = case["text"].as_str() else {
            // Strings that are not UTF-8, all of them. One that a later one replaces is not printed,
            // nor looked at.
            assert!(case["hex"].as_str().unwrap().contains("ff"), "{case}");
            assert!(lenient.is_ok() || is_malformed(&lenient), "{case}");
            continue;
        };
        lenient.unwrap_or_else(|error| panic!("{error}: {case}"));
        let ours = String::from_utf8(ours).unwrap();
        assert_eq!(ours, text, "{message} {}", case["hex"]);
        match strict {
            Ok(strict) => {
                assert!(!case["unknown"].as_bool().unwrap(), "{case}");
                assert_eq!(strict, text);
            }
            Err(error) => {
                assert!(is_unsupported(&error), "{error}: {case}");
                assert_eq!(case["unknown"], true, "{error}: {case}");
            }
        }
        // The text means what the message meant: nothing else is printed of it.
        let again = text::print(text::parse(&ours, message).unwrap(), message);
        if !text.contains("nan") {
            assert_eq!(again.unwrap(), ours);
        }
        printed += 1;
    }
    printed
}

fn is_malformed<T>(result: &Result<T, Error>) -> bool {
    matches!(
        result.as_ref().map_err(Error::kind),
        Err(ErrorKind::Malformed { .. })
    )
}

fn is_unsupported(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported { .. }) && error.offset().is_some()
}

#[test]
fn messages_are_printed_as_tensorflow_prints_them() {
    let cases = std::fs::read_to_string(fixtures().join("printed.jsonl")).unwrap();
    assert!(compare(&cases) > 70);
}

#[test]
fn interop_random_messages_and_models_are_printed_as_python_prints_them() {
    let arguments = ["--random", "20", "2000"].map(Path::new);
    let Some(random) = tensorflow::run("dump_printed.py", &arguments) else {
        return;
    };
    assert!(compare(&String::from_utf8(random).unwrap()) > 1700);

    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let goldens = root.join("tests/cli-goldens/models");
    let arguments = [Path::new("--models"), &fixtures(), &goldens];
    let models = tensorflow::run("dump_printed.py", &arguments).unwrap();
    let printed = compare(&String::from_utf8(models).unwrap());
    assert!(printed > 50, "{printed}");
}

#[test]
fn a_model_that_tensorflow_wrote_as_text_is_printed_as_it_is() {
    let path = fixtures().join("v1_builder_text/saved_model.pbtxt");
    let text = std::fs::read_to_string(path).unwrap();
    let bytes = text::parse(&text, "tensorflow.SavedModel").unwrap();
    assert!(text::print(&bytes, "tensorflow.SavedModel").unwrap() == text);
}

#[test]
fn a_model_keeps_its_meaning_in_text() {
    for model in saved_models() {
        let bytes = std::fs::read(&model).unwrap();
        let text = text::print(&bytes, "tensorflow.SavedModel").unwrap();
        let again = text::parse(&text, "tensorflow.SavedModel").unwrap();
        assert_eq!(sorted(&again).len(), sorted(&bytes).len(), "{model:?}");
        let printed = text::print(&again, "tensorflow.SavedModel").unwrap();
        assert!(printed == text, "{model:?}");
    }
}

fn saved_models() -> Vec<PathBuf> {
    let models: Vec<_> = std::fs::read_dir(fixtures())
        .unwrap()
        .map(|entry| entry.unwrap().path().join("saved_model.pb"))
        .filter(|path| path.exists())
        .collect();
    assert!(models.len() > 8);
    models
}

#[test]
fn an_entry_of_a_map_loses_only_what_is_unknown() {
    // attr { key: "k" <field 3>: 1 value { i: 2 } }
    let node = [0x2a, 9, 0x0a, 1, b'k', 0x18, 1, 0x12, 2, 0x18, 2];
    let mut out = Vec::new();
    let printer = Printer::new("tensorflow.NodeDef").unwrap();
    let error = printer.print(node, &mut out).unwrap_err();
    assert!(is_unsupported(&error) && error.offset() == Some(5));
    assert!(error.to_string().contains("`attr`"), "{error}");
    let printer = printer.unknown_fields(UnknownFields::Drop);
    out.clear();
    printer.print(node, &mut out).unwrap();
    let text = b"attr {\n  key: \"k\"\n  value {\n    i: 2\n  }\n}\n";
    assert_eq!(out, text);
}

#[test]
fn what_cannot_be_printed_says_where() {
    // graph_def { node { <field 77> } }, in the second meta graph.
    let bytes = [0x12, 0, 0x12, 7, 0x12, 5, 0x0a, 3, 0xe8, 0x04, 1];
    let error = text::print(bytes, "tensorflow.SavedModel").unwrap_err();
    assert_eq!(error.offset(), Some(8));
    let shown = error.to_string();
    assert!(shown.contains("field 77 of tensorflow.NodeDef"), "{shown}");
    assert!(shown.contains("`meta_graphs.graph_def.node`"), "{shown}");

    let error = text::print([0x0a, 1, 0xff], "tensorflow.NodeDef").unwrap_err();
    assert!(is_malformed::<()>(&Err(error)));
    let error = text::print("", "tensorflow.Nothing").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));

    let nested = |levels: usize| {
        let mut bytes = Vec::new();
        for level in 0..levels {
            let mut outer = vec![if level % 2 == 1 { 0x9a } else { 0x0a }];
            if level % 2 == 1 {
                outer.push(0x03);
            }
            let mut len = bytes.len();
            while len > 127 {
                outer.push(len as u8 | 128);
                len >>= 7;
            }
            outer.push(len as u8);
            outer.extend(&bytes);
            bytes = outer;
        }
        text::print(&bytes, "tensorflow.StructuredValue")
    };
    assert!(nested(100).unwrap().contains(&" ".repeat(198)));
    assert!(is_malformed(&nested(102)));
    assert!(is_malformed(&nested(20_000)));
}
