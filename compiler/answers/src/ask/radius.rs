//! What somebody gets hold of who has stolen a key.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use lang_diagnostics::{Diagnostic, FileId, Span, Spanned};
use meshc_topology::{Failures, ProxyKey, Survivors};
use meshc_vocabulary::model::{
    Callee, Gateway, GatewayCertificate, GatewayRole, Id, Issuer, Model, SpiffeId,
};
use meshc_vocabulary::testing::CallFrom;

use super::names::{Names, unknown};
use super::reply::{Fact, Line};
use super::{Asked, Name};
use crate::admission::{Peer, Verdict, at_callee};
use crate::callees::Callees;
use crate::codes;
use crate::expectation::Asking;
use crate::log::Log;
use crate::sent::Sent;
use crate::truth::Truth;
use crate::world::World;

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stolen {
    /// That of a cluster's intermediate authority.
    Key,
    /// That of a service or client.
    Identity,
    /// Those of a gateway.
    Gateway,
    /// A Secret of an ingress gateway.
    Secret,
}

impl Stolen {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Identity => "identity",
            Self::Gateway => "gateway",
            Self::Secret => "secret",
        }
    }
}

/// What a key opens.
#[derive(Clone, Debug)]
pub struct Radius {
    /// The identities that its holder can take on, in order.
    pub identities: Vec<String>,
    /// What is called with them, or passed on, or who can be deceived.
    pub lines: Vec<Line>,
    /// How long a certificate with the key is taken, where the mesh says so.
    pub lasts: Option<Duration>,
    /// What ends it, and what else there is to say.
    pub notes: Vec<String>,
}

/// Finds out what a key opens. The text is one of the sources, as the file: the word and the name.
///
/// # Errors
/// If there is no such thing.
pub fn radius(
    world: &World<'_>,
    file: FileId,
    stolen: Stolen,
    name: &str,
) -> Result<Radius, Box<Diagnostic>> {
    let (callees, failures) = (Callees::new(world), Failures::default());
    let survivors = Survivors { model: world.model, topology: world.topology, failures: &failures };
    let asking = Asking { world, callees: &callees, survivors, log: Log::NONE };
    let begin = stolen.word().len() + 1;
    let name = Spanned::new(name.to_owned(), Span::new(file, begin, begin + name.len()));
    let asked = Asked::new(asking, name.span);
    let names = Names { model: world.model };
    match stolen {
        Stolen::Key => asked.of_key(&name),
        Stolen::Identity => match names.caller(&Name { name: name.clone(), cluster: None })? {
            from @ CallFrom::Service(..) => Ok(asked.of_identity(from)),
            CallFrom::Gateway(..) => Err(Box::new(
                Diagnostic::error(codes::NOT_THERE, name.span, "this is a gateway")
                    .label("no service and no client")
                    .help(format!("write `gateway {}`", name.value)),
            )),
        },
        Stolen::Gateway => {
            let gateway = names.gateway(&Name { name, cluster: None })?;
            Ok(asked.of_gateway(gateway))
        }
        Stolen::Secret => asked.of_secret(&name),
    }
}

impl Asked<'_, '_> {
    /// An intermediate signs any identity: certificates have no name constraints.
    fn of_key(&self, name: &Spanned<String>) -> Result<Radius, Box<Diagnostic>> {
        let model = self.asking.world.model;
        let clusters: Vec<(String, ())> =
            model.clusters.iter().map(|(_, it)| (it.name.clone(), ())).collect();
        if clusters.iter().all(|(known, ())| *known != name.value) {
            return Err(unknown("no cluster", name, &clusters));
        }
        let mut identities: Vec<String> = Vec::new();
        let callers = self.all_callers();
        let mut opened: BTreeMap<Callee, (Truth, Vec<String>)> = BTreeMap::new();
        for from in &callers {
            identities.extend(self.identities(*from).iter().map(ToString::to_string));
            for (callee, verdict) in self.admitting(&self.identities(*from)) {
                let (known, by) = opened.entry(callee).or_insert((verdict, Vec::new()));
                *known = known.or(verdict);
                by.push(format!("`{}`", self.asking.caller_name(*from)));
            }
        }
        identities.sort();
        identities.dedup();
        let line = |(callee, (verdict, by)): (Callee, (Truth, Vec<String>))| {
            plain(verdict, model.callee_name(callee), format!("as {}", by.join(", ")))
        };
        let lasts = match model.trust.issuer {
            Issuer::Builtin | Issuer::CertManager => Some(model.trust.intermediate_lifetime.value),
            Issuer::Files(_) => None,
        };
        Ok(Radius {
            identities,
            lines: opened.into_iter().map(line).collect(),
            lasts,
            notes: vec![
                String::from("an intermediate signs every identity of the mesh, also of other clusters"),
                String::from("certificates are not revoked: only other roots end it sooner"),
            ],
        })
    }

    fn of_identity(&self, from: CallFrom) -> Radius {
        let model = self.asking.world.model;
        let identities = self.identities(from);
        // Whoever shares an account is the same to callees.
        let shares = |other: &CallFrom| self.identities(*other).iter().any(|one| identities.contains(one));
        let all: Vec<CallFrom> = self.all_callers().into_iter().filter(shares).collect();
        let lines = self.opened(&all, &identities);
        let mut notes = vec![String::from("certificates are not revoked: other roots end it sooner")];
        let others = all.iter().filter(|other| **other != from).map(|other| self.asking.caller_name(*other));
        let others: Vec<String> = others.map(|name| format!("`{name}`")).collect();
        if !others.is_empty() {
            notes.insert(0, format!("it is the identity of {}, too", others.join(", ")));
        }
        let identities = identities.iter().map(ToString::to_string).collect();
        Radius { identities, lines, lasts: Some(model.trust.workload_lifetime.value), notes }
    }

    fn of_gateway(&self, from: CallFrom) -> Radius {
        let model = self.asking.world.model;
        let CallFrom::Gateway(id, _) = from else { return self.of_identity(from) };
        let gateway = model.gateways.at(id);
        match gateway.role {
            GatewayRole::Ingress | GatewayRole::Egress => {}
            GatewayRole::EastWest => {
                let exports = self.asking.world.topology.exports.get(&id).map_or(&[][..], Vec::as_slice);
                let mut names: Vec<String> =
                    exports.iter().map(|export| model.service_name(export.service)).collect();
                names.dedup();
                let line = |who: String| Line {
                    verdict: Truth::Depends,
                    who,
                    text: String::from("connections are passed on, encrypted: they can be cut and counted"),
                    answered_by: Vec::new(),
                    facts: Vec::new(),
                };
                let notes = vec![String::from("it has no identity, and no key opens what it passes on")];
                let lines = names.into_iter().map(line).collect();
                return Radius { identities: Vec::new(), lines, lasts: None, notes };
            }
        }
        let mut found = self.of_identity(CallFrom::Gateway(id, None));
        let tls = gateway.ports.iter().filter_map(|port| port.tls.as_ref());
        for certificate in tls.flat_map(|tls| &tls.certificates) {
            found.lines.push(self.deceived(id, certificate));
        }
        found.notes.push(String::from("it reads all requests of clients that it takes"));
        found
    }

    /// Clients of a gateway, who believe whoever has its certificate.
    fn deceived(&self, gateway: Id<Gateway>, certificate: &GatewayCertificate) -> Line {
        let name = self.asking.world.name(ProxyKey::Gateway(gateway));
        let hosts: Vec<String> = certificate.hosts.iter().map(|host| format!("`{}`", host.value)).collect();
        Line {
            verdict: Truth::Yes,
            who: name,
            text: format!("clients take its holder for {}", hosts.join(", ")),
            answered_by: Vec::new(),
            facts: vec![Fact::at(certificate.secret.span, format!("secret `{}`", certificate.secret.value))],
        }
    }

    fn of_secret(&self, name: &Spanned<String>) -> Result<Radius, Box<Diagnostic>> {
        let model = self.asking.world.model;
        let all = secrets(model);
        if all.iter().all(|(known, ())| *known != name.value) {
            return Err(unknown("no secret of a gateway", name, &all));
        }
        let mut lines = Vec::new();
        for (id, gateway) in model.gateways.iter() {
            for port in &gateway.ports {
                let Some(tls) = &port.tls else { continue };
                let own = tls.certificates.iter().filter(|it| it.secret.value == name.value);
                lines.extend(own.map(|certificate| self.deceived(id, certificate)));
                if let Some(clients) = tls.clients.as_ref().filter(|clients| clients.ca.value == name.value) {
                    lines.push(Line {
                        verdict: Truth::Yes,
                        who: format!("{}.{}", model.gateway_name(id), port.name),
                        text: String::from("its clients are whoever these roots certify"),
                        answered_by: Vec::new(),
                        facts: vec![Fact::at(clients.ca.span, format!("secret `{}`", name.value))],
                    });
                }
            }
        }
        let notes =
            vec![String::from("how long it lasts is in the certificate, which the mesh does not have")];
        Ok(Radius { identities: Vec::new(), lines, lasts: None, notes })
    }

    fn identities(&self, from: CallFrom) -> Vec<SpiffeId> {
        let model = self.asking.world.model;
        match from {
            CallFrom::Service(service, _) => model.service_identities(service),
            CallFrom::Gateway(gateway, _) => model.gateway_identity(gateway).into_iter().collect(),
        }
    }

    /// The services that admit one of these identities, whatever the proxy of its owner would do: whoever has the key needs none.
    fn admitting(&self, identities: &[SpiffeId]) -> BTreeMap<Callee, Truth> {
        let world = self.asking.world;
        let mut found: BTreeMap<Callee, Truth> = BTreeMap::new();
        for (service, entry) in world.model.whole_services() {
            if world.model.limiter == Some(service) {
                continue;
            }
            for (key, proxy) in world.sidecars(service, None) {
                let own = match key {
                    ProxyKey::Sidecar { cluster: _, service } => service,
                    ProxyKey::Gateway(_) => service,
                };
                for (port, identity) in
                    entry.ports.iter().flat_map(|port| identities.iter().map(move |it| (port, it)))
                {
                    let peer = Peer::Identity(identity);
                    let admission = at_callee(world, proxy, own, port, peer, &Sent::ANY, Log::NONE);
                    let verdict = match admission.verdict {
                        Verdict::Admitted => Truth::Yes,
                        Verdict::Depends => Truth::Depends,
                        Verdict::Refused => continue,
                    };
                    let known = found.entry(Callee::Service(service)).or_insert(verdict);
                    *known = known.or(verdict);
                }
            }
        }
        found
    }

    /// What admits the identities, what its owners call outside the mesh, and what is reached through all these.
    fn opened(&self, owners: &[CallFrom], identities: &[SpiffeId]) -> Vec<Line> {
        let model = self.asking.world.model;
        let mut found: BTreeMap<Callee, (Truth, Vec<String>)> = BTreeMap::new();
        let mut open: Vec<Callee> = Vec::new();
        let outside = owners.iter().flat_map(|owner| self.pairs(*owner)).filter(|(callee, _)| match callee {
            Callee::External(_) => true,
            Callee::Service(_) => false,
        });
        for (callee, verdict) in self.admitting(identities).into_iter().chain(outside) {
            found.insert(callee, (verdict, vec![model.callee_name(callee)]));
            open.push(callee);
        }
        while !open.is_empty() {
            for callee in std::mem::take(&mut open) {
                let Callee::Service(service) = callee else { continue };
                let Some((so_far, way)) = found.get(&callee).cloned() else { continue };
                for (next, verdict) in self.pairs(CallFrom::Service(service, None)) {
                    let Entry::Vacant(place) = found.entry(next) else { continue };
                    let way = way.iter().cloned().chain([model.callee_name(next)]).collect();
                    place.insert((verdict.and(so_far), way));
                    open.push(next);
                }
            }
        }
        let mut all: Vec<(Callee, (Truth, Vec<String>))> = found.into_iter().collect();
        all.sort_by_key(|(callee, (_, way))| (way.len(), *callee));
        let line = |(callee, (verdict, way)): (Callee, (Truth, Vec<String>))| {
            let text = if way.len() > 1 {
                format!("through {}", way.join(" -> "))
            } else {
                String::from("directly")
            };
            plain(verdict, model.callee_name(callee), text)
        };
        all.into_iter().map(line).collect()
    }
}

fn plain(verdict: Truth, who: String, text: String) -> Line {
    Line { verdict, who, text, answered_by: Vec::new(), facts: Vec::new() }
}

/// The Secrets that gateways read.
#[must_use]
pub fn secrets(model: &Model) -> Vec<(String, ())> {
    let ports = model.gateways.iter().flat_map(|(_, gateway)| &gateway.ports);
    let mut names: Vec<String> = Vec::new();
    for tls in ports.filter_map(|port| port.tls.as_ref()) {
        names.extend(tls.certificates.iter().map(|certificate| certificate.secret.value.clone()));
        names.extend(tls.clients.iter().map(|clients| clients.ca.value.clone()));
    }
    names.sort();
    names.dedup();
    names.into_iter().map(|name| (name, ())).collect()
}
