use std::thread;

/// Below so many bytes a second thread would only cost its start.
const WORTH_A_THREAD: usize = 4 << 20;

/// Cuts items into shares of neighbours, each of a like number of bytes, and works on each on a thread
/// of its own; on this one alone if they are few. The answers come in the order of the items.
pub(super) fn on_threads<T: Sync, R: Send>(
    items: &[T],
    bytes: impl Fn(&T) -> usize,
    work: impl Fn(&[T]) -> R + Sync,
) -> Vec<R> {
    let size: usize = items.iter().map(&bytes).sum();
    let threads = match size < WORTH_A_THREAD {
        true => 1,
        false => thread::available_parallelism().map_or(1, usize::from),
    };
    let share = size / threads + 1;
    let mut shares = Vec::new();
    let (mut start, mut taken) = (0, 0);
    for (i, item) in items.iter().enumerate() {
        taken += bytes(item);
        if taken >= share {
            shares.push(&items[start..=i]);
            (start, taken) = (i + 1, 0);
        }
    }
    let last = &items[start..];
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = shares
            .into_iter()
            .map(|share| {
                let running = thread::Builder::new().spawn_scoped(scope, move || work(share));
                // Where the system refuses threads, this one does their work.
                running.map_err(|_| work(share))
            })
            .collect();
        let own = work(last);
        let mut answers: Vec<R> = others
            .into_iter()
            .map(|other| match other {
                Ok(running) => match running.join() {
                    Ok(answer) => answer,
                    Err(panic) => std::panic::resume_unwind(panic),
                },
                Err(answer) => answer,
            })
            .collect();
        answers.push(own);
        answers
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_in_order_and_of_everything() {
        let items: Vec<usize> = (0..1000).collect();
        for bytes in [0, 1, 1 << 20] {
            let answers = on_threads(&items, |_| bytes, |share| share.to_vec());
            assert_eq!(answers.concat(), items);
        }
        let one_is_large = |item: &usize| if *item == 3 { 1 << 30 } else { 1 };
        let answers = on_threads(&items, one_is_large, |share| share.to_vec());
        assert_eq!(answers.concat(), items);
        assert_eq!(on_threads(&[0; 0], |_| 1, |share| share.len()), [0]);
    }
}
