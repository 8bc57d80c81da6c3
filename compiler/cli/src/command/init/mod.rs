//! `meshc init`: a mesh that builds, with what a repository of one needs.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::console::Console;
use crate::exit::{Context, Exit, Failure};

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc init shop
  $ mkdir other && cd other && meshc init

Writes mesh.mesh, settings of git and editors, a hook for commits and a job for
GitHub. Nothing that is there already is changed. Git uses the hook after:
git config core.hooksPath .githooks";

/// Arguments of `meshc init`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The directory, which is made if it is not there.
    #[arg(default_value = ".", value_name = "DIR")]
    directory: PathBuf,
}

/// A file that is written: its path, its text, and whether it is a program.
type Template = (&'static str, &'static str, bool);

/// The mesh first: the others are of no use without one.
const FILES: &[Template] = &[
    ("mesh.mesh", include_str!("mesh.mesh"), false),
    (".gitattributes", include_str!("gitattributes"), false),
    (".gitignore", include_str!("gitignore"), false),
    (".editorconfig", include_str!("editorconfig"), false),
    (".githooks/pre-commit", include_str!("pre-commit"), true),
    (".github/workflows/mesh.yml", include_str!("workflow.yml"), false),
];

/// Writes the files.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    // Before anything is written: half of a mesh beside somebody's own files helps nobody.
    for (name, ..) in FILES {
        let path = directory.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            return Err(Failure::new(format!("`{}` is there already", path.display()))
                .help("nothing was written; name another directory: meshc init DIR"));
        }
    }
    for file in FILES {
        let path = directory.join(file.0);
        write(&path, file).context(|| format!("write `{}`", path.display()))?;
        console.note(&format!("wrote {}", path.display()));
    }
    let mesh = directory.join("mesh.mesh");
    console.note(&format!("Run it on this machine: meshc up {}", mesh.display()));
    Ok(Exit::Ok)
}

fn write(path: &Path, (_, text, program): &Template) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mode = if *program { 0o755 } else { 0o644 };
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}
