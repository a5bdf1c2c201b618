use std::io::{self, Write};
use std::time::Instant;

use savedmodel::bundle::Verification;

use super::{Request, counted, document};
use crate::decimal::brief;
use crate::failure::{Failure, Outcome};
use crate::progress::Progress;
use crate::terminal::{Role, paint};
use crate::text::Escaped;

pub(super) fn run(request: &Request<'_>, out: &mut impl Write) -> Result<Outcome, Failure> {
    let start = Instant::now();
    let progress = Progress::new("verifying", 0);
    let found = request
        .bundle
        .verify_with(|done, total| progress.set(done, total))?;
    drop(progress);
    let seconds = start.elapsed().as_secs_f64();
    let written = match request.args.json {
        true => document::write_verification(request, &found, seconds, out),
        false => write_text(&found, seconds, out),
    };
    // Who does not read on still wants the exit code.
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(match found.faults.len() as u64 {
        0 => Outcome::Sound,
        faults => Outcome::Damaged(format!("{} found", counted(faults, "fault"))),
    })
}

fn write_text(found: &Verification, seconds: f64, out: &mut impl Write) -> io::Result<()> {
    for fault in &found.faults {
        let label = paint(Role::Error, "fault:");
        writeln!(out, "{label} {}", Escaped(fault.to_string().as_bytes()))?;
    }
    for remark in &found.remarks {
        let label = paint(Role::Warning, "remark:");
        writeln!(out, "{label} {}", Escaped(remark.to_string().as_bytes()))?;
    }
    let rate = match seconds > 0.0 {
        true => found.bytes as f64 / seconds / 1e9,
        false => 0.0,
    };
    writeln!(
        out,
        "{}, {} bytes verified in {seconds:.3} s ({} GB/s): {}",
        counted(found.tensors, "tensor"),
        found.bytes,
        brief((rate * 100.0).round() / 100.0),
        match found.faults.len() as u64 {
            0 => "sound".to_owned(),
            faults => counted(faults, "fault"),
        }
    )
}
