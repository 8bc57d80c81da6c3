//! Sends what shows whether something is so.

use std::io;
use std::time::{Duration, Instant};

use meshc_driver::live::{Message, Observation, Probe, Seen};

use super::connection::Target;
use super::exchange::{self, Asked, Line};
use crate::exit::Failure;
use crate::up::places::Places;

/// How long an answer may take, beyond what the application is asked to wait.
const PATIENCE: Duration = Duration::from_secs(8);

/// Somebody who sends one thing again and again.
pub(super) struct Client {
    target: Target,
    message: Message,
    delay: Option<Duration>,
    processes: bool,
    line: Line,
}

impl Client {
    /// For a probe; the application is asked to wait so long before it answers.
    pub(super) fn new(probe: &Probe, delay: Option<Duration>, places: &Places) -> Result<Self, Failure> {
        Ok(Self {
            target: Target::of(&probe.entry, places)?,
            message: probe.message.clone(),
            delay,
            processes: places.processes,
            line: Line::default(),
        })
    }

    /// Sends it once.
    pub(super) async fn send(&mut self) -> Observation {
        let begun = Instant::now();
        let patience = PATIENCE + self.delay.unwrap_or_default();
        let seen = match tokio::time::timeout(patience, self.exchange()).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(_)) => Seen::Closed,
            Err(_) => Seen::Silent,
        };
        // Whoever says nothing first on a connection may be well.
        let seen = match (&self.message, seen) {
            (Message::Connection | Message::Hello(_), Seen::Silent) if self.processes => Seen::Somebody,
            (_, seen) => seen,
        };
        Observation { seen, after: begun.elapsed() }
    }

    async fn exchange(&mut self) -> io::Result<Seen> {
        match &self.message {
            Message::Connection => exchange::connection(&self.target, &self.target.host()).await,
            Message::Hello(name) => exchange::hello(&self.target, name, self.processes).await,
            Message::Request { method, path, host, headers, grpc } => {
                let asked = Asked {
                    method: method.clone(),
                    path: delayed(path, self.delay),
                    host: host.clone().unwrap_or_else(|| self.target.host()),
                    headers: headers.clone(),
                };
                if *grpc {
                    exchange::grpc(&self.target, &asked, self.processes).await
                } else {
                    self.line.send(&self.target, &asked, self.processes).await
                }
            }
        }
    }
}

/// A path whose query asks a stand-in to wait.
fn delayed(path: &str, delay: Option<Duration>) -> String {
    let Some(delay) = delay else { return path.to_owned() };
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}delay={}", delay.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_asked_to_wait_in_the_query() {
        let wait = Some(Duration::from_millis(1500));
        assert_eq!(delayed("/a", wait), "/a?delay=1500");
        assert_eq!(delayed("/a?b=1", wait), "/a?b=1&delay=1500");
        assert_eq!(delayed("/a", None), "/a");
    }
}
