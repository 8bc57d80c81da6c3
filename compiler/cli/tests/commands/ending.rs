//! How a running mesh ends: whatever ends it, it says so with its status and leaves nothing behind.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Directory, descendants, example, meshd, runs};

/// Far longer than anything takes here, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running mesh of its own: no other test's mesh is in its run-time directory.
struct Up {
    directory: Directory,
    child: Child,
    /// Its processes once it was ready.
    processes: Vec<u32>,
    /// What it printed until then.
    printed: Vec<String>,
}

/// Waits until something holds.
#[track_caller]
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `meshc up` of the example, in a shell line where `UP` stands for it.
fn start(shell: &str) -> Up {
    let directory = Directory::new();
    fs::create_dir(directory.path("run")).unwrap();
    let up = format!(
        "{} up {} --data-plane meshd --meshd {}",
        env!("CARGO_BIN_EXE_meshc"),
        example().display(),
        meshd().display()
    );
    let mut command = Command::new("bash");
    command.args(["-c", &shell.replace("UP", &up)]).current_dir(directory.path("."));
    command.env("XDG_RUNTIME_DIR", directory.path("run"));
    // Its end of the input stays open, as a terminal's does.
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut printed: Vec<String> = Vec::new();
    let ready = |line: &String| line.contains("west.eastwest is at") || line.starts_with("command runs");
    while !printed.last().is_some_and(ready) {
        let mut line = String::new();
        assert!(output.read_line(&mut line).unwrap() > 0, "the mesh did not start: {printed:?}");
        printed.push(line);
    }
    std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(drop));
    let processes = descendants(child.id());
    assert!(processes.len() >= 8, "seven proxies and a rate-limit service: {processes:?}");
    Up { directory, child, processes, printed }
}

impl Up {
    fn send(&self, signal: &str) {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for its end; nothing of it may be left.
    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        eventually("it ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        eventually("its processes end", || !self.processes.iter().any(|process| runs(*process)));
        let left: Vec<_> = fs::read_dir(self.directory.path("run/meshc")).unwrap().collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        status.unwrap()
    }
}

#[test]
fn a_signal_ends_a_mesh_in_the_usual_way() {
    for signal in ["-INT", "-TERM", "-HUP"] {
        let mut up = start("exec UP");
        up.send(signal);
        assert_eq!(up.ended().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_command_that_is_cut_short_has_not_succeeded() {
    for (signal, status) in [("-INT", 130), ("-TERM", 143), ("-HUP", 129)] {
        let mut up = start("exec UP -- sh -c 'echo command runs; sleep 600; echo never'");
        up.send(signal);
        assert_eq!(up.ended().code(), Some(status), "{signal}");
    }
}

#[test]
fn a_command_that_was_killed_gives_the_status_that_a_shell_has_for_it() {
    for (signal, status) in [("KILL", 137), ("TERM", 143), ("USR1", 138)] {
        let mut up = start(&format!("exec UP -- sh -c 'echo command runs; read wait; kill -{signal} $$'"));
        drop(up.child.stdin.take());
        assert_eq!(up.ended().code(), Some(status), "{signal}");
    }
}

#[test]
fn what_a_command_leaves_in_the_background_ends_with_the_mesh() {
    let script = "(setsid sleep 600 &) ; sleep 600 & echo command runs; read wait; exit 3";
    let mut up = start(&format!("exec UP -- sh -c '{script}'"));
    let sleeping = || {
        let line = |process: &u32| fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
        descendants(up.child.id())
            .into_iter()
            .filter(|process| line(process) == "sleep\x00600\x00")
            .collect::<Vec<_>>()
    };
    eventually("both jobs run", || sleeping().len() == 2);
    up.processes.extend(sleeping());
    drop(up.child.stdin.take());
    assert_eq!(up.ended().code(), Some(3));
}

#[test]
fn closing_the_terminal_ends_the_mesh() {
    // `script` is the terminal; killed, it takes the terminal away from under the mesh.
    let mut up = start("exec script --quiet --command 'exec UP' /dev/null");
    up.send("-KILL");
    assert_eq!(up.ended().code(), None, "the terminal was killed");
}

#[test]
fn ctrl_c_in_a_terminal_ends_the_mesh() {
    use std::io::Write;
    let mut up = start("exec script --quiet --return --command 'exec UP' /dev/null");
    up.child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    assert_eq!(up.ended().code(), Some(0));
}

#[test]
fn two_meshes_at_once_know_which_one_is_meant() {
    let first = start("exec UP");
    let run = first.directory.path("run");
    let meshc = |arguments: &[&str], socket: Option<&str>| {
        let mut command = first.directory.meshc(arguments);
        command.env("XDG_RUNTIME_DIR", &run).env_remove("MESH_CONTROL");
        if let Some(socket) = socket {
            command.env("MESH_CONTROL", socket);
        }
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let fail = ["fail", "simple-backend", "--in", "west"];
    assert_eq!(meshc(&fail, None).0, Some(0), "one mesh needs no name");
    let script = "echo $MESH_CONTROL; read wait";
    let mut second = first.directory.meshc(&["up"]);
    second
        .arg(example())
        .args(["--data-plane", "meshd", "--meshd"])
        .arg(meshd())
        .args(["--", "sh", "-c", script]);
    second.env("XDG_RUNTIME_DIR", &run).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut second = second.spawn().unwrap();
    let mut socket = String::new();
    BufReader::new(second.stdout.take().unwrap()).read_line(&mut socket).unwrap();
    let (status, said) = meshc(&fail, None);
    assert!(
        status == Some(2)
            && said.contains("several running meshes have `simple-backend`")
            && said.contains(socket.trim()),
        "{said}"
    );
    assert_eq!(meshc(&fail, Some(socket.trim())).0, Some(0));
    drop(second.stdin.take());
    assert!(!second.wait().unwrap().success(), "`read` at the end of its input fails");
    assert_eq!(meshc(&["heal", "simple-backend", "--in", "west"], None).0, Some(0), "one is left");
    first.send("-INT");
    let mut first = first;
    assert_eq!(first.ended().code(), Some(0));
}

#[test]
fn the_lines_that_are_printed_work_as_they_are() {
    let mut up = start("exec UP");
    let lines: Vec<&str> = up.printed.iter().filter_map(|line| line.trim().strip_prefix("curl ")).collect();
    assert_eq!(lines.len(), 3, "two hosts and one call: {:?}", up.printed);
    for line in lines {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("curl --silent --show-error --fail --max-time 20 {line}")]);
        let output = command.output().unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert!(output.status.success() && answer["service"].is_string(), "{line}: {output:?}");
    }
    up.send("-INT");
    assert_eq!(up.ended().code(), Some(0));
}
