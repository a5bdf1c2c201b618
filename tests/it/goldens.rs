//! The stock tool's output for the corpus under `tests/cli-goldens`, byte for byte.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Runs every case of these commands in the stock persona; returns how many there were.
fn run(commands: &[&str]) -> usize {
    let corpus = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli-goldens"));
    let manifest = std::fs::read_to_string(corpus.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    let mut count = 0;
    let mut different = Vec::new();
    for case in manifest.as_array().unwrap() {
        let arguments: Vec<&str> = case["argv"]
            .as_array()
            .unwrap()
            .iter()
            .map(|argument| argument.as_str().unwrap())
            .collect();
        let is_wanted = match arguments.iter().find(|word| !word.starts_with('-')) {
            Some(word) if arguments[0] == *word => commands.contains(word),
            // A flag stands first, or nothing at all.
            _ => commands.contains(&"show"),
        };
        if !is_wanted {
            continue;
        }
        count += 1;
        let id = case["id"].as_str().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_savedmodel"))
            .arg("compat")
            .args(&arguments)
            .current_dir(&corpus)
            .output()
            .unwrap();
        let expected = match case["stdout"].as_str() {
            Some(path) => std::fs::read(corpus.join(path)).unwrap(),
            None => Vec::new(),
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        if output.status.code().map(i64::from) != case["rc"].as_i64() {
            different.push(format!("{id}: exit {:?}, {stderr}", output.status.code()));
        } else if output.stdout != expected {
            let found = String::from_utf8_lossy(&output.stdout);
            let expected = String::from_utf8_lossy(&expected);
            let line = found.lines().zip(expected.lines()).find(|(a, b)| a != b);
            different.push(format!("{id}: first difference {line:?}; {stderr}"));
        } else if let Some(part) = case["stderr_contains"].as_str()
            && !stderr.contains(part)
        {
            different.push(format!("{id}: {part:?} is not in {stderr:?}"));
        }
    }
    let failed = different.len();
    assert!(
        different.is_empty(),
        "{failed} of {count} cases differ:\n{}",
        different.join("\n")
    );
    count
}

#[test]
fn show_is_the_stock_tools_to_the_byte() {
    assert_eq!(run(&["show"]), 246);
}

#[test]
fn scan_is_the_stock_tools_to_the_byte() {
    assert_eq!(run(&["scan"]), 106);
}
