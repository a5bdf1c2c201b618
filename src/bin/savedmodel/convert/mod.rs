//! `savedmodel convert`.
//!
//! | part | holds |
//! |---|---|
//! | `target` | what OUT and `--to` ask for |
//! | `program` | models, their programs in another form |
//! | `tensors` | tensors, from any format to another |
//! | `rename` | `--rename` |
//! | `byte_size` | sizes with units |

mod byte_size;
mod program;
mod rename;
mod target;
mod tensors;

use std::io::Write;

use crate::args;
use crate::failure::{Failure, Outcome};
pub(crate) use byte_size::ByteSize;
pub(crate) use rename::Rename;
use target::Target;

pub(crate) fn run(args: &args::Convert, out: &mut impl Write) -> Result<Outcome, Failure> {
    match Target::of(args)? {
        Target::Model { directory, format } => program::run(args, &directory, format, out),
        Target::Tensors { path, format } => tensors::run(args, &path, format, out),
    }
}

/// Says that an option is for conversions of another kind.
fn refuse_options(given: &[(&str, bool)], kind: &str) -> Result<(), Failure> {
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Failure::Usage(
            format!("{option} has no meaning when {kind} is written").into(),
        )),
        None => Ok(()),
    }
}
