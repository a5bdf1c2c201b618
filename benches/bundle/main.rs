//! Reads and writes bundles beside TensorFlow's own C++ code; see README.md beside this file.
//!
//! One process drives two others, this library's side and TensorFlow's, each a loop over commands,
//! so that the memory peaks of one are not those of the other.

#![allow(missing_docs)]

#[cfg(target_os = "linux")]
mod driver;
#[cfg(target_os = "linux")]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(target_os = "linux")]
mod rows;
#[cfg(target_os = "linux")]
mod side;
#[cfg(target_os = "linux")]
mod writing;
#[cfg(target_os = "linux")]
mod writing_side;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|argument| argument == harness::meter::FLAG)
    {
        return side::serve();
    }
    if arguments.iter().any(|argument| argument == writing::FLAG) {
        return writing_side::serve();
    }
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted =
        |group: &str| wanted.is_empty() || wanted.iter().any(|word| group.contains(&**word));
    driver::run(is_wanted)?;
    writing::run(is_wanted)?;
    writing::run_models(is_wanted)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("memory peaks are measured with what Linux has in /proc; nothing is done here");
}
