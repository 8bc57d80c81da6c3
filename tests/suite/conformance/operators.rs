//! What operators rely on: probes, metrics, logs at the start, and what a proxy takes of its machine.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

use crate::fixtures::{BACKEND_HOST, WEBAPP_TO_CATALOG, WEST_INGRESS, acme, to_backend, to_catalog};

const WEBAPP: &str = "west/sidecars/istioinaction/webapp";
const INGRESS: &str = "west/gateways/ingress";
const EAST_WEST: &str = "west/gateways/eastwest";

/// The status of the answer to a request of HTTP/1.0, which needs no Host.
fn ask_in_1_0(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
    stream.write_all(format!("GET {path} HTTP/1.0\r\n{headers}\r\n").as_bytes()).expect("the proxy reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and then the end");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn probes_and_metrics_speak_http_1_0(mesh: &Mesh) {
    for proxy in [INGRESS, EAST_WEST, WEBAPP] {
        let name: String = proxy.to_ascii_uppercase().replace('/', "_");
        for headers in ["", "host: 10.1.2.3:15021\r\n"] {
            let ready = mesh.address(&format!("MESH_READINESS_{name}"));
            assert_eq!(ask_in_1_0(ready, "/healthz/ready", headers), "200", "{proxy} {headers:?}");
            let metrics = mesh.address(&format!("MESH_METRICS_{name}"));
            assert_eq!(ask_in_1_0(metrics, "/metrics", headers), "200", "{proxy} {headers:?}");
        }
    }
}

/// A warning at each start would hide those that matter; a missing bound on connections is one.
fn nothing_is_warned_of(mesh: &Mesh) {
    for proxy in [INGRESS, EAST_WEST, WEBAPP] {
        let log = mesh.log(proxy);
        let levels = ["[warning]", "[error]", "[critical]"];
        let said: Vec<_> =
            log.lines().filter(|line| levels.iter().any(|level| line.contains(level))).collect();
        assert!(said.is_empty(), "{proxy}: {said:#?}");
    }
}

/// Names and labels of upstreams, each with every part of the callee's name in one label.
fn upstreams_are_whole_in_metrics(mesh: &Mesh, data_plane: DataPlane) {
    // meshd lists an upstream once it has been asked something.
    assert_eq!(mesh.ingress(WEST_INGRESS, &to_backend("/")).status, 200);
    let label = |name: &str| match data_plane {
        DataPlane::Envoy => format!("_cluster_name=\"{name}\""),
        DataPlane::Meshd => format!("upstream=\"{name}\""),
    };
    let values = |proxy: &str| -> BTreeSet<String> {
        let page = mesh.metrics(proxy);
        let empty = label("");
        let start = empty.strip_suffix('"').expect("a quoted label");
        let of_line = |line: &str| {
            let (_, rest) = line.split_once(start)?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        page.lines().filter_map(of_line).collect()
    };
    let expected = match data_plane {
        DataPlane::Envoy => {
            let whole = [
                "istioinaction/simple-backend/80",
                "istioinaction/simple-backend/80/east",
                "istioinaction/simple-backend/80/west",
                "istioinaction/webapp/80/west",
                "mesh-admin",
            ];
            assert!(!mesh.metrics(INGRESS).contains("envoy_cluster_istioinaction"), "a dot splits a name");
            BTreeSet::from(whole.map(str::to_owned))
        }
        DataPlane::Meshd => {
            // The group is a label of its own.
            let page = mesh.metrics(INGRESS);
            let both = "upstream=\"simple-backend.istioinaction:80\",group=\"west\"";
            assert!(page.contains(both), "{both} in {page}");
            BTreeSet::from([String::from("simple-backend.istioinaction:80")])
        }
    };
    assert_eq!(values(INGRESS), expected);
}

/// Linux admits 128 for each user by default, and all pods of one service on a node are one user.
fn few_inotify_instances_are_open(mesh: &Mesh, data_plane: DataPlane) {
    let expected = match data_plane {
        DataPlane::Envoy => [5, 2, 5],
        DataPlane::Meshd => [0, 0, 0],
    };
    let held = [INGRESS, EAST_WEST, WEBAPP].map(|proxy| {
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", mesh.proxy_pid(proxy))).expect("it runs");
        let targets = descriptors.flatten().filter_map(|one| std::fs::read_link(one.path()).ok());
        targets.filter(|target| target.as_os_str() == "anon_inode:inotify").count()
    });
    assert_eq!(held, expected);
}

/// Puts other files in the place of a mounted volume's, as the kubelet does: a new directory, and one moved link.
fn swap(mounted: &Path, version: &str, files: &[(String, Vec<u8>)]) {
    let directory = mounted.join(version);
    std::fs::create_dir_all(&directory).expect("writable");
    for (name, contents) in files {
        std::fs::write(directory.join(name), contents).expect("writable");
    }
    let link = mounted.join("..data_tmp");
    std::os::unix::fs::symlink(version, &link).expect("writable");
    std::fs::rename(link, mounted.join("..data")).expect("writable");
}

/// A bundle that is replaced takes effect, and so does the next one.
fn a_new_trust_bundle_takes_effect(mesh: &Mesh) {
    let mounted = mesh.directory().join("proxies").join(WEBAPP).join("etc/mesh/trust");
    let names = std::fs::read_dir(&mounted).expect("the bundle is mounted").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| !name.starts_with("..")).collect();
    assert!(names.contains(&String::from("roots.pem")), "{names:?}");
    let read = |name: &String| (name.clone(), std::fs::read(mounted.join(name)).expect("readable"));
    let own: Vec<(String, Vec<u8>)> = names.iter().map(read).collect();
    // An authority that signs nothing of east, in the place of the root.
    let (other, _) = mesh.intermediate("west");
    let other = first_certificate(&std::fs::read_to_string(other).expect("readable"));
    let root = first_certificate(&String::from_utf8_lossy(
        &own.iter().find(|(name, _)| name == "roots.pem").expect("the bundle").1,
    ));
    let replaced = |text: &str| {
        let lines = |pem: &str| pem.lines().map(str::to_owned).collect::<Vec<_>>();
        // In Envoy's file every line is indented alike.
        let indent = text.lines().find_map(|line| line.find("-----BEGIN")).unwrap_or(0);
        let block = |pem: &str| {
            lines(pem)
                .iter()
                .map(|line| format!("{}{line}", " ".repeat(indent)))
                .collect::<Vec<_>>()
                .join("\n")
        };
        let changed = text.replace(&block(&root), &block(&other));
        assert_ne!(changed, text, "the root is in the file");
        changed
    };
    let files: Vec<(String, Vec<u8>)> = own
        .iter()
        .map(|(name, contents)| (name.clone(), replaced(&String::from_utf8_lossy(contents)).into_bytes()))
        .collect();
    let call = || mesh.call(WEBAPP_TO_CATALOG, &to_catalog("/other").header("connection", "close")).status;
    assert_eq!(call(), 200);
    swap(&mounted, "..other", &files);
    process::eventually("the callee is not trusted any more", Duration::from_secs(60), || {
        (call() == 503).then_some(())
    });
    swap(&mounted, "..own", &own);
    process::eventually("the callee is trusted again", Duration::from_secs(60), || {
        (call() == 200).then_some(())
    });
}

fn first_certificate(pem: &str) -> String {
    let end = "-----END CERTIFICATE-----";
    let (first, _) = pem.split_once(end).expect("a certificate");
    let start = first.find("-----BEGIN").expect("a certificate");
    format!("{}{end}", &first[start..])
}

/// Collectors drop a line that is not JSON in UTF-8, so no byte that a client sends may make one. A value that is UTF-8 is
/// kept as it was, any other one is read as Latin-1.
fn every_line_of_the_access_log_is_json(mesh: &Mesh) {
    let ask = |agent: &[u8]| {
        let mut stream = TcpStream::connect(mesh.address(&format!("MESH_GATEWAY_{WEST_INGRESS}")))
            .expect("the ingress listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        let head = format!("GET / HTTP/1.1\r\nhost: {BACKEND_HOST}\r\nconnection: close\r\nuser-agent: ");
        stream.write_all(&[head.as_bytes(), agent, b"\r\n\r\n"].concat()).expect("the proxy reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer, and then the end");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    };
    ask("first-caf\u{e9}".as_bytes());
    ask(b"second-\"quoted\"\\");
    ask(b"third-caf\xe9");
    // A file that is not UTF-8 as a whole fails right here.
    let agents: Vec<String> = process::eventually("all three are logged", Duration::from_secs(20), || {
        let log = mesh.log(INGRESS);
        let lines = log.lines().filter(|line| line.starts_with('{'));
        let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a line is JSON");
        let agents: Vec<_> =
            lines.filter_map(|text| line(text).get("user_agent")?.as_str().map(str::to_owned)).collect();
        agents.iter().any(|agent| agent.starts_with("third-")).then_some(agents)
    });
    for expected in ["first-caf\u{e9}", "second-\"quoted\"\\", "third-caf\u{e9}"] {
        assert!(agents.iter().any(|agent| agent == expected), "{expected:?} in {agents:?}");
    }
}

fn operators_find_what_they_rely_on(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    nothing_is_warned_of(&mesh);
    probes_and_metrics_speak_http_1_0(&mesh);
    few_inotify_instances_are_open(&mesh, data_plane);
    upstreams_are_whole_in_metrics(&mesh, data_plane);
    every_line_of_the_access_log_is_json(&mesh);
    a_new_trust_bundle_takes_effect(&mesh);
}

/// Envoy itself ends with an assertion, whose lines name no limit. In a user namespace the limit is this test's own.
#[test]
fn too_few_inotify_instances_are_said_before_anything_starts() {
    let source = tools::workspace().join("examples/acme/mesh.mesh");
    let lowered = "echo 9 >/proc/sys/user/max_inotify_instances && exec \"$@\"";
    let mut command = Command::new(tools::system("unshare"));
    command.args(["--user", "--map-root-user", "sh", "-c", lowered, "sh"]);
    command.arg(tools::binary("meshc")).arg("up").arg(source).args(["--data-plane", "envoy", "--", "true"]);
    let output = process::run(command.env("MESH_ENVOY", tools::tool("envoy")));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    for part in ["the kernel admits 9 for each user", "--data-plane meshd"] {
        let in_one_line = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(in_one_line.contains(part), "{part:?} in {said}");
    }
    assert!(!said.contains("inotify_fd_"), "no Envoy was started: {said}");
}

crate::on_both_data_planes!(operators_find_what_they_rely_on);
