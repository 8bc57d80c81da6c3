//! A request as it is sent on, in the form of either version of HTTP.

use crate::body::Body;
use crate::bounds::Bounds;
use crate::trailers::{Trailers, WithTrailers};
use crate::upgrade;
use crate::upstream::Spoken;
use http::uri::{PathAndQuery, Scheme, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Version, header};
use http_body::Body as _;
use meshd_config::Upgrade;

/// A request as it will be sent, whatever the protocol.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// The method.
    pub(crate) method: Method,
    /// The host that was asked for, with its port if it had one; never empty.
    pub(crate) authority: String,
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
    /// The request in the form that the protocol wants.
    pub(crate) fn request(&self, body: Body, spoken: Spoken, tls: bool) -> Request<Body> {
        let trailers = match (self.version, spoken) {
            (Version::HTTP_2, Spoken::Http2) => Trailers::OfRequest(self.bounds),
            _ => Trailers::Dropped,
        };
        let mut request = Request::new(WithTrailers::boxed(body, trailers));
        let is_endless = !request.body().is_end_stream() && request.body().size_hint().exact().is_none();
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        let mut uri = Uri::from(self.path.clone());
        if spoken == Spoken::Http2 {
            let mut parts = uri.into_parts();
            parts.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
            parts.authority = self.authority.parse().ok();
            uri = Uri::from_parts(parts).unwrap_or_else(|_| Uri::from(self.path.clone()));
            *request.version_mut() = Version::HTTP_2;
            if let Some(upgrade) = self.upgrade {
                upgrade::ask2(&mut request, upgrade);
            }
        } else if let Ok(host) = HeaderValue::from_str(&self.authority) {
            request.headers_mut().insert(header::HOST, host);
        }
        if let (Some(upgrade), Spoken::Http1) = (self.upgrade, spoken) {
            upgrade::ask1(request.headers_mut(), upgrade);
        }
        // Unless it is told, hyper takes a GET, HEAD or CONNECT to have no body, and drops the one there is.
        if spoken == Spoken::Http1 && is_endless && !request.headers().contains_key(header::CONTENT_LENGTH) {
            request.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        *request.uri_mut() = uri;
        request
    }
}
