//! A temporary directory in which `meshc` runs as a user would run it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The directory. It goes with the value.
pub(crate) struct Directory {
    temporary: tempfile::TempDir,
}

impl Directory {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { temporary: tempfile::tempdir().unwrap() }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    /// Writes a file and the directories above it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `meshc` with the directory as its current one.
    pub(crate) fn meshc(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meshc"));
        command.current_dir(self.temporary.path()).args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs `meshc` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.meshc(arguments).output().unwrap()
    }

    /// Runs `meshc`, which must succeed; returns what it wrote to standard output and to standard error.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (results, errors) = (text(output.stdout), text(output.stderr));
        if output.status.code() != Some(0) {
            panic!("{arguments:?}: {}\n{results}\n{errors}", output.status);
        }
        (results, errors)
    }
}

/// Every file below a directory: path → contents. The record of a build is none of its files.
pub(crate) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with(".meshc-record") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                let relative = path.strip_prefix(directory).unwrap().to_path_buf();
                files.insert(relative, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// The example mesh of two clusters.
pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/acme.mesh")
}

/// The meshd beside the meshc under test.
pub(crate) fn meshd() -> PathBuf {
    let meshd = Path::new(env!("CARGO_BIN_EXE_meshc")).with_file_name("meshd");
    assert!(meshd.is_file(), "{} is not built; run: cargo build -p meshd", meshd.display());
    meshd
}

/// Processes that a process has started, and those that they have.
pub(crate) fn descendants(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children =
        tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children: Vec<u32> = children
        .flat_map(|ids| ids.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
        .collect();
    children.iter().flat_map(|child| [*child].into_iter().chain(descendants(*child))).collect()
}

/// Whether a process runs; one that has ended and that nobody has asked about does not.
pub(crate) fn runs(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
