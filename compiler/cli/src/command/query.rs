//! `meshc query`: what something in a mesh comes to, and where each part of it came from.

use clap::{Args, ValueEnum};
use meshc_driver::{Answer, query};
use serde_json::json;

use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::completion;
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc query west.ingress mesh.mesh
  $ meshc query istioinaction.catalog.clusters mesh.mesh --format json
  $ meshc query 'istioinaction.webapp -> istioinaction.catalog' mesh.mesh

Each line is a part with its value, who said so (a default, a template, an
override, a policy, the standard library), and where.

Exits with 0 if there is an answer, with 1 if the mesh has errors, with 2 if the
question names nothing or a file cannot be read.";

/// Arguments of `meshc query`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// What is asked: the name of something declared, of an attribute of it, or a call.
    #[arg(value_name = "EXPR", add = completion::questions())]
    question: String,
    #[command(flatten)]
    mesh: MeshArguments,
    /// Format of the answer, on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Ask about this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
}

/// In which format the answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a table.
    Text,
    /// For programs: one JSON array.
    Json,
}

/// Asks.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let compilation = compile(&arguments.mesh, arguments.data_plane)?;
    let Some(mesh) = &compilation.mesh else {
        show(&compilation, console);
        return Ok(Exit::Findings);
    };
    let answers = query(&compilation, mesh, &arguments.question)
        .map_err(|nothing| Failure::new(nothing.message).help(nothing.help))?;
    let text = match arguments.format {
        Format::Text => answers.iter().map(table).collect::<Vec<_>>().join("\n"),
        Format::Json => format!("{:#}\n", json!(answers.iter().map(record).collect::<Vec<_>>())),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}

/// An answer in columns.
fn table(answer: &Answer) -> String {
    let lines: Vec<(String, String, &str)> = answer
        .parts
        .iter()
        .map(|part| (format!("{} = {}", part.name, part.value), part.from.clone(), part.place.as_str()))
        .collect();
    let width =
        |column: &dyn Fn(&(String, String, &str)) -> usize| lines.iter().map(column).max().unwrap_or(0);
    let first = width(&|line| line.0.chars().count());
    let second = width(&|line| line.1.chars().count());
    let mut text = format!("{}\n", answer.subject);
    for (part, from, place) in &lines {
        text.push_str(format!("  {part:first$}  {from:second$}  {place}").trim_end());
        text.push('\n');
    }
    text
}

fn record(answer: &Answer) -> serde_json::Value {
    let parts = answer.parts.iter().map(
        |part| json!({ "name": part.name, "value": part.value, "from": part.from, "place": part.place }),
    );
    json!({ "subject": answer.subject, "parts": parts.collect::<Vec<_>>() })
}
