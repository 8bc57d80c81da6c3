//! Harness and suites over the whole workspace.
