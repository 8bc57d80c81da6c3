//! `meshc build`: writes the files of a mesh, all of them or none.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use lang_diagnostics::{Sink, SourceMap};
use meshc_driver::output::{
    self, Conflict, Difference, DifferenceKind, Edits, Kept, Outcome, OutputError, Program, Recovery, Writer,
};
use meshc_driver::{CheckedMesh, Compilation, FileSystem as _, Forms, build_into};
use meshc_pki::{layout, public_bundle};
use meshc_plan::{Deployment, Plan, RedirectedFor};

use crate::compile::{DataPlaneWord, MeshArguments, compile_with, show};
use crate::console::Console;
use crate::disk::Disk;
use crate::exit::{Context, Exit, Failure};
use crate::keys;
use crate::levels::LevelArguments;
use crate::output::print;
use crate::places;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc build mesh.mesh -o out
  $ meshc build mesh.mesh -o out --check      # in CI: is the tree up to date?

Exits with 0 if the directory holds what the mesh says, with 1 if the mesh has
errors or files differ, with 2 if a file cannot be read or written. A build that
is interrupted is finished or undone by the next one.";

/// Arguments of `meshc build`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    mesh: MeshArguments,
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
    /// The key directory, whose `roots.pem` goes into the tree. Default: `keys` next to the entry file; where that has
    /// none, the roots of the tree are kept.
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,
    /// Overwrite generated files that were edited by hand.
    #[arg(long, conflicts_with = "check")]
    overwrite_edits: bool,
    #[command(flatten)]
    levels: LevelArguments,
}

/// Where the roots are in each cluster's folder.
const ROOTS: &str = "trust/roots.pem";

/// Builds.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let levels = arguments.levels.levels()?;
    let progress = console.progress("checking");
    let mut compilation = compile_with(&arguments.mesh, arguments.data_plane, &levels)?;
    drop(progress);
    let Some(mesh) = &compilation.mesh else {
        show(&compilation, console);
        return Ok(Exit::Findings);
    };
    let name = mesh.model.mesh.name.clone();
    let keys = places::keys(&arguments.mesh.entry(), arguments.keys.as_ref());
    // Before anything is locked: a directory that is both would wait for itself.
    let overlaps = places::of_build(&arguments.mesh.entry(), mesh, &arguments.output, &keys)?;
    if !overlaps.is_empty() {
        let mut sink = Sink::default();
        overlaps.iter().for_each(|overlap| overlap.report(mesh, &mut sink));
        console.diagnostics(&sink.into_sorted(), &compilation.sources);
        return Ok(Exit::Usage);
    }
    let tracked = keys::tracked_diagnostics(&arguments.mesh.entry(), mesh, &keys);
    let mut held = None;
    if !arguments.check && exists(&arguments.output)? {
        held = Some(hold(&arguments.output)?);
        // First of all: what an interrupted build left half done is no ground to stand on.
        let recovery = output::recover(&Disk, &arguments.output, edits(arguments)).map_err(refused)?;
        if let Some(conflicts) = recovered(recovery, console) {
            refuse(&arguments.output, &conflicts, &mut compilation.sources, console);
            return Ok(Exit::Findings);
        }
    }
    let roots = match roots(arguments, mesh, &keys)? {
        Roots::Known(roots) => roots,
        Roots::Edited(conflicts) => {
            refuse(&arguments.output, &conflicts, &mut compilation.sources, console);
            return Ok(Exit::Findings);
        }
    };
    let mut sink = Sink::default();
    tracked.into_iter().for_each(|found| sink.push(found));
    compilation.add(sink);
    if arguments.check {
        return compare(arguments, &name, &mut compilation, &roots, console);
    }
    let made = if held.is_none() { missing(&arguments.output)? } else { Vec::new() };
    let _held = match held {
        Some(held) => held,
        None => hold(&arguments.output)?,
    };
    let done = write(arguments, &name, &mut compilation, &roots, console);
    // Where nothing was written, nothing stays.
    for directory in made {
        if fs::remove_dir(directory).is_err() {
            break;
        }
    }
    done
}

/// Directories that a build creates for its output directory, the innermost first.
fn missing(root: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut missing = Vec::new();
    for directory in root.ancestors().filter(|directory| !directory.as_os_str().is_empty()) {
        if exists(directory)? {
            break;
        }
        missing.push(directory.to_path_buf());
    }
    Ok(missing)
}

/// Which compiler this is: its version, and which file it runs from. What another one recorded says nothing about this one.
fn program() -> Program {
    let state = std::env::current_exe().and_then(|program| Disk.state(&program));
    match state {
        Ok(Some(state)) => Program::Known(format!("{} {state:?}", env!("CARGO_PKG_VERSION"))),
        Ok(None) | Err(_) => Program::Unknown,
    }
}

fn forms(arguments: &Arguments) -> Forms {
    if arguments.with_static { Forms::WatchedAndStatic } else { Forms::Watched }
}

/// The names of the mesh's clusters.
fn clusters(compilation: &Compilation) -> Vec<String> {
    let plan = compilation.mesh.iter().flat_map(|mesh| &mesh.plan.clusters);
    plan.map(|cluster| cluster.name.clone()).collect()
}

/// The root certificates that go into the tree.
enum Roots {
    /// These; none at all if there are none yet.
    Known(String),
    /// Those that the tree has are not those that a build wrote.
    Edited(Vec<Conflict>),
}

/// The root certificates of the key directory; without one, those that the last build wrote into the tree: they are
/// public and committed, the key directory is not, and a build in CI must give the same bytes.
fn roots(arguments: &Arguments, mesh: &CheckedMesh, directory: &Path) -> Result<Roots, Failure> {
    let known = |bytes: &[u8], path: &Path| {
        public_bundle(bytes).map(Roots::Known).map_err(|problem| {
            Failure::new(format!("`{}` cannot be the mesh's trust bundle: {problem}", path.display()))
        })
    };
    if let Some(bytes) = keys::read_public(directory, layout::ROOTS)? {
        return known(&bytes, &directory.join(layout::ROOTS));
    }
    if arguments.keys.is_some() {
        let message = format!("there is no `{}` in `{}`", layout::ROOTS, directory.display());
        return Err(Failure::new(message)
            .help(format!("run first: meshc trust init {}", arguments.mesh.entry().display())));
    }
    let clusters = mesh.plan.clusters.iter().map(|cluster| cluster.name.as_str());
    let kept = output::kept(&Disk, &arguments.output, &mesh.model.mesh.name, clusters, ROOTS);
    match kept.map_err(|error| Failure::new(error.to_string()))? {
        Kept::Nothing => Ok(Roots::Known(String::new())),
        Kept::Intact(bytes) if bytes.is_empty() => Ok(Roots::Known(String::new())),
        Kept::Intact(bytes) => known(&bytes, &arguments.output.join("*").join(ROOTS)),
        Kept::Edited(conflicts) => Ok(Roots::Edited(conflicts)),
    }
}

fn compare(
    arguments: &Arguments,
    mesh: &str,
    compilation: &mut Compilation,
    roots: &str,
    console: &Console,
) -> Result<Exit, Failure> {
    let failed = |error: OutputError| Failure::new(error.to_string());
    let progress = console.progress("comparing");
    let clusters = clusters(compilation);
    let clusters = clusters.iter().map(String::as_str);
    let mut writer = Writer::compare(&Disk, &arguments.output, mesh, clusters, program()).map_err(failed)?;
    let built = build_into(compilation, forms(arguments), roots, &mut writer).map_err(failed)?;
    let differences = if built { writer.differences().map_err(failed)? } else { Vec::new() };
    drop(progress);
    show(compilation, console);
    if !built {
        return Ok(Exit::Findings);
    }
    if differences.is_empty() {
        return Ok(Exit::Ok);
    }
    let lines: String = differences.iter().map(|each| line(&arguments.output, each)).collect();
    print(&lines).context(|| String::from("write to standard output"))?;
    console.note(&format!(
        "{} from the build of `{}`",
        differ(differences.len()),
        arguments.mesh.entry().display()
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
    compilation: &mut Compilation,
    roots: &str,
    console: &Console,
) -> Result<Exit, Failure> {
    let root = &arguments.output;
    let redirected = compilation.mesh.as_ref().and_then(|mesh| redirected(&mesh.plan));
    let progress = console.progress("writing");
    let clusters = clusters(compilation);
    let clusters = clusters.iter().map(String::as_str);
    let begun = Writer::write(&Disk, root, mesh, clusters, edits(arguments), program()).map_err(refused)?;
    let (recovery, writer) = begun;
    let Some(mut writer) = writer else {
        drop(progress);
        let conflicts = recovered(recovery, console).unwrap_or_default();
        refuse(root, &conflicts, &mut compilation.sources, console);
        return Ok(Exit::Findings);
    };
    let outcome = match build_into(compilation, forms(arguments), roots, &mut writer) {
        Ok(true) => writer.finish().map(Some),
        Ok(false) => {
            writer.abandon();
            Ok(None)
        }
        Err(error) => {
            writer.abandon();
            Err(error)
        }
    };
    drop(progress);
    show(compilation, console);
    let Some(outcome) = outcome.map_err(refused)? else { return Ok(Exit::Findings) };
    recovered(recovery, console);
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
    if let Some(redirected) = redirected {
        console.note(&redirected);
    }
    Ok(Exit::Ok)
}

/// How many services are told of by name.
const MOST_NAMED: usize = 3;

/// Whose calls are redirected although nobody asked for that: it takes a privilege that a namespace may not grant.
fn redirected(plan: &Plan) -> Option<String> {
    let chosen = plan.proxies.iter().filter_map(|proxy| match &proxy.deployment {
        Deployment::Sidecar(sidecar) => {
            sidecar.redirected_for.map(|why| (format!("{}.{}", sidecar.namespace, sidecar.service), why))
        }
        Deployment::Gateway(_) => None,
    });
    let chosen: BTreeMap<String, RedirectedFor> = chosen.collect();
    let named: Vec<String> = chosen
        .iter()
        .take(MOST_NAMED)
        .map(|(name, why)| match why {
            RedirectedFor::HeldPort(port) => format!("`{name}` (port {port})"),
            RedirectedFor::Ipv6 => format!("`{name}` (IPv6)"),
        })
        .collect();
    let more = chosen.len().saturating_sub(named.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    (!named.is_empty()).then(|| {
        format!(
            "capture = redirect is chosen, with an init container that needs NET_ADMIN, where pods listen on a port that they \
             call, or have IPv6 addresses alone: {}{more}",
            named.join(", ")
        )
    })
}

fn edits(arguments: &Arguments) -> Edits {
    if arguments.overwrite_edits { Edits::Overwrite } else { Edits::Keep }
}

fn refused(error: OutputError) -> Failure {
    Failure::new(error.to_string()).help("the next build finishes or undoes what this one began")
}

/// Says what became of an interrupted build; returns what keeps it from being finished.
fn recovered(recovery: Recovery, console: &Console) -> Option<Vec<Conflict>> {
    match recovery {
        Recovery::Nothing => None,
        Recovery::RolledBack => {
            console.note("an interrupted build was undone");
            None
        }
        Recovery::RolledForward => {
            console.note("an interrupted build was finished");
            None
        }
        Recovery::Blocked(conflicts) => Some(conflicts),
    }
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
    if exists(root)? {
        if !root.is_dir() {
            return Err(Failure::new(format!("`{}` is not a directory", root.display()))
                .help("build into another directory with `-o`"));
        }
    } else {
        fs::create_dir_all(root).context(doing)?;
    }
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

/// Whether something is at a path, if only a link to nothing.
fn exists(path: &Path) -> Result<bool, Failure> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(error).context(|| format!("look at `{}`", path.display())),
    }
}

fn differ(count: usize) -> String {
    if count == 1 { String::from("1 file differs") } else { format!("{count} files differ") }
}

fn files(count: usize) -> String {
    if count == 1 { String::from("1 file") } else { format!("{count} files") }
}
