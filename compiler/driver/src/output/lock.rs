//! `mesh.lock.json`: which files of a cluster's folder are ours, and what we wrote into them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::digest::Digest;

/// Name of the lock file in each cluster's folder.
pub const LOCK_FILE: &str = "mesh.lock.json";

/// The version of the lock file's form.
const VERSION: u32 = 1;

/// What meshc owns in one cluster's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lock {
    version: u32,
    /// The mesh that the folder belongs to: two meshes built into one directory must not prune each other.
    pub(super) mesh: String,
    /// Path below the cluster's folder → SHA-256 of what was written.
    pub(super) files: BTreeMap<String, Digest>,
}

impl Lock {
    /// That of a folder of which nothing is known yet.
    pub(super) fn new(mesh: &str) -> Self {
        Self { version: VERSION, mesh: mesh.to_owned(), files: BTreeMap::new() }
    }

    /// The lock file's text.
    pub(super) fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads a lock file; `None` if it is not one, or one of a version that this compiler does not know.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let lock: Self = serde_json::from_slice(bytes).ok()?;
        (lock.version == VERSION).then_some(lock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::digest::digest;

    #[test]
    fn what_is_written_can_be_read() {
        let mut lock = Lock::new("m");
        lock.files.insert("b/c.yaml".into(), digest(b"c"));
        assert_eq!(Lock::parse(lock.text().as_bytes()), Some(lock));
    }

    #[test]
    fn other_versions_and_other_files_are_refused() {
        assert_eq!(Lock::parse(b"{}"), None);
        assert_eq!(Lock::parse(br#"{"version":2,"mesh":"m","files":{}}"#), None);
        assert_eq!(Lock::parse(br#"{"version":1,"mesh":"m","files":{"a":"00"}}"#), None);
        assert!(Lock::parse(br#"{"version":1,"mesh":"m","files":{}}"#).is_some());
    }
}
