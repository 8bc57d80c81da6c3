//! The directories of running meshes: below one that belongs to the user alone, each named by its process, locked by it,
//! and swept when nobody holds the lock.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getpid, getuid, test_kill_process};

use super::mount::private_directory;
use crate::exit::{Context, Failure};

/// The directory of all running meshes of this user: `$XDG_RUNTIME_DIR/meshc`, or `meshc-<user id>` in the directory
/// for temporary files.
pub(crate) fn directory() -> Result<PathBuf, Failure> {
    let user = getuid().as_raw();
    let path = match std::env::var_os("XDG_RUNTIME_DIR").filter(|path| Path::new(path).is_dir()) {
        Some(runtime) => Path::new(&runtime).join("meshc"),
        None => std::env::temp_dir().join(format!("meshc-{user}")),
    };
    private_directory(&path).context(|| format!("create `{}`", path.display()))?;
    let metadata = fs::symlink_metadata(&path).context(|| format!("look at `{}`", path.display()))?;
    // Anybody may create names in the directory for temporary files; keys go only where nobody else can look.
    if !metadata.is_dir() || metadata.uid() != user || metadata.mode() & 0o077 != 0 {
        let message = format!("`{}` is not a directory of your own that others cannot enter", path.display());
        return Err(Failure::new(message)
            .help("remove it, or set XDG_RUNTIME_DIR or TMPDIR to a directory of your own"));
    }
    Ok(path)
}

/// A directory for the mesh of this process. It goes with the value.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    socket: PathBuf,
    /// Locked while the mesh runs: the kernel lets go of it however the process ends. A process' id alone would not
    /// tell, since another process may have it by now, or always has it, as the first one of a container does.
    _lock: File,
}

impl Home {
    /// Makes the directory, after removing those of meshes that are gone.
    pub(crate) fn create(runtime: &Path) -> Result<Self, Failure> {
        let doing = || format!("create a directory in `{}`", runtime.display());
        // Nobody sweeps between the making of a directory and its lock.
        let turn = File::open(runtime).context(doing)?;
        turn.lock().context(doing)?;
        sweep(runtime);
        let process = std::process::id();
        // A name that is still taken belongs to a mesh that runs under the same id elsewhere, in a container.
        let mut names =
            (1..).map(|time| if time == 1 { process.to_string() } else { format!("{process}-{time}") });
        let name = names.find(|name| !runtime.join(name).exists()).unwrap_or_default();
        let path = runtime.join(&name);
        private_directory(&path).context(doing)?;
        let lock = File::open(&path).context(doing)?;
        lock.lock().context(doing)?;
        Ok(Self { path, socket: super::control::socket(runtime, &name), _lock: lock })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the control socket of this process goes.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next mesh.
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Removes what processes left that were killed: directories that nobody has locked and whose process is gone (or is
/// this one, which has made none yet), then sockets without a directory. Both, because a meshc of another version may
/// be running.
fn sweep(runtime: &Path) {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(runtime).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if !name.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        if !path.is_dir() {
            sockets.push(path);
        } else if is_gone(&name) && File::open(&path).is_ok_and(|directory| directory.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(&path);
        }
    }
    for socket in sockets.iter().filter(|socket| !socket.with_extension("").exists()) {
        let _ = fs::remove_file(socket);
    }
}

/// Whether the process that a directory is named by is gone.
fn is_gone(name: &str) -> bool {
    let digits = name.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    let process = digits.parse().ok().and_then(Pid::from_raw);
    process.is_none_or(|process| process == getpid() || test_kill_process(process).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_processes_left_is_swept() {
        let runtime = tempfile::tempdir().unwrap();
        let alive = Home::create(runtime.path()).unwrap();
        fs::write(alive.socket(), "").unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        let running = std::os::unix::process::parent_id();
        for name in [format!("{dead}"), format!("{dead}-2"), format!("{running}"), String::from("other")] {
            fs::create_dir(runtime.path().join(&name)).unwrap();
            fs::write(runtime.path().join(format!("{name}.control")), "").unwrap();
        }
        sweep(runtime.path());
        let mut left: Vec<_> = fs::read_dir(runtime.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let process = std::process::id();
        let named = [process.to_string(), running.to_string(), String::from("other")];
        let mut expected: Vec<_> =
            named.iter().flat_map(|name| [name.clone(), format!("{name}.control")]).collect();
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn what_a_process_with_the_same_id_left_is_not_in_the_way() {
        let runtime = tempfile::tempdir().unwrap();
        let process = std::process::id();
        fs::create_dir(runtime.path().join(process.to_string())).unwrap();
        fs::write(runtime.path().join(format!("{process}.control")), "").unwrap();
        let home = Home::create(runtime.path()).unwrap();
        assert!(!home.socket().exists());
        let beside = Home::create(runtime.path()).unwrap();
        assert_ne!((beside.path(), beside.socket()), (home.path(), home.socket()), "the first one runs");
        assert!(home.path().is_dir() && beside.path().is_dir());
    }

    #[test]
    fn a_home_goes_with_its_value() {
        let runtime = tempfile::tempdir().unwrap();
        let home = Home::create(runtime.path()).unwrap();
        let path = home.path().to_path_buf();
        fs::write(path.join("key"), "secret").unwrap();
        drop(home);
        assert!(!path.exists());
    }
}
