//! `savedmodel convert`, as a process.
//!
//! Texts are compared with the files under `tests/golden/convert`; with `UPDATE_GOLDEN` in the
//! environment they are written instead.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use savedmodel::exchange::{TensorSource, open_source};
use savedmodel::{BundleReader, BundleWriter, DType, SavedModel, Tensor};
use serde_json::Value;

use crate::scratch::Scratch;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// A directory to work in, with copies of fixtures, so that paths in messages are short.
struct Place(Scratch);

impl Place {
    fn with(fixtures: &[&str]) -> Self {
        let scratch = Scratch::new("cli_convert");
        for fixture in fixtures {
            let from = root().join("tests/fixtures").join(fixture);
            copy(&from, &scratch.path().join(from.file_name().unwrap()));
        }
        Place(scratch)
    }

    fn path(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    /// What a run answered: exit code, output, errors.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
            .current_dir(self.0.path())
            .arg("convert")
            .args(args)
            .output()
            .unwrap();
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    fn run_well(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!((code, err.as_str()), (0, ""), "{args:?}: {out}");
        out
    }

    fn tensors(&self, inside: &str) -> BTreeMap<String, Tensor> {
        let source = open_source(self.path(inside)).unwrap();
        list(&*source)
    }
}

fn list(source: &dyn TensorSource) -> BTreeMap<String, Tensor> {
    let tensors = source.list().unwrap();
    let tensors = tensors.iter().map(|it| {
        let tensor = source.tensor(it.key.as_bytes()).unwrap();
        (it.key.to_string(), tensor)
    });
    tensors.collect()
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        copy(&from.join(&name), &to.join(name));
    }
}

fn assert_golden(name: &str, text: &str) {
    let path = root().join("tests/golden/convert").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        return;
    }
    let golden = fs::read_to_string(path).unwrap().replace("\r\n", "\n");
    assert!(
        golden == text,
        "{name} should be:\n{golden}\nbut is:\n{text}"
    );
}

const GRAPH: &str = "_CHECKPOINTABLE_OBJECT_GRAPH";

#[test]
fn strings_of_an_npz_file_come_back_in_either_form() {
    let place = Place::with(&["keras3_saved"]);
    let model = place.tensors("keras3_saved");
    assert!(model.values().any(|tensor| tensor.dtype() == DType::STRING));
    // The last is what the first was called here.
    for form in ["fixed", "objects", "fixed-width"] {
        let file = format!("{form}.npz");
        place.run_well(&["keras3_saved", &file, "--strings", form]);
        assert_eq!(place.tensors(&file), model, "{form}");
    }
}

#[test]
fn what_is_printed_is_as_it_was() {
    let place = Place::with(&["keras3_saved", "ckpt_manager", "v1_builder_text"]);
    let mut text = String::new();
    for args in [
        &["keras3_saved", "text", "--to", "pbtxt"][..],
        &["text", "chunks", "--to", "cpb", "--json"],
        &["chunks", "binary/saved_model.pb"],
        &["binary", "binary", "--to", "pb"],
        &["keras3_saved", "w.safetensors", "--skip-unsupported"],
        &[
            "w.safetensors",
            "ckpt-1",
            "--rename",
            "*/.ATTRIBUTES/VARIABLE_VALUE=*",
        ],
        &[
            "w.safetensors",
            "w.npz",
            "--include",
            "*/_kernel/*",
            "--json",
            "--cast",
            "f16",
        ],
        &["ckpt_manager", "again.index", "--exclude", GRAPH],
        // What cannot be.
        &["keras3_saved", "w2.safetensors"],
        &["keras3_saved", "w.safetensors", "--skip-unsupported"],
        &["keras3_saved", "text", "--to", "pbtxt"],
        &["keras3_saved", "other"],
        &["keras3_saved", "other.pbtxt"],
        &["keras3_saved", "o.npz", "--drop-unknown-fields"],
        &["keras3_saved", "o", "--to", "pb", "--cast", "f32"],
        &["keras3_saved", "o.npz", "--include", "*kernle*"],
        &[
            "keras3_saved",
            "o",
            "--to",
            "bundle",
            "--rename",
            "kernle=x",
        ],
        &["keras3_saved", "o", "--to", "bundle", "--rename", "*/*=*"],
        &[
            "keras3_saved",
            "o",
            "--to",
            "bundle",
            "--rename",
            "_operations/1/=_operations/4/",
        ],
        &["ckpt_manager", "o", "--to", "pb"],
        &["w.safetensors", "o", "--to", "pb"],
        &["nowhere", "o", "--to", "pb"],
        &["w.safetensors", "o", "--max-shard-size", "big"],
        &["keras3_saved", "o", "--to", "bundle", "--cast", "bf16"],
    ] {
        let (code, out, err) = place.run(args);
        text.push_str(&format!(
            "$ savedmodel convert {}\n{out}{err}exit code {code}\n\n",
            args.join(" ")
        ));
    }
    assert_golden("output.txt", &text);
}

#[test]
fn a_bundle_goes_through_other_formats_bit_for_bit() {
    let place = Place::with(&["keras3_saved", "sharded_by_size"]);
    for source in ["keras3_saved", "sharded_by_size"] {
        let mut expected = place.tensors(source);
        expected.remove(GRAPH).unwrap();
        // Numpy has no type for bfloat16: its bytes come back as no numbers.
        for (end, omitted) in [("safetensors", "-"), ("npz", "bf/*")] {
            expected.retain(|key, _| omitted == "-" || !key.starts_with("bf/"));
            let (there, back) = (format!("{source}.{end}"), format!("{source}.{end}.b"));
            place.run_well(&[
                source,
                &there,
                "--exclude",
                GRAPH,
                "--exclude",
                omitted,
                "--no-sync",
            ]);
            place.run_well(&[&there, &back, "--no-sync"]);
            let found = BundleReader::open(place.path(&back)).unwrap();
            assert!(list(&found) == expected, "{there}");
        }
        let whole = format!("{source}.whole");
        place.run_well(&[source, &whole, "--to", "bundle", "--max-file-size", "200"]);
        let names = fs::read_dir(place.path("")).unwrap();
        let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
        let shards = names.filter(|it| it.starts_with(&format!("{whole}.data-")));
        assert!(shards.count() > 1);
        let whole = BundleReader::open(place.path(&whole)).unwrap();
        assert!(list(&whole) == place.tensors(source));
    }
}

#[test]
fn tensors_are_selected_renamed_and_cast() {
    let place = Place::with(&["keras3_saved"]);
    place.run_well(&[
        "keras3_saved",
        "small.safetensors",
        "--include",
        "_operations/*",
        "--exclude",
        "*bias*",
        "--rename",
        "*/.ATTRIBUTES/VARIABLE_VALUE=*",
        "--rename",
        "_operations/=ops/",
        "--cast",
        "bf16",
        "--metadata",
        "format=tf",
        "--metadata",
        "by=a=b",
    ]);
    let all = place.tensors("keras3_saved");
    let small = place.tensors("small.safetensors");
    let end = "/.ATTRIBUTES/VARIABLE_VALUE";
    let is_wanted = |key: &&String| key.starts_with("_operations/") && !key.contains("bias");
    let expected: Vec<&String> = all.keys().filter(is_wanted).collect();
    assert_eq!(small.len(), expected.len());
    for key in expected {
        let name = key.replace("_operations/", "ops/").replace(end, "");
        let wanted = all[key].cast(DType::BFLOAT16).unwrap();
        assert!(small[&name] == wanted, "{name}");
    }
    let header = fs::read(place.path("small.safetensors")).unwrap();
    let header = String::from_utf8_lossy(&header[8..200]).into_owned();
    assert!(
        header.contains(r#""by":"a=b""#) && header.contains(r#""format":"tf""#),
        "{header}"
    );

    place.run_well(&[
        "small.safetensors",
        "many.safetensors",
        "--max-file-size",
        "60",
    ]);
    assert!(place.path("many.safetensors.index.json").is_file());
    assert!(place.tensors("many.safetensors.index.json") == small);
    let (code, _, err) = place.run(&[
        "small.safetensors",
        "many.safetensors.index.json",
        "--max-file-size",
        "60",
    ]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("--overwrite"), "{err}");
    let again = [
        "small.safetensors",
        "many.safetensors.index.json",
        "--max-file-size",
        "60",
        "--overwrite",
    ];
    place.run_well(&again);
    assert!(place.tensors("many.safetensors.index.json") == small);
}

#[test]
fn strings_that_numpy_would_cut_are_told_with_the_option_for_them() {
    let place = Place::with(&[]);
    let mut bundle = BundleWriter::create(place.path("b")).unwrap();
    let tensor = Tensor::from_strings([1], [b"a\0"]).unwrap();
    bundle.add("s", &tensor).unwrap();
    bundle.finish().unwrap();
    let (code, _, err) = place.run(&["b", "a.npz"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("(--strings objects writes"), "{err}");
    place.run_well(&["b", "a.npz", "--strings", "objects"]);
}

#[test]
fn one_of_several_programs_is_chosen_and_said() {
    let place = Place::with(&["keras3_saved"]);
    place.run_well(&["keras3_saved", "text", "--to", "pbtxt"]);
    fs::write(
        place.path("keras3_saved/saved_model.pbtxt"),
        "saved_model_schema_version: 7",
    )
    .unwrap();
    let (code, _, err) = place.run(&["keras3_saved", "a", "--to", "pbtxt"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("warning") && err.contains("saved_model.pbtxt") && err.contains("--format"),
        "{err}"
    );
    let text = |name: &str| fs::read(place.path(name).join("saved_model.pbtxt")).unwrap();
    assert!(text("a") == text("text"));
    for (args, name) in [
        (
            &["keras3_saved", "b", "--to", "pb", "--format", "pbtxt"][..],
            "b",
        ),
        (&["keras3_saved/saved_model.pbtxt", "c", "--to", "pb"], "c"),
    ] {
        place.run_well(args);
        let model = SavedModel::open(place.path(name)).unwrap();
        assert_eq!(model.schema_version().unwrap(), 7);
    }
    // In place, one of them would be lost.
    let (code, _, err) = place.run(&["keras3_saved", "keras3_saved", "--to", "cpb"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("--overwrite"), "{err}");
    let args = [
        "keras3_saved",
        "keras3_saved",
        "--to",
        "cpb",
        "--overwrite",
        "--format",
        "pb",
        "--json",
    ];
    let report: Value = serde_json::from_str(&place.run_well(&args)).unwrap();
    assert_eq!(report["left_out"][0], "saved_model.pbtxt");
    let names = fs::read_dir(place.path("keras3_saved")).unwrap();
    let programs = names.filter(|it| {
        it.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .starts_with("saved_model.")
    });
    assert_eq!(programs.count(), 1);
}

#[test]
fn unknown_fields_and_models_that_are_there_need_an_option() {
    let place = Place::with(&["vocabulary", "v1_builder"]);
    let path = place.path("vocabulary/saved_model.pb");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0x98, 0x06, 1]);
    fs::write(&path, bytes).unwrap();
    let args = [
        "vocabulary",
        "text",
        "--to",
        "pbtxt",
        "--drop-unknown-fields",
    ];
    let (code, _, err) = place.run(&args[..4]);
    assert_eq!(code, 1, "{err}");
    assert!(
        err.contains("field 99") && err.contains("--drop-unknown-fields"),
        "{err}"
    );
    assert!(!place.path("text").exists());
    place.run_well(&args);
    let (code, _, err) = place.run(&["v1_builder", "text", "--to", "cpb"]);
    assert_eq!(code, 2);
    assert!(err.contains("--overwrite"), "{err}");
    place.run_well(&[
        "v1_builder",
        "text",
        "--to",
        "cpb",
        "--overwrite",
        "--max-file-size",
        "2KiB",
    ]);
    assert!(!place.path("text/saved_model.pbtxt").exists());
    let here = SavedModel::open(place.path("text")).unwrap();
    let there = SavedModel::open(place.path("v1_builder")).unwrap();
    let names = |model: &SavedModel| {
        let graph = model.meta_graphs().next().unwrap().unwrap();
        graph
            .graph()
            .nodes()
            .map(|node| node.unwrap().name().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&here), names(&there));
}
