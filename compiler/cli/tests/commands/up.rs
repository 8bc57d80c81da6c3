//! `meshc up` as a process: the example runs from end to end, and nothing is left behind.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Directory, example};

/// The meshd beside the meshc under test.
fn meshd() -> PathBuf {
    let meshd = Path::new(env!("CARGO_BIN_EXE_meshc")).with_file_name("meshd");
    assert!(meshd.is_file(), "{} is not built; run: cargo build -p meshd", meshd.display());
    meshd
}

const SCRIPT: &str = r#"
set -eu
get() { curl --silent --show-error --max-time 20 "$@"; }
call=$MESH_CALL_WEST_ISTIOINACTION_WEBAPP__ISTIOINACTION_CATALOG_80
get -H 'Host: catalog.istioinaction' "http://$call/other?a=1"
get -H 'Host: simple-backend.istioinaction.io' "http://$MESH_GATEWAY_WEST_INGRESS/"
"$MESHC" fail simple-backend --in west
get -H 'Host: simple-backend.istioinaction.io' "http://$MESH_GATEWAY_WEST_INGRESS/"
"$MESHC" heal istioinaction.simple-backend --in west
ls "$MESH_DIRECTORY/keys/roots.pem" >/dev/null
echo "directory $MESH_DIRECTORY"
exit 7
"#;

#[test]
fn the_example_runs_with_meshd_and_leaves_nothing_behind() {
    let directory = Directory::new();
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "meshd", "--keep-logs", "logs", "--meshd"]).arg(meshd());
    command.args(["--", "sh", "-c", SCRIPT]).env("MESHC", env!("CARGO_BIN_EXE_meshc"));
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(7), "{text}\n{errors}");
    let answers: Vec<serde_json::Value> =
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(answers.len(), 3, "{text}\n{errors}");
    assert_eq!(answers[0]["service"], "istioinaction.catalog");
    assert_eq!(answers[0]["cluster"], "east");
    assert_eq!(answers[0]["caller"], "spiffe://cluster.local/ns/istioinaction/sa/webapp");
    assert_eq!(answers[0]["path"], "/other?a=1");
    assert_eq!(answers[1]["cluster"], "west");
    assert_eq!(answers[2]["cluster"], "east", "the client sees no error: {text}");
    let home = text.lines().find_map(|line| line.strip_prefix("directory ")).unwrap();
    assert!(!Path::new(home).exists(), "{home} is left behind");
    assert!(directory.path("logs/west_gateways_ingress.log").is_file());
}

#[test]
fn a_proxy_that_does_not_start_is_reported_with_its_last_words() {
    let directory = Directory::new();
    directory.write("broken", "#!/bin/sh\necho this proxy is broken >&2\nexit 3\n");
    let broken = directory.path("broken");
    std::fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "meshd", "--meshd"]).arg(&broken).args(["--", "true"]);
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("ended while it started: exit status: 3"), "{errors}");
    assert!(errors.contains("    this proxy is broken"), "{errors}");
}

#[test]
fn without_the_program_the_way_out_is_said() {
    let directory = Directory::new();
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "envoy", "--envoy", "/nowhere/envoy"]);
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("give another path with --envoy PATH"), "{errors}");
}

/// Processes that a process has started, and those that they have.
fn descendants(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children =
        tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    let children: Vec<u32> = children
        .flat_map(|ids| ids.split_whitespace().map(|id| id.parse().unwrap()).collect::<Vec<_>>())
        .collect();
    children.iter().flat_map(|child| [*child].into_iter().chain(descendants(*child))).collect()
}

/// Whether a process runs; one that has ended and that nobody has asked about does not.
fn runs(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn killed_outright_it_takes_its_processes_along_and_the_next_one_sweeps() {
    let directory = Directory::new();
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "meshd", "--meshd"]).arg(meshd());
    command.args(["--", "sh", "-c", "echo \"$MESH_DIRECTORY\"; exec sleep 600"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut home = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut home).unwrap();
    let processes = descendants(child.id());
    assert!(processes.len() > 8, "seven proxies, a rate-limit service and the command: {processes:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let began = Instant::now();
    while processes.iter().any(|process| runs(*process)) {
        assert!(began.elapsed() < Duration::from_secs(20), "{processes:?} outlive their parent");
        std::thread::sleep(Duration::from_millis(20));
    }
    let home = Path::new(home.trim());
    assert!(home.is_dir(), "nobody was left to remove it");
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "meshd", "--meshd"]).arg(meshd()).args(["--", "true"]);
    assert!(command.output().unwrap().status.success());
    assert!(!home.exists(), "{} is left behind", home.display());
}
