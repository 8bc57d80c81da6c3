//! New configurations and certificates take effect without a failed request; broken ones change nothing.

use crate::support::client::{eventually, get, handshake, metric, mtls};
use crate::support::world::{address, http_listener, inbound_listener, metrics_listener};
use crate::support::{App, Authority, Client, World, group, sni, spiffe, upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::AsyncReadExt as _;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_configuration_takes_effect_under_load_without_a_failed_request() {
    let mut world = World::new();
    let (old, new) = (App::start("old", address()).await, App::start("new", address()).await);
    let (bind, metrics) = (address(), address());
    let config = |app: &App| {
        json!({
            "listeners": [http_listener(bind, "app", json!({})), metrics_listener(metrics)],
            "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
        })
    };
    world.start("proxy", config(&old));
    let stop = Arc::new(AtomicBool::new(false));
    let load = || {
        let stop = Arc::clone(&stop);
        tokio::spawn(async move {
            let mut client = Client::http1(bind, "app").await;
            let mut answers = Vec::new();
            loop {
                // The last request begins when everything is new, however slow the one before it was.
                let is_last = stop.load(Ordering::SeqCst);
                let answer = client.get("/").await;
                answers.push((answer.status.as_u16(), answer.app()));
                if is_last {
                    return answers;
                }
            }
        })
    };
    let clients = [load(), load(), load()];
    for (turn, app) in [&new, &old, &new].into_iter().enumerate() {
        world.write("proxy", config(app));
        let version = i64::try_from(turn).unwrap() + 2;
        eventually("the reload", || async { metric(metrics, "meshd_config_version").await == version }).await;
        assert_eq!(get(bind, "app", "/").await.app(), app.name);
    }
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        let answers = client.await.unwrap();
        assert!(answers.iter().all(|(status, _)| *status == 200), "no request failed");
        assert_eq!(answers.last().unwrap().1, "new", "and one connection lived through all of it");
    }
}

#[tokio::test]
async fn a_broken_configuration_is_refused_and_the_old_one_keeps_serving() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let (bind, metrics) = (address(), address());
    let config = json!({
        "listeners": [http_listener(bind, "app", json!({})), metrics_listener(metrics)],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start("proxy", config.clone());
    let refused = || async { metric(metrics, "meshd_config_rejected_total").await };

    std::fs::write(world.path("proxy.json"), "{ broken").unwrap();
    eventually("the refusal", || async { refused().await == 1 }).await;
    let mut taken = config.clone();
    taken["listeners"][0]["bind"] = json!(app.address.to_string());
    world.write("proxy", taken);
    eventually("the refusal of a taken address", || async { refused().await == 2 }).await;
    assert_eq!(get(bind, "app", "/").await.app(), "app");
    assert_eq!(metric(metrics, "meshd_config_version").await, 1);

    let mut better = config;
    better["listeners"][0]["name"] = json!("renamed");
    world.write("proxy", better);
    eventually("the next good one", || async { metric(metrics, "meshd_config_version").await == 2 }).await;
}

#[tokio::test]
async fn what_was_missing_may_still_appear() {
    let mut world = World::new();
    let (metrics, ready) = (address(), address());
    world.start("proxy", json!({ "listeners": [metrics_listener(metrics)] }));
    let taken = tokio::net::TcpListener::bind(ready).await.unwrap();
    let more = json!({ "name": "ready", "bind": ready.to_string(), "kind": { "readiness": {} } });
    world.write("proxy", json!({ "listeners": [metrics_listener(metrics), more] }));
    eventually("the refusal", || async { metric(metrics, "meshd_config_rejected_total").await == 1 }).await;
    drop(taken);
    eventually("the new listener", || async { tokio::net::TcpStream::connect(ready).await.is_ok() }).await;
    assert_eq!(get(ready, "x", "/healthz/ready").await.status, 200);
    assert_eq!(metric(metrics, "meshd_config_rejected_total").await, 1, "and is not complained about twice");
}

#[tokio::test]
async fn listeners_come_and_go() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let (first, second) = (address(), address());
    let config = |binds: &[SocketAddr]| {
        let listeners: Vec<Value> = binds
            .iter()
            .map(|bind| {
                let mut listener = http_listener(*bind, "app", json!({}));
                listener["name"] = json!(bind.to_string());
                listener
            })
            .collect();
        json!({ "listeners": listeners, "upstreams": { "app": upstream(&[group("app", &[app.address])]) } })
    };
    world.start("proxy", config(&[first]));
    world.write("proxy", config(&[second]));
    let reachable =
        |address: SocketAddr| async move { tokio::net::TcpStream::connect(address).await.is_ok() };
    eventually("the new listener", || reachable(second)).await;
    assert_eq!(get(second, "app", "/").await.app(), "app");
    eventually("the end of the old one", || async { !reachable(first).await }).await;
}

#[tokio::test]
async fn what_did_not_change_keeps_its_state() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let (bind, metrics) = (address(), address());
    let limits = json!({ "filters": [{ "limit": { "name": "few", "scope": { "proxy": {} },
        "buckets": [{ "name": "all", "rate": { "requests": 3, "per": "1h" } }] } }] });
    let config = |timeout: &str| {
        let mut route = limits.clone();
        route["timeout"] = json!(timeout);
        json!({
            "listeners": [http_listener(bind, "app", route), metrics_listener(metrics)],
            "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
        })
    };
    world.start("proxy", config("15s"));
    let mut client = Client::http1(bind, "app").await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.status, 200);
    }
    assert_eq!(client.get("/").await.status, 429);
    world.write("proxy", config("16s"));
    eventually("the reload", || async { metric(metrics, "meshd_config_version").await == 2 }).await;
    assert_eq!(client.get("/").await.status, 429, "the counter went on");
    assert_eq!(app.connections(), 1, "and so did the pooled connection");
}

/// Swaps a mounted Secret as Kubernetes does: a new folder, then the `..data` symlink renamed over the old one.
fn swap(mount: &Path, generation: usize, files: &[(&str, &str)]) {
    let folder = mount.join(format!("..{generation}"));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, content) in files {
        std::fs::write(folder.join(name), content).unwrap();
    }
    std::os::unix::fs::symlink(format!("..{generation}"), mount.join("..tmp")).unwrap();
    std::fs::rename(mount.join("..tmp"), mount.join("..data")).unwrap();
}

#[tokio::test]
async fn certificates_rotate_and_a_key_that_does_not_match_is_refused() {
    let mut world = World::new();
    let app = App::start("app", address()).await;
    let (inbound, metrics) = (address(), address());
    let mount = world.path("secret");
    std::fs::create_dir_all(&mount).unwrap();
    for file in ["tls.crt", "tls.key", "ca.crt"] {
        std::os::unix::fs::symlink(format!("..data/{file}"), mount.join(file)).unwrap();
    }
    let own = world.leaf(&spiffe("catalog"));
    let old_root = world.root.pem.clone();
    swap(&mount, 1, &[("tls.crt", &own.certificate), ("tls.key", &own.key), ("ca.crt", &old_root)]);
    let file = |name: &str| mount.join(name).to_str().unwrap().to_owned();
    let config = json!({
        "identity": { "certificate": file("tls.crt"), "private_key": file("tls.key"), "trust_bundle": file("ca.crt") },
        "listeners": [inbound_listener(inbound, &sni("catalog"), "app", json!({})), metrics_listener(metrics)],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start("catalog", config);
    let new_root = Authority::new("new root");
    let caller = new_root.issue(&spiffe("webapp"));
    let by_then = || metric(metrics, "meshd_identity_reloads_total");

    let other = world.leaf(&spiffe("catalog"));
    swap(&mount, 2, &[("tls.crt", &own.certificate), ("tls.key", &other.key), ("ca.crt", &old_root)]);
    eventually("the refusal", || async { metric(metrics, "meshd_identity_rejected_total").await == 1 }).await;
    let old_caller = world.leaf(&spiffe("webapp"));
    assert_eq!(
        mtls(inbound, &sni("catalog"), &old_caller).await.get("/").await.status,
        200,
        "the old pair stays"
    );

    let both = format!("{old_root}{}", new_root.pem);
    swap(&mount, 3, &[("tls.crt", &own.certificate), ("tls.key", &own.key), ("ca.crt", &both)]);
    eventually("the bundle of both roots", || async { by_then().await == 1 }).await;
    for leaf in [&caller, &old_caller] {
        assert_eq!(mtls(inbound, &sni("catalog"), leaf).await.get("/").await.status, 200);
    }

    swap(&mount, 4, &[("tls.crt", &own.certificate), ("tls.key", &own.key), ("ca.crt", &new_root.pem)]);
    eventually("the new root alone", || async { by_then().await == 2 }).await;
    assert_eq!(mtls(inbound, &sni("catalog"), &caller).await.get("/").await.status, 200);
    let refused = match handshake(inbound, &sni("catalog"), Some(&old_caller), &[]).await {
        Err(_) => true,
        // With TLS 1.3 a client learns of its refusal with the first bytes it reads.
        Ok(mut stream) => matches!(stream.read(&mut [0; 1]).await, Err(_) | Ok(0)),
    };
    assert!(refused, "what was known of a chain is forgotten with the root that it led to");
}

/// How many sockets this process has to `peer`.
fn sockets_to(peer: SocketAddr) -> usize {
    // Addresses are written as numbers of the machine's byte order.
    let SocketAddr::V4(peer) = peer else { panic!("IPv4") };
    let wanted = format!("{:08X}:{:04X}", u32::from_le_bytes(peer.ip().octets()), peer.port());
    let table = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
    // Established ones; what was closed waits in the table for a while.
    let open = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next() == Some(&wanted) && fields.next() == Some("01")
    };
    table.lines().filter(open).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_of_what_was_replaced_are_closed() {
    for http2 in [false, true] {
        let mut world = World::new();
        let app = App::start("app", address()).await;
        let (bind, metrics) = (address(), address());
        let config = |turn: i64| {
            let mut up = upstream(&[group("app", &[app.address])]);
            up["pool"]["max_pending"] = json!(1000 + turn);
            json!({
                "listeners": [http_listener(bind, "app", json!({})), metrics_listener(metrics)],
                "upstreams": { "app": up },
            })
        };
        world.start("proxy", config(0));
        let client = || async {
            if http2 { Client::http2(bind, "app").await } else { Client::http1(bind, "app").await }
        };
        // Twenty connections that nobody uses.
        app.takes(std::time::Duration::from_millis(50));
        let idle = futures_util::future::join_all((0..20).map(|_| async {
            let mut client = client().await;
            assert_eq!(client.get("/").await.status, 200);
            client
        }));
        drop(idle.await);
        app.takes(std::time::Duration::ZERO);
        assert!(sockets_to(app.address) > 0, "there is something to close");
        world.write("proxy", config(1));
        eventually("the idle ones are closed", || async { sockets_to(app.address) == 0 }).await;

        // The same under load: what is in use is closed after its request.
        let stop = Arc::new(AtomicBool::new(false));
        let load = (0..3).map(|_| {
            let stop = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut client =
                    if http2 { Client::http2(bind, "app").await } else { Client::http1(bind, "app").await };
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(client.get("/").await.status, 200);
                }
            })
        });
        let load: Vec<_> = load.collect();
        for turn in 3..9 {
            world.write("proxy", config(turn));
            eventually("the reload", || async { metric(metrics, "meshd_config_version").await == turn })
                .await;
        }
        // Two workers with up to three connections each.
        eventually("few are left", || async { sockets_to(app.address) <= 6 }).await;
        stop.store(true, Ordering::SeqCst);
        for client in load {
            client.await.unwrap();
        }
    }
}
