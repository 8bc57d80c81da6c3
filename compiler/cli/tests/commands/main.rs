//! The commands as processes, run as a user runs them.

#![expect(clippy::disallowed_methods, reason = "tests read files and the clock")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a broken harness is a failed test")]

mod ask;
mod build;
mod check;
mod completion;
mod diff;
mod ending;
mod fmt;
mod help;
mod init;
mod manual;
mod matrix;
mod prove;
mod prove_chains;
mod support;
mod test;
mod trust;
mod up;
mod words;
