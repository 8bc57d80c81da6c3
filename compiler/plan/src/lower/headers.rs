//! What changes of headers say, as far as it is known before there are requests.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_vocabulary::model::filter::{self, RouteFilter};
use meshc_vocabulary::model::{Route, RouteRule};

use crate::filter::{HeaderChanges, HeaderPart, RequestProperty};

/// What is known of all requests of a listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    /// The number of the port that they are sent to.
    pub(super) port: u16,
    /// The identity of whoever sends them, in a sidecar; a gateway finds it out.
    pub(super) caller: Option<&'a str>,
}

/// The changes, for the requests of a listener.
pub(super) fn changes(changes: &filter::HeaderChanges, known: Known<'_>) -> HeaderChanges {
    let filter::HeaderChanges { origin: _, set, add, remove } = changes;
    let line = |(name, value): &(String, Vec<filter::HeaderPart>)| {
        let value = value.iter().map(|part| self::part(part, known)).collect();
        (name.clone(), value)
    };
    HeaderChanges {
        set: set.iter().map(line).collect(),
        add: add.iter().map(line).collect(),
        remove: remove.clone(),
    }
}

fn part(part: &filter::HeaderPart, known: Known<'_>) -> HeaderPart {
    let Known { port, caller } = known;
    let property = match part {
        filter::HeaderPart::Text(text) => return HeaderPart::Text(text.clone()),
        filter::HeaderPart::Property(property) => *property,
    };
    HeaderPart::Property(match property {
        filter::RequestProperty::Method => RequestProperty::Method,
        filter::RequestProperty::Path => RequestProperty::Path,
        filter::RequestProperty::PathAndQuery => RequestProperty::PathAndQuery,
        filter::RequestProperty::Host => RequestProperty::Host,
        filter::RequestProperty::Scheme => RequestProperty::Scheme,
        filter::RequestProperty::Protocol => RequestProperty::Protocol,
        filter::RequestProperty::Id => RequestProperty::Id,
        filter::RequestProperty::ClientAddress => RequestProperty::ClientAddress,
        filter::RequestProperty::Port => return HeaderPart::Text(port.to_string()),
        filter::RequestProperty::Caller => match caller {
            Some(caller) => return HeaderPart::Text(caller.to_owned()),
            None => RequestProperty::ClientUris,
        },
    })
}

/// Whether the rules of a route are others for each caller, since they say who it is.
pub(super) fn tells_caller(route: &Route) -> bool {
    let Route { origin: _, name: _, namespace: _, scope: _, rules } = route;
    rules.iter().flat_map(filters).any(|filter| match filter {
        RouteFilter::RequestHeaders(changes) | RouteFilter::ResponseHeaders(changes) => {
            let filter::HeaderChanges { origin: _, set, add, remove: _ } = changes;
            let parts = set.iter().chain(add).flat_map(|(_, value)| value);
            parts
                .into_iter()
                .any(|part| *part == filter::HeaderPart::Property(filter::RequestProperty::Caller))
        }
        RouteFilter::Cors(_) | RouteFilter::Fault(_) | RouteFilter::Rewrite(_) | RouteFilter::Mirror(_) => {
            false
        }
    })
}

fn filters(rule: &RouteRule) -> &[RouteFilter] {
    let RouteRule {
        origin: _,
        matches: _,
        action: _,
        dead_share: _,
        filters,
        timeout: _,
        retry: _,
        critical: _,
        upgrade: _,
    } = rule;
    filters
}
