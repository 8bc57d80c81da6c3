//! Hosts outside the mesh.

use std::net::IpAddr;

use lang_diagnostics::{Origin, Spanned};

use super::{Gateway, Host, Id, Namespace, Port, TlsVersion};

/// A host outside the mesh.
#[derive(Clone, Debug)]
pub struct ExternalHost {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name, unique among services and external hosts of its namespace.
    pub name: String,
    /// Its namespace.
    pub namespace: Id<Namespace>,
    /// The names by which it is called, in lower case and source order; `*.example.org` matches one or more leading labels.
    /// Never empty.
    pub hosts: Vec<Spanned<String>>,
    /// Where connections go, each as good as the others. Never empty.
    pub addresses: Vec<Host>,
    /// Where they go when none of those before answers, in order.
    pub fallback: Vec<Host>,
    /// The egress gateway that connects to it; `None`: each caller's own proxy.
    pub through: Option<Spanned<Id<Gateway>>>,
    /// A virtual address that overrides the derived one.
    pub vip: Option<Spanned<IpAddr>>,
    /// Its ports, in source order.
    pub ports: Vec<Port>,
    /// For each port, in their order, how the proxy begins TLS, if it does.
    pub tls: Vec<Option<OutsideTls>>,
}

impl ExternalHost {
    /// Where it is reached: its addresses, and those that take their place.
    pub fn places(&self) -> impl Iterator<Item = &Host> {
        self.addresses.iter().chain(&self.fallback)
    }

    /// The names by which applications find it, those without a wildcard.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(|host| host.value.as_str()).filter(|host| !host.starts_with('*'))
    }

    /// How the proxy begins TLS at the port at this position, if it does.
    #[must_use]
    pub fn tls(&self, port: usize) -> Option<&OutsideTls> {
        self.tls.get(port)?.as_ref()
    }
}

/// TLS that a proxy begins towards a host outside the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutsideTls {
    /// The server name that it sends, in lower case.
    pub sni: String,
    /// The DNS names of which the certificate must be for one, in lower case; never empty.
    pub names: Vec<String>,
    /// The Secret with the roots that the certificate descends from, under the key `ca.crt`.
    pub ca: String,
    /// The Secret (type `kubernetes.io/tls`) with the certificate that the proxy shows, if it shows one.
    pub client: Option<String>,
    /// The oldest version that is spoken.
    pub minimum_version: TlsVersion,
}
