//! Where declared addresses and paths really are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use crate::paths;
use crate::{Endpoint, EndpointAddress, ProxyName, Serves, Socket};

/// Declared address, port and path → the ones to use. Every backend asks it while rendering, so the same plan runs in
/// pods and on one machine; [`Placement::declared`] changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    local: Option<Local>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Local {
    /// (proxy, listener) → local address.
    listeners: BTreeMap<(ProxyName, String), SocketAddr>,
    /// (proxy, declared port) → the stand-in application's local address.
    apps: BTreeMap<(ProxyName, u16), SocketAddr>,
    /// (external host, number of its port, declared address) → where something stands in for it.
    externals: BTreeMap<(String, u16, EndpointAddress), SocketAddr>,
    /// Cluster → its rate-limit service's local address.
    rate_limits: BTreeMap<String, SocketAddr>,
    /// Proxy → the directory that stands for `/`.
    roots: BTreeMap<ProxyName, String>,
    /// Proxies whose pods are not ready, so that others do not find them.
    unready: BTreeSet<ProxyName>,
}

impl Placement {
    /// Everything is where it was declared.
    #[must_use]
    pub fn declared() -> Self {
        Self::default()
    }

    /// An empty local placement: what is not put somewhere is unreachable, never at its declared address.
    #[must_use]
    pub fn local() -> Self {
        Self { local: Some(Local::default()) }
    }

    /// Puts a proxy's listener at a local address.
    pub fn put_listener(&mut self, proxy: &ProxyName, listener: &str, address: SocketAddr) {
        if let Some(local) = &mut self.local {
            local.listeners.insert((proxy.clone(), listener.to_owned()), address);
        }
    }

    /// Puts the application port beside a proxy at a local address.
    pub fn put_app(&mut self, proxy: &ProxyName, port: u16, address: SocketAddr) {
        if let Some(local) = &mut self.local {
            local.apps.insert((proxy.clone(), port), address);
        }
    }

    /// Puts an address of a host outside, at one of its ports, at a local one.
    pub fn put_external(&mut self, external: &str, number: u16, declared: &EndpointAddress, at: SocketAddr) {
        if let Some(local) = &mut self.local {
            local.externals.insert((external.to_owned(), number, declared.clone()), at);
        }
    }

    /// Puts a cluster's rate-limit service at a local address.
    pub fn put_rate_limit(&mut self, cluster: &str, address: SocketAddr) {
        if let Some(local) = &mut self.local {
            local.rate_limits.insert(cluster.to_owned(), address);
        }
    }

    /// Puts a proxy's files below a local directory.
    pub fn put_root(&mut self, proxy: &ProxyName, directory: &str) {
        if let Some(local) = &mut self.local {
            local.roots.insert(proxy.clone(), directory.trim_end_matches('/').to_owned());
        }
    }

    /// Lets other proxies find only the pods of proxies that are not among these, as DNS would. Returns whether that
    /// changed anything.
    pub fn withdraw(&mut self, unready: BTreeSet<ProxyName>) -> bool {
        self.local.as_mut().is_some_and(|local| {
            let changed = local.unready != unready;
            local.unready = unready;
            changed
        })
    }

    /// Whether this is a local placement.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.local.is_some()
    }

    /// Whether a listener opens a socket of its own.
    #[must_use]
    pub fn binds(&self, socket: Socket) -> bool {
        match socket {
            Socket::Own => true,
            Socket::Redirected => self.is_local(),
        }
    }

    /// Where a listener really listens.
    #[must_use]
    pub fn listener(&self, proxy: &ProxyName, listener: &str, declared: SocketAddr) -> SocketAddr {
        match &self.local {
            None => declared,
            Some(local) => {
                local.listeners.get(&(proxy.clone(), listener.to_owned())).copied().unwrap_or(NOWHERE)
            }
        }
    }

    /// Those of a group's endpoints that have pods to be found; all of them if none has, since a group is never empty.
    pub fn found<'e>(&self, endpoints: &'e [Endpoint]) -> impl Iterator<Item = &'e Endpoint> {
        let unready = |endpoint: &Endpoint| match (&self.local, &endpoint.serves) {
            (Some(local), Serves::Proxy { proxy, listener: _ }) => local.unready.contains(proxy),
            (Some(_), Serves::App | Serves::RateLimit | Serves::External { .. }) | (None, _) => false,
        };
        let none = endpoints.iter().all(unready);
        endpoints.iter().filter(move |endpoint| none || !unready(endpoint))
    }

    /// Where an endpoint of `proxy` really is.
    #[must_use]
    pub fn endpoint(&self, proxy: &ProxyName, endpoint: &Endpoint) -> (EndpointAddress, u16) {
        let Some(local) = &self.local else {
            return (endpoint.address.clone(), endpoint.port);
        };
        let place = match &endpoint.serves {
            Serves::Proxy { proxy: callee, listener } => {
                let gone = local.unready.iter().position(|unready| unready == callee);
                let ready = || local.listeners.get(&(callee.clone(), listener.clone())).copied();
                gone.map(nowhere).or_else(ready)
            }
            Serves::App => local.apps.get(&(proxy.clone(), endpoint.port)).copied(),
            Serves::RateLimit => local.rate_limits.get(&proxy.cluster).copied(),
            Serves::External { external, number } => {
                local.externals.get(&(external.clone(), *number, endpoint.address.clone())).copied()
            }
        };
        let place = place.unwrap_or(NOWHERE);
        (EndpointAddress::Ip(place.ip()), place.port())
    }

    /// Where connections to an address of a host outside really go, at the port with this number.
    #[must_use]
    pub fn external(&self, external: &str, number: u16, declared: &EndpointAddress) -> Option<SocketAddr> {
        self.local.as_ref()?.externals.get(&(external.to_owned(), number, declared.clone())).copied()
    }

    /// Where the application beside a proxy listens for this declared port: on loopback, in a pod and on one machine.
    #[must_use]
    pub fn app(&self, proxy: &ProxyName, port: u16) -> SocketAddr {
        match &self.local {
            None => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Some(local) => local.apps.get(&(proxy.clone(), port)).copied().unwrap_or(NOWHERE),
        }
    }

    /// Where a cluster's rate-limit service listens for gRPC.
    #[must_use]
    pub fn rate_limit(&self, cluster: &str) -> SocketAddr {
        match &self.local {
            None => SocketAddr::from((Ipv4Addr::UNSPECIFIED, paths::RATE_LIMIT_GRPC_PORT)),
            Some(local) => local.rate_limits.get(cluster).copied().unwrap_or(NOWHERE),
        }
    }

    /// Where an absolute path in the pod of `proxy` really is. See [`paths`] for the declared ones.
    #[must_use]
    pub fn path(&self, proxy: &ProxyName, declared: &str) -> String {
        match &self.local {
            None => declared.to_owned(),
            Some(local) => match local.roots.get(proxy) {
                Some(root) => format!("{root}{declared}"),
                None => format!("{}/unplaced{declared}", paths::RUN),
            },
        }
    }
}

/// The discard port on loopback, where nothing listens: what a local placement does not know must not be reached at
/// an address that a mesh declares.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// The discard port on another address of loopback for each: pods that are gone are not one and the same pod, and whoever
/// failed at one of them tries the next.
fn nowhere(position: usize) -> SocketAddr {
    // 127.0.0.2 to 127.0.0.251.
    let last = u8::try_from(position % 250).map_or(2, |position| position + 2);
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), NOWHERE.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_that_are_gone_are_apart_and_on_loopback() {
        let places: BTreeSet<SocketAddr> = (0..250).map(nowhere).collect();
        assert_eq!(places.len(), 250);
        assert!(places.iter().all(|place| place.ip().is_loopback() && place.port() == 9));
        assert!(!places.contains(&NOWHERE), "what has no place is another thing");
    }
}
