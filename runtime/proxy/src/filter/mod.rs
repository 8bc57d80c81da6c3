//! What is done with the requests of a route and their answers on their way, as the configuration lists it.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

pub(crate) mod answer;
pub(crate) mod cors;
pub(crate) mod fault;
pub(crate) mod headers;
pub(crate) mod mirror;

use crate::from_client::FromClient;
use crate::limit::LimitState;
use crate::outgoing::Outgoing;
use crate::worker::Worker;
use cors::Cors;
use headers::{Changes, Known};
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::PathAndQuery;
use meshd_config::fault::{Abort, Delay};
use meshd_config::filter::Rewrite;
use meshd_config::{Authorization, Entrance};
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
    /// Answers preflight requests, and says who may read answers.
    Cors(Cors),
    /// Lets requests wait.
    Delay(Delay),
    /// Refuses requests on purpose.
    Abort(Abort),
}

impl Filter {
    /// Who may come in.
    pub(crate) fn of(entrance: &Entrance) -> Vec<Self> {
        let Entrance { rules, tried } = entrance;
        let rules = rules.clone().map(Filter::Authorize);
        rules.into_iter().chain(tried.clone().map(Filter::Audit)).collect()
    }

    /// Whether it is about who may ask, which is decided before anything is counted.
    pub(crate) fn says_who(&self) -> bool {
        match self {
            Filter::Authorize(_) | Filter::Audit(_) => true,
            Filter::Limit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Rewrite(_)
            | Filter::Cors(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
            | Filter::Mirror(_) => false,
        }
    }
}

/// Whether changes of headers ask for something of the request.
pub(crate) fn ask(filters: &[Filter]) -> bool {
    filters.iter().any(|filter| match filter {
        Filter::RequestHeaders(changes) | Filter::ResponseHeaders(changes) => changes.ask(),
        Filter::Authorize(_)
        | Filter::Audit(_)
        | Filter::Limit(_)
        | Filter::Rewrite(_)
        | Filter::Cors(_)
        | Filter::Delay(_)
        | Filter::Abort(_)
        | Filter::Mirror(_) => false,
    })
}

/// Changes the headers of what is sent on; whether any filter does.
pub(crate) fn change_request(filters: &[Filter], headers: &mut HeaderMap, known: Option<&Known>) -> bool {
    let mut changed = false;
    for filter in filters {
        match filter {
            Filter::RequestHeaders(changes) => {
                changes.make(headers, known);
                changed = true;
            }
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::Limit(_)
            | Filter::ResponseHeaders(_)
            | Filter::Rewrite(_)
            | Filter::Cors(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
            | Filter::Mirror(_) => {}
        }
    }
    changed
}

/// Changes the path and the host of what is sent on; whether any filter does. A path that is too long is a sentence.
pub(crate) fn rewrite(
    filters: &[Filter],
    path: &mut PathAndQuery,
    authority: &mut Rc<str>,
) -> Result<bool, &'static str> {
    let mut changed = false;
    for filter in filters {
        match filter {
            Filter::Rewrite(Rewrite { path: change, host }) => {
                if let Some(change) = change {
                    changed |= answer::change_path(change, path)?;
                }
                if let Some(host) = host {
                    *authority = host.as_str().into();
                    changed = true;
                }
            }
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::Limit(_)
            | Filter::RequestHeaders(_)
            | Filter::ResponseHeaders(_)
            | Filter::Cors(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
            | Filter::Mirror(_) => {}
        }
    }
    Ok(changed)
}

/// Changes the headers of what is answered.
pub(crate) fn change_response(filters: &[Filter], headers: &mut HeaderMap, known: Option<&Known>) {
    for filter in filters {
        match filter {
            Filter::ResponseHeaders(changes) => changes.make(headers, known),
            // Whoever keeps answers must know that another origin gets another one.
            Filter::Cors(_) => {
                headers.append(header::VARY, HeaderValue::from_static("origin"));
            }
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::Limit(_)
            | Filter::RequestHeaders(_)
            | Filter::Rewrite(_)
            | Filter::Delay(_)
            | Filter::Abort(_)
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
            | Filter::Rewrite(_)
            | Filter::Cors(_)
            | Filter::Delay(_)
            | Filter::Abort(_) => {}
        }
    }
}
