//! Our HTTP/1.1 against hyper's: both get the same bytes in the same pieces, as servers and as clients, and what comes out is
//! compared. Whatever we accept alone, or read otherwise, is a mistake of ours.
//!
//!     cargo test -p meshd-http --test differential                # the short form
//!     MESH_CASES=0..100000000 CARGO_PROFILE_RELEASE_LTO=off cargo test --release -p meshd-http --test differential -- --nocapture
//!
//! A case is one connection: two of three are clients' of a server with one to three requests, the others servers' with answers
//! to two requests; it is made of its number alone. The long form goes over a range of numbers on all cores, tells every ten
//! seconds how far it is (that is where to go on), and in the end how often there was which difference. What each of them is
//! about stands in runtime/http/README.md. A case that makes hyper panic is counted, and neither kept nor shown.

#![expect(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test ends at its first surprise, reads what it is asked for, and says how fast it was"
)]

mod cases;
mod clients;
mod compare;
#[path = "../common/dice.rs"]
mod dice;
mod servers;
mod stream;

use cases::Case;
use compare::{Difference, Run};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Cases that a worker takes at once.
const BATCH: u64 = 2_000;

/// What was found: how often, and the first case.
type Found = BTreeMap<(Side, Difference), (u64, u64)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Server,
    Client,
}

/// What becomes of a case on one side.
type Plays = fn(&Case) -> Run;

/// Ours and hyper's.
fn sides(case: &Case) -> (Side, Plays, Plays) {
    if case.is_server {
        (Side::Server, servers::ours, servers::hyper)
    } else {
        (Side::Client, clients::ours, clients::hyper)
    }
}

/// How a case differs; `None` if hyper does not survive it.
fn differs(case: &Case) -> Option<(Side, Difference)> {
    let (side, ours, theirs) = sides(case);
    let theirs = IN_HYPER.with(|within| {
        within.set(true);
        let theirs = catch_unwind(AssertUnwindSafe(|| theirs(case)));
        within.set(false);
        theirs.ok()
    })?;
    let run = ours(case);
    let difference = compare::compare(&run, &theirs, case.closes, case.is_early);
    // It must not become a message with what is missing.
    if difference == Difference::Later && ours(&case.with_end(run.complete())).complete() > run.complete() {
        return Some((side, Difference::Laxer("with its end")));
    }
    Some((side, difference))
}

thread_local! {
    /// Whether hyper is at work, whose panics are nobody's business.
    static IN_HYPER: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Goes over these cases; what was found, and how often hyper did not survive.
fn run(cases: Range<u64>, threads: usize) -> (Found, u64) {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !IN_HYPER.with(std::cell::Cell::get) {
            before(info);
        }
    }));
    let (next, panics, start) = (AtomicU64::new(cases.start), AtomicU64::new(0), Instant::now());
    let found = Mutex::new(Found::new());
    let told = Mutex::new(start);
    let worker = || {
        loop {
            let from = next.fetch_add(BATCH, Ordering::Relaxed);
            if from >= cases.end {
                return;
            }
            let mut own = Found::new();
            for number in from..(from + BATCH).min(cases.end) {
                match differs(&Case::new(number)) {
                    Some(found) => own.entry(found).or_insert((0, number)).0 += 1,
                    None => drop(panics.fetch_add(1, Ordering::Relaxed)),
                }
            }
            let mut found = found.lock().unwrap_or_else(|broken| broken.into_inner());
            for (difference, (count, first)) in own {
                found.entry(difference).or_insert((0, first)).0 += count;
            }
            let mut told = told.lock().unwrap_or_else(|broken| broken.into_inner());
            if told.elapsed() > Duration::from_secs(10) {
                *told = Instant::now();
                let done = from - cases.start;
                let rate = done as f64 / start.elapsed().as_secs_f64();
                println!("at case {from}, {rate:.0} cases each second, {} kinds", found.len());
            }
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    let _ = std::panic::take_hook();
    println!(
        "{} cases in {:.0} s on {threads} threads",
        cases.end - cases.start,
        start.elapsed().as_secs_f64()
    );
    (found.into_inner().unwrap_or_else(|broken| broken.into_inner()), panics.into_inner())
}

/// The cases that the environment asks for, or a few.
fn asked() -> Range<u64> {
    let Ok(text) = std::env::var("MESH_CASES") else { return 0..30_000 };
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.unwrap_or_else(|| panic!("MESH_CASES is a range, as 0..1000000"))
}

#[test]
fn nothing_is_accepted_that_hyper_refuses_and_nothing_read_otherwise() {
    if let Ok(number) = std::env::var("MESH_CASE") {
        let case = Case::new(number.parse().unwrap_or_else(|_| panic!("MESH_CASE is a number")));
        println!("{case:?}");
        let (_, ours, theirs) = sides(&case);
        println!("ours: {:#?}", ours(&case));
        println!("hyper: {:#?}", theirs(&case));
        return;
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (found, panics) = run(asked(), threads);
    for ((side, difference), (count, first)) in &found {
        println!("{count:>10}  {side:?} {difference:?}, first in case {first}");
    }
    println!("{panics:>10}  hyper panicked");
    let mistakes: Vec<_> = found.keys().filter(|(_, difference)| !difference.is_allowed()).collect();
    assert!(mistakes.is_empty(), "{mistakes:?}; MESH_CASE=number shows a case");
    assert!(found.len() > 10, "hardly anything differs: are the cases any good?");
}
