//! What our emitters write is read alike by everybody who reads it: YAML by Envoy, kubectl and Python, results of tests by
//! readers of JUnit and of TAP.

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

/// A mesh with a test that passes and one that does not, whose names have what XML and TAP take for their own.
const TESTED: &str = r##"
mesh m { trust_domain = "m.example", trust = t }
trust t {}
network net {}
cluster one { network = net, region = "here" }
namespace app {
  client bot { clusters = [one], calls = [web] }
  service web { clusters = [one], port http { number = 80 } }
}
test "passes <here> & \"there\" #1" { allow = [app.bot -> app.web] }
test "fails é 100%" { deny = [app.bot -> app.web] }
"##;

/// What the results are in a format.
fn results(format: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(folder.path().join("mesh.mesh"), TESTED).expect("writable");
    let mut command = Command::new(tools::binary("meshc"));
    let command = command.args(["test", "mesh.mesh", "--format", format]).current_dir(folder.path());
    let output = process::run(command);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_reader_of_junit_reads_results_of_tests() {
    let script = "\
import json, sys
from junitparser import JUnitXml
xml = JUnitXml.fromstring(sys.stdin.buffer.read())
print(json.dumps([[case.name, [type(one).__name__ for one in case.result], [one.type for one in case.result],
    [one.text or '' for one in case.result]] for suite in xml for case in suite]
    + [[suite.name, suite.tests, suite.failures] for suite in xml]))";
    let read =
        through(&tools::workspace().join("tests/.tools/venv/bin/python"), &["-c", script], &results("junit"));
    let read: Value = serde_json::from_str(&read).expect("Python prints JSON");
    assert_eq!(read[0][0], "passes <here> & \"there\" #1");
    assert_eq!(read[0][1], serde_json::json!([]));
    assert_eq!(read[1][0], "fails é 100%");
    assert_eq!(read[1][1], serde_json::json!(["Failure"]));
    assert_eq!(read[1][2], serde_json::json!(["E0810"]));
    assert!(read[1][3][0].as_str().is_some_and(|text| text.contains("admits it")), "{read}");
    assert_eq!(read[2], serde_json::json!(["mesh.mesh", 2, 1]));
}

#[test]
fn a_reader_of_tap_reads_results_of_tests() {
    let script = "\
import json, sys
from tap.parser import Parser
lines = list(Parser().parse_text(sys.stdin.buffer.read().decode('utf-8')))
print(json.dumps([[line.category, getattr(line, 'ok', None), getattr(line, 'description', None),
    getattr(line, 'yaml_block', None)] for line in lines]))";
    let read =
        through(&tools::workspace().join("tests/.tools/venv/bin/python"), &["-c", script], &results("tap"));
    let read: Value = serde_json::from_str(&read).expect("Python prints JSON");
    let lines = read.as_array().expect("a list").iter();
    let tests: Vec<&Value> = lines.filter(|line| line[0] == "test").collect();
    assert!(!read.to_string().contains("\"unknown\""), "every line is TAP: {read}");
    assert_eq!(tests.len(), 2, "{read}");
    assert_eq!((&tests[0][1], &tests[1][1]), (&true.into(), &false.into()));
    assert_eq!(tests[1][3]["findings"][0]["code"], "E0810", "{read}");
}
