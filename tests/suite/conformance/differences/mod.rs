//! The same requests to both data planes: what differs is listed, and nothing that is listed has ceased to differ.

mod allowed;
mod parts;
mod requests;

use std::net::SocketAddr;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::raw;
use serde_json::Value;

use allowed::ALLOWED;
use requests::{At, Bytes, Case};

const SOURCE: &str = r#"
mesh m { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net
  region  = "here"
  gateway ingress { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [echo] }
  service echo { clusters = [west], port http { number = 80 } }
  route echo { gateway = west.ingress, hosts = ["echo.example"], to = echo }
}
"#;

/// What became of a request: a status, and what the application saw of it if it was passed on.
fn outcome(address: SocketAddr, case: &Case) -> String {
    let outcome = match &case.bytes {
        Bytes::Http1(bytes) => raw::http1(address, bytes),
        Bytes::Http2(request) => request.send(address),
    };
    match outcome.status {
        Some(200) => format!("200 {}", seen(&outcome.json())),
        // Which of these it is depends on how much of a request had been understood. Over HTTP/2, a reset stream and a
        // closed connection say the same.
        Some(400 | 426 | 501) => String::from("refused"),
        None if !outcome.waits => String::from("refused"),
        Some(_) | None => outcome.word(),
    }
}

/// What the application tells of a request, without what differs from request to request, and without what means the
/// same: a length of no body, and white space where lines are joined.
fn seen(answer: &Value) -> String {
    let mut headers = answer["headers"].clone();
    if let Some(headers) = headers.as_object_mut() {
        for name in ["x-request-id", "x-forwarded-client-cert", "x-forwarded-for"] {
            headers.remove(name);
        }
        headers.retain(|name, value| !(name == "content-length" && value == "0"));
    }
    let headers = headers.to_string().replace(", ", ",");
    format!("{} {} {headers}", answer["method"].as_str().unwrap_or(""), answer["path"].as_str().unwrap_or(""))
}

/// What becomes of each request at each address; several are under way at once, since each mostly waits.
fn outcomes(addresses: [SocketAddr; 2], cases: &[Case]) -> Vec<[String; 2]> {
    const AT_ONCE: usize = 12;
    std::thread::scope(|scope| {
        let share = cases.len().div_ceil(AT_ONCE);
        let ask = |case: &Case| addresses.map(|address| outcome(address, case));
        let running: Vec<_> = cases
            .chunks(share)
            .map(|cases| scope.spawn(move || cases.iter().map(ask).collect::<Vec<_>>()))
            .collect();
        running.into_iter().flat_map(|thread| thread.join().expect("no request panics")).collect()
    })
}

#[test]
fn both_data_planes_decide_alike_about_odd_requests() {
    let meshes = [DataPlane::Envoy, DataPlane::Meshd].map(|plane| Mesh::up(SOURCE, plane));
    let mut count = 0;
    let mut differences = Vec::new();
    let mut waiting = Vec::new();
    for (at, variable, host) in [
        (At::Ingress, "MESH_GATEWAY_WEST_INGRESS", "echo.example"),
        (At::Sidecar, "MESH_CALL_WEST_SHOP_WEB__SHOP_ECHO_80", "echo.shop"),
    ] {
        let addresses = [0, 1].map(|mesh: usize| meshes[mesh].address(variable));
        let cases = requests::all(host);
        count += cases.len();
        for (case, [envoy, meshd]) in cases.iter().zip(outcomes(addresses, &cases)) {
            if [&envoy, &meshd].contains(&&String::from("waits")) {
                waiting.push(format!("{at:?} {}: envoy {envoy}, meshd {meshd}", case.name));
            }
            if envoy != meshd {
                differences.push((at, case.name.clone(), envoy, meshd));
            }
        }
    }
    assert!(count >= 400, "{count} requests");
    assert!(waiting.is_empty(), "each request is whole, so each is answered: {waiting:#?}");
    let unlisted: Vec<_> = differences
        .iter()
        .filter(|(at, name, envoy, meshd)| !ALLOWED.iter().any(|one| one.covers(*at, name, envoy, meshd)))
        .map(|(at, name, envoy, meshd)| format!("{at:?} {name}\n  envoy {envoy}\n  meshd {meshd}"))
        .collect();
    assert!(
        unlisted.is_empty(),
        "{} of {count} differ unexpectedly:\n{}",
        unlisted.len(),
        unlisted.join("\n")
    );
    let ceased: Vec<_> = ALLOWED
        .iter()
        .filter(|one| !differences.iter().any(|(at, name, envoy, meshd)| one.covers(*at, name, envoy, meshd)))
        .collect();
    assert!(ceased.is_empty(), "these do not differ any more: {ceased:#?}");
    // Nothing of it was the application's fault.
    for mesh in &meshes {
        let answer = mesh.ingress("WEST_INGRESS", &mesh_tests::http::Request::get("echo.example", "/"));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}
