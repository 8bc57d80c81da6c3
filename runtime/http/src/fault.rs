//! What is wrong with a message or a connection.

use http::StatusCode;
use std::io;

/// Why a body broke off, as its source says.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// What is wrong with what the other end sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// The method is none, or what came is no HTTP.
    #[error("the method is not one")]
    Method,
    /// The target of a request is no URI.
    #[error("the target is not one")]
    Target,
    /// It is longer than any server takes.
    #[error("the target is too long")]
    TargetTooLong,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("the version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
    /// The first line of an answer has no status.
    #[error("the status is not one")]
    Status,
    /// A header's name or value has bytes that it may not have.
    #[error("a header has a byte that it may not have")]
    Header,
    /// More headers, or more bytes of them, than are read.
    #[error("the head is too large")]
    HeadTooLarge,
    /// `content-length` is no number, or several that differ.
    #[error("the content-length is not one number")]
    Length,
    /// A request's last transfer coding is not `chunked`, or the message is one of HTTP/1.0.
    #[error("the transfer-encoding does not say where the body ends")]
    TransferEncoding,
    /// A chunk does not begin with its size, or does not end where it said.
    #[error("a chunk is malformed")]
    Chunk,
    /// The extensions of chunks are longer than anybody needs.
    #[error("the extensions of chunks are too long")]
    ChunkExtensions,
    /// Trailers are malformed.
    #[error("a trailer has a byte that it may not have")]
    Trailer,
    /// More trailers, or more bytes of them, than are read.
    #[error("the trailers are too large")]
    TrailersTooLarge,
    /// The connection ended in the middle of a message.
    #[error("the connection ended in the middle of a message")]
    Truncated,
    /// Something came that nobody asked for.
    #[error("an answer came that nobody asked for")]
    Unasked,
    /// More interim answers than anybody sends.
    #[error("too many interim answers")]
    Interim,
}

impl Fault {
    fn is_of_head(self) -> bool {
        match self {
            Fault::Method
            | Fault::Target
            | Fault::TargetTooLong
            | Fault::Version
            | Fault::Status
            | Fault::Header
            | Fault::HeadTooLarge
            | Fault::Length
            | Fault::TransferEncoding
            | Fault::Unasked
            | Fault::Interim => true,
            Fault::Chunk
            | Fault::ChunkExtensions
            | Fault::Trailer
            | Fault::TrailersTooLarge
            | Fault::Truncated => false,
        }
    }

    /// What a server answers. `None` if there is nobody to read an answer, or no place for one.
    #[must_use]
    pub fn status(self) -> Option<StatusCode> {
        match self {
            Fault::Method
            | Fault::Target
            | Fault::Version
            | Fault::Header
            | Fault::Length
            | Fault::TransferEncoding
            | Fault::Chunk
            | Fault::ChunkExtensions
            | Fault::Trailer => Some(StatusCode::BAD_REQUEST),
            Fault::TargetTooLong => Some(StatusCode::URI_TOO_LONG),
            Fault::HeadTooLarge | Fault::TrailersTooLarge => {
                Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            }
            Fault::Status | Fault::Truncated | Fault::Unasked | Fault::Interim => None,
        }
    }
}

/// Why a connection is over, or an exchange on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the other end sent is no HTTP.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The stream failed.
    #[error("{0}")]
    Stream(#[from] io::Error),
    /// The body to be sent broke off.
    #[error("the body broke off: {0}")]
    Body(BodyError),
    /// The other end closed the connection.
    #[error("the connection has ended")]
    Ended,
    /// Whoever shared the connection has given it up.
    #[error("the exchange was given up")]
    GivenUp,
}

impl Error {
    /// Whether the other end sent a head that is none. A body that breaks off or goes wrong is not that.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        match self {
            Error::Fault(fault) => fault.is_of_head(),
            Error::Stream(_) | Error::Body(_) | Error::Ended | Error::GivenUp => false,
        }
    }
}
