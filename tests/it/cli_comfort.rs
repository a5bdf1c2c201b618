//! What makes the command line tool pleasant: colours, widths, completions, manual, exit codes, and
//! what it says when something is not there.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn tests() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"))
}

/// The tool in `tests`, in an environment that says nothing of terminals.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_savedmodel"));
    command.current_dir(tests()).args(args);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

fn texts(output: Output) -> (i32, String, String) {
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn run(args: &[&str]) -> (i32, String, String) {
    texts(command(args).output().unwrap())
}

fn commands() -> Vec<String> {
    let (_, help, _) = run(&["--help"]);
    let list = help.split("Commands:").nth(1).unwrap();
    let list = list.split("Arguments:").next().unwrap();
    let names = list.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?.split(' ').next()?;
        (!name.is_empty()).then(|| name.to_owned())
    });
    names.collect()
}

#[test]
fn help_of_every_command_has_the_exit_codes() {
    let commands = commands();
    assert!(commands.len() > 9, "{commands:?}");
    for name in commands.iter().filter(|name| *name != "help") {
        for help in ["--help", "-h"] {
            let (code, text, _) = run(&[name, help]);
            assert_eq!(code, 0, "{name}");
            let codes = text.split("Exit codes:").nth(1).unwrap_or_else(|| {
                panic!("`{name} {help}` has no exit codes: {text}");
            });
            for code in ["\n  0  ", "\n  1  ", "\n  2  "] {
                assert!(codes.contains(code), "`{name} {help}`: {codes}");
            }
        }
    }
}

const SOUND: &[&[&str]] = &[
    &["fixtures/keras3_saved"],
    &["overview", "fixtures/ckpt_manager", "--json"],
    &["variables", "fixtures/two_shards"],
    &["variables", "fixtures/two_shards", "--verify"],
    &["variables", "fixtures/two_shards", "--stats", "--json"],
    &["show", "fixtures/module", "--all"],
    &["show", "fixtures/module", "--all", "--json"],
    &["ops", "fixtures/module"],
    &["ops", "fixtures/module", "--json"],
    &["ops", "fixtures/module", "--where", "MatMul"],
    &["objects", "fixtures/module"],
    &["objects", "fixtures/module", "--json"],
    &["functions", "fixtures/module"],
    &["functions", "fixtures/module", "--json"],
    &["signature", "fixtures/tf115_estimator"],
    &["signature", "fixtures/tf115_estimator", "--json"],
    &["schema"],
    &["completions", "bash"],
    &["man"],
    &["--help"],
    &["ops", "--help"],
    &["--version"],
    &["compat", "show", "--dir", "fixtures/module", "--all"],
    &["compat", "--help"],
];

#[test]
fn a_closed_pipe_ends_every_command_quietly() {
    for args in SOUND {
        let mut child = command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let (code, _, err) = texts(child.wait_with_output().unwrap());
        assert_eq!((code, &*err), (0, ""), "{args:?}");
    }
}

#[test]
fn colors_are_where_they_are_wanted() {
    let model = "fixtures/keras3_saved";
    let run_in = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = command(args);
        command.envs(variables.iter().copied());
        texts(command.output().unwrap()).1
    };
    let plain = run_in(&[model], &[]);
    assert!(!plain.contains('\x1b'));
    for (args, variables) in [
        (&[model][..], &[("NO_COLOR", "1")][..]),
        (&[model, "--color", "auto"], &[("CLICOLOR_FORCE", "0")]),
        (&[model, "--color", "never"], &[("CLICOLOR_FORCE", "1")]),
        (&[model], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]),
        (&["--color=never", model], &[("COLUMNS", "20")]),
    ] {
        assert_eq!(run_in(args, variables), plain, "{args:?} {variables:?}");
    }
    for (args, variables) in [
        (&[model][..], &[("CLICOLOR_FORCE", "1")][..]),
        (&[model, "--color", "always"], &[("NO_COLOR", "1")]),
        (&["--color=always", "overview", model], &[]),
        (&["-q", "--color", "always", model], &[]),
    ] {
        let colored = run_in(args, variables);
        for piece in ["\x1b[1mmodel\x1b[0m", "\x1b[1;31merror:\x1b[0m"] {
            assert!(colored.contains(piece), "{args:?} {variables:?}: {colored}");
        }
        assert_eq!(without_colors(&colored), plain);
    }
    let (_, _, err) = run(&["--color", "always", "variables", "fixtures/nowhere"]);
    assert!(err.starts_with("\x1b[1;31msavedmodel:\x1b[0m "), "{err}");
    let (_, out, _) = run(&["ops", "fixtures/module", "--json", "--color", "always"]);
    assert!(!out.contains('\x1b'), "{out}");
}

fn without_colors(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').unwrap().1)
}

/// Runs the tool with a terminal as its output.
#[cfg(target_os = "linux")]
fn run_on_terminal(args: &[&str], columns: u16, variables: &[(&str, &str)]) -> String {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};
    use std::fs::{File, OpenOptions};
    use std::io::Read;

    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let ours = openpt(flags).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&ours, size).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut command = command(args);
    command.env("TERM", "xterm").envs(variables.iter().copied());
    let mut child = command.stdout(theirs).spawn().unwrap();
    // It holds the other end of the terminal too.
    drop(command);
    let mut text = Vec::new();
    // When the other end is closed, reading fails.
    let _ = File::from(ours).read_to_end(&mut text);
    assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

#[cfg(target_os = "linux")]
#[test]
fn lines_fit_on_a_terminal() {
    for (args, limit) in [
        (&["variables", "fixtures/keras3_saved"][..], 60),
        (&["ops", "fixtures/module"], 80),
        (&["fixtures/keras3_saved"], 80),
    ] {
        let (_, whole, _) = run(args);
        let wide = run_on_terminal(args, 500, &[]);
        assert!(wide.contains("\x1b[1m"), "{wide}");
        assert_eq!(without_colors(&wide), whole);
        let columns = limit.to_string();
        for (columns, variables) in [(limit, &[][..]), (200, &[("COLUMNS", &*columns)])] {
            let text = run_on_terminal(args, columns, variables);
            let text = without_colors(&text);
            assert_ne!(text, whole, "{args:?}");
            for line in text.lines() {
                assert!(line.chars().count() <= limit.into(), "{args:?}: {line}");
            }
        }
        let plain = run_on_terminal(args, 500, &[("NO_COLOR", "1")]);
        assert_eq!(plain, whole);
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let (code, script, _) = run(&["completions", "bash"]);
    assert_eq!(code, 0);
    let path = std::env::temp_dir().join(format!("savedmodel-completion-{}", std::process::id()));
    std::fs::write(&path, script).unwrap();
    let check = Command::new("bash").arg("-n").arg(&path).output();
    if check.is_err() {
        eprintln!("SKIPPED: there is no bash");
        return;
    }
    assert!(check.unwrap().status.success());
    let completed = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let ask = format!(
            "source \"$0\"; COMP_WORDS=({}); COMP_CWORD={}; \
             _savedmodel savedmodel {} savedmodel; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            words.len() - 1,
            words[words.len() - 1],
        );
        let mut bash = Command::new("bash");
        let output = bash.args(["--norc", "-c", &ask]).arg(&path).output();
        let (_, out, err) = texts(output.unwrap());
        assert_eq!(err, "", "{ask}");
        out
    };
    assert_eq!(completed(&["savedmodel", "func"]), "functions\n");
    let options = completed(&["savedmodel", "variables", "--s"]);
    assert!(
        options.contains("--stats") && options.contains("--slice"),
        "{options}"
    );
    std::fs::remove_file(path).unwrap();
}

#[test]
fn every_shell_has_a_script() {
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef savedmodel"),
        ("fish", "complete -c savedmodel"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let (code, script, err) = run(&["completions", shell]);
        assert_eq!((code, &*err), (0, ""));
        assert!(script.contains(mark), "{shell}");
        for name in ["overview", "variables", "tag-set"] {
            assert!(script.contains(name), "{shell} knows no {name}");
        }
    }
    assert_eq!(run(&["completions", "bsh"]).0, 2);
}

#[test]
fn every_command_has_a_man_page() {
    let directory = std::env::temp_dir().join(format!("savedmodel-man-{}", std::process::id()));
    let (code, out, err) = run(&["man", "--output-dir", directory.to_str().unwrap()]);
    assert_eq!((code, &*out, &*err), (0, "", ""));
    let mut names = vec!["savedmodel".to_owned()];
    let commands = commands().into_iter().filter(|name| name != "help");
    names.extend(commands.map(|name| format!("savedmodel-{name}")));
    for name in &names {
        let path = directory.join(format!("{name}.1"));
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{page}");
        assert!(page.contains("Exit codes:"), "{page}");
        match Command::new("man").arg("-l").arg(&path).output() {
            Ok(shown) if shown.status.success() => {
                let text = String::from_utf8_lossy(&shown.stdout).into_owned();
                assert!(text.contains("SYNOPSIS"), "{text}");
            }
            _ => eprintln!("SKIPPED: there is no man"),
        }
    }
    let count = std::fs::read_dir(&directory).unwrap().count();
    assert_eq!(count, names.len());
    std::fs::remove_dir_all(directory).unwrap();
    assert!(run(&["man"]).1.contains(".TH savedmodel 1"));
    assert!(run(&["man", "ops"]).1.contains(".TH savedmodel-ops 1"));
    let (code, _, err) = run(&["man", "opps"]);
    assert_eq!(code, 2);
    assert!(err.contains("did you mean `ops`?"), "{err}");
}

#[test]
fn what_is_not_there_is_named_and_what_is_near() {
    for (args, code, said) in [
        (&["frobnicate", "x"][..], 2, "there are overview, variables"),
        (&["vriables", "x"], 2, "did you mean `variables`?"),
        (&["compt", "show"], 2, "did you mean `compat`?"),
        (
            &["fixtures/keras3_save"],
            1,
            "did you mean `fixtures/keras3_saved`?",
        ),
        (
            &["variables", "fixtures/keras3_save"],
            1,
            "did you mean `fixtures/keras3_saved`?",
        ),
        (
            &["ops", "fixtures/modul/saved_model.pb"],
            1,
            "did you mean `fixtures/module`?",
        ),
        (
            &["fixtures/ckpt_saver/model.ckpt"],
            1,
            "did you mean `fixtures/ckpt_saver/model.ckpt-7`?",
        ),
        (&["fixtures/qqq/a/b"], 1, "there is no `fixtures/qqq`"),
        (
            &["objects", "qqq"],
            1,
            "`savedmodel --help` says what PATH can be",
        ),
        (
            &["show", "fixtures/module", "--tag-set", "serv"],
            1,
            "the model has {serve}",
        ),
        (
            &["ops", "fixtures/module", "--tag-set", "serv"],
            1,
            "the model has {serve}",
        ),
        (
            &["signature", "fixtures/module", "serving"],
            1,
            "did you mean `serving_default`?",
        ),
        (
            &["show", "fixtures/module", "--signature", "bmp"],
            1,
            "did you mean `bump`?",
        ),
        (
            &["show", "fixtures/module", "--signature", "q"],
            1,
            "`savedmodel PATH` lists",
        ),
        (
            &["functions", "fixtures/module", "--function", "q"],
            1,
            "PATH` lists them",
        ),
        (
            &["ops", "fixtures/module", "--where", "MatMl"],
            1,
            "did you mean `MatMul`?",
        ),
        (
            &["variables", "fixtures/two_shards", "v4x"],
            1,
            "did you mean `v4/",
        ),
        (
            &["variables", "fixtures/two_shards", "q"],
            1,
            "PATH` lists them",
        ),
        (&["completions", "bsh"], 2, "'bash'"),
    ] {
        let (found, out, err) = run(args);
        assert_eq!((found, &*out), (code, ""), "{args:?}: {err}");
        assert!(err.contains(said), "{args:?}: {err}");
    }
}

#[test]
fn quiet_leaves_errors_alone() {
    let base = std::env::temp_dir().join(format!("savedmodel-quiet-{}", std::process::id()));
    let version = base.join("1");
    std::fs::create_dir_all(&version).unwrap();
    let from = tests().join("fixtures/no_variables/saved_model.pb");
    std::fs::copy(from, version.join("saved_model.pb")).unwrap();
    let path = base.to_str().unwrap();
    assert!(run(&["show", path]).2.contains("taking version"));
    assert_eq!(run(&["show", path, "--quiet"]).2, "");
    assert_eq!(run(&["-q", path]).2, "");
    assert_ne!(run(&["-q", "nowhere"]).2, "");
    std::fs::remove_dir_all(base).unwrap();
}
