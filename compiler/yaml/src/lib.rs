//! An ordered value and a YAML emitter that every reader understands alike.
//!
//! What a backend writes is read by programs that disagree about YAML: Envoy's yaml-cpp makes a boolean of
//! `on`, Go's readers follow YAML 1.1 in some places and 1.2 in others, Python's reads `12:30:45` as a number.
//! So nothing here tries to be clever: a string is written plain only if none of them can take it for anything
//! else, as a literal block if it has several lines, and otherwise in double quotes. Lines are never folded,
//! and the same value always gives the same bytes.
//!
//! This crate knows nothing about Envoy, Kubernetes or files, and it does not read YAML.

pub mod corpus;
mod emit;
mod json;
mod macros;
mod scalar;
mod stream;
mod value;
mod writer;

pub use emit::to_string;
pub use stream::Stream;
pub use value::{Map, Value};
pub use writer::Writer;
