//! The directories of running meshes: below one that belongs to the user alone, each named by its process, and swept
//! when that process is gone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, getuid, test_kill_process};

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
        return Err(Failure::new(message).help("remove it, or set TMPDIR to a directory of your own"));
    }
    Ok(path)
}

/// A directory for the mesh of this process. It goes with the value.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    socket: PathBuf,
}

impl Home {
    /// Makes the directory, after removing those of processes that are gone.
    pub(crate) fn create(runtime: &Path) -> Result<Self, Failure> {
        sweep(runtime);
        let process = std::process::id();
        let path = runtime.join(process.to_string());
        let socket = super::control::socket(runtime, process);
        private_directory(&path).context(|| format!("create `{}`", path.display()))?;
        Ok(Self { path, socket })
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

/// Removes what processes left that were killed.
fn sweep(runtime: &Path) {
    for entry in fs::read_dir(runtime).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name.split('.').next().and_then(|id| Pid::from_raw(id.parse().ok()?));
        if process.is_none_or(|process| test_kill_process(process).is_ok()) {
            continue;
        }
        let path = entry.path();
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_dead_processes_left_is_swept() {
        let runtime = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        let alive = std::process::id();
        for name in [format!("{dead}"), format!("{alive}"), String::from("other")] {
            fs::create_dir(runtime.path().join(name)).unwrap();
        }
        fs::write(runtime.path().join(format!("{dead}.control")), "").unwrap();
        sweep(runtime.path());
        let mut left: Vec<_> =
            fs::read_dir(runtime.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [alive.to_string().as_str(), "other"]);
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
