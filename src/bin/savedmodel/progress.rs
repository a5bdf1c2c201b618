use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::decimal::binary_size;
use crate::terminal;

/// Says on standard error how far work has come, if that is a terminal and the work takes longer than
/// a second. When it is dropped the line is gone.
///
/// Any thread may tell it what is done.
pub(crate) struct Progress {
    count: Arc<Count>,
    /// The thread that writes, which ends when the other end of this is dropped.
    writer: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Bytes done, of how many.
#[derive(Default)]
struct Count {
    done: AtomicU64,
    total: AtomicU64,
}

/// Work below this is done before anyone wonders.
const PATIENCE: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(200);

impl Progress {
    /// Begins with work of so many bytes, 0 if that is not known yet; `what` is a word as `verifying`.
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        let count = Arc::new(Count::default());
        count.total.store(total, Ordering::Relaxed);
        let writer = terminal::shows_progress().then(|| {
            let (stop, stopped) = mpsc::channel::<()>();
            let count = count.clone();
            let write = move || {
                let start = Instant::now();
                let mut wait = PATIENCE;
                let mut is_shown = false;
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(wait) {
                    let line = count.line(what, start.elapsed());
                    let _ = write!(io::stderr(), "\r{line}\x1b[K");
                    (wait, is_shown) = (INTERVAL, true);
                }
                if is_shown {
                    let _ = write!(io::stderr(), "\r\x1b[K");
                }
            };
            Some((stop, thread::Builder::new().spawn(write).ok()?))
        });
        Progress {
            count,
            writer: writer.flatten(),
        }
    }

    /// Says that so many more bytes are done.
    pub(crate) fn add(&self, bytes: u64) {
        self.count.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says how many bytes are done, of how many.
    pub(crate) fn set(&self, done: u64, total: u64) {
        // Threads may come out of turn.
        self.count.done.fetch_max(done, Ordering::Relaxed);
        self.count.total.store(total, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, writer)) = self.writer.take() {
            drop(stop);
            let _ = writer.join();
        }
    }
}

impl Count {
    fn line(&self, what: &str, elapsed: Duration) -> String {
        let done = self.done.load(Ordering::Relaxed);
        let total = self.total.load(Ordering::Relaxed);
        if total == 0 {
            return format!("{what}: {} s", elapsed.as_secs());
        }
        let part = (done as f64 / total as f64).min(1.0);
        let mut line = format!(
            "{what}: {:.0} %, {} of {}",
            // It is not all done while the line is there.
            (part * 100.0).floor().min(99.0),
            binary_size(done.min(total)),
            binary_size(total)
        );
        // Before, a guess is worth nothing.
        const WORTH_A_GUESS: f64 = 0.02;
        if part > WORTH_A_GUESS {
            let left = elapsed.as_secs_f64() * (1.0 - part) / part;
            line += &format!(", {:.0} s left", left.ceil());
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_is_done_and_what_is_left() {
        let progress = Progress::new("verifying", 0);
        let line = |seconds| {
            progress
                .count
                .line("verifying", Duration::from_secs(seconds))
        };
        assert_eq!(line(3), "verifying: 3 s");
        progress.set(0, 4 << 20);
        assert_eq!(line(3), "verifying: 0 %, 0 bytes of 4.0 MiB");
        progress.add(1 << 20);
        assert_eq!(line(3), "verifying: 25 %, 1.0 MiB of 4.0 MiB, 9 s left");
        progress.set(4 << 20, 4 << 20);
        assert_eq!(line(4), "verifying: 99 %, 4.0 MiB of 4.0 MiB, 0 s left");
    }

    #[test]
    fn nobody_is_told_without_a_terminal() {
        assert!(Progress::new("verifying", 1).writer.is_none());
    }
}
