//! What our YAML emitter writes is read alike by everybody who reads it: Envoy, kubectl and Python.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::{process, tools};
use meshc_yaml::{Map, Value as Yaml, corpus, list, map, to_string};
use serde_json::Value;

/// Every nasty string under a key of its own.
fn nasty() -> (Vec<String>, Yaml) {
    let strings = corpus::nasty_strings();
    assert!(strings.len() > 80, "the list is long: {}", strings.len());
    let entries = strings.iter().enumerate().map(|(index, text)| (format!("k{index}"), Yaml::from(&**text)));
    let entries: Map = entries.collect();
    (strings, Yaml::from(entries))
}

fn compare(reader: &str, strings: &[String], read: &Value) {
    for (index, text) in strings.iter().enumerate() {
        let found = read[format!("k{index}")].as_str();
        assert_eq!(found, Some(text.as_str()), "{reader} changed string {index}");
    }
}

#[test]
fn python_keeps_every_nasty_string() {
    let (strings, data) = nasty();
    let script =
        "import json, sys, yaml\nprint(json.dumps(yaml.safe_load(sys.stdin.buffer.read().decode('utf-8'))))";
    let read = through(&tools::tool("python"), &["-c", script], &to_string(&data));
    compare("PyYAML", &strings, &serde_json::from_str(&read).expect("Python prints JSON"));
}

#[test]
fn kubectl_keeps_every_nasty_string() {
    let (strings, data) = nasty();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let object = map! {
        "apiVersion" => "v1",
        "kind" => "ConfigMap",
        "metadata" => map! { "name" => "nasty" },
        "data" => data,
    };
    let file = folder.path().join("object.yaml");
    std::fs::write(&file, to_string(&object)).expect("writable");
    // A local patch that changes nothing: kubectl reads our YAML and prints JSON, without asking any server.
    let mut command = Command::new(tools::tool("kubectl"));
    command.args(["patch", "--local", "--type=merge", "-p", "{}", "-o", "json", "-f"]);
    let read: Value =
        serde_json::from_str(&process::succeed(command.arg(&file))).expect("kubectl prints JSON");
    compare("kubectl", &strings, &read["data"]);
}

#[test]
fn envoy_keeps_every_nasty_string() {
    let (strings, data) = nasty();
    let folder = tempfile::tempdir().expect("a temporary directory");
    let loopback = map! { "socket_address" => map! { "address" => "127.0.0.1", "port_value" => 0 } };
    let bootstrap = map! {
        "node" => map! { "id" => "nasty", "cluster" => "nasty", "metadata" => data },
        "admin" => map! { "address" => loopback },
        "static_resources" => map! { "clusters" => list![] },
    };
    let (file, address) = (folder.path().join("bootstrap.yaml"), folder.path().join("admin"));
    std::fs::write(&file, to_string(&bootstrap)).expect("writable");
    let log = std::fs::File::create(folder.path().join("log")).expect("writable");
    let mut envoy = Command::new(tools::tool("envoy"))
        .args(["--disable-hot-restart", "--concurrency", "1", "-l", "warning", "--admin-address-path"])
        .arg(&address)
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("envoy starts");
    let answer = process::eventually("Envoy answers", Duration::from_secs(30), || {
        if let Ok(Some(status)) = envoy.try_wait() {
            let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            panic!("Envoy refused the bootstrap: {status}\n{}", log.chars().take(2000).collect::<String>());
        }
        let address = std::fs::read_to_string(&address).ok()?.trim().parse().ok()?;
        Request::get("localhost", "/server_info").try_send(address).ok()
    });
    process::signal(envoy.id(), "KILL");
    envoy.wait().expect("it ends");
    compare("Envoy", &strings, &answer.json()["node"]["metadata"]);
}

fn through(program: &Path, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("the program reads");
    let output = child.wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{program:?} {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
