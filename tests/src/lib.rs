//! Harness of the suites: the binaries under test, the tools beside them, running meshes, clients and certificates.
//!
//! Nothing here is skipped in silence: what is missing fails the test with the command that brings it.

pub mod build;
pub mod certificates;
pub mod crowd;
pub mod document;
pub mod http;
pub mod http2;
pub mod http2_server;
pub mod mesh;
pub mod one_stream;
pub mod pods;
pub mod process;
pub mod random;
pub mod raw;
pub mod synthetic;
pub mod tools;
pub mod tunnel;
pub mod validation;
pub mod wire;
pub mod wire2;
