//! `meshc explain`: what a code means and how to get out of it.

use clap::Args;
use lang_diagnostics::{CodeInfo, render_explanation, suggest};
use meshc_driver::codes;

use crate::completion;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc explain E0701
  $ meshc explain --list";

/// Arguments of `meshc explain`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The code, such as `E0301` or `W0102`.
    #[arg(required_unless_present = "list", add = completion::all_codes())]
    code: Option<String>,
    /// List every code with its title.
    #[arg(long, conflicts_with = "code")]
    list: bool,
}

/// Explains.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let all = codes::all();
    let text = match &arguments.code {
        None => all.iter().map(|info| format!("{}  {}\n", info.code, info.title)).collect(),
        Some(code) => render_explanation(find(code, &all)?),
    };
    print(&text).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}

fn find<'a>(code: &str, all: &[&'a CodeInfo]) -> Result<&'a CodeInfo, Failure> {
    let wanted = code.trim().to_ascii_uppercase();
    let found = all.iter().copied().find(|info| info.code.0 == wanted);
    found.ok_or_else(|| {
        let failure = Failure::new(format!("there is no code `{code}`"));
        match suggest(&wanted, all.iter().map(|info| info.code.0)) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("list all of them with: meshc explain --list"),
        }
    })
}
