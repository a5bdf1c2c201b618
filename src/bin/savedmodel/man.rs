use std::fs;
use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use crate::args::{self, Arguments};
use crate::failure::{Failure, Outcome};
use crate::path;

/// `savedmodel man`.
pub(crate) fn run(args: &args::Man, out: &mut impl Write) -> Result<Outcome, Failure> {
    let mut command = Arguments::command();
    // Gives commands their full names.
    command.build();
    match (&args.output_dir, &args.command) {
        (Some(directory), _) => {
            fs::create_dir_all(directory)?;
            for (name, page) in pages(&command)? {
                fs::write(directory.join(name), page)?;
            }
        }
        (None, None) => out.write_all(&page(&command)?)?,
        (None, Some(name)) => match command.find_subcommand(name) {
            Some(command) => out.write_all(&page(command)?)?,
            None => return Err(path::no_command(name)),
        },
    }
    Ok(Outcome::Sound)
}

/// Renders the page of the tool and that of each of its commands, with the names of their files.
fn pages(command: &Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let commands = command.get_subcommands().filter(|it| !it.is_hide_set());
    // What help says of itself needs no page.
    let commands = commands.filter(|it| it.get_name() != "help");
    std::iter::once(command)
        .chain(commands)
        .map(|command| {
            let name = command.get_display_name().unwrap_or(command.get_name());
            Ok((format!("{name}.1"), page(command)?))
        })
        .collect()
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}
