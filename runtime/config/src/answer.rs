//! What a route answers by itself, checked.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::rules::Context;
use crate::{Path, PathChange, raw};

pub use raw::UrlScheme;

/// An answer without an upstream.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Another address for the client.
    Redirect(Redirect),
    /// An answer that is the same for every request.
    Respond(Respond),
}

/// Another address. What is absent is as in the request, and so is the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Redirect {
    /// The scheme.
    pub scheme: Option<UrlScheme>,
    /// The host, which then has no port but the one below.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The port in the place of that of the request's host, if that has one.
    pub usual_port: Option<u16>,
    /// The path.
    pub path: Option<PathChange>,
    /// The status: 301, 302, 303, 307 or 308.
    pub status: u16,
}

/// An answer that is the same for every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respond {
    /// The status: 200 to 599.
    pub status: u16,
    /// The body, possibly empty.
    pub body: String,
    /// What the body is.
    pub content_type: Option<String>,
}

impl Answer {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Answer, at: &Path) -> Option<Self> {
        match raw {
            raw::Answer::Redirect(raw) => {
                Redirect::check(cx, raw, &at.field("redirect")).map(Answer::Redirect)
            }
            raw::Answer::Respond(raw) => Respond::check(cx, raw, &at.field("respond")).map(Answer::Respond),
        }
    }
}

impl Redirect {
    fn check(cx: &mut Context<'_>, raw: &raw::Redirect, at: &Path) -> Option<Self> {
        let raw::Redirect { scheme, host, port, usual_port, path, status } = raw;
        if !matches!(status, 301 | 302 | 303 | 307 | 308) {
            cx.wrong(&at.field("status"), "a redirect has one of the statuses 301, 302, 303, 307 and 308");
        }
        for (port, name) in [(port, "port"), (usual_port, "usual_port")] {
            cx.optional(port.as_ref(), &at.field(name), |cx, port, at| cx.positive(*port, at));
        }
        let host = cx.optional(host.as_ref(), &at.field("host"), self::host);
        let path = cx.optional(path.as_ref(), &at.field("path"), PathChange::check);
        Some(Redirect {
            scheme: *scheme,
            host: host?,
            port: *port,
            usual_port: *usual_port,
            path: path?,
            status: *status,
        })
    }
}

impl Respond {
    fn check(cx: &mut Context<'_>, raw: &raw::Respond, at: &Path) -> Option<Self> {
        let raw::Respond { status, body, content_type } = raw;
        if !(200..600).contains(status) {
            cx.wrong(&at.field("status"), "the status of an answer is between 200 and 599");
        }
        if matches!(status, 204 | 205 | 304) && !body.is_empty() {
            cx.wrong(&at.field("body"), format!("an answer with the status {status} has no body"));
        }
        if content_type.as_ref().is_some_and(|kind| kind.chars().any(char::is_control)) {
            cx.wrong(&at.field("content_type"), "a header's value has no control characters");
        }
        Some(Respond { status: *status, body: body.clone(), content_type: content_type.clone() })
    }
}

/// A host's name, without a port.
pub(crate) fn host(cx: &mut Context<'_>, name: &String, at: &Path) -> Option<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if name.is_empty() || !name.bytes().all(fits) {
        cx.wrong(at, format!("`{name}` is not a host"));
        return None;
    }
    Some(name.clone())
}
