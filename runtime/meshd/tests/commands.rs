//! `meshd run` and `meshd validate` as processes: exit codes, messages, signals.

#![expect(clippy::disallowed_methods, reason = "tests are at the edge: they write configuration files")]
#![expect(clippy::unwrap_used, reason = "helpers fail by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// A configuration with a readiness listener at `bind`.
fn config(bind: &str) -> String {
    format!(
        r#"{{ "version": 1, "node": {{ "name": "n", "cluster": "c" }},
             "listeners": [{{ "name": "ready", "bind": "{bind}", "kind": {{ "readiness": {{}} }} }}] }}"#
    )
}

fn file(folder: &tempfile::TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("meshd.json");
    std::fs::write(&path, text).unwrap();
    path
}

fn meshd(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meshd")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_good_file_is_ok_a_wrong_one_is_found_out_and_a_missing_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &config("127.0.0.1:15021"));
    let path = path.to_str().unwrap();
    assert_eq!(meshd(&["validate", path]).status.code(), Some(0));

    std::fs::write(path, config("127.0.0.1").replace("\"n\"", "\"\"")).unwrap();
    let wrong = meshd(&["validate", path]);
    assert_eq!(wrong.status.code(), Some(1));
    let lines: Vec<String> = said(&wrong).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("node.name: must not be empty")), "{lines:?}");
    assert!(
        lines.iter().any(|line| line.ends_with("listeners[0].bind: `127.0.0.1` is not `ip:port`")),
        "{lines:?}"
    );

    let missing = meshd(&["validate", "/does/not/exist.json"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(said(&missing).contains("cannot read `/does/not/exist.json`"), "{}", said(&missing));
}

#[test]
fn a_taken_address_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &config(&address));
    let output = meshd(&["run", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains(&format!("cannot listen on {address}")), "{}", said(&output));
    assert!(said(&output).contains("another process listens there"), "{}", said(&output));
}

#[test]
fn an_identity_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let identity = r#""identity": { "certificate": "/no/tls.crt", "private_key": "/no/tls.key", "trust_bundle": "/no/ca.crt" },"#;
    let text = config("127.0.0.1:0").replace("\"listeners\"", &format!("{identity} \"listeners\""));
    let path = file(&folder, &text);
    let output = meshd(&["run", "--config", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("cannot read `/no/tls.crt`"), "{}", said(&output));
}

#[test]
fn a_signal_ends_it_with_success() {
    // A port that was free a moment ago, on an address that nothing else uses.
    let bind = TcpListener::bind("127.0.0.77:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &config(&bind.to_string()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshd"))
        .args(["run", "--drain-seconds", "0", "--workers", "1", "--config"])
        .arg(path)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "meshd: ready\n");

    let mut probe = TcpStream::connect(bind).unwrap();
    probe.write_all(b"GET /healthz/ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    probe.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");

    let kill = |signal: &str| {
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    };
    kill("-HUP");
    line.clear();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("meshd: files are read again whenever they change"), "{line}");
    kill("-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    line.clear();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, "meshd: draining\n");
}

#[test]
fn nobody_who_listens_is_no_reason_to_break_off() {
    let folder = tempfile::tempdir().unwrap();
    let bind = TcpListener::bind("127.0.0.80:0").unwrap().local_addr().unwrap();
    let path = file(&folder, &config(&bind.to_string()));
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshd"))
        .args(["run", "--drain-seconds", "0", "--config"])
        .arg(&path)
        .stderr(full())
        .spawn()
        .unwrap();
    let ready = || TcpStream::connect(bind).is_ok();
    let wait = || std::thread::sleep(std::time::Duration::from_millis(20));
    (0..500).take_while(|_| !ready()).for_each(|_| wait());
    std::fs::write(&path, "{").unwrap();
    // Two looks at the file later it has been refused, and the next one is taken.
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    let other = TcpListener::bind("127.0.0.80:0").unwrap().local_addr().unwrap();
    std::fs::write(&path, config(&other.to_string())).unwrap();
    let moved = (0..500).any(|_| {
        wait();
        TcpStream::connect(other).is_ok()
    });
    assert!(moved, "a refusal that nobody could be told of is not the last thing it does");
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let unsaid = Command::new(env!("CARGO_BIN_EXE_meshd")).arg("validate").arg(&path).stdout(full()).status();
    assert_eq!(unsaid.unwrap().code(), Some(2));
}

/// What the proxy answers to `GET /path`.
fn ask(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let mut answer = String::new();
    // A test that waits for ever says nothing.
    stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).unwrap();
    // A connection that is refused may be closed before the request is written.
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// A process that does not outlive its test, also when that fails.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn too_many_connections_are_closed_and_cost_nobody_else() {
    let app = TcpListener::bind("127.0.0.78:0").unwrap();
    let [http, ready] = ["127.0.0.79:0"; 2].map(|any| TcpListener::bind(any).unwrap().local_addr().unwrap());
    let text = format!(
        r#"{{ "version": 1, "node": {{ "name": "n", "cluster": "c" }}, "listeners": [
             {{ "name": "ready", "bind": "{ready}", "kind": {{ "readiness": {{}} }} }},
             {{ "name": "http", "bind": "{http}", "kind": {{ "http": {{ "virtual_hosts": [
                {{ "name": "v", "hosts": ["*"], "routes": [{{ "to": [{{ "upstream": "app" }}] }}] }}] }} }} }}],
             "upstreams": {{ "app": {{ "connect_timeout": "1s",
                "pool": {{ "max_connections": 9, "max_pending": 9, "max_requests": 9 }},
                "groups": [{{ "name": "g", "endpoints": [{{ "host": "127.0.0.78", "port": {} }}],
                   "outlier": {{ "failing_answers": "5xx", "consecutive_answers": 1, "consecutive_connections": 1, "interval": "1s", "ejection": "1h" }} }}] }} }} }}"#,
        app.local_addr().unwrap().port()
    );
    std::thread::spawn(move || {
        for stream in app.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, &text);
    let child = Command::new("sh")
        .args(["-c", "ulimit -n 114 && exec \"$0\" run --drain-seconds 0 --finish-seconds 0 --config \"$1\""])
        .args([env!("CARGO_BIN_EXE_meshd"), path.to_str().unwrap()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let mut line = String::new();
    BufReader::new(running.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "meshd: ready\n");

    let mut idle: Vec<TcpStream> = (0..49).map(|_| TcpStream::connect(http).unwrap()).collect();
    // One that was accepted after them all: now they are.
    assert!(ask(http, "/").starts_with("HTTP/1.1 200 "), "the last one that fits is served");
    idle.extend((0..100).map(|_| TcpStream::connect(http).unwrap()));
    // Which ones were accepted first is the workers' business; how many stay is not.
    let closed = || {
        let is_closed = |stream: &&TcpStream| {
            stream.set_nonblocking(true).unwrap();
            match stream.peek(&mut [0]) {
                Ok(count) => count == 0,
                Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
            }
        };
        idle.iter().filter(is_closed).count()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while closed() < 99 && std::time::Instant::now() < deadline {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let closed = closed();
    assert!(
        (99..=100).contains(&closed),
        "of 114 files, 64 are kept for others, so those beyond 50 are closed, and no others: {closed}"
    );
    assert!(ask(ready, "/healthz/ready").starts_with("HTTP/1.1 200 "), "probes are answered");
    idle.clear();
    let served = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        ask(http, "/").starts_with("HTTP/1.1 200 ")
    });
    assert!(served, "and no endpoint was blamed");
}

#[test]
fn help_teaches_with_examples() {
    for command in ["run", "validate", "rate-limit"] {
        let output = meshd(&[command, "--help"]);
        assert!(output.status.success());
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.contains(&format!("Examples:\n  meshd {command} ")), "{help}");
    }
}

/// On a narrow terminal each paragraph fills its lines: none was broken by hand for a wider one.
#[test]
fn help_is_even_on_a_narrow_terminal() {
    for command in ["run", "rate-limit", "redirect", "validate", "help"] {
        let mut meshd = Command::new(env!("CARGO_BIN_EXE_meshd"));
        let output = meshd.args([command, "--help"]).env("COLUMNS", "80").output().unwrap();
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        for (line, next) in help.lines().zip(help.lines().skip(1)) {
            assert!(line.chars().count() <= 80, "{command}: {line}");
            let first = next.split_whitespace().next().unwrap_or_default();
            let prose = [line, next].iter().all(|line| line.starts_with(|c: char| c.is_alphabetic()));
            let headline = line.ends_with(':');
            let fits = line.chars().count() + 1 + first.chars().count() <= 80;
            assert!(headline || !prose || !fits, "{command}: `{first}` fits at the end of the line\n{line}");
        }
    }
}
