//! Hosts outside the mesh. None of them is dialled: `meshc up` has stand-ins for them.

use mesh_tests::random::Random;

use crate::meshes::Parts;
use crate::text::Item;

/// A host outside, in the namespace `shop`.
pub(crate) struct External {
    /// With its namespace: `shop.e0`.
    pub(crate) name: String,
    /// Those by which it is called.
    pub(crate) hosts: Vec<String>,
    /// Numbers of its ports, and what the application speaks there.
    pub(crate) ports: Vec<(u16, &'static str)>,
    /// Whether the egress gateway of the first cluster connects to it.
    pub(crate) through: bool,
    /// Where stand-ins are: the first one, and those that take over.
    pub(crate) places: Vec<String>,
    lines: Vec<String>,
}

/// Some of them; most meshes have none.
pub(crate) fn some(random: &mut Random) -> Vec<External> {
    let mut externals = Vec::new();
    for number in 0..2 {
        if random.percent(18) {
            externals.push(one(number, random));
        }
    }
    externals
}

fn one(number: usize, random: &mut Random) -> External {
    let host = format!("e{number}.example");
    let mut hosts = vec![host.clone()];
    let mut written = vec![format!("\"{host}\"")];
    if random.percent(25) {
        hosts.push(format!("x.e{number}.example"));
        written.push(format!("\"*.e{number}.example\""));
    }
    let mut lines = vec![format!("hosts = [{}]", written.join(", "))];
    let mut places = vec![host.clone()];
    if random.percent(25) {
        places = vec![format!("edge{number}.example")];
        lines.push(format!("addresses = [\"edge{number}.example\"]"));
    }
    if random.percent(25) {
        places.push(format!("spare{number}.example"));
        lines.push(format!("fallback = [\"spare{number}.example\"]"));
    }
    let through = random.percent(30);
    if through {
        lines.push(String::from("through = c0.out"));
    }
    let mut ports = vec![(80, "http")];
    lines.push(String::from("port http { number = 80, protocol = http }"));
    if random.percent(40) {
        ports.push((81, "http"));
        lines.push(match random.percent(50) {
            true => String::from("port plain { number = 81, target = 443, protocol = http, tls { ca = \"their-ca\" } }"),
            false => format!(
                "port plain {{ number = 81, target = 443, protocol = http, tls {{ ca = \"their-ca\", sni = \"{host}\", names = [\"{host}\"], client_certificate = \"our-client\", minimum_version = tls13 }} }}"
            ),
        });
    }
    if random.percent(40) {
        ports.push((443, "tls"));
        lines.push(String::from("port tls { number = 443, protocol = tls }"));
    }
    if random.percent(30) {
        ports.push((5432, "tcp"));
        lines.push(String::from("port sql { number = 5432, protocol = tcp }"));
    }
    External { name: format!("shop.e{number}"), hosts, ports, through, places, lines }
}

impl External {
    pub(crate) fn item(&self, parts: &Parts) -> Item {
        let name = self.name.trim_start_matches("shop.");
        let mut inside: Vec<Item> = self.lines.iter().map(Item::line).collect();
        if parts.vips {
            inside.push(Item::line(format!("vip = 127.64.9.{}", 1 + usize::from(name == "e1"))));
        }
        Item::block(format!("external {name}"), inside)
    }

    /// Whether it has a port for connections.
    pub(crate) fn takes_bytes(&self) -> bool {
        self.ports.iter().any(|(_, protocol)| *protocol != "http")
    }

    /// Whether it has TLS that is passed on.
    pub(crate) fn passes(&self) -> bool {
        self.ports.iter().any(|(_, protocol)| *protocol == "tls")
    }
}
