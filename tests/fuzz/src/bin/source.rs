//! The fuzz target `source`; `tests/fuzz/run source` builds and runs it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_fuzz::source(bytes));
