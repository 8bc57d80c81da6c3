//! Whether files have changed, also when Kubernetes swaps the `..data` symlink above them.
//!
//! Files are looked at, not subscribed to: a look costs microseconds, works on every file system, and cannot lose an
//! event. What counts in the end is the content, so touching a file changes nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The state in which files were last seen.
#[derive(Debug, Default, Clone)]
pub(crate) struct Watch(BTreeMap<PathBuf, Seen>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// Device, inode, modification time in nanoseconds, size: a cheap hint that nothing changed.
    stat: Option<(u64, u64, i64, i64, u64)>,
    /// The digest of the content; `None` if it could not be read.
    digest: Option<Vec<u8>>,
}

impl Watch {
    /// Watches exactly these files from now on. What is new counts as seen.
    pub(crate) fn these(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        let mut next = BTreeMap::new();
        for path in paths {
            let seen = self.0.remove(&path).unwrap_or_else(|| look(&path, None));
            next.insert(path, seen);
        }
        self.0 = next;
    }

    /// Whether any of the files has another content than when it was last looked at.
    pub(crate) fn changed(&mut self) -> bool {
        let mut changed = false;
        for (path, seen) in &mut self.0 {
            let now = look(path, Some(seen));
            changed |= now.digest != seen.digest;
            *seen = now;
        }
        changed
    }
}

fn look(path: &Path, before: Option<&Seen>) -> Seen {
    let stat = std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.size()));
    if let Some(before) = before
        && before.stat == stat
        && stat.is_some()
    {
        return before.clone();
    }
    let digest = std::fs::read(path)
        .ok()
        .map(|bytes| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes).as_ref().to_vec());
    Seen { stat, digest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_swap_of_a_symlink_above_a_file_is_seen_once() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for (folder, content) in [("..1", "old"), ("..2", "new"), ("..3", "new")] {
            fs::create_dir(at(folder)).unwrap();
            fs::write(at(folder).join("tls.crt"), content).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/tls.crt", at("tls.crt")).unwrap();
        let mut watch = Watch::default();
        watch.these([at("tls.crt")]);
        assert!(!watch.changed());

        let swap = |to: &str| {
            symlink(to, at("..tmp")).unwrap();
            fs::rename(at("..tmp"), at("..data")).unwrap();
        };
        swap("..2");
        assert!(watch.changed());
        assert!(!watch.changed());
        swap("..3");
        assert!(!watch.changed(), "the same content is no change");
    }

    #[test]
    fn a_file_that_disappears_and_returns_changes_twice() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("file");
        fs::write(&path, "content").unwrap();
        let mut watch = Watch::default();
        watch.these([path.clone()]);
        fs::remove_file(&path).unwrap();
        assert!(watch.changed());
        fs::write(&path, "content").unwrap();
        assert!(watch.changed());
        assert!(!watch.changed());
    }
}
