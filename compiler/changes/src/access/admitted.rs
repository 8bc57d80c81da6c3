//! What a port of a callee admits: of whom, which requests.
//!
//! A seam: rules are taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};

use meshc_plan::filter::Filter;
use meshc_plan::{
    AccessRequests, AccessRule, Authorization, ClientName, Deployment, InboundChain, InboundProtocol,
    ListenerKind, PeerCheck, Principal, ProxyPlan, phrases,
};
use meshc_vocabulary::model::{HttpMatch, Mtls, SpiffeId};

use crate::side::Side;

/// Who.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// A service, client or gateway of the mesh, or an identity of somebody else, with what it proves.
    Named(String, Vec<SpiffeId>),
    /// Every identity of a namespace.
    Namespace { domain: String, namespace: String },
    /// Every identity of a trust domain.
    Domain(String),
    /// Clients outside with a certificate.
    Client(String),
    /// Everybody.
    Everybody,
    /// Whoever has no identity, on plain connections.
    Nobody,
}

impl Who {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Named(name, _) => name.clone(),
            Self::Namespace { domain, namespace } => format!("everybody of {namespace} in {domain}"),
            Self::Domain(domain) => format!("everybody of {domain}"),
            Self::Client(name) => format!("clients with a certificate of {name}"),
            Self::Everybody => String::from("everybody"),
            Self::Nobody => String::from("whoever has no identity"),
        }
    }

    /// The same on another side, where it may have another identity.
    pub(super) fn on(&self, side: &Side<'_, '_>) -> Self {
        match self {
            Self::Named(name, identities) => {
                let own = side.identities(name);
                // Identities of other meshes are no one's here.
                Self::Named(name.clone(), if own.is_empty() { identities.clone() } else { own })
            }
            Self::Namespace { domain: _, namespace: _ }
            | Self::Domain(_)
            | Self::Client(_)
            | Self::Everybody
            | Self::Nobody => self.clone(),
        }
    }

    /// Whether a rule about these is one about another.
    pub(super) fn means(&self, other: &Self) -> bool {
        match (self, other) {
            (one, other) if one.name() == other.name() => true,
            (Self::Everybody, _) => true,
            (Self::Namespace { domain, namespace }, Self::Named(_, identities)) => {
                identities.iter().any(|id| id.trust_domain == *domain && id.namespace == *namespace)
            }
            (Self::Domain(domain), Self::Named(_, identities)) => {
                identities.iter().any(|id| id.trust_domain == *domain)
            }
            (Self::Domain(domain), Self::Namespace { domain: other, namespace: _ }) => domain == other,
            (
                Self::Named(_, _)
                | Self::Namespace { domain: _, namespace: _ }
                | Self::Domain(_)
                | Self::Client(_)
                | Self::Nobody,
                _,
            ) => false,
        }
    }
}

/// Requests, as sets of conditions of which any will do, each with its words.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Requests(BTreeMap<String, Conditions>);

/// Conditions that are compared by their words alone.
#[derive(Clone, Debug)]
struct Conditions {
    matches: HttpMatch,
    /// What is excepted.
    except: Vec<HttpMatch>,
}

impl PartialEq for Conditions {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Conditions {}

impl PartialOrd for Conditions {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Conditions {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// Words for all requests.
const ANY: &str = "any request";

impl Requests {
    pub(super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self.settled()
    }

    /// What is among all requests adds nothing to them.
    fn settled(mut self) -> Self {
        if self.0.contains_key(ANY) {
            self.0.retain(|words, _| words == ANY);
        }
        self
    }

    /// In words; `None` if there are none.
    pub(super) fn text(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.keys().cloned().collect::<Vec<_>>().join("; or "))
    }

    pub(super) fn matches(&self) -> impl Iterator<Item = HttpMatch> + '_ {
        self.0.values().map(|conditions| conditions.matches.clone())
    }

    /// Conditions of which requests are worth a try.
    pub(super) fn about(&self) -> impl Iterator<Item = HttpMatch> + '_ {
        self.0.values().flat_map(|conditions| conditions.except.iter().chain([&conditions.matches]).cloned())
    }

    /// Whether all of another are among these.
    pub(super) fn has_all_of(&self, other: &Self) -> bool {
        other.0.keys().all(|words| self.0.contains_key(words))
    }
}

/// What a port admits, and refuses whoever admits it.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted {
    admits: Vec<(Who, Requests)>,
    refuses: Vec<(Who, Requests)>,
}

impl Admitted {
    pub(super) fn everybody() -> Self {
        Self { admits: vec![(Who::Everybody, any())], refuses: Vec::new() }
    }

    pub(super) fn of_chain(side: &Side<'_, '_>, chain: &InboundChain) -> Self {
        let mut admitted = Self::default();
        match &chain.peers {
            PeerCheck::Nobody => {}
            PeerCheck::Exactly(identities) => match rules(&chain.protocol) {
                Some(authorization) => admitted.add(side, authorization, true),
                None => {
                    for identity in identities {
                        admitted.admits.extend(owned(side, identity).map(|who| (who, any())));
                    }
                }
            },
            PeerCheck::TrustDomains(domains) => match rules(&chain.protocol) {
                Some(authorization) => admitted.add(side, authorization, true),
                None => {
                    let everybody = domains.iter().map(|domain| (Who::Domain(domain.clone()), any()));
                    admitted.admits.extend(everybody);
                }
            },
        }
        if let Some(plain) = &chain.plain {
            match rules(plain) {
                Some(authorization) => admitted.add(side, authorization, false),
                None => admitted.admits.push((Who::Nobody, any())),
            }
        }
        admitted
    }

    fn add(&mut self, side: &Side<'_, '_>, authorization: &Authorization, proved: bool) {
        let Authorization { deny, allow } = authorization;
        for (rules, list) in [(deny, &mut self.refuses), (allow, &mut self.admits)] {
            for rule in rules {
                let AccessRule { name: _, principals, requests: _, except: _, origin: _ } = rule;
                let requests = requests(rule);
                for principal in principals {
                    list.extend(who(side, principal, proved).into_iter().map(|who| (who, requests.clone())));
                }
            }
        }
    }

    /// Whom some rule admits.
    pub(super) fn named(&self) -> impl Iterator<Item = &Who> {
        self.admits.iter().map(|(who, _)| who)
    }

    /// What somebody is admitted with, by any rule.
    pub(super) fn of(&self, who: &Who) -> Requests {
        let own = self.admits.iter().filter(|(other, _)| other.means(who));
        own.fold(Requests::default(), |all, (_, requests)| all.and(requests.clone()))
    }

    /// What is refused: of whom, and which requests.
    pub(super) fn refused(&self) -> impl Iterator<Item = ((String, String), HttpMatch)> + '_ {
        self.refuses.iter().flat_map(|(who, requests)| {
            requests
                .0
                .iter()
                .map(|(words, conditions)| ((who.name(), words.clone()), conditions.matches.clone()))
        })
    }
}

/// Whether a proxy names one of these identities where it takes calls.
pub(super) fn names_any(proxy: &ProxyPlan, identities: &BTreeSet<SpiffeId>) -> bool {
    let inbound = proxy.listeners.iter().filter_map(|listener| match &listener.kind {
        ListenerKind::Inbound(inbound) => Some(&inbound.chains),
        ListenerKind::Http(_)
        | ListenerKind::Tcp(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => None,
    });
    inbound.flatten().any(|chain| {
        let exactly = match &chain.peers {
            PeerCheck::Exactly(peers) => peers.iter().any(|peer| identities.contains(peer)),
            PeerCheck::TrustDomains(_) | PeerCheck::Nobody => false,
        };
        let rules =
            rules(&chain.protocol).into_iter().flat_map(|rules| rules.deny.iter().chain(&rules.allow));
        let mut principals = rules.flat_map(|rule| &rule.principals);
        exactly
            || principals.any(|principal| match principal {
                Principal::Identity(identity) => identities.contains(identity),
                Principal::Namespace { trust_domain: _, namespace: _ }
                | Principal::Client(_)
                | Principal::Anyone => false,
            })
    })
}

/// The ports that take connections from everybody: behind no listener of the proxy's.
pub(super) fn open_ports(side: &Side<'_, '_>, owner: &str, proxy: &ProxyPlan) -> Vec<String> {
    let ports = match &proxy.deployment {
        Deployment::Sidecar(sidecar) => sidecar.ports.as_slice(),
        Deployment::Gateway(_) => &[],
    };
    let open = ports.iter().filter(|port| match port.mtls {
        Mtls::Off => true,
        Mtls::Strict | Mtls::Permissive => false,
    });
    open.filter_map(|port| side.label(owner, port.number)).collect()
}

fn any() -> Requests {
    let matches = HttpMatch::EVERYTHING;
    Requests(BTreeMap::from([(ANY.to_owned(), Conditions { matches, except: Vec::new() })]))
}

fn rules(protocol: &InboundProtocol) -> Option<&Authorization> {
    match protocol {
        InboundProtocol::Http { app_http2: _, upgrades: _, vouching: _, told: _, retry: _, filters } => {
            filters.iter().find_map(Filter::authorization)
        }
        InboundProtocol::Tcp { connect_attempts: _ }
        | InboundProtocol::Tls { names: _, hello_timeout: _, connect_attempts: _ } => None,
    }
}

/// What a rule means, one for each method and each alternative: so two ways to write the same are the same.
fn requests(rule: &AccessRule) -> Requests {
    let AccessRule { name: _, principals: _, requests, except, origin: _ } = rule;
    let AccessRequests { hosts, addresses, client_addresses, matches } = requests;
    let everything = [HttpMatch::EVERYTHING];
    let matches = if matches.is_empty() { &everything[..] } else { matches };
    let mut all = BTreeMap::new();
    for one in matches {
        let mut single: Vec<HttpMatch> = one
            .methods
            .iter()
            .map(|method| HttpMatch { methods: vec![method.clone()], ..one.clone() })
            .collect();
        if single.is_empty() {
            single.push(one.clone());
        }
        for conditions in single {
            let alone = AccessRequests {
                hosts: hosts.clone(),
                addresses: addresses.clone(),
                client_addresses: client_addresses.clone(),
                matches: vec![conditions.clone()],
            };
            let about = except.iter().flat_map(|except| except.requests.matches.iter().cloned()).collect();
            let words = phrases::access(&alone, except);
            all.insert(words, Conditions { matches: conditions, except: about });
        }
    }
    Requests(all).settled()
}

fn who(side: &Side<'_, '_>, principal: &Principal, proved: bool) -> Vec<Who> {
    match principal {
        Principal::Identity(identity) => owned(side, identity).collect(),
        Principal::Namespace { trust_domain, namespace } => {
            vec![Who::Namespace { domain: trust_domain.clone(), namespace: namespace.clone() }]
        }
        Principal::Client(ClientName::Exact(name)) => vec![Who::Client(name.clone())],
        Principal::Client(ClientName::Prefix(name)) => vec![Who::Client(format!("{name}*"))],
        Principal::Anyone if proved => vec![Who::Everybody],
        Principal::Anyone => vec![Who::Nobody],
    }
}

/// Whoever has an identity.
fn owned<'s>(side: &'s Side<'_, '_>, identity: &SpiffeId) -> impl Iterator<Item = Who> + use<'s> {
    let owners = side.owners(identity);
    let stranger = owners.is_empty().then(|| Who::Named(identity.to_string(), vec![identity.clone()]));
    let named: BTreeSet<&String> = owners.iter().collect();
    named.into_iter().map(|name| Who::Named(name.clone(), side.identities(name))).chain(stranger)
}
