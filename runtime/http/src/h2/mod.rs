//! HTTP/2 for a proxy: what is around the library that reads and writes frames.
//!
//! The `h2` crate decides about frames, header compression, flow control and resets. What a proxy adds is here: which task
//! polls what, bodies that give back their window as they are read, heads without what belongs to HTTP/1.1, and streams that
//! become tunnels.

pub mod client;
mod error;
mod fields;
mod incoming;
mod sending;
pub mod server;
mod settings;
mod stream;
mod switched;

pub use error::Error;
pub use h2::Reason;
pub use h2::ext::Protocol;
pub use incoming::Incoming;
pub use sending::Sending;
pub use settings::Settings;
pub use stream::Stream;
pub use switched::Switched;
