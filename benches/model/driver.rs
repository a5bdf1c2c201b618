//! Makes the models, starts the sides, and compares.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::process;
use super::rows::{
    CENSUSES, FIXTURE_LIMITS, FIXTURES, GROUPS, Group, LIBRARIES, OVERVIEWS, Parser, Row,
    SHOW_PEAK, SHOWN, SMALL, SUMMED_UP, Show,
};
use crate::harness::compare::{Clock, Line, Sample, compare, median, seconds};
use crate::harness::peer::{self, Peer};
use crate::harness::side::Side;
use crate::harness::{self, DIRECTORY, DataDirectory, PYTHON, Result, meter};

/// The stock tool takes seconds, and is as steady as the machine.
const SHOW_ROUNDS: usize = 3;

pub(crate) fn run(wanted: impl Fn(&str) -> bool) -> Result<()> {
    let rounds = harness::rounds()?;
    let data = DataDirectory::new("model-bench")?;
    let tensorflow = match env::var(PYTHON) {
        Ok(python) => Some(TensorFlow {
            peer: peer::build(&python, data.path())?,
            python,
        }),
        Err(_) => None,
    };
    if tensorflow.is_none() {
        println!("\n*** {PYTHON} is not set: TensorFlow is not measured, there are no ratios ***");
    }
    println!("\nmedians of {rounds} rounds; ratio = TensorFlow's time / this library's\n");
    for group in GROUPS.iter().filter(|group| wanted(group.name)) {
        let model = make(&data, group.model, tensorflow.as_ref())?;
        parse(group, &model, rounds, tensorflow.as_ref())?;
    }
    for shown in SHOWN {
        let title = format!("show --all, {}", shown.model);
        if wanted(&title) {
            let model = make(&data, shown.model, tensorflow.as_ref())?;
            show(shown, &title, &model, rounds, tensorflow.as_ref())?;
        }
    }
    let overviews = OVERVIEWS
        .iter()
        .map(|it| ("overview", it, overview_command as MakeCommand));
    let censuses = CENSUSES
        .iter()
        .map(|it| ("ops", it, ops_command as MakeCommand));
    let libraries = LIBRARIES
        .iter()
        .map(|it| ("functions", it, functions_command as MakeCommand));
    for (command, (model, limit), make_command) in overviews.chain(censuses).chain(libraries) {
        let title = format!("{command}, {model}");
        if wanted(&title) {
            let model = make(&data, model, tensorflow.as_ref())?;
            whole_processes(&title, vec![model], &make_command, *limit, rounds)?;
        }
    }
    for model in SUMMED_UP {
        let title = format!("summed up, {model}");
        if wanted(&title) {
            let model = make(&data, model, tensorflow.as_ref())?;
            sum_up(&title, &model, rounds, tensorflow.as_ref())?;
        }
    }
    for words in SMALL {
        let title = format!("{}, models of the tests", words.join(" "));
        if wanted(&title) {
            let written = data.path().join("written");
            let command = |model: &Path| small_command(words, model, &written);
            let mut models = Vec::new();
            for directory in FIXTURES {
                collect(&script(directory), &mut models)?;
            }
            // Some have no signatures, or several and none that is meant.
            models.retain(|model| {
                let output = command(model).output();
                output.is_ok_and(|output| output.status.success())
            });
            whole_processes(&title, models, &command, FIXTURE_LIMITS, rounds)?;
            let _ = fs::remove_dir_all(&written);
        }
    }
    Ok(())
}

/// Makes the command line of some words for a model; what was written before is gone.
fn small_command(words: &[&str], model: &Path, written: &Path) -> Command {
    // There is none at first; that there is one now, the command will see.
    let _ = fs::remove_dir_all(written);
    let _ = fs::create_dir(written);
    let mut command = Command::new(env!("CARGO_BIN_EXE_savedmodel"));
    for word in words {
        match *word {
            "MODEL" => command.arg(model),
            "OUT" => command.arg(written.join("out")),
            _ => command.arg(word),
        };
    }
    command
}

struct TensorFlow {
    python: String,
    /// The C++ side.
    peer: PathBuf,
}

impl TensorFlow {
    fn start(&self, parser: Parser) -> Result<Side> {
        match parser {
            Parser::Cpp => Side::start(Peer::Plain.command(&self.peer)),
            Parser::Python => Side::start(
                Command::new(&self.python)
                    .arg(script("benches/pb_peer.py"))
                    .stderr(Stdio::null()),
            ),
        }
    }

    /// The stock tool, as the program that pip installs starts it.
    fn stock_tool(&self) -> Command {
        let mut command = Command::new(&self.python);
        command
            .arg("-c")
            .arg("from tensorflow.python.tools.saved_model_cli import main; main()");
        command
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn make(data: &DataDirectory, model: &str, tensorflow: Option<&TensorFlow>) -> Result<PathBuf> {
    let path = data.path().join(model);
    if path.exists() {
        return Ok(path);
    }
    let Some(tensorflow) = tensorflow else {
        return Err(format!(
            "there is no model: run once with {PYTHON} and {DIRECTORY} set, which keeps it"
        )
        .into());
    };
    let status = Command::new(&tensorflow.python)
        .arg(script("benches/make_models.py"))
        .arg(data.path())
        .arg(model)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("the model {model} could not be made").into());
    }
    // Pages on their way to the disk would be in the way of the measurement.
    fs::File::open(path.join("saved_model.pb"))?.sync_all()?;
    Ok(path)
}

fn parse(
    group: &Group,
    model: &Path,
    rounds: usize,
    tensorflow: Option<&TensorFlow>,
) -> Result<()> {
    let mut ours = Side::start(Command::new(env::current_exe()?).arg(meter::FLAG))?;
    let mut theirs = tensorflow
        .map(|tensorflow| tensorflow.start(group.parser))
        .transpose()?;
    let lines: Vec<Line> = group.rows.iter().map(Row::line).collect();
    let peer_name = match (group.parser, group.command) {
        (Parser::Cpp, _) => "TensorFlow ReadSavedModel",
        (Parser::Python, "parse") => "Python text_format.Parse",
        (Parser::Python, "print") => "Python str",
        (Parser::Python, "fingerprint") => "CreateFingerprintDef",
        (Parser::Python, _) => "TensorFlow FromString",
    };
    compare(
        group.name,
        peer_name,
        &lines,
        rounds,
        &mut || {
            let peer = theirs.as_mut();
            peer.map(|peer| peer.measure(&format!("{} {}", group.command, model.display())))
                .transpose()
        },
        &mut |i| ours.measure(&format!("{} {}", group.rows[i].command, model.display())),
    )
}

fn show_command(model: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_savedmodel"));
    command
        .args(["compat", "show", "--all", "--dir"])
        .arg(model);
    command
}

fn show(
    shown: &Show,
    title: &str,
    model: &Path,
    rounds: usize,
    tensorflow: Option<&TensorFlow>,
) -> Result<()> {
    let lines = [Line {
        name: "savedmodel, whole process".to_owned(),
        clock: Clock::Wall,
        bar: shown.bar,
        peak: Some(SHOW_PEAK),
    }];
    compare(
        title,
        "saved_model_cli",
        &lines,
        rounds.min(SHOW_ROUNDS),
        &mut || {
            let stock = tensorflow.map(TensorFlow::stock_tool);
            stock
                .map(|mut stock| process::run(stock.args(["show", "--all", "--dir"]).arg(model)))
                .transpose()
        },
        &mut |_| process::run(&mut show_command(model)),
    )
}

/// Whole processes beside Python's parser, which has nothing to start and only parses.
fn sum_up(title: &str, model: &Path, rounds: usize, tensorflow: Option<&TensorFlow>) -> Result<()> {
    let mut theirs = tensorflow
        .map(|tensorflow| tensorflow.start(Parser::Python))
        .transpose()?;
    let commands: [(&str, MakeCommand); 3] = [
        ("overview", overview_command),
        ("ops", ops_command),
        ("functions", functions_command),
    ];
    let lines = commands.map(|(name, _)| Line {
        name: format!("{name}, whole process"),
        clock: Clock::Wall,
        bar: 0.0,
        peak: None,
    });
    compare(
        title,
        "TensorFlow FromString",
        &lines,
        rounds,
        &mut || {
            let peer = theirs.as_mut();
            peer.map(|peer| peer.measure(&format!("pb {}", model.display())))
                .transpose()
        },
        &mut |i| process::run(&mut commands[i].1(model)),
    )
}

fn overview_command(model: &Path) -> Command {
    named_command("overview", model)
}

fn ops_command(model: &Path) -> Command {
    named_command("ops", model)
}

fn functions_command(model: &Path) -> Command {
    named_command("functions", model)
}

fn named_command(name: &str, model: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_savedmodel"));
    command.arg(name).arg(model);
    command
}

/// Makes the command line for a model.
type MakeCommand = fn(&Path) -> Command;

/// Prints the worst of some models, for which seconds on the clock and MiB are limited.
fn whole_processes(
    title: &str,
    models: Vec<PathBuf>,
    command: &dyn Fn(&Path) -> Command,
    limits: (f64, f64),
    rounds: usize,
) -> Result<()> {
    let (mut cpu, mut wall, mut peak) = (0.0f64, (0.0, PathBuf::new()), (0.0, PathBuf::new()));
    let count = models.len();
    for model in models {
        // The first one brings its file into the page cache.
        process::run(&mut command(&model))?;
        let samples = (0..rounds.max(1))
            .map(|_| process::run(&mut command(&model)))
            .collect::<Result<Vec<Sample>>>()?;
        cpu = cpu.max(median(samples.iter().map(|sample| sample.cpu)));
        let time = median(samples.iter().map(|sample| sample.wall));
        if time > wall.0 {
            wall = (time, model.clone());
        }
        let most = samples.iter().map(|sample| sample.peak).fold(0.0, f64::max);
        if most > peak.0 {
            peak = (most, model);
        }
    }
    let (wall_limit, peak_limit) = limits;
    let verdict = |missed: bool| if missed { "  MISSED" } else { "" };
    println!("{title}: the worst of {count}");
    println!("  cpu  {} s", seconds(cpu));
    println!(
        "  wall {} s, limit {wall_limit} s, {}{}",
        seconds(wall.0),
        name(&wall.1),
        verdict(wall.0 > wall_limit)
    );
    println!(
        "  peak {:.1} MiB, limit {peak_limit:.1} MiB, {}{}\n",
        peak.0,
        name(&peak.1),
        verdict(peak.0 > peak_limit)
    );
    Ok(())
}

fn name(model: &Path) -> String {
    let name = model.file_name().unwrap_or_default();
    name.display().to_string()
}

/// Finds the directories with a model in them.
fn collect(directory: &Path, models: &mut Vec<PathBuf>) -> Result<()> {
    if ["saved_model.pb", "saved_model.pbtxt"]
        .iter()
        .any(|file| directory.join(file).is_file())
    {
        models.push(directory.to_owned());
    }
    let mut children = fs::read_dir(directory)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    children.sort();
    for child in children.iter().filter(|child| child.is_dir()) {
        collect(child, models)?;
    }
    Ok(())
}
