//! HTTP/1.1 without sockets: what comes is given in pieces of any size, what is to be sent is written into a buffer.

mod body;
mod chunks;
mod client;
mod fields;
mod head;
mod server;
mod write;

pub use body::{Framing, Part};
pub use client::Client;
pub use server::Server;
pub use write::{RequestHead, Sending};
