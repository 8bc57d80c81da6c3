//! Whether a callee admits a request: its sidecar's chain for the port, as the plan has it.

use lang_diagnostics::Origin;
use meshc_plan::filter::Filter;
use meshc_plan::{
    AccessException, AccessRequests, AccessRule, Authorization, Carried, ClientName, GlobalLimit,
    InboundChain, InboundProtocol, ListenerKind, PeerCheck, Principal, ProxyPlan, sni,
};
use meshc_vocabulary::model::policy::AddressRange;
use meshc_vocabulary::model::{Cluster, Id, IpFamily, Mtls, Port, Service, SpiffeId};

use crate::log::Log;
use crate::matching;
use crate::sent::Sent;
use crate::truth::Truth;
use crate::wording;
use crate::world::World;

/// What becomes of a request at a callee.
#[derive(Clone, Debug)]
pub struct Admission<'m> {
    /// Whether it is admitted.
    pub verdict: Verdict,
    /// What decides, if it is one rule: its name and its place.
    pub rule: Option<(&'m str, &'m Origin)>,
    /// Why, in words.
    pub why: String,
}

/// Whether a request is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Admitted,
    /// It is not.
    Refused,
    /// It depends on what is left open about it.
    Depends,
}

impl From<Verdict> for Truth {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Admitted => Self::Yes,
            Verdict::Depends => Self::Depends,
            Verdict::Refused => Self::No,
        }
    }
}

impl<'m> Admission<'m> {
    pub(crate) fn new(verdict: Verdict, why: impl Into<String>) -> Self {
        Self { verdict, rule: None, why: why.into() }
    }

    fn by(verdict: Verdict, rule: &'m AccessRule, why: &str) -> Self {
        Self { verdict, rule: Some((&rule.name, &rule.origin)), why: why.to_owned() }
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer<'a> {
    /// A proxy with an identity.
    Identity(&'a SpiffeId),
    /// Somebody who proves none.
    Nobody,
}

/// What a port of a service makes of a request, at one of its sidecars.
pub(crate) fn at_callee<'m>(
    world: &World<'m>,
    callee: &'m ProxyPlan,
    service: Id<Service>,
    port: &Port,
    peer: Peer<'_>,
    sent: &Sent,
    log: Log<'_>,
) -> Admission<'m> {
    if port.mtls == Mtls::Off {
        return Admission::new(Verdict::Admitted, "the port takes connections from everybody (`mtls = off`)");
    }
    let Some(chain) = chain(world, callee, service, port) else {
        return Admission::new(Verdict::Refused, "the callee's proxy has no listener for the port");
    };
    match peer {
        Peer::Identity(identity) => {
            let completes = completes_handshake(&chain.peers, identity);
            log.told(completes.into(), || format!("the handshake with `{identity}`"));
            if !completes {
                let why = format!(
                    "the handshake with `{identity}` is refused: it has declared no call, or no rule admits it"
                );
                return Admission::new(Verdict::Refused, why);
            }
            requests(&chain.protocol, peer, sent, log)
        }
        Peer::Nobody => match &chain.plain {
            Some(protocol) => requests(protocol, peer, sent, log),
            None => Admission::new(Verdict::Refused, "the port takes nobody without an identity"),
        },
    }
}

/// Whom a port of a service lets in before any request is looked at.
#[derive(Clone, Debug)]
pub(crate) enum Door<'m> {
    /// Everybody, some of them without an identity.
    Open,
    /// Those with an identity of a trust domain, or one that is listed.
    Peers(&'m PeerCheck),
    /// Those whom a rule of `allow` names; no other rule admits anybody.
    Named(&'m Authorization),
}

/// Who gets as far as the rules of a port at a sidecar, if anybody does.
pub(crate) fn door<'m>(
    world: &World<'m>,
    callee: &'m ProxyPlan,
    service: Id<Service>,
    port: &Port,
) -> Option<Door<'m>> {
    if port.mtls == Mtls::Off {
        return Some(Door::Open);
    }
    let chain = chain(world, callee, service, port)?;
    if chain.plain.is_some() {
        return Some(Door::Open);
    }
    Some(rules(&chain.protocol).map_or(Door::Peers(&chain.peers), Door::Named))
}

/// The chain of a port at a sidecar.
pub(crate) fn chain<'m>(
    world: &World<'m>,
    callee: &'m ProxyPlan,
    service: Id<Service>,
    port: &Port,
) -> Option<&'m InboundChain> {
    let whole = world.model.services.at(world.model.whole(service));
    let namespace = &world.model.namespaces.at(whole.namespace).name;
    let sni = sni(&whole.name, None, namespace, port.number);
    callee.listeners.iter().find_map(|listener| match &listener.kind {
        ListenerKind::Inbound(inbound) => {
            inbound.chains.iter().find(|chain| chain.sni == sni && chain.carries == Carried::Calls)
        }
        ListenerKind::Http(_)
        | ListenerKind::Tcp(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => None,
    })
}

fn completes_handshake(peers: &PeerCheck, identity: &SpiffeId) -> bool {
    match peers {
        PeerCheck::TrustDomains(domains) => domains.contains(&identity.trust_domain),
        PeerCheck::Exactly(identities) => identities.contains(identity),
        PeerCheck::Nobody => false,
    }
}

fn requests<'m>(protocol: &'m InboundProtocol, peer: Peer<'_>, sent: &Sent, log: Log<'_>) -> Admission<'m> {
    match protocol {
        InboundProtocol::Http { app_http2: _, upgrades: _, vouching: _, told: _, retry: _, filters } => {
            if let Some(unfit) = sent.unfit {
                return Admission::new(Verdict::Refused, unfit.why());
            }
            match filters.iter().find_map(Filter::authorization) {
                Some(authorization) => authorize(authorization, peer, sent, log),
                None => Admission::new(Verdict::Admitted, "the port has no rules"),
            }
        }
        InboundProtocol::Tcp { .. } | InboundProtocol::Tls { .. } => {
            Admission::new(Verdict::Admitted, "whoever completes the handshake is admitted")
        }
    }
}

/// The rules of a port, if it has any.
fn rules(protocol: &InboundProtocol) -> Option<&Authorization> {
    match protocol {
        InboundProtocol::Http { app_http2: _, upgrades: _, vouching: _, told: _, retry: _, filters } => {
            filters.iter().find_map(Filter::authorization)
        }
        InboundProtocol::Tcp { .. } | InboundProtocol::Tls { .. } => None,
    }
}

/// What rules make of a request.
pub(crate) fn authorize<'m>(
    authorization: &'m Authorization,
    peer: Peer<'_>,
    sent: &Sent,
    log: Log<'_>,
) -> Admission<'m> {
    let mut open: Option<&AccessRule> = None;
    for rule in &authorization.deny {
        match means("deny", rule, peer, sent, log) {
            Truth::Yes => return Admission::by(Verdict::Refused, rule, "a rule of `deny` means it"),
            Truth::Depends => open = open.or(Some(rule)),
            Truth::No => {}
        }
    }
    let mut admits: Option<&AccessRule> = None;
    let mut may: Option<&AccessRule> = None;
    for rule in &authorization.allow {
        match means("allow", rule, peer, sent, log) {
            Truth::Yes => admits = admits.or(Some(rule)),
            Truth::Depends => may = may.or(Some(rule)),
            Truth::No => {}
        }
    }
    match (admits, may, open) {
        (None, None, _) if authorization.allow.is_empty() => {
            Admission::new(Verdict::Refused, "no service has declared a call of it")
        }
        (None, None, _) => {
            Admission::new(Verdict::Refused, "no rule of `allow` admits it, nor is its call declared")
        }
        (Some(_), _, Some(rule)) | (None, Some(_), Some(rule)) => {
            Admission::by(Verdict::Depends, rule, "whether this `deny` means it depends on the request")
        }
        (Some(rule), _, None) => Admission::by(Verdict::Admitted, rule, "this admits it"),
        (None, Some(rule), None) => {
            Admission::by(Verdict::Depends, rule, "whether this admits it depends on the request")
        }
    }
}

fn means(word: &str, rule: &AccessRule, peer: Peer<'_>, sent: &Sent, log: Log<'_>) -> Truth {
    let AccessRule { name, principals, requests, except, origin } = rule;
    let open = log.open(|| format!("rule `{name}` of `{word}`"), Some(origin.span));
    let inside = log.inside();
    let excepted = |except: &AccessException| {
        let AccessException { principals, requests } = except;
        let open = inside.open(|| String::from("an exception"), None);
        let who = if principals.is_empty() { Truth::Yes } else { any(principals, peer, inside.inside()) };
        let truth = who.and(meets(requests, sent, inside.inside()));
        inside.close(&open, truth);
        truth
    };
    let (who, what) = (any(principals, peer, inside), meets(requests, sent, inside));
    let truth = Truth::all([who, what, !Truth::any(except.iter().map(excepted))]);
    log.close(&open, truth);
    truth
}

fn any(principals: &[Principal], peer: Peer<'_>, log: Log<'_>) -> Truth {
    Truth::any(
        principals.iter().map(|principal| log.told(is(principal, peer), || wording::principal(principal))),
    )
}

fn is(principal: &Principal, peer: Peer<'_>) -> Truth {
    match (principal, peer) {
        (Principal::Anyone, _) => Truth::Yes,
        (Principal::Identity(identity), Peer::Identity(peer)) => (identity == peer).into(),
        (Principal::Namespace { trust_domain, namespace }, Peer::Identity(peer)) => {
            (*trust_domain == peer.trust_domain && *namespace == peer.namespace).into()
        }
        // What certificate a client outside shows is left open.
        (Principal::Client(ClientName::Exact(_) | ClientName::Prefix(_)), _) => Truth::Depends,
        (Principal::Identity(_) | Principal::Namespace { .. }, Peer::Nobody) => Truth::No,
    }
}

fn meets(requests: &AccessRequests, sent: &Sent, log: Log<'_>) -> Truth {
    let AccessRequests { hosts, addresses, client_addresses, matches } = requests;
    let hosts = if hosts.is_empty() {
        Truth::Yes
    } else {
        log.told(matching::host(hosts, sent), || {
            format!("host {} (it is {})", hosts.join(" or "), wording::given(&sent.host))
        })
    };
    // No address is part of a question.
    let addresses = if addresses.is_empty() && client_addresses.is_empty() {
        Truth::Yes
    } else {
        log.told(Truth::Depends, || String::from("addresses (left open)"))
    };
    Truth::all([hosts, addresses, matching::any_of(matches, sent, log)])
}

/// Whether a port of a service admits, at one of its sidecars, what a proxy sends there: each request, none, or that depends.
#[must_use]
pub fn admits(
    world: &World<'_>,
    sender: &ProxyPlan,
    (sidecar, cluster): (&ProxyPlan, Id<Cluster>),
    service: Id<Service>,
    port: &Port,
) -> Truth {
    let identity = sender.identity.as_ref().map(|identity| &identity.spiffe);
    let peer = identity.map_or(Peer::Nobody, Peer::Identity);
    let admission = at_callee(world, sidecar, service, port, peer, &Sent::ANY, Log::NONE);
    let found = chain(world, sidecar, service, port).and_then(|chain| rules(&chain.protocol));
    match (admission.verdict, found) {
        (Verdict::Depends, Some(rules)) => {
            let family = world.model.clusters.at(cluster).ip_family;
            authorize(&wherever(rules, family), peer, &Sent::ANY, Log::NONE).verdict.into()
        }
        (verdict, _) => verdict.into(),
    }
}

/// Whether rules of a gateway admit its clients: each request, none, or that depends.
#[must_use]
pub fn enters(rules: &Authorization) -> Truth {
    // Clients have addresses of any family.
    authorize(&wherever(rules, IpFamily::Dual), Peer::Nobody, &Sent::ANY, Log::NONE).verdict.into()
}

/// The same rules without those conditions on addresses that each address of a family meets.
fn wherever(rules: &Authorization, family: IpFamily) -> Authorization {
    let mut rules = rules.clone();
    let is_all = |ranges: &[AddressRange]| {
        let any =
            |wanted: fn(&AddressRange) -> bool| ranges.iter().any(|range| range.bits == 0 && wanted(range));
        let (four, six) = (any(|range| range.address.is_ipv4()), any(|range| range.address.is_ipv6()));
        match family {
            IpFamily::V4 => four,
            IpFamily::V6 => six,
            IpFamily::Dual => four && six,
        }
    };
    for rule in rules.deny.iter_mut().chain(&mut rules.allow) {
        let own = std::iter::once(&mut rule.requests);
        for requests in own.chain(rule.except.iter_mut().map(|except| &mut except.requests)) {
            let AccessRequests { hosts: _, addresses, client_addresses, matches: _ } = requests;
            for ranges in [addresses, client_addresses] {
                if is_all(ranges) {
                    ranges.clear();
                }
            }
        }
    }
    rules
}

/// The limits that another service counts, of a port at one of the sidecars of its service.
#[must_use]
pub fn counted_at<'m>(
    world: &World<'m>,
    sidecar: &'m ProxyPlan,
    service: Id<Service>,
    port: &Port,
) -> Vec<&'m GlobalLimit> {
    let Some(chain) = chain(world, sidecar, service, port) else { return Vec::new() };
    let filters: &[Filter] = match &chain.protocol {
        InboundProtocol::Http { app_http2: _, upgrades: _, vouching: _, told: _, retry: _, filters } => {
            filters
        }
        InboundProtocol::Tcp { .. } | InboundProtocol::Tls { .. } => &[],
    };
    let global = |filter: &'m Filter| match filter {
        Filter::GlobalLimit(limit) => Some(limit),
        Filter::Authorize(_)
        | Filter::Audit(_)
        | Filter::LocalLimit(_)
        | Filter::RequestHeaders(_)
        | Filter::ResponseHeaders(_)
        | Filter::Cors(_)
        | Filter::Delay(_)
        | Filter::Abort(_)
        | Filter::Rewrite(_)
        | Filter::Mirror(_) => None,
    };
    filters.iter().filter_map(global).collect()
}
