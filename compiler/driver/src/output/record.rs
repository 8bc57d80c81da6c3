//! The record of the last build: what each proxy's files were made of, and in which state they were left, so that the next
//! build renders nothing that is there already.
//!
//! It is a cache and vouches for nothing alone. A file is taken for unchanged only if a lock file names it with the digest
//! that the record means, it is a regular file below real directories of the tree, and it has the state in which the build
//! left it, or, read, that digest. So a record that is old, damaged, copied with its tree or written by somebody else makes a
//! build read or render more, and never makes it write, remove or own what it would not have without. `--check` believes
//! no state and reads every file.
//!
//! A state is written only if the file system's clock had moved on since the file last changed: otherwise a later change
//! could leave the same times.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use super::digest::{Digest, digest};
use crate::{FileKind, FileState, FileSystem, Moment};

/// The folder of the record below the output directory. Its own `.gitignore` keeps it out of version control.
pub const RECORD: &str = ".meshc-record";

const FILE: &str = "record";
const UNFINISHED: &str = "record.unfinished";
const IGNORE: &str = ".gitignore";

/// The first word of a record, with the version of its form.
const FORM: &str = "meshc-record-1";

/// How far the clock must have moved on, in nanoseconds: some ticks of a kernel's clock.
const TICKS: i128 = 30_000_000;
/// The same where times are whole seconds, or (on FAT) every second one.
const SECONDS: i128 = 2_000_000_000;

/// What the files of one proxy are made of, in which folder they are, and what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Stands for what they are made of.
    pub(super) key: Digest,
    /// Stands for their paths and digests; see [`content`].
    pub(super) content: Digest,
    /// The cluster's folder.
    pub(super) cluster: String,
    /// Path below that folder, and the state if it may be believed.
    pub(super) files: Vec<(String, Option<FileState>)>,
}

/// The digest of paths and digests of files.
pub(super) fn content<'a>(files: impl Iterator<Item = (&'a str, Digest)>) -> Digest {
    let mut bytes = Vec::new();
    for (path, of_file) in files {
        bytes.extend_from_slice(path.as_bytes());
        bytes.push(b'\n');
        bytes.extend_from_slice(of_file.bytes());
    }
    digest(&bytes)
}

/// A record as it was read.
#[derive(Debug, Default)]
pub(super) struct Record {
    text: String,
    /// Key → where in the text the unit is.
    units: BTreeMap<Digest, Range<usize>>,
}

impl Record {
    /// The record of a tree, if it is one that `program` wrote; otherwise an empty one.
    pub(super) fn read(files: &dyn FileSystem, root: &Path, program: &str) -> Self {
        let folder = root.join(RECORD);
        let path = folder.join(FILE);
        // A link is not followed.
        let is = |path: &Path, kind| matches!(files.kind(path), Ok(Some(found)) if found == kind);
        if !is(&folder, FileKind::Directory) || !is(&path, FileKind::File) {
            return Self::default();
        }
        let text = files.read(&path).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.and_then(|text| Self::parse(text, program)).unwrap_or_default()
    }

    fn parse(text: String, program: &str) -> Option<Self> {
        let end = text.trim_end_matches('\n').rfind('\n')? + 1;
        let (body, last) = text.split_at_checked(end)?;
        if Digest::parse(last.strip_suffix('\n')?)? != digest(body.as_bytes()) {
            return None;
        }
        let first = body.split_once('\n')?.0;
        if first != heading(program) {
            return None;
        }
        let mut units = BTreeMap::new();
        let mut begun: Option<(Digest, usize)> = None;
        let mut position = first.len() + 1;
        for line in body.get(position..)?.split_inclusive('\n') {
            if let Some(line) = line.strip_prefix('u') {
                if let Some((key, start)) = begun {
                    units.insert(key, start..position);
                }
                begun = Some((Digest::parse(line.get(1..65)?)?, position));
            }
            position += line.len();
        }
        if let Some((key, start)) = begun {
            units.insert(key, start..position);
        }
        Some(Self { text, units })
    }

    /// What is written of a unit.
    pub(super) fn unit(&self, key: &Digest) -> Option<Unit> {
        let mut lines = self.text.get(self.units.get(key)?.clone())?.lines();
        let mut words = lines.next()?.splitn(4, ' ').skip(1);
        let (key, content) = (Digest::parse(words.next()?)?, Digest::parse(words.next()?)?);
        let cluster = words.next()?.to_owned();
        let files = lines.map(|line| {
            let mut words = line.splitn(8, ' ').skip(1);
            let mut number = || words.next()?.parse::<i64>().ok();
            let size = number()?;
            if size < 0 {
                return Some((line.get(5..)?.to_owned(), None));
            }
            let size = u64::try_from(size).ok()?;
            let mut moment =
                || Some(Moment { seconds: number()?, nanoseconds: u32::try_from(number()?).ok()? });
            let (modified, changed) = (moment()?, moment()?);
            let mut rest = line.splitn(8, ' ').skip(6);
            let inode = rest.next()?.parse().ok()?;
            Some((rest.next()?.to_owned(), Some(FileState { size, modified, changed, inode })))
        });
        Some(Unit { key, content, cluster, files: files.collect::<Option<_>>()? })
    }
}

fn heading(program: &str) -> String {
    format!("{FORM} {}", digest(program.as_bytes()))
}

/// The text of a record.
pub(super) fn text<'a>(program: &str, units: impl Iterator<Item = &'a Unit>) -> String {
    let mut text = heading(program);
    text.push('\n');
    for Unit { key, content, cluster, files } in units {
        text.push_str("u ");
        key.write(&mut text);
        text.push(' ');
        content.write(&mut text);
        text.push(' ');
        text.push_str(cluster);
        text.push('\n');
        for (path, state) in files {
            // Writing to a string cannot fail.
            let _ = match state {
                Some(FileState { size, modified, changed, inode }) => writeln!(
                    text,
                    "f {size} {} {} {} {} {inode} {path}",
                    modified.seconds, modified.nanoseconds, changed.seconds, changed.nanoseconds
                ),
                None => writeln!(text, "f -1 {path}"),
            };
        }
    }
    let end = digest(text.as_bytes());
    end.write(&mut text);
    text.push('\n');
    text
}

/// The state of a file that was looked at after the file system's clock showed `now`, if it may be believed later.
pub(super) fn believable(state: Option<FileState>, now: Option<Moment>) -> Option<FileState> {
    let (state, now) = (state?, now?);
    let nanoseconds =
        |moment: Moment| i128::from(moment.seconds) * 1_000_000_000 + i128::from(moment.nanoseconds);
    let whole = [now, state.modified, state.changed].iter().all(|moment| moment.nanoseconds == 0);
    let least = if whole { SECONDS } else { TICKS };
    let newest = state.changed.max(state.modified);
    (nanoseconds(now) - nanoseconds(newest) >= least).then_some(state)
}

/// What the file system's clock shows: the time of a file that is written now, which the next record becomes. `None` where
/// no record can be written.
pub(super) fn now(files: &dyn FileSystem, root: &Path) -> Option<Moment> {
    let folder = root.join(RECORD);
    match files.kind(&folder).ok()? {
        None => files.create_directory(&folder).ok()?,
        Some(FileKind::Directory) => {}
        Some(FileKind::File | FileKind::Other) => return None,
    }
    let ignore = folder.join(IGNORE);
    if files.kind(&ignore).ok()?.is_none() {
        files.write(&ignore, b"*\n").ok()?;
    }
    let path = folder.join(UNFINISHED);
    remove(files, &path)?;
    files.write(&path, b"").ok()?;
    Some(files.state(&path).ok()??.modified)
}

/// Takes back what [`now`] wrote, for a build that writes nothing.
pub(super) fn forget_now(files: &dyn FileSystem, root: &Path) {
    let folder = root.join(RECORD);
    let there = |name: &str| !matches!(files.kind(&folder.join(name)), Ok(None));
    let _ = remove(files, &folder.join(UNFINISHED));
    if !there(FILE) && remove(files, &folder.join(IGNORE)).is_some() {
        // Unless somebody put something there.
        let _ = files.remove_directory(&folder);
    }
}

/// Writes a record in the place of the last one. What goes wrong is no error: without a record the next build renders all.
pub(super) fn write(files: &dyn FileSystem, root: &Path, text: &str) {
    let folder = root.join(RECORD);
    let (unfinished, path) = (folder.join(UNFINISHED), folder.join(FILE));
    let _ = remove(files, &unfinished)
        .and_then(|()| files.write(&unfinished, text.as_bytes()).ok())
        .and_then(|()| files.rename(&unfinished, &path).ok());
}

/// Removes what is there, so that nothing is written through a link.
fn remove(files: &dyn FileSystem, path: &Path) -> Option<()> {
    match files.kind(path).ok()? {
        None => Some(()),
        Some(FileKind::File | FileKind::Other) => files.remove_file(path).ok(),
        Some(FileKind::Directory) => None,
    }
}
