//! `allow` and `deny`: who may call.

use std::net::IpAddr;

use lang_diagnostics::{Origin, Spanned};

use crate::model::{Gateway, HttpMatch, Id, Namespace, Port, Service};

/// One `allow` or `deny`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationRule {
    /// Where it is declared.
    pub origin: Origin,
    /// Whom it speaks of, in source order; never empty.
    pub from: Vec<Spanned<Source>>,
    /// Names in certificates that clients of these ingress gateways show, of which one must be there; empty: any client.
    pub clients: Vec<Spanned<String>>,
    /// Which requests.
    pub requests: Requests,
    /// What it does not mean of these: requests that meet any of the exceptions.
    pub except: Vec<Exception>,
}

/// Which requests a rule or an exception means: those that meet a condition of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// The host, lower case and without a port; `*.example.org` is any one or more leading labels. Empty: any.
    pub hosts: Vec<Spanned<String>>,
    /// Names of the service's ports. Empty: any.
    pub ports: Vec<Spanned<String>>,
    /// The address that connects is in one of these. Empty: any.
    pub addresses: Vec<Spanned<AddressRange>>,
    /// Those that meet any of these; never empty. An empty match is all of them (and the only one possible on a TCP
    /// port).
    pub matches: Vec<HttpMatch>,
}

/// What a rule does not mean although it meets the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Where it is declared.
    pub origin: Origin,
    /// Whose requests; empty: those of everybody whom the rule means.
    pub from: Vec<Spanned<Source>>,
    /// Which of them.
    pub requests: Requests,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// Any address of the range.
    pub address: IpAddr,
    /// How many of its leading bits all of them have in common.
    pub bits: u8,
}

/// Whom a rule means. Identities carry no cluster, so a cluster is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A service or client, wherever it runs.
    Service(Id<Service>),
    /// An ingress gateway.
    Gateway(Id<Gateway>),
    /// Every identity of a namespace.
    Namespace(Id<Namespace>),
    /// Every identity of the mesh.
    Everyone,
    /// Whoever connects without an identity, at a permissive port.
    Unauthenticated,
}

impl AuthorizationRule {
    /// Whether it means all requests at a port that its `matches` take.
    #[must_use]
    pub fn is_exact_at(&self, port: &Port) -> bool {
        let Self { origin: _, from: _, clients, requests, except } = self;
        let Requests { hosts, ports: _, addresses, matches: _ } = requests;
        clients.is_empty()
            && hosts.is_empty()
            && addresses.is_empty()
            && requests.are_at(port)
            && !except.iter().any(|except| except.requests.are_at(port))
    }

    /// Whether it says anything of a port's requests.
    #[must_use]
    pub fn is_about(&self, port: &Port) -> bool {
        self.requests.are_at(port) && !self.except.iter().any(|except| except.takes_all_of(port))
    }

    /// Whom it names, exceptions included.
    pub fn sources(&self) -> impl Iterator<Item = &Spanned<Source>> {
        self.from.iter().chain(self.except.iter().flat_map(|except| &except.from))
    }

    /// Every condition on requests, exceptions included.
    pub fn requests(&self) -> impl Iterator<Item = &Requests> {
        std::iter::once(&self.requests).chain(self.except.iter().map(|except| &except.requests))
    }
}

impl Requests {
    /// Whether a port is meant.
    #[must_use]
    pub fn are_at(&self, port: &Port) -> bool {
        self.ports.is_empty() || self.ports.iter().any(|named| named.value == port.name)
    }

    /// Whether they are told apart by more than their port.
    #[must_use]
    pub fn have_conditions(&self) -> bool {
        let Self { hosts, ports: _, addresses, matches } = self;
        !hosts.is_empty() || !addresses.is_empty() || matches.iter().any(|it| *it != HttpMatch::EVERYTHING)
    }
}

impl Exception {
    /// Whether all requests at a port are meant.
    fn takes_all_of(&self, port: &Port) -> bool {
        self.from.is_empty() && !self.requests.have_conditions() && self.requests.are_at(port)
    }
}
