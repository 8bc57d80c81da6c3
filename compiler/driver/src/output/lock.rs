//! `mesh.lock.json`: which files of a cluster's folder are ours, and what we wrote into them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Tree;
use super::digest::digest;

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
    pub(super) files: BTreeMap<String, String>,
}

impl Lock {
    /// The lock file's text.
    fn text(&self) -> String {
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

/// The tree together with one lock file for each of its top-level folders. Files at the top belong to no cluster.
pub(super) fn with_locks(mesh: &str, mut tree: Tree) -> Tree {
    let mut locks: BTreeMap<String, Lock> = BTreeMap::new();
    for (path, bytes) in &tree {
        if let Some((cluster, inside)) = path.split_once('/') {
            let empty = || Lock { version: VERSION, mesh: mesh.to_owned(), files: BTreeMap::new() };
            let lock = locks.entry(cluster.to_owned()).or_insert_with(empty);
            lock.files.insert(inside.to_owned(), digest(bytes));
        }
    }
    for (cluster, lock) in locks {
        tree.insert(format!("{cluster}/{LOCK_FILE}"), lock.text().into_bytes());
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lock_for_each_cluster() {
        let tree = Tree::from([
            (String::from(".gitattributes"), b"x".to_vec()),
            (String::from("east/a.yaml"), b"a".to_vec()),
            (String::from("west/b/c.yaml"), b"c".to_vec()),
        ]);
        let locked = with_locks("m", tree);
        assert_eq!(locked.len(), 5);
        let lock = Lock::parse(&locked["west/mesh.lock.json"]).unwrap();
        assert_eq!(lock.mesh, "m");
        assert_eq!(lock.files.keys().collect::<Vec<_>>(), ["b/c.yaml"]);
    }

    #[test]
    fn other_versions_and_other_files_are_refused() {
        assert_eq!(Lock::parse(b"{}"), None);
        assert_eq!(Lock::parse(br#"{"version":2,"mesh":"m","files":{}}"#), None);
        assert!(Lock::parse(br#"{"version":1,"mesh":"m","files":{}}"#).is_some());
    }
}
