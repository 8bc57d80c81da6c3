//! Clients that send HTTP/2 frames which bring no request forward: they are told to stop, and nobody else notices.

use crate::support::client::get;
use crate::support::world::{address, http_listener};
use crate::support::{App, Client, World, group, upstream};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
}

/// A connection that has said its preface and its settings.
async fn connection(bind: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(bind).await.unwrap();
    stream.write_all(&[PREFACE, &frame(4, 0, &[])].concat()).await.unwrap();
    stream
}

/// The error code of the GOAWAY frame among what the proxy says until it closes.
async fn farewell(mut stream: TcpStream) -> Option<u32> {
    let mut said = Vec::new();
    let heard = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut said)).await;
    heard.expect("the connection ends").unwrap();
    let mut rest = said.as_slice();
    while let [l0, l1, l2, kind, _, _, _, _, _, after @ ..] = rest {
        let (payload, next) = after.split_at(u32::from_be_bytes([0, *l0, *l1, *l2]) as usize);
        if *kind == 7 {
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        rest = next;
    }
    None
}

fn proxy(app: &App, edge: bool) -> (World, SocketAddr, SocketAddr) {
    let (mut world, bind, metrics) = (World::new(), address(), address());
    let mut listener = http_listener(bind, "app", json!({}));
    if edge {
        listener["kind"]["http"]["edge"] = json!({ "trusted_hops": 0 });
    }
    let metrics_listener: Value =
        json!({ "name": "metrics", "bind": metrics.to_string(), "kind": { "metrics": {} } });
    let config = json!({
        "listeners": [listener, metrics_listener],
        "upstreams": { "app": upstream(&[group("app", &[app.address])]) },
    });
    world.start("proxy", config);
    (world, bind, metrics)
}

#[tokio::test]
async fn floods_of_frames_are_told_to_stop() {
    let app = App::start("app", address()).await;
    for edge in [true, false] {
        let (_world, bind, metrics) = proxy(&app, edge);
        let mut good = Client::http2(bind, "app").await;
        for (name, one) in [
            ("PING", frame(6, 0, &[0; 8])),
            ("SETTINGS", frame(4, 0, &[0, 3, 0, 0, 0, 100])),
            ("PRIORITY", frame(2, 3, &[0, 0, 0, 0, 1])),
            ("WINDOW_UPDATE", frame(8, 0, &[0, 0, 0, 1])),
            ("other", frame(0x1f, 0, b"grease")),
        ] {
            let mut stream = connection(bind).await;
            // Whatever is not read any more is not written either.
            let _ = stream.write_all(&one.repeat(5_000)).await;
            assert_eq!(farewell(stream).await, Some(0xb), "ENHANCE_YOUR_CALM for {name}");
            assert_eq!(good.get("/").await.status, 200, "beside {name}");
            let counted = format!("meshd_http2_floods_total{{listener=\"http\",frame=\"{name}\"}} 1\n");
            // It is counted when the connection has ended, a second after the farewell.
            let told = async {
                while !get(metrics, "metrics", "/metrics").await.body.contains(&counted) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(20), told).await.expect(&counted);
        }
    }
}

#[tokio::test]
async fn a_lively_client_is_no_flood() {
    let app = App::start("app", address()).await;
    let (_world, bind, _metrics) = proxy(&app, true);
    let mut stream = connection(bind).await;
    // Some hundred pings between requests, again and again: :method GET, :scheme http, :path /, :authority app.
    let headers = [0x82, 0x86, 0x84, 0x41, 0x03, b'a', b'p', b'p'];
    let mut heard = [0; 65_536];
    for round in 0..40u32 {
        stream.write_all(&frame(6, 0, &[0; 8]).repeat(20)).await.unwrap();
        let mut request = frame(1, 2 * round + 1, &headers);
        request[4] = 5;
        stream.write_all(&request).await.unwrap();
        assert!(stream.read(&mut heard).await.unwrap() > 0);
    }
    while app.requests() < 40 {
        assert!(stream.read(&mut heard).await.unwrap() > 0, "the connection stays");
    }
}
