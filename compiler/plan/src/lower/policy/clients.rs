//! `allow` and `deny` of gateways and their routes: which clients outside the mesh may come in. Requests are judged one by
//! one; at ports that take connections there is nothing to judge by but the address, and that is known when they begin.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::{Diagnostic, Sink};
use meshc_resolve::{ClientRules, Setting};
use meshc_vocabulary::model::policy::{AddressRange, AuthorizationRule, Exception, Requests};
use meshc_vocabulary::model::{GatewayPort, HttpMatch, Model};

use super::authorization::{audit, by_name, everything, named, named_clients, requests};
use crate::{
    AccessException, AccessRequests, AccessRule, Authorization, ClientRanges, Entrance, Principal, codes,
};

/// Who may send requests to a port.
pub(in crate::lower) fn of_requests(model: &Model, rules: &ClientRules<'_>, port: &GatewayPort) -> Entrance {
    let ClientRules { allow, deny, audited_allow, audited_deny } = *rules;
    let refused = |rules| by_name(about(model, "deny", rules, port));
    let deny = refused(deny);
    let rules = (!deny.is_empty() || !allow.value.is_empty()).then(|| Authorization {
        deny,
        allow: if allow.value.is_empty() {
            vec![everything("anyone", vec![Principal::Anyone], &port.origin)]
        } else {
            about(model, "allow", allow, port)
        },
    });
    let tried = (!audited_allow.value.is_empty()).then(|| about(model, "allow", audited_allow, port));
    Entrance { rules, tried: audit(refused(audited_deny), tried) }
}

/// The rules about a port.
fn about<'m>(
    model: &'m Model,
    verb: &'static str,
    rules: Setting<'m, &'m [AuthorizationRule]>,
    port: &GatewayPort,
) -> Vec<AccessRule> {
    let rules = named(model, verb, rules).filter(|(_, rule)| rule.is_about_port(&port.name));
    let rules = rules.map(|(name, rule)| {
        let AuthorizationRule { origin, from: _, clients: _, requests: meant, except } = rule;
        let except = except.iter().filter(|except| except.requests.are_at_port(&port.name));
        let except = except.map(|Exception { origin: _, from: _, requests: meant }| AccessException {
            principals: Vec::new(),
            requests: of_clients(meant),
        });
        AccessRule {
            name,
            principals: named_clients(rule),
            requests: of_clients(meant),
            except: except.collect(),
            origin: origin.clone(),
        }
    });
    rules.collect()
}

/// The address that is meant is that of the client.
fn of_clients(meant: &Requests) -> AccessRequests {
    let AccessRequests { hosts, addresses, client_addresses: _, matches } = requests(meant);
    AccessRequests { hosts, addresses: Vec::new(), client_addresses: addresses, matches }
}

/// From which addresses a port of connections takes them by all of these rules; `None`: from all. Reports rules about
/// requests.
pub(in crate::lower) fn of_connections(
    rules: &[&ClientRules<'_>],
    port: &GatewayPort,
    sink: &mut Sink,
) -> Option<ClientRanges> {
    let mut named = Vec::new();
    let mut judges = false;
    for ClientRules { allow, deny, audited_allow, audited_deny } in rules {
        let enforced = allow.value.iter().chain(deny.value);
        let unfit = enforced.clone().filter(|rule| asks_more(rule, port));
        let unfit =
            unfit.map(|rule| (rule, "a rule about requests cannot hold where there are connections only"));
        let tried = audited_allow.value.iter().chain(audited_deny.value);
        let tried = tried.map(|rule| (rule, "a rule cannot be tried where there are connections only"));
        for (rule, message) in unfit.chain(tried).filter(|(rule, _)| rule.is_about_port(&port.name)) {
            sink.push(
                Diagnostic::error(codes::CONDITION_ON_TCP, rule.origin.span, message)
                    .also(port.origin.span, "the protocol of this port is `tcp` or `tls`")
                    .help("leave everything but `addresses` and `ports` out, or name HTTP ports only, in `ports`"),
            );
        }
        judges |= !allow.value.is_empty() || deny.value.iter().any(|rule| rule.is_about_port(&port.name));
        let ranges = enforced.flat_map(AuthorizationRule::requests).flat_map(|requests| &requests.addresses);
        named.extend(ranges.map(|range| range.value));
    }
    judges.then(|| {
        ClientRanges::new(named, |range| {
            rules.iter().all(|ClientRules { allow, deny, audited_allow: _, audited_deny: _ }| {
                let meant = |rules: &[AuthorizationRule]| rules.iter().any(|rule| means(rule, port, range));
                !meant(deny.value) && (allow.value.is_empty() || meant(allow.value))
            })
        })
    })
}

/// Whether a rule asks what no connection tells.
fn asks_more(rule: &AuthorizationRule, port: &GatewayPort) -> bool {
    let AuthorizationRule { origin: _, from: _, clients, requests: _, except: _ } = rule;
    let mut conditions = rule.requests().filter(|requests| requests.are_at_port(&port.name));
    let asks = |requests: &Requests| {
        let Requests { hosts, ports: _, addresses: _, matches } = requests;
        !hosts.is_empty() || matches.iter().any(|it| *it != HttpMatch::EVERYTHING)
    };
    !clients.is_empty() || conditions.any(asks)
}

/// Whether a rule means connections of a port from a range of addresses, apart from what lies in narrower ones.
fn means(rule: &AuthorizationRule, port: &GatewayPort, from: AddressRange) -> bool {
    let meets = |requests: &Requests| {
        let Requests { hosts: _, ports: _, addresses, matches: _ } = requests;
        requests.are_at_port(&port.name)
            && (addresses.is_empty() || addresses.iter().any(|range| range.value.covers(from)))
    };
    meets(&rule.requests) && !rule.except.iter().any(|except| meets(&except.requests))
}
