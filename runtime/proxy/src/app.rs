//! What is behind a listener or a chain: requests, bytes, or TLS inside the mesh's own.

use crate::filter::Filter;
use crate::inside::Inside;
use crate::limit::LimitState;
use crate::route::Routes;
use crate::shares::Forwarding;
use meshd_config::{Edge, Http10, SpiffeId};
use std::sync::Arc;

/// What is behind a chain.
#[derive(Debug)]
pub(crate) enum App {
    /// HTTP.
    Http(HttpApp),
    /// Bytes.
    Tcp(Arc<Forwarding>),
    /// TLS inside that of the chain.
    Tls(Arc<Inside>),
}

/// What is done with requests.
#[derive(Debug)]
pub(crate) struct HttpApp {
    /// Who may send requests at all; asked first.
    pub(crate) entrance: Vec<Filter>,
    /// What counts all of them, before anything else is decided about them.
    pub(crate) limits: Vec<Arc<LimitState>>,
    /// Where they go.
    pub(crate) routes: Routes,
    /// Whether clients are strangers.
    pub(crate) edge: Option<Edge>,
    /// Present where clients may speak HTTP/1.0.
    pub(crate) http10: Option<Http10>,
    /// The gateways whose word on the certificates of their clients is passed on.
    pub(crate) vouching: Vec<SpiffeId>,
    /// Whether nothing is said of a caller that proved its identity.
    pub(crate) anonymous: bool,
}
