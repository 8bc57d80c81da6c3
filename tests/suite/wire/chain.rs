//! The same cases through meshd, Envoy and another meshd in a row, with honest clients beside them on the same connections between
//! the proxies. If two of the three ever read a message differently, what is left of it would stand before somebody else's
//! request: an honest client would get no answer, or another's, or the server would see what no client has said.

use super::{ATTEMPTS, BATCH, CONNECTIONS, Outcome, Side, asked, bytes, origin, proxy, send};
use crate::origin::Log;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// One honest client for so many cases.
const HONEST: u64 = 16;

/// How many requests it sends.
const REQUESTS: u64 = 4;

/// How long it waits: whoever is honest is never too slow for this test.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an honest client sends on one connection, one request after the other. Its marks are no case's.
async fn honest(number: u64, address: SocketAddr) -> Result<(), String> {
    for at in 0..REQUESTS {
        let mark = u64::MAX / 2 + number * REQUESTS + at;
        let head =
            format!("GET /honest/{mark} HTTP/1.1\r\nhost: a.test\r\nx-case: {mark}\r\nx-end: {mark}\r\n\r\n");
        let answers = send(head.as_bytes(), &[], address, PATIENCE).await;
        let text = String::from_utf8_lossy(&answers);
        let is_whole = text.starts_with("HTTP/1.1 200 ") && text.contains(&format!("x-end: {mark}\r\n"));
        if !is_whole || text.matches("HTTP/1.").count() != 1 {
            return Err(text.into_owned());
        }
    }
    Ok(())
}

/// Whether each of these comes in `all`, in this order.
fn is_part(some: &[String], all: &[String]) -> bool {
    let mut all = all.iter();
    some.iter().all(|one| all.any(|other| other == one))
}

/// Whether what came through three proxies is no more than what came through one.
fn is_in_step(number: u64, attempt: u64, three: &Outcome, one: &Outcome) -> bool {
    let slashes = bytes(number, attempt).input.windows(4).any(|part| part == b" // ");
    is_part(&three.seen, &one.seen) || slashes
}

/// What came without a mark that is a case's.
fn unmarked(log: &Log) -> BTreeSet<String> {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.remove(&u64::MAX).into_iter().flatten().collect()
}

#[test]
fn three_proxies_in_a_row_stay_in_step() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).expect("a folder");
        let (one_log, three_log) = (Log::default(), Log::default());
        let places = || Arc::new(Semaphore::new(CONNECTIONS));
        let origin = origin::start(three_log.clone()).await;
        let last = proxy::meshd(origin, &inner);
        let side = |proxy: proxy::Proxy, log: &Log| Side {
            proxy: proxy.into(),
            log: log.clone(),
            places: places(),
        };
        let one = side(proxy::meshd(origin::start(one_log.clone()).await, folder.path()), &one_log);
        let in_front = folder.path().join("in_front");
        std::fs::create_dir(&in_front).expect("a folder");
        let mut middle = proxy::envoy(last.address, folder.path());
        let mut three = side(proxy::meshd(middle.address, &in_front), &three_log);
        let (numbers, start, mut told) = (asked(), Instant::now(), Instant::now());
        let (mut ended, mut shorter, mut same) = (0, 0_u64, 0_u64);
        let mut from = numbers.start;
        while from < numbers.end {
            let mut batch: Vec<u64> = (from..(from + BATCH as u64).min(numbers.end)).collect();
            let address = three.proxy.lock().unwrap_or_else(PoisonError::into_inner).address;
            let honest: Vec<_> = (from..)
                .take(batch.len().div_ceil(HONEST as usize))
                .map(|number| tokio::spawn(honest(number, address)))
                .collect();
            let mut wrong = BTreeMap::new();
            for attempt in 0..ATTEMPTS {
                let (ours, alone) = tokio::join!(three.batch(&batch, attempt), one.batch(&batch, attempt));
                if attempt == 0 {
                    let differing = batch.iter().filter(|number| ours[number] != alone[number]).count() as u64;
                    shorter += differing;
                    same += batch.len() as u64 - differing;
                }
                batch.retain(|number| !is_in_step(*number, attempt, &ours[number], &alone[number]));
                wrong = batch.iter().map(|number| (*number, (ours[number].seen.clone(), alone[number].seen.clone()))).collect();
            }
            let mut failed = Vec::new();
            for client in honest {
                failed.extend(client.await.expect("no client ends badly").err());
            }
            let (ours, alone) = (unmarked(&three_log), unmarked(&one_log));
            if middle.is_alive() {
                assert!(wrong.is_empty(), "more came through three proxies than through one: {wrong:?}");
                assert!(failed.is_empty(), "honest clients among the cases from {from}: {failed:?}");
                let nobodys: Vec<_> = ours.difference(&alone).collect();
                assert!(nobodys.is_empty(), "from {from}, nobody has said: {nobodys:?}");
            } else {
                ended += 1;
                middle = proxy::envoy(last.address, folder.path());
                three = side(proxy::meshd(middle.address, &in_front), &three_log);
            }
            assert!(three.is_alive() && one.is_alive(), "meshd ended before case {from}");
            from += BATCH as u64;
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                let rate = (from - numbers.start) as f64 / start.elapsed().as_secs_f64();
                println!("at case {from}, {rate:.0} cases each second");
            }
        }
        println!("{same} cases come to the same through one and three, {shorter} to less; Envoy ended {ended} times");
        assert!(same > 0, "nothing came through");
    });
}
