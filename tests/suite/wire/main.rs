//! The real meshd against the real Envoy: both get the same bytes of clients in the same pieces and pass them on to a server that
//! keeps what it saw. A request that comes out of meshd alone is a mistake of ours, or of a kind that is [`known`].
//!
//!     cargo build --workspace --bins && cargo test -p mesh-tests --test wire
//!     MESH_CASES=0..1000000 cargo test --release -p mesh-tests --test wire alone -- --nocapture     # MESH_MESHD names another meshd
//!     MESH_CASES=0..1000000 cargo test --release -p mesh-tests --test wire step -- --nocapture      # through three proxies, see `chain.rs`
//!
//! A case is one connection with one to three requests, and one more whose answer shows that the connection is in step. It is
//! made of its number alone. What differs is tried again alone, with more patience, before it counts. Where Envoy ends, it is
//! started again; the cases that were under way are counted and forgotten.

#[path = "../../../runtime/http/tests/differential/cases.rs"]
#[expect(dead_code, reason = "only requests are used here")]
mod cases;
mod chain;
#[path = "../../../runtime/http/tests/common/dice.rs"]
mod dice;
mod origin;
mod proxy;

use cases::Case;
use origin::Log;
use proxy::Proxy;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Cases that are under way at once.
const BATCH: usize = 4_000;

/// Connections to each proxy at once.
const CONNECTIONS: usize = 1_200;

/// Batches beside each other.
const LANES: usize = 4;

/// What a proxy did with a case: what came out, and what the client was answered.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    seen: Vec<String>,
    statuses: Vec<String>,
}

/// How often a case may be sent. Each time what comes out of it has another name.
const ATTEMPTS: u64 = 4;

fn bytes(number: u64, attempt: u64) -> Case {
    let mark = number * ATTEMPTS + attempt;
    let lines = format!("host: a.test\r\nx-case: {mark}\r\n");
    let mut case = Case::of(dice::Dice::new(number), true, lines.as_bytes());
    let end = format!("GET /end HTTP/1.1\r\nhost: a.test\r\nx-case: {mark}\r\nx-end: {number}\r\n\r\n");
    case.input = [&case.input[..], end.as_bytes()].concat().into();
    case
}

/// Sends the bytes of a case in pieces, and reads until it is over or nothing happens; all that was answered.
async fn send(input: &[u8], cuts: &[usize], address: SocketAddr, patience: Duration) -> Vec<u8> {
    let mut answers = Vec::new();
    let Ok(mut stream) = TcpStream::connect(address).await else { return answers };
    let _ = stream.set_nodelay(true);
    let mut from = 0;
    for to in cuts.iter().copied().chain([input.len()]) {
        if to > from {
            if stream.write_all(&input[from..to]).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
            from = to;
        }
    }
    let is_over = |answers: &[u8]| {
        let end = b"x-end: ";
        answers.windows(end.len()).any(|part| part == end) && answers.ends_with(b"ok")
    };
    while !is_over(&answers) {
        match tokio::time::timeout(patience, stream.read_buf(&mut answers)).await {
            Ok(Ok(1..)) => {}
            Ok(Ok(0) | Err(_)) | Err(_) => break,
        }
    }
    answers
}

fn statuses(answers: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answers);
    let starts = text.match_indices("HTTP/1.");
    let statuses = starts.filter_map(|(at, _)| text.get(at + 9..at + 12)).map(str::to_owned);
    statuses.filter(|status| status != "100").collect()
}

/// One side of the comparison.
struct Side {
    proxy: Mutex<Proxy>,
    log: Log,
    places: Arc<Semaphore>,
}

impl Side {
    fn is_alive(&self) -> bool {
        self.proxy.lock().unwrap_or_else(PoisonError::into_inner).is_alive()
    }

    async fn batch(&self, numbers: &[u64], attempt: u64) -> BTreeMap<u64, Outcome> {
        let patience = Duration::from_millis([80, 400, 1_500, 5_000][attempt as usize]);
        let address = self.proxy.lock().unwrap_or_else(PoisonError::into_inner).address;
        let send = |&number: &u64| {
            let places = Arc::clone(&self.places);
            tokio::spawn(async move {
                let _place = places.acquire().await;
                let case = bytes(number, attempt);
                (number, send(&case.input, &case.cuts, address, patience).await)
            })
        };
        let tasks: Vec<_> = numbers.iter().map(send).collect();
        let mut outcomes = BTreeMap::new();
        for task in tasks {
            let (number, answers) = task.await.expect("no case ends badly");
            let seen = self
                .log
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .remove(&(number * ATTEMPTS + attempt));
            outcomes.insert(number, Outcome { seen: seen.unwrap_or_default(), statuses: statuses(&answers) });
        }
        outcomes
    }
}

/// How meshd differs from Envoy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    None,
    /// What Envoy passes on, meshd answers so.
    Refused(String),
    /// What Envoy answers so, meshd passes on.
    Laxer(String),
    /// The same of a kind that stays.
    Known(&'static str),
    /// Both pass something else on.
    Other,
}

impl Difference {
    fn is_mistake(&self) -> bool {
        match self {
            Difference::None | Difference::Refused(_) | Difference::Known(_) => false,
            Difference::Laxer(_) | Difference::Other => true,
        }
    }
}

fn differs(ours: &Outcome, theirs: &Outcome) -> Difference {
    let common = ours.seen.iter().zip(&theirs.seen).take_while(|(ours, theirs)| ours == theirs).count();
    let answered = |outcome: &Outcome| {
        let status = outcome.statuses.iter().find(|status| !status.starts_with('2'));
        status.cloned().unwrap_or_else(|| "nothing".to_owned())
    };
    // The last thing that Envoy answered, and what meshd answered there.
    let refused = theirs.statuses.iter().position(|status| !status.starts_with('2'));
    let both_refused =
        refused.and_then(|at| ours.statuses.get(at)).is_some_and(|status| !status.starts_with('2'));
    match (ours.seen.get(common), theirs.seen.get(common)) {
        (Some(_), None) if both_refused => {
            Difference::Known("both refuse a request, and meshd goes on behind its body")
        }
        (None, None) => Difference::None,
        (None, Some(_)) => Difference::Refused(answered(ours)),
        (Some(_), None) => Difference::Laxer(answered(theirs)),
        (Some(_), Some(_)) => Difference::Other,
    }
}

/// What Envoy is known to refuse and meshd to pass on: each is in the list of the conformance tests
/// (`differences/allowed.rs`) and in the reference. None of them can be read in two ways behind meshd, which passes one statement
/// on, if any.
fn known(input: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(input).to_ascii_lowercase();
    let starts = |line: &&str, name: &str| {
        line.trim_start().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(':'))
    };
    text.split("\n\r\n").find_map(|head| {
        let lengths = head.lines().filter(|line| starts(line, "content-length")).count();
        let codings = head.lines().filter(|line| starts(line, "transfer-encoding")).count();
        if lengths > 1 {
            Some("a length that is said again")
        } else if lengths > 0 && codings > 0 {
            Some("a length beside chunked, behind which the connection ends")
        } else if head.lines().any(|line| line.contains('#') && line.contains(" http/1.")) {
            Some("a fragment, which is dropped")
        } else {
            None
        }
    })
}

/// What was found: how often, and the first cases.
type Found = BTreeMap<Difference, (u64, Vec<u64>)>;

/// Goes over some cases.
async fn compared(ours: Arc<Side>, theirs: Arc<Side>, numbers: Range<u64>) -> Vec<(u64, Difference)> {
    let mut batch: Vec<u64> = numbers.collect();
    let mut differences = BTreeMap::new();
    for attempt in 0..ATTEMPTS {
        let (our, their) = tokio::join!(ours.batch(&batch, attempt), theirs.batch(&batch, attempt));
        for number in &batch {
            let input = bytes(*number, attempt).input;
            let difference = match (differs(&our[number], &their[number]), known(&input)) {
                (Difference::Laxer(status), Some(why)) if status == "400" => Difference::Known(why),
                // Envoy merges slashes but for a path that is nothing else.
                (Difference::Other, _) if input.windows(4).any(|part| part == b" // ") => {
                    Difference::Known("a path of slashes alone")
                }
                (difference, _) => difference,
            };
            if attempt + 1 == ATTEMPTS && std::env::var_os("MESH_SHOW").is_some() && difference.is_mistake() {
                println!("{difference:?} {}", input.escape_ascii());
                println!("  ours {:?}\n  Envoy {:?}", our[number], their[number]);
            }
            differences.insert(*number, difference);
        }
        batch.retain(|number| {
            let difference = differences.get(number);
            difference.is_some_and(|difference| difference.is_mistake() || attempt == 0)
                && difference != Some(&Difference::None)
        });
    }
    differences.into_iter().collect()
}

/// The cases that the environment asks for, or a few.
fn asked() -> Range<u64> {
    let Ok(text) = std::env::var("MESH_CASES") else { return 0..2_000 };
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.expect("MESH_CASES is a range, as 0..1000000")
}

#[test]
fn nothing_comes_out_of_meshd_alone() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let folder = tempfile::tempdir().expect("a folder");
        let (our_log, their_log) = (Log::default(), Log::default());
        let (our_origin, their_origin) =
            (origin::start(our_log.clone()).await, origin::start(their_log.clone()).await);
        let places = || Arc::new(Semaphore::new(CONNECTIONS));
        let ours = Arc::new(Side {
            proxy: proxy::meshd(our_origin, folder.path()).into(),
            log: our_log,
            places: places(),
        });
        let envoy = || Side {
            proxy: proxy::envoy(their_origin, folder.path()).into(),
            log: their_log.clone(),
            places: places(),
        };
        let mut theirs = Arc::new(envoy());
        let mut found = Found::new();
        let (numbers, start, mut told, mut ended) = (asked(), Instant::now(), Instant::now(), 0);
        let mut from = numbers.start;
        while from < numbers.end {
            let starts = (from..numbers.end).step_by(BATCH).take(LANES);
            let lanes: Vec<_> = starts
                .map(|from| {
                    let batch = from..(from + BATCH as u64).min(numbers.end);
                    tokio::spawn(compared(ours.clone(), theirs.clone(), batch))
                })
                .collect();
            let mut differences = Vec::new();
            for lane in lanes {
                differences.extend(lane.await.expect("no case ends badly"));
            }
            from += (BATCH * LANES) as u64;
            if theirs.is_alive() {
                for (number, difference) in differences {
                    let (count, first) = found.entry(difference).or_default();
                    *count += 1;
                    if first.len() < 5 {
                        first.push(number);
                    }
                }
            } else {
                ended += 1;
                theirs = Arc::new(envoy());
            }
            assert!(ours.is_alive(), "meshd ended before case {from}");
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                let rate = (from - numbers.start) as f64 / start.elapsed().as_secs_f64();
                println!("at case {from}, {rate:.0} cases each second");
            }
        }
        for (difference, (count, first)) in &found {
            println!("{count:>10}  {difference:?}, first in cases {first:?}");
        }
        println!("{ended:>10}  Envoy ended");
        let mistakes: Vec<_> = found.keys().filter(|difference| difference.is_mistake()).collect();
        assert!(mistakes.is_empty(), "{mistakes:?}; MESH_SHOW=1 shows cases");
        assert!(found.contains_key(&Difference::None), "nothing came through");
    });
}
