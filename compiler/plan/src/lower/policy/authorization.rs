//! `allow` and `deny`: who may call a port. The declared callers may; `allow` narrows them, `deny` wins. On a permissive
//! port, plain connections are a chain of their own, to which only rules for callers without an identity apply.

use std::collections::BTreeSet;

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_vocabulary::model::policy::{AuthorizationRule, Policy, Source};
use meshc_vocabulary::model::{Cluster, HttpMatch, Id, Model, Mtls, Port, Service, SpiffeId};

use crate::codes;
use crate::lower::context::Context;
use crate::{AccessRule, Authorization, PeerCheck, Principal};

/// Who may call one port of a service, seen from one of its sidecars.
pub(in crate::lower) struct Access<'m> {
    model: &'m Model,
    port: &'m Port,
    own_trust_domain: &'m str,
    callers: BTreeSet<SpiffeId>,
    allow: Option<(&'m Policy, &'m [AuthorizationRule])>,
    deny: Option<(&'m Policy, &'m [AuthorizationRule])>,
}

impl<'m> Access<'m> {
    pub(in crate::lower) fn new(
        context: &Context<'m>,
        cluster: Id<Cluster>,
        service: Id<Service>,
        position: usize,
        port: &'m Port,
    ) -> Self {
        let attached = &context.attached;
        Self {
            model: context.model,
            port,
            own_trust_domain: context.model.trust_domain(cluster),
            callers: context.callers.of(context.model, service, position),
            allow: attached.nearest(service, |it| (!it.allow.is_empty()).then_some(it.allow.as_slice())),
            deny: attached.nearest(service, |it| (!it.deny.is_empty()).then_some(it.deny.as_slice())),
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
        let denied = |caller: &&SpiffeId| {
            !self.deny.is_some_and(|(_, rules)| rules.iter().any(|rule| self.speaks_of(rule, caller)))
        };
        let allowed = |caller: &&SpiffeId| {
            self.allow.is_none_or(|(_, rules)| rules.iter().any(|rule| self.speaks_of(rule, caller)))
        };
        let peers: Vec<_> = self.callers.iter().filter(allowed).filter(denied).cloned().collect();
        if peers.is_empty() { PeerCheck::Nobody } else { PeerCheck::Exactly(peers) }
    }

    /// Reports rules about requests: on a TCP port nobody could tell requests apart.
    pub(in crate::lower) fn refuse_conditions(&self, sink: &mut Sink) {
        let rules = [self.allow, self.deny].into_iter().flatten().flat_map(|(_, rules)| rules);
        for rule in rules.filter(|rule| rule.matches != HttpMatch::default()) {
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
        let deny = self.deny.map(|(policy, rules)| {
            named("deny", policy, rules).map(|(name, rule)| access(name, self.all_principals(rule), rule))
        });
        let deny = deny.into_iter().flatten().filter(|rule| !rule.principals.is_empty());
        Authorization { deny: deny.collect(), allow: self.allow() }
    }

    /// Which requests may be sent without an identity; `None` if plain connections are not accepted. With an `allow`, only
    /// those of rules that name callers without an identity, so that adoption does not undo authorization.
    pub(in crate::lower) fn of_plain_requests(&self) -> Option<Authorization> {
        match self.port.mtls {
            Mtls::Permissive => {}
            Mtls::Strict | Mtls::Off => return None,
        }
        let rules = |verb, rules: Option<(&'m Policy, &'m [AuthorizationRule])>| -> Vec<AccessRule> {
            let rules = rules.into_iter().flat_map(|(policy, rules)| named(verb, policy, rules));
            let rules = rules.filter(|(_, rule)| means_unauthenticated(rule));
            rules.map(|(name, rule)| access(name, vec![Principal::Anyone], rule)).collect()
        };
        let allow = match self.allow {
            Some(allow) => rules("allow", Some(allow)),
            None => vec![everything("anyone", vec![Principal::Anyone], &self.port.origin)],
        };
        Some(Authorization { deny: rules("deny", self.deny), allow })
    }

    /// Whether plain connections are accepted where no request could be refused.
    pub(in crate::lower) fn admits_plain_connections(&self) -> bool {
        let names = |rules: &[AuthorizationRule]| rules.iter().any(means_unauthenticated);
        match self.port.mtls {
            Mtls::Permissive => {
                self.allow.is_none_or(|(_, rules)| names(rules))
                    && !self.deny.is_some_and(|(_, rules)| names(rules))
            }
            Mtls::Strict | Mtls::Off => false,
        }
    }

    fn allow(&self) -> Vec<AccessRule> {
        let identities =
            |callers: &BTreeSet<SpiffeId>| callers.iter().cloned().map(Principal::Identity).collect();
        match (self.port.mtls, self.allow) {
            (Mtls::Off, _) | (Mtls::Permissive, None) => {
                vec![everything("anyone", vec![Principal::Anyone], &self.port.origin)]
            }
            (Mtls::Strict, None) if self.callers.is_empty() => Vec::new(),
            (Mtls::Strict, None) => vec![everything("callers", identities(&self.callers), &self.port.origin)],
            (Mtls::Strict | Mtls::Permissive, Some((policy, rules))) => named("allow", policy, rules)
                .map(|(name, rule)| access(name, self.callers_in(rule), rule))
                .filter(|rule| !rule.principals.is_empty())
                .collect(),
        }
    }

    /// The declared callers that a rule speaks of: an `allow` lets in nobody who has not declared a call.
    fn callers_in(&self, rule: &AuthorizationRule) -> Vec<Principal> {
        let callers = self.callers.iter().filter(|caller| self.speaks_of(rule, caller));
        callers.cloned().map(Principal::Identity).collect()
    }

    /// Everybody that a rule speaks of, in order and without duplicates.
    fn all_principals(&self, rule: &AuthorizationRule) -> Vec<Principal> {
        let mut principals = BTreeSet::new();
        for source in &rule.from {
            match source.value {
                Source::Service(id) => {
                    principals.extend(self.model.service_identities(id).into_iter().map(Principal::Identity));
                }
                Source::Gateway(id) => {
                    principals.extend(self.model.gateway_identity(id).map(Principal::Identity));
                }
                Source::Namespace(id) => {
                    let namespace = &self.model.namespaces.at(id).name;
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

    fn speaks_of(&self, rule: &AuthorizationRule, caller: &SpiffeId) -> bool {
        rule.from.iter().any(|source| match source.value {
            Source::Service(id) => self.model.service_identities(id).contains(caller),
            Source::Gateway(id) => self.model.gateway_identity(id).as_ref() == Some(caller),
            Source::Namespace(id) => self.model.namespaces.at(id).name == caller.namespace,
            Source::Unauthenticated => false,
        })
    }

    /// The trust domains of everybody who can complete a handshake, in order.
    fn trust_domains(&self) -> BTreeSet<&str> {
        let callers = self.callers.iter().map(|caller| caller.trust_domain.as_str());
        callers.chain([self.own_trust_domain]).collect()
    }
}

/// A rule of the plan.
fn access(name: String, principals: Vec<Principal>, rule: &AuthorizationRule) -> AccessRule {
    AccessRule { name, principals, matches: rule.matches.clone(), origin: rule.origin.clone() }
}

/// A rule about all requests.
fn everything(name: &str, principals: Vec<Principal>, origin: &Origin) -> AccessRule {
    AccessRule { name: name.to_owned(), principals, matches: HttpMatch::default(), origin: origin.clone() }
}

/// Whether a rule names callers without an identity.
fn means_unauthenticated(rule: &AuthorizationRule) -> bool {
    rule.from.iter().any(|source| source.value == Source::Unauthenticated)
}

/// Rules with names that are unique in a port: `allow.<policy>`, the further ones of a policy with their number.
fn named<'m>(
    verb: &'static str,
    policy: &'m Policy,
    rules: &'m [AuthorizationRule],
) -> impl Iterator<Item = (String, &'m AuthorizationRule)> {
    rules.iter().enumerate().map(move |(index, rule)| match index {
        0 => (format!("{verb}.{}", policy.name), rule),
        _ => (format!("{verb}.{}.{}", policy.name, index + 1), rule),
    })
}
