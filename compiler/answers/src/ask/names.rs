//! What the names in a question are names of: those that calls and failures in a `test` may have.

use lang_diagnostics::{Diagnostic, Spanned, suggest};
use meshc_vocabulary::model::{Callee, Cluster, Id, Model, Service};
use meshc_vocabulary::testing::{CallFrom, CallTo, Fault};

use super::question::{Lost, Name};
use crate::codes;

/// Looks names up.
pub(super) struct Names<'m> {
    pub(super) model: &'m Model,
}

type Named<T> = Result<T, Box<Diagnostic>>;

impl Names<'_> {
    /// Who calls.
    pub(super) fn caller(&self, asked: &Name) -> Named<CallFrom> {
        let all = callers(self.model);
        match find(&all, &asked.name) {
            Some(CallFrom::Service(service, _)) => Ok(CallFrom::Service(service, self.runs(service, asked)?)),
            Some(gateway @ CallFrom::Gateway(..)) => {
                self.has_no_place(asked)?;
                Ok(gateway)
            }
            None if find(&callees(self.model), &asked.name).is_some() => Err(Box::new(
                Diagnostic::error(codes::NOT_THERE, asked.name.span, "this calls nothing")
                    .label("not an end of a call")
                    .help("a call comes from a service, a client or a gateway"),
            )),
            None => Err(unknown("no service, client or gateway", &asked.name, &all)),
        }
    }

    /// What is called.
    pub(super) fn callee(&self, asked: &Name) -> Named<CallTo> {
        let all = callees(self.model);
        let Some((callee, port)) = find(&all, &asked.name) else {
            if find(&callers(self.model), &asked.name).is_some() {
                return Err(Box::new(
                    Diagnostic::error(codes::NOT_THERE, asked.name.span, "this is not called")
                        .label("not an end of a call")
                        .help("a call goes to a service, a subset or a host outside"),
                ));
            }
            return Err(unknown("no service, subset or host outside", &asked.name, &all));
        };
        let cluster = match callee {
            Callee::Service(service) => self.runs(service, asked)?,
            Callee::External(_) => {
                self.has_no_place(asked)?;
                None
            }
        };
        Ok(CallTo { callee, port, cluster })
    }

    /// A gateway, or one of its ports.
    pub(super) fn gateway(&self, asked: &Name) -> Named<CallFrom> {
        let mut all = callers(self.model);
        all.retain(|(_, from)| matches!(from, CallFrom::Gateway(..)));
        self.has_no_place(asked)?;
        find(&all, &asked.name).ok_or_else(|| unknown("no gateway", &asked.name, &all))
    }

    /// What has failed.
    pub(super) fn fault(&self, lost: &Lost) -> Named<Fault> {
        let model = self.model;
        let networks: Vec<_> = model.networks.iter().map(|(id, it)| (it.name.clone(), id)).collect();
        match lost {
            Lost::Link(one, other) => {
                let network = |name: &Spanned<String>| {
                    find(&networks, name).ok_or_else(|| unknown("no network", name, &networks))
                };
                Ok(Fault::Link(network(one)?, network(other)?))
            }
            Lost::Named(asked) => {
                let services =
                    model.services.ids().map(|id| (model.service_name(id), Fault::Service(id, None)));
                let clusters = model.clusters.iter().map(|(id, it)| (it.name.clone(), Fault::Cluster(id)));
                let gateways = model.gateways.ids().map(|id| (model.gateway_name(id), Fault::Gateway(id)));
                let networks = networks.into_iter().map(|(name, id)| (name, Fault::Network(id)));
                let all: Vec<_> = services.chain(clusters).chain(gateways).chain(networks).collect();
                match find(&all, &asked.name) {
                    Some(Fault::Service(service, _)) => {
                        Ok(Fault::Service(service, self.runs(service, asked)?))
                    }
                    Some(
                        other @ (Fault::Cluster(_) | Fault::Gateway(_) | Fault::Network(_) | Fault::Link(..)),
                    ) => {
                        self.has_no_place(asked)?;
                        Ok(other)
                    }
                    None => Err(unknown("no service, cluster, gateway or network", &asked.name, &all)),
                }
            }
        }
    }

    /// The cluster behind `in`, where the service runs.
    fn runs(&self, service: Id<Service>, asked: &Name) -> Named<Option<Id<Cluster>>> {
        let Some(cluster) = &asked.cluster else { return Ok(None) };
        let all: Vec<_> = self.model.clusters.iter().map(|(id, it)| (it.name.clone(), id)).collect();
        let id = find(&all, cluster).ok_or_else(|| unknown("no cluster", cluster, &all))?;
        let entry = self.model.services.at(service);
        if entry.presence(id).is_some() {
            return Ok(Some(id));
        }
        let there = entry.clusters.iter().map(|it| format!("`{}`", self.model.clusters.at(it.cluster).name));
        let message = format!("`{}` does not run in `{}`", asked.name.value, cluster.value);
        Err(Box::new(
            Diagnostic::error(codes::NOT_THERE, cluster.span, message)
                .label("not there")
                .also(entry.origin.span, "declared here")
                .help(format!("it runs in {}", there.collect::<Vec<_>>().join(", "))),
        ))
    }

    fn has_no_place(&self, asked: &Name) -> Named<()> {
        let Some(cluster) = &asked.cluster else { return Ok(()) };
        let message = format!("`{}` is in one place only", asked.name.value);
        Err(Box::new(
            Diagnostic::error(codes::NOT_THERE, cluster.span, message)
                .label("not expected here")
                .help(format!("leave `in {}` out", cluster.value)),
        ))
    }
}

/// Whatever calls, by name.
#[must_use]
pub fn callers(model: &Model) -> Vec<(String, CallFrom)> {
    let services = model.whole_services().filter(|(id, _)| model.limiter != Some(*id));
    let services = services.map(|(id, _)| (model.service_name(id), CallFrom::Service(id, None)));
    let gateways = model.gateways.iter().flat_map(|(id, gateway)| {
        let name = model.gateway_name(id);
        let port = |(at, port): (usize, &meshc_vocabulary::model::GatewayPort)| {
            (format!("{name}.{}", port.name), CallFrom::Gateway(id, Some(at)))
        };
        let ports: Vec<_> = gateway.ports.iter().enumerate().map(port).collect();
        [(name, CallFrom::Gateway(id, None))].into_iter().chain(ports)
    });
    services.chain(gateways).collect()
}

/// Whatever is called, and each of its ports, by name.
#[must_use]
pub fn callees(model: &Model) -> Vec<(String, (Callee, Option<String>))> {
    let services = model.services.ids().filter(|id| model.limiter != Some(*id)).map(Callee::Service);
    let callees = services.chain(model.externals.ids().map(Callee::External));
    let called = callees.filter(|callee| !model.ports(*callee).is_empty());
    let named = called.flat_map(|callee| {
        let name = model.callee_name(callee);
        let ports = model.ports(callee).iter();
        let ports: Vec<_> =
            ports.map(|port| (format!("{name}.{}", port.name), (callee, Some(port.name.clone())))).collect();
        [(name, (callee, None))].into_iter().chain(ports)
    });
    named.collect()
}

fn find<T: Clone>(all: &[(String, T)], name: &Spanned<String>) -> Option<T> {
    all.iter().find(|(known, _)| *known == name.value).map(|(_, found)| found.clone())
}

/// That a name leads nowhere.
pub(super) fn unknown<T>(what: &str, name: &Spanned<String>, all: &[(String, T)]) -> Box<Diagnostic> {
    let names = || all.iter().map(|(name, _)| name.as_str());
    let end = format!(".{}", name.value);
    let near = names().find(|known| known.ends_with(&end)).or_else(|| suggest(&name.value, names()));
    let wrong =
        Diagnostic::error(codes::UNKNOWN_NAME, name.span, format!("there is {what} `{}`", name.value))
            .label("not declared");
    Box::new(match near {
        Some(near) => wrong.help(format!("did you mean `{near}`?")),
        None => wrong.help(format!("there are {}", some(names()))),
    })
}

/// The first few of a list of names.
fn some<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const FEW: usize = 8;
    let mut shown: Vec<String> = names.take(FEW + 1).map(|name| format!("`{name}`")).collect();
    if shown.len() > FEW {
        shown.truncate(FEW);
        shown.push(String::from("others"));
    }
    if shown.is_empty() { String::from("none") } else { shown.join(", ") }
}
