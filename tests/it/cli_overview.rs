//! The command line tool's overview and its `show --json`, as a process.
//!
//! Texts are compared with the files under `tests/golden/overview`; with `UPDATE_GOLDEN` in the
//! environment they are written instead.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// What a run in `tests` answered: exit code, output, errors.
fn run(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
        .current_dir(root().join("tests"))
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn run_well(args: &[&str]) -> String {
    let (code, out, err) = run(args);
    assert_eq!((code, err.as_str()), (0, ""), "{args:?}: {out}");
    out
}

#[test]
fn overviews_are_as_they_were() {
    for (name, args) in [
        ("keras3_saved", &["fixtures/keras3_saved"][..]),
        ("keras3_export", &["fixtures/keras3_export/saved_model.pb"]),
        ("keras2_saved", &["fixtures/keras2_saved"]),
        ("tf115_estimator", &["overview", "fixtures/tf115_estimator"]),
        ("estimator", &["fixtures/estimator"]),
        ("v1_builder_text", &["fixtures/v1_builder_text"]),
        ("vocabulary", &["fixtures/vocabulary"]),
        ("model_parts_v2", &["fixtures/model_parts/v2"]),
        ("two_shards", &["fixtures/two_shards"]),
        ("ckpt_manager", &["fixtures/ckpt_manager"]),
        ("ckpt_saver", &["fixtures/ckpt_saver/model.ckpt-7"]),
        ("keras2_slots", &["fixtures/keras2_slots"]),
        ("big_endian", &["vectors/bundles/big_endian"]),
        ("keras3_saved_json", &["fixtures/keras3_saved", "--json"]),
        ("ckpt_manager_json", &["fixtures/ckpt_manager", "--json"]),
        (
            "show_json",
            &["show", "fixtures/model_parts/v2", "--json", "--all"],
        ),
        (
            "show_signature_json",
            &["show", "fixtures/module", "--json", "--signature", "bump"],
        ),
    ] {
        let text = run_well(args);
        let path = root().join(format!("tests/golden/overview/{name}.txt"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            continue;
        }
        let golden = fs::read_to_string(path).unwrap().replace("\r\n", "\n");
        assert!(
            golden == text,
            "{name} should be:\n{golden}\nbut is:\n{text}"
        );
    }
}

#[test]
fn defaults_and_structures_are_shown() {
    let text = run_well(&["show", "fixtures/model_parts/v2", "--json", "--all"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    let graph = &document["meta_graphs"][0];
    let signature = |key: &str| {
        let mut signatures = graph["signatures"].as_array().unwrap().iter();
        signatures
            .find(|signature| signature["key"] == key)
            .unwrap()
    };
    let default = &signature("scaled")["defaults"][0];
    assert_eq!(default["name"], "scale");
    assert_eq!(default["value"]["dtype"], "float32");
    let ragged = &signature("serving_default")["outputs"][0];
    assert_eq!(ragged["type"], "ragged string[?, ?]");
    assert_eq!(ragged["type_spec"]["class"], "RaggedTensorSpec");
    assert!(!graph["ops"].as_array().unwrap().is_empty());
    let functions = graph["functions"].as_array().unwrap();
    assert!(
        functions
            .iter()
            .any(|function| { function["concrete_functions"][0]["arguments"]["kind"] == "tuple" })
    );
}

#[test]
fn the_highest_version_is_taken_and_said() {
    let base = std::env::temp_dir().join(format!("savedmodel-versions-{}", std::process::id()));
    for version in ["1", "3"] {
        let directory = base.join(version);
        fs::create_dir_all(&directory).unwrap();
        let from = root().join("tests/fixtures/no_variables/saved_model.pb");
        fs::copy(from, directory.join("saved_model.pb")).unwrap();
    }
    for args in [&[][..], &["show"], &["overview"]] {
        let path = base.to_str().unwrap();
        let (code, out, err) = run(&[args, &[path]].concat());
        assert_eq!(code, 0, "{args:?}: {err}");
        assert!(err.contains("taking version 3, the highest of 2"), "{err}");
        assert!(!out.is_empty());
    }
    fs::remove_dir_all(base).unwrap();
}

#[test]
fn what_is_no_model_is_said() {
    for (args, code, said) in [
        (
            &["varibles", "fixtures/module"][..],
            2,
            "did you mean `variables`?",
        ),
        (&["shw"], 2, "did you mean `show`?"),
        (&["nowhere"], 1, "directory not found"),
        (
            &["show", "fixtures/ckpt_manager"],
            2,
            "a checkpoint has variables alone",
        ),
        (&["fixtures/ckpt_v1_format"], 1, "first format"),
        (&["fixtures/module/fingerprint.pb"], 2, "this is a file"),
        (
            &["cli-goldens/bad/corrupt"],
            1,
            "copy it again from its source",
        ),
        (
            &["variables", "../README.md"],
            1,
            "there is `../README.md`, which belongs to no bundle",
        ),
    ] {
        let (found, out, err) = run(args);
        assert_eq!((found, &*out), (code, ""), "{args:?}: {err}");
        assert!(err.contains(said), "{args:?}: {err}");
    }
    let (code, _, err) = run(&[]);
    assert_eq!(code, 2);
    assert!(err.contains("Usage"), "{err}");
}
