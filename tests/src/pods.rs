//! Built trees in network and mount namespaces of the test's own: one per pod, without Kubernetes.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::build::{Built, kustomize};
use crate::{process, tools};

/// The running pods. They end with the value: the kernel ends all processes of a process namespace with its first one.
pub struct Pods {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    logs: PathBuf,
}

/// An application's own Deployment, as its team would write it, and the component that joins it to the mesh.
#[derive(Clone, Copy, Debug)]
pub struct Application {
    /// What runs: `app` is the stand-in, and anything else a program of this workspace, which is told its port.
    pub image: &'static str,
    /// The namespace of the service.
    pub namespace: &'static str,
    /// Where it runs.
    pub cluster: &'static str,
    /// The service that it is.
    pub service: &'static str,
    /// Its own port.
    pub port: u16,
    /// How many pods it has: `east-catalog`, `east-catalog-1` and so on.
    pub replicas: u32,
}

/// One pod of the stand-in, in the namespace `istioinaction`.
#[must_use]
pub const fn one(cluster: &'static str, service: &'static str, port: u16) -> Application {
    Application { image: "app", namespace: "istioinaction", cluster, service, port, replicas: 1 }
}

/// What runs in the ACME mesh.
pub const ACME: [Application; 4] = [
    one("west", "webapp", 8080),
    one("west", "simple-backend", 8080),
    one("east", "simple-backend", 8080),
    one("east", "catalog", 3000),
];

/// Which addresses the pods of a cluster have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both, IPv4 first.
    Dual,
}

impl Families {
    /// As Kubernetes names them.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::V4 => &["IPv4"],
            Self::V6 => &["IPv6"],
            Self::Dual => &["IPv4", "IPv6"],
        }
    }
}

impl Pods {
    /// Starts the pods of the ACME mesh in both clusters from what `meshc build` and `meshc trust export` wrote.
    ///
    /// # Panics
    /// If a pod does not get ready; with its log.
    #[must_use]
    pub fn acme(built: &Built) -> Self {
        Self::of(built, &["west", "east"], &ACME)
    }

    /// The same of any mesh.
    ///
    /// # Panics
    /// If a pod does not get ready; with its log.
    #[must_use]
    pub fn of(built: &Built, names: &[&str], applications: &[Application]) -> Self {
        Self::watched(built, names, applications, Duration::from_secs(1))
    }

    /// The same; the memory of containers is read so often.
    ///
    /// # Panics
    /// If a pod does not get ready; with its log.
    #[must_use]
    pub fn watched(built: &Built, names: &[&str], applications: &[Application], memory: Duration) -> Self {
        let clusters: Vec<_> = names.iter().map(|name| (*name, Families::V4)).collect();
        Self::in_clusters(built, &clusters, applications, memory)
    }

    /// The same in one cluster whose services have this DNS domain.
    ///
    /// # Panics
    /// If a pod does not get ready; with its log.
    #[must_use]
    pub fn with_domain(built: &Built, name: &str, domain: &str, applications: &[Application]) -> Self {
        Self::everywhere(built, &[(name, Families::V4, domain)], applications, Duration::from_secs(1))
    }

    /// The same in clusters whose pods have these addresses.
    ///
    /// # Panics
    /// If a pod does not get ready; with its log.
    #[must_use]
    pub fn in_clusters(
        built: &Built,
        names: &[(&str, Families)],
        applications: &[Application],
        memory: Duration,
    ) -> Self {
        let clusters: Vec<_> =
            names.iter().map(|(name, families)| (*name, *families, "cluster.local")).collect();
        Self::everywhere(built, &clusters, applications, memory)
    }

    fn everywhere(
        built: &Built,
        names: &[(&str, Families, &str)],
        applications: &[Application],
        memory: Duration,
    ) -> Self {
        let work = built.path().join("namespaces");
        let mut clusters = Vec::new();
        for (cluster, families, domain) in names {
            let folder = built.path().join("rendered").join(cluster);
            std::fs::create_dir_all(&folder).expect("writable");
            let mut manifests = vec![folder.join("mesh.yaml"), folder.join("identities.yaml")];
            std::fs::write(&manifests[0], kustomize(&built.out().join(cluster))).expect("writable");
            let secrets = built.meshc(&["trust", "export", "mesh.mesh", "--cluster", cluster]);
            std::fs::write(&manifests[1], secrets).expect("writable");
            for application in applications.iter().filter(|one| one.cluster == *cluster) {
                let file = folder.join(format!("{}.yaml", application.service));
                std::fs::write(&file, application.rendered(built)).expect("writable");
                manifests.push(file);
            }
            clusters.push(json!({
                "name": cluster, "domain": domain, "families": families.words(), "manifests": manifests,
            }));
        }
        let specification = json!({
            "work": work,
            "visible": [tools::workspace(), tools::binary("meshd").parent()],
            "clusters": clusters,
            "memory_interval": memory.as_secs_f64(),
            "programs": {
                "answers": tools::binary("answers"),
                "envoy": tools::tool("envoy"),
                "meshd": tools::binary("meshd"),
                "redis": tools::system("redis-server"),
                "python": tools::tool("python"),
            },
        });
        std::fs::create_dir_all(&work).expect("writable");
        let file = work.join("specification.json");
        std::fs::write(&file, specification.to_string()).expect("writable");
        Self::start(&file, &work)
    }

    fn start(specification: &Path, work: &Path) -> Self {
        let mut command = Command::new(tools::system("unshare"));
        if process::succeed(Command::new("id").arg("-u")).trim() != "0" {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command
            .arg(tools::tool("python"))
            .arg(tools::workspace().join("tests/namespaces/kubelet.py"))
            .arg(specification);
        let errors = work.join("kubelet.log");
        let log = std::fs::File::create(&errors).expect("writable");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut pods = Self { child, input, output, logs: work.join("logs") };
        let mut ready = String::new();
        let read = pods.output.read_line(&mut ready).unwrap_or(0);
        let said = std::fs::read_to_string(&errors).unwrap_or_default();
        assert!(read > 0 && ready.contains("ready"), "the pods did not get ready:\n{said}");
        pods
    }

    fn ask(&mut self, command: &Value) -> Value {
        let input = self.input.as_mut().expect("open while the pods run");
        writeln!(input, "{command}").expect("the pods run");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("the pods run");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("no answer to {command}: {error}"))
    }

    /// A request from inside a pod such as `west-webapp`: status (0 without an answer) and body.
    pub fn get(&mut self, pod: &str, url: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let answer = self.asked_for(pod, url, headers);
        let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
        let body = answer["body"].as_str().unwrap_or_default();
        (status, serde_json::from_str(body).unwrap_or_else(|_| Value::from(body)))
    }

    /// What a request that is a gRPC call is told in headers alone: status, `grpc-status` and `grpc-message`.
    pub fn grpc(&mut self, pod: &str, url: &str, host: &str) -> (u64, String, String) {
        let answer = self.asked_for(pod, url, &[("host", host), ("content-type", "application/grpc")]);
        let said = |part: usize| answer["grpc"][part].as_str().unwrap_or_default().to_owned();
        (answer["status"].as_u64().unwrap_or(0), said(0), said(1))
    }

    fn asked_for(&mut self, pod: &str, url: &str, headers: &[(&str, &str)]) -> Value {
        let headers: serde_json::Map<String, Value> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        self.ask(&json!({ "get": { "pod": pod, "url": url, "headers": headers } }))
    }

    /// Requests from inside a pod, one after the other with these headers each, as `ask.py` is told: status, the cookie that
    /// was set, and the application's answer.
    ///
    /// # Panics
    /// If one of them gets no answer.
    pub fn ask_all(&mut self, wanted: &Value) -> Vec<(u64, Option<String>, Value)> {
        let answers = self.ask(&json!({ "ask": wanted }));
        let answers = answers.as_array().unwrap_or_else(|| panic!("{answers}"));
        let answer = |answer: &Value| {
            let cookie = answer[1].as_str().map(str::to_owned);
            let body = answer[2].as_str().unwrap_or_default();
            (answer[0].as_u64().unwrap_or(0), cookie, serde_json::from_str(body).unwrap_or_default())
        };
        answers.iter().map(answer).collect()
    }

    /// What the containers of a pod such as `east-rate-limit` wrote.
    #[must_use]
    pub fn log(&self, pod: &str) -> String {
        let files = std::fs::read_dir(&self.logs).into_iter().flatten().flatten().map(|entry| entry.path());
        let mine =
            files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(pod)));
        mine.map(|path| std::fs::read_to_string(path).unwrap_or_default()).collect()
    }

    /// The names that a cluster's DNS server was asked for.
    #[must_use]
    pub fn asked(&self, cluster: &str) -> Vec<String> {
        let file = self.logs.with_file_name(format!("dns-{cluster}.json.asked"));
        std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// The questions that a cluster's DNS server was asked, such as `AAAA catalog.shop.svc.cluster.local`.
    #[must_use]
    pub fn questions(&self, cluster: &str) -> Vec<String> {
        let file = self.logs.with_file_name(format!("dns-{cluster}.json.types"));
        std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Starts kept connections under load in a pod; see `client.py` for what it is told.
    ///
    /// # Panics
    /// If the pods have ended.
    pub fn load(&mut self, load: &Value) {
        self.ask(&json!({ "load": load }));
    }

    /// What a load counted, once it is over.
    ///
    /// # Panics
    /// If the pods have ended.
    pub fn loaded(&mut self, name: &str) -> Value {
        self.ask(&json!({ "loaded": { "name": name } }))
    }

    /// One more pod of what another pod is a replica of, such as `west-cart`; it can be found once it is ready. `name` is
    /// without the cluster.
    ///
    /// # Panics
    /// If the pods have ended, or the new one does not get ready.
    pub fn begin(&mut self, name: &str, like: &str) {
        self.ask(&json!({ "begin": { "pod": name, "like": like } }));
    }

    /// Deletes a pod as Kubernetes does, in the background.
    ///
    /// # Panics
    /// If the pods have ended.
    pub fn end(&mut self, pod: &str) {
        self.ask(&json!({ "end": { "pod": pod } }));
    }

    /// How a pod ended, once it has: `seconds`, what its `hooks` ended with, and which containers had to be `killed`.
    ///
    /// # Panics
    /// If the pods have ended.
    pub fn ended(&mut self, pod: &str) -> Value {
        self.ask(&json!({ "ended": { "pod": pod } }))
    }

    /// The most memory in bytes that was used so far in each pod with a container that has a limit: `limit`, `resident`,
    /// `sockets`, and `sum` at one moment.
    ///
    /// # Panics
    /// If the pods have ended.
    pub fn memory(&mut self) -> Value {
        self.ask(&json!({ "memory": {} }))
    }

    /// Makes a pod's application answer with 500, or not any more.
    pub fn fail(&mut self, pod: &str, failing: bool) {
        self.ask(&json!({ "fail": { "pod": pod, "failing": failing } }));
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        drop(self.input.take());
        if process::wait(&mut self.child, Duration::from_secs(10)).is_none() {
            process::signal(self.child.id(), "KILL");
            let _ = self.child.wait();
        }
    }
}

impl Application {
    /// The Deployment with the component applied, through the real kustomize.
    fn rendered(&self, built: &Built) -> String {
        let Self { image, namespace, cluster, service, port, replicas } = self;
        let folder = built.path().join("applications").join(cluster).join(service);
        std::fs::create_dir_all(&folder).expect("writable");
        let deployment = format!(
            "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {service}, namespace: {namespace}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {service}}}}}
  template:
    metadata: {{labels: {{app: {service}}}}}
    spec:
      containers:
      - {{name: {service}, image: \"{image}:1\", args: [\"{port}\"], ports: [{{containerPort: {port}}}]}}
"
        );
        std::fs::write(folder.join("deployment.yaml"), deployment).expect("writable");
        let component = format!("../../../out/{cluster}/sidecars/{namespace}/{service}");
        let kustomization = format!("resources: [deployment.yaml]\ncomponents: [{component}]\n");
        std::fs::write(folder.join("kustomization.yaml"), kustomization).expect("writable");
        kustomize(&folder)
    }
}
