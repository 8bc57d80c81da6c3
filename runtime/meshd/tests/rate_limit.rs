//! `meshd rate-limit` as a process: its arguments, its readiness line, aligned windows, SIGTERM.

#![expect(clippy::disallowed_methods, reason = "tests are at the edge: they write a configuration file")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers fail by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use meshd_rate_limit::{Decision, Descriptor, RateLimitClient};

const PATIENCE: Duration = Duration::from_secs(20);

const LIMITS: &str = "\
domain: catalog
descriptors:
- {key: header_match, value: gold_request, rate_limit: {unit: minute, requests_per_unit: 10}}
";

/// A running `meshd rate-limit`, killed with the value if it did not end before.
struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    grpc: String,
    _folder: tempfile::TempDir,
}

impl Running {
    /// Starts it on free ports and waits for its readiness line.
    fn start(extra: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("limits.yaml"), LIMITS).unwrap();
        let any = "127.0.0.1:0";
        let mut child = Command::new(env!("CARGO_BIN_EXE_meshd"))
            .args(["rate-limit", "--listen", any, "--http-listen", any, "--debug-listen", any, "--config"])
            .arg(folder.path())
            .args(extra)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let grpc = line
            .strip_prefix("meshd rate-limit: ready: gRPC on ")
            .and_then(|rest| rest.split(',').next())
            .expect("the first line tells the addresses")
            .to_owned();
        Self { child, stderr, grpc, _folder: folder }
    }

    /// How many of `times` questions are admitted.
    async fn admitted(&self, times: usize) -> usize {
        let client = RateLimitClient::new(&self.grpc, PATIENCE).unwrap();
        let gold = [Descriptor::one("header_match", "gold_request")];
        let mut count = 0;
        for _ in 0..times {
            match client.should_limit("catalog", &gold, 1).await {
                Decision::Ok { .. } => count += 1,
                over @ (Decision::OverLimit { .. } | Decision::Error(_)) => {
                    assert!(matches!(over, Decision::OverLimit { .. }), "{over:?}");
                }
            }
        }
        count
    }

    /// Sends SIGTERM to this process alone and waits for its end; also returns what it said after it was ready.
    async fn terminate(mut self) -> (ExitStatus, String) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it does not end after SIGTERM");
            // The client's connection lives on this thread and has to answer the server's farewell.
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (status, said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn meshd(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_meshd")).args(arguments).output().unwrap()
}

/// With windows aligned to the start, the minute cannot end between the questions, whatever the real time is.
#[tokio::test]
async fn counts_exactly_with_aligned_windows_and_ends_on_sigterm() {
    let server = Running::start(&["--align-windows-to-start"]);
    assert_eq!(server.admitted(20).await, 10);
    let (status, said) = server.terminate().await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(said, "meshd rate-limit: draining\n");
}

#[tokio::test]
async fn serves_on_the_calendar_by_default() {
    let server = Running::start(&[]);
    // A minute may end in the middle, so only what holds in any case is asked.
    assert!((10..=20).contains(&server.admitted(20).await));
}

#[test]
fn a_server_that_cannot_start_says_why_and_exits_with_2() {
    let nowhere = meshd(&["rate-limit", "--config", "/nonexistent/limits.yaml"]);
    assert_eq!(nowhere.status.code(), Some(2));
    let said = String::from_utf8(nowhere.stderr).unwrap();
    assert!(said.starts_with("meshd rate-limit: cannot read `/nonexistent/limits.yaml`: "), "{said}");
    assert_eq!(meshd(&["rate-limit"]).status.code(), Some(2), "a configuration is required");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limits.yaml");
    std::fs::write(&file, LIMITS).unwrap();
    let wrong = meshd(&["rate-limit", "--config", file.to_str().unwrap(), "--redis", "redis//:secret@x"]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(said.contains("not a usable Redis URL") && !said.contains("secret"), "{said}");
}

#[test]
fn the_help_shows_an_example_and_hides_what_is_for_tests() {
    let help = String::from_utf8(meshd(&["rate-limit", "--help"]).stdout).unwrap();
    assert!(help.contains("meshd rate-limit --config limits.yaml"), "{help}");
    assert!(help.contains("--redis"), "{help}");
    assert!(!help.contains("align"), "{help}");
}
