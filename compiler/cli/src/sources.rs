//! The files of a mesh as one whole: their texts are replaced together, and a reader never has a mixture.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use meshc_driver::output::{self, Edits, Recovery, Replaced, Replacement};
use meshc_driver::{ENTRY, Mended, Overlay};

use crate::disk::Disk;
use crate::exit::{Context, Failure};

/// What to do where a journal cannot be followed.
const MEDDLED: &str = "an earlier `--fix` was interrupted, and files were changed since: move what is needed out of the \
                       `.meshc-stage` beside the mesh, and remove it";

/// The files that a command line names, and the directory around them, whose journal is theirs.
pub(crate) struct Sources {
    named: Vec<PathBuf>,
    root: PathBuf,
}

impl Sources {
    /// `None` if a file is not there, or is no file: then there is nothing to write, and reading it is what fails.
    pub(crate) fn of(named: impl IntoIterator<Item = PathBuf>) -> Option<Self> {
        let whole = |path: PathBuf| if path.is_dir() { path.join(ENTRY) } else { path };
        let named: Vec<PathBuf> = named.into_iter().map(whole).collect();
        let mut root: Option<PathBuf> = None;
        for path in &named {
            let directory = fs::canonicalize(path).ok()?.parent()?.to_path_buf();
            root = Some(match root {
                None => directory,
                Some(root) => root.ancestors().find(|above| directory.starts_with(above))?.to_path_buf(),
            });
        }
        Some(Self { named, root: root? })
    }

    /// Puts the texts that an interrupted run had decided to write in the place of the files.
    pub(crate) fn show_pending(&self, files: &mut Overlay<'_>) -> Result<(), Failure> {
        let pending = output::pending(&Disk, &self.root).map_err(|error| Failure::new(error.to_string()))?;
        if pending.is_empty() {
            return Ok(());
        }
        for named in &self.named {
            let Ok(real) = fs::canonicalize(named) else { continue };
            let around = (named.parent().unwrap_or(Path::new("")), real.parent().unwrap_or(Path::new("")));
            for (path, text) in &pending {
                let path = self.root.join(path);
                if path == real {
                    files.put(named, text.as_str());
                } else if let Ok(inside) = path.strip_prefix(around.1) {
                    files.put(around.0.join(inside), text.as_str());
                }
            }
        }
        Ok(())
    }

    /// Ends what an interrupted run began.
    pub(crate) fn recover(&self) -> Result<(), Failure> {
        match output::recover(&Disk, &self.root, Edits::Keep) {
            Ok(Recovery::Nothing | Recovery::RolledBack | Recovery::RolledForward) => Ok(()),
            Ok(Recovery::Blocked(conflicts)) => {
                let paths: Vec<_> = conflicts.iter().map(|one| format!("`{}`", one.path)).collect();
                Err(Failure::new(format!("cannot write {}", paths.join(", "))).help(MEDDLED))
            }
            Err(error) => Err(Failure::new(error.to_string())),
        }
    }

    /// Gives all files their new texts, or none. `written` says which files are on the disk.
    pub(crate) fn write(&self, mended: &Mended, written: impl Fn(&Path) -> bool) -> Result<(), Failure> {
        let mut read = BTreeMap::new();
        let mut replacements = Vec::new();
        for (path, before) in mended.read.iter().filter(|(path, _)| written(path)) {
            let below = self.below(path)?;
            match mended.texts.get(path) {
                Some(after) => {
                    let (before, after) = (before.clone(), after.clone());
                    replacements.push(Replacement { path: below, before, after });
                }
                None => {
                    read.insert(below, before.clone());
                }
            }
        }
        if replacements.is_empty() {
            return Ok(());
        }
        match output::replace(&Disk, &self.root, &read, &replacements) {
            Ok(Replaced::All) => Ok(()),
            Ok(Replaced::Changed(paths)) => {
                let paths: Vec<_> = paths.iter().map(|path| format!("`{path}`")).collect();
                Err(Failure::new(format!(
                    "{} changed while it was checked, so no file was written",
                    paths.join(", ")
                ))
                .help("run it again"))
            }
            Err(error) => Err(Failure::new(error.to_string())),
        }
    }

    /// Where a file really is, below the directory of all of them.
    fn below(&self, path: &Path) -> Result<String, Failure> {
        let real = fs::canonicalize(path).context(|| format!("read `{}`", path.display()))?;
        let below = real.strip_prefix(&self.root).ok().and_then(Path::to_str);
        below.map(str::to_owned).ok_or_else(|| {
            let place = self.root.display();
            Failure::new(format!(
                "`{}` is a link that leads out of `{place}`, so no file was written",
                path.display()
            ))
            .help("fix that file by itself, or name a file beside it, too")
        })
    }
}
