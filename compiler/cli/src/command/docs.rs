//! `meshc docs`: the reference of the language.

use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use meshc_driver::codes;

use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc docs --format html -o reference.html
  $ meshc docs | less

The page needs no other file and no network. In it, `/` begins a search.";

/// Arguments of `meshc docs`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// In which format.
    #[arg(long, value_enum, default_value = "markdown")]
    format: Format,
    /// Write it to this file, and not to standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// In which format the reference is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One document, as in `lang/REFERENCE.md`.
    Markdown,
    /// One page for a browser, with a search and the explanations of all codes.
    Html,
}

/// Writes it.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let codes = codes::all();
    let text = match arguments.format {
        Format::Markdown => meshc_reference::markdown(&codes),
        Format::Html => meshc_reference::page(&codes, env!("CARGO_PKG_VERSION"))
            .context(|| String::from("make the page"))?,
    };
    match &arguments.output {
        Some(path) => fs::write(path, text).context(|| format!("write `{}`", path.display()))?,
        None => print(&text).context(|| String::from("write to standard output"))?,
    }
    Ok(Exit::Ok)
}
