//! The stock tool's output for the corpus under `tests/cli-goldens`, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::fixtures::assert_none;
use crate::scratch::Scratch;
use crate::tensorflow;

fn corpus() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli-goldens"))
}

/// One command line, and what the stock tool answers.
struct Case {
    id: String,
    arguments: Vec<String>,
    needs_runtime: bool,
    value: Value,
}

impl Case {
    /// Those of some commands.
    fn of(commands: &[&str]) -> Vec<Case> {
        let manifest = fs::read_to_string(corpus().join("manifest.json")).unwrap();
        let manifest: Vec<Value> = serde_json::from_str(&manifest).unwrap();
        let cases = manifest.into_iter().map(|value| {
            let words = value["argv"].as_array().unwrap().iter();
            Case {
                id: value["id"].as_str().unwrap().to_owned(),
                arguments: words
                    .map(|word| word.as_str().unwrap().to_owned())
                    .collect(),
                needs_runtime: value["needs_runtime"] == true,
                value,
            }
        });
        let is_wanted = |case: &Case| {
            let mut words = case.arguments.iter();
            match words.find(|word| !word.starts_with('-')) {
                Some(word) if case.arguments[0] == *word => commands.contains(&word.as_str()),
                // A flag stands first, or nothing at all.
                _ => commands.contains(&"show"),
            }
        };
        cases.filter(is_wanted).collect()
    }

    /// Runs the case in the stock persona; says what is different. What it writes to `OUT` goes to a
    /// directory of its own.
    fn fault(&self, library: &Path) -> Option<String> {
        let id = &self.id;
        let scratch = Scratch::new("goldens");
        let out = scratch.path().join("OUT");
        let out = out.to_str().unwrap();
        let arguments = self.arguments.iter().map(|word| match word.as_str() {
            "OUT" => out,
            word => word,
        });
        let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
            .arg("compat")
            .args(arguments)
            .current_dir(corpus())
            .env("SAVEDMODEL_TF_LIB", library)
            .output()
            .unwrap();
        let expected = match self.value["stdout"].as_str() {
            Some(path) => fs::read_to_string(corpus().join(path)).unwrap(),
            None => String::new(),
        };
        let expected = expected.replace("is saved to OUT/", &format!("is saved to {out}/"));
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        if output.status.code().map(i64::from) != self.value["rc"].as_i64() {
            return Some(format!("{id}: exit {:?}, {stderr}", output.status));
        }
        let is_equal = match has_arithmetic(id) {
            true => is_close(&stdout, &expected),
            false => *stdout == *expected,
        };
        if !is_equal {
            let line = stdout.lines().zip(expected.lines()).find(|(a, b)| a != b);
            return Some(format!("{id}: first difference {line:?}; {stderr}"));
        }
        if let Some(part) = self.value["stderr_contains"].as_str()
            && !stderr.contains(part)
        {
            return Some(format!("{id}: {part:?} is not in {stderr:?}"));
        }
        let files = self.value["files"].as_object();
        for (file, golden) in files.into_iter().flatten() {
            let written = fs::read(scratch.path().join(file)).unwrap_or_default();
            if written != fs::read(corpus().join(golden.as_str().unwrap())).unwrap() {
                return Some(format!("{id}: {file} is not {golden}"));
            }
        }
        None
    }
}

/// Results of these are computed from floating-point numbers, and the last digit is the machine's.
fn has_arithmetic(id: &str) -> bool {
    ["_run/estimator_", "_run/simple_save", "_run/two_outputs"]
        .iter()
        .any(|start| id.starts_with(start))
}

fn is_close(found: &str, expected: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        let separated = text.replace('[', " [ ").replace(']', " ] ");
        separated.split_whitespace().map(str::to_owned).collect()
    };
    let (found, expected) = (words(found), words(expected));
    found.len() == expected.len()
        && found.iter().zip(&expected).all(|(a, b)| {
            let numbers = a.parse::<f64>().ok().zip(b.parse::<f64>().ok());
            numbers.map_or(a == b, |(a, b)| (a - b).abs() <= 1e-5 * b.abs().max(1e-3))
        })
}

/// Runs all cases, on a few threads; returns how many there were.
fn run(cases: &[Case], library: &Path) -> usize {
    let (next, faults) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    faults.lock().unwrap().extend(case.fault(library));
                }
            });
        }
    });
    assert_none(&faults.into_inner().unwrap());
    cases.len()
}

/// Where there is no library.
const NOWHERE: &str = "/nonexistent";

#[test]
fn show_is_the_stock_tools_to_the_byte() {
    assert_eq!(run(&Case::of(&["show"]), NOWHERE.as_ref()), 246);
}

#[test]
fn scan_is_the_stock_tools_to_the_byte() {
    assert_eq!(run(&Case::of(&["scan"]), NOWHERE.as_ref()), 106);
}

/// What is wrong with inputs is told where there is no TensorFlow, and in the stock tool's words.
#[test]
fn run_refuses_wrong_inputs_without_tensorflow() {
    const FEEDS: [&str; 5] = [
        "_run/shape_mismatch",
        "_run/scalar_for_matrix",
        "_run/string_for_float",
        "_run/ragged_literal",
        "_run/identity_i32_scalar_overflow",
    ];
    let mut cases = Case::of(&["run"]);
    assert_eq!(cases.len(), 97);
    cases.retain(|case| !case.needs_runtime || FEEDS.contains(&&*case.id));
    assert_eq!(run(&cases, NOWHERE.as_ref()), 22 + FEEDS.len());
}

#[test]
fn run_is_the_stock_tools_to_the_byte_interop() {
    if let Some(library) = tensorflow::library() {
        assert_eq!(run(&Case::of(&["run"]), &library), 97);
    }
}

/// Runs our own persona in the corpus; returns what it printed.
fn show(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
        .arg("show")
        .args(arguments)
        .current_dir(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/cli-goldens/models"
        ))
        .output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn our_own_show_has_the_same_words() {
    for (arguments, golden) in [
        (&["multi_metagraph"][..], "multi_metagraph/show.txt"),
        (
            &["half_plus_two", "--tag-set", "serve"],
            "half_plus_two/serve.keys.txt",
        ),
        (
            &["half_plus_two", "--signature", "classify_x2_to_y3"],
            "half_plus_two/serve.sig0.txt",
        ),
        (
            &["keras3_sequential_export", "--all"],
            "keras3_sequential_export/all.txt",
        ),
    ] {
        let (code, stdout, stderr) = show(arguments);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{arguments:?}");
        let path = format!(
            "{}/tests/cli-goldens/goldens/{golden}",
            env!("CARGO_MANIFEST_DIR")
        );
        assert_eq!(
            stdout,
            std::fs::read_to_string(path).unwrap(),
            "{arguments:?}"
        );
    }
}

#[test]
fn our_own_show_tells_what_the_stock_tool_cannot() {
    let (_, stdout, _) = show(&["custom_op", "--all"]);
    assert!(
        stdout.contains("Function Name: '__call__'\n    Option #1"),
        "{stdout}"
    );
    let (_, stdout, _) = show(&["parse_example_strings", "--all"]);
    assert!(stdout.contains("parses tf.Example at node"), "{stdout}");
    assert!(
        stdout.contains("\n  x: float32 [2], required\n"),
        "{stdout}"
    );
    // No byte for a terminal to act on, where the stock tool writes backspaces and raw names.
    let (_, stdout, _) = show(&["module_crafted_values", "--all"]);
    assert!(
        !stdout.contains(|c: char| c.is_control() && c != '\n'),
        "{stdout:?}"
    );
    assert!(stdout.contains("Value: [1, None, 3]\n"), "{stdout}");
}

#[test]
fn our_own_show_says_what_is_wrong() {
    let (code, _, stderr) = show(&["multi_metagraph", "--ops"]);
    assert_eq!(code, Some(2), "{stderr}");
    let (code, _, stderr) = show(&["multi_metagraph", "--tag-set", "gpu"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("serve"), "{stderr}");
    let (code, _, stderr) = show(&["half_plus_two", "--signature", "serving_defualt"]);
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("did you mean `serving_default`?"),
        "{stderr}"
    );
    let (code, _, stderr) = show(&["nowhere"]);
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("savedmodel: nowhere"), "{stderr}");
}
