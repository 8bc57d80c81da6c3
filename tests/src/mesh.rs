//! A whole mesh on this machine, started through `meshc up` as a user would.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::http::{Request, Response};
use crate::{process, tools};

/// Which data plane carries the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataPlane {
    /// The real Envoy.
    Envoy,
    /// The bundled proxy.
    Meshd,
}

impl DataPlane {
    /// The word on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Meshd => "meshd",
        }
    }
}

/// A running mesh. It ends with the value.
pub struct Mesh {
    child: Child,
    environment: BTreeMap<String, String>,
    /// A copy of the source that a test may edit.
    pub source: PathBuf,
    /// The data plane it runs on.
    pub data_plane: DataPlane,
    logs: PathBuf,
    _directory: tempfile::TempDir,
}

/// How long a whole mesh may take to be ready on a busy machine.
const START: Duration = Duration::from_secs(90);

impl Mesh {
    /// Starts the mesh of a source text and waits until all of it is ready.
    ///
    /// # Panics
    /// If it does not start; with everything `meshc up` printed.
    #[must_use]
    pub fn up(source: &str, data_plane: DataPlane) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("mesh.mesh");
        std::fs::write(&file, source).expect("the source can be written");
        let logs = directory.path().join("logs");
        let errors = directory.path().join("up.stderr");
        let stderr = std::fs::File::create(&errors).expect("a log file");
        // The command prints its environment and then waits for the end of its input, which is ours.
        let script = "env -0 | tr '\\n\\0' ' \\n'; echo MESH_IS_READY; exec cat >/dev/null";
        let mut command = Command::new(tools::binary("meshc"));
        command
            .arg("up")
            .arg(&file)
            .args(["--data-plane", data_plane.word()])
            .arg("--keep-logs")
            .arg(&logs)
            .args(["--", "sh", "-c", script])
            .env("MESH_ENVOY", tools::tool("envoy"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = child.stdout.take().expect("piped");
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    // Nobody listens any more; keep reading so that the other side never blocks.
                    continue;
                }
            }
        });
        let mut environment = BTreeMap::new();
        let mut printed = String::new();
        loop {
            match lines.recv_timeout(START) {
                Ok(line) if line == "MESH_IS_READY" => break,
                Ok(line) => {
                    if let Some((name, value)) = line.split_once('=')
                        && name.starts_with("MESH_")
                    {
                        environment.insert(name.to_owned(), value.to_owned());
                    }
                    printed.push_str(&line);
                    printed.push('\n');
                }
                Err(_) => {
                    process::signal(child.id(), "TERM");
                    process::wait(&mut child, Duration::from_secs(10));
                    let errors = std::fs::read_to_string(&errors).unwrap_or_default();
                    panic!("the mesh did not start\n--- stdout\n{printed}\n--- stderr\n{errors}");
                }
            }
        }
        Self { child, environment, source: file, data_plane, logs, _directory: directory }
    }

    /// An address of the environment.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn address(&self, variable: &str) -> SocketAddr {
        let value = self.environment.get(variable);
        let value = value.unwrap_or_else(|| panic!("no {variable} in {:#?}", self.environment));
        value.parse().unwrap_or_else(|_| panic!("{variable}={value} is no address"))
    }

    /// A variable of the environment that starts with `MESH_`.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.environment.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.environment))
    }

    /// A request through an ingress gateway.
    #[must_use]
    pub fn ingress(&self, gateway: &str, request: &Request) -> Response {
        request.send(self.address(&format!("MESH_GATEWAY_{gateway}")))
    }

    /// A request of a caller's application to its sidecar; `call` is the variable's name after `MESH_CALL_`.
    #[must_use]
    pub fn call(&self, call: &str, request: &Request) -> Response {
        request.send(self.address(&format!("MESH_CALL_{call}")))
    }

    /// Makes a stand-in application fail: `error`, `hang` or `gone`.
    pub fn fail(&self, service: &str, cluster: &str, how: &str) {
        self.meshc(&["fail", service, "--in", cluster, "--how", how]);
    }

    /// Heals a stand-in application.
    pub fn heal(&self, service: &str, cluster: &str) {
        self.meshc(&["heal", service, "--in", cluster]);
    }

    /// Runs `meshc` beside the running mesh, as from another terminal.
    pub fn meshc(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(tools::binary("meshc"));
        command.args(arguments).envs(&self.environment);
        process::succeed(&mut command)
    }

    /// The log of a proxy, by its name such as `west/gateways/ingress`.
    #[must_use]
    pub fn log(&self, proxy: &str) -> String {
        let file = self.logs.join(format!("{}.log", proxy.replace('/', "_")));
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// Where the mesh keeps its files while it runs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        Path::new(self.variable("MESH_DIRECTORY"))
    }

    /// Ends the mesh and returns the status of `meshc up`.
    pub fn down(mut self) -> Option<std::process::ExitStatus> {
        drop(self.child.stdin.take());
        process::wait(&mut self.child, Duration::from_secs(30))
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if process::wait(&mut self.child, Duration::from_secs(20)).is_none() {
            process::signal(self.child.id(), "KILL");
            let _ = self.child.wait();
        }
    }
}
