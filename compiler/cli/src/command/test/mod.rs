//! `meshc test`: runs the tests of a mesh.

mod formats;

use clap::{Args, ValueEnum};
use meshc_driver::{CheckedMesh, Compilation, Report, live_tests, run_tests};
use regex::Regex;

use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::live::{self, Answered, Live};
use crate::output::print;
use crate::progress::Progress;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc test mesh.mesh
  $ meshc test mesh.mesh --run 'ledger|payments'
  $ meshc test mesh.mesh --format junit > tests.xml

What the tests expect is compared with what the proxies are going to be told.
With --live it is asked of the mesh as it runs, with requests over loopback:
  $ meshc up mesh.mesh                      # in another terminal
  $ meshc test mesh.mesh --live
Applications that a test has in `fail` fail meanwhile, and are healed whatever
ends the command. What cannot be seen from outside is counted as not asked, with
the reason; the values of `assert` are those of the file.

Exits with 0 if no test fails, with 1 if one does or the mesh has errors, with 2
if a file cannot be read, no test has such a name or, with --live, no mesh runs
that was made from this text.";

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
    /// Ask the mesh that `meshc up` runs, with real requests.
    #[arg(long)]
    live: bool,
    /// Test for this data plane, whatever the mesh says. A running mesh has its own.
    #[arg(long, value_enum, conflicts_with = "live")]
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
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|wanted| wanted.is_match(name));
    let mut progress = console.progress("testing");
    let live = if arguments.live { Some(Live::find(&arguments.mesh.entry())?) } else { None };
    let chosen = live.as_ref().map_or(arguments.data_plane, |live| live.places.data_plane);
    let compilation = compile(&arguments.mesh, chosen)?;
    let Some(mesh) = &compilation.mesh else {
        drop(progress);
        show(&compilation, console);
        return Ok(Exit::Findings);
    };
    let is_live = live.is_some();
    let answered = match live {
        None => run_tests(mesh, &is_wanted).into_iter().map(planned).collect(),
        Some(live) => asked(live, mesh, &is_wanted, &mut progress, console)?,
    };
    drop(progress);
    if let (Some(expression), []) = (&arguments.run, answered.as_slice()) {
        return Err(Failure::new(format!("no test has `{expression}` in its name")));
    }
    let entry = arguments.mesh.entry().display().to_string();
    let text = match arguments.format {
        Format::Text => text(&answered, is_live, &compilation, console),
        Format::Json => formats::json(&answered, is_live, &compilation.sources),
        Format::Junit => formats::junit(&entry, &answered, &compilation.sources),
        Format::Tap => formats::tap(&answered, &compilation.sources),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    let failed = answered.iter().any(|one| Outcome::of(one) == Outcome::Failed);
    Ok(if failed { Exit::Findings } else { Exit::Ok })
}

/// Asks the running mesh.
fn asked(
    mut live: Live,
    mesh: &CheckedMesh,
    is_wanted: &dyn Fn(&str) -> bool,
    progress: &mut Progress,
    console: &Console,
) -> Result<Vec<Answered>, Failure> {
    live.expect(&mesh.plan, progress)?;
    let tests = live_tests(mesh, is_wanted);
    live::executor()?.block_on(live::ask(&live, &tests, progress, console))
}

/// What the plan says is so, or is not.
fn planned(report: Report) -> Answered {
    let Report { name, span, expectations, findings } = report;
    Answered { name, span, expectations, findings, open: Vec::new() }
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All that was asked is as expected.
    Passed,
    /// Something is not as expected.
    Failed,
    /// Nothing of it was asked.
    NotAsked,
}

impl Outcome {
    fn of(test: &Answered) -> Self {
        if !test.findings.is_empty() {
            Self::Failed
        } else if !test.open.is_empty() && test.open.len() == test.expectations {
            Self::NotAsked
        } else {
            Self::Passed
        }
    }
}

/// How many tests ended so.
fn count(tests: &[Answered], outcome: Outcome) -> usize {
    tests.iter().filter(|test| Outcome::of(test) == outcome).count()
}

/// A line for each test and one for all. What is not as expected is a finding like any other.
fn text(tests: &[Answered], is_live: bool, compilation: &Compilation, console: &Console) -> String {
    let findings: Vec<_> = tests.iter().flat_map(|test| test.findings.clone()).collect();
    if !findings.is_empty() {
        console.diagnostics(&findings, &compilation.sources);
    }
    if tests.is_empty() {
        return String::from("the mesh has no tests\n");
    }
    let lines: String = tests.iter().map(line).collect();
    let plural = if tests.len() == 1 { "" } else { "s" };
    let [passed, failed, open] =
        [Outcome::Passed, Outcome::Failed, Outcome::NotAsked].map(|outcome| count(tests, outcome));
    let mut all = format!("{} test{plural}: {passed} passed, {failed} failed", tests.len());
    if is_live {
        let expectations: usize = tests.iter().map(|test| test.open.len()).sum();
        let asked: usize = tests.iter().map(|test| test.expectations - test.open.len()).sum();
        all = format!(
            "{all}, {open} not asked\n{asked} expectations asked of the running mesh, {expectations} not"
        );
    }
    format!("{lines}{all}\n")
}

/// The lines of a test.
fn line(test: &Answered) -> String {
    let name = &test.name;
    let open = test.open.iter().map(|open| format!("        not asked live: {}: {}\n", open.what, open.why));
    let open: String = open.collect();
    match Outcome::of(test) {
        Outcome::Passed if test.expectations == 0 => format!("passed  {name} (there is nothing to expect)\n"),
        Outcome::Passed => format!("passed  {name}\n{open}"),
        Outcome::NotAsked => format!("open    {name}\n{open}"),
        Outcome::Failed => {
            // In a loop all of them have one place, where only the first is shown.
            let findings = test.findings.iter().map(|finding| format!("        {}\n", finding.message));
            format!("failed  {name}\n{}{open}", findings.collect::<String>())
        }
    }
}
