//! `meshc up`: a whole mesh on this machine, from the same plan that a build writes files from.
//!
//! Every proxy of every cluster is a process of its own on loopback ports; applications are stood in for by this
//! process; certificates are made for the occasion. Nothing is ever sent to an address that the mesh declares.
//!
//! Invariants: whatever ends this process (an error, Ctrl-C, SIGTERM, a panic), its processes are ended by their ids
//! and its directory is removed; if it is killed outright, the kernel ends its processes and the next mesh removes the
//! directory.

mod apps;
pub(crate) mod control;
mod environment;
mod files;
mod fleet;
mod guest;
mod inotify;
mod mount;
mod names;
mod outside;
pub(crate) mod places;
mod placing;
mod ports;
mod programs;
mod readiness;
mod reload;
mod running;
pub(crate) mod runtime;
mod server_tls;
mod session;
mod signals;
pub(crate) mod stand_in;
mod table;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::compile::{DataPlaneWord, MeshArguments, compile, show};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;
use stand_in::Instance;

pub(crate) use apps::App;
pub(crate) use programs::Programs;
pub(crate) use stand_in::Behaviour;

/// What `meshc up` was asked to do.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The mesh.
    pub(crate) mesh: MeshArguments,
    /// Its entry file.
    pub(crate) file: PathBuf,
    /// The data plane of every cluster, in the place of what the mesh declares.
    pub(crate) data_plane: Option<DataPlaneWord>,
    /// Where programs are.
    pub(crate) programs: Programs,
    /// Where logs are kept.
    pub(crate) keep_logs: Option<PathBuf>,
    /// Where the rendered configuration is written for people to look at.
    pub(crate) show_config: Option<PathBuf>,
    /// Processes in the place of applications.
    pub(crate) apps: Vec<App>,
    /// What is run once all is ready; empty: nothing.
    pub(crate) command: Vec<OsString>,
}

/// Runs the mesh until the command ends, or until somebody ends it.
pub(crate) fn run(settings: &Settings, console: &Console) -> Result<Exit, Failure> {
    let compilation = compile(&settings.mesh, settings.data_plane)?;
    show(&compilation, console);
    let Some(mesh) = compilation.mesh else { return Ok(Exit::Findings) };
    if let Some(program) = settings.command.first() {
        programs::refuse_missing(program)?;
    }
    // One thread, the main one: see `fleet` for why processes must be started from it.
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let executor = executor.context(|| String::from("start"))?;
    executor.block_on(session::session(settings, mesh, compilation.files, console))
}

/// Sets how an application of the running mesh behaves, or those of all subsets of a service.
pub(crate) fn switch(service: &str, cluster: &str, behaviour: Behaviour) -> Result<(), Failure> {
    let given = std::env::var_os(control::VARIABLE);
    let request = control::Request { service: service.to_owned(), cluster: cluster.to_owned(), behaviour };
    match control::ask(&runtime::directory()?, given.as_deref().map(Path::new), &request)? {
        control::Answer::Refused(why) => Err(Failure::new(why)),
        control::Answer::Mesh(_) | control::Answer::Places(_) => {
            Err(Failure::new("the running mesh gave an answer to another question"))
        }
        control::Answer::Done(instances) => {
            let state = match behaviour {
                Behaviour::Well => "works",
                Behaviour::Error => "answers every request with 500",
                Behaviour::Hang => "answers no request",
                Behaviour::Gone => "has closed its ports",
            };
            let line =
                |instance: &Instance| format!("{} in {} {state}\n", instance.service, instance.cluster);
            print(&instances.iter().map(line).collect::<String>())
                .context(|| String::from("write to standard output"))
        }
    }
}
