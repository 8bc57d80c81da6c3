//! Waiting until every process of a mesh is ready, and saying why not.

use std::net::SocketAddr;
use std::time::Duration;

use meshc_plan::paths::READY_PATH;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::fleet::Fleet;
use crate::exit::Failure;
use crate::progress::Progress;

/// How long a whole mesh may take.
const LIMIT: Duration = Duration::from_secs(60);
/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(1);
/// How long to wait between two rounds.
const PAUSE: Duration = Duration::from_millis(50);

/// What has to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Awaited {
    /// The process, as the fleet calls it.
    pub(crate) process: String,
    /// Where to ask.
    pub(crate) address: SocketAddr,
    /// What to ask.
    pub(crate) question: Question,
}

/// How to find out whether a process is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// `GET /healthz/ready` answers with 200.
    Ready,
    /// A connection can be opened.
    Connect,
}

/// Waits for all of them. Fails as soon as a process ends, or when time is up.
pub(crate) async fn wait(
    fleet: &mut Fleet,
    mut awaited: Vec<Awaited>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let end = Instant::now() + LIMIT;
    let all = awaited.len();
    loop {
        let mut waiting = Vec::new();
        for each in awaited {
            if !is_ready(&each).await {
                waiting.push(each);
            }
        }
        if let Some((process, status)) = fleet.ended().first() {
            let message = format!("`{}` ended while it started: {status}", process.name);
            return Err(with_last_words(message, &process.last_words()));
        }
        let Some(first) = waiting.first() else { return Ok(()) };
        if Instant::now() >= end {
            let message = format!("`{}` was not ready within {} s", first.process, LIMIT.as_secs());
            return Err(with_last_words(message, &fleet.last_words(&first.process)));
        }
        progress.step(&format!("{} of {all} processes are ready", all - waiting.len()));
        awaited = waiting;
        sleep(PAUSE).await;
    }
}

fn with_last_words(message: String, last_words: &str) -> Failure {
    if last_words.is_empty() {
        return Failure::new(message).help("it wrote nothing; keep the logs with --keep-logs DIR");
    }
    let indented: Vec<String> = last_words.lines().map(|line| format!("    {line}")).collect();
    Failure::new(format!("{message}; it wrote last:\n{}", indented.join("\n")))
}

async fn is_ready(awaited: &Awaited) -> bool {
    let asked = async {
        match awaited.question {
            Question::Connect => TcpStream::connect(awaited.address).await.is_ok(),
            Question::Ready => ask(awaited.address).await.unwrap_or(false),
        }
    };
    timeout(QUESTION, asked).await.unwrap_or(false)
}

async fn ask(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {READY_PATH} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status).await?;
    Ok(status.split(' ').nth(1) == Some("200"))
}
