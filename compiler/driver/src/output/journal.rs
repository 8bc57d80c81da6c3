//! The journal: what an interrupted build still has to do once it has been decided to do it.

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// The version of the journal's form.
const VERSION: u32 = 1;

/// Everything that leads from the old tree to the new one. It exists on disk only between the moment when all new
/// files are staged and the moment when all of them are in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    pub(super) version: u32,
    /// Files that get new bytes. The n-th is staged under the name n.
    pub(super) puts: Vec<Put>,
    /// Files that go.
    pub(super) removals: Vec<Removal>,
}

/// A file that gets new bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Put {
    /// Its path below the output directory.
    pub(super) path: String,
    /// Digest of what was there when the build looked; `None`: nothing was.
    pub(super) old: Option<Digest>,
}

/// A file that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    /// Its path below the output directory.
    pub(super) path: String,
    /// Digest of what was there when the build looked.
    pub(super) old: Digest,
}

impl Journal {
    /// A journal of these steps.
    pub(super) fn new(puts: Vec<Put>, removals: Vec<Removal>) -> Self {
        Self { version: VERSION, puts, removals }
    }

    /// The journal's bytes.
    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads a journal; `None` if it is not one that this compiler knows.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let journal: Self = serde_json::from_slice(bytes).ok()?;
        (journal.version == VERSION).then_some(journal)
    }
}
