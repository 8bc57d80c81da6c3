//! The files of a revision, as git has them: nothing is checked out, and nothing of the repository runs.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use meshc_driver::{FileKind, FileSystem};

use crate::exit::{Context, Failure};

/// What git is told besides what is asked: no hook, no pager, no helper, no question, no network.
const QUIETLY: [&str; 7] = [
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
];

/// A tree of files that does not change.
pub(super) struct Revision {
    /// Of each path from the top of the repository: what it is, and the name of its contents.
    entries: BTreeMap<PathBuf, (FileKind, String)>,
}

impl Revision {
    /// Whether what is written before a colon is a revision: git resolves it, or it is the whole name of an object.
    pub(super) fn is_one(text: &str) -> Result<bool, Failure> {
        let is_name = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.is_empty() || text.contains('\0') || is_name {
            return Ok(is_name);
        }
        Ok(tree_of(text)?.is_some())
    }

    /// The files of a revision, and where a path leads among them: from the top, or from here if it begins with a dot.
    pub(super) fn open(revision: &str, path: &str) -> Result<(Self, PathBuf), Failure> {
        let wrong = || {
            Failure::new(format!(
                "cannot read `{revision}:{path}`: there is no such file, and no such revision"
            ))
            .help("write a path, or REVISION:PATH inside of a repository of git")
        };
        if revision.is_empty() || revision.contains('\0') {
            return Err(wrong());
        }
        let id = tree_of(revision)?.ok_or_else(wrong)?;
        let listed = git(&["ls-tree", "-r", "-t", "-z", "--full-tree", id.trim()])?.ok_or_else(wrong)?;
        let mut entries = BTreeMap::new();
        for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            // `100644 blob 1f7a…<tab>path`; whatever has no name of ours is no file of a mesh.
            let Ok(line) = std::str::from_utf8(line) else { continue };
            let Some((about, name)) = line.split_once('\t') else { continue };
            let mut about = about.split(' ');
            let (Some(mode), Some(_), Some(id)) = (about.next(), about.next(), about.next()) else {
                continue;
            };
            let kind = match mode {
                "100644" | "100755" => FileKind::File,
                "040000" => FileKind::Directory,
                _ => FileKind::Other,
            };
            entries.insert(PathBuf::from(name), (kind, id.to_owned()));
        }
        let below = if path.starts_with("./") || path.starts_with("../") {
            let prefix = git(&["rev-parse", "--show-prefix"])?.unwrap_or_default();
            let prefix = String::from_utf8(prefix).unwrap_or_default();
            Path::new(prefix.trim_end_matches('\n')).join(path)
        } else {
            PathBuf::from(path)
        };
        let below = normal(&below).ok_or_else(|| {
            Failure::new(format!("cannot read `{revision}:{path}`: it is outside of the repository"))
        })?;
        if !below.as_os_str().is_empty() && !entries.contains_key(&below) {
            return Err(Failure::new(format!(
                "cannot read `{revision}:{path}`: there is no such file in revision `{revision}`"
            ))
            .help("paths are from the top of the repository; with `./` before them they are from here"));
        }
        Ok((Self { entries }, below))
    }

    fn entry(&self, path: &Path) -> io::Result<Option<(FileKind, &str)>> {
        let path = normal(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        if path.as_os_str().is_empty() {
            return Ok(Some((FileKind::Directory, "")));
        }
        Ok(self.entries.get(&path).map(|(kind, id)| (*kind, id.as_str())))
    }
}

/// A path without `.` and `..`; `None` if it leads out of the top.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => normal.push(name),
            Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(normal)
}

/// The name of a revision's tree.
fn tree_of(revision: &str) -> Result<Option<String>, Failure> {
    let tree = format!("{revision}^{{tree}}");
    let found = git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &tree])?;
    Ok(found.and_then(|bytes| String::from_utf8(bytes).ok()))
}

/// Runs git, without a shell; `None` if it finds nothing.
fn git(arguments: &[&str]) -> Result<Option<Vec<u8>>, Failure> {
    let mut command = Command::new("git");
    command.args(QUIETLY).args(arguments);
    command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_NO_LAZY_FETCH", "1").env("GIT_OPTIONAL_LOCKS", "0");
    command.stdin(std::process::Stdio::null());
    let output = command.output().context(|| String::from("run `git`"))?;
    Ok(output.status.success().then_some(output.stdout))
}

impl FileSystem for Revision {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let Some((FileKind::File, id)) = self.entry(path)? else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        let bytes = git(&["cat-file", "blob", id]).map_err(|failure| io::Error::other(failure.message))?;
        bytes.ok_or_else(|| io::Error::other("git does not have its contents"))
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        Ok(self.entry(path)?.map(|(kind, _)| kind))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<String>> {
        let directory = normal(directory).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let inside = self.entries.keys().filter(|path| path.parent() == Some(&directory));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn create_directory(&self, _path: &Path) -> io::Result<()> {
        Err(read_only())
    }

    fn write(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        Err(read_only())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(read_only())
    }

    fn remove_file(&self, _path: &Path) -> io::Result<()> {
        Err(read_only())
    }

    fn remove_directory(&self, _path: &Path) -> io::Result<()> {
        Err(read_only())
    }
}

fn read_only() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "revisions do not change")
}
