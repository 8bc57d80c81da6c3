//! meshd: the first bytes of a connection, and a configuration file.

use meshd_config::Config;
use meshd_proxy::{Hello, peek};

/// The first byte of an input that is the beginning of a connection.
pub const HELLO: u8 = b'h';
/// The first byte of an input that is a configuration file.
pub const CONFIGURATION: u8 = b'c';

/// What holds for any bytes: neither reader panics; what a connection's beginning says never changes when more bytes
/// come; every mistake of a configuration has a place and a message.
///
/// # Panics
/// If one of these is broken.
pub fn wire(bytes: &[u8]) {
    match bytes.split_first() {
        Some((&HELLO, rest)) => hello(rest),
        Some((&CONFIGURATION, rest)) => configuration(rest),
        _ => {}
    }
}

fn hello(bytes: &[u8]) {
    let whole = peek(bytes);
    // All short prefixes, then some: a hello has a few hundred bytes, and each look reads it from the front.
    for end in (0..bytes.len().min(64)).chain((64..bytes.len()).step_by(97)) {
        let part = peek(&bytes[..end]);
        assert!(part == Hello::Incomplete || part == whole, "{part:?} after {end} bytes, then {whole:?}");
    }
}

fn configuration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Err(invalid) = Config::read(text) else { return };
    assert!(!invalid.problems.is_empty(), "a refusal names its reasons");
    for problem in &invalid.problems {
        assert!(!problem.message.is_empty(), "a reason has words: {problem:?}");
    }
}
