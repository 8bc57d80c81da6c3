//! What a run has found so far.

/// Counts, and what to read of each seed.
#[derive(Default)]
pub(crate) struct Tally {
    /// How many seeds are done.
    done: u64,
    /// What differs, made small.
    differences: Vec<String>,
    /// What differed, and did not when the same case was run again from its start: a busy machine can do that.
    unsteady: Vec<String>,
    /// What the compiler refuses.
    refused: Vec<String>,
    /// How many requests were alike only after they had been sent again.
    settled: usize,
}

/// How one seed ended.
pub(crate) enum End {
    Alike { settled: usize },
    Refused(String),
    Unsteady(String),
    Differs(String),
}

impl Tally {
    /// Adds a seed, and says how things are.
    pub(crate) fn add(&mut self, seed: u64, end: End) {
        self.done += 1;
        match end {
            End::Alike { settled } => self.settled += settled,
            End::Refused(why) => self.refused.push(format!("seed {seed}: {why}")),
            End::Unsteady(what) => self.unsteady.push(format!("seed {seed}: {what}")),
            End::Differs(report) => self.differences.push(report),
        }
        println!(
            "seed {seed}: {} done, {} differ, {} only once, {} refused; {} requests settled later",
            self.done,
            self.differences.len(),
            self.unsteady.len(),
            self.refused.len(),
            self.settled
        );
    }

    /// # Panics
    /// If something differs, or if too little was compared to mean anything.
    pub(crate) fn judge(&self) {
        let Self { done, differences, unsteady, refused, settled: _ } = self;
        assert!(
            differences.is_empty(),
            "{} of {done} differ\n\n{}",
            differences.len(),
            differences.join("\n")
        );
        let few = unsteady.len() as u64 <= done.div_ceil(50);
        assert!(few, "{} of {done} differ, and not each time:\n{}", unsteady.len(), unsteady.join("\n"));
        nearly_all_are_meshes(refused, *done);
    }
}

/// What the generator makes and the compiler refuses compares nothing.
///
/// # Panics
/// If it is more than one in ten.
pub(crate) fn nearly_all_are_meshes(refused: &[String], count: u64) {
    let share = format!("{} of {count} are no meshes:\n{}", refused.len(), refused.join("\n"));
    assert!(refused.len() as u64 <= count.div_ceil(10), "{share}");
}
