//! The pipeline from mesh text to output files, over an injected file system and clock.
//!
//! Invariants: nothing here reads a disk, the environment or a clock by itself; a stage runs only if no earlier one
//! reported an error; the same sources give the same bytes.

pub mod codes;
mod memory;
pub mod output;
mod system;

pub use memory::{FixedClock, MemoryFileSystem, Step};
pub use system::{Clock, FileKind, FileSystem};
