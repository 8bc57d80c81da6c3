//! Tests of the whole crate through its public interface.

#![expect(clippy::disallowed_methods, reason = "openssl reads files and the real clock")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers fail by panicking")]

mod certificates;
mod export;
mod files;
mod files_of_openssl;
mod openssl;
mod reissue;
mod rustls;
mod show;
mod support;
