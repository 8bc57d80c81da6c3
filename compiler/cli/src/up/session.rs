//! The life of a running mesh, from its start to its end.

use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use meshc_driver::CheckedMesh;
use tokio::time::{MissedTickBehavior, interval};

use super::Settings;
use super::environment::environment;
use super::guest::{Guest, end_strays};
use super::readiness;
use super::reload::Follower;
use super::running::Running;
use super::signals::Signals;
use super::table::{Files, table};
use crate::console::Console;
use crate::exit::{Context, Exit, Failure};
use crate::output::print;

/// How often it is looked whether the file has changed or a process has ended.
const GLANCE: Duration = Duration::from_millis(250);

/// Runs a mesh until its command ends or a signal comes, and then ends all of it.
pub(crate) async fn session(
    settings: &Settings,
    mesh: CheckedMesh,
    files: Vec<PathBuf>,
    console: &Console,
) -> Result<Exit, Failure> {
    let mut signals = Signals::catch()?;
    let mut follower = Follower::new(settings.mesh.clone(), settings.data_plane, files);
    let mut running = Running::prepare(settings, mesh)?;
    let mut guest = None;
    let result = tokio::select! {
        biased;
        signal = signals.received() => Ok(interrupted(signal, settings)),
        result = live(settings, &mut running, &mut guest, &mut follower, console) => result,
    };
    if let Some(guest) = &mut guest {
        guest.stop().await;
    }
    running.stop().await;
    if guest.is_some() {
        end_strays().await;
    }
    result
}

/// Somebody ends a mesh without a command in the usual way; a command that was cut short has not succeeded.
fn interrupted(signal: u8, settings: &Settings) -> Exit {
    if settings.command.is_empty() { Exit::Ok } else { Exit::Command(128 + signal) }
}

async fn live(
    settings: &Settings,
    running: &mut Running,
    guest: &mut Option<Guest>,
    follower: &mut Follower,
    console: &Console,
) -> Result<Exit, Failure> {
    let mut progress = console.progress("starting");
    running.start(&settings.programs)?;
    let awaited = running.awaited();
    readiness::wait(&mut running.fleet, awaited, &mut progress).await?;
    drop(progress);
    let found = environment(running);
    if !settings.command.is_empty() {
        for name in &found.ambiguous {
            console.warning(&format!("`{name}` could mean several addresses, so it is not set"));
        }
    }
    *guest = Guest::start(&settings.command, &found.variables)?;
    if guest.is_none() {
        let files = Files {
            trusted: &|cluster, gateway, secret| running.server_tls.public(cluster, gateway, secret),
            shown: &|cluster, gateway, secret| running.server_tls.client(cluster, gateway, secret),
            outside: running.outside.roots(),
        };
        print(&table(&running.layout, &files)).context(|| String::from("write to standard output"))?;
        console.note("The mesh runs until Ctrl-C. Make an application fail: meshc fail SERVICE --in CLUSTER");
        let socket = running.home.socket().display();
        console.note(&format!("Where several meshes have that service, this one is MESH_CONTROL={socket}"));
    }
    let mut glances = interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            status = ended(guest) => {
                return status.map(Exit::Command).context(|| String::from("wait for the command"));
            }
            _ = glances.tick() => {
                for (process, status) in running.fleet.ended() {
                    console.note(&format!("{} has ended: {status}; its log: {}", process.name, process.log.display()));
                }
                if let Err(failure) = running.follow_readiness() {
                    console.failure(&failure);
                }
                follower.glance(running, console).await;
            }
        }
    }
}

/// Waits for the command; without one, for ever.
async fn ended(guest: &mut Option<Guest>) -> std::io::Result<u8> {
    match guest {
        Some(guest) => guest.wait().await,
        None => pending().await,
    }
}
