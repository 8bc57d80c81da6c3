//! Trees that `meshc build` wrote, as a user would get them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mesh::DataPlane;
use crate::{process, tools};

/// Every file of a tree: relative path → contents. The record of what was written is none: git does not see it, and nothing
/// reads it but `meshc build`.
///
/// # Panics
/// If something cannot be read.
#[must_use]
pub fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("readable") {
            let path = entry.expect("readable").path();
            if path.ends_with(".meshc-record") {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below the folder").display().to_string();
                found.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

/// A folder with a source, its keys and what was built from it.
pub struct Built {
    directory: tempfile::TempDir,
}

impl Built {
    /// Initialises trust and builds a source text.
    ///
    /// # Panics
    /// If `meshc` refuses it.
    #[must_use]
    pub fn new(source: &str, data_plane: DataPlane, arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        std::fs::write(directory.path().join("mesh.mesh"), source).expect("the source can be written");
        let built = Self { directory };
        built.meshc(&["trust", "init", "mesh.mesh"]);
        built.meshc(&["trust", "issue", "mesh.mesh"]);
        let mut all = vec!["build", "mesh.mesh", "-o", "out", "--data-plane", data_plane.word()];
        all.extend(arguments);
        built.meshc(&all);
        built
    }

    /// Runs `meshc` in the folder; it must succeed.
    pub fn meshc(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(tools::binary("meshc"));
        process::succeed(command.args(arguments).current_dir(self.path()))
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The tree below it.
    #[must_use]
    pub fn out(&self) -> PathBuf {
        self.path().join("out")
    }
}

/// An example's source.
///
/// # Panics
/// If there is no such example.
#[must_use]
pub fn example(name: &str) -> String {
    let file = tools::workspace().join("examples").join(name).join("mesh.mesh");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The mesh of `examples/acme` with everything written out, for tests that change lines of it.
///
/// # Panics
/// If it is not there.
#[must_use]
pub fn acme() -> String {
    let file = tools::workspace().join("tests/fixtures/acme.mesh");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The source of a golden plan.
///
/// # Panics
/// If there is none of that name.
#[must_use]
pub fn planned_mesh(name: &str) -> String {
    let file = tools::workspace().join("tests/golden/plan").join(name).join("mesh.mesh");
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// What `kubectl kustomize` prints for a folder.
///
/// # Panics
/// If it refuses the folder.
#[must_use]
pub fn kustomize(folder: &Path) -> String {
    let mut command = Command::new(tools::tool("kubectl"));
    process::succeed(command.arg("kustomize").arg(folder))
}
