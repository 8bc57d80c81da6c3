//! The command that `meshc up` runs once the mesh is ready.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use super::fleet::{group_of, signal, tied};
use crate::exit::{Context, Failure};

/// How long the command gets between SIGTERM and SIGKILL.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long what the command left behind may take to be gone once it is killed.
const KILLED: Duration = Duration::from_secs(1);
/// How often it is looked whether it is.
const GLANCE: Duration = Duration::from_millis(10);

/// The running command.
#[derive(Debug)]
pub(crate) struct Guest {
    child: Child,
    process: Option<Pid>,
    /// Whether it leads a group of its own. It does not where it shares this process' terminal: only one group may
    /// read from that, and Ctrl-C reaches it there anyway.
    own_group: bool,
}

impl Guest {
    /// Starts it with this process' own input and output.
    pub(crate) fn start(
        command: &[OsString],
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<Self>, Failure> {
        let Some((program, arguments)) = command.split_first() else { return Ok(None) };
        // What the command starts and leaves behind becomes this process' own, so that it can be ended: a background
        // job of a script, say. Where the kernel cannot do that, it stays.
        let _ = set_child_subreaper(Some(getpid()));
        let own_group = !io::stdin().is_terminal();
        let mut starter = tied(Path::new(program), arguments)?;
        starter.envs(environment);
        if own_group {
            starter.process_group(0);
        }
        let child = starter.spawn().context(|| format!("start `{}`", program.to_string_lossy()))?;
        let process = group_of(&child);
        Ok(Some(Self { child, process, own_group }))
    }

    /// Waits for its end; returns its status as a shell has it: 128 more than the signal that ended it.
    pub(crate) async fn wait(&mut self) -> io::Result<u8> {
        self.child.wait().await.map(shell_status)
    }

    /// Asks it to end, waits, and kills it.
    pub(crate) async fn stop(&mut self) {
        self.send(Signal::TERM);
        let _ = timeout(PATIENCE, self.child.wait()).await;
        // Also where the command itself has ended: it may have left others in its group.
        self.send(Signal::KILL);
        let _ = self.child.wait().await;
    }

    fn send(&self, which: Signal) {
        if self.own_group {
            signal(self.process, which);
        } else if let (Some(process), Some(_)) = (self.process, self.child.id()) {
            let _ = kill_process(process, which);
        }
    }
}

/// Kills what commands have left behind. All other children of this process have ended before.
pub(crate) async fn end_strays() {
    let end = Instant::now() + KILLED;
    while Instant::now() < end {
        // Killing one may leave its own children to this process: look again until there are none.
        let left = children();
        if left.is_empty() {
            return;
        }
        for process in left {
            let _ = kill_process(process, Signal::KILL);
            let _ = waitpid(Some(process), WaitOptions::NOHANG);
        }
        sleep(GLANCE).await;
    }
}

/// The children of this process.
fn children() -> Vec<Pid> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let ids = lists.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    ids.filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}

fn shell_status(status: ExitStatus) -> u8 {
    let number = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(number).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_what_a_shell_has() {
        assert_eq!(shell_status(ExitStatus::from_raw(0)), 0);
        assert_eq!(shell_status(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(shell_status(ExitStatus::from_raw(15)), 143);
    }
}
