//! Requests that every proxy refuses, whatever its routes and rules are.

use meshc_vocabulary::METHODS;

/// What is wrong with such a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// An escaped slash, backslash or NUL is in its path.
    Path,
    /// Its method is none that is forwarded.
    Method,
    /// It is a CONNECT.
    Connect,
    /// It is a QUERY that does not say what type its content has.
    Query,
}

impl Unfit {
    /// What is wrong with a method, and with headers if they are known.
    pub(crate) fn of_method(method: &str, headers: Option<&[(String, Option<String>)]>) -> Option<Self> {
        let has_type = headers.is_none_or(|headers| headers.iter().any(|(name, _)| name == "content-type"));
        match method {
            "CONNECT" => Some(Self::Connect),
            "QUERY" if !has_type => Some(Self::Query),
            other => (!METHODS.contains(&other)).then_some(Self::Method),
        }
    }

    /// What the proxy answers.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Path | Self::Method | Self::Query => 400,
            Self::Connect => 404,
        }
    }

    /// Why.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Path => "its path has an escaped slash, backslash or NUL in it",
            Self::Method => "proxies forward no such method",
            Self::Connect => "no proxy forwards a CONNECT",
            Self::Query => "a QUERY needs a `content-type`",
        }
    }
}
