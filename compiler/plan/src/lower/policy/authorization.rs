//! `allow` and `deny`: who may call a port. The declared callers may; `allow` narrows them, `deny` wins. On a permissive
//! port, plain connections are a chain of their own, to which only rules for callers without an identity apply.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Diagnostic, Origin, Sink, Spanned};
use meshc_resolve::{Access, Peer, Resolved, Setting};
use meshc_vocabulary::model::policy::{AuthorizationRule, Exception, Requests, Source};
use meshc_vocabulary::model::{Cluster, Gateway, HttpMatch, Id, Model, Mtls, Port, Service, SpiffeId};

use super::AtCallee;
use crate::codes;
use crate::lower::context::Context;
use crate::{
    AccessException, AccessRequests, AccessRule, Audit, Authorization, ClientName, PeerCheck, Principal,
};

/// Whether anybody wrote a rule about who may call a service: without one, all declared callers may, whatever they ask.
pub(in crate::lower) fn is_written_for(context: &Context<'_>, service: Id<Service>) -> bool {
    let AtCallee { health: _, allow, deny, audited_allow, audited_deny, rate_limits: _ } =
        AtCallee::of(context, service);
    [allow, deny, audited_allow, audited_deny].iter().any(|rules| !rules.value.is_empty())
}

/// Who may call one port of a service, seen from one of its sidecars.
pub(in crate::lower) struct Admission<'m> {
    resolved: &'m Resolved<'m>,
    service: Id<Service>,
    port: &'m Port,
    own_trust_domain: &'m str,
    callers: BTreeMap<SpiffeId, Peer<'m>>,
    allow: Setting<'m, &'m [AuthorizationRule]>,
    deny: Setting<'m, &'m [AuthorizationRule]>,
    audited_allow: Setting<'m, &'m [AuthorizationRule]>,
    audited_deny: Setting<'m, &'m [AuthorizationRule]>,
}

impl<'m> Admission<'m> {
    pub(in crate::lower) fn new(
        context: &Context<'m>,
        cluster: Id<Cluster>,
        service: Id<Service>,
        position: usize,
        port: &'m Port,
    ) -> Self {
        let AtCallee { health: _, allow, deny, audited_allow, audited_deny, rate_limits: _ } =
            AtCallee::of(context, service);
        Self {
            resolved: context.resolved,
            service,
            port,
            own_trust_domain: context.model.trust_domain(cluster),
            callers: context.callers.of(context.model, service, position),
            allow,
            deny,
            audited_allow,
            audited_deny,
        }
    }

    /// Everybody with an identity who has declared a call, in order.
    pub(in crate::lower) fn callers(&self) -> Vec<SpiffeId> {
        self.callers.keys().cloned().collect()
    }

    /// Who may complete the handshake before requests are authorised one by one.
    pub(in crate::lower) fn peers_of_requests(&self) -> PeerCheck {
        let domains = self.trust_domains();
        if self.callers.is_empty() && self.port.mtls == Mtls::Strict {
            return PeerCheck::Nobody;
        }
        PeerCheck::TrustDomains(domains.into_iter().map(str::to_owned).collect())
    }

    /// Who may complete the handshake where that is the only place to refuse in time.
    pub(in crate::lower) fn peers_of_connections(&self) -> PeerCheck {
        let admitted = self.callers.iter().filter(|(_, who)| self.admits(**who));
        let peers: Vec<_> = admitted.map(|(identity, _)| identity.clone()).collect();
        if peers.is_empty() { PeerCheck::Nobody } else { PeerCheck::Exactly(peers) }
    }

    /// Reports rules about requests: on a TCP port nobody could tell requests apart.
    pub(in crate::lower) fn refuse_conditions(&self, sink: &mut Sink) {
        let audited = self.audited_allow.value.iter().chain(self.audited_deny.value);
        let rules = self.allow.value.iter().chain(self.deny.value);
        let unfit = rules.filter(|rule| !rule.is_exact_at(self.port) || rule.requests.have_conditions());
        let unfit = unfit.map(|rule| (rule, "a rule about requests cannot hold for a TCP port"));
        let audited =
            audited.map(|rule| (rule, "a rule cannot be tried on a TCP port: it acts in the handshake"));
        for (rule, message) in unfit.chain(audited).filter(|(rule, _)| rule.is_about(self.port)) {
            sink.push(
                Diagnostic::error(codes::CONDITION_ON_TCP, rule.origin.span, message)
                    .also(self.port.origin.span, "the protocol of this port is `tcp`")
                    .help("leave everything but `from` and `ports` out, or name HTTP ports only, in `ports`"),
            );
        }
    }

    /// Who may send which requests over mTLS.
    pub(in crate::lower) fn of_requests(&self) -> Authorization {
        Authorization { deny: self.refused("deny", self.deny), allow: self.allow() }
    }

    /// Which of the requests over mTLS that are admitted would be refused by rules that are tried.
    pub(in crate::lower) fn audit_of_requests(&self) -> Option<Audit> {
        let allow = self.audited_allow;
        let allow = (!allow.value.is_empty()).then(|| self.admitted("allow", allow));
        audit(self.refused("deny", self.audited_deny), allow)
    }

    /// Which requests of which clients an ingress gateway sends to the service; `None` if their certificates do not matter.
    pub(in crate::lower) fn at_gateway(&self, gateway: Id<Gateway>) -> Option<Authorization> {
        let of_gateway = |verb, rules| {
            let rules = self.named(verb, rules);
            rules.filter(|(_, rule)| Peer::Gateway(gateway).is_in(self.resolved.model, rule))
        };
        let of_some = |rule: &AuthorizationRule| !rule.clients.is_empty() && rule.is_about(self.port);
        let rule = |(name, rule): (String, &AuthorizationRule)| {
            self.access(name, named_clients(rule), rule, |_| Vec::new())
        };
        let deny = of_gateway("deny", self.deny).filter(|(_, rule)| of_some(rule)).filter_map(rule);
        let deny: Vec<AccessRule> = deny.collect();
        if deny.is_empty() && !of_gateway("allow", self.allow).any(|(_, rule)| of_some(rule)) {
            return None;
        }
        let allow = if self.allow.value.is_empty() {
            vec![everything("anyone", vec![Principal::Anyone], &self.port.origin)]
        } else {
            // The sidecar knows other things of a request than the gateway, and cannot know by which rule that one admitted
            // it: so a rule about what only the sidecar knows admits nothing there.
            let told =
                |rule: &AuthorizationRule| rule.requests.addresses.is_empty() && rule.except.is_empty();
            of_gateway("allow", self.allow).filter(|(_, rule)| told(rule)).filter_map(rule).collect()
        };
        Some(Authorization { deny: by_name(deny), allow })
    }

    /// Which requests may be sent without an identity; `None` if plain connections are not accepted. With an `allow`, only
    /// those of rules that name callers without an identity, so that adoption does not undo authorization.
    pub(in crate::lower) fn of_plain_requests(&self) -> Option<Authorization> {
        match self.port.mtls {
            Mtls::Permissive => {}
            Mtls::Strict | Mtls::Off => return None,
        }
        let allow = if self.allow.value.is_empty() {
            vec![everything("anyone", vec![Principal::Anyone], &self.port.origin)]
        } else {
            self.plain("allow", self.allow)
        };
        Some(Authorization { deny: self.plain("deny", self.deny), allow })
    }

    /// The same for rules that are tried.
    pub(in crate::lower) fn audit_of_plain_requests(&self) -> Option<Audit> {
        let allow = self.audited_allow;
        let allow = (!allow.value.is_empty()).then(|| self.plain("allow", allow));
        audit(self.plain("deny", self.audited_deny), allow)
    }

    /// Rules for callers without an identity, in order of name.
    fn plain(&self, verb: &'static str, rules: Setting<'m, &'m [AuthorizationRule]>) -> Vec<AccessRule> {
        let means = |sources: &[Spanned<Source>]| {
            sources.iter().any(|source| source.value == Source::Unauthenticated)
        };
        let rules = self.named(verb, rules).filter(|(_, rule)| means(&rule.from));
        let rules = rules.filter_map(|(name, rule)| {
            self.access(name, vec![Principal::Anyone], rule, |sources| {
                if means(sources) { vec![Principal::Anyone] } else { Vec::new() }
            })
        });
        by_name(rules.collect())
    }

    /// Rules that refuse, over mTLS, in order of name.
    fn refused(&self, verb: &'static str, rules: Setting<'m, &'m [AuthorizationRule]>) -> Vec<AccessRule> {
        // Which of a gateway's clients it is decides the gateway.
        let rules = self.named(verb, rules).filter(|(_, rule)| rule.clients.is_empty());
        let rules = rules.filter_map(|(name, rule)| {
            self.access(name, self.all_principals(&rule.from), rule, |sources| self.all_principals(sources))
        });
        by_name(rules.collect())
    }

    /// Rules that admit, over mTLS, in source order.
    fn admitted(&self, verb: &'static str, rules: Setting<'m, &'m [AuthorizationRule]>) -> Vec<AccessRule> {
        let rules = self.named(verb, rules).filter_map(|(name, rule)| {
            self.access(name, self.callers_in(rule), rule, |sources| self.all_principals(sources))
        });
        rules.collect()
    }

    /// A rule of the plan; `None` if it means nobody's requests to this port.
    fn access(
        &self,
        name: String,
        principals: Vec<Principal>,
        rule: &AuthorizationRule,
        who: impl Fn(&[Spanned<Source>]) -> Vec<Principal>,
    ) -> Option<AccessRule> {
        if principals.is_empty() || !rule.is_about(self.port) {
            return None;
        }
        let AuthorizationRule { origin, from: _, clients: _, requests: meant, except } = rule;
        let except = except.iter().filter(|except| except.requests.are_at(self.port));
        let except = except.filter_map(|Exception { origin: _, from, requests: meant }| {
            let principals = who(from);
            // Whoever is named and never comes this way is no exception.
            (from.is_empty() || !principals.is_empty())
                .then(|| AccessException { principals, requests: requests(meant) })
        });
        Some(AccessRule {
            name,
            principals,
            requests: requests(meant),
            except: except.collect(),
            origin: origin.clone(),
        })
    }

    /// Whether plain connections are accepted where no request could be refused.
    pub(in crate::lower) fn admits_plain_connections(&self) -> bool {
        match self.port.mtls {
            Mtls::Permissive => self.admits(Peer::Unauthenticated),
            Mtls::Strict | Mtls::Off => false,
        }
    }

    /// Whether a caller's connections are admitted: all of them, since no request can be refused.
    fn admits(&self, who: Peer<'_>) -> bool {
        self.resolved.access(who, self.service, self.port) == Access::Admitted
    }

    fn allow(&self) -> Vec<AccessRule> {
        let anyone = || vec![everything("anyone", vec![Principal::Anyone], &self.port.origin)];
        match (self.port.mtls, self.allow.value.is_empty()) {
            (Mtls::Off, _) | (Mtls::Permissive, true) => anyone(),
            (Mtls::Strict, true) if self.callers.is_empty() => Vec::new(),
            (Mtls::Strict, true) => {
                let callers = self.callers.keys().cloned().map(Principal::Identity).collect();
                vec![everything("callers", callers, &self.port.origin)]
            }
            (Mtls::Strict | Mtls::Permissive, false) => self.admitted("allow", self.allow),
        }
    }

    /// The declared callers that a rule means: an `allow` lets in nobody who has not declared a call.
    fn callers_in(&self, rule: &AuthorizationRule) -> Vec<Principal> {
        let callers = self.callers.iter().filter(|(_, who)| who.is_in(self.resolved.model, rule));
        callers.map(|(identity, _)| Principal::Identity(identity.clone())).collect()
    }

    /// Everybody with an identity whom these sources mean, in order and without duplicates.
    fn all_principals(&self, sources: &[Spanned<Source>]) -> Vec<Principal> {
        let mut principals = BTreeSet::new();
        for source in sources {
            match source.value {
                Source::Service(id) => {
                    principals.extend(
                        self.resolved.model.service_identities(id).into_iter().map(Principal::Identity),
                    );
                }
                Source::Gateway(id) => {
                    principals.extend(self.resolved.model.gateway_identity(id).map(Principal::Identity));
                }
                Source::Namespace(id) => {
                    let namespace = &self.resolved.model.namespaces.at(id).name;
                    principals.extend(self.trust_domains().into_iter().map(|domain| Principal::Namespace {
                        trust_domain: domain.to_owned(),
                        namespace: namespace.clone(),
                    }));
                }
                // Whoever completes a handshake has an identity of the mesh.
                Source::Everyone => {
                    principals.insert(Principal::Anyone);
                }
                // Nobody without an identity completes a handshake.
                Source::Unauthenticated => {}
            }
        }
        principals.into_iter().collect()
    }

    fn named(
        &self,
        verb: &'static str,
        rules: Setting<'m, &'m [AuthorizationRule]>,
    ) -> impl Iterator<Item = (String, &'m AuthorizationRule)> {
        named(self.resolved.model, verb, rules)
    }

    /// The trust domains of everybody who can complete a handshake, in order.
    fn trust_domains(&self) -> BTreeSet<&str> {
        let callers = self.callers.keys().map(|caller| caller.trust_domain.as_str());
        callers.chain([self.own_trust_domain]).collect()
    }
}

/// Rules with names that are unique in a port: `allow.<policy>`, the further ones of a policy with their number.
pub(super) fn named<'m>(
    model: &'m Model,
    verb: &'static str,
    rules: Setting<'m, &'m [AuthorizationRule]>,
) -> impl Iterator<Item = (String, &'m AuthorizationRule)> {
    let policy = rules.from.policy().map(|id| model.policies.at(id).name.as_str());
    policy.into_iter().flat_map(move |policy| {
        rules.value.iter().enumerate().map(move |(index, rule)| match index {
            0 => (format!("{verb}.{policy}"), rule),
            _ => (format!("{verb}.{policy}.{}", index + 1), rule),
        })
    })
}

/// The clients that a rule means.
pub(super) fn named_clients(rule: &AuthorizationRule) -> Vec<Principal> {
    if rule.clients.is_empty() {
        return vec![Principal::Anyone];
    }
    let name = |name: &Spanned<String>| {
        Principal::Client(match name.value.strip_suffix('*') {
            Some(prefix) => ClientName::Prefix(prefix.to_owned()),
            None => ClientName::Exact(name.value.clone()),
        })
    };
    rule.clients.iter().map(name).collect()
}

/// Rules in order of their names, in which Envoy looks at them too.
pub(super) fn by_name(mut rules: Vec<AccessRule>) -> Vec<AccessRule> {
    rules.sort_by(|left, right| left.name.cmp(&right.name));
    rules
}

/// Rules that are tried, if there are any.
pub(super) fn audit(deny: Vec<AccessRule>, allow: Option<Vec<AccessRule>>) -> Option<Audit> {
    (!deny.is_empty() || allow.is_some()).then_some(Audit { deny, allow })
}

/// The conditions on requests, but for the port, which is known here.
pub(super) fn requests(requests: &Requests) -> AccessRequests {
    let Requests { hosts, ports: _, addresses, matches } = requests;
    let everything = matches.contains(&HttpMatch::EVERYTHING);
    AccessRequests {
        hosts: hosts.iter().map(|host| host.value.clone()).collect(),
        addresses: addresses.iter().map(|range| range.value).collect(),
        client_addresses: Vec::new(),
        matches: if everything { Vec::new() } else { matches.clone() },
    }
}

/// A rule about all requests.
pub(super) fn everything(name: &str, principals: Vec<Principal>, origin: &Origin) -> AccessRule {
    AccessRule {
        name: name.to_owned(),
        principals,
        requests: AccessRequests::default(),
        except: Vec::new(),
        origin: origin.clone(),
    }
}
