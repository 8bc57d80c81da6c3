//! What is expected of a call, against what the mesh does.

use std::collections::BTreeSet;
use std::time::Duration;

use lang_diagnostics::{Diagnostic, Spanned};
use meshc_plan::{ListenerKind, ProxyPlan};
use meshc_topology::{Outcome, ProxyKey, Survivors};
use meshc_vocabulary::model::{Callee, Cluster, Gateway, Id};
use meshc_vocabulary::testing::{CallFrom, CallTest, CallTo, Expected, Place};

use crate::admission::{self, Admission, Peer, Verdict};
use crate::callees::Callees;
use crate::codes;
use crate::found::{Found, because, by_itself};
use crate::log::Log;
use crate::sending::{Destination, Handled, Sending, Way};
use crate::sent::Sent;
use crate::wording::milliseconds;
use crate::world::World;

/// Asks about calls in a mesh of which something may have failed.
pub(crate) struct Asking<'w, 'm> {
    pub(crate) world: &'w World<'m>,
    pub(crate) callees: &'w Callees,
    pub(crate) survivors: Survivors<'w>,
    /// Where what is tried is written down.
    pub(crate) log: Log<'w>,
}

/// A caller's proxy with what it may do with the request.
pub(crate) struct Sender<'m> {
    pub(crate) key: ProxyKey,
    pub(crate) proxy: &'m ProxyPlan,
    pub(crate) name: String,
    pub(crate) ways: Vec<Way<'m>>,
}

/// Pods that answer, and where they run; hosts outside run nowhere.
pub(crate) type Answering = BTreeSet<(Callee, Option<Id<Cluster>>)>;

impl<'m> Asking<'_, 'm> {
    /// What of a call is not as expected.
    pub(crate) fn call(&self, call: &CallTest) -> Vec<Diagnostic> {
        let sent = self.sent(call);
        let senders = self.senders(call, &sent);
        let unmet = |expected: &Spanned<Expected>| {
            let found = self.expected(call, &senders, &sent, &expected.value).err()?;
            let message = format!("{} is not {}", self.name(call), self.wanted(&expected.value));
            let mut diagnostic =
                Diagnostic::error(codes::UNMET_CALL, expected.span, message).label(found.text);
            for (span, text) in found.places {
                diagnostic = diagnostic.also(span, text);
            }
            Some(match found.help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            })
        };
        call.expected.iter().filter_map(unmet).collect()
    }

    /// The request of a call, with the host that one without any has.
    pub(crate) fn sent(&self, call: &CallTest) -> Sent {
        let mut sent = call.request.as_ref().map_or(Sent::ANY, Sent::new);
        if call.request.is_some() && sent.host.is_none() {
            sent.host = self.host(call);
        }
        sent
    }

    fn expected(
        &self,
        call: &CallTest,
        senders: &[Sender<'m>],
        sent: &Sent,
        expected: &Expected,
    ) -> Result<(), Found> {
        match expected {
            Expected::Allowed => self.allowed(call, senders),
            Expected::Refused => self.refused(call, senders, sent),
            Expected::Reaches(cluster) => self.reaches(call, senders, *cluster),
            Expected::Answered(places) => self.answered(call, senders, places),
            Expected::Limited => self.limited(call, senders),
            Expected::Limit(rate) => self.each_limit(call, senders, |tightest| match (tightest, rate) {
                (None, None) => true,
                (Some(counted), Some(rate)) => counted.is(*rate),
                (None, Some(_)) | (Some(_), None) => false,
            }),
            Expected::Timeout(bound) => self.timeout(call, senders, |timeout| timeout == bound.0),
            Expected::Within(most) => {
                self.timeout(call, senders, |timeout| timeout.is_some_and(|timeout| timeout <= *most))
            }
            Expected::Status(status) => self.status(call, senders, *status),
        }
    }

    /// The host of a request that names none: at a gateway, one for which a route leads to the callee.
    fn host(&self, call: &CallTest) -> Option<String> {
        let CallFrom::Gateway(gateway, port) = call.from else { return None };
        let proxy = self.world.proxy(ProxyKey::Gateway(gateway))?;
        let sending = Sending { world: self.world, callees: self.callees, log: Log::NONE };
        let port = self.listener(gateway, port);
        let listeners = proxy.listeners.iter().filter_map(|listener| match &listener.kind {
            ListenerKind::Http(http) => Some(http),
            ListenerKind::Tcp(_)
            | ListenerKind::Inbound(_)
            | ListenerKind::PassThrough(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => None,
        });
        let hosts = listeners.flat_map(|http| http.virtual_hosts.iter()).flat_map(|host| host.hosts.iter());
        let named = hosts.map(|host| match host.strip_prefix("*.") {
            Some(rest) => format!("www.{rest}"),
            None if host == "*" => String::from("localhost"),
            None => host.clone(),
        });
        named.into_iter().find(|host| {
            let asked = Sent { host: Some(host.clone()), ..Sent::ANY };
            let ways = sending.of_gateway(proxy, port.as_deref(), &asked);
            ways.iter().any(|way| self.leads_to(way, &call.to))
        })
    }

    /// The name of the listener of a gateway's port.
    pub(crate) fn listener(&self, gateway: Id<Gateway>, port: Option<usize>) -> Option<String> {
        let port = self.world.model.gateways.at(gateway).ports.get(port?)?;
        Some(format!("ingress_{}", port.name))
    }

    /// Whether some of what goes this way gets to a callee, at the port that is meant.
    pub(crate) fn leads_to(&self, way: &Way<'_>, callee: &CallTo) -> bool {
        match &way.handled {
            Handled::Forwarded { to, timeout: _ } => to.iter().any(|to| self.is_meant(to, callee)),
            Handled::Answered(_) => false,
        }
    }

    /// Whether a destination is a callee or a part of it, and the port the one that is given.
    pub(crate) fn is_meant(&self, to: &Destination, callee: &CallTo) -> bool {
        let port = self.world.model.ports(to.callee).get(to.port);
        let fits = |name: &String| port.is_some_and(|port| port.name == *name);
        self.world.is_part(to.callee, callee.callee) && callee.port.as_ref().is_none_or(fits)
    }

    /// The proxies of the caller, each with what it may do.
    pub(crate) fn senders(&self, call: &CallTest, sent: &Sent) -> Vec<Sender<'m>> {
        let sending = Sending { world: self.world, callees: self.callees, log: self.log };
        let model = self.world.model;
        // Calls of a subset are calls of its service, which routes send there.
        let whole = match call.to.callee {
            Callee::Service(service) => Callee::Service(model.whole(service)),
            external @ Callee::External(_) => external,
        };
        let ports = model.ports(whole).iter().enumerate();
        let ports = ports.filter(|(_, port)| call.to.port.as_ref().is_none_or(|name| *name == port.name));
        let ports: Vec<usize> = ports.map(|(position, _)| position).collect();
        let sender = |(key, proxy): (ProxyKey, &'m ProxyPlan)| {
            let mut ways = match key {
                ProxyKey::Gateway(gateway) => {
                    let port = match call.from {
                        CallFrom::Gateway(_, port) => port,
                        CallFrom::Service(..) => None,
                    };
                    sending.of_gateway(proxy, self.listener(gateway, port).as_deref(), sent)
                }
                ProxyKey::Sidecar { .. } => {
                    ports.iter().flat_map(|port| sending.of_call(proxy, whole, *port, sent)).collect()
                }
            };
            let any = call.request.is_none();
            if any && (matches!(key, ProxyKey::Gateway(_)) || whole != call.to.callee) {
                ways.retain(|way| self.leads_to(way, &call.to));
            }
            Sender { key, proxy, name: self.world.name(key), ways }
        };
        self.world.callers(call.from).into_iter().map(sender).collect()
    }

    /// Senders that are there, each with at least one way; otherwise what is wrong.
    pub(crate) fn living<'s>(
        &self,
        call: &CallTest,
        senders: &'s [Sender<'m>],
    ) -> Result<Vec<&'s Sender<'m>>, Found> {
        let living: Vec<_> =
            senders.iter().filter(|sender| !self.survivors.caller_failed(sender.key)).collect();
        if living.is_empty() {
            return Err(Found::new("the caller itself has failed, everywhere"));
        }
        match living.iter().find(|sender| sender.ways.is_empty()) {
            Some(sender) => Err(self.no_way(call, sender)),
            None => Ok(living),
        }
    }

    pub(crate) fn no_way(&self, call: &CallTest, sender: &Sender<'_>) -> Found {
        let to = self.world.model.callee_name(call.to.callee);
        let found = match sender.key {
            ProxyKey::Gateway(_) => Found::new(format!("no route of `{}` leads to `{to}`", sender.name)),
            ProxyKey::Sidecar { .. } => {
                Found::new(format!("`{}` declares no call of `{to}`", sender.name)).help("add it to `calls`")
            }
        };
        found.at(sender.proxy.origin.span, "declared here")
    }

    /// What the sidecars of a destination make of a request.
    pub(crate) fn admissions(
        &self,
        call: &CallTest,
        sender: &Sender<'m>,
        way: &Way<'m>,
        to: &Destination,
    ) -> Vec<(String, Admission<'m>)> {
        let Callee::Service(service) = to.callee else { return Vec::new() };
        let model = self.world.model;
        let Some(port) = model.services.at(service).ports.get(to.port) else { return Vec::new() };
        let Some(identity) = &sender.proxy.identity else { return Vec::new() };
        let sidecars = self.world.sidecars(service, to.only.or(call.to.cluster));
        let ask = |(key, proxy)| {
            let peer = Peer::Identity(&identity.spiffe);
            let here = match key {
                ProxyKey::Sidecar { cluster: _, service } => service,
                ProxyKey::Gateway(_) => service,
            };
            (
                self.world.name(key),
                admission::at_callee(self.world, proxy, here, port, peer, &way.sent, self.log),
            )
        };
        sidecars.into_iter().map(ask).collect()
    }

    fn allowed(&self, call: &CallTest, senders: &[Sender<'m>]) -> Result<(), Found> {
        for sender in self.living(call, senders)? {
            for way in &sender.ways {
                if let Some(entrance) = &way.entrance
                    && entrance.verdict != Verdict::Admitted
                {
                    return Err(because(&format!("`{}`", sender.name), entrance));
                }
                let to = match &way.handled {
                    Handled::Answered(status) => return Err(by_itself(&sender.name, *status, way)),
                    Handled::Forwarded { to, timeout: _ } => to,
                };
                let elsewhere = to.iter().find(|to| !self.is_meant(to, &call.to));
                if let (Some(other), ProxyKey::Gateway(_)) = (elsewhere, sender.key) {
                    let other = self.world.model.callee_name(other.callee);
                    return Err(Found::new(format!("`{}` sends it to `{other}`", sender.name))
                        .at(way.by.span, "by this rule"));
                }
                // Another subset, or any pod of the service, is not the one that is called.
                let is_subset = match call.to.callee {
                    Callee::Service(service) => self.world.model.whole(service) != service,
                    Callee::External(_) => false,
                };
                if let Some(other) = to.first().filter(|_| is_subset && !self.leads_to(way, &call.to)) {
                    let other = self.world.model.callee_name(other.callee);
                    return Err(Found::new(format!("`{}` sends it to `{other}`", sender.name))
                        .at(way.by.span, "by this rule"));
                }
                for (name, admission) in to.iter().flat_map(|to| self.admissions(call, sender, way, to)) {
                    if admission.verdict != Verdict::Admitted {
                        return Err(because(&format!("`{name}`"), &admission));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the callee refuses a caller, whatever the caller's own proxy would do; a gateway does only what it is told.
    pub(crate) fn refused(&self, call: &CallTest, senders: &[Sender<'m>], sent: &Sent) -> Result<(), Found> {
        let model = self.world.model;
        let Callee::Service(service) = call.to.callee else {
            return match senders.iter().find(|sender| !sender.ways.is_empty()) {
                Some(sender) => Err(Found::new(format!("`{}` sends it", sender.name))),
                None => Ok(()),
            };
        };
        let ports = &model.services.at(service).ports;
        let ports = ports.iter().filter(|port| call.to.port.as_ref().is_none_or(|name| *name == port.name));
        for port in ports {
            for sender in senders {
                let arriving: Vec<Sent> = match sender.key {
                    // What it answers itself, or sends elsewhere, does not arrive.
                    ProxyKey::Gateway(_) if call.request.is_some() => {
                        let own = |way: &&Way<'_>| {
                            let refused =
                                way.entrance.as_ref().is_some_and(|it| it.verdict == Verdict::Refused);
                            self.leads_to(way, &call.to) && !refused
                        };
                        sender.ways.iter().filter(own).map(|way| way.sent.clone()).collect()
                    }
                    ProxyKey::Sidecar { .. } if !sender.ways.is_empty() => {
                        sender.ways.iter().map(|way| way.sent.clone()).collect()
                    }
                    ProxyKey::Sidecar { .. } | ProxyKey::Gateway(_) => vec![sent.clone()],
                };
                let Some(identity) = &sender.proxy.identity else { continue };
                for (key, proxy) in self.world.sidecars(service, call.to.cluster) {
                    let ask = |peer, sent: &Sent| {
                        admission::at_callee(self.world, proxy, service, port, peer, sent, self.log)
                    };
                    let peers = [Peer::Identity(&identity.spiffe), Peer::Nobody];
                    let admitted = arriving.iter().flat_map(|sent| peers.map(|peer| (peer, ask(peer, sent))));
                    let admitted = admitted.into_iter().find(|(_, it)| it.verdict != Verdict::Refused);
                    if let Some((peer, admission)) = admitted {
                        let found = because(&format!("`{}`", self.world.name(key)), &admission);
                        return Err(match peer {
                            Peer::Nobody => found.help("pods can connect without an identity here; `mtls = strict` takes none of them"),
                            Peer::Identity(_) => found,
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// Where what is sent on one way is answered.
    pub(crate) fn answering(&self, sender: &Sender<'m>, way: &Way<'m>) -> Answering {
        let Handled::Forwarded { to, timeout: _ } = &way.handled else { return Answering::new() };
        let reaches = self.world.topology.reaches.get(&sender.key).map_or(&[][..], Vec::as_slice);
        let mut answering = Answering::new();
        for to in to {
            let found = reaches.iter().find(|reach| reach.callee == to.callee && reach.port == to.port);
            let Some(reach) = found else { continue };
            let cluster = match to.only {
                Some(only) => reach
                    .groups
                    .iter()
                    .find(|group| group.cluster == only)
                    .and_then(|group| self.survivors.answers_in(sender.key, reach, group)),
                None => match self.survivors.outcome(sender.key, reach) {
                    Outcome::Answered { group: _, cluster } => Some(cluster),
                    Outcome::Errors { .. } | Outcome::Nobody | Outcome::CallerFailed => None,
                },
            };
            match to.callee {
                Callee::External(_) => answering.extend(cluster.map(|_| (to.callee, None))),
                Callee::Service(_) => answering.extend(cluster.map(|cluster| (to.callee, Some(cluster)))),
            }
        }
        answering
    }

    /// Everything that answers a living sender, where callees do not refuse it.
    fn all_answering(&self, call: &CallTest, sender: &Sender<'m>) -> Result<Answering, Found> {
        let mut all = Answering::new();
        for way in &sender.ways {
            let Handled::Forwarded { to, timeout: _ } = &way.handled else { continue };
            for to in to {
                let anywhere = CallTest { to: CallTo { cluster: None, ..call.to.clone() }, ..call.clone() };
                let refused = self.admissions(&anywhere, sender, way, to).into_iter();
                let refused = refused.into_iter().find(|(_, it)| it.verdict == Verdict::Refused);
                if let Some((name, admission)) = refused {
                    return Err(because(&format!("`{name}`"), &admission));
                }
            }
            all.extend(self.answering(sender, way));
        }
        Ok(all)
    }

    fn reaches(
        &self,
        call: &CallTest,
        senders: &[Sender<'m>],
        cluster: Option<Id<Cluster>>,
    ) -> Result<(), Found> {
        for sender in self.living(call, senders)? {
            let all = self.all_answering(call, sender)?;
            let own = |(callee, at): &&(Callee, Option<Id<Cluster>>)| {
                let place = cluster.is_none_or(|cluster| *at == Some(cluster));
                place && (cluster.is_none() || self.world.is_part(*callee, call.to.callee))
            };
            if all.iter().find(own).is_none() {
                return Err(self.others(sender, &all));
            }
        }
        Ok(())
    }

    fn answered(
        &self,
        call: &CallTest,
        senders: &[Sender<'m>],
        places: &[Spanned<Place>],
    ) -> Result<(), Found> {
        let mut unused: Vec<&Spanned<Place>> = places.iter().collect();
        for sender in self.living(call, senders)? {
            let all = self.all_answering(call, sender)?;
            let is = |place: &Place, (callee, at): &(Callee, Option<Id<Cluster>>)| {
                let service = place.service.map_or(call.to.callee, Callee::Service);
                let named = place.service.is_some();
                let callee = self.world.is_part(*callee, service) || !named;
                callee && place.cluster.is_none_or(|cluster| *at == Some(cluster))
            };
            let listed = |one: &(Callee, Option<Id<Cluster>>)| places.iter().any(|it| is(&it.value, one));
            if all.is_empty() || !all.iter().all(listed) {
                return Err(self.others(sender, &all));
            }
            unused.retain(|place| !all.iter().any(|one| is(&place.value, one)));
        }
        match unused.first() {
            Some(place) => Err(Found::new("not by all of these")
                .at(place.span, format!("{} answers no part of it", self.place(&place.value)))),
            None => Ok(()),
        }
    }

    /// That something else answers.
    fn others(&self, sender: &Sender<'_>, all: &Answering) -> Found {
        let model = self.world.model;
        let shown: Vec<String> = all
            .iter()
            .map(|(callee, cluster)| match cluster {
                Some(cluster) => {
                    format!("`{} in {}`", model.callee_name(*callee), model.clusters.at(*cluster).name)
                }
                None => format!("`{}`", model.callee_name(*callee)),
            })
            .collect();
        let ways = sender.ways.iter();
        let ways = ways.filter(|way| matches!(way.handled, Handled::Forwarded { .. })).take(1);
        let found = if shown.is_empty() {
            Found::new(format!("no pod answers `{}`", sender.name))
        } else {
            Found::new(format!("{} answers `{}`", shown.join(" and "), sender.name))
        };
        ways.fold(found, |found, way| found.at(way.by.span, "by this"))
    }

    fn timeout(
        &self,
        call: &CallTest,
        senders: &[Sender<'m>],
        is_expected: impl Fn(Option<Duration>) -> bool,
    ) -> Result<(), Found> {
        for sender in self.living(call, senders)? {
            for way in &sender.ways {
                match &way.handled {
                    Handled::Answered(_) if call.request.is_none() => {}
                    Handled::Answered(status) => return Err(by_itself(&sender.name, *status, way)),
                    Handled::Forwarded { to: _, timeout } if is_expected(*timeout) => {}
                    Handled::Forwarded { to: _, timeout } => {
                        let text = match timeout {
                            Some(time) => format!("its timeout is {}", milliseconds(*time)),
                            None => String::from("it has no timeout"),
                        };
                        return Err(Found::new(text).at(way.by.span, "it goes this way"));
                    }
                }
            }
        }
        Ok(())
    }

    fn status(&self, call: &CallTest, senders: &[Sender<'m>], wanted: u16) -> Result<(), Found> {
        for sender in self.living(call, senders)? {
            for way in &sender.ways {
                match &way.handled {
                    Handled::Answered(status) if *status == wanted => {}
                    Handled::Answered(status) => return Err(by_itself(&sender.name, *status, way)),
                    Handled::Forwarded { to, timeout: _ } => {
                        let to = to.first().map(|to| self.world.model.callee_name(to.callee));
                        let text = format!("`{}` sends it to `{}`", sender.name, to.unwrap_or_default());
                        return Err(Found::new(text).at(way.by.span, "by this rule"));
                    }
                }
            }
        }
        Ok(())
    }
}
