//! The language server: what an editor asks about meshes while they are written.
//!
//! [`Server`] is a state machine: messages go in, messages come out, and work is done in small steps between them, so that
//! whoever types is never waited for: a change is taken at once and ends the check that it makes useless. It reads files
//! through the driver's `FileSystem`, with the texts of open documents over them.
//!
//! Invariants: one thread, no clock, no transport; a request that cannot be answered is an error for that request only.

mod actions;
mod calls;
mod complete;
mod cursor;
mod dispatch;
mod findings;
mod graph;
mod hints;
mod hover;
mod kinds;
mod names;
mod offers;
mod position;
mod rename;
mod scopes;
mod server;
mod structure;
mod symbols;
mod testing;
mod text;
mod tokens;
mod uri;
mod view;
mod walk;
mod world;

pub use server::{Ended, Server};
