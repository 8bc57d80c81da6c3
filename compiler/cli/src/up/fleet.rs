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

    /// The last lines of a process' log.
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
    /// The last lines of its log.
    pub(crate) fn last_words(&self) -> String {
        let text = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let mut start = text.len().saturating_sub(TAIL);
        while !text.is_char_boundary(start) {
            start += 1;
        }
        let tail = text.get(start..).unwrap_or_default();
        let whole_lines =
            if start == 0 { tail } else { tail.split_once('\n').map_or(tail, |(_, rest)| rest) };
        whole_lines.trim_end().to_owned()
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
