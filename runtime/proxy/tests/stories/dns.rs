//! Names: every address of an answer is an endpoint, an empty answer empties a group, and silence changes nothing.

use crate::support::client::{eventually, get};
use crate::support::dns::{Server, Zone};
use crate::support::world::{address, http_listener};
use crate::support::{App, World, upstream};
use serde_json::{Value, json};
use std::net::{IpAddr, SocketAddr};

const LOCAL: &str = "backend-mesh.shop.svc.west.example";

/// An ingress whose first group is a name and whose second one is an address.
async fn ingress(
    world: &mut World,
    server: &Server,
    port: u16,
    east: SocketAddr,
) -> (SocketAddr, SocketAddr) {
    let (bind, metrics) = (address(), address());
    let west = json!({ "name": "west", "endpoints": [{ "host": LOCAL, "port": port }] });
    let config = json!({
        "listeners": [
            http_listener(bind, "backend", json!({})),
            { "name": "metrics", "bind": metrics.to_string(), "kind": { "metrics": {} } },
        ],
        "upstreams": { "backend": upstream(&[west, crate::support::group("east", &[east])]) },
        "dns": { "servers": [server.address.to_string()], "refresh": "100ms", "timeout": "200ms", "tries": 1 },
    });
    world.start("ingress", config);
    (bind, metrics)
}

/// Two applications of one port on two addresses, and one elsewhere.
async fn apps() -> (App, App, App, Vec<IpAddr>) {
    let first = address();
    let IpAddr::V4(ip) = first.ip() else { panic!("stories use IPv4") };
    let [a, b, c, d] = ip.octets();
    let second = SocketAddr::from(([a, b, c.wrapping_add(1), d], first.port()));
    let apps = (App::start("west-1", first).await, App::start("west-2", second).await);
    (apps.0, apps.1, App::start("east", address()).await, vec![first.ip(), second.ip()])
}

async fn answers_from(bind: SocketAddr, app: &str) -> bool {
    get(bind, "backend", "/").await.app() == app
}

async fn failures(metrics: SocketAddr) -> Value {
    let page = get(metrics, "metrics", "/metrics").await.body;
    let lines = page.lines().filter(|line| line.starts_with("meshd_dns_failures_total"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_of_a_name_is_an_endpoint_and_none_means_the_next_group() {
    let mut world = World::new();
    let (one, two, east, addresses) = apps().await;
    let server = Server::start(address(), Zone::Addresses(addresses.clone())).await;
    let (bind, _) = ingress(&mut world, &server, one.address.port(), east.address).await;
    for _ in 0..4 {
        get(bind, "backend", "/").await;
    }
    assert_eq!((one.requests(), two.requests(), east.requests()), (2, 2, 0), "from the first request on");

    server.answers_with(Zone::Addresses(vec![addresses[1]]));
    eventually("the smaller answer", || async {
        let before = one.requests();
        for _ in 0..2 {
            get(bind, "backend", "/").await;
        }
        one.requests() == before
    })
    .await;
    for zone in [Zone::NoSuchName, Zone::Addresses(Vec::new())] {
        server.answers_with(zone);
        eventually("the move to east", || answers_from(bind, "east")).await;
        server.answers_with(Zone::Addresses(vec![addresses[0]]));
        eventually("the return to west", || answers_from(bind, "west-1")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_dns_takes_nothing_down() {
    let mut world = World::new();
    let (one, _two, east, addresses) = apps().await;
    let server = Server::start(address(), Zone::Addresses(vec![addresses[0]])).await;
    let (bind, metrics) = ingress(&mut world, &server, one.address.port(), east.address).await;
    for zone in [Zone::Broken, Zone::Silent] {
        server.answers_with(zone);
        let before = failures(metrics).await.as_u64().unwrap();
        eventually("a failed question", || async { failures(metrics).await.as_u64().unwrap() > before + 1 })
            .await;
        assert!(answers_from(bind, "west-1").await);
    }
    assert_eq!(east.requests(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_server_delays_the_start_no_longer_than_its_tries() {
    let mut world = World::new();
    let (one, _two, east, addresses) = apps().await;
    let server = Server::start(address(), Zone::Silent).await;
    let (bind, _) = ingress(&mut world, &server, one.address.port(), east.address).await;
    assert!(answers_from(bind, "east").await, "what is known serves");
    server.answers_with(Zone::Addresses(vec![addresses[0]]));
    eventually("the first answer", || answers_from(bind, "west-1")).await;
}
