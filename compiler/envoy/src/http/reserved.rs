//! Names of headers that only proxies may use, and how they are taken away from what others send.
//!
//! Applications behind gateways of the CGI kind cannot tell `-` and `_` in a name apart: to them, `x_forwarded_for` is as
//! good as the name that a proxy sets. So each spelling with an underscore goes, and in trailers, which no proxy sends,
//! the plain spelling too. Other names with underscores are nobody's business and pass.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::HeaderMutation as Mutation;
use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::{Action, RemoveOnMatch};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::{
    HeaderMutation as Filter, Mutations,
};
use envoy_types::pb::envoy::extensions::http::early_header_mutation::header_mutation::v3::HeaderMutation;

use crate::http::clients::Clients;
use crate::http::matches::regex;
use crate::pb::base::TypedExtensionConfig;
use crate::pb::hcm::HttpFilter;
use crate::pb::{extension, http_filter};
use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;

/// Names that begin so are about proxies or from them.
const FORWARDED: &str = "x-forwarded-";

/// Further names by which proxies tell applications and each other something, or where a body ends.
const NAMES: [&str; 5] =
    ["x-request-id", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"];

/// Names by which other proxies in front tell applications something that no gateway here says.
const TOLD_NAMES: [&str; 7] = [
    "forwarded",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-real-ip",
    "x-rewrite-url",
];

/// The same for every name that begins so, beside [`FORWARDED`].
const TOLD: &str = "x-original-";

/// What comes behind [`FORWARDED`] but for `for`, to which the connection manager appends: RE2 has no word for it.
const NOT_FOR: &str = "(?:[^f].*|f|f[^o].*|fo|fo[^r].*|for.+)?";

/// Names that mean nothing or harm after a body (RFC 9110, section 6.5.1), beside [`NAMES`].
const NOT_IN_TRAILERS: [&str; 5] = ["connection", "te", "upgrade", "expect", "host"];

/// Takes them away before anything looks at a request. Those of `x-envoy-` go in every spelling: with them a client
/// could choose its own timeouts and retries, or pretend things to the application. The plain spellings of the others
/// are for the connection manager, which knows whom it may believe. At a gateway that trusts nobody in front, everything goes
/// that such proxies say.
pub(crate) fn without(clients: Clients<'_>) -> TypedExtensionConfig {
    let disguised = NAMES.iter().flat_map(|name| with_underscore(name));
    // The first underscore may stand in what follows the prefix, too.
    let prefixes = with_underscore(FORWARDED).into_iter().chain([format!("{FORWARDED}.*_")]);
    let forwarded = prefixes.map(|prefix| prefix + ".*");
    // An expectation that Envoy itself has not met is none that it can promise for the application.
    let own = [String::from("x[-_]envoy[-_].*"), String::from("expect")].into_iter();
    let told: Vec<String> = match clients {
        Clients::Strangers { trusted_hops: 0, show_certificates: _, http10: _, tries: _ } => {
            let names = TOLD_NAMES.iter().map(|name| any_spelling(name));
            names.chain([any_spelling(TOLD) + ".*", format!("{FORWARDED}{NOT_FOR}")]).collect()
        }
        Clients::Strangers { trusted_hops: _, show_certificates: _, http10: _, tries: _ } => {
            let names = TOLD_NAMES.iter().flat_map(|name| with_underscore(name));
            let prefixes = with_underscore(TOLD).into_iter().map(|prefix| prefix + ".*");
            names.chain(prefixes).chain([format!("{TOLD}.*_.*")]).collect()
        }
        Clients::Application | Clients::Peers { .. } | Clients::Checkers | Clients::Operators => Vec::new(),
    };
    let mutations = vec![remove(own.chain(forwarded).chain(disguised).chain(told))];
    extension("envoy.http.early_header_mutation.header_mutation", &HeaderMutation { mutations })
}

/// Takes them away from the trailers of a request.
pub(crate) fn without_in_trailers() -> HttpFilter {
    let prefixes = ["x-envoy-", FORWARDED, TOLD].map(|prefix| any_spelling(prefix) + ".*");
    let names = NAMES.iter().chain(&TOLD_NAMES).chain(&NOT_IN_TRAILERS).map(|name| any_spelling(name));
    let removed = remove(prefixes.into_iter().chain(names));
    let mutations = Mutations { request_trailers_mutations: vec![removed], ..Default::default() };
    http_filter("mesh.trailers", &Filter { mutations: Some(mutations), ..Default::default() })
}

/// Takes away what is said of the hop from the application, on the way to a server outside over TLS that begins here: one that
/// wants HTTPS would send clients there again and again.
pub(crate) fn without_on_the_way_out() -> Vec<HttpFilter> {
    let scheme = Mutation { action: Some(Action::Remove("x-forwarded-proto".to_owned())) };
    let mutations = Mutations { request_mutations: vec![scheme], ..Default::default() };
    let filter = Filter { mutations: Some(mutations), ..Default::default() };
    vec![
        http_filter("mesh.outward", &filter),
        http_filter("envoy.filters.http.upstream_codec", &UpstreamCodec::default()),
    ]
}

fn remove(expressions: impl Iterator<Item = String>) -> Mutation {
    let expression = expressions.collect::<Vec<_>>().join("|");
    Mutation { action: Some(Action::RemoveOnMatch(RemoveOnMatch { key_matcher: Some(regex(&expression)) })) }
}

/// An expression for a name with dashes, underscores, or both.
fn any_spelling(name: &str) -> String {
    name.replace('-', "[-_]")
}

/// Expressions for the spellings of a name with at least one underscore: one expression for each place of the first.
fn with_underscore(name: &str) -> Vec<String> {
    let places = name.match_indices('-').map(|(at, _)| at);
    places
        .filter_map(|at| {
            let (before, after) = name.split_at_checked(at)?;
            Some(format!("{before}_{}", after.strip_prefix('-')?.replace('-', "[-_]")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_spelling_is_not_among_those_with_an_underscore() {
        assert_eq!(with_underscore("x-request-id"), ["x_request[-_]id", "x-request_id"]);
        assert_eq!(with_underscore("x-forwarded-"), ["x_forwarded[-_]", "x-forwarded_"]);
    }
}
