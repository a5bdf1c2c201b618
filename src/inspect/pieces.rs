use std::sync::mpsc::{self, Receiver, TrySendError};
use std::sync::{Mutex, PoisonError};
use std::{panic, thread};

use crate::error::{Error, Result};

/// Below so many bytes a second thread would only cost its start.
const WORTH_A_THREAD: usize = 4 << 20;
/// So many pieces wait for a thread. With more, the caches would have lost a piece that was just
/// found before somebody works on it.
const WAITING: usize = 2;

/// Finds pieces of `bytes` bytes in all, and works on them meanwhile, on all processors if they are
/// many.
///
/// `find` runs on this thread and gives out each piece, for which a thread that waits is found, or
/// else this one works on it. Each thread has a state of its own, which `start` makes and `work` adds
/// to; which pieces come to which is left to chance. Returns what `find` did, and the states.
///
/// # Errors
///
/// That of `find`, or else that of the first piece with one.
pub(super) fn on_threads<T: Send, S: Send, F>(
    bytes: usize,
    find: impl FnOnce(&mut dyn FnMut(T)) -> Result<F>,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> Result<()> + Sync,
) -> Result<(F, Vec<S>)> {
    let helpers = match bytes < WORTH_A_THREAD {
        true => 0,
        false => thread::available_parallelism().map_or(0, |all| all.get() - 1),
    };
    let (sender, receiver) = mpsc::sync_channel(WAITING * helpers);
    let receiver = Mutex::new(receiver);
    let worker = || Worker {
        state: start(),
        fault: None,
        work: &work,
    };
    thread::scope(|scope| {
        let help = || {
            let mut worker = worker();
            worker.take_all(&receiver);
            worker
        };
        // Where the system refuses threads, this one does their work.
        let helpers: Vec<_> = (0..helpers)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, help).ok())
            .collect();
        let mut own = worker();
        let mut count = 0;
        let found = find(&mut |piece| {
            count += 1;
            if let Err(TrySendError::Full(piece) | TrySendError::Disconnected(piece)) =
                sender.try_send((count, piece))
            {
                own.take(piece);
            }
        });
        drop(sender);
        own.take_all(&receiver);
        let mut workers = vec![own];
        for helper in helpers {
            workers.push(helper.join().unwrap_or_else(|it| panic::resume_unwind(it)));
        }
        let found = found?;
        let faults = workers.iter_mut().filter_map(|worker| worker.fault.take());
        match faults.min_by_key(|(place, _)| *place) {
            Some((_, error)) => Err(error),
            None => Ok((found, workers.into_iter().map(|it| it.state).collect())),
        }
    })
}

struct Worker<'w, S, W> {
    state: S,
    /// The first error by place.
    fault: Option<(usize, Error)>,
    work: &'w W,
}

impl<S, W> Worker<'_, S, W> {
    fn take<T>(&mut self, (place, piece): (usize, T))
    where
        W: Fn(&mut S, T) -> Result<()>,
    {
        if let Err(error) = (self.work)(&mut self.state, piece)
            && self.fault.as_ref().is_none_or(|(first, _)| place < *first)
        {
            self.fault = Some((place, error));
        }
    }

    fn take_all<T>(&mut self, pieces: &Mutex<Receiver<(usize, T)>>)
    where
        W: Fn(&mut S, T) -> Result<()>,
    {
        let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).recv();
        while let Ok(piece) = next() {
            self.take(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(bytes: usize, fault: impl Fn(usize) -> bool + Sync) -> Result<Vec<usize>> {
        let find = |give: &mut dyn FnMut(usize)| {
            (0..1000).for_each(give);
            Ok("found")
        };
        let work = |state: &mut Vec<usize>, piece| {
            state.push(piece);
            match fault(piece) {
                true => Err(Error::malformed(format!("fault {piece}"))),
                false => Ok(()),
            }
        };
        let (found, states) = on_threads(bytes, find, Vec::new, work)?;
        assert_eq!(found, "found");
        let mut all = states.concat();
        all.sort_unstable();
        Ok(all)
    }

    #[test]
    fn every_piece_is_worked_on_once() {
        for bytes in [0, 1 << 30] {
            assert!(count(bytes, |_| false).unwrap().into_iter().eq(0..1000));
        }
    }

    #[test]
    fn the_first_fault_is_told_whichever_thread_meets_it() {
        for bytes in [0, 1 << 30] {
            let error = count(bytes, |piece| piece % 100 == 17).unwrap_err();
            assert!(error.to_string().contains("fault 17"), "{error}");
        }
        let cut = |give: &mut dyn FnMut(usize)| {
            give(1);
            Err::<(), _>(Error::malformed("cut"))
        };
        let fault = |_: &mut (), _| Err(Error::malformed("a piece"));
        let error = on_threads(0, cut, || (), fault).unwrap_err();
        assert!(error.to_string().contains("cut"), "{error}");
    }
}
