//! Paths inside an output tree: relative, with `/`, and never leaving the tree.

use std::path::{Path, PathBuf};

/// The real path of `relative` below `root`, or `None` if it could lead out of the tree. Lock files and journals are
/// read from disk, where anybody may have changed them, so nothing in them is used before it has passed here.
pub(super) fn below(root: &Path, relative: &str) -> Option<PathBuf> {
    let harmless =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0']);
    relative.split('/').all(harmless).then(|| root.join(relative))
}

/// The directories between `root` and the file at `relative`, from the outermost to the innermost.
pub(super) fn directories_of(relative: &str) -> impl DoubleEndedIterator<Item = &str> {
    let ends = relative.match_indices('/').map(|(end, _)| end).collect::<Vec<_>>();
    ends.into_iter().filter_map(|end| relative.get(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_the_tree() {
        let root = Path::new("out");
        assert_eq!(below(root, "west/a.yaml"), Some(PathBuf::from("out/west/a.yaml")));
        for bad in ["", "/etc/passwd", "../a", "west/../../a", "west//a", "./a", "a\\b", "west/"] {
            assert_eq!(below(root, bad), None, "{bad}");
        }
    }

    #[test]
    fn directories_go_from_the_outermost_in() {
        assert_eq!(directories_of("a/b/c.yaml").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(directories_of("c.yaml").count(), 0);
    }
}
