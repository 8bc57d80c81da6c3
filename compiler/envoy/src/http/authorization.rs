//! Who may call what: RBAC filters, the refusing one before the admitting one.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::{Rbac as RbacFilter, RbacPerRoute};
use meshc_plan::{AccessRule, Authorization, Principal};

use crate::http::filters::Made;
use crate::http::matches::{exact, permission, prefix};
use crate::pb::rbac::rbac::Action;
use crate::pb::rbac::{self, Policy, principal};
use crate::pb::{http_filter, matcher::StringMatcher};
use crate::proto::any;

/// The filters, in order. The admitting one is always there: with no rule it refuses everything, with the body
/// `RBAC: access denied`.
pub(crate) fn filters(authorization: &Authorization) -> Vec<Made> {
    let Authorization { deny, allow } = authorization;
    let refusing = (!deny.is_empty()).then(|| filter("mesh.deny", Action::Deny, deny));
    refusing.into_iter().chain([filter("mesh.allow", Action::Allow, allow)]).collect()
}

fn filter(name: &str, action: Action, rules: &[AccessRule]) -> Made {
    let policies = rules.iter().map(policy).collect();
    let rules = rbac::Rbac { action: action.into(), policies, ..Default::default() };
    let filter = RbacFilter { rules: Some(rules), ..Default::default() };
    Made { filter: http_filter(name, &filter), on_route: any(&RbacPerRoute { rbac: Some(filter) }) }
}

fn policy(rule: &AccessRule) -> (String, Policy) {
    let AccessRule { name, principals, matches, origin: _ } = rule;
    let policy = Policy {
        permissions: matches.iter().map(permission).collect(),
        principals: principals.iter().map(principal).collect(),
        ..Default::default()
    };
    (name.clone(), policy)
}

fn principal(who: &Principal) -> rbac::Principal {
    let identifier = match who {
        Principal::Identity(id) => authenticated(exact(&id.to_string())),
        Principal::Namespace { trust_domain, namespace } => {
            authenticated(prefix(&format!("spiffe://{trust_domain}/ns/{namespace}/sa/")))
        }
        Principal::Anyone => principal::Identifier::Any(true),
    };
    rbac::Principal { identifier: Some(identifier) }
}

/// Envoy compares the whole URI of the certificate, so the scheme belongs to the name: without it, nobody matches.
fn authenticated(name: StringMatcher) -> principal::Identifier {
    principal::Identifier::Authenticated(principal::Authenticated { principal_name: Some(name) })
}
