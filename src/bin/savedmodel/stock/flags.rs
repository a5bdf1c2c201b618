//! The stock tool's command line, which two libraries parse one after the other: what the first
//! refuses exits with 1, what the second refuses with 2.

use std::collections::HashMap;

/// A flag's name, and whether it is a switch.
const FLAGS: [(&str, bool); 29] = [
    ("dir", false),
    ("tag_set", false),
    ("signature_def", false),
    ("all", true),
    ("list_ops", true),
    ("inputs", false),
    ("input_exprs", false),
    ("input_examples", false),
    ("outdir", false),
    ("overwrite", true),
    ("worker", false),
    ("init_tpu", true),
    ("use_tfrt", true),
    ("tf_debug", true),
    ("op_denylist", false),
    ("output_dir", false),
    ("precision_mode", false),
    ("max_workspace_size_bytes", false),
    ("minimum_segment_size", false),
    ("convert_tf1_model", true),
    ("output_prefix", false),
    ("signature_def_key", false),
    ("checkpoint_path", false),
    ("variables_to_feed", false),
    ("target_triple", false),
    ("target_cpu", false),
    ("cpp_class", false),
    ("multithreading", false),
    // The library's own, which say how much is logged and what need not be known.
    ("verbosity", false),
];

/// Commands, with the flags that each requires in the order in which they are missed.
pub(super) const COMMANDS: [(&str, &[&str]); 6] = [
    ("show", &["dir"]),
    ("run", &["dir", "tag_set", "signature_def"]),
    ("scan", &["dir"]),
    ("convert", &["dir", "output_dir", "tag_set"]),
    ("freeze_model", &["dir", "output_prefix", "tag_set"]),
    ("aot_compile_cpu", &["cpp_class"]),
];

/// A command line that was understood.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pub(super) command: String,
    texts: HashMap<&'static str, String>,
    switches: HashMap<&'static str, bool>,
}

impl Flags {
    /// Returns a flag's text, if it was given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Returns whether a switch is on.
    pub(super) fn switch(&self, name: &str) -> bool {
        self.switches.get(name).copied().unwrap_or(false)
    }
}

/// What the command line asks for instead of a command.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Help, which the stock tool cannot show.
    Help,
    /// The version.
    Version,
    /// A fault, with the exit code it has.
    Fault(u8, String),
}

impl Flags {
    pub(super) fn parse(arguments: &[String]) -> Result<Flags, Refusal> {
        if arguments.is_empty() {
            return Err(usage("saved_model_cli: error: Too few arguments."));
        }
        let mut flags = Flags::default();
        let mut words = Vec::new();
        // The second library's complaints come after all of the first's.
        let mut explicit = None;
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let flag = match argument.strip_prefix("--") {
                Some(flag) if !flag.is_empty() => flag,
                _ => match argument.as_str() {
                    "-h" | "-help" => return Err(Refusal::Help),
                    "-v" if words.is_empty() => return Err(Refusal::Version),
                    _ => {
                        words.push(argument.as_str());
                        continue;
                    }
                },
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (flag, None),
            };
            match name {
                "help" | "helpshort" | "helpfull" => return Err(Refusal::Help),
                "version" => return Err(Refusal::Version),
                "undefok" => {
                    if value.is_none() {
                        rest.next();
                    }
                    continue;
                }
                _ => {}
            }
            if let Some((name, switch)) = FLAGS.iter().find(|(known, _)| *known == name) {
                if *switch {
                    let on = match value.map(str::to_ascii_lowercase).as_deref() {
                        None => true,
                        Some("true" | "t" | "1" | "yes" | "y") => true,
                        Some("false" | "f" | "0" | "no" | "n") => false,
                        Some(_) => {
                            let value = value.unwrap_or_default();
                            return Err(fatal(format!(
                                "flag --{name}={value}: ('Non-boolean argument to boolean flag', {})",
                                crate::python::text_repr(value)
                            )));
                        }
                    };
                    if let Some(value) = value {
                        explicit.get_or_insert(format!(
                            "argument --{name}/--no{name}: ignored explicit argument {}",
                            crate::python::text_repr(value)
                        ));
                    }
                    flags.switches.insert(name, on);
                } else {
                    let value = match value {
                        Some(value) => value.to_owned(),
                        None => rest
                            .next()
                            .ok_or_else(|| fatal(format!("Missing value for flag --{name}")))?
                            .clone(),
                    };
                    flags.texts.insert(name, value);
                }
                continue;
            }
            match name.strip_prefix("no") {
                Some(switch) if FLAGS.contains(&(switch, true)) && value.is_none() => {
                    let (name, _) =
                        FLAGS[FLAGS.iter().position(|(f, _)| *f == switch).unwrap_or(0)];
                    flags.switches.insert(name, false);
                }
                _ => return Err(unknown(name)),
            }
        }
        let command = match words.first() {
            Some(command) => (*command).to_owned(),
            None => return Err(usage("saved_model_cli: error: Too few arguments.")),
        };
        flags.command = command;
        let Some((_, required)) = COMMANDS.iter().find(|(name, _)| *name == flags.command) else {
            return Err(Refusal::Fault(
                1,
                format!("KeyError: {}", crate::python::text_repr(&flags.command)),
            ));
        };
        if let Some(explicit) = explicit {
            return Err(in_command(&flags.command, &explicit));
        }
        if let [_, extra @ ..] = &words[..]
            && !extra.is_empty()
            && !(flags.command == "convert" && extra == ["tensorrt"])
        {
            let message = format!("unrecognized arguments: {}", extra.join(" "));
            return Err(in_command(&flags.command, &message));
        }
        let missing: Vec<String> = required
            .iter()
            .filter(|name| flags.text(name).is_none())
            .map(|name| {
                format!("flag --{name}=None: Flag --{name} must have a value other than None.")
            })
            .collect();
        match missing.is_empty() {
            true => Ok(flags),
            false => Err(in_command(&flags.command, &missing.join("\n"))),
        }
    }
}

fn fatal(message: String) -> Refusal {
    Refusal::Fault(1, format!("FATAL Flags parsing error: {message}"))
}

fn usage(message: &str) -> Refusal {
    Refusal::Fault(2, message.to_owned())
}

fn in_command(command: &str, message: &str) -> Refusal {
    usage(&format!("saved_model_cli {command}: error: {message}"))
}

fn unknown(name: &str) -> Refusal {
    let mut message = format!("Unknown command line flag '{name}'");
    let near = near_flags(name);
    if !near.is_empty() {
        message += &format!(". Did you mean: {} ?", near.join(", "));
    }
    fatal(message)
}

/// Returns the flags that begin like a mistyped one, with as few errors as any does.
fn near_flags(name: &str) -> Vec<&'static str> {
    let len = name.chars().count();
    if len <= 2 {
        return Vec::new();
    }
    let mut distances: Vec<(usize, &str)> = FLAGS
        .iter()
        .map(|(flag, _)| {
            let head = &flag[..len.min(flag.len())];
            (strsim::damerau_levenshtein(name, head), *flag)
        })
        .collect();
    distances.sort_unstable();
    match distances.first() {
        // Half the letters wrong is no likeness.
        Some((least, _)) if least * 2 < len => distances
            .iter()
            .take_while(|(errors, _)| errors == least)
            .map(|(_, flag)| *flag)
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Flags, Refusal> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Flags::parse(&arguments)
    }

    #[test]
    fn flags_stand_anywhere_and_the_last_counts() {
        let flags = parse("--dir a show --dir=b --all --noall --list_ops --tag_set serve").unwrap();
        assert_eq!(
            (flags.command.as_str(), flags.text("dir")),
            ("show", Some("b"))
        );
        assert_eq!(
            (flags.switch("all"), flags.switch("list_ops")),
            (false, true)
        );
        assert_eq!(flags.text("tag_set"), Some("serve"));
    }

    #[test]
    fn faults_have_the_code_of_who_finds_them() {
        for (line, code, message) in [
            ("show --dir a --foo 1", 1, "Unknown command line flag 'foo'"),
            (
                "show --dir a --tag x",
                1,
                "flag 'tag'. Did you mean: tag_set ?",
            ),
            ("show --dir", 1, "Missing value for flag --dir"),
            (
                "show --all=maybe",
                1,
                "('Non-boolean argument to boolean flag', 'maybe')",
            ),
            (
                "show --dir a --all=true",
                2,
                "ignored explicit argument 'true'",
            ),
            ("show extra --dir a", 2, "unrecognized arguments: extra"),
            (
                "show",
                2,
                "flag --dir=None: Flag --dir must have a value other than None.",
            ),
            ("run --dir a", 2, "flag --tag_set=None"),
            ("frob --dir a", 1, "KeyError: 'frob'"),
        ] {
            match parse(line) {
                Err(Refusal::Fault(found, text)) => {
                    assert_eq!(found, code, "{line}");
                    assert!(text.contains(message), "{line}: {text}");
                }
                other => panic!("{line}: {other:?}"),
            }
        }
        assert!(matches!(parse("show --help"), Err(Refusal::Help)));
    }
}
