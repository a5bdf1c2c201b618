//! Merges and writes split models beside TensorFlow; see README.md beside this directory.

#![allow(missing_docs)]

#[cfg(target_os = "linux")]
mod driver;
#[cfg(target_os = "linux")]
#[path = "../harness/mod.rs"]
mod harness;
#[cfg(target_os = "linux")]
mod side;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments
        .iter()
        .any(|argument| argument == harness::meter::FLAG)
    {
        return side::serve();
    }
    let wanted: Vec<&String> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    driver::run(|group| wanted.is_empty() || wanted.iter().any(|word| group.contains(&**word)))
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("memory peaks are measured with what Linux has in /proc; nothing is done here");
}
