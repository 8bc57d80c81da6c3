//! What `meshc ask` says of random meshes, and what running proxies of both data planes do.
//!
//!     MESH_SEEDS=0..100 cargo test -p mesh-tests --test ask planes -- --nocapture

use std::time::Duration;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::random::Random;
use mesh_tests::raw;
use serde_json::Value;

use crate::agreement::{answers, seeds};
use crate::described::Described;
use crate::oracle::{Lost, Request};
use crate::questions::{request, words};

/// How many meshes run unless `MESH_SEEDS` says which.
const FEW: u64 = 2;
const REQUESTS: usize = 40;
/// How often a request is sent again before a difference is one: what fails or heals takes a moment to be known.
const AGAIN: usize = 30;
const PAUSE: Duration = Duration::from_millis(500);

/// Something that is asked of the compiler, and sent to the mesh.
struct Step {
    question: String,
    /// What the environment of `meshc up` calls the place.
    variable: String,
    bytes: Vec<u8>,
    /// What fails from now on, or heals.
    before: Option<(bool, String, String)>,
}

fn part(name: &str) -> String {
    name.to_ascii_uppercase().replace(['.', '-'], "_")
}

fn steps(mesh: &Described, random: &mut Random) -> Vec<Step> {
    let mut lost: Vec<Lost> = Vec::new();
    let mut steps = Vec::new();
    let called: Vec<(usize, usize, usize)> = mesh
        .services
        .iter()
        .enumerate()
        .flat_map(|(caller, service)| {
            service.calls.iter().flat_map(move |call| {
                let ports = 0..mesh.services[call.callee].ports.len();
                ports
                    .filter(|port| call.port.is_none_or(|own| own == *port))
                    .map(move |port| (caller, call.callee, port))
            })
        })
        .filter(|(_, callee, port)| !mesh.services[*callee].ports[*port].tcp)
        .collect();
    let gateways: Vec<usize> = (0..mesh.clusters.len()).filter(|one| mesh.clusters[*one].ingress).collect();
    while steps.len() < REQUESTS && !(called.is_empty() && gateways.is_empty()) {
        let mut before = None;
        if random.percent(8) && lost.len() < 2 {
            let service = random.below(mesh.services.len());
            let entry = &mesh.services[service];
            let cluster = entry.clusters[random.below(entry.clusters.len())];
            let one = Lost::Service(service, Some(cluster));
            if !entry.ports.is_empty() && !lost.contains(&one) {
                lost.push(one);
                before = Some((true, mesh.name(service), format!("c{cluster}")));
            }
        } else if random.percent(8)
            && let Some(Lost::Service(service, Some(cluster))) = lost.pop()
        {
            before = Some((false, mesh.name(service), format!("c{cluster}")));
        }
        let request = request(random);
        let at_gateway = called.is_empty() || !gateways.is_empty() && random.percent(40);
        let (mut question, variable, host) = if at_gateway {
            let cluster = gateways[random.below(gateways.len())];
            let target = target(&request);
            let header = request.header.map(|value| format!(" with x-t={value}")).unwrap_or_default();
            let Request { method, host, .. } = &request;
            let question = format!("where does {method} {host}{target} go from c{cluster}.in{header}");
            (question, format!("MESH_GATEWAY_C{cluster}_IN_80"), request.host.to_owned())
        } else {
            let (caller, callee, port) = called[random.below(called.len())];
            let clusters = &mesh.services[caller].clusters;
            let cluster = clusters[random.below(clusters.len())];
            let number = mesh.services[callee].ports[port].number;
            let (from, to) = (mesh.name(caller), mesh.name(callee));
            let question = format!(
                "can {from} in c{cluster} call {}{}",
                mesh.port(callee, port),
                words(&request, false)
            );
            let variable = format!("MESH_CALL_C{cluster}_{}__{}_{number}", part(&from), part(&to));
            (question, variable, String::from("any.example"))
        };
        let names: Vec<String> = lost
            .iter()
            .filter_map(|lost| match lost {
                Lost::Service(service, Some(cluster)) => {
                    Some(format!("{} in c{cluster}", mesh.name(*service)))
                }
                Lost::Service(_, None)
                | Lost::Cluster(_)
                | Lost::EastWest(_)
                | Lost::Ingress(_)
                | Lost::Network(_)
                | Lost::Link(..) => None,
            })
            .collect();
        if !names.is_empty() {
            question.push_str(&format!(" without {}", names.join(", ")));
        }
        let header = request.header.map(|value| format!("x-t: {value}\r\n")).unwrap_or_default();
        let length = if request.method == "GET" { "" } else { "content-length: 0\r\n" };
        let bytes = format!(
            "{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{header}{length}\r\n",
            request.method,
            target(&request)
        );
        steps.push(Step { question, variable, bytes: bytes.into_bytes(), before });
    }
    steps
}

fn target(request: &Request) -> String {
    match request.query {
        Some(value) => format!("{}?v={value}", request.path),
        None => request.path.to_owned(),
    }
}

/// Whether what came back is what the answer says; else what is said.
fn fits(answer: &Value, outcome: &raw::Outcome) -> Result<(), String> {
    let told = outcome.json();
    let seen = match (told["service"].as_str(), told["cluster"].as_str()) {
        (Some(service), Some(cluster)) => Some(format!("{service} in {cluster}")),
        _ => None,
    };
    let lines = answer["lines"].as_array().cloned().unwrap_or_default();
    let text: String = lines.iter().filter_map(|line| line["text"].as_str()).collect::<Vec<_>>().join("; ");
    let pods: Vec<&str> = lines
        .iter()
        .flat_map(|line| line["answered_by"].as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    let own = answer["answer"].as_str().unwrap_or("wrong");
    let status = outcome.status.unwrap_or(0);
    let said = format!("ask: {own}, {text}; seen: {status} {seen:?}");
    let proxy = text.split("answers it with ").nth(1).and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
    let fits = match (&seen, proxy) {
        (Some(pod), _) => own != "no" && status == 200 && pods.contains(&pod.as_str()),
        (None, Some(wanted)) => status == wanted,
        (None, None) if text.contains("404") => status == 404,
        (None, None) if text.contains("refuses it") && own == "no" => status == 403,
        (None, None) if text.contains("no pod") && own == "no" => status == 503,
        // One of several destinations may refuse it or be gone.
        (None, None) => own == "depends",
    };
    if fits { Ok(()) } else { Err(said) }
}

fn compare(seed: u64, plane: DataPlane) -> Result<usize, String> {
    let mut random = Random::new(seed);
    let mesh = Described::of(&mut random);
    let steps = steps(&mesh, &mut random);
    let text = mesh.text();
    let questions: Vec<String> = steps.iter().map(|step| step.question.clone()).collect();
    let Ok(answers) = answers(&text, &questions) else { return Ok(0) };
    let running = Mesh::up(&text, plane);
    for (step, answer) in steps.iter().zip(&answers) {
        match &step.before {
            Some((true, service, place)) => {
                running.meshc(&["fail", service, "--in", place, "--how", "gone"]);
            }
            Some((false, service, place)) => {
                running.meshc(&["heal", service, "--in", place]);
            }
            None => {}
        }
        // An application that has failed itself calls nobody.
        if answer["lines"][0]["text"].as_str().is_some_and(|text| text.starts_with("has failed")) {
            continue;
        }
        let address = running.address(&step.variable);
        let mut wrong = fits(answer, &raw::http1(address, &step.bytes));
        for _ in 0..AGAIN {
            if wrong.is_ok() {
                break;
            }
            std::thread::sleep(PAUSE);
            wrong = fits(answer, &raw::http1(address, &step.bytes));
        }
        let (question, plane) = (&step.question, plane.word());
        wrong.map_err(|why| format!("seed {seed} on {plane}: {question}\n{why}\n{text}"))?;
    }
    Ok(steps.len())
}

#[test]
fn answers_are_what_proxies_do() {
    let mut compared = 0;
    let mut differences = Vec::new();
    for seed in seeds(FEW) {
        for plane in [DataPlane::Envoy, DataPlane::Meshd] {
            match compare(seed, plane) {
                Ok(count) => compared += count,
                Err(difference) => {
                    println!("{difference}\n");
                    differences.push(difference);
                }
            }
        }
        println!("seed {seed}: {compared} requests, {} differ", differences.len());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    assert!(compared > 50, "{compared} requests");
}
