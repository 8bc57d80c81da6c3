//! `--allow`, `--warn` and `--deny`: how loud warnings are.

use clap::Args;
use meshc_driver::{Level, LevelError, Levels};

use crate::completion;
use crate::exit::Failure;

/// How loud warnings are, whatever comments in the sources say. A code goes before `warnings`, and of several levels of
/// one code the strictest holds.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct LevelArguments {
    /// Do not show these warnings: codes such as W0334, or `warnings` for all.
    #[arg(long, value_name = "CODE", value_delimiter = ',', add = completion::warnings())]
    allow: Vec<String>,
    /// Show these warnings, although a comment in the sources says otherwise.
    #[arg(long, value_name = "CODE", value_delimiter = ',', add = completion::warnings())]
    warn: Vec<String>,
    /// Make errors of these warnings.
    #[arg(long, value_name = "CODE", value_delimiter = ',', add = completion::warnings())]
    deny: Vec<String>,
}

impl LevelArguments {
    /// The levels that are asked for.
    pub(crate) fn levels(&self) -> Result<Levels, Failure> {
        let mut levels = Levels::default();
        let lists = [(Level::Allow, &self.allow), (Level::Warn, &self.warn), (Level::Deny, &self.deny)];
        for (level, words) in lists {
            for word in words {
                levels.set(word, level).map_err(|error| refused(&error))?;
            }
        }
        Ok(levels)
    }
}

fn refused(error: &LevelError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error {
        LevelError::Unknown { near: Some(near), .. } => failure.help(format!("did you mean `{near}`?")),
        LevelError::Unknown { near: None, .. } => failure.help("list all codes with: meshc explain --list"),
        LevelError::Lowered(_) => failure.help("only warnings can be allowed; mend what the error is about"),
    }
}
