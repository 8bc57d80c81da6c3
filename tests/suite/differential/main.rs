//! Random meshes, random requests and random failures: what becomes of each request is the same on both data planes.
//!
//!     cargo build --workspace --bins
//!     MESH_SEEDS=0..2000 cargo test --workspace --test differential -- --nocapture
//!
//! A seed is a mesh and 50 requests with failures between them. Each seed stands by itself, so a long run goes on at any of
//! them (`MESH_SEEDS=800..2000`); it says which one it is at, and what it has found so far. What differs, and differs again when
//! the same case is run from its start, is printed as a mesh, the steps, and both outcomes. In a run of at most 40 seeds it is
//! made small before that, by leaving out what does not matter to it, which takes minutes; after a longer run, that of the
//! seed alone does it.

mod clusters;
mod conversations;
mod filters;
mod limits;
mod matches;
mod meshes;
mod outcome;
mod outside;
mod policies;
mod reach;
mod requests;
mod routes;
mod run;
mod services;
mod shrink;
mod tally;
mod text;
#[path = "../behaviours/vocabulary.rs"]
mod vocabulary;
mod wire;
mod words;

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use run::Verdict;
use tally::{End, Tally};

/// How many meshes are compared unless `MESH_SEEDS` says which.
const FEW: u64 = 40;

/// How many are under way at once: each mostly waits for its proxies to start.
const AT_ONCE: usize = 2;

fn seeds() -> Range<u64> {
    let Ok(range) = std::env::var("MESH_SEEDS") else { return 0..FEW };
    let ends = range.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    ends.unwrap_or_else(|| panic!("MESH_SEEDS is like 0..2000, not {range}"))
}

#[test]
fn random_meshes_mean_the_same_on_both_data_planes() {
    let seeds = seeds();
    let makes_small = seeds.end.saturating_sub(seeds.start) <= FEW;
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let end = of_seed(seed, makes_small);
                    tally.lock().expect("no comparison panics").add(seed, end);
                }
            });
        }
    });
    tally.into_inner().expect("no comparison panics").judge();
}

/// Compares the case of a seed. A difference counts if it is there again when the same case is run from its start.
fn of_seed(seed: u64, makes_small: bool) -> End {
    let case = run::Case::of(seed);
    let first = match run::compare(&case) {
        Verdict::Same { fleeting } => return End::Alike { settled: fleeting },
        Verdict::Refused(why) => return End::Refused(why),
        Verdict::Differs(difference) => difference,
    };
    println!("seed {seed} differs at step {:?}, and is run again", first.step);
    println!("{}", shrink::whole(&case, &first).report(seed));
    match run::compare(&case) {
        Verdict::Differs(again) => {
            let found = if makes_small { shrink::small(&case, &again) } else { shrink::whole(&case, &again) };
            End::Differs(found.report(seed))
        }
        Verdict::Same { .. } | Verdict::Refused(_) => {
            let step = first.step.and_then(|step| case.steps.get(step));
            let step = step.map_or_else(|| String::from("the start"), ToString::to_string);
            End::Unsteady(format!("{step}\nenvoy: {}\nmeshd: {}", first.envoy, first.meshd))
        }
    }
}

#[test]
fn what_is_generated_is_a_mesh() {
    let refused: Vec<String> = (1000..1100)
        .filter_map(|seed| run::refused(&run::Case::of(seed).mesh).map(|why| format!("seed {seed}: {why}")))
        .collect();
    tally::nearly_all_are_meshes(&refused, 100);
}
