use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::text::{Escaped, width};

/// A line on the terminal that says how far something is, once it takes longer than a moment.
///
/// It is on standard error, and only where that is a terminal.
pub(crate) struct Progress {
    /// When the line is to be written next; `None` where nobody looks.
    next: Option<Instant>,
    /// How many columns are written.
    shown: usize,
}

const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);
/// A line that wraps could not be taken back.
const COLUMNS: usize = 78;

impl Progress {
    pub(crate) fn new() -> Self {
        Progress {
            next: io::stderr()
                .is_terminal()
                .then(|| Instant::now() + PATIENCE),
            shown: 0,
        }
    }

    /// Shows how many bytes of how many are done, and what was done last.
    pub(crate) fn show(&mut self, done: u64, total: u64, last: &[u8]) {
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.next = Some(now + PAUSE);
        let line = line(done, total, last);
        let columns = width(&line);
        let blank = self.shown.saturating_sub(columns);
        let _ = write!(io::stderr(), "\r{line}{:blank$}", "");
        self.shown = columns;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown > 0 {
            let _ = write!(io::stderr(), "\r{:1$}\r", "", self.shown);
        }
    }
}

fn line(done: u64, total: u64, last: &[u8]) -> String {
    let percent = match total {
        0 => 100,
        total => u128::from(done) * 100 / u128::from(total),
    };
    let text = format!(
        "{percent:3} % of {} MB  {}",
        total.div_ceil(1_000_000),
        Escaped(last)
    );
    let mut columns = 0;
    let fits = |c: &char| {
        columns += width(c.encode_utf8(&mut [0; 4]));
        columns <= COLUMNS
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_no_longer_than_a_line() {
        assert_eq!(line(1, 3, b"a\n"), " 33 % of 1 MB  a\\n");
        assert_eq!(line(0, 0, b""), "100 % of 0 MB  ");
        let long = line(5_000_000, 10_000_000, "模型".repeat(90).as_bytes());
        assert!(width(&long) <= COLUMNS && long.starts_with(" 50 % of 10 MB  模型"));
    }
}
