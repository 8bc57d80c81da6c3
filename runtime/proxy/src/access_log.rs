//! The access log: one JSON object per request or connection, written by a thread of its own.
//!
//! Workers never wait for the disk or the terminal: lines that do not fit into the queue are dropped and counted.

use crate::metrics::Metrics;
use meshd_config::AccessLog;
use serde_json::{Map, Value};
use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How many lines may wait to be written.
const QUEUE: usize = 8192;

/// One line.
#[derive(Debug, Default)]
pub(crate) struct Line {
    /// The listener's name.
    pub(crate) listener: String,
    /// The client's address.
    pub(crate) remote: String,
    /// The client's identity.
    pub(crate) peer: Option<String>,
    /// The server name that the client asked for.
    pub(crate) sni: Option<String>,
    /// The method.
    pub(crate) method: Option<String>,
    /// The HTTP version, as `HTTP/1.1`.
    pub(crate) protocol: Option<String>,
    /// What the client calls itself.
    pub(crate) user_agent: Option<String>,
    /// The client and the proxies in front of an ingress.
    pub(crate) forwarded_for: Option<String>,
    /// The host.
    pub(crate) host: Option<String>,
    /// The normalised path with the query.
    pub(crate) path: Option<String>,
    /// The status that the client got.
    pub(crate) status: Option<u16>,
    /// The upstream's name.
    pub(crate) upstream: Option<String>,
    /// The group's name.
    pub(crate) group: Option<String>,
    /// The endpoint's address.
    pub(crate) endpoint: Option<String>,
    /// How many attempts ran.
    pub(crate) attempts: Option<u32>,
    /// Envoy's response flags, or `-`.
    pub(crate) flags: &'static str,
    /// What an operator should know.
    pub(crate) details: Option<String>,
    /// Bytes of the body, or to the client.
    pub(crate) bytes: u64,
    /// Bytes from the client, where they are only bytes.
    pub(crate) received: Option<u64>,
    /// The route's name.
    pub(crate) route: Option<String>,
    /// The request's id.
    pub(crate) request_id: Option<String>,
    /// From the first byte in to the last byte out.
    pub(crate) duration: Duration,
}

impl Line {
    fn json(self, now: SystemTime) -> String {
        let mut object = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                object.insert(name.to_owned(), value);
            }
        };
        put("time", OffsetDateTime::from(now).format(&Rfc3339).ok().map(Value::from));
        put("listener", Some(self.listener.into()));
        put("remote", Some(self.remote.into()));
        put("peer", self.peer.map(Value::from));
        put("sni", self.sni.map(Value::from));
        put("method", self.method.map(Value::from));
        put("protocol", self.protocol.map(Value::from));
        put("user_agent", self.user_agent.map(Value::from));
        put("forwarded_for", self.forwarded_for.map(Value::from));
        put("host", self.host.map(Value::from));
        put("path", self.path.map(Value::from));
        put("status", self.status.map(Value::from));
        put("upstream", self.upstream.map(Value::from));
        put("group", self.group.map(Value::from));
        put("endpoint", self.endpoint.map(Value::from));
        put("attempts", self.attempts.map(Value::from));
        put("flags", Some(if self.flags.is_empty() { "-" } else { self.flags }.into()));
        put("details", self.details.map(Value::from));
        put("bytes", Some(self.bytes.into()));
        put("received", self.received.map(Value::from));
        put("route", self.route.map(Value::from));
        put("request_id", self.request_id.map(Value::from));
        put("duration_ms", Some(u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX).into()));
        Value::Object(object).to_string()
    }
}

/// Where lines go.
#[derive(Debug)]
pub(crate) struct Log {
    sender: SyncSender<(SystemTime, Line)>,
    metrics: Arc<Metrics>,
}

impl Log {
    /// Opens the log and starts its thread.
    pub(crate) fn open(target: &AccessLog, metrics: &Arc<Metrics>) -> std::io::Result<Self> {
        let output: Box<dyn Write + Send> = match target {
            AccessLog::Stdout => Box::new(std::io::stdout()),
            AccessLog::File(path) => {
                Box::new(std::fs::OpenOptions::new().append(true).create(true).open(path)?)
            }
        };
        let (sender, receiver) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_lines(&receiver, output))?;
        Ok(Log { sender, metrics: Arc::clone(metrics) })
    }

    /// Queues a line.
    pub(crate) fn write(&self, line: Line) {
        match self.sender.try_send((SystemTime::now(), line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.metrics.log_dropped.add(1),
        }
    }
}

/// Writes lines as they come, one write for all that wait.
fn write_lines(receiver: &Receiver<(SystemTime, Line)>, mut output: Box<dyn Write + Send>) {
    while let Ok((time, line)) = receiver.recv() {
        let mut batch = line.json(time);
        batch.push('\n');
        while let Ok((time, line)) = receiver.try_recv() {
            batch.push_str(&line.json(time));
            batch.push('\n');
        }
        if output.write_all(batch.as_bytes()).and_then(|()| output.flush()).is_err() {
            return;
        }
    }
}
