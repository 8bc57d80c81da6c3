//! `capture = redirect` on meshd with the kernel's own redirection: in a network namespace of the test's own, the rules
//! of `meshd redirect` send connections for virtual addresses to the one outbound port, and each reaches the listener
//! that it meant.

use std::path::Path;
use std::process::{Command, Output};

use mesh_tests::tools;

/// Virtual addresses, one for HTTP, one for bytes and one of IPv6, in front of the same application.
const CONFIGURATION: &str = r#"{
  "version": 1,
  "node": { "name": "web", "cluster": "one" },
  "listeners": [
    { "name": "outbound", "bind": "127.0.0.1:15001", "kind": { "redirected": {} } },
    { "name": "http", "bind": "240.240.1.2:80", "redirected": true, "kind": { "http": { "virtual_hosts": [
      { "name": "all", "hosts": ["*"], "routes": [{ "to": [{ "upstream": "app" }] }] } ] } } },
    { "name": "bytes", "bind": "240.240.1.3:5432", "redirected": true, "kind": { "tcp": { "to": [{ "upstream": "app" }] } } },
    { "name": "outbound6", "bind": "[::1]:15001", "kind": { "redirected": {} } },
    { "name": "six", "bind": "[100::12]:80", "redirected": true, "kind": { "tcp": { "to": [{ "upstream": "app" }] } } },
    { "name": "ready", "bind": "127.0.0.1:15021", "kind": { "readiness": {} } }
  ],
  "upstreams": { "app": {
    "connect_timeout": "1s",
    "pool": { "max_connections": 10, "max_pending": 10, "max_requests": 10 },
    "groups": [{ "name": "app", "endpoints": [{ "host": "127.0.0.1", "port": 8080 }] }]
  } },
  "access_log": "stdout"
}"#;

/// What happens in the namespace; the arguments are meshd, Python and curl. The rules are written twice, as by a pod
/// whose init container is run again.
const SCRIPT: &str = r#"
meshd=$1 python=$2 curl=$3
ip link set lo up
ip route add local 240.240.0.0/16 dev lo
ip -6 route add local 100::/64 dev lo
"$meshd" redirect --range 240.240.0.0/16 --range 100::/64 --to-port 15001 || exit 1
"$meshd" redirect || exit 1
"$meshd" redirect --range 100::/64 || exit 1
"$python" -m http.server 8080 --bind 127.0.0.1 >app.log 2>&1 &
"$meshd" run --config meshd.json --workers 1 --drain-seconds 0 >meshd.log 2>&1 &
running=$!
for attempt in $(seq 200); do
    "$curl" -sf -o ready http://127.0.0.1:15021/healthz/ready && "$curl" -sf -o ready http://127.0.0.1:8080/ && break
    sleep 0.05
done
ask() {
    : >answer
    "$curl" -s -m 5 -o answer -w '%{http_code}' "http://$1/index.html"
    echo " $1 $(cat answer)"
}
ask 240.240.1.2
ask 240.240.1.3:5432
ask 240.240.9.9
ask '[100::12]'
ask '[100::13]'
"$python" -c 'import socket
for family, address in ((socket.AF_INET, "240.240.1.2"), (socket.AF_INET6, "100::12")):
    s = socket.socket(family, socket.SOCK_DGRAM)
    try: print(s.sendto(b"x", (address, 80)))
    except OSError as error: print(type(error).__name__)'
kill "$running"
wait "$running"
"#;

fn in_a_namespace(directory: &Path) -> Output {
    Command::new(tools::system("unshare"))
        .args(["--map-root-user", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", SCRIPT, "sh"])
        .args([tools::binary("meshd"), tools::tool("python"), tools::system("curl")])
        .current_dir(directory)
        .output()
        .expect("unshare runs")
}

#[test]
fn redirected_connections_reach_the_listener_they_meant() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let put = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("writable");
    put("meshd.json", CONFIGURATION);
    put("index.html", "hello");
    let output = in_a_namespace(directory.path());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let log = std::fs::read_to_string(directory.path().join("meshd.log")).unwrap_or_default();
    let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "200 240.240.1.2 hello",
            "200 240.240.1.3:5432 hello",
            "000 240.240.9.9",
            "200 [100::12] hello",
            "000 [100::13]",
            "PermissionError",
            "PermissionError",
        ],
        "{}\n--- meshd\n{log}",
        String::from_utf8_lossy(&output.stderr)
    );
    for told in [
        r#""listener":"http""#,
        r#""listener":"bytes""#,
        r#""listener":"six""#,
        "no listener at the original destination",
    ] {
        assert!(log.contains(told), "{told} is not in\n{log}");
    }
}
