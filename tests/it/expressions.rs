//! What Python, numpy and TensorFlow make of expressions, as unit tests of the command line tool have
//! it, beside what they make of them now.

use std::path::Path;

#[test]
fn interop_expressions_are_what_python_makes_of_them() {
    let Some(printed) = crate::tensorflow::run("expressions.py", &[]) else {
        return;
    };
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/expressions.jsonl"
    );
    let kept = std::fs::read_to_string(Path::new(path)).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let differences: Vec<String> = kept
        .lines()
        .zip(printed.lines())
        .filter(|(kept, printed)| kept != printed)
        .map(|(kept, printed)| format!("{kept}\n  is now {printed}"))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(kept.lines().count(), printed.lines().count());
}
