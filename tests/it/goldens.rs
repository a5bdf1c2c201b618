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
