//! Tests that are asked of a running mesh: `meshc test --live`.
//!
//! Which requests show something, and what their answers come to, is decided in `meshc_answers::live`; here they are sent.
//! Applications fail by the control socket of the running mesh, and only as long as this process keeps it open.

mod asking;
mod client;
mod connection;
mod exchange;
mod reading;
mod tls;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::exit::{Context, Failure};
use crate::progress::Progress;
use crate::up::control::{self, VARIABLE};
use crate::up::places::{Places, short};
use crate::up::{runtime, stand_in};

pub(crate) use asking::{Answered, Open, ask};

/// How long a running mesh may take to be brought to a text that was just saved.
const RELOAD: Duration = Duration::from_secs(5);
/// How often it is asked whether it has been.
const GLANCE: Duration = Duration::from_millis(100);

/// A running mesh.
#[derive(Debug)]
pub(crate) struct Live {
    /// Its control socket.
    pub(crate) socket: PathBuf,
    /// Where everything is.
    pub(crate) places: Places,
}

impl Live {
    /// The running mesh of a file.
    pub(crate) fn find(file: &Path) -> Result<Self, Failure> {
        let given = std::env::var_os(VARIABLE);
        let socket = control::of_file(&runtime::directory()?, given.as_deref().map(Path::new), file)?;
        let places = control::places(&socket)?;
        Ok(Self { socket, places })
    }

    /// Waits until it runs this plan, and refuses another, or one of which something fails already.
    pub(crate) fn expect(&mut self, plan: &meshc_plan::Plan, progress: &mut Progress) -> Result<(), Failure> {
        let (wanted, begun) = (short(plan), Instant::now());
        while self.places.plan != wanted {
            if begun.elapsed() > RELOAD {
                return Err(Failure::new("the mesh that runs was made from another text than this one").help(
                    "start it again where `meshc up` says that it needs a restart, and give both commands the same -D and --values",
                ));
            }
            progress.step("waiting for the running mesh to follow the file");
            std::thread::sleep(GLANCE);
            self.places = control::places(&self.socket)?;
        }
        match self.places.failing.first() {
            None => Ok(()),
            Some((stand_in::Instance { service, cluster }, _)) => Err(Failure::new(format!(
                "`{service}` in `{cluster}` was told to fail, and tests begin with a mesh that is well"
            ))
            .help(format!("meshc heal {service} --in {cluster}"))),
        }
    }
}

/// A place to run what waits for sockets.
pub(crate) fn executor() -> Result<tokio::runtime::Runtime, Failure> {
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build();
    executor.context(|| String::from("start"))
}
