//! A whole mesh on this machine, started through `meshc up` as a user would.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
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
    logs: PathBuf,
    errors: PathBuf,
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
        Self::start(source, &["--data-plane", data_plane.word()])
    }

    /// The same with processes of the test's own in the place of applications: `namespace.service` and where it listens.
    #[must_use]
    pub fn up_with(source: &str, data_plane: DataPlane, apps: &[(&str, SocketAddr)]) -> Self {
        let apps: Vec<String> =
            apps.iter().map(|(service, address)| format!("--app={service}={address}")).collect();
        let mut arguments = vec!["--data-plane", data_plane.word()];
        arguments.extend(apps.iter().map(String::as_str));
        Self::start(source, &arguments)
    }

    /// The same with the data planes that the mesh declares.
    #[must_use]
    pub fn up_as_declared(source: &str) -> Self {
        Self::start(source, &[])
    }

    fn start(source: &str, arguments: &[&str]) -> Self {
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
            .args(arguments)
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
        Self { child, environment, source: file, logs, errors, _directory: directory }
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

    /// Whether there is a variable of this name, such as that of a call which only some meshes declare.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.environment.contains_key(name)
    }

    /// A variable of the environment that starts with `MESH_`.
    ///
    /// # Panics
    /// If there is none of that name.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.environment.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.environment))
    }

    /// Takes the place of a stand-in application: `variable` is its name after `MESH_APPLICATION_`.
    ///
    /// # Panics
    /// If the stand-in keeps its port.
    #[must_use]
    pub fn replace(&self, service: &str, cluster: &str, variable: &str) -> TcpListener {
        let address = self.address(&format!("MESH_APPLICATION_{variable}"));
        self.fail(service, cluster, "gone");
        let listen = || TcpListener::bind(address).ok();
        process::eventually("the stand-in's port is free", Duration::from_secs(20), listen)
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

    /// The same, where it may fail: its exit status, standard output and standard error.
    pub fn meshc_says(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let output = process::run(&mut self.beside(arguments));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    }

    /// `meshc` beside the running mesh, as from another terminal.
    pub fn beside(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tools::binary("meshc"));
        command.args(arguments).envs(&self.environment);
        command
    }

    /// The same, where it may fail; whether it did not.
    pub fn try_meshc(&self, arguments: &[&str]) -> bool {
        let mut command = Command::new(tools::binary("meshc"));
        process::run(command.args(arguments).envs(&self.environment)).status.success()
    }

    /// The log of a proxy, by its name such as `west/gateways/ingress`.
    #[must_use]
    pub fn log(&self, proxy: &str) -> String {
        let file = self.logs.join(format!("{}.log", proxy.replace('/', "_")));
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// What `meshc up` printed on its standard error so far.
    #[must_use]
    pub fn errors(&self) -> String {
        std::fs::read_to_string(&self.errors).unwrap_or_default()
    }

    /// Puts other bytes in the place of meshd's configuration file, as a broken ConfigMap would.
    ///
    /// # Panics
    /// If the file cannot be written.
    pub fn overwrite_configuration(&self, proxy: &str, contents: &str) {
        let file = self.directory().join("proxies").join(proxy).join("etc/mesh/config/meshd.json");
        let file = std::fs::canonicalize(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        std::fs::write(&file, contents).expect("the file can be written");
    }

    /// The address of the application behind a sidecar, by the proxy's name such as `west/sidecars/shop/cart`. A test may
    /// listen there itself while the stand-in is told to be gone.
    ///
    /// # Panics
    /// If the sidecar's configuration names none.
    #[must_use]
    pub fn application(&self, proxy: &str) -> SocketAddr {
        let folder = self.directory().join("proxies").join(proxy).join("etc/mesh/config");
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let text = read("meshd.json").or_else(|| read("clusters.yaml")).expect("a proxy has a configuration");
        // JSON is YAML; both spell an endpoint of their own.
        let document: serde_json::Value = serde_yaml::from_str(&text).expect("it is YAML");
        let endpoint = if let Some(upstreams) = document["upstreams"].as_object() {
            let app = upstreams.iter().find(|(name, _)| name.starts_with("app:"));
            app.map(|(_, upstream)| upstream["groups"][0]["endpoints"][0].clone())
        } else {
            let clusters = document["resources"].as_array().into_iter().flatten();
            let mut app = clusters
                .filter(|cluster| cluster["name"].as_str().is_some_and(|name| name.starts_with("app:")));
            app.next().map(|cluster| {
                let endpoint = &cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
                let address = &endpoint["endpoint"]["address"]["socket_address"];
                serde_json::json!({ "host": address["address"], "port": address["port_value"] })
            })
        };
        let endpoint = endpoint.unwrap_or_else(|| panic!("{proxy} has no application: {text}"));
        let address = format!("{}:{}", endpoint["host"].as_str().unwrap_or_default(), endpoint["port"]);
        address.parse().unwrap_or_else(|_| panic!("{address} is no address"))
    }

    /// Where the mesh keeps its files while it runs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        Path::new(self.variable("MESH_DIRECTORY"))
    }

    /// The pid of `meshc up`.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The pid of the process of a proxy, by its name such as `west/gateways/ingress`.
    ///
    /// # Panics
    /// If there is not exactly one.
    #[must_use]
    pub fn proxy_pid(&self, proxy: &str) -> u32 {
        let pids = process::children(self.pid(), proxy);
        assert_eq!(pids.len(), 1, "one process of {proxy}: {pids:?}");
        pids[0]
    }

    /// Sends a signal to the processes whose command line contains `part` and waits until they have ended.
    ///
    /// # Panics
    /// If there is none, or if one does not end.
    pub fn stop(&self, part: &str, signal: &str) {
        let pids = process::children(self.pid(), part);
        assert!(!pids.is_empty(), "no process of the mesh has {part} in its command line");
        for pid in &pids {
            process::signal(*pid, signal);
        }
        let gone = || pids.iter().all(|pid| !process::alive(*pid)).then_some(());
        process::eventually(&format!("{part} ends"), Duration::from_secs(20), gone);
    }

    /// The Prometheus metrics of a proxy, by its name such as `east/sidecars/istioinaction/catalog`.
    #[must_use]
    pub fn metrics(&self, proxy: &str) -> String {
        let address = self.address(&format!("MESH_METRICS_{}", variable_part(proxy)));
        let answer = Request::get("localhost", "/metrics").send(address);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The readiness status of a proxy: 200, 503, or 0 if nobody listens any more.
    #[must_use]
    pub fn readiness(&self, proxy: &str) -> u16 {
        self.probe(proxy, "/healthz/ready")
    }

    /// The same of its liveness.
    #[must_use]
    pub fn liveness(&self, proxy: &str) -> u16 {
        self.probe(proxy, "/healthz/live")
    }

    fn probe(&self, proxy: &str, path: &str) -> u16 {
        let address = self.address(&format!("MESH_READINESS_{}", variable_part(proxy)));
        Request::get("localhost", path).try_send(address).map_or(0, |answer| answer.status)
    }

    /// Certificate chain and key of an identity.
    #[must_use]
    pub fn identity(&self, cluster: &str, namespace: &str, account: &str) -> (PathBuf, PathBuf) {
        let folder = self.keys().join(cluster).join("identities").join(namespace).join(account);
        (folder.join("tls.crt"), folder.join("tls.key"))
    }

    /// Certificate and key of the root.
    #[must_use]
    pub fn root(&self) -> (PathBuf, PathBuf) {
        let folder = self.keys().join("root");
        (folder.join("cert.pem"), folder.join("key.pem"))
    }

    /// Certificate and key of a cluster's intermediate.
    #[must_use]
    pub fn intermediate(&self, cluster: &str) -> (PathBuf, PathBuf) {
        let folder = self.keys().join(cluster).join("intermediate");
        (folder.join("cert.pem"), folder.join("key.pem"))
    }

    fn keys(&self) -> PathBuf {
        self.directory().join("keys")
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

/// A name as it stands in a variable of the environment: upper case, every other character as `_`.
fn variable_part(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}
