//! One proxy's plan together with where things really are.

use std::net::SocketAddr;

use meshc_plan::{Endpoint, EndpointAddress, Placement, ProxyPlan, Socket, paths};

use crate::pb::base::Address;
use crate::pb::{host_and_port, socket};

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

    /// Where a listener listens.
    pub(crate) fn listen(&self, name: &str, declared: SocketAddr) -> Address {
        socket(self.placement.listener(&self.plan.name, name, declared))
    }

    /// The endpoints of a group that have pods to be found.
    pub(crate) fn found<'e>(&self, endpoints: &'e [Endpoint]) -> impl Iterator<Item = &'e Endpoint> {
        self.placement.found(endpoints)
    }

    /// Where an endpoint is.
    pub(crate) fn connect(&self, endpoint: &Endpoint) -> (EndpointAddress, u16) {
        self.placement.endpoint(&self.plan.name, endpoint)
    }

    /// Where a path in the pod is.
    pub(crate) fn path(&self, declared: &str) -> String {
        self.placement.path(&self.plan.name, declared)
    }

    /// Where a file of the configuration is.
    pub(crate) fn config_file(&self, name: &str) -> String {
        self.path(&format!("{}/{name}", paths::CONFIG))
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

/// An endpoint's address as Envoy takes it.
pub(crate) fn endpoint_address(address: EndpointAddress, port: u16) -> Address {
    match address {
        EndpointAddress::Ip(ip) => host_and_port(ip.to_string(), port),
        EndpointAddress::Name(name) => host_and_port(name, port),
    }
}
