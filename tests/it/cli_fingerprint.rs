//! `savedmodel fingerprint`, as a process.
//!
//! Texts are compared with the files under `tests/golden/fingerprint`; with `UPDATE_GOLDEN` in the
//! environment they are written instead.

use std::fs;
use std::path::{Path, PathBuf};

use savedmodel::Fingerprint;

use crate::cli_tensors::{assert_golden, copy_all, flip, run, run_json};
use crate::fixtures::fixtures;
use crate::scratch::Scratch;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

const CHUNKED: &str = "vectors/chunked/models/multisig_2000";

#[test]
fn texts_are_as_they_were() {
    for (name, args) in [
        ("shown", &["fixtures/keras3_saved"][..]),
        (
            "verified",
            &["fixtures/keras3_saved/saved_model.pb", "--verify"],
        ),
        ("chunked", &[CHUNKED]),
        ("chunked_verified", &[CHUNKED, "--verify"]),
        ("missing", &["fixtures/v1_builder_text"]),
        ("missing_verify", &["fixtures/v1_builder_text", "--verify"]),
        ("checkpoint", &["fixtures/ckpt_manager"]),
        ("nowhere", &["nowhere"]),
    ] {
        let args = [&["fingerprint"], args].concat();
        assert_golden(&format!("fingerprint/{name}"), run(&tests(), &args));
    }
    for usage in [["--verify", "--write"], ["--compute", "--overwrite"]] {
        let args = [&["fingerprint", "fixtures/module"], &usage[..]].concat();
        assert_eq!(run(&tests(), &args).0, 2, "{usage:?}");
    }
    let scratch = Scratch::new("fingerprint-golden");
    copy_all(&fixtures().join("module"), &scratch.path().join("module"));
    flip(&scratch.path().join("module/variables/variables.index"), 30);
    let different = run(scratch.path(), &["fingerprint", "module", "--verify"]);
    assert_golden("fingerprint/different", different);
    let refused = run(scratch.path(), &["fingerprint", "module", "--write"]);
    assert_golden("fingerprint/refused", refused);
}

#[test]
fn every_form_of_a_model_is_verified_and_computed() {
    for (path, model_file, producer) in [
        ("fixtures/keras3_saved", "saved_model.pb", 4),
        (CHUNKED, "saved_model.cpb", 2),
    ] {
        let (code, document) = run_json(&tests(), &["fingerprint", path, "--verify"]);
        assert_eq!(code, 0, "{document}");
        assert_eq!(document["verification"]["verdict"], "verified");
        assert_eq!(document["verification"]["model_file"], model_file);
        assert_eq!(document["stored"]["producer"], producer);
        let (code, document) = run_json(&tests(), &["fingerprint", path, "--compute"]);
        assert_eq!(code, 0);
        for (name, hash) in Fingerprint::compute(tests().join(path)).unwrap().hashes() {
            assert_eq!(document["computed"][name], hash.to_string());
            assert_eq!(document["stored"][name], hash.to_string());
        }
        assert_eq!(document["computed"]["producer"], producer);
    }
    // Of a text TensorFlow computes no hashes, and so there is nothing to compare.
    let scratch = Scratch::new("fingerprint-text");
    let here = scratch.path();
    copy_all(&fixtures().join("v1_builder_text"), &here.join("text"));
    let (code, document) = run_json(here, &["fingerprint", "text", "--write"]);
    assert_eq!((code, &document["written"]), (0, &true.into()));
    assert!(document["stored"].is_null());
    assert_eq!(document["computed"]["producer"], 5);
    let (code, document) = run_json(here, &["fingerprint", "text", "--verify"]);
    assert_eq!(code, 1);
    assert_eq!(document["verification"]["verdict"], "not_comparable");
    assert_eq!(document["stored"]["singleprint"], "0/0/0/0");
}

#[test]
fn a_fingerprint_of_another_model_stays_unless_asked() {
    let scratch = Scratch::new("fingerprint-write");
    let here = scratch.path();
    copy_all(&fixtures().join("module"), &here.join("module"));
    let file = here.join("module/fingerprint.pb");
    let theirs = fs::read(&file).unwrap();

    // One that says the same stays as it is.
    let (code, document) = run_json(here, &["fingerprint", "module", "--write"]);
    assert_eq!((code, &document["written"]), (0, &false.into()));
    assert_eq!(fs::read(&file).unwrap(), theirs);

    fs::copy(fixtures().join("keras3_saved/fingerprint.pb"), &file).unwrap();
    let other = fs::read(&file).unwrap();
    let (code, document) = run_json(here, &["fingerprint", "module", "--verify"]);
    assert_eq!(code, 1);
    assert_eq!(document["verification"]["verdict"], "different");
    let (code, _, err) = run(here, &["fingerprint", "module", "--write"]);
    assert!(code == 2 && err.contains("--overwrite"), "{err}");
    assert_eq!(fs::read(&file).unwrap(), other);
    let args = ["fingerprint", "module", "--write", "--overwrite"];
    let (code, document) = run_json(here, &args);
    assert_eq!((code, &document["written"]), (0, &true.into()));
    let written = Fingerprint::read(here.join("module")).unwrap().unwrap();
    assert_eq!(written, Fingerprint::decode(&theirs).unwrap());

    // Also over one that cannot be read.
    fs::write(&file, [0x08]).unwrap();
    assert_eq!(run(here, &["fingerprint", "module"]).0, 1);
    assert_eq!(run(here, &["fingerprint", "module", "--write"]).0, 1);
    assert_eq!(run(here, &args).0, 0);
    assert_eq!(run(here, &["fingerprint", "module", "--verify"]).0, 0);
    fs::remove_file(&file).unwrap();
    assert_eq!(run(here, &["fingerprint", "module"]).0, 1);
    assert_eq!(run(here, &["fingerprint", "module", "--write"]).0, 0);
    assert_eq!(run(here, &["fingerprint", "module", "--verify"]).0, 0);
}
