//! The property of a request that decides which endpoint gets it.

use std::time::Duration;

use meshc_vocabulary::model::policy::{CookieTtl, HashKey};

use crate::pb::duration;
use crate::pb::route::route_action::HashPolicy;
use crate::pb::route::route_action::hash_policy::{
    ConnectionProperties, Cookie, Header, PolicySpecifier, QueryParameter,
};

pub(crate) fn policy(key: &HashKey) -> HashPolicy {
    let specifier = match key {
        HashKey::Header(name) => {
            PolicySpecifier::Header(Header { header_name: name.clone(), ..Default::default() })
        }
        HashKey::Cookie { name, ttl } => PolicySpecifier::Cookie(Cookie {
            name: name.clone(),
            // Without one Envoy sets no cookie; zero is one that the client forgets at its end.
            ttl: ttl.and_then(|ttl| match ttl {
                CookieTtl::Session => duration(Duration::ZERO),
                CookieTtl::For(ttl) => duration(ttl),
            }),
            path: String::from("/"),
            ..Default::default()
        }),
        HashKey::Source => PolicySpecifier::ConnectionProperties(ConnectionProperties { source_ip: true }),
        HashKey::Query(name) => PolicySpecifier::QueryParameter(QueryParameter { name: name.clone() }),
    };
    HashPolicy { policy_specifier: Some(specifier), ..Default::default() }
}
