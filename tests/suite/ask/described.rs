//! A random mesh as plain data, and the text that says it: what the interpreter reads is the data, never the text.

use mesh_tests::random::Random;

/// A mesh.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    pub(crate) clusters: Vec<Cluster>,
    pub(crate) services: Vec<Service>,
    pub(crate) routes: Vec<Route>,
}

/// A cluster, `c0` and so on.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) network: usize,
    pub(crate) region: usize,
    /// 0: none is said.
    pub(crate) zone: usize,
    pub(crate) ingress: bool,
}

/// A service, or a client, which has no ports.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) namespace: &'static str,
    pub(crate) name: String,
    pub(crate) clusters: Vec<usize>,
    pub(crate) ports: Vec<Port>,
    pub(crate) calls: Vec<Call>,
    pub(crate) failover: bool,
    pub(crate) allow: Vec<Rule>,
    pub(crate) deny: Vec<Rule>,
}

#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) name: &'static str,
    pub(crate) number: u16,
    pub(crate) tcp: bool,
}

/// A declared call: of one port, or of all.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) callee: usize,
    pub(crate) port: Option<usize>,
}

/// A rule about who may call.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) from: Vec<Source>,
    pub(crate) matches: Vec<Match>,
    pub(crate) except: Option<Except>,
}

#[derive(Clone, Debug)]
pub(crate) struct Except {
    pub(crate) from: Vec<Source>,
    pub(crate) matches: Vec<Match>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Everyone,
    Namespace(&'static str),
    Service(usize),
    /// The ingress gateway of a cluster.
    Ingress(usize),
}

/// Conditions that hold at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Match {
    pub(crate) path: Option<PathIs>,
    pub(crate) methods: Vec<&'static str>,
    pub(crate) header: Option<HeaderIs>,
    /// `v=1`
    pub(crate) query: Option<&'static str>,
    pub(crate) not_path: Option<PathIs>,
}

#[derive(Clone, Debug)]
pub(crate) enum PathIs {
    Exactly(&'static str),
    Below(&'static str),
    Begins(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) enum HeaderIs {
    Exactly(&'static str),
    Begins(&'static str),
    There,
    NotThere,
    Not(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) scope: Scope,
    pub(crate) rules: Vec<RouteRule>,
}

#[derive(Clone, Debug)]
pub(crate) enum Scope {
    /// At the ingress gateways of these clusters.
    Gateways { clusters: Vec<usize>, hosts: Vec<&'static str> },
    /// Calls of a port of a service, from these services or from all.
    Calls { callee: usize, port: usize, from: Vec<usize> },
}

#[derive(Clone, Debug)]
pub(crate) struct RouteRule {
    pub(crate) matches: Vec<Match>,
    pub(crate) action: Action,
    /// Whether its destinations stand in for each other.
    pub(crate) stand_in: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// Services, ports and weights.
    To(Vec<(usize, usize, u32)>),
    Redirect(u16),
    Respond(u16),
}

pub(crate) const METHODS: [&str; 3] = ["GET", "POST", "PUT"];
pub(crate) const PATHS: [&str; 6] = ["/", "/a", "/a/b", "/ab", "/b", "/c/d"];
pub(crate) const VALUES: [&str; 3] = ["1", "2", "12"];
const HOSTS: [&[&str]; 4] = [&["h0.example"], &["*.wild.example"], &["h1.example", "x.wild.example"], &["*"]];

impl Described {
    /// That of a seed.
    pub(crate) fn of(random: &mut Random) -> Self {
        let clusters = clusters(random);
        let services = services(clusters.len(), random);
        let mut mesh = Self { clusters, services, routes: Vec::new() };
        mesh.routes = routes(&mesh, random);
        for service in 0..mesh.services.len() {
            admission(&mut mesh, service, random);
        }
        mesh
    }

    /// `shop.s0`
    pub(crate) fn name(&self, service: usize) -> String {
        format!("{}.{}", self.services[service].namespace, self.services[service].name)
    }

    /// Services that take requests, with their ports that do.
    pub(crate) fn web(&self) -> Vec<(usize, usize)> {
        let ports = |service: usize| {
            let ports = self.services[service].ports.iter().enumerate();
            ports.filter(|(_, port)| !port.tcp).map(move |(port, _)| (service, port)).collect::<Vec<_>>()
        };
        (0..self.services.len()).flat_map(ports).collect()
    }

    pub(crate) fn has_ingress(&self) -> bool {
        self.clusters.iter().any(|cluster| cluster.ingress)
    }

    pub(crate) fn several_networks(&self) -> bool {
        self.clusters.iter().any(|cluster| cluster.network != 0)
    }
}

fn clusters(random: &mut Random) -> Vec<Cluster> {
    let count = 1 + random.below(4);
    let flat = random.percent(20);
    (0..count)
        .map(|number| Cluster {
            network: if flat || random.percent(20) { 0 } else { number },
            region: random.below(3),
            zone: random.below(3),
            ingress: random.percent(60),
        })
        .collect()
}

fn services(clusters: usize, random: &mut Random) -> Vec<Service> {
    let all: Vec<usize> = (0..clusters).collect();
    let mut services: Vec<Service> = Vec::new();
    for number in 0..3 + random.below(4) {
        let ports = match random.below(8) {
            0 => vec![Port { name: "t", number: 5432, tcp: true }],
            1 | 2 => vec![
                Port { name: "p", number: 80, tcp: false },
                Port { name: "q", number: 81, tcp: random.percent(30) },
            ],
            _ => vec![Port { name: "p", number: 80, tcp: false }],
        };
        // One takes requests for sure.
        let ports = if number == 0 { vec![Port { name: "p", number: 80, tcp: false }] } else { ports };
        services.push(Service {
            namespace: if random.percent(60) { "shop" } else { "bank" },
            name: format!("s{number}"),
            clusters: random.some(&all),
            calls: if number > 0 && random.percent(70) { calls(&services, random) } else { Vec::new() },
            ports,
            failover: !random.percent(15),
            allow: Vec::new(),
            deny: Vec::new(),
        });
    }
    for number in 0..2 {
        services.push(Service {
            namespace: "shop",
            name: format!("k{number}"),
            clusters: random.some(&all),
            calls: calls(&services, random),
            ports: Vec::new(),
            failover: true,
            allow: Vec::new(),
            deny: Vec::new(),
        });
    }
    services
}

pub(crate) fn calls(earlier: &[Service], random: &mut Random) -> Vec<Call> {
    let callable = earlier.iter().enumerate().filter(|(_, service)| !service.ports.is_empty());
    let callable: Vec<usize> = callable.map(|(callee, _)| callee).collect();
    let called = random.some(&callable).into_iter();
    called
        .map(|callee| {
            let ports = earlier[callee].ports.len();
            Call { callee, port: random.percent(25).then(|| random.below(ports)) }
        })
        .collect()
}

fn path(random: &mut Random) -> PathIs {
    match random.below(3) {
        0 => PathIs::Exactly(random.of(&PATHS)),
        1 => PathIs::Below(random.of(&["/a", "/c", "/a/b"])),
        _ => PathIs::Begins(random.of(&["/a", "/b"])),
    }
}

/// Some conditions; where requests are refused, paths are told by whole segments.
fn one(refuses: bool, random: &mut Random) -> Match {
    let mut one = Match::default();
    if random.percent(60) {
        one.path = Some(path(random));
        if let (true, Some(PathIs::Begins(begin))) = (refuses, &one.path) {
            one.path = Some(PathIs::Below(begin));
        }
    } else if !refuses && random.percent(30) {
        one.not_path = Some(PathIs::Exactly(random.of(&PATHS)));
    }
    if random.percent(35) {
        one.methods = random.some(&METHODS);
    }
    if random.percent(25) {
        one.header = Some(match random.below(5) {
            0 => HeaderIs::Exactly(random.of(&VALUES)),
            1 => HeaderIs::Begins("1"),
            2 => HeaderIs::There,
            3 => HeaderIs::NotThere,
            _ => HeaderIs::Not(random.of(&VALUES)),
        });
    }
    if random.percent(15) {
        one.query = Some("1");
    }
    if one.path.is_none()
        && one.methods.is_empty()
        && one.header.is_none()
        && one.query.is_none()
        && one.not_path.is_none()
    {
        one.methods = vec!["GET"];
    }
    one
}

fn some_matches(refuses: bool, random: &mut Random) -> Vec<Match> {
    (0..1 + random.below(2)).map(|_| one(refuses, random)).collect()
}

fn routes(mesh: &Described, random: &mut Random) -> Vec<Route> {
    let mut routes = Vec::new();
    for (service, port) in mesh.web() {
        if !random.percent(30) {
            continue;
        }
        let from: Vec<usize> = (0..mesh.services.len())
            .filter(|caller| {
                let calls = &mesh.services[*caller].calls;
                calls.iter().any(|call| call.callee == service && call.port.is_none_or(|own| own == port))
            })
            .collect();
        if from.is_empty() {
            continue;
        }
        let from = if random.percent(30) { random.some(&from) } else { Vec::new() };
        let rules = rules(mesh, Some((service, port)), random);
        routes.push(Route { scope: Scope::Calls { callee: service, port, from }, rules });
    }
    let entered: Vec<usize> = (0..mesh.clusters.len()).filter(|one| mesh.clusters[*one].ingress).collect();
    for (number, hosts) in HOSTS.into_iter().enumerate() {
        if !entered.is_empty() && (number == 0 || random.percent(40)) {
            // The first is everywhere, since a gateway without a route is a mistake.
            let clusters = if number == 0 { entered.clone() } else { random.some(&entered) };
            let scope = Scope::Gateways { clusters, hosts: hosts.to_vec() };
            routes.push(Route { scope, rules: rules(mesh, None, random) });
        }
    }
    routes
}

pub(crate) fn rules(mesh: &Described, callee: Option<(usize, usize)>, random: &mut Random) -> Vec<RouteRule> {
    let mut rules: Vec<RouteRule> = (0..1 + random.below(3))
        .map(|_| RouteRule {
            matches: some_matches(false, random),
            action: action(mesh, callee, random),
            stand_in: false,
        })
        .collect();
    if random.percent(50) {
        rules.push(RouteRule { matches: Vec::new(), action: action(mesh, callee, random), stand_in: false });
    }
    rules
}

fn action(mesh: &Described, callee: Option<(usize, usize)>, random: &mut Random) -> Action {
    let web = mesh.web();
    let to = |random: &mut Random| match callee {
        Some(callee) if random.percent(40) => callee,
        Some(_) | None => web[random.below(web.len())],
    };
    match random.below(10) {
        0 => Action::Redirect([301, 308][random.below(2)]),
        1 => Action::Respond([403, 404, 418][random.below(3)]),
        2 | 3 => {
            let (one, other) = (to(random), to(random));
            if one == other {
                return Action::To(vec![(one.0, one.1, 1)]);
            }
            let first = if random.percent(40) { 0 } else { 1 + random.below(3) as u32 };
            Action::To(vec![(one.0, one.1, first), (other.0, other.1, 1)])
        }
        _ => {
            let (service, port) = to(random);
            Action::To(vec![(service, port, 1)])
        }
    }
}

/// Whoever calls a service: by name, by a route, or as a gateway.
fn callers(mesh: &Described, callee: usize) -> Vec<Source> {
    let mut found = Vec::new();
    for (caller, service) in mesh.services.iter().enumerate() {
        if service.calls.iter().any(|call| call.callee == callee) {
            found.push(Source::Service(caller));
        }
    }
    for route in &mesh.routes {
        let leads = route.rules.iter().any(|rule| match &rule.action {
            Action::To(to) => to.iter().any(|(service, _, _)| *service == callee),
            Action::Redirect(_) | Action::Respond(_) => false,
        });
        if !leads {
            continue;
        }
        match &route.scope {
            Scope::Gateways { clusters, hosts: _ } => {
                found.extend(clusters.iter().map(|cluster| Source::Ingress(*cluster)));
            }
            Scope::Calls { callee: routed, port: _, from } => {
                let own = |caller: &usize| {
                    from.contains(caller)
                        || from.is_empty()
                            && mesh.services[*caller].calls.iter().any(|call| call.callee == *routed)
                };
                found.extend((0..mesh.services.len()).filter(own).map(Source::Service));
            }
        }
    }
    found
}

pub(crate) fn admission(mesh: &mut Described, service: usize, random: &mut Random) {
    let callers = callers(mesh, service);
    if callers.is_empty() || mesh.services[service].ports.is_empty() {
        return;
    }
    let by_request = mesh.services[service].ports.iter().all(|port| !port.tcp);
    let from = |random: &mut Random| match random.below(6) {
        0 => vec![Source::Everyone],
        1 => vec![Source::Namespace(random.of(&["shop", "bank"]))],
        _ => random.some(&callers),
    };
    let except = |random: &mut Random| {
        let from = if random.percent(50) { random.some(&callers) } else { Vec::new() };
        Some(Except { from, matches: some_matches(false, random) })
    };
    let (mut allow, mut deny) = (Vec::new(), Vec::new());
    if random.percent(35) {
        // A declared call that nothing admits would be an error.
        let matches = if by_request { some_matches(true, random) } else { Vec::new() };
        allow.push(Rule { from: callers.clone(), matches, except: None });
        if by_request && random.percent(60) {
            let matches = if random.percent(60) { some_matches(true, random) } else { Vec::new() };
            let except = if random.percent(40) { except(random) } else { None };
            allow.push(Rule { from: from(random), matches, except });
        }
    }
    if by_request && random.percent(30) {
        let matches = some_matches(true, random);
        let except = if random.percent(40) { except(random) } else { None };
        deny.push(Rule { from: from(random), matches, except });
    }
    mesh.services[service].allow = allow;
    mesh.services[service].deny = deny;
}
