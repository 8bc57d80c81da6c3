//! How the program ends: the same in every format.

use std::process::ExitCode;

use thiserror::Error;

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and nothing to object to.
    Ok,
    /// The mesh has errors, or files differ.
    Findings,
    /// The command line is wrong, or a file cannot be read or written, or something cannot be started.
    Usage,
    /// The answer to a question depends on what it leaves open.
    Depends,
    /// What the command that `up` ran exited with.
    Command(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Ok => Self::from(0),
            Exit::Findings => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::Depends => Self::from(3),
            Exit::Command(code) => Self::from(code),
        }
    }
}

/// Why a command could not do its work at all: exit code 2.
#[derive(Debug, Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// One sentence: lower case, no final period.
    pub(crate) message: String,
    /// The way out.
    pub(crate) help: Option<String>,
}

impl Failure {
    /// A failure without advice.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// Adds the way out.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Adds what was being done to an error of the operating system.
pub(crate) trait Context<T> {
    /// Says what could not be done, for example ``write `a` ``.
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, Failure>;
}

impl<T, E: std::fmt::Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl FnOnce() -> String) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(format!("cannot {}: {error}", doing())))
    }
}
