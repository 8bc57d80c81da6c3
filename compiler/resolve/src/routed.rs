//! Which routes take which calls.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeMap;

use lang_diagnostics::Spanned;
use meshc_vocabulary::model::{
    Call, Callee, Id, Model, OfCalls, Port, Route, RouteScope, RoutedCallee, Service,
};

use crate::edge::call_ports;

/// One port of a callee, as one caller has declared to call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CalledPort {
    /// Who calls.
    pub caller: Id<Service>,
    /// What is called.
    pub callee: Id<Service>,
    /// Position of the port in the callee's `ports`.
    pub port: usize,
}

/// For each call that some route takes, these routes in order of (namespace, name). More than one is a mistake, which a
/// check reports; the first one holds.
pub(crate) type Routed = BTreeMap<CalledPort, Vec<Id<Route>>>;

/// The calls that routes take.
pub(crate) fn routed(model: &Model) -> Routed {
    let mut routed = Routed::new();
    if !model.routes.iter().any(|(_, route)| matches!(route.scope, RouteScope::Calls(_))) {
        return routed;
    }
    let mut callers: BTreeMap<Id<Service>, Vec<(Id<Service>, &Call)>> = BTreeMap::new();
    for (caller, service) in model.services.iter() {
        for call in &service.calls {
            match call.callee {
                Callee::Service(callee) => callers.entry(callee).or_default().push((caller, call)),
                Callee::External(_) => {}
            }
        }
    }
    for (id, route) in model.routes.iter() {
        let OfCalls { callees, from } = match &route.scope {
            RouteScope::Calls(calls) => calls,
            RouteScope::Gateways(_) => continue,
        };
        for RoutedCallee { span: _, service: callee, port } in callees {
            let ports = &model.services.at(*callee).ports;
            let routed_ports = routed_ports(ports, port.as_ref());
            for (caller, Call { origin: _, callee: _, port: named, critical: _ }) in
                callers.get(callee).into_iter().flatten()
            {
                if !from.is_empty() && !from.iter().any(|source| source.value.means(model, *caller)) {
                    continue;
                }
                let called = call_ports(ports, named.as_ref());
                for port in called.iter().filter(|port| routed_ports.contains(port)) {
                    let call = CalledPort { caller: *caller, callee: *callee, port: *port };
                    let routes = routed.entry(call).or_default();
                    if routes.last() != Some(&id) {
                        routes.push(id);
                    }
                }
            }
        }
    }
    routed
}

/// Positions of the ports whose calls a route takes: the named one, else all that carry requests, else all.
#[must_use]
pub fn routed_ports(ports: &[Port], name: Option<&Spanned<String>>) -> Vec<usize> {
    let requests = ports.iter().any(|port| port.protocol.is_http());
    let meant = |port: &Port| match name {
        Some(name) => port.name == name.value,
        None => port.protocol.is_http() || !requests,
    };
    ports.iter().enumerate().filter(|(_, port)| meant(port)).map(|(index, _)| index).collect()
}
