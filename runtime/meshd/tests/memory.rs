//! A proxy closes connections before its memory is used up, those of clients that do not read first. The long form, with
//! thousands of clients and on both data planes, is `tests/bench/memory`.

#![expect(clippy::disallowed_methods, reason = "tests are at the edge: they write files and watch the clock")]
#![expect(clippy::unwrap_used, reason = "helpers fail by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test that is out of range has failed")]

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use std::future::poll_fn;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
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

/// What an application was asked for.
#[derive(Default)]
struct Asked {
    uploads: AtomicUsize,
    waiting: AtomicUsize,
}

/// An application that answers `/large` with 8 MB, `/wait` never, uploads with 503 and 200 by turns, and everything else
/// with a word; after `/end` it ends the connection.
fn app() -> (SocketAddr, Arc<Asked>) {
    let listener = TcpListener::bind("127.0.0.81:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Asked::default());
    let seen = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, asked) = (stream.unwrap(), Arc::clone(&asked));
            std::thread::spawn(move || serve(stream, &asked));
        }
    });
    (address, seen)
}

/// Serves one connection of the application.
fn serve(mut stream: TcpStream, asked: &Asked) {
    stream.set_nodelay(true).unwrap();
    let mut head = [0; 4096];
    while let Ok(mut count @ 1..) = stream.read(&mut head) {
        let (mut status, mut length, mut part) = ("200 OK", 1, 2);
        if head.starts_with(b"POST ") {
            while !head[..count].ends_with(b"upload") {
                count += stream.read(&mut head[count..]).unwrap();
            }
            if asked.uploads.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                status = "503 Service Unavailable";
            }
        } else if head.starts_with(b"GET /wait ") {
            asked.waiting.fetch_add(1, Ordering::Relaxed);
            while matches!(stream.read(&mut head), Ok(1..)) {}
            return;
        } else if head.starts_with(b"GET /large ") {
            (length, part) = (8_000, 1_000);
        }
        let is_last = head.starts_with(b"GET /end ");
        let said = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", length * part);
        let body = vec![b'x'; part];
        if said.is_err() || (0..length).any(|_| stream.write_all(&body).is_err()) || is_last {
            return;
        }
    }
}

/// Asks for `path` on a connection that stays.
fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    stream
}

/// The whole of the next answer.
fn answer(stream: &mut TcpStream) -> String {
    let (mut said, mut bytes) = (String::new(), [0; 4096]);
    loop {
        let length = said.split_once("\r\n\r\n").map(|(head, body)| {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            (body.len(), length.map_or(0, |length| length.parse().unwrap()))
        });
        match length {
            Some((came, length)) if came >= length => return said,
            Some(_) | None => {}
        }
        match stream.read(&mut bytes) {
            Ok(count @ 1..) => said.push_str(&String::from_utf8_lossy(&bytes[..count])),
            Ok(_) | Err(_) => return said,
        }
    }
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

/// A proxy with that limit in front of the application, for one test.
struct Proxy {
    running: Running,
    http: SocketAddr,
    page: SocketAddr,
    asked: Arc<Asked>,
    lines: mpsc::Receiver<String>,
    _folder: tempfile::TempDir,
}

impl Proxy {
    /// Listens at free ports of `host`.
    fn start(host: &str) -> Self {
        let (app, asked) = app();
        let any = format!("{host}:0");
        let [http, page] = [&any; 2].map(|any| TcpListener::bind(any).unwrap().local_addr().unwrap());
        let text = format!(
            r#"{{ "version": 1, "node": {{ "name": "n", "cluster": "c" }},
                 "bounds": {{ "memory": {}, "connections": 1000 }}, 
                 "listeners": [
                 {{ "name": "page", "bind": "{page}", "kind": {{ "metrics": {{}} }} }},
                 {{ "name": "http", "bind": "{http}", "kind": {{ "http": {{ "virtual_hosts": [
                    {{ "name": "v", "hosts": ["*"], "routes": [
                       {{ "to": [{{ "upstream": "app" }}], "retry": {{ "attempts": 1, "on": ["5xx"], "methods": ["*"] }} }}
                    ] }}] }} }} }}],
                 "upstreams": {{ "app": {{ "connect_timeout": "5s", "protocol": "http1",
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
        let proxy = Proxy { running, http, page, asked, lines, _folder: folder };
        assert_eq!(proxy.line(), "meshd: ready");
        proxy
    }

    /// The next line of its own log.
    fn line(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// The number beside the metric that begins like this, 0 if there is none yet.
    fn number(&self, metric: &str) -> u64 {
        let page = metrics(self.page);
        page.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok()).unwrap_or(0)
    }

    /// How many connections were closed for this reason.
    fn shed(&self, why: &str) -> u64 {
        self.number(&format!("meshd_connections_shed_total{{listener=\"http\",reason=\"{why}\"}} "))
    }

    /// The proxy is within its limit, and has said that memory is tight.
    fn assert_it_told(&self, most: u64) {
        let line = self.line();
        assert!(line.starts_with("meshd: memory is tight, ") && line.contains(" of 64 MiB"), "{line}");
        assert!(most < LIMIT << 10, "{most} KiB could not be reclaimed at the peak");
    }
}

#[test]
fn whoever_does_not_read_has_to_go_before_memory_is_used_up() {
    let proxy = Proxy::start("127.0.0.82");
    let http = proxy.http;
    let mut idle: Vec<TcpStream> = (0..IDLE).map(|_| ask(http, "/")).collect();
    for stream in &mut idle {
        assert!(answer(stream).starts_with("HTTP/1.1 200 "));
    }
    let _unread: Vec<TcpStream> = (0..UNREAD).map(|_| ask(http, "/large")).collect();
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut most = 0;
    while proxy.shed("unread") == 0 {
        most = most.max(own_kib(proxy.running.0.id()));
        let said = answer(&mut ask(http, "/"));
        assert!(
            said.starts_with("HTTP/1.1 200 "),
            "good clients are served: {said:?} {}",
            metrics(proxy.page)
        );
        assert!(Instant::now() < deadline, "nobody had to go: {}", metrics(proxy.page));
        std::thread::sleep(Duration::from_millis(20));
    }
    proxy.assert_it_told(most.max(own_kib(proxy.running.0.id())));
    assert_eq!((proxy.shed("idle"), proxy.shed("slow")), (0, 0), "nobody else had to");
    for stream in &mut idle {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert!(answer(stream).starts_with("HTTP/1.1 200 "), "idle connections still serve");
    }
}

#[test]
fn a_connection_on_which_nothing_is_asked_keeps_no_buffers() {
    const MANY: usize = 500;
    let proxy = Proxy::start("127.0.0.85");
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut before = 0;
    while before == 0 {
        assert!(Instant::now() < deadline, "it has not looked yet: {}", metrics(proxy.page));
        before = proxy.number("meshd_memory_bytes ");
    }
    // One after the other, so that a single connection to the application is enough.
    let asked = (0..MANY).map(|_| {
        let mut stream = ask(proxy.http, "/");
        assert!(answer(&mut stream).starts_with("HTTP/1.1 200 "));
        stream
    });
    let mut idle: Vec<TcpStream> = asked.collect();
    let each = || proxy.number("meshd_memory_bytes ").saturating_sub(before) / MANY as u64;
    while each() > 12 << 10 {
        assert!(Instant::now() < deadline, "{} bytes for each", each());
        std::thread::sleep(Duration::from_millis(50));
    }
    for stream in &mut idle {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let said = answer(stream);
        assert!(said.starts_with("HTTP/1.1 200 "), "{said:?}");
    }
}

/// HTTP/2 connections, and how many requests each makes whose answers it does not read.
const SHARED: usize = 5;
const UNREAD_OF_EACH: usize = 80;

/// One connection on which requests are under way whose answers nobody reads: of each a KiB at most is taken.
async fn shared(proxy: &Proxy) -> (SendRequest<Bytes>, Vec<RecvStream>) {
    let stream = tokio::net::TcpStream::connect(proxy.http).await.unwrap();
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1024).initial_connection_window_size(16 << 20);
    let (mut sender, connection) = builder.handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut unread = Vec::new();
    for _ in 0..UNREAD_OF_EACH {
        unread.push(get(proxy, &mut sender, "/large").await);
    }
    (sender, unread)
}

/// The body of an answer.
async fn get(proxy: &Proxy, sender: &mut SendRequest<Bytes>, path: &str) -> RecvStream {
    let request = http::Request::get(format!("http://x{path}")).body(()).unwrap();
    let answer = async {
        *sender = sender.clone().ready().await?;
        sender.send_request(request, true)?.0.await
    };
    let answer = answer.await.map_err(|error| format!("{path}: {error}\n{}", metrics(proxy.page))).unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.into_body()
}

/// Whether the answer was reset.
async fn is_reset(body: &mut RecvStream) -> bool {
    let next = poll_fn(|cx| match body.poll_data(cx) {
        Poll::Ready(next) => Poll::Ready(next),
        Poll::Pending => Poll::Ready(None),
    });
    match next.await {
        Some(Err(error)) => {
            assert_eq!(error.reason(), Some(h2::Reason::CANCEL));
            true
        }
        Some(Ok(_)) | None => false,
    }
}

#[tokio::test]
async fn of_a_connection_that_many_share_only_the_answers_that_are_not_read_go() {
    let proxy = Proxy::start("127.0.0.83");
    let mut connections = Vec::new();
    for _ in 0..SHARED {
        connections.push(shared(&proxy).await);
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut most = 0;
    let shed = || proxy.number("meshd_streams_shed_total{listener=\"http\"} ");
    while shed() == 0 {
        most = most.max(own_kib(proxy.running.0.id()));
        for (sender, _) in &mut connections {
            drop(get(&proxy, sender, "/").await);
        }
        assert!(Instant::now() < deadline, "nothing had to go: {}", metrics(proxy.page));
    }
    proxy.assert_it_told(most.max(own_kib(proxy.running.0.id())));
    let mut reset = 0;
    while reset == 0 || reset < shed() {
        for (_, unread) in &mut connections {
            for body in unread {
                reset += u64::from(is_reset(body).await);
            }
        }
        assert!(Instant::now() < deadline, "{reset} of {} were reset", shed());
        tokio::task::yield_now().await;
    }
    for (sender, _) in &mut connections {
        drop(get(&proxy, sender, "/").await);
    }
    assert_eq!(["unread", "idle", "slow"].map(|why| proxy.shed(why)), [0; 3], "the connections stay");
}

/// What an upload is answered with.
fn upload(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nupload").unwrap();
    let said = answer(&mut stream);
    said.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn where_memory_is_tight_nothing_is_kept_for_another_attempt() {
    let proxy = Proxy::start("127.0.0.84");
    assert_eq!(upload(proxy.http), "HTTP/1.1 200 OK", "the second attempt has the body");
    let (mut waiting, long) = (Vec::new(), format!("/wait HTTP/1.1\r\nlong: {}\r\nx: ", "x".repeat(9000)));
    let deadline = Instant::now() + Duration::from_secs(60);
    let tight = (LIMIT << 20) / 100 * 66;
    while proxy.number("meshd_memory_bytes ") < tight {
        waiting.extend((0..5).map(|_| ask(proxy.http, &long)));
        assert!(waiting.len() < 990, "{}", metrics(proxy.page));
        while proxy.asked.waiting.load(Ordering::Relaxed) < waiting.len() {
            assert!(Instant::now() < deadline, "{}", metrics(proxy.page));
            std::thread::yield_now();
        }
    }
    assert_eq!(upload(proxy.http), "HTTP/1.1 503 Service Unavailable", "{}", metrics(proxy.page));
    assert_eq!(upload(proxy.http), "HTTP/1.1 200 OK", "the application's turn");
    drop(waiting);
    while proxy.number("meshd_memory_bytes ") > tight * 9 / 10 {
        assert!(Instant::now() < deadline, "{}", metrics(proxy.page));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(upload(proxy.http), "HTTP/1.1 200 OK");
    assert_eq!(["unread", "idle", "slow"].map(|why| proxy.shed(why)), [0; 3], "nobody had to go for it");
}

#[test]
fn connections_that_have_ended_leave_nothing() {
    let proxy = Proxy::start("127.0.0.85");
    let ended = |count: usize| {
        let mut client = ask(proxy.http, "/end");
        for _ in 1..count {
            assert!(answer(&mut client).starts_with("HTTP/1.1 200 "));
            client.write_all(b"GET /end HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        }
        assert!(answer(&mut client).starts_with("HTTP/1.1 200 "));
    };
    ended(100);
    std::thread::sleep(Duration::from_millis(500));
    // What each thread has not added to the sum yet, twice.
    let most = proxy.number("meshd_memory_bytes ") + (128 << 10);
    ended(2000);
    let deadline = Instant::now() + Duration::from_secs(10);
    while proxy.number("meshd_memory_bytes ") > most {
        assert!(Instant::now() < deadline, "more than {most} stays in use: {}", metrics(proxy.page));
        std::thread::sleep(Duration::from_millis(20));
    }
}
