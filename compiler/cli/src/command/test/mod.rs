//! `meshc test`: runs the tests of a mesh.

mod formats;

use clap::{Args, ValueEnum};
use meshc_driver::{Compilation, Report, run_tests};
use regex::Regex;

use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc test mesh.mesh
  $ meshc test mesh.mesh --run 'ledger|payments'
  $ meshc test mesh.mesh --format junit > tests.xml

What the tests expect is compared with what the proxies are going to be told.

Exits with 0 if all tests pass, with 1 if one does not or the mesh has errors,
with 2 if a file cannot be read or no test has such a name.";

/// Arguments of `meshc test`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    mesh: MeshArguments,
    /// Run only tests in whose name this regular expression matches something.
    #[arg(long, value_name = "REGEX")]
    run: Option<String>,
    /// Format of the results, on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Test for this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
}

/// In which format results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a line for each test, and on standard error what is not as expected.
    Text,
    /// For programs: one JSON object.
    Json,
    /// For continuous integration: JUnit's XML.
    Junit,
    /// For test harnesses: TAP, version 13.
    Tap,
}

/// Runs the tests.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let wanted =
        match &arguments.run {
            Some(expression) => Some(Regex::new(expression).map_err(|error| {
                Failure::new(format!("`{expression}` is not a regular expression: {error}"))
            })?),
            None => None,
        };
    let progress = console.progress("testing");
    let compilation = compile(&arguments.mesh, arguments.data_plane)?;
    let Some(mesh) = &compilation.mesh else {
        drop(progress);
        show(&compilation, console);
        return Ok(Exit::Findings);
    };
    let reports = run_tests(mesh, &|name| wanted.as_ref().is_none_or(|wanted| wanted.is_match(name)));
    drop(progress);
    if let (Some(expression), []) = (&arguments.run, reports.as_slice()) {
        return Err(Failure::new(format!("no test has `{expression}` in its name")));
    }
    let entry = arguments.mesh.entry().display().to_string();
    let text = match arguments.format {
        Format::Text => text(&reports, &compilation, console),
        Format::Json => formats::json(&reports, &compilation.sources),
        Format::Junit => formats::junit(&entry, &reports, &compilation.sources),
        Format::Tap => formats::tap(&reports, &compilation.sources),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    let passed = reports.iter().all(|report| report.findings.is_empty());
    Ok(if passed { Exit::Ok } else { Exit::Findings })
}

/// A line for each test and one for all. What is not as expected is a finding like any other.
fn text(reports: &[Report], compilation: &Compilation, console: &Console) -> String {
    let findings: Vec<_> = reports.iter().flat_map(|report| report.findings.clone()).collect();
    if !findings.is_empty() {
        console.diagnostics(&findings, &compilation.sources);
    }
    if reports.is_empty() {
        return String::from("the mesh has no tests\n");
    }
    let line = |report: &Report| match (report.findings.is_empty(), report.expectations) {
        (true, 0) => format!("passed  {} (there is nothing to expect)\n", report.name),
        (true, _) => format!("passed  {}\n", report.name),
        (false, _) => {
            // In a loop all of them have one place, where only the first is shown.
            let findings = report.findings.iter().map(|finding| format!("        {}\n", finding.message));
            format!("failed  {}\n{}", report.name, findings.collect::<String>())
        }
    };
    let failed = reports.iter().filter(|report| !report.findings.is_empty()).count();
    let lines: String = reports.iter().map(line).collect();
    let plural = if reports.len() == 1 { "" } else { "s" };
    format!("{lines}{} test{plural}: {} passed, {failed} failed\n", reports.len(), reports.len() - failed)
}
