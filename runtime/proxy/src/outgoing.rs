//! A request as it is sent on, in the form of either version of HTTP.

use crate::body::{Attempt, Body};
use crate::bounds::Bounds;
use crate::trailers::{Trailers, WithTrailers};
use crate::upgrade;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{HeaderMap, Method, Request, Version};
use meshd_config::Upgrade;
use meshd_http::h1::RequestHead;
use std::rc::Rc;

/// A request as it will be sent, whatever the protocol.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// The method.
    pub(crate) method: Method,
    /// The host that was asked for, with its port if it had one; never empty.
    pub(crate) authority: Rc<str>,
    /// The normalised path with the query.
    pub(crate) path: PathAndQuery,
    /// The headers without `host`.
    pub(crate) headers: HeaderMap,
    /// What the client speaks.
    pub(crate) version: Version,
    /// What it asks to speak from here on.
    pub(crate) upgrade: Option<Upgrade>,
    /// How large its head and its trailers may be.
    pub(crate) bounds: Bounds,
}

impl Outgoing {
    /// The head of a request over HTTP/1.1 with these headers, which are its own or were made of them.
    pub(crate) fn head<'a>(&'a self, headers: &'a HeaderMap) -> RequestHead<'a> {
        let Outgoing { method, authority, path, headers: _, version: _, upgrade: _, bounds: _ } = self;
        RequestHead { method, target: path.as_str(), host: Some(authority), headers }
    }

    /// The request over HTTP/2.
    pub(crate) fn request(&self, body: Attempt, tls: bool) -> Request<Body> {
        let trailers = match self.version {
            Version::HTTP_2 => Trailers::OfRequest(self.bounds),
            _ => Trailers::Dropped,
        };
        let mut request = Request::new(Box::pin(WithTrailers::new(body, trailers)) as Body);
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        *request.version_mut() = Version::HTTP_2;
        let mut parts = Uri::from(self.path.clone()).into_parts();
        parts.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = self.authority.parse().ok();
        let uri = Uri::from_parts(parts).unwrap_or_else(|_| Uri::from(self.path.clone()));
        if let Some(upgrade) = self.upgrade {
            upgrade::ask2(&mut request, upgrade);
        }
        *request.uri_mut() = uri;
        request
    }
}
