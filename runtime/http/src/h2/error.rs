//! Why a connection or a stream is over.

use ::h2::Reason;

/// Why a connection of HTTP/2 is over, or a stream on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The other end took its stream back "without an error" before its message was complete.
    #[error("the message was ended in the middle")]
    CutShort,
    /// What the library says.
    #[error("{0}")]
    Library(#[from] ::h2::Error),
}

impl Error {
    /// The reason that one end gave the other, as far as there is one.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Error::CutShort => Some(Reason::NO_ERROR),
            Error::Library(error) => error.reason(),
        }
    }

    /// Whether the other end refused a stream that it has not looked at.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        match self {
            Error::CutShort => false,
            Error::Library(error) => {
                error.is_remote() && error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM)
            }
        }
    }

    /// Whether the other end takes its leave. Only streams that it has not looked at end for that.
    #[must_use]
    pub fn is_farewell(&self) -> bool {
        match self {
            Error::CutShort => false,
            Error::Library(error) => error.is_remote() && error.is_go_away(),
        }
    }

    /// Whether it is about one stream alone.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        match self {
            Error::CutShort => true,
            Error::Library(error) => error.is_reset(),
        }
    }
}
