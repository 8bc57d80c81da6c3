//! `meshc matrix`: who may call whom, of the whole mesh.

use clap::{Args, ValueEnum};
use meshc_driver::{Matrix, Truth, View, matrix};
use serde_json::json;

use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc matrix mesh.mesh
  $ meshc matrix mesh.mesh --namespace
  $ meshc matrix mesh.mesh --external -o csv > matrix.csv
  $ meshc matrix mesh.mesh --identity -o html > matrix.html

A row is who calls, a column what is called: `yes` for all requests, `some` for
those that a rule admits, `.` for none. A cell is what `meshc ask` answers to
`can ROW call COLUMN`; `meshc ask 'why can ...'` has the rule that decides.

Exits with 0, with 1 if the mesh has errors, with 2 if a file cannot be read.";

/// Arguments of `meshc matrix`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    mesh: MeshArguments,
    /// Rows and columns are identities.
    #[arg(long, conflicts_with_all = ["namespace", "external"])]
    identity: bool,
    /// Rows and columns are namespaces; gateways stay rows of their own.
    #[arg(long, conflicts_with = "external")]
    namespace: bool,
    /// Columns are hosts outside the mesh alone.
    #[arg(long)]
    external: bool,
    /// Format, on standard output.
    #[arg(short = 'o', long, value_enum, default_value = "text")]
    format: Format,
    /// Ask about this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
}

/// In which format the matrix is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a table.
    Text,
    /// For spreadsheets.
    Csv,
    /// For browsers: one page.
    Html,
    /// For programs: one JSON object.
    Json,
}

/// Prints it.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let compilation = compile(&arguments.mesh, arguments.data_plane)?;
    let view = match (arguments.identity, arguments.namespace, arguments.external) {
        (true, _, _) => View::Identities,
        (false, true, _) => View::Namespaces,
        (false, false, true) => View::External,
        (false, false, false) => View::Services,
    };
    let Some(matrix) = matrix(&compilation, view) else {
        show(&compilation, console);
        return Ok(Exit::Findings);
    };
    let text = match arguments.format {
        Format::Text => table(&matrix),
        Format::Csv => csv(&matrix),
        Format::Html => page(&matrix, &compilation.name),
        Format::Json => record(&matrix),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}

fn cell(matrix: &Matrix, row: usize, column: usize) -> &'static str {
    match matrix.cells.get(&(row, column)) {
        Some(Truth::Yes) => "yes",
        Some(Truth::Depends) => "some",
        Some(Truth::No) | None => ".",
    }
}

fn table(matrix: &Matrix) -> String {
    let Matrix { rows, columns, cells: _ } = matrix;
    if columns.is_empty() {
        return String::from("there is nothing to call\n");
    }
    let first = rows.iter().map(|row| row.chars().count()).max().unwrap_or(0);
    let mut text = " ".repeat(first);
    for column in columns {
        text.push_str(&format!("  {column}"));
    }
    text = text.trim_end().to_owned() + "\n";
    for (place, row) in rows.iter().enumerate() {
        let mut line = format!("{row:first$}");
        for (at, column) in columns.iter().enumerate() {
            line.push_str(&format!("  {:width$}", cell(matrix, place, at), width = column.chars().count()));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// As RFC 4180 has it. Names have neither quotes nor commas.
fn csv(matrix: &Matrix) -> String {
    let Matrix { rows, columns, cells: _ } = matrix;
    let mut text = format!("from,{}\r\n", columns.join(","));
    for (place, row) in rows.iter().enumerate() {
        text.push_str(row);
        for at in 0..columns.len() {
            text.push(',');
            text.push_str(cell(matrix, place, at));
        }
        text.push_str("\r\n");
    }
    text
}

fn record(matrix: &Matrix) -> String {
    let Matrix { rows, columns, cells } = matrix;
    let calls = cells.iter().map(|((row, column), verdict)| {
        let answer = match verdict {
            Truth::Yes => "yes",
            Truth::Depends => "some",
            Truth::No => "no",
        };
        json!({ "from": rows.get(*row), "to": columns.get(*column), "answer": answer })
    });
    format!("{:#}\n", json!({ "from": rows, "to": columns, "calls": calls.collect::<Vec<_>>() }))
}

const STYLE: &str = "\
body { font: 14px system-ui, sans-serif } table { border-collapse: collapse }
th, td { border: 1px solid #ccc; padding: 2px 6px; text-align: left; font-weight: normal }
thead th { position: sticky; top: 0; background: #fff; writing-mode: vertical-rl }
tbody th { position: sticky; left: 0; background: #fff }
.yes { background: #bfe3c0 } .some { background: #f5e2a0 }";

fn page(matrix: &Matrix, name: &str) -> String {
    let Matrix { rows, columns, cells: _ } = matrix;
    let head: String = columns.iter().map(|column| format!("<th>{}</th>", escaped(column))).collect();
    let mut body = String::new();
    for (place, row) in rows.iter().enumerate() {
        let cells = columns.iter().enumerate().map(|(at, column)| match cell(matrix, place, at) {
            "." => String::from("<td></td>"),
            word => {
                let title = format!("{row} -> {column}");
                format!("<td class=\"{word}\" title=\"{}\">{word}</td>", escaped(&title))
            }
        });
        body.push_str(&format!("<tr><th>{}</th>{}</tr>\n", escaped(row), cells.collect::<String>()));
    }
    let title = format!("Who may call whom: {}", escaped(name));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<style>\n{STYLE}\n</style>\n\
         <h1>{title}</h1>\n<table>\n<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</html>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
