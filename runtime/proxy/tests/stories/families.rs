//! Families of addresses: what all addresses of IPv6 take in, how clients are known, and which addresses of names are used.

use crate::support::client::{eventually, get};
use crate::support::dns::{Server, Zone};
use crate::support::world::{address, http_listener};
use crate::support::{App, World, group, upstream};
use serde_json::json;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

const NAME: &str = "backend-mesh.shop.svc.west.example";

/// A port that is free at all addresses: those of IPv6 loopback belong to every process of this machine.
fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let free = |port: &u16| std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)).is_ok();
    (first..).find(free).unwrap()
}

#[tokio::test]
async fn all_addresses_of_ipv6_are_those_of_ipv4_too_and_clients_keep_their_own() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let port = free_port();
    let all = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let mut listener = http_listener(all, "app", json!({}));
    listener["kind"]["http"]["edge"] = json!({});
    let upstreams = json!({ "app": upstream(&[group("app", &[app.address])]) });
    world.start("proxy", json!({ "listeners": [listener], "upstreams": upstreams }));
    for client in ["127.0.0.1", "::1"] {
        let address = SocketAddr::new(client.parse().unwrap(), port);
        eventually("it listens there", || async { std::net::TcpStream::connect(address).is_ok() }).await;
        let answer = get(address, "app", "/").await;
        assert_eq!(answer.said()["headers"]["x-forwarded-for"], client);
    }
}

/// IPv4 is preferred: a pod with both addresses is one endpoint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_has_addresses_of_one_family() {
    let mut world = World::new();
    let (port, bind) = (free_port(), address());
    let four = App::start("four", SocketAddr::new(bind.ip(), port)).await;
    let loopback = IpAddr::from(Ipv6Addr::LOCALHOST);
    let six = App::start("six", SocketAddr::new(loopback, port)).await;
    let both = vec![four.address.ip(), loopback];
    let server = Server::start(address(), Zone::Addresses(both.clone())).await;
    let local = json!({ "name": "west", "endpoints": [{ "host": NAME, "port": port }] });
    let config = json!({
        "listeners": [http_listener(bind, "backend", json!({}))],
        "upstreams": { "backend": upstream(&[local]) },
        "dns": {
            "servers": [server.address.to_string()], "family": "ipv4_preferred",
            "refresh": "100ms", "timeout": "200ms", "tries": 1,
        },
    });
    world.start("proxy", config);
    for _ in 0..4 {
        assert_eq!(get(bind, "backend", "/").await.app(), "four");
    }
    assert_eq!(six.requests(), 0);
    assert!(!server.was_asked_for_ipv6());

    // Without an answer about IPv4 nothing is known of it, and nothing changes.
    server.answers_with(Zone::NothingAboutIpv4(vec![loopback]));
    let asked = server.questions();
    eventually("it has asked again", || async { server.questions() > asked + 2 }).await;
    assert_eq!(get(bind, "backend", "/").await.app(), "four");

    server.answers_with(Zone::Addresses(vec![loopback]));
    eventually("the move to IPv6", || async { get(bind, "backend", "/").await.app() == "six" }).await;
    server.answers_with(Zone::Addresses(both));
    eventually("the return", || async { get(bind, "backend", "/").await.app() == "four" }).await;
}
