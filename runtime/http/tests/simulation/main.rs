//! Our drivers against each other in simulated worlds: by seed, clients and servers do what they like over connections that are
//! slow, narrow and break off. Whatever happens, no request is lost without its client hearing of it, seen twice or answered
//! twice; an answer belongs to its request; bodies are what was sent, byte for byte, and never look complete when they are cut;
//! what a driver holds is bounded; a connection that is said to be ready carries the next request; and everything comes to an end.
//!
//!     cargo test -p meshd-http --test simulation
//!     MESH_SEEDS=0..100000 CARGO_PROFILE_RELEASE_LTO=off cargo test --release -p meshd-http --test simulation -- --nocapture

#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test ends at its first surprise, reads what it is asked for, and says how fast it was"
)]

mod ahead;
#[path = "../common/dice.rs"]
mod dice;
mod pipe;
mod plan;
mod world;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use world::World;

/// How many exchanges each client has.
const EACH: u64 = 6;

/// Longer than any plan takes, in simulated time.
const LONGEST: Duration = Duration::from_secs(1_000_000);

/// One world; how many connections there were.
fn simulate(seed: u64) -> usize {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    let world = World::new(seed);
    let clients = 1 + seed % 3;
    let all = async {
        let tasks: Vec<_> = (0..clients)
            .map(|client| {
                let numbers = client * EACH..(client + 1) * EACH;
                let world = Rc::clone(&world);
                if (seed / 3).is_multiple_of(4) {
                    tokio::task::spawn_local(ahead::client(world, numbers))
                } else {
                    tokio::task::spawn_local(world::client(world, numbers))
                }
            })
            .collect();
        for task in tasks {
            if let Err(error) = task.await {
                std::panic::resume_unwind(error.into_panic());
            }
        }
        world.judge().await;
    };
    let in_time = local.block_on(&runtime, async { tokio::time::timeout(LONGEST, all).await });
    assert!(in_time.is_ok(), "somebody waits for ever");
    world.connections.get()
}

/// The seeds that the environment asks for, or a few.
fn asked() -> Range<u64> {
    let Ok(text) = std::env::var("MESH_SEEDS") else { return 0..256 };
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.unwrap_or_else(|| panic!("MESH_SEEDS is a range, as 0..100000"))
}

#[test]
fn worlds_end_well() {
    let (seeds, start) = (asked(), Instant::now());
    let (next, connections) = (AtomicU64::new(seeds.start), AtomicUsize::new(0));
    let broken = Mutex::new(Vec::new());
    let worker = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return;
            }
            if seed > seeds.start && seed.is_multiple_of(10_000) {
                println!("at seed {seed} after {:.0} s", start.elapsed().as_secs_f64());
            }
            match catch_unwind(AssertUnwindSafe(|| simulate(seed))) {
                Ok(opened) => drop(connections.fetch_add(opened, Ordering::Relaxed)),
                Err(_) => {
                    println!("seed {seed} ends badly");
                    broken.lock().unwrap_or_else(|broken| broken.into_inner()).push(seed);
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    let connections = connections.into_inner();
    println!(
        "{} worlds, {connections} connections, {:.0} s",
        seeds.end - seeds.start,
        start.elapsed().as_secs_f64()
    );
    let broken = broken.into_inner().unwrap_or_else(|broken| broken.into_inner());
    assert!(broken.is_empty(), "seeds {broken:?}; MESH_SEEDS=n..n+1 repeats one");
    assert!(connections as u64 >= seeds.end - seeds.start, "nobody met");
}
