//! How the calls of each service reach its sidecar: as it declares, else without privileges where the kernel allows that.
//!
//! With `capture = loopback` the sidecar listens on the callee's virtual address at the callee's port. The kernel refuses
//! that where something in the pod listens on the same port of all addresses: applications of one kind listen on one
//! port, so that is common. Redirection takes one port of its own, and any ports of callees.
//!
//! The loopback of IPv6 has one address, so where pods have IPv6 addresses alone, virtual addresses on loopback are those
//! of IPv4. The kernel has them there too, but programs that look up addresses of the pod's own family do not find them:
//! so nobody gets them who does not ask for them.

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{
    Bind, Callee, Capture, CaptureChoice, ExternalHost, Id, IpFamily, Model, Port, Service,
};
use meshc_vocabulary::sidecar;

use crate::{Caller, Edge};

/// How calls are captured, and who said so.
#[derive(Clone, Copy, Debug)]
pub enum Captured<'m> {
    /// The service or the mesh declares it.
    Declared(Capture),
    /// Nothing prevents the capture that needs no privileges.
    Unhindered,
    /// This call prevents it, the first of those that do.
    Hindered(HeldPort<'m>),
    /// The pods have IPv6 addresses alone.
    NoLoopback,
}

/// A port that a callee's address would need at the caller, and that the caller's pod holds on all addresses.
#[derive(Clone, Copy, Debug)]
pub struct HeldPort<'m> {
    /// The call.
    pub call: &'m Origin,
    /// What is called.
    pub callee: Callee,
    /// The callee's port.
    pub port: &'m Port,
    /// Who holds the number.
    pub holder: Holder<'m>,
}

/// Who listens on a port of all addresses in a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder<'m> {
    /// The application: where that is declared, and what it does there.
    Application(&'m Origin, &'static str),
    /// The sidecar itself.
    Sidecar,
}

impl Captured<'_> {
    /// The capture that results.
    #[must_use]
    pub const fn capture(self) -> Capture {
        match self {
            Self::Declared(capture) => capture,
            Self::Unhindered => Capture::Loopback,
            Self::Hindered(_) | Self::NoLoopback => Capture::Redirect,
        }
    }

    /// The same in a cluster whose pods have addresses of this family.
    pub(crate) const fn among(self, family: IpFamily) -> Self {
        match (self, family) {
            (Self::Unhindered, IpFamily::V6) => Self::NoLoopback,
            (
                Self::Declared(_) | Self::Unhindered | Self::Hindered(_) | Self::NoLoopback,
                IpFamily::V4 | IpFamily::V6 | IpFamily::Dual,
            ) => self,
        }
    }
}

/// The calls of an edge that `capture = loopback` could not capture, port by port.
pub fn held_ports<'m, To: Copy + Into<Callee>>(
    model: &'m Model,
    edge: &Edge<'m, To>,
) -> impl Iterator<Item = HeldPort<'m>> {
    let caller = match edge.caller {
        Caller::Service(service) => Some(model.services.at(service)),
        // What only rules lead to has no address at the caller.
        Caller::Route { .. } | Caller::Routed { .. } | Caller::Limited(_) | Caller::LimitedGateway(_) => None,
    };
    let (call, callee) = (edge.origin, edge.callee.into());
    let ports = edge.ports.iter().filter_map(move |port| model.ports(callee).get(*port));
    let held: Vec<_> = caller
        .into_iter()
        .flat_map(|caller| ports.clone().flat_map(move |port| holders(caller, port)))
        .map(|(port, holder)| HeldPort { call, callee, port, holder })
        .collect();
    held.into_iter()
}

/// Who holds the number of a callee's port in the pods of a caller.
fn holders<'m>(caller: &'m Service, port: &'m Port) -> impl Iterator<Item = (&'m Port, Holder<'m>)> {
    let application =
        application(caller, port.number).map(|(origin, what)| Holder::Application(origin, what));
    let sidecar = sidecar::PORTS.iter().any(|(reserved, _)| *reserved == port.number);
    let sidecar = sidecar.then_some(Holder::Sidecar);
    application.into_iter().chain(sidecar).map(move |holder| (port, holder))
}

/// Where a service says that its application listens on a port of all addresses, and what it does there.
fn application(service: &Service, number: u16) -> Option<(&Origin, &'static str)> {
    if let Some(port) = service.ports.iter().find(|port| port.target == number) {
        return (port.bind == Bind::Any).then_some((&port.origin, "holds"));
    }
    let probe = service.probes.iter().find(|probe| probe.port == number);
    let metrics = service.scrape.as_ref().filter(|metrics| metrics.port == number);
    let probe = probe.map(|probe| (&probe.origin, "answers probes at"));
    probe.or_else(|| metrics.map(|metrics| (&metrics.origin, "serves metrics at")))
}

/// How the calls of each service are captured; those of a subset as those of its service.
pub(crate) fn captures<'m>(
    model: &'m Model,
    edges: &[Edge<'m>],
    outside: &[Edge<'m, Id<ExternalHost>>],
) -> Vec<Captured<'m>> {
    let mut captures: Vec<Captured<'m>> = model
        .services
        .iter()
        .map(|(_, service)| match service.capture {
            CaptureChoice::Auto => Captured::Unhindered,
            CaptureChoice::Loopback => Captured::Declared(Capture::Loopback),
            CaptureChoice::Redirect => Captured::Declared(Capture::Redirect),
        })
        .collect();
    for edge in edges {
        note(model, edge, &mut captures);
    }
    for edge in outside {
        note(model, edge, &mut captures);
    }
    for (id, _) in model.services.iter() {
        let whole = captures.get(model.whole(id).index()).copied();
        if let (Some(captured), Some(whole)) = (captures.get_mut(id.index()), whole) {
            *captured = whole;
        }
    }
    captures
}

/// Takes down the first call of a service that prevents the capture without privileges.
fn note<'m, To: Copy + Into<Callee>>(model: &'m Model, edge: &Edge<'m, To>, captures: &mut [Captured<'m>]) {
    let Caller::Service(caller) = edge.caller else { return };
    if let Some(captured @ Captured::Unhindered) = captures.get_mut(caller.index())
        && let Some(held) = held_ports(model, edge).next()
    {
        *captured = Captured::Hindered(held);
    }
}
