//! `meshc up`: runs a whole mesh on this machine.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::compile::{DataPlaneWord, MeshArguments};
use crate::completion;
use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::up::{self, App, Programs, Settings};

pub(crate) const EXAMPLE: &str = r#"Example:
  $ meshc up mesh.mesh --data-plane meshd
  $ meshc up mesh.mesh --data-plane meshd -- \
    sh -c 'curl -sH "Host: webapp.istioinaction.io" $MESH_GATEWAY_WEST_INGRESS'

Every proxy of every cluster runs as a process of its own on ports of 127.0.0.1,
or of ::1 in clusters with ip_family = ipv6; applications are stood in for.
They answer HTTP with JSON (?delay=MS waits first, ?bytes=N answers with so many
bytes), return every message of a WebSocket, and serve over gRPC: health,
reflection, meshc.v1.Echo, and any other method with an empty message. The
trailer x-answer of the latter, and that header of a WebSocket, have the JSON.
TCP gets every byte back.

A command runs once all is ready, and its status is that of meshc. It finds in
its environment, each as host:port:
  MESH_GATEWAY_<CLUSTER>_<GATEWAY>           a gateway (a port of it: …_<PORT>)
  MESH_CALL_<CLUSTER>_<CALLER>__<CALLEE>_<PORT>          where a caller calls
  MESH_READINESS_<PROXY>, MESH_METRICS_<PROXY>, MESH_INBOUND_<PROXY>
  MESH_APPLICATION_<PROXY>_<PORT>        where a sidecar reaches its application
and paths: where the mesh keeps its files, its control socket, and which
certificate a client of a gateway's TLS port trusts (curl --cacert):
  MESH_CLIENT_CERT_<CLUSTER>_<GATEWAY>_<SECRET>, MESH_CLIENT_KEY_…   a client's
  MESH_DIRECTORY, MESH_CONTROL, MESH_CACERT_<CLUSTER>_<GATEWAY>_<PORT or SECRET>
Names are in upper case, with `_` for every other character; callers and callees
are <NAMESPACE>_<SERVICE>.

Each address has the same port in every run of one file, where that is free.
While it runs, a change of the file takes effect at once as long as no proxy and
no port comes or goes."#;

/// Arguments of `meshc up`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    mesh: MeshArguments,
    /// Run with this data plane, whatever the mesh says.
    #[arg(long, value_enum)]
    data_plane: Option<DataPlaneWord>,
    /// The Envoy to run. Default: $MESH_ENVOY, the one in tests/.tools of the checkout that meshc
    /// was built in, or on the path.
    #[arg(long, value_name = "PATH")]
    envoy: Option<PathBuf>,
    /// The meshd to run. Default: the one beside meshc, or on the path.
    #[arg(long, value_name = "PATH")]
    meshd: Option<PathBuf>,
    /// Write the logs of all processes to this directory and leave them there.
    #[arg(long, value_name = "DIR")]
    keep_logs: Option<PathBuf>,
    /// Write a copy of every proxy's configuration to this directory.
    #[arg(long, value_name = "DIR")]
    show_config: Option<PathBuf>,
    /// Let a process of your own, which listens on this port of 127.0.0.1, take the place of a service's
    /// application, in every cluster. A port of an application that has several: SERVICE:PORT=PORT.
    #[arg(long = "app", value_name = "SERVICE=PORT", add = completion::applications())]
    apps: Vec<App>,
    /// What to run once the mesh is ready.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Runs it.
pub(crate) fn run(arguments: Arguments, console: &Console) -> Result<Exit, Failure> {
    let Arguments { mesh, data_plane, envoy, meshd, keep_logs, show_config, apps, command } = arguments;
    let programs = Programs { envoy, meshd };
    if mesh.reads_standard_input() {
        return Err(Failure::new("`meshc up` follows changes of files, and standard input is none")
            .help("write the mesh to a file, and name that"));
    }
    let file = mesh.entry();
    up::run(&Settings { mesh, file, data_plane, programs, keep_logs, show_config, apps, command }, console)
}
