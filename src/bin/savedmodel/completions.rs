use std::io::Write;

use clap::CommandFactory;

use crate::args::{self, Arguments};
use crate::failure::{Failure, Outcome};

/// `savedmodel completions`.
pub(crate) fn run(args: &args::Completions, out: &mut impl Write) -> Result<Outcome, Failure> {
    let mut command = Arguments::command();
    let name = command.get_name().to_owned();
    // Writing to a pipe that is closed would panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    out.write_all(&script)?;
    Ok(Outcome::Sound)
}
