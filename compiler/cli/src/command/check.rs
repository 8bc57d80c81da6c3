//! `meshc check`: everything that is wrong with a mesh, and nothing written unless fixes are asked for.

use std::path::Path;

use clap::Args;
use meshc_driver::{Compilation, findings, mend};

use crate::compile::{DataPlaneWord, MeshArguments, STANDARD_INPUT, show, unreadable};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::levels::LevelArguments;
use crate::output::print;
use crate::texts;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc check mesh.mesh
  $ meshc check mesh.mesh --error-format json
  $ meshc check mesh.mesh --deny warnings --allow W0334
  $ meshc check mesh.mesh --fix
  $ meshc check - < mesh.mesh

A comment sets levels, too: `// meshc: allow(W0321) reason` for the line that it
ends or stands above, `// meshc: everywhere deny(W0334)` in the entry file.

Exits with 0 if there is no error, with 1 if there is one, with 2 if the file
cannot be read.";

/// Arguments of `meshc check`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    mesh: MeshArguments,
    /// Check for this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
    #[command(flatten)]
    levels: LevelArguments,
    /// Apply all safe fixes to the files of the mesh, again until there is none left, and show what is found afterwards. All
    /// files are changed or none: none if one of them changed meanwhile.
    /// What comes of standard input is written to standard output.
    #[arg(long)]
    fix: bool,
    /// Show what `--fix` would change, and write nothing.
    #[arg(long, requires = "fix")]
    diff: bool,
}

/// Checks.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let levels = arguments.levels.levels()?;
    if arguments.fix {
        return fix(arguments, console);
    }
    let progress = console.progress("checking");
    let mesh = &arguments.mesh;
    let compilation = findings(&mesh.files()?, &mesh.request(arguments.data_plane), &levels)
        .map_err(|unread| unreadable(&unread.path, &unread.error))?;
    drop(progress);
    let exit = result(arguments, &compilation, console);
    // The process ends, which frees millions of small values at once.
    std::mem::forget(compilation);
    Ok(exit)
}

fn result(arguments: &Arguments, compilation: &Compilation, console: &Console) -> Exit {
    show(compilation, console);
    if compilation.diagnostics.is_empty() {
        console.note(&format!("{}: no errors, no warnings", arguments.mesh.entry().display()));
    }
    if compilation.has_errors() { Exit::Findings } else { Exit::Ok }
}

/// Applies safe fixes and checks what comes of it. What standard input has is written to standard output.
fn fix(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let mesh = &arguments.mesh;
    let progress = console.progress("fixing");
    let sources = mesh.sources();
    if let Some(sources) = sources.as_ref().filter(|_| !arguments.diff) {
        sources.recover()?;
    }
    let files = mesh.files()?;
    let mended = mend(&files, &mesh.request(arguments.data_plane), &arguments.levels.levels()?);
    let mended = mended.map_err(|unread| unreadable(&unread.path, &unread.error))?;
    drop(progress);
    let input = Path::new(STANDARD_INPUT);
    let writing = || String::from("write to standard output");
    if arguments.diff {
        for (path, after) in &mended.texts {
            let before = mended.read.get(path).map_or("", String::as_str);
            print(&texts::difference(&path.display().to_string(), before, after)).context(writing)?;
        }
    } else {
        if let Some(sources) = sources {
            sources.write(&mended, |path| path != input)?;
        }
        let text = mended.texts.get(input).or_else(|| files.texts().get(input));
        if let Some(text) = text {
            print(text).context(writing)?;
        }
    }
    let word = if arguments.diff { "would fix" } else { "fixed" };
    for done in &mended.done {
        console.note(&format!("{word} {done}"));
    }
    Ok(result(arguments, &mended.compilation, console))
}
