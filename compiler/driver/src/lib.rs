//! The pipeline from mesh text to output files, over an injected file system and clock.
//!
//! Invariants: nothing here reads a disk, the environment or a clock by itself; a stage runs only if no earlier one
//! reported an error; the same sources give the same bytes.

mod build;
pub mod codes;
mod fixes;
mod limits;
mod memory;
pub mod output;
mod pipeline;
mod places;
mod system;
mod trust;

pub use build::{Forms, build, render, trust_files};
pub use limits::rate_limit_files;
pub use memory::{FixedClock, MemoryFileSystem, Step};
pub use pipeline::{CheckedMesh, Compilation, Options, check};
pub use places::{Overlap, Relation, Role, Tracked};
pub use system::{Clock, FileKind, FileSystem};
pub use trust::{NotBrought, Renewal, RenewalError, brought_trust, renew_trust, system_time, trust_request};
