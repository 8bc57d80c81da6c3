//! `meshc diff`: what a change of a mesh comes to, before anybody applies it.

mod git;
mod markdown;
mod record;
mod releases;
mod side;
mod text;
mod visible;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Args, ValueEnum};
use meshc_driver::changes::{Comparison, Risk};
use meshc_driver::compare;
use meshc_driver::envoy_releases::Release;

use crate::compile::{DataPlaneWord, show};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;
use releases::Releases;
use side::Inputs;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc diff old.mesh new.mesh
  $ meshc diff main:mesh.mesh mesh.mesh
  $ meshc diff HEAD~1: HEAD: -o markdown
  $ meshc diff main:mesh.mesh mesh.mesh --fail-on widened-access,exposure
  $ meshc diff --envoy 1.38 1.40 mesh.mesh

A side is a file, a directory with a `mesh.mesh`, or REVISION:PATH, as git has
it: from the top of the repository, or with ./ from here; without a path it is
the `mesh.mesh` at the top. What a mesh uses is taken from the same revision.
A file whose name looks like a revision is written with ./ before it.

Effects come in order of risk, each once. One about requests has a request that
is decided differently, as a question for `meshc ask`: both meshes were asked.
What is written elsewhere, in another order or with other local names has none.

With --envoy one mesh is looked at, and what it asks of Envoy that another
release refuses or does otherwise: 1.36.4 to 1.40.0 were tried.

Exits with 0, with 1 if there is an effect that --fail-on names, with 2 if a
side cannot be read or has errors.";

/// Arguments of `meshc diff`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The mesh before: a file, a directory, or REVISION:PATH.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The mesh after.
    #[arg(value_name = "NEW", required_unless_present = "envoy", conflicts_with = "envoy")]
    new: Option<PathBuf>,
    /// Compare two releases of Envoy instead, for one mesh.
    #[arg(long, num_args = 2, value_names = ["RELEASE", "RELEASE"])]
    envoy: Vec<Release>,
    /// Give an input of both meshes a value.
    #[arg(short = 'D', long = "define", value_name = "NAME=VALUE")]
    definitions: Vec<String>,
    /// Take the values of inputs of both from a file of `name = value`.
    #[arg(long, value_name = "FILE")]
    values: Vec<PathBuf>,
    /// Take the values of inputs of OLD from a file, or from REVISION:PATH, besides those of --values.
    #[arg(long, value_name = "FILE", conflicts_with = "envoy")]
    old_values: Vec<PathBuf>,
    /// Take the values of inputs of NEW from a file, or from REVISION:PATH.
    #[arg(long, value_name = "FILE", conflicts_with = "envoy")]
    new_values: Vec<PathBuf>,
    /// Format, on standard output.
    #[arg(short = 'o', long, value_enum, default_value = "text")]
    format: Format,
    /// Exit with 1 if there is an effect of this kind; several with commas between them.
    #[arg(long, value_parser = KindParser, value_name = "KIND", value_delimiter = ',')]
    fail_on: Vec<Kind>,
    /// Compare for this data plane, whatever the meshes say.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
}

/// In which format the comparison is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For a pull request.
    Markdown,
    /// For programs: one JSON object.
    Json,
}

/// What `--fail-on` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Of(Risk),
}

const KINDS: [Kind; 13] = {
    let mut kinds = [Kind::Any; 13];
    let mut position = 0;
    while position < Risk::ALL.len() {
        #[expect(clippy::indexing_slicing, reason = "both lengths are known when it is compiled")]
        {
            kinds[position + 1] = Kind::Of(Risk::ALL[position]);
        }
        position += 1;
    }
    kinds
};

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        &KINDS
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Any => PossibleValue::new("any").help("any effect"),
            Self::Of(risk) => PossibleValue::new(risk.word()).help(risk.heading()),
        })
    }
}

/// Reads a kind, with the white space that people put behind commas.
#[derive(Clone)]
struct KindParser;

impl TypedValueParser for KindParser {
    type Value = Kind;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Kind, clap::Error> {
        let trimmed = value.to_str().map_or(value, |text| OsStr::new(text.trim()));
        EnumValueParser::<Kind>::new().parse_ref(command, argument, trimmed)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(KINDS.iter().filter_map(ValueEnum::to_possible_value)))
    }
}

impl Kind {
    fn is_met(self, comparison: &Comparison) -> bool {
        comparison.effects.iter().any(|effect| match self {
            Self::Any => true,
            Self::Of(risk) => effect.risk == risk,
        })
    }
}

/// Compares.
pub(crate) fn run(arguments: &Arguments, console: &Console) -> Result<Exit, Failure> {
    let Arguments {
        old,
        new,
        envoy,
        definitions,
        values,
        old_values,
        new_values,
        format,
        fail_on,
        data_plane,
    } = arguments;
    let inputs = |own| Inputs {
        definitions,
        values: [values.as_slice(), own].into_iter().flatten().map(PathBuf::as_path).collect(),
        data_plane: *data_plane,
    };
    let new = match (new, envoy.as_slice()) {
        (Some(new), _) => new,
        (None, [before, after]) => {
            let releases = Releases { before: *before, after: *after };
            return of_releases(old, &inputs(&[]), releases, arguments, console);
        }
        (None, _) => return Err(Failure::new("there is no mesh to compare with")),
    };
    let progress = console.progress("comparing");
    let sides = [side::compile(old, &inputs(old_values))?, side::compile(new, &inputs(new_values))?];
    drop(progress);
    let [before, after] = &sides;
    let Some(comparison) = compare(before, after) else {
        for (side, name) in [(before, old), (after, new)] {
            if side.mesh.is_none() {
                show(side, console);
                console.note(&format!("`{}` has errors, so there is nothing to compare", name.display()));
            }
        }
        return Ok(Exit::Usage);
    };
    let text = match format {
        Format::Text => text::written(&visible::made(&comparison)),
        Format::Markdown => markdown::written(&visible::made(&comparison)),
        Format::Json => record::written(&comparison),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    // The process ends, which frees millions of small values at once.
    std::mem::forget(sides);
    let fails = fail_on.iter().any(|kind| kind.is_met(&comparison));
    Ok(if fails { Exit::Findings } else { Exit::Ok })
}

/// What two releases of Envoy do with one mesh.
fn of_releases(
    mesh: &Path,
    inputs: &Inputs<'_>,
    releases: Releases,
    arguments: &Arguments,
    console: &Console,
) -> Result<Exit, Failure> {
    if arguments.fail_on.iter().any(|kind| *kind != Kind::Any) {
        return Err(Failure::new("with `--envoy` there is `--fail-on any` only"));
    }
    let compilation = side::compile(mesh, inputs)?;
    let Some(upgrade) = releases::compare(&compilation, releases) else {
        show(&compilation, console);
        return Ok(Exit::Usage);
    };
    let text = match arguments.format {
        Format::Text => upgrade.text(),
        Format::Markdown => upgrade.markdown(),
        Format::Json => upgrade.record(),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    let fails = !arguments.fail_on.is_empty() && !upgrade.is_nothing();
    Ok(if fails { Exit::Findings } else { Exit::Ok })
}
