//! `meshc trust show`: every certificate and what is wrong with it, for people or for programs.

use clap::{Args, ValueEnum};
use meshc_driver::{system_time, trust_request};
use meshc_pki::{Report, show};
use serde_json::json;

use super::Directory;
use crate::console::Console;
use crate::disk::WallClock;
use crate::exit::{Context, Exit, Failure};
use crate::keys;
use crate::output::print;

pub(super) const EXAMPLE: &str = "\
Example:
  $ meshc trust show mesh.mesh
  $ meshc trust show mesh.mesh --format json > certificates.json

Exits with 1 if a certificate is missing, nears its end, or is wrong in any
other way. In JSON it is one object: `healthy`; `certificates`, each with
`path`, `level`, `subject`, `issuer`, `not_before` and `not_after` (seconds
since 1970), `days_left`, `path_length` and `problems`; and `unused`, the files
that the mesh does not ask for. What could not be read is null.";

/// Arguments of `meshc trust show`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    directory: Directory,
    /// Format of the report, on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// In which format the report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a table.
    Text,
    /// For programs: one JSON object.
    Json,
}

pub(super) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let directory = &arguments.directory;
    let Some(opened) = directory.mesh(console)? else { return Ok(Exit::Findings) };
    let keys = keys::read(&directory.keys())?;
    let report = show(&trust_request(&opened.mesh), &keys, system_time(&WallClock))
        .map_err(|error| Failure::new(error.to_string()))?;
    let text = match arguments.format {
        Format::Text => report.to_string(),
        Format::Json => format!("{:#}\n", record(&report)),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    Ok(if report.is_healthy() { Exit::Ok } else { Exit::Findings })
}

fn record(report: &Report) -> serde_json::Value {
    let certificates = report.certificates.iter().map(|certificate| {
        let details = certificate.details.as_ref();
        let problems: Vec<String> = certificate.problems.iter().map(ToString::to_string).collect();
        json!({
            "path": certificate.path,
            "level": certificate.level.to_string(),
            "subject": certificate.subject,
            "issuer": details.map(|details| &details.issuer),
            "not_before": details.map(|details| details.not_before),
            "not_after": details.map(|details| details.not_after),
            "days_left": details.map(|details| details.days_left),
            "path_length": details.and_then(|details| details.path_length),
            "problems": problems,
        })
    });
    json!({
        "healthy": report.is_healthy(),
        "certificates": certificates.collect::<Vec<_>>(),
        "unused": report.unused,
    })
}
