//! Random meshes, random requests and random failures: what becomes of each request is the same on both data planes.
//!
//!     cargo build --workspace --bins
//!     MESH_SEEDS=0..2000 cargo test --workspace --test differential -- --nocapture
//!
//! A seed is a mesh and 50 requests with failures between them. Each seed stands by itself, so a long run goes on at any of
//! them; it says which one it is at. What differs is made small, by leaving out what does not matter to it, and printed as a
//! mesh, the steps, and both outcomes.

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
mod text;
#[path = "../behaviours/vocabulary.rs"]
mod vocabulary;
mod wire;
mod words;

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use run::Verdict;

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
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new((Vec::new(), Vec::new(), 0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let case = run::Case::of(seed);
                    let verdict = run::compare(&case);
                    if let Verdict::Differs(difference) = &verdict {
                        println!("seed {seed} differs at step {:?}, and is made small", difference.step);
                        println!("envoy: {}\nmeshd: {}", difference.envoy, difference.meshd);
                    }
                    let report = match &verdict {
                        Verdict::Differs(difference) => Some(shrink::small(&case, difference).report(seed)),
                        Verdict::Refused(_) | Verdict::Same { .. } => None,
                    };
                    let mut found = found.lock().expect("no comparison panics");
                    match verdict {
                        Verdict::Differs(_) => found.0.extend(report),
                        Verdict::Refused(why) => found.1.push(format!("seed {seed}: {why}")),
                        Verdict::Same { fleeting } => found.2 += fleeting,
                    }
                    println!(
                        "seed {seed}: {} differ, {} refused, {} settled later",
                        found.0.len(),
                        found.1.len(),
                        found.2
                    );
                }
            });
        }
    });
    let (differences, refused, _) = found.into_inner().expect("no comparison panics");
    let count = seeds.end - seeds.start;
    assert!(differences.is_empty(), "{} of {count} differ\n\n{}", differences.len(), differences.join("\n"));
    // What the generator makes and the compiler refuses compares nothing.
    few(&refused, count);
}

/// Of the generated meshes, nearly all are meshes.
fn few(refused: &[String], count: u64) {
    let share = format!("{} of {count} are no meshes:\n{}", refused.len(), refused.join("\n"));
    assert!(refused.len() as u64 * 10 <= count, "{share}");
}

#[test]
fn what_is_generated_is_a_mesh() {
    let refused: Vec<String> = (1000..1100)
        .filter_map(|seed| run::refused(&run::Case::of(seed).mesh).map(|why| format!("seed {seed}: {why}")))
        .collect();
    few(&refused, 100);
}
