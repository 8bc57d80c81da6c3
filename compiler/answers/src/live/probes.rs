//! Which requests show whether something is so.

use lang_diagnostics::Spanned;
use meshc_plan::{InboundProtocol, Listener, ListenerKind, outbound_listener, sni};
use meshc_topology::ProxyKey;
use meshc_vocabulary::model::policy::Bound;
use meshc_vocabulary::model::{Callee, Mtls, Port, Protocol};
use meshc_vocabulary::testing::{CallFrom, CallTest, Expected};

use super::examples::{self, Rules};
use super::wish::{MOST, Place, Wish};
use super::{Asked, Entry, Inquiry, Message, Probe, Question};
use crate::admission;
use crate::expectation::{Asking, Sender};
use crate::log::Log;
use crate::sending::{Handled, Sending, Way};
use crate::sent::Sent;
use crate::truth::Truth;

/// A request that a caller can send, where it is sent, and what becomes of it.
struct Outgoing<'m> {
    probe: Probe,
    ways: Vec<Way<'m>>,
}

/// Why something is not asked, or that it needs no asking.
type Not = Asked;

impl<'m> Asking<'_, 'm> {
    /// A question for each thing that is expected of a call.
    pub(super) fn questions(&self, call: &CallTest) -> Vec<Question> {
        let sent = self.sent(call);
        let senders = self.senders(call, &sent);
        let question = |expected: &Spanned<Expected>| Question {
            span: expected.span,
            call: self.name(call),
            wanted: self.wanted(&expected.value),
            asked: self.asked(call, &senders, &sent, &expected.value).unwrap_or_else(|not| not),
        };
        call.expected.iter().map(question).collect()
    }

    fn asked(
        &self,
        call: &CallTest,
        senders: &[Sender<'m>],
        sent: &Sent,
        expected: &Expected,
    ) -> Result<Asked, Not> {
        let living: Vec<&Sender<'m>> =
            senders.iter().filter(|sender| !self.survivors.caller_failed(sender.key)).collect();
        if living.is_empty() {
            return Err(Asked::Unmet(String::from("the caller itself has failed, everywhere")));
        }
        let callee = self.world.model.callee_name(call.to.callee);
        if let Expected::Refused = expected
            && (call.request.is_none() || matches!(call.from, CallFrom::Service(..)))
        {
            let probes = self.to_callee(call, senders, sent)?;
            return some(Wish::Refused(callee), probes);
        }
        let mut outgoing = Vec::new();
        let more = if *expected == Expected::Allowed && call.request.is_none() {
            self.at_rules(call)
        } else {
            Vec::new()
        };
        for sender in living {
            outgoing.extend(self.outgoing(call, sender, sent, &more)?);
        }
        let cluster = |id| self.world.model.clusters.at(id).name.clone();
        let open = |why: String| Asked::Open(why);
        let wish = match expected {
            Expected::Allowed => match call.from {
                CallFrom::Gateway(..) => Wish::Admitted(Some(callee)),
                CallFrom::Service(..) => Wish::Admitted(None),
            },
            Expected::Refused => Wish::Refused(callee),
            Expected::Reaches(place) => Wish::AnsweredIn(callee, place.map(cluster)),
            Expected::Answered(places) => Wish::AnsweredBy(self.places(places)),
            Expected::Limited => {
                let ways = outgoing.iter().flat_map(|one| &one.ways);
                let tightest = ways.filter_map(|way| self.tightest(call, way));
                // The one that takes most requests to be seen.
                Wish::limited(tightest.max()).map_err(open)?
            }
            Expected::Limit(Some(rate)) => {
                Wish::rate(rate.count, rate.unit.seconds() * 1000).map_err(open)?
            }
            Expected::Limit(None) => {
                return Err(open(String::from("that no limit counts a request cannot be seen")));
            }
            Expected::Timeout(Bound(None)) => {
                return Err(open(String::from("that a request may take for ever cannot be seen")));
            }
            Expected::Timeout(Bound(Some(bound))) => Wish::ends(*bound, true).map_err(open)?,
            Expected::Within(most) => {
                outgoing.retain(|one| !one.ways.iter().all(is_answered));
                Wish::ends(*most, false).map_err(open)?
            }
            Expected::Status(status) => Wish::Status(*status),
        };
        let needs_requests = match wish {
            Wish::Limited(_) | Wish::Rate(..) | Wish::Ends(..) | Wish::Status(_) => true,
            Wish::Admitted(_) | Wish::Refused(_) | Wish::AnsweredIn(..) | Wish::AnsweredBy(_) => false,
        };
        let is_request = |one: &Outgoing<'_>| match one.probe.message {
            Message::Request { .. } => true,
            Message::Connection | Message::Hello(_) => false,
        };
        if needs_requests && !outgoing.iter().all(is_request) {
            return Err(open(String::from("a connection has no requests with answers of their own")));
        }
        some(wish, outgoing.into_iter().map(|one| one.probe).collect())
    }

    fn tightest(&self, call: &CallTest, way: &Way<'m>) -> Option<(u64, u64)> {
        let counts = self.counted(call, way);
        let sure = counts.iter().flatten().filter(|one| one.truth == Truth::Yes);
        let tightest = sure.reduce(|one, other| if other.is_tighter(one) { other } else { one })?;
        Some((tightest.requests, tightest.per))
    }

    fn places(&self, places: &[Spanned<meshc_vocabulary::testing::Place>]) -> Vec<Place> {
        let model = self.world.model;
        let place = |place: &Spanned<meshc_vocabulary::testing::Place>| Place {
            service: place.value.service.map(|id| model.service_name(id)),
            cluster: place.value.cluster.map(|id| model.clusters.at(id).name.clone()),
            shown: self.place(&place.value),
        };
        places.iter().map(place).collect()
    }

    /// What a caller's own proxy is sent: an example of each of its routes, or the request that is given.
    fn outgoing(
        &self,
        call: &CallTest,
        sender: &Sender<'m>,
        sent: &Sent,
        more: &[Sent],
    ) -> Result<Vec<Outgoing<'m>>, Not> {
        let sending = Sending { world: self.world, callees: self.callees, log: Log::NONE };
        let listeners = self.listeners(call, sender);
        if listeners.is_empty() {
            let to = self.world.model.callee_name(call.to.callee);
            let found = format!("`{}` has no way to `{to}`", sender.name);
            return Err(Asked::Unmet(found));
        }
        let mut all = Vec::new();
        for (listener, entry, protocol) in listeners {
            let given = call.request.is_some();
            let tried = if given { vec![sent.clone()] } else { examples::of_listener(listener, more) };
            for example in tried {
                let ways = sending.at(listener, &example);
                let led = ways.iter().any(|way| self.leads_to(way, &call.to));
                let only = match sender.key {
                    ProxyKey::Gateway(_) => !given,
                    // Calls of a subset are calls of its service, which routes send there.
                    ProxyKey::Sidecar { .. } => !given && self.is_subset(call.to.callee),
                };
                if only && !led {
                    continue;
                }
                let Some(message) = self.message(listener, &example, protocol, &ways, given) else {
                    continue;
                };
                let probe =
                    Probe { from: sender.name.clone(), entry: entry.clone(), message, enough: enough(&ways) };
                all.push(Outgoing { probe, ways });
            }
        }
        if all.is_empty() {
            return Err(Asked::Open(format!(
                "no request could be made up that goes this way from `{}`; name one in a `call`",
                sender.name
            )));
        }
        Ok(all)
    }

    /// Requests of which the rules of a callee may refuse some.
    fn at_rules(&self, call: &CallTest) -> Vec<Sent> {
        let model = self.world.model;
        let Callee::Service(service) = call.to.callee else { return Vec::new() };
        let ports = model.services.at(service).ports.iter().filter(|port| is_called(call, port));
        let mut all: Vec<Sent> = Vec::new();
        for port in ports {
            for (_, proxy) in self.world.sidecars(service, call.to.cluster) {
                let Some(chain) = admission::chain(self.world, proxy, service, port) else { continue };
                let more = examples::of_rules(&chain.protocol, Rules::Deny);
                all.extend(more);
            }
        }
        all
    }

    fn is_subset(&self, callee: Callee) -> bool {
        match callee {
            Callee::Service(service) => self.world.model.whole(service) != service,
            Callee::External(_) => false,
        }
    }

    /// The listeners at which a caller sends what a call is about, and what is spoken there, as far as the callee decides it.
    fn listeners(
        &self,
        call: &CallTest,
        sender: &Sender<'m>,
    ) -> Vec<(&'m Listener, Entry, Option<Protocol>)> {
        let model = self.world.model;
        let named = |name: &str| sender.proxy.listeners.iter().find(|one| one.name == name);
        match sender.key {
            ProxyKey::Gateway(gateway) => {
                let port = match call.from {
                    CallFrom::Gateway(_, port) => port,
                    CallFrom::Service(..) => None,
                };
                let entry = model.gateways.at(gateway);
                let ports = entry.ports.iter().enumerate();
                let ports = ports.filter(|(position, _)| port.is_none_or(|port| port == *position));
                let place = |name: &str| Entry::Gateway {
                    cluster: model.clusters.at(entry.cluster).name.clone(),
                    gateway: entry.name.clone(),
                    port: name.to_owned(),
                };
                let found = ports.filter_map(|(position, port)| {
                    let listener = named(&self.listener(gateway, Some(position))?)?;
                    Some((listener, place(&port.name), None))
                });
                found.collect()
            }
            ProxyKey::Sidecar { cluster, service } => {
                let (namespace, name, callee) = match call.to.callee {
                    Callee::Service(id) => {
                        let id = model.whole(id);
                        let entry = model.services.at(id);
                        (entry.namespace, &entry.name, Callee::Service(id))
                    }
                    Callee::External(id) => {
                        let entry = model.externals.at(id);
                        (entry.namespace, &entry.name, Callee::External(id))
                    }
                };
                let namespace = &model.namespaces.at(namespace).name;
                let ports = model.ports(callee).iter().filter(|port| is_called(call, port));
                let found = ports.filter_map(|port| {
                    let listener = named(&outbound_listener(name, namespace, port.number))?;
                    let entry = Entry::Sidecar {
                        cluster: model.clusters.at(cluster).name.clone(),
                        caller: model.service_name(service),
                        callee: model.callee_name(callee),
                        port: port.number,
                    };
                    Some((listener, entry, Some(port.protocol)))
                });
                found.collect()
            }
        }
    }

    fn message(
        &self,
        listener: &Listener,
        sent: &Sent,
        protocol: Option<Protocol>,
        ways: &[Way<'_>],
        given: bool,
    ) -> Option<Message> {
        match &listener.kind {
            ListenerKind::Http(_) => {
                let protocol = protocol.or_else(|| self.spoken(ways));
                request(sent, protocol == Some(Protocol::Grpc), given)
            }
            ListenerKind::Tcp(_) => Some(Message::Connection),
            ListenerKind::PassThrough(_) => sent.host.clone().map(Message::Hello),
            ListenerKind::Inbound(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => None,
        }
    }

    /// What is spoken where ways lead.
    fn spoken(&self, ways: &[Way<'_>]) -> Option<Protocol> {
        let to = ways.iter().find_map(|way| match &way.handled {
            Handled::Forwarded { to, timeout: _ } => to.first(),
            Handled::Answered(_) => None,
        })?;
        self.world.model.ports(to.callee).get(to.port).map(|port| port.protocol)
    }

    /// What a callee's sidecars are sent in the name of a caller, past what the caller's own proxy would do.
    fn to_callee(&self, call: &CallTest, senders: &[Sender<'m>], sent: &Sent) -> Result<Vec<Probe>, Not> {
        let model = self.world.model;
        let Callee::Service(service) = call.to.callee else {
            return Err(Asked::Open(String::from(
                "a host outside refuses no caller: calls that are not declared have no way to it",
            )));
        };
        let whole = model.services.at(model.whole(service));
        let namespace = &model.namespaces.at(whole.namespace).name;
        let mut probes = Vec::new();
        for port in model.services.at(service).ports.iter().filter(|port| is_called(call, port)) {
            if port.mtls == Mtls::Off {
                return Err(Asked::Unmet(format!(
                    "port `{}` takes connections without its sidecar (`mtls = off`)",
                    port.name
                )));
            }
            for sender in senders.iter().filter(|sender| sender.proxy.identity.is_some()) {
                for (_, proxy) in self.world.sidecars(service, call.to.cluster) {
                    let Some(chain) = admission::chain(self.world, proxy, service, port) else { continue };
                    let entry = Entry::Callee {
                        proxy: proxy.name.to_string(),
                        identity: sender.proxy.name.to_string(),
                        server_name: sni(&whole.name, None, namespace, port.number),
                    };
                    for message in arriving(call, sender, &chain.protocol, sent, port) {
                        let from = sender.name.clone();
                        probes.push(Probe { from, entry: entry.clone(), message, enough: Some(1) });
                    }
                }
            }
        }
        Ok(probes)
    }
}

/// What arrives at a callee: the given request as the caller's own proxy changes it, or an example for each of its rules.
fn arriving(
    call: &CallTest,
    sender: &Sender<'_>,
    protocol: &InboundProtocol,
    sent: &Sent,
    port: &Port,
) -> Vec<Message> {
    let is_grpc = port.protocol == Protocol::Grpc;
    match protocol {
        InboundProtocol::Tcp { .. } | InboundProtocol::Tls { .. } => vec![Message::Connection],
        InboundProtocol::Http { .. } => {
            let given = call.request.is_some();
            let requests: Vec<Sent> = if !given {
                examples::of_rules(protocol, Rules::Allow)
            } else if sender.ways.is_empty() {
                vec![sent.clone()]
            } else {
                sender.ways.iter().map(|way| way.sent.clone()).collect()
            };
            requests.iter().filter_map(|sent| request(sent, is_grpc, given)).collect()
        }
    }
}

fn is_called(call: &CallTest, port: &Port) -> bool {
    call.to.port.as_ref().is_none_or(|name| *name == port.name)
}

fn is_answered(way: &Way<'_>) -> bool {
    match way.handled {
        Handled::Answered(_) => true,
        Handled::Forwarded { .. } => false,
    }
}

fn some(wish: Wish, probes: Vec<Probe>) -> Result<Asked, Not> {
    if probes.is_empty() {
        return Err(Asked::Open(String::from("there is no request that would show it")));
    }
    Ok(Asked::By(Inquiry { wish, probes }))
}

/// A method that gRPC's own server has, for calls of which no other is known.
const ANY_CALL: &str = "/meshc.v1.Echo/Any";

/// A request of which everything is known. One of gRPC is a POST of a method.
fn request(sent: &Sent, is_grpc: bool, given: bool) -> Option<Message> {
    let mut path = sent.path.clone()?;
    let mut method = sent.method.clone()?;
    if is_grpc && !given && path.matches('/').count() < 2 {
        ANY_CALL.clone_into(&mut path);
        "POST".clone_into(&mut method);
    }
    let query = sent.query.as_deref().unwrap_or_default();
    if !query.is_empty() {
        path = format!("{path}?{query}");
    }
    let headers = sent.headers.iter().flatten();
    let headers: Option<Vec<_>> = headers.map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    let grpc = is_grpc && method == "POST";
    Some(Message::Request { method, path, host: sent.host.clone(), headers: headers?, grpc })
}

/// With this many requests, each destination is met with odds of a million to one.
fn enough(ways: &[Way<'_>]) -> Option<usize> {
    let smallest = |way: &Way<'_>| match &way.handled {
        Handled::Forwarded { to, timeout: _ } => {
            let all: u64 = to.iter().map(|one| u64::from(one.weight)).sum();
            to.iter().map(|one| all.div_ceil(u64::from(one.weight).max(1))).max().unwrap_or(1)
        }
        Handled::Answered(_) => 1,
    };
    let times = ways.iter().map(smallest).max().unwrap_or(1);
    let wanted = if times <= 1 { 1 } else { usize::try_from(times).ok()?.checked_mul(14)? };
    (wanted <= MOST).then_some(wanted)
}
