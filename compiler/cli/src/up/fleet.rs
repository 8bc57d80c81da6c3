//! The processes of a running mesh: started in groups of their own, watched, and ended by their ids.
//!
//! Invariant: all processes are started from the main thread, because the kernel takes the end of the thread that
//! started a process for the end of its parent.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::exit::{Context, Failure};

/// How long processes get between SIGTERM and SIGKILL.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long a killed process may take to be gone.
const KILLED: Duration = Duration::from_secs(1);
/// How often it is looked whether a process has ended.
const GLANCE: Duration = Duration::from_millis(20);
/// How many bytes at the end of a log are worth showing.
const TAIL: usize = 2_000;
/// How many lines are read from their first to their last.
const FEW: usize = 5;

/// One process.
#[derive(Debug)]
pub(crate) struct Process {
    /// What messages call it.
    pub(crate) name: String,
    /// Where its output goes.
    pub(crate) log: PathBuf,
    child: Child,
    group: Option<Pid>,
    /// Whether its end has been told already.
    told: bool,
}

/// All processes. Dropped, it kills what still runs.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    processes: Vec<Process>,
}

/// A command that dies with this process, however this process ends: see `command/child.rs`.
pub(crate) fn tied(program: &Path, arguments: &[OsString]) -> Result<Command, Failure> {
    let own = std::env::current_exe().context(|| String::from("find this program's own file"))?;
    let mut command = Command::new(own);
    command.arg("child").arg("--parent").arg(std::process::id().to_string()).arg("--").arg(program);
    command.args(arguments).kill_on_drop(true);
    Ok(command)
}

impl Fleet {
    /// Starts a process whose output goes to a file.
    pub(crate) fn start(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[OsString],
        log: PathBuf,
    ) -> Result<(), Failure> {
        let doing = || format!("write `{}`", log.display());
        let output = File::create(&log).context(doing)?;
        let errors = output.try_clone().context(doing)?;
        let mut command = tied(program, arguments)?;
        command.process_group(0).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().context(|| format!("start `{}`", program.display()))?;
        let group = group_of(&child);
        self.processes.push(Process { name: name.to_owned(), log, child, group, told: false });
        Ok(())
    }

    /// The processes that have ended by themselves since this was last asked.
    pub(crate) fn ended(&mut self) -> Vec<(&Process, ExitStatus)> {
        let mut ended = Vec::new();
        for process in &mut self.processes {
            if process.told {
                continue;
            }
            if let Ok(Some(status)) = process.child.try_wait() {
                process.told = true;
                ended.push((&*process, status));
            }
        }
        ended
    }

    /// What the end of a process' log says, for people; see [`Process::last_words`].
    pub(crate) fn last_words(&self, name: &str) -> String {
        let process = self.processes.iter().find(|process| process.name == name);
        process.map(Process::last_words).unwrap_or_default()
    }

    /// Asks every process to end, waits, and kills what does not.
    pub(crate) async fn stop(&mut self) {
        for process in &self.processes {
            signal(process.group, Signal::TERM);
        }
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end && self.processes.iter_mut().any(|process| runs(&mut process.child)) {
            sleep(GLANCE).await;
        }
        for process in &mut self.processes {
            // Also where the process itself has ended: it may have left others in its group.
            signal(process.group, Signal::KILL);
            let _ = process.child.wait().await;
        }
        self.processes.clear();
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for process in &self.processes {
            signal(process.group, Signal::KILL);
        }
        // Only after an error or a panic: what is killed must be gone before its directory is removed.
        let end = Instant::now() + KILLED;
        while Instant::now() < end && self.processes.iter_mut().any(|process| runs(&mut process.child)) {
            std::thread::sleep(GLANCE);
        }
    }
}

impl Process {
    /// The last lines of its log, and before them the first line that says why it ended, if that is not among them: what
    /// Envoy writes last is a stack.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        last_words(&text.unwrap_or_default())
    }
}

fn last_words(text: &str) -> String {
    let mut start = text.len().saturating_sub(TAIL);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let tail = text.get(start..).unwrap_or_default();
    let whole_lines = if start == 0 { tail } else { tail.split_once('\n').map_or(tail, |(_, rest)| rest) };
    let whole_lines = whole_lines.trim_end();
    // Envoy's level of what it cannot go on after.
    match text.lines().find(|line| line.contains("[critical]")) {
        Some(line)
            if !whole_lines.lines().any(|shown| shown == line) || whole_lines.lines().count() > FEW =>
        {
            format!("{line}\n…\n{whole_lines}")
        }
        Some(_) | None => whole_lines.to_owned(),
    }
}

/// The process group that a child leads.
pub(crate) fn group_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()?).ok()?)
}

/// Sends a signal to a whole group; one that has ended already is fine.
pub(crate) fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
}

fn runs(child: &mut Child) -> bool {
    matches!(child.try_wait(), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_why_comes_first() {
        let why = "[2026][1][critical][assert] [watcher_impl.cc:22] assert failure: inotify_fd_ >= 0.";
        let stack: String = (0..60).map(|n| format!("#{n}: something in Envoy [0x55d0]\n")).collect();
        let said = last_words(&format!("[2026][1][warning] first\n{why}\n{stack}"));
        assert!(said.starts_with(&format!("{why}\n…\n#")), "{said}");
        assert!(said.ends_with("#59: something in Envoy [0x55d0]"), "{said}");
        assert_eq!(last_words("meshd: no such file\n"), "meshd: no such file");
    }
}
