//! What is measured, and what was promised.

use crate::harness::compare::Clock;
use crate::harness::peer::Peer;

/// Everything that is compared with one command of the peer.
pub(crate) struct Group {
    pub(crate) name: &'static str,
    /// The data: a case of the peer's generator.
    pub(crate) case: char,
    pub(crate) peer: Peer,
    pub(crate) command: &'static str,
    /// What follows the prefix in the commands of both sides.
    pub(crate) arguments: &'static str,
    pub(crate) rows: &'static [Row],
}

pub(crate) struct Row {
    /// A command of `side`.
    pub(crate) command: &'static str,
    /// 0 leaves it to the library.
    pub(crate) threads: usize,
    /// How many times as fast as the peer it has to be; 0 where nothing was promised.
    pub(crate) bar: f64,
    /// In MiB over the start.
    pub(crate) peak: Option<f64>,
}

impl Row {
    pub(crate) fn clock(&self) -> Clock {
        match self.threads {
            1 => Clock::Cpu,
            _ => Clock::Wall,
        }
    }
}

const fn row(command: &'static str, bar: f64) -> Row {
    Row {
        command,
        threads: 1,
        bar,
        peak: None,
    }
}

const fn all_threads(command: &'static str) -> Row {
    Row {
        command,
        threads: 0,
        bar: 0.0,
        peak: None,
    }
}

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "restore 16 x 64 MiB",
        case: 'a',
        peer: Peer::Plain,
        command: "read",
        arguments: "",
        rows: &[
            row("read", 4.5),
            Row {
                peak: Some(8.0),
                ..row("into", 6.0)
            },
            row("view", 8.0),
            all_threads("read"),
            all_threads("into"),
            all_threads("view"),
        ],
    },
    Group {
        name: "restore 16 x 64 MiB, peer's memory pooled",
        case: 'a',
        peer: Peer::Pooled,
        command: "read",
        arguments: "",
        rows: &[row("read", 0.0), row("into", 0.0), row("view", 0.0)],
    },
    Group {
        name: "restore 100,000 x 1 KiB",
        case: 'b',
        peer: Peer::Plain,
        command: "read",
        arguments: "",
        rows: &[row("all", 3.0), row("read", 1.25), row("view", 0.0)],
    },
    Group {
        name: "restore 1,000,000 x 8 B",
        case: 'c',
        peer: Peer::Plain,
        command: "read",
        arguments: "",
        rows: &[row("all", 2.5), row("read", 0.0), row("view", 2.5)],
    },
    Group {
        name: "restore 1,000,000 strings",
        case: 'd',
        peer: Peer::Plain,
        command: "read",
        arguments: "",
        rows: &[row("view", 4.0), row("read", 0.0)],
    },
    Group {
        name: "list 1,000,000 entries",
        case: 'c',
        peer: Peer::Plain,
        command: "list",
        arguments: "",
        rows: &[row("walk", 3.0), row("listing", 0.8), row("entries", 0.0)],
    },
    Group {
        name: "look up 1,000 of 1,000,000",
        case: 'c',
        peer: Peer::Plain,
        command: "lookup",
        arguments: "1000 1000000",
        rows: &[row("lookup", 8.0)],
    },
    Group {
        name: "look up 100,000 of 1,000,000, peer with block cache",
        case: 'c',
        peer: Peer::BlockCache,
        command: "lookup",
        arguments: "100000 1000000",
        rows: &[row("lookup", 8.0)],
    },
];
