//! `meshc build`: writes the files of a mesh, all of them or none.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use lang_diagnostics::{Sink, SourceMap};
use meshc_driver::output::{self, Conflict, Difference, DifferenceKind, Edits, Outcome, Recovery, Tree};
use meshc_driver::{Compilation, Forms, build};

use crate::compile::{DataPlaneWord, compile, show};
use crate::console::Console;
use crate::disk::Disk;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc build mesh.mesh -o out
  $ meshc build mesh.mesh -o out --check        in CI: is what is committed what the mesh says?

Exits with 0 if the directory holds what the mesh says, with 1 if the mesh has errors or files differ, with 2 if a
file cannot be read or written. A build that is interrupted is finished or undone by the next one.";

/// Arguments of `meshc build`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The mesh's entry file.
    file: PathBuf,
    /// The directory that is written.
    #[arg(short, long, value_name = "DIR", default_value = "out")]
    output: PathBuf,
    /// Write nothing; list the files that differ and exit with 1 if there are any.
    #[arg(long)]
    check: bool,
    /// Also write each proxy's configuration in one file, below `<cluster>/static`.
    #[arg(long = "static")]
    with_static: bool,
    /// Build for this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
    /// The key directory, whose `roots.pem` goes into the tree. Default: `keys` next to the entry file; without it the
    /// roots stay that the tree has.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Overwrite generated files that were edited by hand.
    #[arg(long, conflicts_with = "check")]
    overwrite_edits: bool,
}

/// Builds.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let mut progress = console.progress();
    let mut compilation = compile(&arguments.file, arguments.data_plane)?;
    progress.step("rendering");
    let forms = if arguments.with_static { Forms::WatchedAndStatic } else { Forms::Watched };
    let roots = roots(arguments, &compilation)?;
    let tree = build(&mut compilation, forms, &roots);
    show(&compilation, console);
    let (Some(tree), Some(mesh)) = (tree, &compilation.mesh) else { return Ok(Exit::Findings) };
    let name = mesh.model.mesh.name.clone();
    progress.step("writing");
    if arguments.check {
        compare(arguments, &name, tree, console)
    } else {
        write(arguments, &name, tree, compilation, console)
    }
}

/// The root certificates of the key directory; without one, those that the tree already has: they are public and
/// committed, the key directory is not, and a build in CI must give the same bytes.
fn roots(arguments: &Arguments, compilation: &Compilation) -> Result<String, Failure> {
    let beside = || arguments.file.parent().unwrap_or(Path::new("")).join("keys");
    let keys = arguments.keys.clone().unwrap_or_else(beside);
    let clusters = compilation.mesh.iter().flat_map(|mesh| &mesh.plan.clusters);
    let committed = clusters.map(|cluster| arguments.output.join(&cluster.name).join("trust/roots.pem"));
    for path in std::iter::once(keys.join("roots.pem")).chain(committed) {
        match fs::read_to_string(&path) {
            Ok(roots) => return Ok(roots),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).context(|| format!("read `{}`", path.display())),
        }
    }
    Ok(String::new())
}

fn compare(arguments: &Arguments, mesh: &str, tree: Tree, console: &Console) -> Result<Exit, Failure> {
    let differences = output::compare(&Disk, &arguments.output, mesh, tree);
    let differences = differences.map_err(|error| Failure::new(error.to_string()))?;
    if differences.is_empty() {
        return Ok(Exit::Ok);
    }
    let lines: String = differences.iter().map(|each| line(&arguments.output, each)).collect();
    print(&lines).context(|| String::from("write to standard output"))?;
    console.note(&format!(
        "{} differ from what `{}` says",
        files(differences.len()),
        arguments.file.display()
    ));
    Ok(Exit::Findings)
}

fn line(root: &Path, difference: &Difference) -> String {
    let word = match difference.kind {
        DifferenceKind::Missing => "missing    ",
        DifferenceKind::Changed => "differs    ",
        DifferenceKind::Leftover => "leftover   ",
        DifferenceKind::Interrupted => "interrupted",
    };
    format!("{word}  {}\n", root.join(&difference.path).display())
}

fn write(
    arguments: &Arguments,
    mesh: &str,
    tree: Tree,
    mut compilation: Compilation,
    console: &Console,
) -> Result<Exit, Failure> {
    let root = &arguments.output;
    let _held = hold(root)?;
    let edits = if arguments.overwrite_edits { Edits::Overwrite } else { Edits::Keep };
    let (recovery, outcome) = output::write(&Disk, root, mesh, tree, edits).map_err(|error| {
        Failure::new(error.to_string()).help("run the build again: it finishes or undoes what was begun")
    })?;
    match recovery {
        Recovery::Nothing | Recovery::Blocked(_) => {}
        Recovery::RolledBack => console.note("an interrupted build was undone"),
        Recovery::RolledForward => console.note("an interrupted build was finished"),
    }
    match outcome {
        Outcome::Unchanged => console.note(&format!("{}: nothing changed", root.display())),
        Outcome::Written(written) => {
            let (changed, removed) = (written.written.len(), written.removed.len());
            console.note(&format!("{}: {} written, {removed} removed", root.display(), files(changed)));
        }
        Outcome::Refused(conflicts) => {
            refuse(root, &conflicts, &mut compilation.sources, console);
            return Ok(Exit::Findings);
        }
    }
    Ok(Exit::Ok)
}

fn refuse(root: &Path, conflicts: &[Conflict], sources: &mut SourceMap, console: &Console) {
    let mut sink = Sink::default();
    for conflict in conflicts {
        conflict.report(&root.join(&conflict.path).display().to_string(), sources, &mut sink);
    }
    console.diagnostics(&sink.into_sorted(), sources);
}

/// Keeps other builds out of a directory while the value lives, without leaving a file there: the lock is on the
/// directory itself and goes with the process, however that ends.
fn hold(root: &Path) -> Result<File, Failure> {
    let doing = || format!("write `{}`", root.display());
    fs::create_dir_all(root).context(doing)?;
    let directory = File::open(root).context(doing)?;
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::new(format!("another build is writing to `{}`", root.display())))
        }
        Err(TryLockError::Error(error)) => {
            Err(Failure::new(format!("cannot lock `{}`: {error}", root.display())))
        }
    }
}

fn files(count: usize) -> String {
    if count == 1 { String::from("1 file") } else { format!("{count} files") }
}
