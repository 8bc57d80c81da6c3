//! `meshc fmt`: one layout for every mesh.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use lang_diagnostics::{Sink, SourceMap};
use lang_syntax::format;
use meshc_driver::read_source;

use crate::compile::{STANDARD_INPUT, is_standard_input};
use crate::console::Console;
use crate::disk::Disk;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;
use crate::texts;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc fmt
  $ meshc fmt mesh.mesh --diff
  $ meshc fmt . --check      # in CI: is everything formatted?
  $ meshc fmt - < mesh.mesh

The layout keeps comments, empty lines (one at most), and what stands between
braces on one line where it fits. Everything else follows from the text.

Exits with 0 if all files are formatted, with 1 if a file has mistakes of
syntax, or would be changed with --check or --diff, with 2 if a file cannot be
read or written.";

/// How the files of meshes end.
const EXTENSION: &str = "mesh";

/// Arguments of `meshc fmt`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Files, and directories in which all files that end with `.mesh` are formatted, hidden directories excepted; `-` for
    /// standard input, which is written to standard output.
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Write nothing; list the files that would change and exit with 1 if there are any.
    #[arg(long)]
    check: bool,
    /// Write nothing; show what would change and exit with 1 if anything would.
    #[arg(long)]
    diff: bool,
}

/// What became of the files.
#[derive(Default)]
struct Counts {
    changed: usize,
    same: usize,
    mistaken: usize,
}

/// Formats.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let mut counts = Counts::default();
    for path in &arguments.paths {
        if is_standard_input(path) {
            standard_input(arguments, console, &mut counts)?;
            continue;
        }
        let doing = || format!("read `{}`", path.display());
        for file in files(path).context(doing)? {
            one(&file, arguments, console, &mut counts)?;
        }
    }
    let writes = !(arguments.check || arguments.diff);
    if !arguments.paths.iter().any(|path| is_standard_input(path)) {
        console.note(&summary(&counts, writes));
    }
    let fine = counts.mistaken == 0 && (writes || counts.changed == 0);
    Ok(if fine { Exit::Ok } else { Exit::Findings })
}

fn summary(counts: &Counts, writes: bool) -> String {
    let files = |count: usize| format!("{count} file{}", if count == 1 { "" } else { "s" });
    let mut parts = Vec::new();
    if counts.changed > 0 {
        let what = if writes { "formatted" } else { "would be formatted" };
        parts.push(format!("{} {what}", files(counts.changed)));
    }
    if counts.same > 0 || counts.changed + counts.mistaken == 0 {
        parts.push(format!("{} unchanged", files(counts.same)));
    }
    if counts.mistaken > 0 {
        parts.push(format!("{} with mistakes left alone", files(counts.mistaken)));
    }
    parts.join(", ")
}

/// The files that a path stands for, in order. Links to directories are not followed: they could lead in a circle.
fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let mut open = vec![path.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let kind = entry.file_type()?;
            let child = entry.path();
            if kind.is_dir() && !hidden {
                open.push(child);
            } else if child.extension().is_some_and(|extension| extension == EXTENSION) && child.is_file() {
                found.push(child);
            }
        }
    }
    found.sort();
    let here = Path::new(".");
    Ok(found
        .into_iter()
        .map(|file| file.strip_prefix(here).map_or(file.clone(), Path::to_path_buf))
        .collect())
}

fn one(file: &Path, arguments: &Arguments, console: &Console, counts: &mut Counts) -> Result<(), Failure> {
    let name = file.display().to_string();
    let before = read_source(&Disk, file).context(|| format!("read `{name}`"))?;
    let Some(after) = formatted(&name, &before, console) else {
        counts.mistaken += 1;
        return Ok(());
    };
    if after == before {
        counts.same += 1;
        return Ok(());
    }
    counts.changed += 1;
    if arguments.check || arguments.diff {
        return show(&name, &before, &after, arguments);
    }
    texts::replace(file, &after)
}

fn standard_input(arguments: &Arguments, console: &Console, counts: &mut Counts) -> Result<(), Failure> {
    let mut before = String::new();
    io::stdin().read_to_string(&mut before).context(|| format!("read {STANDARD_INPUT}"))?;
    let Some(after) = formatted(STANDARD_INPUT, &before, console) else {
        counts.mistaken += 1;
        return Ok(());
    };
    counts.changed += usize::from(after != before);
    if !(arguments.check || arguments.diff) {
        return print(&after).context(|| String::from("write to standard output"));
    }
    if after == before { Ok(()) } else { show(STANDARD_INPUT, &before, &after, arguments) }
}

/// Shows that, or how, a file would change.
fn show(name: &str, before: &str, after: &str, arguments: &Arguments) -> Result<(), Failure> {
    let text = if arguments.diff { texts::difference(name, before, after) } else { format!("{name}\n") };
    print(&text).context(|| String::from("write to standard output"))
}

/// The layout of a text; mistakes are shown.
fn formatted(name: &str, text: &str, console: &Console) -> Option<String> {
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let file = sources.add(name, text);
    let formatted = format(file, text, &mut sink);
    console.diagnostics(&sink.into_sorted(), &sources);
    formatted
}
