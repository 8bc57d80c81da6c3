//! Who may call what: RBAC filters, the refusing one before the admitting one, then the one that only tells.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::{Rbac as RbacFilter, RbacPerRoute};
use meshc_plan::{
    AccessException, AccessRequests, AccessRule, Audit, Authorization, ClientCertificates, ClientName,
    NO_RULE, Principal,
};
use meshc_vocabulary::model::policy::AddressRange;
use meshc_vocabulary::model::{HttpMatch, SpiffeId};

use crate::http::filters::Made;
use crate::http::matches::{self, Term, exact, header_matcher, permission, prefix, regex};
use crate::pb::base::CidrRange;
use crate::pb::hcm::HttpFilter;
use crate::pb::rbac::principal::{Identifier, Set};
use crate::pb::rbac::rbac::Action;
use crate::pb::rbac::{self, Policy, principal};
use crate::pb::route::HeaderMatcher;
use crate::pb::{http_filter, matcher::StringMatcher};
use crate::proto::any;
use crate::ranges;

/// The filters, in order. The admitting one is always there: with no rule it refuses everything, with the body
/// `RBAC: access denied`.
pub(crate) fn filters(authorization: &Authorization) -> Vec<Made> {
    let Authorization { deny, allow } = authorization;
    let refusing = (!deny.is_empty()).then(|| filter("mesh.deny", rules(Action::Deny, policies(deny))));
    refusing.into_iter().chain([filter("mesh.allow", rules(Action::Allow, policies(allow)))]).collect()
}

/// Refuses clients whose certificates could be taken for a workload's, or whose names could be taken for several: services
/// are told of them in one header.
pub(crate) fn clients(certificates: &ClientCertificates) -> HttpFilter {
    let ClientCertificates { secret: _, presence: _, refused } = certificates;
    let of_mesh = refused
        .iter()
        .map(|domain| StringMatcher { ignore_case: true, ..prefix(&format!("spiffe://{domain}/")) });
    // What would begin another value in the header. Envoy compares a certificate's subject too, in which an equals sign
    // comes first; a name that has one first is found in the header, where values have none.
    let several = authenticated(regex(r#"[^=]*[,;"].*"#));
    let told = r#"(?:By=[^,;"]*;)?Hash=[0-9a-f]+(?:;(?:URI|DNS)=[^,;"=]*)*"#;
    let unclear = Identifier::Header(HeaderMatcher {
        invert_match: true,
        ..header_matcher("x-forwarded-client-cert", regex(told))
    });
    refusing("mesh.clients", of_mesh.map(authenticated).chain([several, unclear]))
}

/// Refuses peers that say what certificates their clients show and are none of these gateways; proxies of the mesh never do.
/// What a peer said stands before what is said of it.
pub(crate) fn vouching(gateways: &[SpiffeId]) -> Option<HttpFilter> {
    if gateways.is_empty() {
        return None;
    }
    let ids = gateways.iter().map(|id| who(authenticated(exact(&id.to_string()))));
    let one_of_them = Identifier::OrIds(Set { ids: ids.collect() });
    let other = Identifier::NotId(Box::new(who(one_of_them)));
    let says = Identifier::Header(header_matcher("x-forwarded-client-cert", regex("[^,]*,.*")));
    Some(refusing("mesh.vouching", [all_of(vec![other, says])]))
}

/// Refuses every request of any of these.
fn refusing(name: &str, principals: impl IntoIterator<Item = Identifier>) -> HttpFilter {
    let policies = [(name.to_owned(), policy_of(principals))].into();
    http_filter(name, &RbacFilter { rules: Some(rules(Action::Deny, policies)), ..Default::default() })
}

/// The filter that refuses nothing. Envoy names the policy of a refusal and not that of an admission, so what no rule
/// would admit is a policy of its own, of which the name comes last.
pub(crate) fn audit(audit: &Audit) -> Made {
    let Audit { deny, allow } = audit;
    let mut policies = policies(deny);
    if let Some(allow) = allow {
        let admitted = any_of(allow.iter().map(whole_rule).collect());
        let refused = admitted.map_or_else(anyone, |admitted| Identifier::NotId(Box::new(who(admitted))));
        policies.insert(NO_RULE.to_owned(), policy_of([refused]));
    }
    made("mesh.audit", RbacFilter { shadow_rules: Some(rules(Action::Deny, policies)), ..Default::default() })
}

fn filter(name: &str, rules: rbac::Rbac) -> Made {
    made(name, RbacFilter { rules: Some(rules), ..Default::default() })
}

fn made(name: &str, filter: RbacFilter) -> Made {
    Made { filter: http_filter(name, &filter), on_route: any(&RbacPerRoute { rbac: Some(filter) }) }
}

fn rules(action: Action, policies: HashMap<String, Policy>) -> rbac::Rbac {
    rbac::Rbac { action: action.into(), policies, ..Default::default() }
}

fn policies(rules: &[AccessRule]) -> HashMap<String, Policy> {
    rules.iter().map(|rule| (rule.name.clone(), policy(rule))).collect()
}

/// What is asked for and by whom are two lists at Envoy, so that a rule that tells more apart is written as one principal.
fn policy(rule: &AccessRule) -> Policy {
    let AccessRule { name: _, principals, requests, except, origin: _ } = rule;
    let AccessRequests { hosts, addresses, client_addresses, matches } = requests;
    let has_address = !addresses.is_empty() || !client_addresses.is_empty();
    if !hosts.is_empty() || has_address || !except.is_empty() {
        return policy_of([whole_rule(rule)]);
    }
    let every_request = [HttpMatch::EVERYTHING];
    let matches = if matches.is_empty() { &every_request } else { matches.as_slice() };
    Policy {
        permissions: matches.iter().map(permission).collect(),
        principals: principals.iter().map(principal).map(who).collect(),
        ..Default::default()
    }
}

/// A policy about all requests of these.
fn policy_of(principals: impl IntoIterator<Item = Identifier>) -> Policy {
    Policy {
        permissions: vec![permission(&HttpMatch::EVERYTHING)],
        principals: principals.into_iter().map(who).collect(),
        ..Default::default()
    }
}

/// A rule as one principal.
fn whole_rule(rule: &AccessRule) -> Identifier {
    let AccessRule { name: _, principals, requests, except, origin: _ } = rule;
    let mut parts = conditions(principals, requests);
    parts.extend(except.iter().map(|AccessException { principals, requests }| {
        Identifier::NotId(Box::new(who(all_of(conditions(principals, requests)))))
    }));
    all_of(parts)
}

/// Conditions that all hold: one for each kind that is limited.
fn conditions(principals: &[Principal], requests: &AccessRequests) -> Vec<Identifier> {
    let AccessRequests { hosts, addresses, client_addresses, matches } = requests;
    let kinds: [Vec<Identifier>; 5] = [
        principals.iter().map(principal).collect(),
        hosts.iter().map(|host| Identifier::Header(matches::host(host))).collect(),
        addresses.iter().map(|range| address(range, Identifier::DirectRemoteIp)).collect(),
        client_addresses.iter().map(|range| address(range, Identifier::RemoteIp)).collect(),
        matches.iter().map(request).collect(),
    ];
    kinds.into_iter().filter_map(any_of).collect()
}

fn request(matches: &HttpMatch) -> Identifier {
    let terms = matches::terms(matches).into_iter().map(|term| match term {
        Term::Path(path) => Identifier::UrlPath(path),
        Term::Header(header) => Identifier::Header(header),
    });
    all_of(terms.collect())
}

/// An address of the range: that of the connection, or that of the client, which the PROXY protocol and `x-forwarded-for` may
/// say. Envoy keeps an IPv4 address as it was written, and `::ffff:192.0.2.1` is 192.0.2.1.
fn address(range: &AddressRange, of: fn(CidrRange) -> Identifier) -> Identifier {
    let ranges = ranges::written(std::slice::from_ref(range)).map(of).collect();
    let any = any_of(ranges).unwrap_or_else(|| Identifier::NotId(Box::new(who(anyone()))));
    match range.address {
        IpAddr::V4(_) => any,
        IpAddr::V6(_) => {
            let ipv4 = AddressRange { address: Ipv4Addr::UNSPECIFIED.into(), bits: 0 };
            let ipv4 = any_of(ranges::written(&[ipv4]).map(of).collect());
            let other = ipv4.map(|ipv4| Identifier::NotId(Box::new(who(ipv4))));
            all_of(std::iter::once(any).chain(other).collect())
        }
    }
}

/// All of these; everybody if there are none.
fn all_of(mut parts: Vec<Identifier>) -> Identifier {
    match (parts.pop(), parts.is_empty()) {
        (None, _) => anyone(),
        (Some(only), true) => only,
        (Some(last), false) => {
            parts.push(last);
            Identifier::AndIds(Set { ids: parts.into_iter().map(who).collect() })
        }
    }
}

/// Any of these; `None` if there are none.
fn any_of(mut parts: Vec<Identifier>) -> Option<Identifier> {
    let last = parts.pop()?;
    if parts.is_empty() {
        return Some(last);
    }
    parts.push(last);
    Some(Identifier::OrIds(Set { ids: parts.into_iter().map(who).collect() }))
}

const fn who(identifier: Identifier) -> rbac::Principal {
    rbac::Principal { identifier: Some(identifier) }
}

const fn anyone() -> Identifier {
    Identifier::Any(true)
}

fn principal(who: &Principal) -> Identifier {
    match who {
        Principal::Identity(id) => authenticated(exact(&id.to_string())),
        Principal::Namespace { trust_domain, namespace } => {
            authenticated(prefix(&format!("spiffe://{trust_domain}/ns/{namespace}/sa/")))
        }
        // Envoy compares URIs, DNS names and the subject; a name without an equals sign is no subject.
        Principal::Client(ClientName::Exact(name)) => authenticated(exact(name)),
        Principal::Client(ClientName::Prefix(text)) => authenticated(prefix(text)),
        Principal::Anyone => anyone(),
    }
}

/// Envoy compares the whole URI of the certificate, so the scheme belongs to the name: without it, nobody matches.
fn authenticated(name: StringMatcher) -> Identifier {
    Identifier::Authenticated(principal::Authenticated { principal_name: Some(name) })
}
