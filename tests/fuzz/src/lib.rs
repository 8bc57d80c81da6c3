//! What must hold for any bytes: the body of each fuzz target, and how its inputs are made of real files.
//!
//! A target panics if an invariant is broken. The engine is in the binaries; here is plain Rust, so that the same checks
//! also run over the whole corpus in an ordinary test.

mod seeds;
mod source;
mod wire;

pub use seeds::Seeds;
pub use source::source;
pub use wire::{CONFIGURATION, HELLO, wire};
