//! What is being done, on a terminal, once it takes longer than a second.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

use crate::console::Console;

/// Work that takes longer than this says what it is doing.
const SLOW: Duration = Duration::from_secs(1);

/// Says what is being done; the line goes with the value. By default it says nothing.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    shown: Option<Shown>,
}

/// Progress that somebody can see. A thread of its own waits for the second to pass: whoever works does not look at a
/// clock.
#[derive(Debug)]
struct Shown {
    console: Console,
    line: Arc<Line>,
    waiting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Line {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Debug)]
struct State {
    doing: String,
    visible: bool,
    over: bool,
}

impl Progress {
    /// Progress on the terminal of a console.
    pub(crate) fn shown_on(console: Console, doing: &str) -> Self {
        let state = State { doing: doing.to_owned(), visible: false, over: false };
        let line = Arc::new(Line { state: Mutex::new(state), over: Condvar::new() });
        let waiting = spawn({
            let (line, console) = (Arc::clone(&line), console.clone());
            move || line.wait(&console)
        });
        Self { shown: Some(Shown { console, line, waiting: Some(waiting) }) }
    }

    /// Something else is being done now.
    pub(crate) fn step(&mut self, doing: &str) {
        let Some(shown) = &self.shown else { return };
        let mut state = shown.line.lock();
        if state.doing != doing {
            doing.clone_into(&mut state.doing);
            if state.visible {
                put(&shown.console, doing);
            }
        }
    }
}

impl Line {
    fn wait(&self, console: &Console) {
        let waited = self.over.wait_timeout_while(self.lock(), SLOW, |state| !state.over);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !state.over {
            state.visible = true;
            put(console, &state.doing);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.line.lock().over = true;
        self.line.over.notify_all();
        if let Some(waiting) = self.waiting.take() {
            let _ = waiting.join();
        }
        if self.line.lock().visible {
            self.console.put("\r\x1b[K");
        }
    }
}

fn put(console: &Console, doing: &str) {
    console.put(&format!("\r\x1b[K{doing} …"));
}
