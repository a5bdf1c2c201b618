//! What is measured, and what was promised.

use crate::harness::compare::{Clock, Line};

/// Which of TensorFlow's parsers reads the model.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parser {
    /// `ReadSavedModel`.
    Cpp,
    /// `SavedModel.FromString`, which is upb behind Python.
    Python,
}

/// Everything that is compared with one of TensorFlow's parsers on one model.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    /// A model of `make_models.py`.
    pub(crate) model: &'static str,
    pub(crate) parser: Parser,
    /// The peer's command.
    pub(crate) command: &'static str,
    pub(crate) rows: &'static [Row],
}

pub(crate) struct Row {
    /// A command of `side`.
    pub(crate) command: &'static str,
    /// How many times as fast as the peer it has to be; 0 where nothing was promised.
    pub(crate) bar: f64,
    /// In MiB over the start.
    pub(crate) peak: Option<f64>,
}

impl Row {
    pub(crate) fn line(&self) -> Line {
        Line {
            name: format!("{}, 1 thread", self.command),
            clock: Clock::Cpu,
            bar: self.bar,
            peak: self.peak,
        }
    }
}

const fn row(command: &'static str, bar: f64) -> Row {
    Row {
        command,
        bar,
        peak: None,
    }
}

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "524 MB of constants",
        model: "constants",
        parser: Parser::Cpp,
        command: "pb",
        rows: &[
            Row {
                peak: Some(8.0),
                ..row("open", 500.0)
            },
            row("ops", 0.0),
            row("decode", 0.0),
        ],
    },
    Group {
        name: "46 MB, beside Python",
        model: "repeated",
        parser: Parser::Python,
        command: "pb",
        rows: &[
            row("open", 0.0),
            Row {
                peak: Some(80.0),
                ..row("ops", 6.0)
            },
        ],
    },
    Group {
        name: "46 MB, beside C++",
        model: "repeated",
        parser: Parser::Cpp,
        command: "pb",
        rows: &[row("ops", 0.0), row("decode", 0.9)],
    },
    Group {
        name: "46 MB, fingerprint",
        model: "repeated",
        parser: Parser::Python,
        command: "fingerprint",
        rows: &[row("fingerprint", 2.0)],
    },
    Group {
        name: "text of ResNet50 read",
        model: "resnet50",
        parser: Parser::Python,
        command: "parse",
        rows: &[row("parse", 10.0)],
    },
    Group {
        name: "text of EfficientNetB7 printed",
        model: "efficientnetb7",
        parser: Parser::Python,
        command: "print",
        rows: &[row("print", 1.0)],
    },
];

/// A model shown by the stock tool and by this one, whole processes.
pub(crate) struct Show {
    pub(crate) model: &'static str,
    pub(crate) bar: f64,
}

pub(crate) const SHOWN: &[Show] = &[
    Show {
        model: "resnet50",
        bar: 150.0,
    },
    Show {
        model: "efficientnetb7",
        bar: 150.0,
    },
    Show {
        model: "constants",
        bar: 1000.0,
    },
];

/// Models shown at a glance, with seconds on the clock and MiB of the whole process; the file counts,
/// for it is mapped.
pub(crate) const OVERVIEWS: &[(&str, (f64, f64))] = &[
    ("repeated", (0.05, 128.0)),
    ("constants", (0.05, 64.0)),
    ("functions", (0.05, 160.0)),
    ("nodes", (0.05, 192.0)),
];

/// Models whose ops are counted, with the same limits.
pub(crate) const CENSUSES: &[(&str, (f64, f64))] = &[
    ("repeated", (0.05, 128.0)),
    ("functions", (0.05, 160.0)),
    ("nodes", (0.05, 160.0)),
];

/// Models whose functions are listed, with the same limits.
pub(crate) const LIBRARIES: &[(&str, (f64, f64))] = &[("functions", (0.1, 256.0))];

/// Models that are summed up by whole processes, beside Python's parser in one that is warm.
pub(crate) const SUMMED_UP: &[&str] = &["functions", "nodes"];

/// What no model's `show --all` may take, in MiB of the whole process.
pub(crate) const SHOW_PEAK: f64 = 64.0;
/// What none of the small models of the tests may take: seconds on the clock and MiB, of 10 MB.
pub(crate) const FIXTURE_LIMITS: (f64, f64) = (0.015, 10e6 / (1 << 20) as f64);
/// What is done with each of them that it can be done with.
pub(crate) const SMALL: &[&[&str]] = &[
    &["compat", "show", "--all", "--dir", "MODEL"],
    &["compat", "scan", "--dir", "MODEL"],
    &["overview", "MODEL"],
    &["overview", "MODEL", "--json"],
    &["variables", "MODEL"],
    &["variables", "MODEL", "--values"],
    &["variables", "MODEL", "--stats"],
    &["variables", "MODEL", "--verify"],
    &["variables", "MODEL", "--json"],
    &["variables", "MODEL", "--extract", "OUT"],
    &["show", "MODEL"],
    &["show", "MODEL", "--all"],
    &["show", "MODEL", "--json"],
    &["ops", "MODEL"],
    &["ops", "MODEL", "--json"],
    &["objects", "MODEL"],
    &["objects", "MODEL", "--json"],
    &["functions", "MODEL"],
    &["functions", "MODEL", "--json"],
    &["signature", "MODEL"],
    &["signature", "MODEL", "--json"],
    &["fingerprint", "MODEL"],
    &["fingerprint", "MODEL", "--compute"],
    &["fingerprint", "MODEL", "--verify"],
    &["scan", "MODEL"],
    &["scan", "MODEL", "--json"],
    &["scan", "MODEL", "--sarif"],
    &["convert", "MODEL", "OUT", "--to", "pbtxt"],
    &["convert", "MODEL", "OUT", "--to", "cpb"],
    &["convert", "MODEL", "OUT", "--to", "npz"],
    &["convert", "MODEL", "OUT", "--to", "safetensors"],
    &["convert", "MODEL", "OUT", "--to", "bundle"],
];
/// Where the models of the tests lie.
pub(crate) const FIXTURES: [&str; 2] = ["tests/fixtures", "tests/cli-goldens/models"];
