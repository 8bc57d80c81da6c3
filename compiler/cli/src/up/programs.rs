//! Where the programs of a running mesh are found.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::exit::Failure;

/// Where to look, beyond the usual places.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// The Envoy that the command line names.
    pub(crate) envoy: Option<PathBuf>,
    /// The meshd that the command line names.
    pub(crate) meshd: Option<PathBuf>,
}

impl Programs {
    /// Envoy: named on the command line, or in the environment, or installed by the tests of the checkout that this
    /// program was built in, or on the path.
    pub(crate) fn envoy(&self) -> Result<PathBuf, Failure> {
        let named = self.envoy.clone().or_else(|| std::env::var_os("MESH_ENVOY").map(PathBuf::from));
        if let Some(path) = named {
            return is_program(&path)
                .then_some(path.clone())
                .ok_or_else(|| missing("Envoy", &path, "--envoy"));
        }
        // Never below the current directory: what lies in somebody's repository is not to be run.
        let own = std::env::current_exe().ok();
        let checkout = own.as_ref().and_then(|own| own.ancestors().nth(3));
        let installed = checkout.map(|checkout| checkout.join("tests/.tools/bin/envoy"));
        let found = installed.into_iter().chain(on_path("envoy")).find(|path| is_program(path));
        found.ok_or_else(|| {
            Failure::new("Envoy is needed to run this mesh, and it is not here").help(
                "install Envoy 1.40 (tests/tools/install does in a checkout), say where it is with --envoy PATH, or run \
                 the bundled proxy instead: --data-plane meshd",
            )
        })
    }

    /// meshd: named on the command line, or beside this program, or on the path.
    pub(crate) fn meshd(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.meshd {
            return is_program(path).then_some(path.clone()).ok_or_else(|| missing("meshd", path, "--meshd"));
        }
        let beside = std::env::current_exe().ok().map(|own| own.with_file_name("meshd"));
        let found = beside.into_iter().chain(on_path("meshd")).find(|path| is_program(path));
        found.ok_or_else(|| {
            Failure::new("meshd is needed to run this mesh, and it is not beside meshc nor on the path")
                .help("build it with `cargo build -p meshd`, or say where it is with --meshd PATH")
        })
    }
}

/// Makes sure that a command can be started, before a whole mesh is.
pub(super) fn refuse_missing(program: &OsStr) -> Result<(), Failure> {
    let path = Path::new(program);
    let there = if path.components().count() > 1 {
        is_program(path)
    } else {
        on_path(path).any(|path| is_program(&path))
    };
    if there {
        return Ok(());
    }
    Err(Failure::new(format!("there is no program `{}`", path.display()))
        .help("what follows `--` is run when the mesh is ready, as `-- sh -c '…'` for example"))
}

fn missing(name: &str, path: &Path, option: &str) -> Failure {
    Failure::new(format!("there is no program at `{}`, where {name} is said to be", path.display()))
        .help(format!("give another path with {option} PATH"))
}

fn on_path(name: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join(&name)).collect::<Vec<_>>().into_iter()
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_program_that_is_not_there_is_said_to_be_missing() {
        let nowhere = PathBuf::from("/nowhere/envoy");
        let programs = Programs { envoy: Some(nowhere.clone()), meshd: Some(nowhere) };
        let failure = programs.envoy().unwrap_err();
        assert_eq!(failure.message, "there is no program at `/nowhere/envoy`, where Envoy is said to be");
        assert!(programs.meshd().unwrap_err().help.unwrap().contains("--meshd"));
    }

    #[test]
    fn a_file_that_cannot_be_run_is_no_program() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("envoy");
        std::fs::write(&file, "").unwrap();
        assert!(!is_program(&file));
        assert!(is_program(Path::new("/bin/sh")));
    }
}
