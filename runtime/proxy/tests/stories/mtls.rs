//! A call between two sidecars: identities are proven both ways, and the application learns who called.

use crate::support::client::metric;
use crate::support::client::{get, handshake, mtls};
use crate::support::world::{address, http_listener, inbound_listener, metrics_listener};
use crate::support::{App, Authority, Client, Leaf, World, group, sni, spiffe, upstream};
use rcgen::{ExtendedKeyUsagePurpose, SanType};
use serde_json::json;
use std::net::SocketAddr;
use tokio::io::AsyncReadExt;

/// catalog's sidecar in front of its application.
async fn catalog(world: &mut World) -> (App, SocketAddr) {
    let app = App::start("catalog", address()).await;
    let inbound = address();
    let config = json!({
        "identity": world.identity(&spiffe("catalog")),
        "listeners": [inbound_listener(inbound, &sni("catalog"), "app", json!({}))],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start("catalog", config);
    (app, inbound)
}

/// webapp's sidecar, which calls catalog and expects that identity there.
fn webapp(world: &mut World, catalog: SocketAddr, expected: &str) -> SocketAddr {
    let outbound = address();
    let mut group = group("east", &[catalog]);
    group["tls"] = json!({ "sni": sni("catalog"), "peers": [expected] });
    let config = json!({
        "identity": world.identity(&spiffe("webapp")),
        "listeners": [http_listener(outbound, "catalog", json!({}))],
        "upstreams": { "catalog": upstream(&[group]) },
    });
    world.start("webapp", config);
    outbound
}

#[tokio::test]
async fn a_proxy_prefers_what_costs_a_handshake_least_whatever_the_client_prefers() {
    let mut world = World::new();
    let (_app, inbound) = catalog(&mut world).await;
    let leaf = world.root.issue(&spiffe("webapp"));
    let stream = handshake(inbound, &sni("catalog"), Some(&leaf), &["http/1.1"]).await.unwrap();
    let suite = stream.get_ref().1.negotiated_cipher_suite().map(|suite| suite.suite());
    assert_eq!(suite, Some(rustls::CipherSuite::TLS13_AES_128_GCM_SHA256), "the client names AES-256 first");
}

#[tokio::test]
async fn the_application_sees_the_caller_and_no_forged_one() {
    let mut world = World::new();
    let (_app, inbound) = catalog(&mut world).await;
    let outbound = webapp(&mut world, inbound, &spiffe("catalog"));

    let forged = [
        ("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/shop/sa/admin"),
        ("x-envoy-internal", "true"),
    ];
    let answer = Client::http1(outbound, "catalog").await.get_with("/items?q=1", &forged).await;

    let caller = answer.seen("x-forwarded-client-cert").unwrap();
    let parts: Vec<&str> = caller.split(';').collect();
    assert_eq!(parts[0], format!("By={}", spiffe("catalog")));
    let hash = parts[1].strip_prefix("Hash=").unwrap();
    assert!(
        hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()),
        "{hash}"
    );
    assert_eq!(parts[2], format!("URI={}", spiffe("webapp")));
    assert_eq!(parts.len(), 3);
    assert_eq!(answer.seen("x-envoy-internal"), None);
    assert_eq!(answer.said()["path"], "/items?q=1");
    assert_eq!(answer.seen("host").unwrap(), "catalog");
    assert_eq!(answer.seen("x-request-id").unwrap().len(), 36);
}

#[tokio::test]
async fn a_forged_header_over_a_valid_connection_does_not_get_through_either() {
    let mut world = World::new();
    let (_app, inbound) = catalog(&mut world).await;
    let mut client = mtls(inbound, &sni("catalog"), &world.leaf(&spiffe("intruder"))).await;
    let answer = client
        .get_with("/", &[("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/shop/sa/admin")])
        .await;
    assert!(
        answer.seen("x-forwarded-client-cert").unwrap().ends_with(&format!("URI={}", spiffe("intruder")))
    );
}

#[tokio::test]
async fn a_server_with_another_identity_is_not_talked_to() {
    let mut world = World::new();
    let (app, inbound) = catalog(&mut world).await;
    let outbound = webapp(&mut world, inbound, &spiffe("payments"));
    let answer = get(outbound, "catalog", "/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(app.requests(), 0);
}

/// With TLS 1.3 a client learns of its refusal with the first bytes it reads.
async fn is_refused(inbound: SocketAddr, name: &str, leaf: Option<&crate::support::Leaf>) -> bool {
    match handshake(inbound, name, leaf, &["http/1.1"]).await {
        Err(_) => true,
        Ok(mut stream) => matches!(stream.read(&mut [0u8; 1]).await, Err(_) | Ok(0)),
    }
}

#[tokio::test]
async fn strangers_are_refused_in_the_handshake() {
    let mut world = World::new();
    let (app, inbound) = catalog(&mut world).await;
    let name = sni("catalog");
    let other_root = Authority::new("another root");

    assert!(is_refused(inbound, &name, None).await, "no certificate");
    assert!(is_refused(inbound, &name, Some(&other_root.issue(&spiffe("webapp")))).await, "another root");
    assert!(is_refused(inbound, &name, Some(&world.root.issue_expired(&spiffe("webapp")))).await, "expired");
    assert!(
        is_refused(inbound, &name, Some(&world.leaf("spiffe://elsewhere/ns/shop/sa/webapp"))).await,
        "trust domain"
    );
    assert!(
        is_refused(inbound, &name, Some(&world.leaf("https://cluster.local/ns/shop"))).await,
        "no SPIFFE id"
    );
    assert!(
        is_refused(inbound, &sni("payments"), Some(&world.leaf(&spiffe("webapp")))).await,
        "another server name"
    );
    let who = spiffe("webapp");
    let nameless = world.root.issue_with(&who, |params| params.subject_alt_names.clear());
    assert!(is_refused(inbound, &name, Some(&nameless)).await, "no name at all");
    let two_names = world.root.issue_with(&who, |params| {
        params.subject_alt_names.push(SanType::URI(spiffe("admin").try_into().unwrap()));
    });
    assert!(is_refused(inbound, &name, Some(&two_names)).await, "two identities");
    let server = world.root.issue_with(&who, |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    assert!(is_refused(inbound, &name, Some(&server)).await, "a certificate for servers only");
    let early = world.root.issue_with(&who, |params| {
        params.not_before = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    });
    assert!(is_refused(inbound, &name, Some(&early)).await, "not valid yet");
    assert_eq!(app.requests(), 0);

    let answer = mtls(inbound, &name, &world.leaf(&spiffe("webapp"))).await.get("/").await;
    assert_eq!(answer.status, 200, "and a peer of the mesh is not");
}

#[tokio::test]
async fn a_chain_that_is_known_is_verified_once_and_still_needs_its_key() {
    let mut world = World::new();
    let app = App::start("catalog", address()).await;
    let (inbound, metrics, name) = (address(), address(), sni("catalog"));
    let config = json!({
        "identity": world.identity(&spiffe("catalog")),
        "listeners": [inbound_listener(inbound, &name, "app", json!({})), metrics_listener(metrics)],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start("catalog", config);
    let chains = async || {
        let of = async |result| {
            metric(metrics, &format!("meshd_certificate_chains_total{{result=\"{result}\"}}")).await
        };
        (of("verified").await, of("known").await)
    };
    let (leaf, other) = (world.leaf(&spiffe("webapp")), world.leaf(&spiffe("webapp")));
    for expected in [(1, 0), (1, 1), (1, 2)] {
        assert_eq!(mtls(inbound, &name, &leaf).await.get("/").await.status, 200);
        assert_eq!(chains().await, expected);
    }
    let stolen = Leaf { certificate: leaf.certificate.clone(), key: other.key.clone() };
    assert!(is_refused(inbound, &name, Some(&stolen)).await, "a known certificate with another key");
    assert_eq!(mtls(inbound, &name, &other).await.get("/").await.status, 200);
    assert_eq!(chains().await, (2, 3), "the same identity in another certificate");
    assert_eq!(app.requests(), 4);
}
