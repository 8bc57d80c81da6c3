//! `meshc explain`: what a code means and how to get out of it.

use clap::Args;
use lang_diagnostics::{render_explanation, suggest};
use meshc_driver::codes;

use crate::exit::{Context, Exit, Failure};
use crate::output::print;

pub(crate) const EXAMPLE: &str = "\
Example:
  $ meshc explain E0701";

/// Arguments of `meshc explain`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The code, such as `E0301` or `W0102`.
    code: String,
}

/// Explains.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let wanted = arguments.code.trim().to_ascii_uppercase();
    let all = codes::all();
    let Some(info) = all.iter().find(|info| info.code.0 == wanted) else {
        let failure = Failure::new(format!("there is no code `{}`", arguments.code));
        let names = all.iter().map(|info| info.code.0);
        return Err(match suggest(&wanted, names) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure,
        });
    };
    print(&render_explanation(info)).context(|| String::from("write to standard output"))?;
    Ok(Exit::Ok)
}
