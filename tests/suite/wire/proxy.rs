//! The real Envoy and the real meshd in front of an origin, with the same rules for requests.

use mesh_tests::tools;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A proxy that runs.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Proxy {
    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("an address")
}

fn started(mut command: Command, address: SocketAddr) -> Proxy {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let start = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(start.elapsed() < Duration::from_secs(60), "{command:?} does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    Proxy { address, child }
}

/// What meshc writes for Envoy about requests, in one listener.
pub(crate) fn envoy(origin: SocketAddr, folder: &Path) -> Proxy {
    let address = free();
    let text = format!(
        r#"
static_resources:
  listeners:
  - name: in
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: in
          codec_type: AUTO
          common_http_protocol_options: {{ max_headers_count: 100 }}
          server_header_transformation: PASS_THROUGH
          max_request_headers_kb: 60
          generate_request_id: false
          normalize_path: true
          merge_slashes: true
          strip_trailing_host_dot: true
          path_with_escaped_slashes_action: REJECT_REQUEST
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
              suppress_envoy_headers: true
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{ prefix: / }}
                route: {{ cluster: origin, timeout: 0s }}
  clusters:
  - name: origin
    connect_timeout: 5s
    type: STATIC
    circuit_breakers: {{ thresholds: [{{ max_connections: 9999, max_pending_requests: 9999, max_requests: 9999 }}] }}
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {origin} }} }} }}
"#,
        port = address.port(),
        origin = origin.port(),
    );
    let file = folder.join("envoy.yaml");
    std::fs::write(&file, text).expect("a file");
    let mut command = Command::new(tools::tool("envoy"));
    command.arg("-c").arg(file).args(["--concurrency", "1", "--disable-hot-restart", "-l", "off"]);
    started(command, address)
}

/// The same for meshd.
pub(crate) fn meshd(origin: SocketAddr, folder: &Path) -> Proxy {
    let address = free();
    let endpoint = serde_json::json!({ "host": "127.0.0.1", "port": origin.port() });
    let upstream = serde_json::json!({
        "connect_timeout": "5s",
        "protocol": "http1",
        "pool": { "max_connections": 9999, "max_pending": 9999, "max_requests": 9999 },
        "groups": [{ "name": "g", "endpoints": [endpoint] }],
    });
    let host =
        serde_json::json!({ "name": "v", "hosts": ["*"], "routes": [{ "to": [{ "upstream": "app" }] }] });
    let listener = serde_json::json!({
        "name": "http", "bind": address.to_string(), "kind": { "http": { "virtual_hosts": [host] } },
    });
    let whole = serde_json::json!({
        "version": 1, "node": { "name": "n", "cluster": "c" }, "listeners": [listener], "upstreams": { "app": upstream },
    });
    let file = folder.join("meshd.json");
    std::fs::write(&file, whole.to_string()).expect("a file");
    let own = std::env::var_os("MESH_MESHD").map(Into::into);
    let mut command = Command::new(own.unwrap_or_else(|| tools::binary("meshd")));
    command
        .args(["run", "--workers", "1", "--drain-seconds", "0", "--finish-seconds", "0", "--config"])
        .arg(file);
    started(command, address)
}
