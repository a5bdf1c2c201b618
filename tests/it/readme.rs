//! What the README shows on the command line is what the tool prints.
//!
//! Every `console` block is run by the shell in a directory of its own, which holds the fixtures and
//! the models of `cli-goldens` under their names. A line `…` stands for any lines.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use savedmodel::{BundleWriter, Tensor};

use crate::fixtures::files_below;
use crate::scratch::Scratch;
use crate::tensorflow;

/// Parts the outputs of a block's commands.
const SEPARATOR: char = '\u{1e}';

/// A command, the line that it stands on, and what it prints.
struct Example {
    line: usize,
    command: String,
    output: Vec<String>,
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// Returns the examples of each block.
fn blocks(text: &str) -> Vec<Vec<Example>> {
    let mut blocks: Vec<Vec<Example>> = Vec::new();
    let mut is_inside = false;
    for (line, text) in (1..).zip(text.lines()) {
        match text {
            "```console" => {
                is_inside = true;
                blocks.push(Vec::new());
            }
            "```" => is_inside = false,
            _ if !is_inside => {}
            _ => {
                let block = blocks.last_mut().unwrap();
                match (text.strip_prefix("$ "), block.last_mut()) {
                    (Some(command), _) => block.push(Example {
                        line,
                        command: command.to_owned(),
                        output: Vec::new(),
                    }),
                    (None, Some(example)) => example.output.push(text.to_owned()),
                    (None, None) => panic!("README.md:{line}: output of no command"),
                }
            }
        }
    }
    blocks
}

/// Fills a directory with what the examples are about.
fn prepare(directory: &Path) {
    for models in ["tests/cli-goldens/models", "tests/fixtures"] {
        for entry in fs::read_dir(root().join(models)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                symlink(entry.path(), directory.join(entry.file_name())).unwrap();
            }
        }
    }
    copy_with_other_byte(
        directory,
        "two_shards",
        "damaged_copy",
        ("variables/variables.data-00000-of-00002", 7),
    );
    copy_with_other_byte(
        directory,
        "module",
        "changed_copy",
        ("variables/variables.index", 100),
    );
    for (part, key) in [("part-a", "a"), ("part-b", "b")] {
        let mut bundle = BundleWriter::create(directory.join(part)).unwrap();
        bundle.add(key, &Tensor::scalar(1f32)).unwrap();
        bundle.finish().unwrap();
    }
    for part in ["index", "data-00000-of-00001"] {
        let aside = format!("cut-short.{part}.set-aside-0-4711");
        fs::copy(
            directory.join(format!("part-a.{part}")),
            directory.join(aside),
        )
        .unwrap();
    }
    let bin = directory.join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_savedmodel"), bin.join("savedmodel")).unwrap();
}

/// Copies a model, and changes a byte of one of its files.
fn copy_with_other_byte(directory: &Path, name: &str, copy: &str, (file, at): (&str, usize)) {
    let (from, to) = (
        root().join("tests/fixtures").join(name),
        directory.join(copy),
    );
    for path in files_below(&from, &|_| true) {
        let place = to.join(path.strip_prefix(&from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(path, place).unwrap();
    }
    let path = to.join(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Returns what each command of a block prints; all together in one shell.
fn outputs(directory: &Path, block: &[Example], library: Option<&Path>) -> Vec<String> {
    let mut script = "exec 2>&1\nstatus=0\n".to_owned();
    for example in block {
        script += &format!(
            "(exit $status)\n{}\nstatus=$?\nprintf '\\036'\n",
            example.command
        );
    }
    let bin = directory.join("bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(bin).chain(std::env::split_paths(&path));
    let mut shell = Command::new("sh");
    if let Some(library) = library {
        shell.env("SAVEDMODEL_TF_LIB", library);
    }
    let output = shell
        .args(["-c", &script])
        .env("PATH", std::env::join_paths(paths).unwrap())
        .current_dir(directory)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator(SEPARATOR)
        .map(str::to_owned)
        .collect()
}

/// Takes out of a line how long something took.
fn timeless(line: &str) -> String {
    if let Some((before, after)) = line.split_once(" verified in ") {
        let verdict = after.split_once(')').map_or("", |(_, verdict)| verdict);
        return format!("{before} verified{verdict}");
    }
    for what in ["load  ", "first call  ", "1000 more calls: "] {
        if line.starts_with(what) {
            return what.to_owned();
        }
    }
    line.to_owned()
}

/// Says whether two lines are the same but for the last digits of numbers, which hang on the machine.
fn is_line_as_shown(shown: &str, line: &str) -> bool {
    let words = |line: &str| -> Vec<String> {
        let words = line.split([' ', '[', ']']).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    let is_near = |a: &String, b: &String| match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-5 * a.abs(),
        _ => a == b,
    };
    let (a, b) = (words(shown), words(line));
    shown == line || a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| is_near(a, b))
}

/// Says whether lines are those of the README.
fn is_as_shown(shown: &[String], lines: &[String]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=lines.len()).any(|from| is_as_shown(rest, &lines[from..]))
        }
        Some((first, rest)) => lines
            .split_first()
            .is_some_and(|(line, lines)| is_line_as_shown(first, line) && is_as_shown(rest, lines)),
    }
}

/// Compares the blocks for which `is_wanted` with what their commands print, given TensorFlow's library.
fn compare(library: Option<&Path>, is_wanted: impl Fn(&[Example]) -> bool) {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let (mut differences, mut count) = (String::new(), 0);
    for block in blocks(&text).iter().filter(|block| is_wanted(block)) {
        let scratch = Scratch::new("readme");
        prepare(scratch.path());
        let outputs = outputs(scratch.path(), block, library);
        assert_eq!(outputs.len(), block.len());
        for (example, output) in block.iter().zip(outputs) {
            let mut shown: Vec<String> = example.output.iter().map(|line| timeless(line)).collect();
            // An empty line parts commands.
            while shown.last().is_some_and(String::is_empty) {
                shown.pop();
            }
            let lines: Vec<String> = output.lines().map(timeless).collect();
            if !is_as_shown(&shown, &lines) {
                differences += &format!("README.md:{}: {}\n", example.line, example.command);
                differences += &format!("{output}\n");
            }
            count += 1;
        }
    }
    assert!(count > 0);
    assert!(differences.is_empty(), "{differences}");
}

/// Says whether a block shows what TensorFlow computed.
fn needs_tensorflow(block: &[Example]) -> bool {
    block.iter().any(|example| {
        let is_run = example.command.contains("savedmodel run ");
        let is_refused = |line: &String| line.contains("Cannot feed value");
        is_run && !example.command.contains("--dry-run") && !example.output.iter().any(is_refused)
    })
}

/// Says whether the shell can run a block.
fn has_programs(block: &[Example]) -> bool {
    let needs_jq = block
        .iter()
        .any(|example| example.command.contains("| jq "));
    let is_there = !needs_jq || Command::new("jq").arg("--version").output().is_ok();
    if !is_there {
        eprintln!("left out: examples of the README with `jq`, which is not here");
    }
    is_there
}

#[test]
fn commands_print_what_the_readme_shows() {
    compare(None, |block| {
        !needs_tensorflow(block) && has_programs(block)
    });
}

#[test]
fn interop_models_answer_what_the_readme_shows() {
    if let Some(library) = tensorflow::library() {
        compare(Some(&library), |block| {
            needs_tensorflow(block) && has_programs(block)
        });
    }
}
