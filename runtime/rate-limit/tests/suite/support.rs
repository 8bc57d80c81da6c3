//! A server in this process, a clock that stands still until it is told to move, and a real Redis.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use meshd_rate_limit::{Addresses, Clock, Decision, Descriptor, Options, RateLimitClient, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Long enough for a machine that is busy with other tests; no test waits for it unless something is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const CATALOG: &str = "\
domain: catalog
descriptors:
- {key: header_match, value: gold_request, rate_limit: {unit: minute, requests_per_unit: 10}}
- {key: header_match, value: bronze_request, rate_limit: {unit: minute, requests_per_unit: 3}}
- {key: header_match, value: otherwise, rate_limit: {unit: minute, requests_per_unit: 1}}
- {key: hourly, rate_limit: {unit: hour, requests_per_unit: 2}}
- {key: shadow, shadow_mode: true, rate_limit: {unit: minute, requests_per_unit: 0}}
- {key: free, rate_limit: {unlimited: true}}
";

/// A clock that only moves when told to.
#[derive(Clone, Debug)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    /// The beginning of an hour, and so of a minute, in 2027.
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_798_761_600_000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A server that runs until it is stopped or dropped.
pub(crate) struct Running {
    pub(crate) addresses: Addresses,
    pub(crate) clock: TestClock,
    pub(crate) config: PathBuf,
    folder: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Options for a server on free loopback ports that looks at its files often.
pub(crate) fn options(config: &Path, redis: Option<String>, clock: &TestClock) -> Options {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Options {
        config: vec![config.to_owned()],
        redis,
        redis_patience: PATIENCE,
        listen: any,
        http_listen: any,
        debug_listen: any,
        reload_every: Duration::from_millis(20),
        clock: Arc::new(clock.clone()),
    }
}

impl Running {
    /// A server with [`CATALOG`], in memory.
    pub(crate) async fn in_memory() -> Self {
        Self::start(None).await
    }

    /// A server with [`CATALOG`] that counts in a Redis, or in memory.
    pub(crate) async fn start(redis: Option<String>) -> Self {
        Self::start_with(redis, PATIENCE).await
    }

    /// A server that waits for Redis only so long.
    pub(crate) async fn start_with(redis: Option<String>, redis_patience: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("catalog.yaml");
        std::fs::write(&config, CATALOG).unwrap();
        let clock = TestClock::new();
        let options = Options { redis_patience, ..options(folder.path(), redis, &clock) };
        let server = Server::bind(options).await.unwrap();
        let addresses = server.addresses();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async {
            let _ = stopped.await;
        }));
        Self { addresses, clock, config, folder, stop: Some(stop), task }
    }

    pub(crate) fn client(&self) -> RateLimitClient {
        RateLimitClient::new(&self.addresses.grpc.to_string(), PATIENCE).unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn stop(&mut self) {
        self.stop.take().expect("stopped only once").send(()).unwrap();
    }

    /// Waits for a stopped server to end.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(PATIENCE, self.task).await.expect("the server ends").unwrap();
    }

    pub(crate) async fn metric(&self, line: &str) -> u64 {
        let page = get(self.addresses.http, "/metrics").await.1;
        let found = page.lines().find_map(|candidate| candidate.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {line} in {page}")).parse().unwrap()
    }
}

/// Asks once about one descriptor.
pub(crate) async fn ask(client: &RateLimitClient, key: &str, value: &str) -> Decision {
    client.should_limit("catalog", &[Descriptor::one(key, value)], 1).await
}

/// How many of `times` questions in a row are admitted; none may fail.
pub(crate) async fn admitted(client: &RateLimitClient, value: &str, times: usize) -> usize {
    let mut count = 0;
    for _ in 0..times {
        match ask(client, "header_match", value).await {
            Decision::Ok { .. } => count += 1,
            Decision::OverLimit { .. } => {}
            Decision::Error(failure) => panic!("{failure}"),
        }
    }
    count
}

/// Status and body of a page.
pub(crate) async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "{what} never came true");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// A real Redis on a loopback port, ended with the value.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Redis {
    /// Starts one on some free port.
    pub(crate) async fn start() -> Self {
        // Another process may take the port between the look and the start.
        for _ in 0..10 {
            if let Some(redis) = Self::start_on(free_port()).await {
                return redis;
            }
        }
        panic!("no Redis could be started on any port");
    }

    /// Starts one on a port, if it can be had.
    pub(crate) async fn start_on(port: u16) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port_text = port.to_string();
        let arguments =
            ["--port", &port_text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"];
        let child = Command::new(program())
            .args(arguments)
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut redis = Self { child, port, _folder: folder };
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if redis.child.try_wait().unwrap().is_some() {
                return None;
            }
            if redis.command("PING").await.as_deref() == Some("+PONG\r\n") {
                return Some(redis);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("Redis did not answer within {PATIENCE:?}");
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The beginning of the raw answer to an inline command.
    pub(crate) async fn command(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address()).await.ok()?;
        stream.write_all(format!("{command}\r\n").as_bytes()).await.ok()?;
        let mut buffer = [0_u8; 4096];
        let length = stream.read(&mut buffer).await.ok()?;
        Some(String::from_utf8_lossy(buffer.get(..length)?).into_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The real `redis-server`. A machine without it fails the test; nothing is skipped.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push(PathBuf::from("/usr/bin"));
    let mut candidates = folders.into_iter().map(|folder| folder.join("redis-server"));
    candidates
        .find(|candidate| candidate.is_file())
        .expect("these tests need a real Redis: install it with `apt-get install redis-server`")
}
