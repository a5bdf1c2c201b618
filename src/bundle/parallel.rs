//! Work on several threads, where there is enough of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Does jobs 0 to `jobs - 1`, each once, on up to `threads` threads, this one among them.
///
/// Where the system refuses further threads, those that there are do all the work.
pub(crate) fn for_each(jobs: usize, threads: usize, work: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    let run = || {
        loop {
            let job = next.fetch_add(1, Ordering::Relaxed);
            if job >= jobs {
                break;
            }
            work(job);
        }
    };
    if threads <= 1 || jobs <= 1 {
        return run();
    }
    thread::scope(|scope| {
        for _ in 1..threads.min(jobs) {
            if thread::Builder::new().spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once() {
        for (jobs, threads) in [(0, 4), (1, 4), (100, 1), (100, 3), (3, 100)] {
            let done: Vec<AtomicUsize> = (0..jobs).map(|_| AtomicUsize::new(0)).collect();
            for_each(jobs, threads, |job| {
                done[job].fetch_add(1, Ordering::Relaxed);
            });
            assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }
}
