//! An interpreter of described meshes: small, slow and obvious. It shares nothing with the compiler, and follows what the
//! reference says: who declares a call, which rule takes it, who admits it, and whose pods answer.

use std::collections::BTreeSet;

use crate::described::{Action, Described, HeaderIs, Match, PathIs, Route, Rule, Scope, Source};

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    /// `1` of `?v=1`.
    pub(crate) query: Option<&'static str>,
    /// Of `x-t`.
    pub(crate) header: Option<&'static str>,
    /// At gateways.
    pub(crate) host: &'static str,
}

/// Who calls: a service in one cluster, or the ingress gateway of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    Service(usize, usize),
    Ingress(usize),
}

/// What has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    Service(usize, Option<usize>),
    Cluster(usize),
    EastWest(usize),
    Ingress(usize),
    Network(usize),
    Link(usize, usize),
}

/// What becomes of a request on one of the ways that it may take.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// Pods of a service in a cluster answer.
    Answered(usize, usize),
    /// A proxy answers by itself.
    Proxy(u16),
    /// The callee refuses it.
    Refused,
    /// No pod is left.
    Nobody,
    /// It is sent to another one than is asked about.
    Elsewhere,
    /// There is no such call, and the callee would refuse one.
    Undeclared,
    /// There is no such call, but the callee would admit one, in these clusters.
    Admitted(Vec<usize>),
}

/// The interpreter.
pub(crate) struct Oracle<'m> {
    pub(crate) mesh: &'m Described,
    pub(crate) lost: &'m [Lost],
}

impl Oracle<'_> {
    /// Everything that may become of a request for a port of a service, or for any of its ports; nothing from a caller that
    /// has failed itself.
    pub(crate) fn call(
        &self,
        from: Caller,
        callee: usize,
        port: Option<usize>,
        request: &Request,
    ) -> Vec<Fate> {
        if self.has_failed(from) {
            return Vec::new();
        }
        match from {
            Caller::Ingress(cluster) => self.entered(cluster, callee, port, request),
            Caller::Service(service, _) => {
                let ports = (0..self.mesh.services[callee].ports.len())
                    .filter(|own| port.is_none_or(|port| port == *own));
                let declared = |own: &usize| {
                    self.mesh.services[service]
                        .calls
                        .iter()
                        .any(|call| call.callee == callee && call.port.is_none_or(|port| port == *own))
                };
                let declared: Vec<usize> = ports.clone().filter(declared).collect();
                if !declared.is_empty() {
                    return declared
                        .into_iter()
                        .flat_map(|port| self.sent(from, (callee, port), request))
                        .collect();
                }
                let through = self.through_others(from, callee, port, request);
                if !through.is_empty() {
                    return through;
                }
                let admits = ports.into_iter().any(|port| self.admits((callee, port), from, request));
                let left = self.answering(from, callee);
                vec![if admits && !left.is_empty() { Fate::Admitted(left) } else { Fate::Undeclared }]
            }
        }
    }

    /// What an application sends when it calls a port that its service declares.
    fn sent(&self, from: Caller, to: (usize, usize), request: &Request) -> Vec<Fate> {
        match self.taken(from, to, request) {
            Some(Action::Redirect(status) | Action::Respond(status)) => vec![Fate::Proxy(*status)],
            Some(Action::To(to)) => {
                let drawn = to.iter().filter(|(_, _, weight)| *weight > 0);
                drawn.map(|(service, port, _)| self.arrives(from, (*service, *port), request)).collect()
            }
            None => vec![self.arrives(from, to, request)],
        }
    }

    /// What takes a request that somebody sends a port, or any port, of a callee, where that is declared.
    pub(crate) fn rule(
        &self,
        from: Caller,
        callee: usize,
        port: Option<usize>,
        request: &Request,
    ) -> Vec<Option<&Action>> {
        match from {
            Caller::Ingress(cluster) => vec![self.at_gateway(cluster, request)],
            Caller::Service(service, _) => (0..self.mesh.services[callee].ports.len())
                .filter(|own| port.is_none_or(|port| port == *own))
                .filter(|own| {
                    let calls = &self.mesh.services[service].calls;
                    calls
                        .iter()
                        .any(|call| call.callee == callee && call.port.is_none_or(|port| port == *own))
                })
                .map(|own| self.taken(from, (callee, own), request))
                .collect(),
        }
    }

    /// What a route for the calls of a port makes of a request, if it takes it.
    fn taken(&self, from: Caller, to: (usize, usize), request: &Request) -> Option<&Action> {
        let Caller::Service(caller, _) = from else { return None };
        if self.mesh.services[to.0].ports[to.1].tcp {
            return None;
        }
        let own = |route: &&Route| match &route.scope {
            Scope::Calls { callee, port, from } => {
                (*callee, *port) == to && (from.is_empty() || from.contains(&caller))
            }
            Scope::Gateways { .. } => false,
        };
        let route = self.mesh.routes.iter().find(own)?;
        let rule = route.rules.iter().find(|rule| any(&rule.matches, request))?;
        Some(&rule.action)
    }

    /// What gets to a service because routes send there what others are called for.
    fn through_others(
        &self,
        from: Caller,
        callee: usize,
        port: Option<usize>,
        request: &Request,
    ) -> Vec<Fate> {
        let Caller::Service(service, _) = from else { return Vec::new() };
        let mut fates = Vec::new();
        for call in &self.mesh.services[service].calls {
            let ports = 0..self.mesh.services[call.callee].ports.len();
            for called in ports.filter(|own| call.port.is_none_or(|port| port == *own)) {
                if let Some(Action::To(to)) = self.taken(from, (call.callee, called), request) {
                    let leads = to.iter().any(|(service, own, weight)| {
                        *weight > 0 && *service == callee && port.is_none_or(|port| port == *own)
                    });
                    if leads {
                        fates.extend(self.sent(from, (call.callee, called), request));
                    }
                }
            }
        }
        fates
    }

    /// What a gateway makes of a request.
    pub(crate) fn at_gateway(&self, cluster: usize, request: &Request) -> Option<&Action> {
        let here = |route: &&Route| match &route.scope {
            Scope::Gateways { clusters, hosts: _ } => clusters.contains(&cluster),
            Scope::Calls { .. } => false,
        };
        let hosts = |route: &Route| match &route.scope {
            Scope::Gateways { clusters: _, hosts } => hosts.clone(),
            Scope::Calls { .. } => Vec::new(),
        };
        let mut best: Option<((bool, usize), &Route)> = None;
        for route in self.mesh.routes.iter().filter(here) {
            for host in hosts(route).into_iter().filter(|host| is_host(host, request.host)) {
                // A name goes before patterns, and of patterns the longest one.
                let nearness = (host == request.host, host.len());
                if best.is_none_or(|(known, _)| nearness > known) {
                    best = Some((nearness, route));
                }
            }
        }
        let rule = best?.1.rules.iter().find(|rule| any(&rule.matches, request))?;
        Some(&rule.action)
    }

    /// What becomes of a request at a gateway, asked about one callee.
    fn entered(&self, cluster: usize, callee: usize, port: Option<usize>, request: &Request) -> Vec<Fate> {
        match self.at_gateway(cluster, request) {
            None => vec![Fate::Proxy(404)],
            Some(Action::Redirect(status) | Action::Respond(status)) => vec![Fate::Proxy(*status)],
            Some(Action::To(to)) => to
                .iter()
                .filter(|(_, _, weight)| *weight > 0)
                .map(|(service, own, _)| {
                    if *service == callee && port.is_none_or(|port| port == *own) {
                        self.arrives(Caller::Ingress(cluster), (*service, *own), request)
                    } else {
                        Fate::Elsewhere
                    }
                })
                .collect(),
        }
    }

    /// What a destination makes of a request.
    pub(crate) fn arrives(&self, from: Caller, to: (usize, usize), request: &Request) -> Fate {
        if !self.admits(to, from, request) {
            return Fate::Refused;
        }
        match self.answers(from, to.0) {
            Some(cluster) => Fate::Answered(to.0, cluster),
            None => Fate::Nobody,
        }
    }

    /// Whether a port admits a request: it is declared, an `allow` admits it if there is any, and no `deny` means it.
    fn admits(&self, to: (usize, usize), from: Caller, request: &Request) -> bool {
        let service = &self.mesh.services[to.0];
        let means = |rule: &Rule| {
            let excepted = rule.except.as_ref().is_some_and(|except| {
                (except.from.is_empty() || self.is_any(&except.from, from)) && any(&except.matches, request)
            });
            self.is_any(&rule.from, from) && any(&rule.matches, request) && !excepted
        };
        self.declares(from, to)
            && (service.allow.is_empty() || service.allow.iter().any(means))
            && !service.deny.iter().any(means)
    }

    /// Whether somebody calls a port, by name or by a route.
    fn declares(&self, from: Caller, to: (usize, usize)) -> bool {
        let leads = |route: &Route| {
            route.rules.iter().any(|rule| match &rule.action {
                Action::To(destinations) => {
                    destinations.iter().any(|(service, port, _)| (*service, *port) == to)
                }
                Action::Redirect(_) | Action::Respond(_) => false,
            })
        };
        match from {
            Caller::Ingress(cluster) => self.mesh.routes.iter().any(|route| match &route.scope {
                Scope::Gateways { clusters, hosts: _ } => clusters.contains(&cluster) && leads(route),
                Scope::Calls { .. } => false,
            }),
            Caller::Service(caller, _) => {
                let calls = |callee: usize, port: usize| {
                    self.mesh.services[caller]
                        .calls
                        .iter()
                        .any(|call| call.callee == callee && call.port.is_none_or(|own| own == port))
                };
                calls(to.0, to.1)
                    || self.mesh.routes.iter().any(|route| match &route.scope {
                        Scope::Calls { callee, port, from } => {
                            calls(*callee, *port)
                                && (from.is_empty() || from.contains(&caller))
                                && leads(route)
                        }
                        Scope::Gateways { .. } => false,
                    })
            }
        }
    }

    fn is_any(&self, sources: &[Source], from: Caller) -> bool {
        sources.iter().any(|source| match (source, from) {
            (Source::Everyone, _) => true,
            (Source::Namespace(name), Caller::Service(service, _)) => {
                self.mesh.services[service].namespace == *name
            }
            (Source::Service(one), Caller::Service(service, _)) => *one == service,
            (Source::Ingress(one), Caller::Ingress(cluster)) => *one == cluster,
            (Source::Namespace(_) | Source::Service(_), Caller::Ingress(_))
            | (Source::Ingress(_), Caller::Service(..)) => false,
        })
    }

    /// The cluster whose pods answer: the own one first, then those of the zone, of the region, those without a gateway in
    /// between, and by name; without failover the first of them alone.
    pub(crate) fn answers(&self, from: Caller, service: usize) -> Option<usize> {
        self.answering(from, service).into_iter().next()
    }

    /// All clusters whose pods are left, the nearest first.
    fn answering(&self, from: Caller, service: usize) -> Vec<usize> {
        let here = match from {
            Caller::Service(_, cluster) | Caller::Ingress(cluster) => cluster,
        };
        let far = |there: usize| {
            let (own, other) = (&self.mesh.clusters[here], &self.mesh.clusters[there]);
            let region = own.region == other.region;
            let zone = region && own.zone == other.zone && own.zone > 0;
            (here != there, !zone, !region, own.network != other.network, there)
        };
        let mut order = self.mesh.services[service].clusters.clone();
        order.sort_by_key(|there| far(*there));
        if !self.mesh.services[service].failover {
            order.truncate(1);
        }
        order.retain(|there| self.reaches(here, *there) && !self.is_gone(service, *there));
        order
    }

    /// Whether there is a way between two clusters: pods in one network, the east-west gateway of the other one else.
    fn reaches(&self, here: usize, there: usize) -> bool {
        let (own, other) = (self.mesh.clusters[here].network, self.mesh.clusters[there].network);
        let cut = |lost: &Lost| match lost {
            Lost::EastWest(cluster) => *cluster == there,
            Lost::Link(one, two) => (*one, *two) == (own, other) || (*two, *one) == (own, other),
            Lost::Service(..) | Lost::Cluster(_) | Lost::Ingress(_) | Lost::Network(_) => false,
        };
        own == other || !self.lost.iter().any(cut)
    }

    fn is_down(&self, cluster: usize) -> bool {
        self.lost.iter().any(|lost| match lost {
            Lost::Cluster(one) => *one == cluster,
            Lost::Network(network) => self.mesh.clusters[cluster].network == *network,
            Lost::Service(..) | Lost::EastWest(_) | Lost::Ingress(_) | Lost::Link(..) => false,
        })
    }

    fn is_gone(&self, service: usize, cluster: usize) -> bool {
        self.is_down(cluster)
            || self.lost.iter().any(|lost| match lost {
                Lost::Service(one, place) => *one == service && place.is_none_or(|place| place == cluster),
                Lost::Cluster(_)
                | Lost::EastWest(_)
                | Lost::Ingress(_)
                | Lost::Network(_)
                | Lost::Link(..) => false,
            })
    }

    pub(crate) fn has_failed(&self, caller: Caller) -> bool {
        match caller {
            Caller::Service(service, cluster) => self.is_gone(service, cluster),
            Caller::Ingress(cluster) => self.is_down(cluster) || self.lost.contains(&Lost::Ingress(cluster)),
        }
    }

    /// Everybody that calls, with each place.
    pub(crate) fn callers(&self) -> Vec<Caller> {
        let services = self.mesh.services.iter().enumerate();
        let mut all: Vec<Caller> = services
            .flat_map(|(service, entry)| {
                entry.clusters.iter().map(move |cluster| Caller::Service(service, *cluster))
            })
            .collect();
        let clusters = self.mesh.clusters.iter().enumerate();
        all.extend(
            clusters.filter(|(_, cluster)| cluster.ingress).map(|(number, _)| Caller::Ingress(number)),
        );
        all
    }
}

/// Yes, no, or `None`: the fates differ.
pub(crate) fn verdict(fates: &[Fate], place: Option<usize>) -> Option<bool> {
    let is_yes = |fate: &Fate| match fate {
        Fate::Answered(_, cluster) => Some(place.is_none_or(|place| place == *cluster)),
        Fate::Proxy(_) | Fate::Refused | Fate::Nobody | Fate::Elsewhere | Fate::Undeclared => Some(false),
        Fate::Admitted(clusters) if place.is_some_and(|place| !clusters.contains(&place)) => Some(false),
        Fate::Admitted(_) => None,
    };
    let all: BTreeSet<Option<bool>> = fates.iter().map(is_yes).collect();
    match all.len() {
        0 => Some(false),
        1 => all.into_iter().next().flatten(),
        _ => None,
    }
}

fn is_host(pattern: &str, host: &str) -> bool {
    pattern == "*"
        || pattern == host
        || pattern.strip_prefix('*').is_some_and(|end| host.len() > end.len() && host.ends_with(end))
}

/// Whether a request meets one of several matches; without any it does.
pub(crate) fn any(matches: &[Match], request: &Request) -> bool {
    matches.is_empty() || matches.iter().any(|one| meets(one, request))
}

fn meets(one: &Match, request: &Request) -> bool {
    let Match { path, methods, header, query, not_path } = one;
    let header = header.as_ref().is_none_or(|header| match (header, request.header) {
        (HeaderIs::Exactly(value), sent) => sent == Some(value),
        (HeaderIs::Begins(begin), sent) => sent.is_some_and(|sent| sent.starts_with(begin)),
        (HeaderIs::There, sent) => sent.is_some(),
        (HeaderIs::NotThere, sent) => sent.is_none(),
        (HeaderIs::Not(value), sent) => sent != Some(value),
    });
    path.as_ref().is_none_or(|path| is_path(path, request.path))
        && (methods.is_empty() || methods.contains(&request.method))
        && header
        && query.is_none_or(|value| request.query == Some(value))
        && !not_path.as_ref().is_some_and(|path| is_path(path, request.path))
}

fn is_path(path: &PathIs, sent: &str) -> bool {
    match path {
        PathIs::Exactly(text) => sent == *text,
        PathIs::Below(text) => {
            sent == *text || sent.strip_prefix(text).is_some_and(|rest| rest.starts_with('/'))
        }
        PathIs::Begins(text) => sent.starts_with(text),
    }
}
