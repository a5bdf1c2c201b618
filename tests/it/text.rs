//! The text format against the two parsers TensorFlow has, by `tests/interop/dump_text_cases.py`.

use prost::Message;
use savedmodel::wire::{self, Value};
use savedmodel::{ErrorKind, proto, text};
use serde_json::Value as Json;

use crate::answers::unhex;
use crate::fixtures::fixtures;
fn cases() -> Vec<Json> {
    let text = std::fs::read_to_string(fixtures().join("text_cases.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Sorts the fields of a message and of what looks like messages in it, to compare what differs in
/// the order of maps alone.
pub(crate) fn sorted(bytes: &[u8]) -> Vec<u8> {
    let fields: Result<Vec<_>, _> = wire::Message::new(bytes).fields().collect();
    let Ok(fields) = fields else {
        return bytes.to_vec();
    };
    let mut parts: Vec<_> = fields
        .iter()
        .map(|field| {
            let value = match field.value() {
                Value::Bytes(bytes) => sorted(bytes),
                _ => field.raw().to_vec(),
            };
            (field.number(), value)
        })
        .collect();
    parts.sort();
    parts
        .into_iter()
        .flat_map(|(number, value)| [vec![number as u8], value].concat())
        .collect()
}

#[test]
fn texts_are_read_as_tensorflow_reads_them() {
    let cases = cases();
    let mut faults = Vec::new();
    for case in &cases {
        let (message, input) = (
            case["message"].as_str().unwrap(),
            case["text"].as_str().unwrap(),
        );
        let ours = text::parse(input, message);
        let expected = match case["cpp"].as_str() {
            _ if is_refused_here(case) => None,
            Some("same") => Some(unhex(&case["python"])),
            Some(_) if is_flushed_to_zero(case) => Some(unhex(&case["python"])),
            Some(_) => Some(unhex(&case["cpp"])),
            None => None,
        };
        match (&ours, expected) {
            (Err(_), None) => {}
            (Ok(ours), Some(expected)) if *ours == expected => {}
            (Ok(ours), Some(expected))
                if input.contains("key") && sorted(ours) == sorted(&expected) => {}
            (ours, expected) => {
                faults.push(format!("{input:?}: {ours:x?}, not {expected:x?}; {case}"))
            }
        }
    }
    assert!(cases.len() > 350);
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
}

/// What C++ takes and neither Python nor this crate does: strings that are not UTF-8 or that no one
/// could have meant, and names that were given up.
fn is_refused_here(case: &Json) -> bool {
    let python = case["python_error"].as_str().unwrap_or_default();
    let text = case["text"].as_str().unwrap();
    let is_proto2 = case["message"] == "tensorflow.GraphDebugInfo";
    (python.contains("codec can't") && !text.contains(r"\ud83d\ude00") && !is_proto2)
        || text.contains("skip_common_subexpression_elimination")
}

/// In the threads that run operations TensorFlow takes the smallest floats for zero.
fn is_flushed_to_zero(case: &Json) -> bool {
    case["text"] == "f: 1e-40"
}

/// Parts of messages of Python's parser that are put otherwise here: it reads numbers and strings
/// with the functions of its language, and looks for other parts of what is wrong first.
const OTHER_WORDS: [&str; 9] = [
    "codec can't",
    "octal float",
    "parse integer: --1",
    "parse integer: 1-",
    "has no field named \"ö\"",
    "has no value named 1.0",
    "Value out of range: 2147483648",
    "does not have extensions",
    r#"'\'a"'"#,
];

#[test]
fn errors_are_put_as_pythons_parser_puts_them() {
    let mut compared = 0;
    for case in cases() {
        let input = case["text"].as_str().unwrap();
        let Some(python) = case["python_error"].as_str() else {
            continue;
        };
        let Err(error) = text::parse(input, case["message"].as_str().unwrap()) else {
            continue;
        };
        let is_other = OTHER_WORDS.iter().any(|words| python.contains(words));
        if is_other || input.contains("any_list") {
            continue;
        }
        // Python passes on what a terminal obeys.
        let shown = |c: char| match c {
            '\'' | '"' | '\\' => c.to_string(),
            c => c.escape_debug().to_string(),
        };
        let python: String = python.chars().map(shown).collect();
        assert_eq!(error.kind().to_string(), python, "{input:?}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn a_model_in_text_is_the_model() {
    let read = |path| std::fs::read(fixtures().join(path)).unwrap();
    let text = read("v1_builder_text/saved_model.pbtxt");
    let ours = text::parse(&text, "tensorflow.SavedModel").unwrap();
    assert_eq!(sorted(&ours), sorted(&read("v1_builder/saved_model.pb")));
}

#[test]
fn damaged_texts_are_refused_or_read_but_never_worse() {
    let marks = b"{}<>[]:,;'\"\\#\n-.0x1aA_/ \0\xff";
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut accepted = 0;
    for case in cases() {
        let message = case["message"].as_str().unwrap();
        for _ in 0..30 {
            let mut damaged = case["text"].as_str().unwrap().as_bytes().to_vec();
            for _ in 0..1 + random(3) {
                let len = damaged.len();
                let at = random(len + 1);
                match random(8) {
                    0 => damaged.truncate(at),
                    1 | 2 => drop(damaged.drain(at..(at + random(10)).min(len).max(at))),
                    3..6 if at < len => damaged[at] = marks[random(marks.len())],
                    _ => damaged.insert(at, marks[random(marks.len())]),
                }
            }
            match (text::parse(&damaged, message), message) {
                (Ok(bytes), "tensorflow.NodeDef") => {
                    proto::NodeDef::decode(&bytes[..]).unwrap();
                    accepted += 1;
                }
                (Ok(bytes), "tensorflow.AttrValue") => {
                    proto::AttrValue::decode(&bytes[..]).unwrap();
                    accepted += 1;
                }
                (Ok(bytes), _) => assert!(wire::Message::new(&bytes).last(1).is_ok()),
                (Err(error), _) => assert!(error.offset().unwrap() <= damaged.len() as u64),
            }
        }
    }
    assert!(accepted > 500, "{accepted}");
}

#[test]
fn depth_is_limited_and_costs_no_stack() {
    let nested = |levels: usize| {
        let (open, close) = ("list_value { values { ", "} } ");
        let text = open.repeat(levels / 2) + &close.repeat(levels / 2);
        text::parse(text, "tensorflow.StructuredValue")
    };
    let deepest = nested(100).unwrap();
    proto::StructuredValue::decode(&deepest[..]).unwrap();
    let error = nested(102).unwrap_err();
    assert!(error.to_string().contains("too deep"), "{error}");
    assert!(nested(1_000_000).is_err());

    let open = "any_list{value{[type.googleapis.com/tensorflow.CollectionDef]{";
    assert!(text::parse(open.repeat(100_000), "tensorflow.CollectionDef").is_err());
}

#[test]
fn what_is_no_text_of_the_schema() {
    let error = text::parse("", "tensorflow.Nothing").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidArgument { .. }));
    let error = text::parse(b"name: '\xff'", "tensorflow.NodeDef").unwrap_err();
    assert_eq!(error.offset(), Some(7));
    let error = text::parse("op: 'x'\n  öp: 'y'", "tensorflow.NodeDef").unwrap_err();
    assert_eq!(error.offset(), Some(10));
    assert!(error.kind().to_string().starts_with("2:3 : "), "{error}");

    let long = "x".repeat(100_000);
    for text in [long.clone(), format!("op: '{long}"), format!("op: {long}")] {
        let error = text::parse(text, "tensorflow.NodeDef").unwrap_err();
        assert!(error.to_string().len() < 1000);
    }
}
