//! One proxy's plan together with where things really are.

use std::net::SocketAddr;

use meshc_plan::{Endpoint, EndpointAddress, Placement, ProxyPlan, Socket};

/// A plan as it is rendered: whatever is an address or a path goes through here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed<'a> {
    pub(crate) plan: &'a ProxyPlan,
    placement: &'a Placement,
}

impl<'a> Placed<'a> {
    pub(crate) fn new(plan: &'a ProxyPlan, placement: &'a Placement) -> Self {
        Placed { plan, placement }
    }

    /// Where a listener listens, as `ip:port`.
    pub(crate) fn listen(&self, name: &str, declared: SocketAddr) -> String {
        self.placement.listener(&self.plan.name, name, declared).to_string()
    }

    /// The endpoints of a group that have pods to be found.
    pub(crate) fn found<'e>(&self, endpoints: &'e [Endpoint]) -> impl Iterator<Item = &'e Endpoint> {
        self.placement.found(endpoints)
    }

    /// Where an endpoint is: host and port.
    pub(crate) fn connect(&self, endpoint: &Endpoint) -> (String, u16) {
        let (address, port) = self.placement.endpoint(&self.plan.name, endpoint);
        let host = match address {
            EndpointAddress::Ip(ip) => ip.to_string(),
            // With the final dot nobody can mistake it for a name to be completed.
            EndpointAddress::Name(name) => format!("{name}."),
        };
        (host, port)
    }

    /// Where a path in the pod is.
    pub(crate) fn path(&self, declared: &str) -> String {
        self.placement.path(&self.plan.name, declared)
    }

    /// Whether a listener has a socket.
    pub(crate) fn binds(&self, socket: Socket) -> bool {
        self.placement.binds(socket)
    }

    /// Whether the proxy runs where its mesh declares it, and not on a developer's machine.
    pub(crate) fn in_pod(&self) -> bool {
        !self.placement.is_local()
    }
}
