//! `allow` and `deny`: who may call a port. The declared callers may; `allow` narrows them, `deny` wins. On a permissive
//! port, plain connections are a chain of their own, to which only rules for callers without an identity apply.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_resolve::{Access, Peer, Resolved, Setting};
use meshc_vocabulary::model::policy::{AuthorizationRule, Source};
use meshc_vocabulary::model::{Cluster, HttpMatch, Id, Mtls, Port, Service, SpiffeId};

use super::AtCallee;
use crate::codes;
use crate::lower::context::Context;
use crate::{AccessRule, Authorization, PeerCheck, Principal};

/// Who may call one port of a service, seen from one of its sidecars.
pub(in crate::lower) struct Admission<'m> {
    resolved: &'m Resolved<'m>,
    service: Id<Service>,
    port: &'m Port,
    own_trust_domain: &'m str,
    callers: BTreeMap<SpiffeId, Peer<'m>>,
    allow: Setting<'m, &'m [AuthorizationRule]>,
    deny: Setting<'m, &'m [AuthorizationRule]>,
}

impl<'m> Admission<'m> {
    pub(in crate::lower) fn new(
        context: &Context<'m>,
        cluster: Id<Cluster>,
        service: Id<Service>,
        position: usize,
        port: &'m Port,
    ) -> Self {
        let AtCallee { allow, deny, rate_limits: _ } = AtCallee::of(context, service);
        Self {
            resolved: context.resolved,
            service,
            port,
            own_trust_domain: context.model.trust_domain(cluster),
            callers: context.callers.of(context.model, service, position),
            allow,
            deny,
        }
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
        let rules = self.allow.value.iter().chain(self.deny.value);
        for rule in rules.filter(|rule| rule.matches.iter().any(|matches| *matches != HttpMatch::EVERYTHING))
        {
            sink.push(
                Diagnostic::error(
                    codes::CONDITION_ON_TCP,
                    rule.origin.span,
                    "a rule about requests cannot hold for a TCP port",
                )
                .also(self.port.origin.span, "the protocol of this port is `tcp`")
                .help("leave path, methods and headers out, or name services with HTTP ports only"),
            );
        }
    }

    /// Who may send which requests over mTLS.
    pub(in crate::lower) fn of_requests(&self) -> Authorization {
        let deny = self.named("deny", self.deny);
        let deny = deny.map(|(name, rule)| access(name, self.all_principals(rule), rule));
        let deny = deny.filter(|rule| !rule.principals.is_empty());
        Authorization { deny: deny.collect(), allow: self.allow() }
    }

    /// Which requests may be sent without an identity; `None` if plain connections are not accepted. With an `allow`, only
    /// those of rules that name callers without an identity, so that adoption does not undo authorization.
    pub(in crate::lower) fn of_plain_requests(&self) -> Option<Authorization> {
        match self.port.mtls {
            Mtls::Permissive => {}
            Mtls::Strict | Mtls::Off => return None,
        }
        let rules = |verb, rules| -> Vec<AccessRule> {
            let rules = self.named(verb, rules);
            let rules = rules.filter(|(_, rule)| Peer::Unauthenticated.is_in(self.resolved.model, rule));
            rules.map(|(name, rule)| access(name, vec![Principal::Anyone], rule)).collect()
        };
        let allow = if self.allow.value.is_empty() {
            vec![everything("anyone", vec![Principal::Anyone], &self.port.origin)]
        } else {
            rules("allow", self.allow)
        };
        Some(Authorization { deny: rules("deny", self.deny), allow })
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
            (Mtls::Strict | Mtls::Permissive, false) => self
                .named("allow", self.allow)
                .map(|(name, rule)| access(name, self.callers_in(rule), rule))
                .filter(|rule| !rule.principals.is_empty())
                .collect(),
        }
    }

    /// The declared callers that a rule means: an `allow` lets in nobody who has not declared a call.
    fn callers_in(&self, rule: &AuthorizationRule) -> Vec<Principal> {
        let callers = self.callers.iter().filter(|(_, who)| who.is_in(self.resolved.model, rule));
        callers.map(|(identity, _)| Principal::Identity(identity.clone())).collect()
    }

    /// Everybody that a rule speaks of, in order and without duplicates.
    fn all_principals(&self, rule: &AuthorizationRule) -> Vec<Principal> {
        let mut principals = BTreeSet::new();
        for source in &rule.from {
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
                // Nobody without an identity completes a handshake.
                Source::Unauthenticated => {}
            }
        }
        principals.into_iter().collect()
    }

    /// Rules with names that are unique in a port: `allow.<policy>`, the further ones of a policy with their number.
    fn named(
        &self,
        verb: &'static str,
        rules: Setting<'m, &'m [AuthorizationRule]>,
    ) -> impl Iterator<Item = (String, &'m AuthorizationRule)> {
        let policy = rules.from.policy().map(|id| self.resolved.model.policies.at(id).name.as_str());
        policy.into_iter().flat_map(move |policy| {
            rules.value.iter().enumerate().map(move |(index, rule)| match index {
                0 => (format!("{verb}.{policy}"), rule),
                _ => (format!("{verb}.{policy}.{}", index + 1), rule),
            })
        })
    }

    /// The trust domains of everybody who can complete a handshake, in order.
    fn trust_domains(&self) -> BTreeSet<&str> {
        let callers = self.callers.keys().map(|caller| caller.trust_domain.as_str());
        callers.chain([self.own_trust_domain]).collect()
    }
}

/// A rule of the plan.
fn access(name: String, principals: Vec<Principal>, rule: &AuthorizationRule) -> AccessRule {
    let AuthorizationRule { origin, from: _, matches } = rule;
    AccessRule { name, principals, matches: matches.clone(), origin: origin.clone() }
}

/// A rule about all requests.
fn everything(name: &str, principals: Vec<Principal>, origin: &Origin) -> AccessRule {
    AccessRule {
        name: name.to_owned(),
        principals,
        matches: vec![HttpMatch::EVERYTHING],
        origin: origin.clone(),
    }
}
