//! Whole processes: what the kernel says a child has used once it has ended.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::harness::Result;
use crate::harness::compare::Sample;

/// Runs a command to its end; its output goes nowhere.
///
/// The peak is that of the process, its code and libraries included. The kernel counts the
/// process that starts it too if that is the larger one, so this one must stay small.
pub(crate) fn run(command: &mut Command) -> Result<Sample> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let start = Instant::now();
    #[allow(clippy::zombie_processes, reason = "waited for below")]
    let child = command.spawn()?;
    let (status, usage) = wait(child.id())?;
    let wall = start.elapsed().as_secs_f64();
    if status != 0 {
        return Err(format!("{command:?} ended with status {status}").into());
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    Ok(Sample {
        wall,
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        peak: usage.ru_maxrss as f64 / 1024.0,
    })
}

/// Waits for one child; the standard library does not say what it used.
#[allow(unsafe_code)]
fn wait(child: u32) -> io::Result<(i32, libc::rusage)> {
    let mut status = 0;
    // SAFETY: a struct of plain numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both places are this function's own.
    match unsafe { libc::wait4(child as libc::pid_t, &mut status, 0, &mut usage) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok((status, usage)),
    }
}
