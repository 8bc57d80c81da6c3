//! A key directory on disk: read as a value, written as a whole or not at all, each file readable by its owner alone
//! from its first moment on.
//!
//! What changes is written below one directory beside the files, which is then renamed. That rename decides: killed
//! before it, the old keys stand; killed after it, whoever reads sees the new ones, and the next writer puts them in
//! place. A root whose key was lost half way could never be repaired.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lang_diagnostics::{Diagnostic, Sink};
use meshc_driver::{CheckedMesh, Tracked};
use meshc_pki::{KeyDirectory, KeyFile, layout};

use crate::exit::{Context, Failure};
use crate::places;

/// Changes that are being written. They count for nothing.
const UNFINISHED: &str = ".meshc-unfinished";
/// Changes that are complete. They count, whether they are in place already or not.
const DECIDED: &str = ".meshc-decided";

/// How long a reader waits for a writer. Writing takes far less; whoever holds the lock for longer may never let go.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a reader looks whether the writer has finished.
const GLANCE: Duration = Duration::from_millis(20);
/// Folders above a key file at most, as in `.meshc-decided/<cluster>/identities/<namespace>/<account>/tls.key`. What
/// lies deeper is not of a key directory, and a link that leads back up would have no end.
const DEEPEST: usize = 5;
/// The largest file that can be a key, a certificate or a bundle of them, in bytes.
const LARGEST: u64 = 1 << 20;

/// The right to write a key directory. It goes with the value, and with the process however that ends.
#[derive(Debug)]
pub(crate) struct Held {
    directory: PathBuf,
    /// Locked. `None` while the directory does not exist.
    lock: Option<File>,
}

/// Reads a key directory; one that does not exist is empty.
pub(crate) fn read(directory: &Path) -> Result<KeyDirectory, Failure> {
    let doing = || format!("read `{}`", directory.display());
    let Some(_lock) = share(directory)? else { return Ok(KeyDirectory::new()) };
    contents(directory).context(doing)
}

/// Reads one public file of a key directory, and no private one.
pub(crate) fn read_public(directory: &Path, path: &str) -> Result<Option<Vec<u8>>, Failure> {
    let Some(_lock) = share(directory)? else { return Ok(None) };
    for place in [directory.join(DECIDED).join(path), directory.join(path)] {
        match file(&place) {
            Ok(file) => return Ok(Some(file.bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(|| format!("read `{}`", place.display())),
        }
    }
    Ok(None)
}

/// The private keys below a directory that git tracks, relative to it; none where there is no git, or no repository.
fn tracked(directory: &Path) -> Vec<String> {
    let mut git = std::process::Command::new("git");
    // A repository may name a program that watches its files; listing needs none.
    git.arg("-C").arg(directory).args(["-c", "core.fsmonitor=false", "ls-files", "-z", "--"]);
    git.args([":(glob)**/key.pem", ":(glob)**/tls.key"]).env("GIT_OPTIONAL_LOCKS", "0");
    let Ok(output) = git.stdin(std::process::Stdio::null()).output() else { return Vec::new() };
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
}

/// A warning if git tracks private keys, in the key directory or among what the user brings.
pub(crate) fn tracked_diagnostics(entry: &Path, mesh: &CheckedMesh, directory: &Path) -> Vec<Diagnostic> {
    let brought = places::brought(entry, mesh);
    let directories = [Some(directory), brought.as_deref()];
    let mut sink = Sink::default();
    for directory in directories.into_iter().flatten() {
        let paths = tracked(directory);
        Tracked { directory: directory.display().to_string(), paths }.report(mesh, &mut sink);
    }
    sink.into_sorted()
}

/// Keeps other writers out of a key directory, finishes what one that was killed had decided, and reads it.
pub(crate) fn hold(directory: &Path) -> Result<(Held, KeyDirectory), Failure> {
    let doing = || format!("write `{}`", directory.display());
    let held = Held { directory: directory.to_path_buf(), lock: lock(directory)? };
    let mut old = KeyDirectory::new();
    if held.lock.is_some() {
        recover(directory).context(doing)?;
        old = contents(directory).context(doing)?;
    }
    Ok((held, old))
}

impl Held {
    /// Writes the files that differ between two states of the directory, all of them or none. Files that only the old
    /// state has stay: keys are not deleted behind anybody's back.
    pub(crate) fn write(mut self, old: &KeyDirectory, new: &KeyDirectory) -> Result<(), Failure> {
        let changed: Vec<_> = new.iter().filter(|(path, file)| old.get(path) != Some(file)).collect();
        if changed.is_empty() {
            return Ok(());
        }
        if self.lock.is_none() {
            let doing = || format!("create `{}`", self.directory.display());
            private_directory(&self.directory).context(doing)?;
            self.lock = lock(&self.directory)?;
            // Between the look at nothing and this moment somebody else may have begun.
            if contents(&self.directory).context(doing)? != *old {
                return Err(being_written(&self.directory));
            }
        }
        self.put(&changed).context(|| format!("write `{}`", self.directory.display()))
    }

    fn put(&self, changed: &[(&str, &KeyFile)]) -> io::Result<()> {
        // First of all what keeps the rest out of git.
        for (path, file) in changed.iter().filter(|(path, _)| *path == layout::GITIGNORE) {
            write_file(&self.directory.join(path), file)?;
        }
        let unfinished = self.directory.join(UNFINISHED);
        let staged = changed.iter().try_for_each(|(path, file)| write_file(&unfinished.join(path), file));
        if let Err(error) = staged {
            let _ = fs::remove_dir_all(&unfinished);
            return Err(error);
        }
        fs::rename(&unfinished, self.directory.join(DECIDED))?;
        recover(&self.directory)
    }
}

/// A directory, opened to be locked; `None` if nothing is there.
fn open(directory: &Path) -> Result<Option<File>, Failure> {
    match fs::metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            return Err(Failure::new(format!("`{}` is not a directory", directory.display()))
                .help("name the key directory with `--keys DIR`"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context(|| format!("read `{}`", directory.display())),
    }
    File::open(directory).context(|| format!("read `{}`", directory.display())).map(Some)
}

/// The right to read a directory: whoever writes just now finishes first.
fn share(directory: &Path) -> Result<Option<File>, Failure> {
    let Some(file) = open(directory)? else { return Ok(None) };
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock_shared() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(GLANCE),
            Err(TryLockError::WouldBlock) => return Err(being_written(directory)),
            Err(TryLockError::Error(error)) => {
                return Err(error).context(|| format!("lock `{}`", directory.display()));
            }
        }
    }
}

fn lock(directory: &Path) -> Result<Option<File>, Failure> {
    let Some(file) = open(directory)? else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(being_written(directory)),
        Err(TryLockError::Error(error)) => Err(error).context(|| format!("lock `{}`", directory.display())),
    }
}

fn being_written(directory: &Path) -> Failure {
    Failure::new(format!("another process is using `{}`", directory.display()))
        .help("run the command again when that has ended")
}

/// Puts in place what has been decided, and forgets what has not.
fn recover(directory: &Path) -> io::Result<()> {
    remove_directory(&directory.join(UNFINISHED))?;
    let decided = directory.join(DECIDED);
    if fs::symlink_metadata(&decided).is_ok_and(|metadata| !metadata.is_dir()) {
        // Files would be moved here from wherever a link leads.
        let error = format!("`{DECIDED}` in it is not a directory; remove it");
        return Err(io::Error::new(io::ErrorKind::NotADirectory, error));
    }
    for path in files_below(&decided)? {
        let (from, to) = (decided.join(&path), directory.join(&path));
        private_directory(to.parent().unwrap_or(directory))?;
        match fs::rename(&from, &to) {
            // Part of the directory may lie on another disk, through a link of its owner's.
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                write_file(&to, &file(&from)?)?;
            }
            other => other?,
        }
    }
    remove_directory(&decided)
}

/// Every file of the directory, with what has been decided in the place of what it replaces.
fn contents(directory: &Path) -> io::Result<KeyDirectory> {
    let mut files = Vec::new();
    for path in files_below(directory)? {
        let ours = path.split('/').any(|part| part.starts_with(UNFINISHED) || part == DECIDED);
        if !ours {
            files.push((path.clone(), file(&directory.join(path))?));
        }
    }
    for path in files_below(&directory.join(DECIDED))? {
        files.push((path.clone(), file(&directory.join(DECIDED).join(path))?));
    }
    Ok(files.into_iter().collect())
}

/// The paths of all files below a directory, through links, in order, as deep as key files lie. What does not exist has
/// none.
fn files_below(directory: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut open = vec![String::new()];
    while let Some(prefix) = open.pop() {
        let entries = match fs::read_dir(directory.join(&prefix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
            let metadata = match fs::metadata(entry.path()) {
                // A link to nothing, as editors leave for their locks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                if path.matches('/').count() < DEEPEST {
                    open.push(path);
                }
            } else if metadata.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn file(path: &Path) -> io::Result<KeyFile> {
    let metadata = fs::metadata(path)?;
    // Reading a pipe would wait for somebody who writes into it.
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    if metadata.len() > LARGEST {
        let error = format!("`{}` is too large for keys and certificates", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, error));
    }
    Ok(KeyFile { bytes: fs::read(path)?, mode: metadata.mode() & 0o7777 })
}

/// Creates a directory, and what is missing above it, that only the owner can enter.
fn private_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn remove_directory(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes one file under another name and renames it.
fn write_file(path: &Path, file: &KeyFile) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    private_directory(parent)?;
    let unfinished: PathBuf = parent.join(format!("{UNFINISHED}-file"));
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Created anew with its mode, so that it is never open to others; the mode is set again because the user's mask
    // may have taken bits away.
    let mut open = fs::OpenOptions::new().write(true).create_new(true).mode(file.mode).open(&unfinished)?;
    open.set_permissions(fs::Permissions::from_mode(file.mode))?;
    open.write_all(&file.bytes)?;
    drop(open);
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn keys(files: &[(&str, &str)]) -> KeyDirectory {
        let mut keys = KeyDirectory::new();
        for (path, text) in files {
            keys.insert(*path, *text, meshc_pki::PRIVATE);
        }
        keys
    }

    fn bring(directory: &Path, new: &KeyDirectory) {
        let (held, old) = hold(directory).unwrap();
        held.write(&old, new).unwrap();
    }

    #[test]
    fn what_was_written_is_read_again() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("keys");
        assert!(read(&directory).unwrap().is_empty());
        let mut new = keys(&[("root/key.pem", "secret")]);
        new.insert("roots.pem", "public", meshc_pki::PUBLIC);
        bring(&directory, &new);
        assert_eq!(read(&directory).unwrap(), new);
        assert_eq!(mode(&directory.join("root/key.pem")), 0o600);
        assert_eq!(mode(&directory.join("root")), 0o700);
    }

    #[test]
    fn only_what_changed_is_written_and_nothing_is_deleted() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path();
        bring(directory, &keys(&[("a", "1"), ("b", "1")]));
        let untouched = fs::metadata(directory.join("a")).unwrap().ino();
        bring(directory, &keys(&[("a", "1"), ("c", "2")]));
        assert_eq!(fs::metadata(directory.join("a")).unwrap().ino(), untouched);
        assert_eq!(read(directory).unwrap(), keys(&[("a", "1"), ("b", "1"), ("c", "2")]));
    }

    #[test]
    fn killed_before_the_decision_nothing_happened() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path();
        bring(directory, &keys(&[("root/cert.pem", "1")]));
        let half = directory.join(UNFINISHED).join("root");
        fs::create_dir_all(&half).unwrap();
        fs::write(half.join("cert.pem"), "half of").unwrap();
        assert_eq!(read(directory).unwrap(), keys(&[("root/cert.pem", "1")]));
        let (_held, old) = hold(directory).unwrap();
        assert_eq!(old, keys(&[("root/cert.pem", "1")]));
        assert!(!directory.join(UNFINISHED).exists());
    }

    #[test]
    fn killed_after_the_decision_everything_happened() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path();
        bring(directory, &keys(&[("w/tls.crt", "old"), ("w/tls.key", "old")]));
        // The certificate is in place already, its key is not.
        fs::write(directory.join("w/tls.crt"), "new").unwrap();
        write_file(&directory.join(DECIDED).join("w/tls.key"), keys(&[("k", "new")]).get("k").unwrap())
            .unwrap();
        let whole = keys(&[("w/tls.crt", "new"), ("w/tls.key", "new")]);
        assert_eq!(read(directory).unwrap(), whole, "a reader sees the new pair");
        assert_eq!(read_public(directory, "w/tls.key").unwrap().as_deref(), Some(&b"new"[..]));
        assert!(directory.join(DECIDED).exists(), "and writes nothing");
        let (_held, old) = hold(directory).unwrap();
        assert_eq!(old, whole);
        assert!(!directory.join(DECIDED).exists());
        assert_eq!(fs::read_to_string(directory.join("w/tls.key")).unwrap(), "new");
        assert_eq!(mode(&directory.join("w/tls.key")), 0o600);
    }

    #[test]
    fn two_writers_at_once_are_one_too_many() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("keys");
        let (first, nothing) = hold(&directory).unwrap();
        let (second, _) = hold(&directory).unwrap();
        first.write(&nothing, &keys(&[("a", "1")])).unwrap();
        let failure = second.write(&nothing, &keys(&[("a", "2")])).unwrap_err();
        assert!(failure.message.starts_with("another process is using"), "{failure}");
        assert_eq!(read(&directory).unwrap(), keys(&[("a", "1")]));
        let (_held, _) = hold(&directory).unwrap();
        assert!(hold(&directory).unwrap_err().message.starts_with("another process is using"));
    }

    #[test]
    fn links_that_lead_back_up_come_to_an_end() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path();
        bring(directory, &keys(&[("root/key.pem", "1")]));
        for name in ["one", "two", "three"] {
            std::os::unix::fs::symlink(directory, directory.join(name)).unwrap();
        }
        assert_eq!(read(directory).unwrap().bytes("root/key.pem"), Some(&b"1"[..]));
    }

    #[test]
    fn what_cannot_be_a_key_is_not_read() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path();
        let status = std::process::Command::new("mkfifo").arg(directory.join("roots.pem")).status().unwrap();
        assert!(status.success());
        assert!(read_public(directory, "roots.pem").unwrap_err().message.contains("it is not a file"));
        File::create(directory.join("disk.img")).unwrap().set_len(LARGEST + 1).unwrap();
        assert!(read(directory).unwrap_err().message.contains("disk.img` is too large"));
    }

    #[test]
    fn nothing_is_moved_here_from_where_a_link_leads() {
        let temporary = tempfile::tempdir().unwrap();
        let (directory, other) = (temporary.path().join("keys"), temporary.path().join("other"));
        fs::create_dir_all(&directory).unwrap();
        fs::create_dir_all(&other).unwrap();
        fs::write(other.join("a"), "1").unwrap();
        std::os::unix::fs::symlink(&other, directory.join(DECIDED)).unwrap();
        assert!(hold(&directory).unwrap_err().message.contains("is not a directory; remove it"));
        assert!(other.join("a").exists());
    }
}
