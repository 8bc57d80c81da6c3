//! Results on standard output.

use std::io::{self, Write};

/// Prints a result. A reader that has closed the pipe wants no more, which is no failure.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
