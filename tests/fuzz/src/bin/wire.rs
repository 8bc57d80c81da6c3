//! The fuzz target `wire`; `tests/fuzz/run wire` builds and runs it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mesh_fuzz::wire(bytes));
