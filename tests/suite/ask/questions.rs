//! Random questions about a described mesh, as text and as data.

use mesh_tests::random::Random;

use crate::described::{Described, METHODS, PATHS, VALUES};
use crate::oracle::{Caller, Lost, Request};

pub(crate) const HOSTS: [&str; 5] =
    ["h0.example", "h1.example", "x.wild.example", "a.b.wild.example", "other.example"];

/// A question.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) asked: Asked,
    pub(crate) lost: Vec<Lost>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Can {
        from: Vec<Caller>,
        callee: usize,
        port: Option<usize>,
        place: Option<usize>,
        request: Option<Request>,
    },
    Who {
        callee: usize,
        port: Option<usize>,
        request: Option<Request>,
    },
    What {
        from: Vec<Caller>,
    },
    Where {
        request: Request,
        at: Vec<usize>,
    },
}

/// A request.
pub(crate) fn request(random: &mut Random) -> Request {
    Request {
        method: random.of(&METHODS),
        path: random.of(&PATHS),
        query: random.percent(25).then(|| random.of(&["1", "2"])),
        header: random.percent(35).then(|| random.of(&VALUES)),
        host: random.of(&HOSTS),
    }
}

fn target(request: &Request) -> String {
    match request.query {
        Some(value) => format!("{}?v={value}", request.path),
        None => request.path.to_owned(),
    }
}

/// The words of a request behind a callee; of a host only where there is a choice.
pub(crate) fn words(request: &Request, host: bool) -> String {
    let mut words = format!(" {} {}", request.method, target(request));
    let mut with = Vec::new();
    if host {
        with.push(format!("host={}", request.host));
    }
    with.extend(request.header.map(|value| format!("x-t={value}")));
    if !with.is_empty() {
        words.push_str(&format!(" with {}", with.join(" ")));
    }
    words
}

/// One of a mesh.
pub(crate) fn question(mesh: &Described, random: &mut Random) -> Question {
    let (mut text, asked) = match random.below(10) {
        0 => what(mesh, random),
        1 => who(mesh, random),
        2 | 3 if mesh.has_ingress() => whereto(mesh, random),
        _ => can(mesh, random),
    };
    let lost = if random.percent(50) { lost(mesh, random) } else { Vec::new() };
    if !lost.is_empty() {
        let names: Vec<String> = lost.iter().map(|lost| named(mesh, lost)).collect();
        text.push_str(&format!(" without {}", names.join(", ")));
    }
    Question { text, asked, lost }
}

fn what(mesh: &Described, random: &mut Random) -> (String, Asked) {
    let (name, from) = caller(mesh, random);
    (format!("what can {name} reach"), Asked::What { from })
}

fn who(mesh: &Described, random: &mut Random) -> (String, Asked) {
    let (name, callee, port) = callee(mesh, random);
    let request = random.percent(50).then(|| request(random));
    let words = request.as_ref().map(|request| words(request, true)).unwrap_or_default();
    (format!("who can call {name}{words}"), Asked::Who { callee, port, request })
}

fn whereto(mesh: &Described, random: &mut Random) -> (String, Asked) {
    let request = request(random);
    let mut at: Vec<usize> = (0..mesh.clusters.len()).filter(|one| mesh.clusters[*one].ingress).collect();
    let mut text = format!("where does {} {}{} go", request.method, request.host, target(&request));
    if random.percent(40) {
        at = vec![at[random.below(at.len())]];
        text.push_str(&format!(" from c{}.in", at[0]));
    }
    if let Some(value) = request.header {
        text.push_str(&format!(" with x-t={value}"));
    }
    (text, Asked::Where { request, at })
}

fn can(mesh: &Described, random: &mut Random) -> (String, Asked) {
    let (from_name, from) = caller(mesh, random);
    let (mut to_name, mut callee, mut port) = self::callee(mesh, random);
    // Most questions are about calls that there are.
    if let Some(Caller::Service(service, _)) = from.first()
        && random.percent(60)
        && !mesh.services[*service].calls.is_empty()
    {
        let calls = &mesh.services[*service].calls;
        callee = calls[random.below(calls.len())].callee;
        port = None;
        to_name = mesh.name(callee);
    }
    let clusters = &mesh.services[callee].clusters;
    let place = random.percent(15).then(|| clusters[random.below(clusters.len())]);
    if let Some(cluster) = place {
        to_name.push_str(&format!(" in c{cluster}"));
    }
    let gateway = matches!(from.first(), Some(Caller::Ingress(_)));
    let request = random.percent(70).then(|| request(random));
    let words = request.as_ref().map(|request| words(request, gateway)).unwrap_or_default();
    (format!("can {from_name} call {to_name}{words}"), Asked::Can { from, callee, port, place, request })
}

fn caller(mesh: &Described, random: &mut Random) -> (String, Vec<Caller>) {
    let gateways: Vec<usize> = (0..mesh.clusters.len()).filter(|one| mesh.clusters[*one].ingress).collect();
    if !gateways.is_empty() && random.percent(30) {
        let cluster = gateways[random.below(gateways.len())];
        let port = if random.percent(30) { ".http" } else { "" };
        return (format!("c{cluster}.in{port}"), vec![Caller::Ingress(cluster)]);
    }
    let service = random.below(mesh.services.len());
    let clusters = &mesh.services[service].clusters;
    if random.percent(40) {
        let cluster = clusters[random.below(clusters.len())];
        return (format!("{} in c{cluster}", mesh.name(service)), vec![Caller::Service(service, cluster)]);
    }
    let everywhere = clusters.iter().map(|cluster| Caller::Service(service, *cluster));
    (mesh.name(service), everywhere.collect())
}

fn callee(mesh: &Described, random: &mut Random) -> (String, usize, Option<usize>) {
    let called: Vec<usize> =
        (0..mesh.services.len()).filter(|service| !mesh.services[*service].ports.is_empty()).collect();
    let callee = called[random.below(called.len())];
    if random.percent(30) {
        let port = random.below(mesh.services[callee].ports.len());
        return (mesh.port(callee, port), callee, Some(port));
    }
    (mesh.name(callee), callee, None)
}

fn lost(mesh: &Described, random: &mut Random) -> Vec<Lost> {
    let one = |random: &mut Random| {
        let cluster = random.below(mesh.clusters.len());
        let service = random.below(mesh.services.len());
        let clusters = &mesh.services[service].clusters;
        match random.below(8) {
            0 => Lost::Cluster(cluster),
            1 if mesh.several_networks() => Lost::EastWest(cluster),
            2 if mesh.clusters[cluster].ingress => Lost::Ingress(cluster),
            3 if mesh.several_networks() => {
                let other = random.below(mesh.clusters.len());
                let (one, two) = (mesh.clusters[cluster].network, mesh.clusters[other].network);
                if one == two { Lost::Network(one) } else { Lost::Link(one, two) }
            }
            4 => Lost::Service(service, None),
            _ => Lost::Service(service, Some(clusters[random.below(clusters.len())])),
        }
    };
    (0..1 + random.below(2)).map(|_| one(random)).collect()
}

fn named(mesh: &Described, lost: &Lost) -> String {
    match lost {
        Lost::Service(service, None) => mesh.name(*service),
        Lost::Service(service, Some(cluster)) => format!("{} in c{cluster}", mesh.name(*service)),
        Lost::Cluster(cluster) => format!("c{cluster}"),
        Lost::EastWest(cluster) => format!("c{cluster}.ew"),
        Lost::Ingress(cluster) => format!("c{cluster}.in"),
        Lost::Network(network) => format!("n{network}"),
        Lost::Link(one, two) => format!("n{one} -> n{two}"),
    }
}
