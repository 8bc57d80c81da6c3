//! Questions about a mesh: the document about them, and answers against an interpreter and running proxies.

mod agreement;
mod described;
mod document;
mod losses;
mod oracle;
mod pairs;
mod planes;
mod questions;
mod written;
