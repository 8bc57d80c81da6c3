//! Writing a built tree: atomically, only what changed, and nothing that is not ours.
//!
//! A build first puts every new file below `.meshc-stage` in the output directory (one file system, so that moving is
//! atomic), then writes a journal of what is to be moved and removed, then does it, then removes the journal. Killed
//! before the journal is there, the next run rolls back: the stage is deleted and the old tree stands untouched.
//! Killed after, the next run rolls forward. `mesh.lock.json` in each cluster's folder names the files that are ours
//! with their digests, so that files no longer produced are pruned, and edits by hand are found instead of lost. Fixes of
//! sources are written by the same journal, as one transaction.
//!
//! Invariants: only files that a lock file names are ever overwritten or removed; a file whose bytes stay is not
//! touched, so its modification time stays; links are never followed. What this does not protect from is a power
//! failure: nothing is flushed to the disk, the tree lives in git.

mod commit;
mod compare;
mod conflict;
mod digest;
mod error;
mod journal;
mod kept;
mod lock;
mod path;
mod record;
mod sources;
mod survey;
mod write;
mod writer;

use std::collections::BTreeMap;

pub use compare::{Difference, DifferenceKind, compare};
pub use conflict::{Conflict, ConflictKind};
pub use digest::Digest;
pub(crate) use digest::digest;
pub use error::OutputError;
pub use kept::{Kept, kept};
pub use lock::LOCK_FILE;
pub use record::RECORD;
pub use sources::{Replaced, Replacement, pending, replace};
pub use write::{Edits, Outcome, Recovery, Written, recover, write};
pub use writer::{Built, Program, Writer};

/// Output files: path below the output directory, with `/`, → bytes.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// The directory below the output directory where a build prepares its files.
pub const STAGE: &str = ".meshc-stage";

#[cfg(test)]
mod tests;
