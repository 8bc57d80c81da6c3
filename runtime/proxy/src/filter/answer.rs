//! What a route answers by itself, and new paths.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::local_reply::Form;
use crate::route::without_port;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, StatusCode, header};
use meshd_config::{Answer, PathChange, Redirect, Respond, UrlScheme};

/// What a client gets from a route that answers by itself.
pub(crate) struct Answered {
    /// The status.
    pub(crate) status: StatusCode,
    /// The body.
    pub(crate) body: String,
    /// A header that says where to, or what the body is.
    pub(crate) header: Option<(HeaderName, HeaderValue)>,
    /// Another path for the log.
    pub(crate) path: Option<PathAndQuery>,
}

/// The address that a request was sent to, and what its client reads.
pub(crate) struct Asked<'a> {
    /// The scheme.
    pub(crate) scheme: &'a str,
    /// The host, with its port if it had one.
    pub(crate) authority: &'a str,
    /// The normalised path with the query.
    pub(crate) path: &'a PathAndQuery,
    /// What the client reads.
    pub(crate) form: Form,
}

impl Asked<'_> {
    /// The answer of a route. An address that cannot be sent is a sentence.
    pub(crate) fn answer(&self, answer: &Answer) -> Result<Answered, &'static str> {
        let status = |status| StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match answer {
            Answer::Redirect(redirect) => {
                let (location, path) = self.location(redirect)?;
                Ok(Answered {
                    status: status(redirect.status),
                    body: String::new(),
                    header: Some((header::LOCATION, location)),
                    path: Some(path),
                })
            }
            Answer::Respond(Respond { status: number, body, content_type }) => {
                // gRPC has a type of its own.
                let kind = content_type.as_ref().filter(|_| self.form == Form::Http);
                let kind = kind.and_then(|kind| HeaderValue::from_bytes(kind.as_bytes()).ok());
                Ok(Answered {
                    status: status(*number),
                    body: body.clone(),
                    header: kind.map(|kind| (header::CONTENT_TYPE, kind)),
                    path: None,
                })
            }
        }
    }

    /// Where a client is sent, with the path for the log.
    fn location(&self, redirect: &Redirect) -> Result<(HeaderValue, PathAndQuery), &'static str> {
        let Redirect { scheme, host, port, usual_port, path: change, status: _ } = redirect;
        let scheme = match scheme {
            Some(UrlScheme::Http) => "http",
            Some(UrlScheme::Https) => "https",
            None => self.scheme,
        };
        let asked_host = without_port(self.authority);
        let port = port.or_else(|| usual_port.filter(|_| asked_host.len() < self.authority.len()));
        let authority = match (host, port) {
            (Some(host), None) => host.clone(),
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (None, Some(port)) => format!("{asked_host}:{port}"),
            (None, None) => self.authority.to_owned(),
        };
        let mut path = self.path.clone();
        if let Some(change) = change {
            change_path(change, &mut path)?;
        }
        let location = HeaderValue::from_str(&format!("{scheme}://{authority}{path}"));
        Ok((location.map_err(|_| "the new address is none")?, path))
    }
}

/// Changes a path and keeps its query; whether it did. One that is too long is a sentence.
pub(crate) fn change_path(change: &PathChange, path: &mut PathAndQuery) -> Result<bool, &'static str> {
    let Some(new) = change.apply(path.path()) else { return Ok(false) };
    let whole = match path.query() {
        Some(query) => format!("{new}?{query}"),
        None => new,
    };
    *path = whole.parse().map_err(|_| "the new path is too long")?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(redirect: Redirect, authority: &str) -> String {
        let path = "/a/b?q=1".parse().unwrap();
        let asked = Asked { scheme: "http", authority, path: &path, form: Form::Http };
        asked.location(&redirect).unwrap().0.to_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_absent_is_as_in_the_request() {
        let none =
            || Redirect { scheme: None, host: None, port: None, usual_port: None, path: None, status: 302 };
        let https = || Redirect { scheme: Some(UrlScheme::Https), usual_port: Some(443), ..none() };
        assert_eq!(to(none(), "a.example:81"), "http://a.example:81/a/b?q=1");
        assert_eq!(to(https(), "a.example"), "https://a.example/a/b?q=1");
        assert_eq!(to(https(), "a.example:80"), "https://a.example:443/a/b?q=1");
        assert_eq!(to(https(), "[::1]"), "https://[::1]/a/b?q=1");
        assert_eq!(to(https(), "[::1]:80"), "https://[::1]:443/a/b?q=1");
        let elsewhere = Redirect { host: Some("b.example".into()), ..none() };
        assert_eq!(to(elsewhere.clone(), "a.example:81"), "http://b.example/a/b?q=1");
        assert_eq!(to(Redirect { port: Some(82), ..elsewhere }, "a.example"), "http://b.example:82/a/b?q=1");
        let path = Some(PathChange::Full("/new".into()));
        assert_eq!(to(Redirect { port: Some(82), path, ..none() }, "a:1"), "http://a:82/new?q=1");
    }
}
