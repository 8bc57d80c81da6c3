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

use crate::http::matches::regex;
use crate::pb::base::TypedExtensionConfig;
use crate::pb::hcm::HttpFilter;
use crate::pb::{extension, http_filter};

/// Names that begin so are about proxies or from them.
const FORWARDED: &str = "x-forwarded-";

/// Further names by which proxies tell applications and each other something, or where a body ends.
const NAMES: [&str; 5] =
    ["x-request-id", "keep-alive", "proxy-connection", "transfer-encoding", "content-length"];

/// Names that mean nothing or harm after a body (RFC 9110, section 6.5.1), beside [`NAMES`].
const NOT_IN_TRAILERS: [&str; 5] = ["connection", "te", "upgrade", "expect", "host"];

/// Takes them away before anything looks at a request. Those of `x-envoy-` go in every spelling: with them a client
/// could choose its own timeouts and retries, or pretend things to the application. The plain spellings of the others
/// are for the connection manager, which knows whom it may believe.
pub(crate) fn without() -> TypedExtensionConfig {
    let disguised = NAMES.iter().flat_map(|name| with_underscore(name));
    // The first underscore may stand in what follows the prefix, too.
    let prefixes = with_underscore(FORWARDED).into_iter().chain([format!("{FORWARDED}.*_")]);
    let forwarded = prefixes.map(|prefix| prefix + ".*");
    // An expectation that Envoy itself has not met is none that it can promise for the application.
    let own = [String::from("x[-_]envoy[-_].*"), String::from("expect")].into_iter();
    let mutations = vec![remove(own.chain(forwarded).chain(disguised))];
    extension("envoy.http.early_header_mutation.header_mutation", &HeaderMutation { mutations })
}

/// Takes them away from the trailers of a request.
pub(crate) fn without_in_trailers() -> HttpFilter {
    let any_spelling = |name: &str| name.replace('-', "[-_]");
    let prefixes = [any_spelling("x-envoy-") + ".*", any_spelling(FORWARDED) + ".*"];
    let names = NAMES.iter().chain(&NOT_IN_TRAILERS).map(|name| any_spelling(name));
    let removed = remove(prefixes.into_iter().chain(names));
    let mutations = Mutations { request_trailers_mutations: vec![removed], ..Default::default() };
    http_filter("mesh.trailers", &Filter { mutations: Some(mutations), ..Default::default() })
}

fn remove(expressions: impl Iterator<Item = String>) -> Mutation {
    let expression = expressions.collect::<Vec<_>>().join("|");
    Mutation { action: Some(Action::RemoveOnMatch(RemoveOnMatch { key_matcher: Some(regex(&expression)) })) }
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
