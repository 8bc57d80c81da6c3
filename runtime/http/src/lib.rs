//! HTTP for a proxy: HTTP/1.1 as two cores without sockets and a thin driver around them, and HTTP/2 ([`h2`]) through the
//! library of that name.
//!
//! [`h1::Server`] and [`h1::Client`] read and write one connection's messages: bytes go in, heads and pieces of bodies come
//! out, and the other way round. They hold no socket, ask no clock and start no task, so that a test can give them any bytes
//! in any pieces. [`server::Connection`] and [`client::Connection`] move bytes between such a core and a stream; they are
//! for one thread, run in the task of whoever polls them, and keep no buffer while nothing comes.
//!
//! What is read is what hyper would read, or less; the places where it is less are the [`Fault`]s that say so.
//!
//! Invariants: a message's length is said once; what is sent is framed by what its length is known to be, never by what
//! another connection said; a connection whose state is in doubt carries no further message.

mod bell;
pub mod client;
mod date;
mod fault;
pub mod h1;
pub mod h2;
mod incoming;
mod limits;
mod link;
mod out;
mod scratch;
pub mod server;
mod spare;

pub use fault::{BodyError, Error, Fault};
pub use incoming::Incoming;
pub use limits::Limits;
pub use spare::give_back_headers;
