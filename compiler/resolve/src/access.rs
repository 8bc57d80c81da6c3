//! Who may call: what the rules of a callee make of the requests of one caller.

use meshc_vocabulary::model::policy::{AuthorizationRule, Source};
use meshc_vocabulary::model::{Gateway, HttpMatch, Id, Model, Mtls, Namespace, Port, Service};

use crate::ServicePolicies;
use crate::implied::covers;

/// A caller, as far as a callee can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer<'m> {
    /// The services of a namespace with this account.
    Account(Id<Namespace>, &'m str),
    /// An ingress gateway.
    Gateway(Id<Gateway>),
    /// Whoever connects without an identity.
    Unauthenticated,
}

/// What the rules of a callee make of a caller's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access<'m> {
    /// All are admitted.
    Admitted,
    /// None is.
    Refused(Refusal<'m>),
    /// It depends on the request.
    ByRequest {
        /// What `allow` admits: a request that meets any of these.
        admitted: Vec<&'m HttpMatch>,
        /// What `deny` refuses of it, in source order.
        denied: Vec<&'m AuthorizationRule>,
    },
}

/// Why no request of a caller is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal<'m> {
    /// The port takes nobody without an identity.
    NoIdentity,
    /// There are rules of `allow`, and none means the caller.
    NotAllowed(&'m [AuthorizationRule]),
    /// These rules of `deny` take everything that `allow` admits; in source order.
    Denied(Vec<&'m AuthorizationRule>),
}

/// All requests.
static EVERYTHING: HttpMatch = HttpMatch::EVERYTHING;

impl<'m> Peer<'m> {
    /// The peer that a service is: services with one account are one to everybody they call.
    #[must_use]
    pub fn of_service(model: &'m Model, service: Id<Service>) -> Self {
        let service = model.services.at(service);
        Self::Account(service.namespace, &service.account)
    }

    /// Whether a source means it.
    #[must_use]
    pub fn is_meant_by(self, model: &Model, source: Source) -> bool {
        match (self, source) {
            (Self::Account(..), Source::Service(other)) => self == Peer::of_service(model, other),
            (Self::Account(namespace, _), Source::Namespace(other)) => namespace == other,
            (Self::Gateway(gateway), Source::Gateway(other)) => gateway == other,
            (Self::Gateway(_), Source::Namespace(namespace)) => {
                model.namespaces.at(namespace).name == model.mesh.namespace
            }
            (Self::Account(..) | Self::Gateway(_), Source::Everyone)
            | (Self::Unauthenticated, Source::Unauthenticated) => true,
            (Self::Account(..), Source::Gateway(_) | Source::Unauthenticated)
            | (Self::Gateway(_), Source::Service(_) | Source::Unauthenticated)
            | (
                Self::Unauthenticated,
                Source::Service(_) | Source::Gateway(_) | Source::Namespace(_) | Source::Everyone,
            ) => false,
        }
    }

    /// Whether a rule means it.
    #[must_use]
    pub fn is_in(self, model: &Model, rule: &AuthorizationRule) -> bool {
        rule.from.iter().any(|source| self.is_meant_by(model, source.value))
    }
}

impl<'m> Access<'m> {
    /// What rules make of a caller that has declared its call, or that has no identity.
    pub(crate) fn new(model: &Model, policies: &ServicePolicies<'m>, port: &Port, who: Peer<'_>) -> Self {
        match (port.mtls, who) {
            // The sidecar stays out of the way.
            (Mtls::Off, _) => return Self::Admitted,
            (Mtls::Strict, Peer::Unauthenticated) => return Self::Refused(Refusal::NoIdentity),
            (Mtls::Strict, Peer::Account(..) | Peer::Gateway(_)) | (Mtls::Permissive, _) => {}
        }
        let (allow, deny) = (policies.allow.value, policies.deny.value);
        let means = |rule: &&AuthorizationRule| who.is_in(model, rule) && rule.is_about(port);
        let admitted: Vec<&'m HttpMatch> = if allow.is_empty() {
            vec![&EVERYTHING]
        } else {
            allow.iter().filter(means).flat_map(|rule| &rule.requests.matches).collect()
        };
        // What an `allow` admits of these is told only when requests arrive.
        let all_is_told = allow.iter().filter(means).all(|rule| rule.is_exact_at(port));
        if admitted.is_empty() {
            return Self::Refused(Refusal::NotAllowed(allow));
        }
        let denied: Vec<&'m AuthorizationRule> = deny.iter().filter(means).collect();
        // For each match that is admitted, the first rule that takes all of it.
        let taken = admitted
            .iter()
            .map(|matches| {
                let takes_all = |rule: &&AuthorizationRule| {
                    rule.is_exact_at(port) && rule.requests.matches.iter().any(|it| covers(it, matches))
                };
                denied.iter().position(takes_all)
            })
            .collect::<Option<Vec<_>>>();
        if let Some(mut taken) = taken {
            taken.sort_unstable();
            taken.dedup();
            let rules = taken.into_iter().filter_map(|place| denied.get(place).copied());
            return Self::Refused(Refusal::Denied(rules.collect()));
        }
        if denied.is_empty() && all_is_told && admitted.iter().any(|matches| covers(matches, &EVERYTHING)) {
            return Self::Admitted;
        }
        Self::ByRequest { admitted, denied }
    }
}
