//! `meshc child`: becomes another program that dies with its parent. Not for people.
//!
//! A process can ask the kernel to kill it when its parent ends, however that happens, but only for itself, between
//! fork and exec. Doing that in the parent's own fork needs unsafe code, so `up` starts its processes through this
//! command, which asks and then turns into the program: same process, same id.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use crate::exit::{Context, Exit, Failure};

/// Arguments of `meshc child`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Process id of the parent.
    #[arg(long)]
    parent: i32,
    /// The program and its arguments.
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
}

/// Becomes the program.
pub(crate) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Some((program, rest)) = arguments.command.split_first() else {
        return Err(Failure::new("no program is given"));
    };
    set_parent_process_death_signal(Some(Signal::KILL))
        .context(|| String::from("tie a process to its parent"))?;
    // A parent that ended before the request was made has been replaced by another process by now.
    if getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(arguments.parent) {
        return Ok(Exit::Usage);
    }
    let error = Command::new(program).args(rest).exec();
    Err(Failure::new(format!("cannot start `{}`: {error}", program.to_string_lossy())))
}
