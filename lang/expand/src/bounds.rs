//! How much may be made: enough for any mesh that runs, and little enough that no text fills the memory.

/// How many values and items are made in all.
pub(crate) const MOST_MADE: u64 = 2_000_000;

/// As how many of these each instance of a template or loop counts, beside what is in it.
pub(crate) const INSTANCE: u64 = 10;

/// How deep templates, loops, blocks and values are nested in each other.
pub(crate) const DEEPEST: usize = 64;

/// The longest text that is made by interpolation, in bytes.
pub(crate) const LONGEST_TEXT: usize = 64 << 10;
