//! `meshc up` as a process: the example runs from end to end, and nothing is left behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Directory, descendants, example, meshd, runs};

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
fn a_process_takes_the_place_of_an_application_on_this_machine_only() {
    let directory = Directory::new();
    for (app, said) in [
        ("simple-backend=10.0.0.1:80", "10.0.0.1:80 is not on loopback"),
        ("simple-backend", "is not of the form SERVICE=PORT"),
        ("nothing=8080", "no application of a service `nothing` runs here"),
        ("simple-backend:1=8080", "the application of `simple-backend` has no port 1"),
    ] {
        let mut command = directory.meshc(&["up"]);
        command.arg(example()).args(["--data-plane", "meshd", "--meshd"]).arg(meshd());
        let output = command.args(["--app", app, "--", "true"]).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{app}: {errors}");
        assert!(errors.contains(said), "{app}: {errors}");
    }
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

#[test]
fn killed_outright_it_takes_its_processes_along_and_the_next_one_sweeps() {
    let directory = Directory::new();
    // Where other tests' meshes are, one of them could sweep first.
    let run = directory.path("run");
    std::fs::create_dir(&run).unwrap();
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "meshd", "--meshd"]).arg(meshd());
    command.args(["--", "sh", "-c", "echo \"$MESH_DIRECTORY\"; exec sleep 600"]);
    let mut child = command.env("XDG_RUNTIME_DIR", &run).stdout(Stdio::piped()).spawn().unwrap();
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
    assert!(command.env("XDG_RUNTIME_DIR", &run).output().unwrap().status.success());
    assert!(!home.exists(), "{} is left behind", home.display());
}

const WAYS: &str = r#"
set -eu
call=$MESH_CALL_WEST_ISTIOINACTION_WEBAPP__ISTIOINACTION_CATALOG_80
ask() { curl --silent --output /dev/null --write-out '%{http_code}' --max-time "$1" -H 'Host: catalog.istioinaction' "http://$call/other" || true; }
for how in error hang gone; do
    "$MESHC" fail catalog --in east --how $how >/dev/null
    echo "$how $(ask 3)"
    "$MESHC" heal catalog --in east >/dev/null
    until [ "$(ask 20)" = 200 ]; do sleep 0.1; done
done
"$MESHC" fail nobody --in east || echo "no service $?"
"$MESHC" fail catalog --in west || echo "not there $?"
"#;

#[test]
fn each_way_of_failing_is_what_it_says_and_heals() {
    let directory = Directory::new();
    let mut command = directory.meshc(&["up"]);
    command.arg(example()).args(["--data-plane", "meshd", "--meshd"]).arg(meshd());
    command.args(["--", "timeout", "120", "sh", "-c", WAYS]).env("MESHC", env!("CARGO_BIN_EXE_meshc"));
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}{errors}");
    // 000 is curl's word for no answer.
    assert_eq!(text, "error 500\nhang 000\ngone 503\nno service 2\nnot there 2\n", "{errors}");
    assert!(
        errors.contains("no application of a service `nobody` runs here; there are `istioinaction.catalog`")
    );
    assert!(errors.contains("`catalog` does not run in `west`, only in `east`"), "{errors}");
}

const EDITS: &str = r#"
set -eu
said() { until grep -q "$1" "$SAID"; do sleep 0.05; done; }
sed -i 's/otherwise = 1/otherwise = 2/' mesh.mesh
said '1 rate-limit service has new limits'
sed -i 's/port http { number = 80, target = 3000 }/port http { number = 81, target = 3000 }/' mesh.mesh
said 'needs a restart; the mesh goes on as it was'
echo 'service' >> mesh.mesh
said 'has errors; the mesh goes on as it was'
"#;

#[test]
fn edits_are_followed_and_what_became_of_them_is_said() {
    let directory = Directory::new();
    std::fs::copy(example(), directory.path("mesh.mesh")).unwrap();
    let errors = std::fs::File::create(directory.path("said")).unwrap();
    let mut command = directory.meshc(&["up", "mesh.mesh", "--data-plane", "meshd", "--meshd"]);
    command.arg(meshd()).args(["--", "timeout", "60", "sh", "-c", EDITS]);
    command.env("SAID", directory.path("said")).stderr(errors);
    let status = command.status().unwrap();
    assert!(status.success(), "{}", std::fs::read_to_string(directory.path("said")).unwrap());
}

#[test]
fn what_takes_long_is_shown_on_a_terminal_and_nowhere_else() {
    let directory = Directory::new();
    // Longer than the second after which something is shown, and then the end of it.
    directory.write("slow", "#!/bin/sh\nsleep 3\nexit 3\n");
    let slow = directory.path("slow");
    std::fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let line = format!(
        "{} up {} --data-plane meshd --meshd {}",
        env!("CARGO_BIN_EXE_meshc"),
        example().display(),
        slow.display()
    );
    let output = |command: &str, arguments: &[&str]| {
        let mut command = std::process::Command::new(command);
        command.args(arguments).stdin(Stdio::null());
        let output = command.output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let piped = output("bash", &["-c", &line]);
    assert!(piped.contains("ended while it started") && !piped.contains(" …"), "{piped}");
    let terminal = output("script", &["--quiet", "--command", &line, "/dev/null"]);
    assert!(terminal.contains(" …"), "{terminal}");
    assert!(
        terminal.contains("\r\x1b[Kerror") || terminal.contains("\r\x1b[K\x1b[1;31merror"),
        "the line goes: {terminal:?}"
    );
}

#[test]
fn a_mesh_that_needs_more_files_than_are_allowed_says_so() {
    let directory = Directory::new();
    let line = format!(
        "ulimit -n 24; exec {} up {} --data-plane meshd --meshd {} -- true",
        env!("CARGO_BIN_EXE_meshc"),
        example().display(),
        meshd().display()
    );
    let mut command = std::process::Command::new("bash");
    let output = command.args(["-c", &line]).env("XDG_RUNTIME_DIR", directory.path(".")).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("cannot find a free port") && errors.contains("ulimit -n"), "{errors}");
    assert_eq!(std::fs::read_dir(directory.path("meshc")).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn every_run_of_a_file_has_the_same_addresses_and_two_at_once_have_different_ones() {
    let directory = Directory::new();
    std::fs::copy(example(), directory.path("mesh.mesh")).unwrap();
    let addresses = "env | grep '^MESH_[GCRMI][A-Z]*_.*=127' | sort";
    let up = |words: &[&str]| {
        let mut command = directory.meshc(&["up", "mesh.mesh", "--data-plane", "meshd", "--meshd"]);
        command.arg(meshd()).arg("--").args(words).env("XDG_RUNTIME_DIR", directory.path("."));
        command
    };
    let run = || String::from_utf8(up(&["sh", "-c", addresses]).output().unwrap().stdout).unwrap();
    let first = run();
    assert!(first.lines().count() > 20, "{first}");
    let script = format!("{addresses}; exec cat >/dev/null");
    let mut running =
        up(&["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let second: Vec<String> = lines.by_ref().take(first.lines().count()).map(Result::unwrap).collect();
    assert_eq!(second, first.lines().collect::<Vec<_>>(), "the same again");
    let third = run();
    assert_eq!(third.lines().count(), second.len());
    for address in third.lines().filter_map(|line| line.split_once('=')) {
        let used = second.iter().any(|line| line.ends_with(&format!("={}", address.1)));
        assert!(!used, "{address:?} is in use by the mesh that runs");
    }
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
}
