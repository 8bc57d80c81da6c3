//! Work on all cores whose results come in order.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::mpsc::sync_channel;
use std::thread;

/// How many results of a worker may wait: as little memory as keeps it busy.
const WAITING: usize = 8;

/// Does `work` with each item and hands the results to `take`, in order and one at a time, on the calling thread. Fewer than
/// `smallest` items are not worth a thread. The first error of `take` ends it.
pub(crate) fn in_order<I: Sync, R: Send, E>(
    items: &[I],
    smallest: usize,
    work: &(impl Fn(&I) -> R + Sync),
    mut take: impl FnMut(&I, R) -> Result<(), E>,
) -> Result<(), E> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let workers = cores.min(items.len() / smallest.max(1));
    if workers < 2 {
        return items.iter().try_for_each(|item| take(item, work(item)));
    }
    thread::scope(|scope| {
        let (mut results, mut threads) = (Vec::with_capacity(workers), Vec::with_capacity(workers));
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(WAITING);
            results.push(receiver);
            threads.push(scope.spawn(move || {
                // Whoever takes results has ended with an error if nobody does.
                let mut own = items.iter().skip(worker).step_by(workers);
                let _ = own.try_for_each(|item| sender.send(work(item)));
            }));
        }
        let mut taken = Ok(());
        for (item, receiver) in items.iter().zip(results.iter().cycle()) {
            // A worker that panicked is joined below.
            let Ok(result) = receiver.recv() else { break };
            taken = take(item, result);
            if taken.is_err() {
                break;
            }
        }
        drop(results);
        for thread in threads {
            // A worker that panicked takes this thread along: half a tree is no tree.
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        taken
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_until_one_is_refused() {
        let items: Vec<usize> = (0..1000).collect();
        let mut taken = Vec::new();
        let refused = in_order(&items, 16, &|item| item * 2, |item, result| {
            taken.push(result);
            if *item == 700 { Err("enough") } else { Ok(()) }
        });
        assert_eq!(refused, Err("enough"));
        assert_eq!(taken, (0..=700).map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn a_worker_that_panics_takes_everybody_along() {
        let items: Vec<usize> = (0..100).collect();
        let work = |item: &usize| assert!(*item != 50, "fifty");
        let run = || in_order(&items, 16, &work, |_, ()| Ok::<(), ()>(()));
        assert!(std::panic::catch_unwind(run).is_err());
    }
}
