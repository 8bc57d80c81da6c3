//! Harness of the suites: the binaries under test, the tools beside them, running meshes, clients and certificates.
//!
//! Nothing here is skipped in silence: what is missing fails the test with the command that brings it.

#![expect(clippy::disallowed_methods, reason = "tests read files, the environment and the clock")]
#![expect(clippy::panic, clippy::expect_used, reason = "in a test a broken harness is a failed test")]

pub mod http;
pub mod mesh;
pub mod process;
pub mod tools;
