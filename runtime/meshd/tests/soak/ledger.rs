//! The account of all requests: what became of each, and what explains it if it was not answered.

use crate::dice::Dice;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a broken connection may take to be noticed by all proxies on the way, on a machine that is busy.
const NOTICED: Duration = Duration::from_secs(5);

/// How many things that went wrong are kept word for word.
const KEPT: usize = 40;

/// Where a request goes, and what can fail for all of its requests at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Origins that speak HTTP/1.1.
    One,
    /// Origins that speak HTTP/2.
    Two,
    /// Origins that repeat bytes.
    Bytes,
    /// Origins that speak HTTP/1.1, by way of the listener that comes and goes.
    Extra,
}

/// What an origin does to the first attempt at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It answers.
    None,
    /// It answers with 503.
    Status,
    /// It breaks the connection, or the stream, before the answer.
    Reset,
    /// It breaks it in the middle of the answer.
    Cut,
    /// It says nothing until the request is given up.
    Hang,
    /// It answers, and closes the connection without a word of warning.
    Close,
    /// It answers before it has read the request's body.
    Early,
}

const FAULTS: [(Fault, &str); 7] = [
    (Fault::None, "none"),
    (Fault::Status, "status"),
    (Fault::Reset, "reset"),
    (Fault::Cut, "cut"),
    (Fault::Hang, "hang"),
    (Fault::Close, "close"),
    (Fault::Early, "early"),
];

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        FAULTS.iter().find(|(fault, _)| *fault == self).unwrap().1
    }

    pub(crate) fn of(name: &str) -> Self {
        FAULTS.iter().find(|(_, known)| *known == name).unwrap().0
    }

    /// Whether a client may see that this happened.
    fn is_a_failure(self) -> bool {
        match self {
            Fault::Status | Fault::Reset | Fault::Cut | Fault::Hang => true,
            Fault::None | Fault::Close | Fault::Early => false,
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) id: String,
    pub(crate) place: Place,
    pub(crate) post: bool,
    /// Bytes of its body.
    pub(crate) upload: usize,
    /// Bytes of its answer.
    pub(crate) answer: usize,
    pub(crate) fault: Fault,
}

impl Ask {
    /// One that the dice choose.
    pub(crate) fn new(id: String, place: Place, faults: bool, dice: &mut Dice) -> Self {
        let size = |dice: &mut Dice| match dice.below(20) {
            0..12 => dice.below(200),
            12..18 => dice.below(20_000),
            _ => dice.below(300_000),
        };
        let post = dice.one_in(2);
        let upload = if post { size(dice) } else { 0 };
        let fault = match dice.below(150) {
            _ if !faults => Fault::None,
            0..3 => Fault::Status,
            3..6 => Fault::Reset,
            6..9 => Fault::Cut,
            9 => Fault::Hang,
            10..14 => Fault::Close,
            14..20 if post => Fault::Early,
            _ => Fault::None,
        };
        // A cut needs something to be cut.
        let answer = if fault == Fault::Cut { 1_000 + size(dice) } else { size(dice) };
        let id = format!("{}-{id}", if post { "post" } else { "get" });
        Ask { id, place, post, upload, answer, fault }
    }
}

/// What its client saw.
#[derive(Debug)]
pub(crate) enum End {
    /// Its own answer, whole.
    Answered,
    /// Another status than that of its answer.
    Status(u16),
    /// No whole answer.
    Broken(String),
    /// An answer that is not its own: never right.
    Wrong(String),
    /// No answer, because the one before it on its connection was the last.
    Behind,
    /// The client did not wait for it.
    Abandoned,
}

/// What is known of a request.
#[derive(Debug, Default)]
struct Known {
    executed: u32,
    /// Whether an origin did to it what a client may see.
    struck: bool,
}

#[derive(Debug, Default)]
struct Account {
    known: BTreeMap<String, Known>,
    windows: Vec<(Place, Instant, Instant)>,
    counts: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

/// The account.
#[derive(Debug)]
pub(crate) struct Ledger {
    began: Instant,
    account: Mutex<Account>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Ledger { began: Instant::now(), account: Mutex::default() }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Account) -> T) -> T {
        change(&mut self.account.lock().unwrap())
    }

    /// An origin has read the head of a request; how often it has come by now.
    pub(crate) fn execute(&self, id: &str) -> u32 {
        self.change(|account| {
            let known = account.known.entry(id.to_owned()).or_default();
            known.executed += 1;
            known.executed
        })
    }

    /// An origin is about to do this to a request.
    pub(crate) fn strike(&self, id: &str, fault: Fault) {
        self.count(&format!("fault {}", fault.name()));
        if fault.is_a_failure() {
            self.change(|account| account.known.entry(id.to_owned()).or_default().struck = true);
        }
    }

    /// From now on, for so long, requests to `place` may fail.
    pub(crate) fn window(&self, place: Place, lasts: Duration) {
        let now = Instant::now();
        self.change(|account| account.windows.push((place, now, now + lasts + NOTICED)));
    }

    /// No more requests to `place` fail, except those that have begun to.
    pub(crate) fn over(&self, place: Place) {
        let end = Instant::now() + NOTICED;
        self.change(|account| {
            for (_, _, to) in account.windows.iter_mut().filter(|(at, _, _)| *at == place) {
                *to = end.min(*to);
            }
        });
    }

    pub(crate) fn count(&self, what: &str) {
        self.change(|account| *account.counts.entry(what.to_owned()).or_default() += 1);
    }

    /// Something that may never happen.
    pub(crate) fn wrong(&self, what: String) {
        let at = self.began.elapsed().as_secs_f32();
        self.change(|account| {
            *account.counts.entry("WRONG".to_owned()).or_default() += 1;
            if account.wrong.len() < KEPT {
                account.wrong.push(format!("{at:.1}s: {what}"));
            }
        });
    }

    /// The request of a client of this kind has ended.
    pub(crate) fn settle(&self, kind: &str, ask: &Ask, asked: Instant, end: End) {
        let now = Instant::now();
        let (struck, within, executed) = self.change(|account| {
            let known = account.known.entry(ask.id.clone()).or_default();
            let (struck, executed) = (known.struck, known.executed);
            let place = |at: Place| at == ask.place || (ask.place == Place::Extra && at == Place::One);
            let window =
                |(at, from, to): &(Place, Instant, Instant)| place(*at) && *from <= now && *to >= asked;
            (struck, account.windows.iter().any(window), executed)
        });
        let explained = struck || within;
        if explained && !struck && matches!(end, End::Status(_) | End::Broken(_)) {
            self.count("failed with others, beside an origin or a listener that broke");
        }
        let took = asked.elapsed();
        let tell = |what: &str| {
            self.wrong(format!("{kind}: {what} after {took:?}, executed {executed} times: {ask:?}"))
        };
        let told = match &end {
            End::Answered if executed == 0 => {
                tell("answered by nobody");
                "answered"
            }
            End::Answered => "answered",
            End::Abandoned => "abandoned",
            End::Behind => "behind a last one",
            End::Status(status @ (502..=504)) if explained => match status {
                504 => "504, explained",
                _ => "503, explained",
            },
            End::Broken(_) if explained => "broken, explained",
            End::Status(status) => {
                tell(&format!("status {status} without a reason"));
                "unexplained"
            }
            End::Broken(why) => {
                tell(&format!("broken without a reason ({why})"));
                "unexplained"
            }
            End::Wrong(why) => {
                tell(&format!("NOT ITS OWN ANSWER ({why})"));
                "wrong"
            }
        };
        self.count(&format!("{kind}: {told}"));
    }

    /// Everything that went wrong, and how often everything happened. A request that may not be retried is executed once
    /// at most, others as often as the policies allow.
    pub(crate) fn close(&self, attempts: u32) -> (Vec<String>, BTreeMap<String, u64>) {
        self.change(|account| {
            for (id, known) in &account.known {
                // What an id begins with says whether it may be retried.
                let most = if id.starts_with("get") { attempts } else { 1 };
                if known.executed > most {
                    account.wrong.push(format!("{id} was executed {} times", known.executed));
                }
            }
            (std::mem::take(&mut account.wrong), std::mem::take(&mut account.counts))
        })
    }

    /// How often something happened that begins like this.
    pub(crate) fn counted(&self, what: &str) -> u64 {
        self.change(|account| {
            account.counts.iter().filter(|(name, _)| name.contains(what)).map(|(_, count)| count).sum()
        })
    }
}

/// The bytes of a body: those of no other request, and no other direction.
pub(crate) fn body(id: &str, direction: &str, length: usize) -> Vec<u8> {
    let mut seed = 0xcbf2_9ce4_8422_2325_u64;
    for byte in id.bytes().chain(direction.bytes()) {
        seed = (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut dice = Dice::new(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(dice.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
