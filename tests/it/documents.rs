//! What the tool prints with `--json`, against the schema that `savedmodel schema` prints.
//!
//! Every command is run on every fixture; what it prints must be as the schema says, and something
//! must be printed if the command ends well.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use boon::{Compiler, SchemaIndex, Schemas};
use serde_json::{Value, json};

use crate::fixtures::assert_none;
use crate::scratch::Scratch;

fn tests() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

/// Runs the tool in `tests`; returns its exit code and what it printed.
fn run(args: &[impl AsRef<OsStr>]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
        .current_dir(tests())
        .args(args)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

/// The schema as the tool prints it, compiled.
pub(crate) struct Documents {
    schemas: Schemas,
    any: SchemaIndex,
    definitions: Vec<(String, SchemaIndex)>,
}

impl Documents {
    pub(crate) fn new() -> Self {
        let (code, text) = run(&["schema"]);
        assert_eq!(code, 0);
        let schema: Value = serde_json::from_str(&text).unwrap();
        let url = schema["$id"].as_str().unwrap().to_owned();
        let names: Vec<String> = schema["$defs"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let (mut compiler, mut schemas) = (Compiler::new(), Schemas::new());
        compiler.add_resource(&url, schema).unwrap();
        let any = compiler.compile(&url, &mut schemas).unwrap();
        let mut definitions = Vec::new();
        for name in names {
            let index = compiler
                .compile(&format!("{url}#/$defs/{name}"), &mut schemas)
                .unwrap();
            definitions.push((name, index));
        }
        Documents {
            schemas,
            any,
            definitions,
        }
    }

    /// Says what is wrong with a document; of which form it is it says itself.
    pub(crate) fn fault(&self, document: &Value) -> Option<String> {
        let form = document["schema"].as_str().unwrap_or_default();
        let name = form.strip_prefix("savedmodel.").unwrap_or(form);
        let name = name.split('/').next().unwrap_or_default();
        let definition = self.definitions.iter().find(|(other, _)| other == name);
        let Some((_, index)) = definition else {
            return Some(format!("no definition of `{form}`"));
        };
        if let Err(error) = self.schemas.validate(document, *index) {
            return Some(format!("{error:#}"));
        }
        self.schemas
            .validate(document, self.any)
            .err()
            .map(|error| error.to_string())
    }

    /// Says where the schema would let a document be otherwise: with a member too many or too few, or
    /// of another kind.
    pub(crate) fn looseness(&self, document: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let mut places = Vec::new();
        walk(document, "", &mut |at, value| {
            places.push((at.to_owned(), value.is_object()));
        });
        // Evenly spread over the document: each is checked by validating all of it.
        let count = (BYTES / document.to_string().len()).clamp(4, 60);
        let step = places.len().div_ceil(count);
        for (at, is_object) in places.into_iter().step_by(step) {
            let mut wrong = document.clone();
            let place = wrong.pointer_mut(&at).unwrap();
            if is_object {
                place["surplus"] = json!(1);
                if self.fault(&wrong).is_none() {
                    faults.push(format!("`{at}` may have a surplus member"));
                }
            }
            let mut wrong = document.clone();
            // No member is ever a list of a list of nothing.
            *wrong.pointer_mut(&at).unwrap() = json!([[[]]]);
            if self.fault(&wrong).is_none() {
                faults.push(format!("`{at}` may be anything"));
            }
        }
        let members = document.as_object().unwrap();
        for name in ["schema", members.keys().next_back().unwrap()] {
            let mut wrong = document.clone();
            wrong.as_object_mut().unwrap().remove(name);
            if self.fault(&wrong).is_none() {
                faults.push(format!("`{name}` may be missing"));
            }
        }
        faults
    }
}

/// The command lines whose documents are checked, `PATH` for each fixture, `OUT` for what is written.
const COMMANDS: &[&[&str]] = &[
    &["PATH", "--json"],
    &["fingerprint", "PATH", "--json"],
    &["fingerprint", "PATH", "--json", "--verify"],
    &["fingerprint", "PATH", "--json", "--compute"],
    &[
        "convert",
        "PATH",
        "OUT.npz",
        "--json",
        "--overwrite",
        "--skip-unsupported",
    ],
    &[
        "convert",
        "PATH",
        "OUT",
        "--to",
        "pbtxt",
        "--json",
        "--overwrite",
        "--no-sync",
    ],
    &["functions", "PATH", "--json"],
    &["objects", "PATH", "--json"],
    &[
        "objects", "PATH", "--json", "--filter", "*a*", "--depth", "2",
    ],
    &["ops", "PATH", "--json"],
    &["ops", "PATH", "--json", "--where", "NoOp"],
    &["signature", "PATH", "--json"],
    &["run", "PATH", "--random", "--dry-run", "--json"],
    &["scan", "PATH", "--json"],
    &["show", "PATH", "--json"],
    &["show", "PATH", "--json", "--all"],
    &["variables", "PATH", "--json"],
    &["variables", "PATH", "--json", "--stats", "--values"],
    &["variables", "PATH", "--json", "--verify"],
    &["versions", "PATH", "--json"],
];

/// A command line for a fixture, writing below a directory.
fn filled(command: &[&str], path: &str, directory: &Scratch) -> Vec<String> {
    let words = command.iter().map(|word| match word.strip_prefix("OUT") {
        Some(end) => format!("{}{end}", directory.path().join("out").display()),
        None if *word == "PATH" => path.to_owned(),
        None => (*word).to_owned(),
    });
    words.collect()
}

/// Everything that a command could be called with: fixtures, and what lies in them.
fn paths() -> Vec<String> {
    let mut paths = Vec::new();
    for folder in ["fixtures", "vectors/bundles", "cli-goldens/models"] {
        for entry in fs::read_dir(tests().join(folder)).unwrap() {
            let entry = entry.unwrap();
            if !entry.path().is_dir() {
                continue;
            }
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            for inside in fs::read_dir(entry.path()).unwrap() {
                let name = inside.unwrap().file_name().into_string().unwrap();
                if let Some(name) = name.strip_suffix(".index") {
                    paths.push(format!("{path}/{name}"));
                } else if name.starts_with("saved_model.") || is_model(&tests().join(&path), &name)
                {
                    paths.push(format!("{path}/{name}"));
                }
            }
            paths.push(path);
        }
    }
    paths.push("vectors/parse_example".to_owned());
    paths.sort();
    paths
}

fn is_model(directory: &Path, name: &str) -> bool {
    let model = directory.join(name);
    ["saved_model.pb", "saved_model.pbtxt"]
        .iter()
        .any(|file| model.join(file).is_file())
}

#[test]
fn every_document_is_as_the_schema_says() {
    let documents = Documents::new();
    let paths = paths();
    assert!(paths.len() > 40, "{}", paths.len());
    let (mut faults, mut counts) = (Vec::new(), vec![0; COMMANDS.len()]);
    let scratch = Scratch::new("documents");
    for path in &paths {
        for (command, count) in COMMANDS.iter().zip(&mut counts) {
            let args = filled(command, path, &scratch);
            let (code, text) = run(&args);
            let Ok(document) = serde_json::from_str::<Value>(&text) else {
                // What ends in an error before it begins prints nothing.
                if code == 0 || !text.is_empty() {
                    faults.push(format!("{args:?}: exit code {code}, no document: {text}"));
                }
                continue;
            };
            *count += 1;
            if let Some(fault) = documents.fault(&document) {
                faults.push(format!("{args:?}: {fault}"));
            }
        }
    }
    assert_none(&faults);
    for (command, count) in COMMANDS.iter().zip(counts) {
        assert!(count > 10, "{command:?} printed {count} documents");
    }
}

/// Calls `each` with every place in a document: the path to it and what is there.
fn walk(value: &Value, at: &str, each: &mut impl FnMut(&str, &Value)) {
    each(at, value);
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                walk(member, &format!("{at}/{name}"), each);
            }
        }
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(item, &format!("{at}/{i}"), each);
            }
        }
        _ => {}
    }
}

/// So many bytes of wrong documents are validated for each that is right.
const BYTES: usize = 200_000;

/// A schema that allows everything would pass every test.
#[test]
fn a_document_with_a_member_too_many_or_of_another_kind_is_refused() {
    let documents = Documents::new();
    let scratch = Scratch::new("documents");
    let (mut faults, mut checked) = (Vec::new(), 0);
    let examples = [
        "fixtures/two_shards",
        "fixtures/model_parts/v2",
        "vectors/parse_example",
        "fixtures/ckpt_manager",
    ];
    let lines = examples.iter().flat_map(|path| {
        let commands = COMMANDS.iter();
        commands.map(|command| filled(command, path, &scratch))
    });
    for args in lines {
        let (_, text) = run(&args);
        let Ok(document) = serde_json::from_str::<Value>(&text) else {
            continue;
        };
        checked += 1;
        assert_eq!(documents.fault(&document), None, "{args:?}");
        let loose = documents.looseness(&document);
        faults.extend(loose.into_iter().map(|fault| format!("{args:?}: {fault}")));
    }
    assert_none(&faults);
    assert!(checked > COMMANDS.len(), "{checked} documents");
}
