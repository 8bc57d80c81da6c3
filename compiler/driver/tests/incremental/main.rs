//! A build that renders only what is not there already gives the same bytes as one that renders everything, whatever became of
//! the mesh, the tree and the record since the last one. How many sequences are tried: `PROPTEST_CASES=10000 cargo test
//! --workspace --test incremental`.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that reads how long it runs from the environment"
)]

mod sequences;
mod support;
mod traps;
