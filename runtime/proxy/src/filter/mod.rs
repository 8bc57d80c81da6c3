//! What is done with the requests of a route and their answers on their way, as the configuration lists it.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

pub(crate) mod answer;
pub(crate) mod mirror;

use crate::from_client::FromClient;
use crate::limit::LimitState;
use crate::outgoing::Outgoing;
use crate::worker::Worker;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use meshd_config::filter::Rewrite;
use meshd_config::{Authorization, HeaderChanges};
use mirror::Mirror;
use std::rc::Rc;
use std::sync::Arc;

/// One thing that is done with each request or its answer.
#[derive(Debug)]
pub(crate) enum Filter {
    /// Refuses those that may not be sent.
    Authorize(Authorization),
    /// Tells of those that these rules would refuse.
    Audit(Authorization),
    /// Counts, and refuses what exceeds the limit.
    Limit(Arc<LimitState>),
    /// Changes the headers of what is sent on.
    RequestHeaders(Changes),
    /// Changes the headers of what is answered.
    ResponseHeaders(Changes),
    /// Sends a copy elsewhere.
    Mirror(Mirror),
    /// Changes the path and the host of what is sent on.
    Rewrite(Rewrite),
}

/// Changes of headers, with the names and values as the HTTP library has them.
#[derive(Debug)]
pub(crate) struct Changes {
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
    add: Vec<(HeaderName, HeaderValue)>,
}

impl Changes {
    /// The answer to what is no header is a sentence.
    pub(crate) fn new(changes: &HeaderChanges) -> Result<Self, String> {
        let HeaderChanges { remove, set, add } = changes;
        let remove = remove.iter().map(|name| self::name(name));
        Ok(Changes { remove: remove.collect::<Result<_, _>>()?, set: lines(set)?, add: lines(add)? })
    }

    /// Makes the changes.
    pub(crate) fn make(&self, headers: &mut HeaderMap) {
        let Changes { remove, set, add } = self;
        for name in remove {
            headers.remove(name);
        }
        for (name, value) in set {
            headers.insert(name.clone(), value.clone());
        }
        for (name, value) in add {
            headers.append(name.clone(), value.clone());
        }
    }
}

fn lines(lines: &[(String, String)]) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let lines = lines.iter().map(|(name, value)| {
        let bytes = HeaderValue::from_bytes(value.as_bytes());
        let bytes = bytes.map_err(|_| format!("`{value}` is not the value of a header"))?;
        Ok((self::name(name)?, bytes))
    });
    lines.collect()
}

fn name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not the name of a header"))
}

/// Changes the headers of what is sent on; whether any filter does.
pub(crate) fn change_request(filters: &[Filter], headers: &mut HeaderMap) -> bool {
    let mut changed = false;
    for filter in filters {
        match filter {
            Filter::RequestHeaders(changes) => {
                changes.make(headers);
                changed = true;
            }
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::Limit(_)
            | Filter::ResponseHeaders(_)
            | Filter::Rewrite(_)
            | Filter::Mirror(_) => {}
        }
    }
    changed
}

/// Changes the path and the host of what is sent on; whether any filter does. A path that is too long is a sentence.
pub(crate) fn rewrite(
    filters: &[Filter],
    path: &mut PathAndQuery,
    authority: &mut String,
) -> Result<bool, &'static str> {
    let mut changed = false;
    for filter in filters {
        match filter {
            Filter::Rewrite(Rewrite { path: change, host }) => {
                if let Some(change) = change {
                    changed |= answer::change_path(change, path)?;
                }
                if let Some(host) = host {
                    authority.clone_from(host);
                    changed = true;
                }
            }
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::Limit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Mirror(_) => {}
        }
    }
    Ok(changed)
}

/// Changes the headers of what is answered.
pub(crate) fn change_response(filters: &[Filter], headers: &mut HeaderMap) {
    for filter in filters {
        match filter {
            Filter::ResponseHeaders(changes) => changes.make(headers),
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::Limit(_)
            | Filter::RequestHeaders(_)
            | Filter::Rewrite(_)
            | Filter::Mirror(_) => {}
        }
    }
}

/// Sends copies of a request that is about to be sent on, with whatever arrives of its body from now on.
pub(crate) fn copy_request(
    worker: &Rc<Worker>,
    filters: &[Filter],
    outgoing: &Outgoing,
    incoming: &mut FromClient,
) {
    if outgoing.upgrade.is_some() {
        // Whoever got a copy would agree to a conversation that nobody has with it.
        return;
    }
    for filter in filters {
        match filter {
            Filter::Mirror(mirror) => mirror.copy(worker, outgoing, incoming),
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::Limit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Rewrite(_) => {}
        }
    }
}
