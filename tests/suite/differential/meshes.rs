//! A mesh of a seed: valid as a rule, small, and with anything that the language can say.
//!
//! What depends on chance or on time is left out: of weights and shares only one is above 0, parts are all or none, limits
//! are of days, and what would eject an endpoint takes more failures than there are requests.

use mesh_tests::random::Random;

use crate::outside::External;
use crate::text::Item;
use crate::{clusters, outside, policies, routes, services};

/// What the mesh consists of, for those who name parts of it.
pub(crate) struct Parts {
    pub(crate) clusters: usize,
    /// Whether the last cluster is of machines.
    pub(crate) machines: bool,
    pub(crate) services: Vec<Service>,
    pub(crate) clients: Vec<Client>,
    pub(crate) externals: Vec<External>,
    pub(crate) ingresses: Vec<Ingress>,
    /// Whether applications listen on loopback alone, as they must where nothing else keeps others away from them.
    pub(crate) loopback: bool,
    /// Whether some virtual addresses are chosen, all of them on loopback.
    pub(crate) vips: bool,
    /// Whether one cluster counts for the whole mesh.
    pub(crate) counts: bool,
}

/// A client, which runs in the first cluster.
pub(crate) struct Client {
    /// With its namespace: `shop.c0`.
    pub(crate) name: String,
    pub(crate) calls: Vec<String>,
}

/// An ingress gateway: it has a port for requests, and perhaps others.
pub(crate) struct Ingress {
    pub(crate) cluster: usize,
    pub(crate) doors: Vec<Door>,
}

/// A further port of an ingress gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// For requests, as the first one.
    Second,
    /// Requests over TLS.
    Tls,
    /// The same, with certificates by host.
    Several,
    /// The same, from clients that show a certificate.
    Mutual,
    /// Requests behind a load balancer that says who the client is.
    Proxied,
    /// Requests of HTTP/1.0.
    Old,
    /// Connections.
    Bytes,
    /// TLS that others end.
    Passes,
}

impl Door {
    pub(crate) const ALL: [Door; 8] = [
        Door::Second,
        Door::Tls,
        Door::Several,
        Door::Mutual,
        Door::Proxied,
        Door::Old,
        Door::Bytes,
        Door::Passes,
    ];

    pub(crate) const fn number(self) -> u16 {
        match self {
            Door::Second => 8080,
            Door::Tls => 443,
            Door::Several => 444,
            Door::Mutual => 445,
            Door::Proxied => 8081,
            Door::Old => 8000,
            Door::Bytes => 5432,
            Door::Passes => 9443,
        }
    }
}

/// A service.
#[derive(Clone)]
pub(crate) struct Service {
    /// With its namespace: `shop.s0`.
    pub(crate) name: String,
    pub(crate) clusters: Vec<usize>,
    pub(crate) subsets: bool,
    pub(crate) calls: Vec<String>,
    pub(crate) protocol: &'static str,
    /// Whether it has a second port, for requests of HTTP/1.1.
    pub(crate) second: bool,
    /// Whether its clusters have shares in the place of an order.
    pub(crate) shares: bool,
    /// Whether callers without an identity are taken.
    pub(crate) permissive: bool,
}

impl Service {
    pub(crate) fn is_grpc(&self) -> bool {
        self.protocol == "grpc"
    }

    pub(crate) fn is_tcp(&self) -> bool {
        self.protocol == "tcp"
    }

    /// The number of its first port, which is called `p`.
    pub(crate) fn number(&self) -> u16 {
        if self.is_tcp() { 5432 } else { 80 }
    }

    /// Where rules may send requests: the service, or one of its subsets.
    pub(crate) fn destination(&self, random: &mut Random) -> String {
        let port = if self.second || random.percent(10) { ".p" } else { "" };
        match self.subsets && random.percent(60) {
            true => format!("{}.{}{port}", self.name, random.of(&["v1", "v2"])),
            false => format!("{}{port}", self.name),
        }
    }
}

impl Parts {
    /// Services that take requests.
    pub(crate) fn web(&self) -> Vec<&Service> {
        self.services.iter().filter(|service| !service.is_tcp()).collect()
    }

    /// One of them.
    pub(crate) fn any_web(&self, random: &mut Random) -> &Service {
        let web = self.web();
        web[random.below(web.len())]
    }

    /// Whether a gateway asks clients for certificates.
    pub(crate) fn knows_clients(&self) -> bool {
        self.ingresses.iter().any(|ingress| ingress.doors.contains(&Door::Mutual))
    }

    /// All clients, services and ingress gateways.
    pub(crate) fn everybody(&self) -> Vec<String> {
        let mut names: Vec<String> = self.services.iter().map(|service| service.name.clone()).collect();
        names.extend(self.clients.iter().map(|client| client.name.clone()));
        names.extend(self.ingresses.iter().map(|ingress| format!("c{}.in", ingress.cluster)));
        names
    }
}

/// The mesh of a seed, and what it consists of.
pub(crate) fn mesh(random: &mut Random) -> (Vec<Item>, Parts) {
    let parts = parts(random);
    let mut items = clusters::of_mesh(&parts, random);
    // What is ejected depends on what came before, and when.
    let calm = ["outlier { enabled = false }", "timeout { idle = 1m }"].map(Item::line);
    items.push(Item::block("policy calm", calm.to_vec()));
    for namespace in ["shop", "bank"] {
        let inside = namespaced(namespace, &parts, random);
        if !inside.is_empty() {
            items.push(Item::block(format!("namespace {namespace}"), inside));
        }
    }
    (items, parts)
}

fn parts(random: &mut Random) -> Parts {
    let clusters = 1 + random.below(3);
    let machines = clusters > 1 && random.percent(8);
    let externals = outside::some(random);
    let outside: Vec<String> = externals.iter().map(|external| external.name.clone()).collect();
    let services = services(clusters, machines, &outside, random);
    let mut names: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
    names.extend(outside);
    let client = |number| Client { name: format!("shop.c{number}"), calls: random.some(&names) };
    let clients = (0..2).map(client).collect();
    let all: Vec<usize> = (0..clusters).collect();
    let entered = if random.percent(80) { random.some(&all) } else { Vec::new() };
    let ingresses = entered.into_iter().map(|cluster| Ingress { cluster, doors: doors(random) }).collect();
    let loopback = machines || random.percent(6);
    let [vips, counts] = [10, 5].map(|chance| random.percent(chance));
    Parts { clusters, machines, services, clients, externals, ingresses, loopback, vips, counts }
}

fn services(clusters: usize, machines: bool, outside: &[String], random: &mut Random) -> Vec<Service> {
    let all: Vec<usize> = (0..clusters).collect();
    let mut services: Vec<Service> = Vec::new();
    for number in 0..2 + random.below(3) {
        let mut earlier: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
        earlier.extend(outside.iter().cloned());
        // One takes requests for sure: there are rules that send them somewhere.
        let protocols = ["http", "http", "http", "http2", "grpc", "tcp"];
        let protocol = if number == 0 { "http" } else { random.of(&protocols) };
        services.push(Service {
            name: format!("{}.s{number}", if random.percent(75) { "shop" } else { "bank" }),
            clusters: random.some(&all),
            subsets: random.percent(20),
            calls: if earlier.is_empty() || random.percent(60) { Vec::new() } else { random.some(&earlier) },
            protocol,
            second: protocol != "tcp" && random.percent(10),
            shares: random.percent(6),
            permissive: !machines && random.percent(10),
        });
    }
    services
}

fn doors(random: &mut Random) -> Vec<Door> {
    let mut doors: Vec<Door> = Vec::new();
    for _ in 0..2 {
        let door = Door::ALL[random.below(Door::ALL.len())];
        if random.percent(45) && !doors.contains(&door) {
            doors.push(door);
        }
    }
    doors
}

/// The name within its namespace, if it is this one.
pub(crate) fn short<'n>(name: &'n str, namespace: &str) -> Option<&'n str> {
    name.strip_prefix(namespace)?.strip_prefix('.')
}

fn namespaced(namespace: &str, parts: &Parts, random: &mut Random) -> Vec<Item> {
    let mut items = Vec::new();
    for (number, service) in parts.services.iter().enumerate() {
        let Some(name) = short(&service.name, namespace) else { continue };
        items.push(services::service(number, service, name, parts, random));
        items.extend(routes::of_calls(service, name, parts, random));
        items.extend(policies::of_service(service, name, parts, random));
    }
    for client in &parts.clients {
        let Some(name) = short(&client.name, namespace) else { continue };
        items.push(services::client(client, name, random));
    }
    if namespace == "shop" {
        items.extend(parts.externals.iter().map(|external| external.item(parts)));
        items.extend(routes::of_gateways(parts, random));
        items.extend(policies::of_the_rest(parts, random));
    }
    items
}
