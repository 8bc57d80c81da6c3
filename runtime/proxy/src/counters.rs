//! Numbers that only grow: each worker counts in cells of its own, and who counts often has found its cell before.

use http::StatusCode;
use rustc_hash::FxHasher;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use hashbrown::HashTable;

/// A number per combination of labels.
#[derive(Debug)]
pub(crate) struct Counters {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    /// Found by the hash of the label values, so that a proxy with thousands of upstreams finds a counter as fast as one
    /// with two. What is a label comes from the configuration and from closed sets, never from clients, so nobody can
    /// choose values that collide.
    known: RwLock<HashTable<Known>>,
}

/// Which cell of each worker is about these label values.
#[derive(Debug)]
struct Known {
    labels: Box<[Box<str>]>,
    cell: u32,
}

impl Known {
    fn is_of(&self, labels: &[&str]) -> bool {
        self.labels.iter().map(AsRef::as_ref).eq(labels.iter().copied())
    }
}

/// Where a number is, for whoever counts it again and again: it belongs to one combination of labels, is looked up with the
/// first thing that is counted, and then known.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The cell, counted from 1; 0 until it is known.
    cell: AtomicU32,
}

/// The same for a label that is the status of an answer, where all others are the same.
#[derive(Debug, Default)]
pub(crate) struct ByStatus {
    /// For each hundred, once one of it was answered.
    hundreds: [OnceLock<Box<[Found; 100]>>; 9],
}

impl ByStatus {
    /// Where answers with this status are counted.
    pub(crate) fn of(&self, status: StatusCode) -> Option<&Found> {
        let status = usize::from(status.as_u16());
        let hundred = self.hundreds.get((status / 100).checked_sub(1)?)?;
        hundred.get_or_init(|| Box::new([const { Found { cell: AtomicU32::new(0) } }; 100])).get(status % 100)
    }
}

/// How many workers have cells of their own, so that no two of them wait for each other. More than that share them.
const SHARDS: usize = 16;

/// How many cells the first piece has; each of the next has twice as many.
const FIRST: usize = 64;

/// Pieces for as many cells as there are numbers for them.
const PIECES: usize = 27;

/// The cells of some workers, for all that is counted. They stay where they are while there come to be more.
#[derive(Debug)]
#[repr(align(128))]
struct Cells([OnceLock<Box<[AtomicU64]>>; PIECES]);

/// Those of all workers. Label values come from configurations, of which a process sees a few, so no cell is given back.
static WORKERS: [Cells; SHARDS] = [const { Cells([const { OnceLock::new() }; PIECES]) }; SHARDS];

/// How many cells have been given out.
static GIVEN: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// Those that this thread counts in.
    static OWN: Option<&'static Cells> = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        WORKERS.get(THREADS.fetch_add(1, Ordering::Relaxed) % SHARDS)
    };
}

impl Cells {
    /// In which piece a cell is, where in it, and how many cells that piece has.
    fn place(cell: u32) -> (usize, usize, usize) {
        let at = cell as usize + FIRST;
        let piece = (at.ilog2() - FIRST.ilog2()) as usize;
        (piece, at - (FIRST << piece), FIRST << piece)
    }

    fn add(&self, cell: u32, amount: u64) {
        let (piece, at, length) = Cells::place(cell);
        let piece = self.0.get(piece).map(|piece| {
            piece.get_or_init(|| std::iter::repeat_with(AtomicU64::default).take(length).collect())
        });
        if let Some(value) = piece.and_then(|piece| piece.get(at)) {
            value.fetch_add(amount, Ordering::Relaxed);
        }
    }

    fn value(&self, cell: u32) -> u64 {
        let (piece, at, _) = Cells::place(cell);
        let value = self.0.get(piece).and_then(|piece| piece.get()?.get(at));
        value.map_or(0, |value| value.load(Ordering::Relaxed))
    }
}

fn count(cell: u32, amount: u64) {
    if let Some(own) = OWN.with(|own| *own) {
        own.add(cell, amount);
    }
}

/// The hash of label values.
fn hash<'l>(labels: impl Iterator<Item = &'l str>) -> u64 {
    let mut hasher = FxHasher::default();
    labels.for_each(|label| label.hash(&mut hasher));
    hasher.finish()
}

impl Counters {
    /// None of these has been counted.
    pub(crate) fn new(name: &'static str, help: &'static str, labels: &'static [&'static str]) -> Self {
        Counters { name, help, labels, known: RwLock::default() }
    }

    /// With these values of the only label from the beginning, so that a share of one of them is never without the other.
    pub(crate) fn beginning_at_zero(self, values: &[&str]) -> Self {
        values.iter().for_each(|value| self.add(&[value], 0));
        self
    }

    /// Adds `amount` for these label values, in the order of the labels.
    pub(crate) fn add(&self, labels: &[&str], amount: u64) {
        count(self.cell(labels), amount);
    }

    /// Adds 1 for these label values, which are always the same for this `found`.
    pub(crate) fn count(&self, found: &Found, labels: &[&str]) {
        let cell = match found.cell.load(Ordering::Relaxed).checked_sub(1) {
            Some(cell) => cell,
            None => {
                let cell = self.cell(labels);
                found.cell.store(cell + 1, Ordering::Relaxed);
                cell
            }
        };
        count(cell, 1);
    }

    /// The cell of these label values.
    fn cell(&self, labels: &[&str]) -> u32 {
        let at = hash(labels.iter().copied());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(Known { labels: _, cell }) = known.find(at, |known| known.is_of(labels)) {
            return *cell;
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let again = |known: &Known| hash(known.labels.iter().map(AsRef::as_ref));
        let entry = known.entry(at, |known| known.is_of(labels), again);
        let new = || Known {
            labels: labels.iter().map(|label| Box::from(*label)).collect(),
            cell: GIVEN.fetch_add(1, Ordering::Relaxed),
        };
        entry.or_insert_with(new).get().cell
    }

    /// Appends the lines that Prometheus reads, in the order of the label values.
    pub(crate) fn render(&self, page: &mut String) {
        let _ = writeln!(page, "# HELP {} {}\n# TYPE {} counter", self.name, self.help, self.name);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let sorted: BTreeMap<&[Box<str>], u32> =
            known.iter().map(|Known { labels, cell }| (&**labels, *cell)).collect();
        for (labels, cell) in sorted {
            let pairs: Vec<String> = self
                .labels
                .iter()
                .zip(labels)
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            let sum: u64 = WORKERS.iter().map(|cells| cells.value(cell)).sum();
            let _ = writeln!(page, "{}{{{}}} {sum}", self.name, pairs.join(","));
        }
    }
}

/// A label's value, escaped as the format demands.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(counters: &Counters) -> String {
        let mut page = String::new();
        counters.render(&mut page);
        page
    }

    #[test]
    fn each_number_has_a_cell_and_no_other_has_it() {
        let places: Vec<_> = (0..10_000).map(Cells::place).collect();
        let in_order = (0..).flat_map(|piece| (0..FIRST << piece).map(move |at| (piece, at, FIRST << piece)));
        assert!(in_order.take(10_000).eq(places));
        let (last, at, length) = Cells::place(u32::MAX);
        assert!(last < PIECES && at < length);
    }

    #[test]
    fn what_several_workers_count_is_one_number() {
        let counters = Counters::new("all", "Test.", &["listener"]);
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| (0..100).for_each(|_| counters.add(&["in"], 1)));
            }
        });
        assert!(page(&counters).contains(&format!("all{{listener=\"in\"}} {}\n", 200 * SHARDS)));
    }

    #[test]
    fn what_was_found_once_is_not_looked_for_again() {
        let counters = Counters::new("all", "Test.", &["upstream", "code"]);
        let by_status = ByStatus::default();
        let count = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            counters.count(by_status.of(status).unwrap(), &["app", status.as_str()]);
        };
        for status in [100, 200, 204, 599, 999] {
            count(status);
        }
        // Whoever looked for it would wait for ever.
        let held = counters.known.write();
        count(200);
        count(999);
        drop(held);
        counters.add(&["app", "200"], 1);
        let page = page(&counters);
        for (code, times) in [(100, 1), (200, 3), (204, 1), (599, 1), (999, 2)] {
            assert!(page.contains(&format!("{{upstream=\"app\",code=\"{code}\"}} {times}\n")), "{page}");
        }
    }
}
