//! A place for one story: its own loopback address, its own folder, its own root, and the proxies in it.

use super::app::App;
use super::certificates::{Authority, Leaf};
use meshd_proxy::{Options, Proxy};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// A place for one story.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) root: Authority,
    running: Vec<Proxy>,
    apps: Vec<App>,
}

/// Every process has an address range of its own and counts ports, so stories never collide, whatever runs beside them.
pub(crate) fn address() -> SocketAddr {
    static PORT: AtomicU16 = AtomicU16::new(12_000);
    let pid = std::process::id();
    let ip = Ipv4Addr::new(127, 100 + (pid >> 16) as u8 % 100, (pid >> 8) as u8, (pid as u8).clamp(1, 254));
    SocketAddr::new(ip.into(), PORT.fetch_add(1, Ordering::SeqCst))
}

impl World {
    pub(crate) fn new() -> Self {
        World {
            folder: tempfile::tempdir().unwrap(),
            root: Authority::new("root"),
            running: Vec::new(),
            apps: Vec::new(),
        }
    }

    /// Lets an application live as long as this world.
    pub(crate) fn keep(&mut self, app: App) {
        self.apps.push(app);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Issues and writes an identity; the answer is the `identity` section of a configuration.
    pub(crate) fn identity(&self, spiffe: &str) -> Value {
        let folder = self.path(&format!("id-{}", spiffe.rsplit('/').next().unwrap()));
        self.root.issue(spiffe).write(&folder, &self.root.pem);
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        json!({ "certificate": file("tls.crt"), "private_key": file("tls.key"), "trust_bundle": file("ca.crt") })
    }

    pub(crate) fn leaf(&self, spiffe: &str) -> Leaf {
        self.root.issue(spiffe)
    }

    /// Writes a configuration; version and node are filled in.
    pub(crate) fn write(&self, name: &str, mut config: Value) -> PathBuf {
        config["version"] = json!(1);
        config["node"] = json!({ "name": name, "cluster": "test" });
        let path = self.path(&format!("{name}.json"));
        let staged = self.path(&format!(".{name}.json"));
        std::fs::write(&staged, serde_json::to_string_pretty(&config).unwrap()).unwrap();
        std::fs::rename(staged, &path).unwrap();
        path
    }

    pub(crate) fn options(&self, config: PathBuf) -> Options {
        let (finish, stuck_after) = (Duration::from_secs(5), Duration::from_secs(10));
        Options { config, workers: 2, drain: Duration::ZERO, finish, stuck_after }
    }

    /// Starts a proxy that runs until the story ends.
    pub(crate) fn start(&mut self, name: &str, config: Value) {
        let options = self.options(self.write(name, config));
        self.start_with(options);
    }

    /// The same with options of its own.
    pub(crate) fn start_with(&mut self, options: Options) {
        self.running.push(Proxy::start(options).unwrap());
    }
}

impl World {
    /// The proxy that was started last.
    pub(crate) fn proxy(&self) -> &Proxy {
        self.running.last().unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for proxy in self.running.drain(..) {
            proxy.drain();
        }
    }
}

/// One endpoint.
pub(crate) fn endpoint(address: SocketAddr) -> Value {
    json!({ "host": address.ip().to_string(), "port": address.port() })
}

/// A group of endpoints without ejection or TLS.
pub(crate) fn group(name: &str, endpoints: &[SocketAddr]) -> Value {
    json!({ "name": name, "endpoints": endpoints.iter().map(|address| endpoint(*address)).collect::<Vec<_>>() })
}

/// Limits that no story reaches by accident.
pub(crate) fn pool() -> Value {
    json!({ "max_connections": 1024, "max_pending": 1024, "max_requests": 1024 })
}

/// An upstream of these groups.
pub(crate) fn upstream(groups: &[Value]) -> Value {
    json!({ "connect_timeout": "1s", "pool": pool(), "groups": groups })
}

/// A plaintext listener that sends everything to one upstream; `route` adds to or replaces its route's members.
pub(crate) fn http_listener(bind: SocketAddr, to: &str, route: Value) -> Value {
    let mut whole = json!({ "to": [{ "upstream": to }] });
    for (name, value) in route.as_object().unwrap() {
        whole[name] = value.clone();
    }
    json!({ "name": "http", "bind": bind.to_string(), "kind": { "http": { "virtual_hosts": [
        { "name": "all", "hosts": ["*"], "routes": [whole] } ] } } })
}

/// A mutual-TLS listener with one HTTP chain; `app` adds to the chain's application.
pub(crate) fn inbound_listener(bind: SocketAddr, sni: &str, to: &str, app: Value) -> Value {
    let mut whole = json!({ "upstream": to });
    for (name, value) in app.as_object().unwrap() {
        whole[name] = value.clone();
    }
    json!({ "name": "inbound", "bind": bind.to_string(), "kind": { "inbound": { "chains": [
        { "sni": [sni], "peers": ["spiffe://cluster.local/*"], "app": { "http": whole } } ] } } })
}

/// Where the metrics are.
pub(crate) fn metrics_listener(bind: SocketAddr) -> Value {
    json!({ "name": "metrics", "bind": bind.to_string(), "kind": { "metrics": {} } })
}
