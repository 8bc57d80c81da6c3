//! What is done with requests and answers on their way.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::filter::{
    Abort, Cors, Delay, Filter, HeaderChanges, HeaderPart, Mirror, PathChange, RequestProperty, Rewrite,
};
use meshc_vocabulary::model::filter::Refused;
use meshd_config::Period;
use meshd_config::raw::filter;

use crate::{authorization, limits, matches};

/// The same filters in the same order.
pub(crate) fn render(filters: &[Filter]) -> Vec<filter::Filter> {
    let rendered = filters.iter().map(|one| match one {
        Filter::Authorize(authorization) => filter::Filter::Authorize(authorization::render(authorization)),
        Filter::Audit(audit) => filter::Filter::Audit(authorization::audit(audit)),
        Filter::LocalLimit(limit) => filter::Filter::Limit(limits::counted_here(limit)),
        Filter::GlobalLimit(limit) => filter::Filter::Limit(limits::counted_there(limit)),
        Filter::RequestHeaders(changes) => filter::Filter::RequestHeaders(self::changes(changes)),
        Filter::ResponseHeaders(changes) => filter::Filter::ResponseHeaders(self::changes(changes)),
        Filter::Cors(cors) => filter::Filter::Cors(self::cors(cors)),
        Filter::Delay(Delay { headers, share, time }) => filter::Filter::Delay(filter::Delay {
            headers: headers.iter().map(matches::header).collect(),
            share: *share,
            time: Period::from(*time),
        }),
        Filter::Abort(Abort { headers, share, with }) => filter::Filter::Abort(filter::Abort {
            headers: headers.iter().map(matches::header).collect(),
            share: *share,
            with: match with {
                Refused::Status(status) => filter::Refused::Status(*status),
                Refused::Grpc(status) => filter::Refused::Grpc(*status),
            },
        }),
        Filter::Rewrite(Rewrite { path, host }) => filter::Filter::Rewrite(filter::Rewrite {
            path: path.as_ref().map(self::path),
            host: host.clone(),
        }),
        Filter::Mirror(Mirror { upstream, share }) => {
            filter::Filter::Mirror(filter::Mirror { upstream: upstream.clone(), share: Some(*share) })
        }
    });
    rendered.collect()
}

fn cors(cors: &Cors) -> filter::Cors {
    let Cors { allow_origins, allow_methods, allow_headers, expose_headers, max_age, allow_credentials } =
        cors;
    filter::Cors {
        allow_origins: allow_origins.iter().map(matches::value).collect(),
        allow_methods: allow_methods.clone(),
        allow_headers: allow_headers.clone(),
        expose_headers: expose_headers.clone(),
        max_age: max_age.clone(),
        allow_credentials: *allow_credentials,
    }
}

/// What becomes of a path.
pub(crate) fn path(change: &PathChange) -> filter::PathChange {
    match change {
        PathChange::Full(path) => filter::PathChange::Full(path.clone()),
        PathChange::Prefix { from, to } => filter::PathChange::Prefix { from: from.clone(), to: to.clone() },
        PathChange::Regex { expression, substitution } => {
            filter::PathChange::Regex { expression: expression.clone(), substitution: substitution.clone() }
        }
    }
}

fn changes(changes: &HeaderChanges) -> filter::HeaderChanges {
    let HeaderChanges { set, add, remove } = changes;
    filter::HeaderChanges {
        remove: remove.clone(),
        set: set.iter().map(line).collect(),
        add: add.iter().map(line).collect(),
    }
}

fn line((name, value): &(String, Vec<HeaderPart>)) -> filter::HeaderLine {
    let value = match value.as_slice() {
        [] => filter::HeaderValue::Text(String::new()),
        [HeaderPart::Text(text)] => filter::HeaderValue::Text(text.clone()),
        parts => filter::HeaderValue::Parts(parts.iter().map(part).collect()),
    };
    filter::HeaderLine { name: name.clone(), value }
}

fn part(part: &HeaderPart) -> filter::HeaderPart {
    match part {
        HeaderPart::Text(text) => filter::HeaderPart::Text(text.clone()),
        HeaderPart::Property(property) => filter::HeaderPart::Property(match property {
            RequestProperty::Method => filter::RequestProperty::Method,
            RequestProperty::Path => filter::RequestProperty::Path,
            RequestProperty::PathAndQuery => filter::RequestProperty::PathAndQuery,
            RequestProperty::Host => filter::RequestProperty::Host,
            RequestProperty::Scheme => filter::RequestProperty::Scheme,
            RequestProperty::Protocol => filter::RequestProperty::Protocol,
            RequestProperty::Id => filter::RequestProperty::Id,
            RequestProperty::ClientAddress => filter::RequestProperty::ClientAddress,
            RequestProperty::ClientUris => filter::RequestProperty::ClientUris,
        }),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_language_and_meshd_leave_the_same_headers_to_proxies() {
        assert_eq!(meshc_vocabulary::PROXIES_HEADERS, meshd_config::PROXIES_HEADERS);
        assert_eq!(meshc_vocabulary::PROXIES_HEADER_PREFIXES, meshd_config::PROXIES_HEADER_PREFIXES);
        assert_eq!(meshc_vocabulary::APPLICATIONS_HEADERS, meshd_config::APPLICATIONS_HEADERS);
    }
}
