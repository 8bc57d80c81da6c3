//! Who may call what.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{AccessRule, Authorization, Principal};
use meshc_vocabulary::model::HttpMatch;
use meshd_config::raw;

use crate::matches;

/// The rules. The list of those who may call is always there: an empty one admits nobody.
pub(crate) fn render(authorization: &Authorization) -> raw::Authorization {
    let Authorization { deny, allow } = authorization;
    raw::Authorization {
        deny: deny.iter().map(rule).collect(),
        allow: Some(allow.iter().map(rule).collect()),
    }
}

fn rule(rule: &AccessRule) -> raw::Rule {
    let AccessRule { name, principals, matches, origin: _ } = rule;
    let matches_all = matches.contains(&HttpMatch::EVERYTHING);
    raw::Rule {
        name: name.clone(),
        principals: principals.iter().map(principal).collect(),
        matches: if matches_all { Vec::new() } else { matches.iter().map(matches::request).collect() },
    }
}

fn principal(principal: &Principal) -> String {
    match principal {
        Principal::Identity(identity) => identity.to_string(),
        Principal::Namespace { trust_domain, namespace } => {
            format!("spiffe://{trust_domain}/ns/{namespace}/sa/*")
        }
        Principal::Anyone => "*".to_owned(),
    }
}
