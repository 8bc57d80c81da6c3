//! A soak: three proxies in a row under mixed load, while their configurations change every few seconds and origins fail at
//! random. Every request is accounted for, and at the end nothing is left of all that. `MESH_SOAK_SECONDS` is how long it
//! lasts, `MESH_SOAK_RATE` how many requests a second are made at most, `MESH_SOAK_SEED` repeats the dice.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a soak ends at its first surprise, writes configurations, and watches the clock"
)]

#[path = "../../../proxy/tests/stories/support/any_server.rs"]
mod any_server;
#[path = "../../../proxy/tests/stories/support/certificates.rs"]
#[expect(dead_code, reason = "the stories need more of it")]
mod certificates;
mod clients;
#[path = "../../../http/tests/common/dice.rs"]
mod dice;
mod frames;
mod ledger;
mod origins;
mod proxies;
mod tls;
mod trouble;
mod wire;

use certificates::Authority;
use clients::Shared;
use dice::Dice;
use ledger::{Ledger, Place};
use origins::Origin;
use proxies::{Knobs, NAMES, Places, Proxies, Reader, Used, WORKERS, address};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often a request that may be retried may be executed: once, and twice more by the callee's sidecar.
const ATTEMPTS: u32 = 3;

/// How much more may be in use in the last quarter than in the second one. Memory that is never given back would be used
/// in every quarter anew; load by dice differs by less, since medians are compared.
const FLAT_PERCENT: u64 = 115;
const FLAT_KIB: u64 = 4 << 10;

/// How much more of the heap may be in use at rest than there was at rest before: what is kept once and for all, such as
/// counters of combinations that had not come yet and sessions of TLS.
const REST_BYTES: u64 = 3 << 20;

/// How many ends of pipes a proxy may keep: two of each of 32 that a worker may have, and those of its output and of
/// signals.
const PIPES: usize = WORKERS * 32 * 2 + 8;

/// How long it may take until all is at rest.
const REST: Duration = Duration::from_secs(40);

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// Waits until nothing is under way: what they use does not fall any more, for longer than unused connections are kept. It
/// is waited for as long as more is left than there was `before`.
async fn rest(reader: &Reader, before: Option<[Used; 3]>) -> [Used; 3] {
    let mut last = reader.used().await;
    let (mut since, begun) = (Instant::now(), Instant::now());
    while begun.elapsed() < REST {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = reader.used().await;
        if now.iter().zip(&last).any(|(now, last)| now.descriptors < last.descriptors) {
            since = Instant::now();
        }
        last = now;
        let less = |(now, before): (&Used, &Used)| {
            now.descriptors <= before.descriptors && now.connections <= before.connections
        };
        let enough = before.is_none_or(|before| now.iter().zip(&before).all(less));
        if enough && (before.is_some() || since.elapsed() > Duration::from_millis(2_500)) {
            break;
        }
    }
    println!("at rest after {:.1?}", begun.elapsed());
    last
}

/// The medians of what each used.
fn medians(samples: &[[Used; 3]]) -> [Used; 3] {
    let median = |proxy: usize, of: &dyn Fn(&Used) -> u64| {
        let mut all: Vec<u64> = samples.iter().map(|sample| of(&sample[proxy])).collect();
        all.sort_unstable();
        all[all.len() / 2]
    };
    [0, 1, 2].map(|proxy| Used {
        resident: median(proxy, &|used| used.resident),
        heap: median(proxy, &|used| used.heap),
        descriptors: usize::try_from(median(proxy, &|used| used.descriptors as u64)).unwrap(),
        pipes: usize::try_from(median(proxy, &|used| used.pipes as u64)).unwrap(),
        connections: median(proxy, &|used| used.connections),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_beyond_what_fails_and_nothing_is_left_of_it() {
    let (seconds, rate, seed) =
        (number("MESH_SOAK_SECONDS", 8), number("MESH_SOAK_RATE", 100), number("MESH_SOAK_SEED", 1));
    let ledger = Arc::new(Ledger::new());
    let places = Places {
        http: address(),
        extra: address(),
        tcp: address(),
        gateways: [address(), address()],
        inbound: address(),
        metrics: [address(), address(), address()],
    };
    let mut origins = Vec::new();
    // Three, of which two are used at least, so that one that refuses connections is never the only one.
    let three = |place| [place; 3];
    for place in [three(Place::One), three(Place::Two), three(Place::Bytes)].concat() {
        origins.push(Origin::start(place, address(), &ledger).await);
    }
    let at = |range: std::ops::Range<usize>| origins[range].iter().map(|origin| origin.address).collect();
    let knobs = Knobs {
        extra: true,
        gateways: places.gateways.to_vec(),
        ones: at(0..3),
        twos: at(3..6),
        bytes: at(6..9),
        turn: 0,
    };
    let root = Authority::new("root");
    let shared = |faults: bool| {
        Arc::new(Shared {
            ledger: Arc::clone(&ledger),
            http: places.http,
            extra: places.extra,
            tcp: places.tcp,
            gateway: places.gateways[0],
            inbound: places.inbound,
            leaf: root.issue(&tls::spiffe("client")),
            pause: Duration::from_secs(1) * clients::CLIENTS / u32::try_from(rate.max(1)).unwrap(),
            extra_is_open: AtomicBool::new(true),
            faults: AtomicBool::new(faults),
            stop: AtomicBool::new(false),
        })
    };
    let (warm, load) = (shared(false), shared(true));
    let mut proxies = Proxies::start(places, root, &knobs, &ledger);
    let reader = proxies.reader();

    // Everything once, without failures, so that all is there that stays.
    let mut running = clients::start(&warm, seed, 100);
    tokio::time::sleep(Duration::from_secs((seconds / 10).clamp(3, 30))).await;
    warm.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    let before = rest(&reader, None).await;

    let began = Instant::now();
    let until = began + Duration::from_secs(seconds);
    let mut running = clients::start(&load, seed, 200);
    let fails = tokio::spawn(trouble::failures(Arc::clone(&load), origins, until, Dice::new(seed ^ 0xfa11)));
    let mut samples = Vec::new();
    {
        let mut dice = Dice::new(seed ^ 0x1e10);
        let sampling = async {
            while Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(250)).await;
                samples.push(reader.used().await);
            }
        };
        let reloading = trouble::reloads(&load, &mut proxies, &places, knobs, until, &mut dice);
        tokio::join!(sampling, reloading);
    }
    let _origins = fails.await.unwrap();
    load.stop.store(true, Ordering::SeqCst);
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
    let after = rest(&reader, Some(before)).await;
    let quarter =
        |number: usize| medians(&samples[samples.len() * (number - 1) / 4..samples.len() * number / 4]);
    let (second, last) = (quarter(2), quarter(4));
    let stopped = proxies.stop();

    let answered = ledger.counted(": answered");
    let reloads = ledger.counted("reload of");
    let (mut wrong, counts) = ledger.close(ATTEMPTS);
    for (what, count) in &counts {
        println!("{count:8} {what}");
    }
    for (proxy, name) in NAMES.iter().enumerate() {
        let [before, second, last, after] = [before, second, last, after].map(|used| used[proxy]);
        println!("{name}: at rest {before:?}, second quarter {second:?}, last {last:?}, at rest {after:?}");
        let mut flat = |what: &str, is: bool| {
            if !is {
                wrong.push(format!("{name}: {what}"));
            }
        };
        flat("descriptors are left", after.descriptors <= before.descriptors);
        flat("there are too many pipes", after.pipes <= PIPES);
        flat("connections are left", after.connections <= before.connections);
        flat("heap is left", after.heap <= before.heap + REST_BYTES);
        let most = |used: u64, more: u64| used * FLAT_PERCENT / 100 + more;
        flat("resident memory grows", last.resident <= most(second.resident, FLAT_KIB));
        flat("the heap grows", last.heap <= most(second.heap, FLAT_KIB << 10));
        flat("it did not end with success", stopped[proxy]);
    }
    println!(
        "{answered} answered, {reloads} reloads, seed {seed}, {seconds} seconds, {rate} a second at most"
    );
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    assert!(answered > seconds && reloads > 0, "{answered} answers and {reloads} reloads are no load");
}
