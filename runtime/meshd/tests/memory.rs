//! A proxy closes connections before its memory is used up, those of clients that do not read first. The long form, with
//! thousands of clients and on both data planes, is `tests/bench/memory`.

#![expect(clippy::disallowed_methods, reason = "tests are at the edge: they write files and watch the clock")]
#![expect(clippy::unwrap_used, reason = "helpers fail by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test that is out of range has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The limit in MiB, that of a small container.
const LIMIT: u64 = 64;
const UNREAD: usize = 400;
const IDLE: usize = 50;

/// A process that does not outlive its test, also when that fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An application that answers `/large` with 8 MB and everything else with a word.
fn app() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.81:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut head = [0; 4096];
                while let Ok(count @ 1..) = stream.read(&mut head) {
                    let (length, part) =
                        if head[..count].starts_with(b"GET /large ") { (8_000, 1_000) } else { (1, 2) };
                    let said = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", length * part);
                    let body = vec![b'x'; part];
                    if said.is_err() || (0..length).any(|_| stream.write_all(&body).is_err()) {
                        return;
                    }
                }
            });
        }
    });
    address
}

/// Asks for `path` on a connection that stays.
fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    stream
}

/// The answer that has come, or comes now.
fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 65_536];
    let count = stream.read(&mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

/// The whole page of metrics.
fn metrics(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

/// Resident memory in KiB that belongs to the process alone. Pages of the program's file, many in a build for tests, are
/// read again when they are needed, and no container is ended for them.
fn own_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let own = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    own.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn whoever_does_not_read_has_to_go_before_memory_is_used_up() {
    let app = app();
    let [http, page] = ["127.0.0.82:0"; 2].map(|any| TcpListener::bind(any).unwrap().local_addr().unwrap());
    let text = format!(
        r#"{{ "version": 1, "node": {{ "name": "n", "cluster": "c" }},
             "bounds": {{ "memory": {}, "connections": 1000 }},
             "listeners": [
             {{ "name": "page", "bind": "{page}", "kind": {{ "metrics": {{}} }} }},
             {{ "name": "http", "bind": "{http}", "kind": {{ "http": {{ "virtual_hosts": [
                {{ "name": "v", "hosts": ["*"], "routes": [{{ "to": [{{ "upstream": "app" }}] }}] }}] }} }} }}],
             "upstreams": {{ "app": {{ "connect_timeout": "5s",
                "pool": {{ "max_connections": 999, "max_pending": 999, "max_requests": 999 }},
                "groups": [{{ "name": "g", "endpoints": [{{ "host": "{}", "port": {} }}] }}] }} }} }}"#,
        LIMIT << 20,
        app.ip(),
        app.port()
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meshd.json");
    std::fs::write(&path, text).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_meshd"))
        .args(["run", "--workers", "2", "--drain-seconds", "0", "--finish-seconds", "0", "--config"])
        .arg(&path)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let stderr = running.0.stderr.take().unwrap();
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let next = || lines.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(next(), "meshd: ready");

    let mut idle: Vec<TcpStream> = (0..IDLE).map(|_| ask(http, "/")).collect();
    for stream in &mut idle {
        assert!(answer(stream).starts_with("HTTP/1.1 200 "));
    }
    let _unread: Vec<TcpStream> = (0..UNREAD).map(|_| ask(http, "/large")).collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    let shed = |why: &str| {
        let name = format!("meshd_connections_shed_total{{listener=\"http\",reason=\"{why}\"}} ");
        let page = metrics(page);
        page.lines().find_map(|line| line.strip_prefix(&name)?.parse::<u64>().ok()).unwrap_or(0)
    };
    let mut most = 0;
    while shed("unread") == 0 {
        most = most.max(own_kib(running.0.id()));
        let said = answer(&mut ask(http, "/"));
        assert!(said.starts_with("HTTP/1.1 200 "), "good clients are served: {said:?} {}", metrics(page));
        assert!(Instant::now() < deadline, "nobody had to go: {}", metrics(page));
        std::thread::sleep(Duration::from_millis(20));
    }
    most = most.max(own_kib(running.0.id()));
    let line = next();
    assert!(line.starts_with("meshd: memory is tight, ") && line.contains(" of 64 MiB"), "{line}");
    assert_eq!((shed("idle"), shed("slow")), (0, 0), "nobody else had to");
    for stream in &mut idle {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert!(answer(stream).starts_with("HTTP/1.1 200 "), "idle connections still serve");
    }
    assert!(most < LIMIT << 10, "{most} KiB could not be reclaimed at the peak");
}
