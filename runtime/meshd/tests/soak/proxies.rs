//! The three proxies: their configurations, their certificates, their processes, and what these use.

use crate::certificates::Authority;
use crate::ledger::Ledger;
use crate::tls::{sni, spiffe};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Every process has an address range of its own and counts ports, so runs never collide, whatever is beside them.
pub(crate) fn address() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(12_000);
    let pid = std::process::id();
    let ip = Ipv4Addr::new(127, 100 + (pid >> 16) as u8 % 100, (pid >> 8) as u8, (pid as u8).clamp(1, 254));
    SocketAddr::new(ip.into(), PORT.fetch_add(1, Ordering::SeqCst))
}

/// What changes while everything runs.
#[derive(Debug, Clone)]
pub(crate) struct Knobs {
    /// Whether the caller's sidecar has one more listener.
    pub(crate) extra: bool,
    /// Which of the gateway's two listeners the caller's sidecar uses.
    pub(crate) gateways: Vec<SocketAddr>,
    pub(crate) ones: Vec<SocketAddr>,
    pub(crate) twos: Vec<SocketAddr>,
    pub(crate) bytes: Vec<SocketAddr>,
    /// Counts changes, and is in routes.
    pub(crate) turn: u64,
}

/// Where everything listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pub(crate) http: SocketAddr,
    pub(crate) extra: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) gateways: [SocketAddr; 2],
    pub(crate) inbound: SocketAddr,
    /// The metrics of the caller's sidecar, the gateway, and the callee's sidecar.
    pub(crate) metrics: [SocketAddr; 3],
}

/// Threads that serve in each of them.
pub(crate) const WORKERS: usize = 2;

pub(crate) const NAMES: [&str; 3] = ["caller", "gateway", "callee"];

/// An upstream. Unused connections are closed soon, so that none are left at the end.
fn upstream(endpoints: &[SocketAddr], more: &Value) -> Value {
    let endpoints: Vec<Value> =
        endpoints.iter().map(|at| json!({ "host": at.ip().to_string(), "port": at.port() })).collect();
    let mut group = json!({ "name": "all", "endpoints": endpoints,
        "outlier": { "consecutive_connections": 3, "interval": "200ms", "ejection": "500ms" } });
    let mut upstream = json!({ "connect_timeout": "20s",
        "pool": { "max_connections": 2000, "max_pending": 2000, "max_requests": 2000, "idle_timeout": "1s" } });
    for (name, value) in more.as_object().unwrap() {
        match name.as_str() {
            "tls" => group[name] = value.clone(),
            _ => upstream[name] = value.clone(),
        }
    }
    upstream["groups"] = json!([group]);
    upstream
}

fn listener(name: &str, bind: SocketAddr, kind: &Value) -> Value {
    json!({ "name": name, "bind": bind.to_string(), "kind": kind })
}

/// Routes to a place. A request that an origin lets wait for ever is given up; others may take their time.
fn routes(name: &str, turn: u64) -> Value {
    let hang = json!([{ "name": "x-fault", "value": { "exact": "hang" } }]);
    let seconds = 100 + turn % 7;
    let mut routes = vec![
        json!({ "name": "hang", "match": { "headers": hang }, "to": [{ "upstream": name }], "timeout": "3s" }),
        json!({ "name": format!("turn-{turn}"), "match": { "path": { "prefix": "/r" } }, "to": [{ "upstream": name }],
            "timeout": format!("{seconds}s") }),
        json!({ "name": "all", "to": [{ "upstream": name }], "upgrades": ["websocket"] }),
    ];
    if turn.is_multiple_of(2) {
        routes.insert(
            1,
            json!({ "name": "odd", "match": { "path": { "exact": "/odd" } }, "to": [{ "upstream": name }] }),
        );
    }
    json!(routes)
}

fn http(turn: u64) -> Value {
    json!({ "http": { "virtual_hosts": [
        { "name": "one", "hosts": ["one"], "routes": routes("one", turn) },
        { "name": "two", "hosts": ["two"], "routes": routes("two", turn) },
    ] } })
}

impl Knobs {
    fn caller(&self, places: &Places) -> Value {
        let mut listeners = vec![
            listener("http", places.http, &http(self.turn)),
            listener("bytes", places.tcp, &json!({ "tcp": { "to": [{ "upstream": "bytes" }] } })),
        ];
        if self.extra {
            listeners.push(listener("extra", places.extra, &http(self.turn)));
        }
        let to = |port: &str| {
            upstream(&self.gateways, &json!({ "tls": { "sni": sni(port), "peers": [spiffe("callee")] } }))
        };
        json!({ "listeners": listeners, "upstreams": { "one": to("one"), "two": to("two"), "bytes": to("bytes") } })
    }

    fn gateway(&self, places: &Places) -> Value {
        let names: Vec<String> = ["one", "two", "bytes"].map(sni).to_vec();
        let mut chains = vec![json!({ "sni": names, "to": [{ "upstream": "callee" }] })];
        if self.turn.is_multiple_of(2) {
            chains.push(json!({ "sni": [sni("other")], "to": [{ "upstream": "callee" }] }));
        }
        let kind = json!({ "pass_through": { "hello_timeout": "30s", "chains": chains } });
        let [first, second] = places.gateways;
        json!({ "listeners": [listener("first", first, &kind), listener("second", second, &kind)],
            "upstreams": { "callee": upstream(&[places.inbound], &json!({})) } })
    }

    fn callee(&self, places: &Places) -> Value {
        let retry = json!({ "attempts": 2, "on": ["5xx"], "methods": ["GET"] });
        let http =
            |name: &str| json!({ "http": { "upstream": name, "retry": retry, "upgrades": ["websocket"] } });
        let chain = |name: &str, app: Value| json!({ "sni": [sni(name)], "peers": ["spiffe://cluster.local/*"], "app": app });
        let bytes = json!({ "tcp": { "upstream": "bytes", "max_connect_attempts": 2 } });
        let chains = [chain("one", http("one")), chain("two", http("two")), chain("bytes", bytes)];
        json!({ "listeners": [listener("inbound", places.inbound, &json!({ "inbound": { "chains": chains } }))],
            "upstreams": {
                "one": upstream(&self.ones, &json!({ "protocol": "http1" })),
                "two": upstream(&self.twos, &json!({ "protocol": "http2" })),
                "bytes": upstream(&self.bytes, &json!({})),
            } })
    }
}

/// What a process uses.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    /// Its own resident memory in KiB; pages of the program's file are not its own.
    pub(crate) resident: u64,
    /// Bytes in use, as it counts itself.
    pub(crate) heap: u64,
    /// Open files, sockets and the like, without pipes.
    pub(crate) descriptors: usize,
    /// Ends of pipes. Each worker keeps those that it once had, up to a bound, for the next one who needs them.
    pub(crate) pipes: usize,
    pub(crate) connections: u64,
}

/// All three, with their folder and their root.
pub(crate) struct Proxies {
    folder: TempDir,
    root: Authority,
    places: Places,
    running: Vec<Child>,
    renewed: u64,
}

impl Proxies {
    pub(crate) fn start(places: Places, root: Authority, knobs: &Knobs, ledger: &Arc<Ledger>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut proxies = Proxies { folder, root, places, running: Vec::new(), renewed: 0 };
        proxies.renew("caller");
        proxies.renew("callee");
        for name in NAMES {
            proxies.write(name, knobs);
            let mut child = Command::new(env!("CARGO_BIN_EXE_meshd"))
                .args([
                    "run",
                    "--workers",
                    &WORKERS.to_string(),
                    "--drain-seconds",
                    "0",
                    "--finish-seconds",
                    "5",
                    "--config",
                ])
                .arg(proxies.path(&format!("{name}.json")))
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
            proxies.running.push(child);
            assert_eq!(lines.next().unwrap().unwrap(), "meshd: ready", "{name}");
            let ledger = Arc::clone(ledger);
            std::thread::spawn(move || {
                for line in lines.map_while(Result::ok) {
                    if !line.ends_with("meshd: draining") {
                        ledger.wrong(format!("{name} says: {line}"));
                    }
                }
            });
        }
        proxies
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a proxy's configuration.
    pub(crate) fn write(&self, name: &str, knobs: &Knobs) {
        let (mut config, metrics) = match name {
            "caller" => (knobs.caller(&self.places), self.places.metrics[0]),
            "gateway" => (knobs.gateway(&self.places), self.places.metrics[1]),
            _ => (knobs.callee(&self.places), self.places.metrics[2]),
        };
        config["version"] = json!(1);
        config["node"] =
            json!({ "name": name, "cluster": "soak", "data": { "turn": knobs.turn.to_string() } });
        // Enough that no connection has to go; memory is looked at only where there is a limit.
        config["bounds"] = json!({ "memory": 1_u64 << 30, "connections": 5000 });
        config["access_log"] = json!({ "file": "/dev/null" });
        if name != "gateway" {
            let file = |file: &str| self.path(name).join(file).to_str().unwrap().to_owned();
            config["identity"] = json!({ "certificate": file("tls.crt"), "private_key": file("tls.key"),
                "trust_bundle": file("ca.crt") });
        }
        let page = listener("metrics", metrics, &json!({ "metrics": {} }));
        config["listeners"].as_array_mut().unwrap().push(page);
        let staged = self.path(&format!(".{name}.json"));
        std::fs::write(&staged, config.to_string()).unwrap();
        std::fs::rename(staged, self.path(&format!("{name}.json"))).unwrap();
    }

    /// Gives a proxy a new certificate, as Kubernetes swaps a mounted Secret.
    pub(crate) fn renew(&mut self, name: &str) {
        self.renewed += 1;
        let mount = self.path(name);
        let generation = format!("..{}", self.renewed);
        self.root.issue(&spiffe(name)).write(&mount.join(&generation), &self.root.pem);
        for file in ["tls.crt", "tls.key", "ca.crt"] {
            // They are there from the first time on.
            let _ = std::os::unix::fs::symlink(format!("..data/{file}"), mount.join(file));
        }
        std::os::unix::fs::symlink(&generation, mount.join("..tmp")).unwrap();
        std::fs::rename(mount.join("..tmp"), mount.join("..data")).unwrap();
    }

    /// Who reads what they use.
    pub(crate) fn reader(&self) -> Reader {
        Reader { metrics: self.places.metrics, processes: self.running.iter().map(Child::id).collect() }
    }

    /// Tells all of them to end; whether each did with success.
    pub(crate) fn stop(&mut self) -> Vec<bool> {
        for child in &self.running {
            let id = rustix::process::Pid::from_child(child);
            rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        }
        self.running.iter_mut().map(|child| child.wait().unwrap().success()).collect()
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads what the proxies use and say of themselves.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    metrics: [SocketAddr; 3],
    processes: Vec<u32>,
}

impl Reader {
    /// The number of a metric.
    pub(crate) async fn number(&self, name: &str, metric: &str) -> u64 {
        let at = NAMES.iter().position(|known| *known == name).unwrap();
        let mut stream = TcpStream::connect(self.metrics[at]).await.unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).await.unwrap();
        let value = page.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{metric} is not in {page}")).parse().unwrap()
    }

    /// Waits until a number is above what it was.
    pub(crate) async fn rises(&self, name: &str, metric: &str, before: u64) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.number(name, metric).await <= before {
            assert!(Instant::now() < deadline, "{metric} of {name} stays {before}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What each of them uses now.
    pub(crate) async fn used(&self) -> [Used; 3] {
        let mut all = [Used::default(); 3];
        for ((used, name), process) in all.iter_mut().zip(NAMES).zip(&self.processes) {
            let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
            let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
            used.resident = own.trim().trim_end_matches(" kB").parse().unwrap();
            for file in std::fs::read_dir(format!("/proc/{process}/fd")).unwrap() {
                // One that was closed meanwhile is none.
                let Ok(target) = std::fs::read_link(file.unwrap().path()) else { continue };
                match target.to_string_lossy().starts_with("pipe:") {
                    true => used.pipes += 1,
                    false => used.descriptors += 1,
                }
            }
            used.heap = self.number(name, "meshd_memory_bytes").await;
            used.connections = self.number(name, "meshd_connections_active").await;
        }
        all
    }
}
