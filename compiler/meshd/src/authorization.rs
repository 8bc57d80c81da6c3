//! Who may call what.

use meshc_plan::{AccessRule, Authorization, Principal};
use meshc_vocabulary::model::HttpMatch;
use meshd_config::raw;

use crate::matches;

/// The rules. The list of those who may call is always there: an empty one admits nobody.
pub(crate) fn render(authorization: &Authorization) -> raw::Authorization {
    raw::Authorization {
        deny: authorization.deny.iter().map(rule).collect(),
        allow: Some(authorization.allow.iter().map(rule).collect()),
    }
}

fn rule(rule: &AccessRule) -> raw::Rule {
    let matches_all = rule.matches == HttpMatch::default();
    raw::Rule {
        name: rule.name.clone(),
        principals: rule.principals.iter().map(principal).collect(),
        matches: if matches_all { Vec::new() } else { vec![matches::request(&rule.matches)] },
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
