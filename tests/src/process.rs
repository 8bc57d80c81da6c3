//! Child processes that end with the test.

use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// Runs a command to its end and returns what it printed.
///
/// # Panics
/// If it cannot be started.
pub fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
}

/// Runs a command that must succeed and returns its standard output.
///
/// # Panics
/// If it fails; with everything it printed.
pub fn succeed(command: &mut Command) -> String {
    let output = run(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Sends a signal by name (`TERM`, `INT`, `KILL`) to one process by its pid.
pub fn signal(pid: u32, name: &str) {
    // A process that has ended in the meantime is no failure.
    let _ = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status();
}

/// Stops a process where it is (`CONT` lets it go on), and returns once each of its threads stands still: the signal is
/// only noted when `kill` returns, and until then a busy machine leaves time to accept a connection.
///
/// # Panics
/// If it still runs after ten seconds, or is gone.
pub fn freeze(pid: u32) {
    signal(pid, "STOP");
    eventually("every thread stands still", Duration::from_secs(10), || {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process exists");
        let mut stand_still = threads.map(|thread| {
            let status = thread.and_then(|thread| std::fs::read_to_string(thread.path().join("stat")));
            // The name of the thread is in parentheses, and may hold some itself; its state follows.
            status.is_ok_and(|status| status.rsplit(')').next().is_some_and(|rest| rest.starts_with(" T")))
        });
        stand_still.all(|still| still).then_some(())
    });
}

/// Waits for a child until the deadline; `None` if it still runs then.
pub fn wait(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + patience;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks again and again until the answer is `Some`.
///
/// # Panics
/// If that takes longer than `patience`.
pub fn eventually<T>(what: &str, patience: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "not within {patience:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The pids of all descendants of `ancestor` whose command line contains `part`, in ascending order.
#[must_use]
pub fn children(ancestor: u32, part: &str) -> Vec<u32> {
    let mut found = Vec::new();
    let mut open = vec![ancestor];
    while let Some(pid) = open.pop() {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            open.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if pid != ancestor && line.contains(part) {
            found.push(pid);
        }
    }
    found.sort_unstable();
    found
}

/// Whether a process still exists.
#[must_use]
pub fn alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended; only its parent has not asked yet.
    !status.is_empty() && !status.contains(") Z ")
}
