//! Requests that change their protocol: WebSockets through gateways and sidecars, whichever HTTP each hop speaks.

use std::time::{Duration, Instant};

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::tunnel::{self, Over, Tunnel};
use mesh_tests::{process, raw};

const CHAT: &str = r#"
mesh chat { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port http { number = 80 } }
}
namespace chat {
  client web { clusters = [west], calls = [talk, api] }
  service talk { clusters = [west], port http { number = 80 } }
  service api { clusters = [west], port grpc { number = 80, protocol = http2 } }
  route talk {
    gateway = west.in, hosts = ["talk.example"]
    rule { match { path = "/off" }, to = talk, upgrade = [] }
    rule { match { prefix = "/" }, to = talk }
  }
  route calls { callee = talk, match { path = "/off" }, to = talk, upgrade = [] }
  policy talk {
    targets = [talk]
    timeout { request = 1s, idle = 3s }
    deny { from = [web], match { path = "/denied" } }
  }
}
"#;

/// Longer than any request may take here.
const LONG: Duration = Duration::from_millis(1500);

fn websockets_pass_every_hop(data_plane: DataPlane) {
    let mesh = Mesh::up(CHAT, data_plane);
    tunnel::serve(mesh.replace("chat.talk", "west", "WEST_SIDECARS_CHAT_TALK_80"));
    let (ingress, call) =
        (mesh.address("MESH_GATEWAY_WEST_IN"), mesh.address("MESH_CALL_WEST_CHAT_WEB__CHAT_TALK_80"));
    let ways = [
        (Over::Http1, ingress, "talk.example"),
        (Over::Http2, ingress, "talk.example"),
        (Over::Http1, call, "talk.chat"),
        (Over::Http2, call, "talk.chat"),
    ];

    // What the application is asked is a WebSocket over HTTP/1.1, whatever the client speaks.
    let mut open: Vec<Tunnel> = ways
        .iter()
        .map(|(over, address, host)| {
            let mut tunnel = Tunnel::open(*over, *address, host, "/room?a=b")
                .unwrap_or_else(|refusal| panic!("{over:?} {host}: {refusal:?}"));
            let asked = tunnel.line();
            for part in [
                "get /room?a=b http/1.1|",
                "|connection: upgrade",
                "|upgrade: websocket",
                "|sec-websocket-key: ",
            ] {
                assert!(asked.contains(part), "{over:?} {host}: {part} in {asked}");
            }
            assert!(asked.contains("x-forwarded-client-cert: by=spiffe://"), "{asked}");
            match over {
                Over::Http1 => {
                    assert!(tunnel.head.contains("\nupgrade: websocket\n"), "{}", tunnel.head);
                    assert!(
                        tunnel.head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="),
                        "{}",
                        tunnel.head
                    );
                }
                Over::Http2 => assert!(!tunnel.head.contains("\nconnection:"), "{}", tunnel.head),
            }
            tunnel
        })
        .collect();

    // They outlive every timeout of requests, carry bytes both ways, and much of them.
    let since = Instant::now();
    while since.elapsed() < LONG {
        std::thread::sleep(Duration::from_millis(100));
    }
    let much = vec![b'm'; 300_000];
    for (tunnel, (over, _, host)) in open.iter_mut().zip(&ways) {
        tunnel.say(b"still here\n");
        assert_eq!(tunnel.line(), "still here", "{over:?} {host}");
        tunnel.say(&much);
        assert_eq!(tunnel.bytes(much.len()).len(), much.len(), "{over:?} {host}");
    }
    // Silence ends them.
    for (tunnel, (over, _, host)) in open.iter_mut().zip(&ways) {
        assert!(tunnel.is_over(), "{over:?} {host}: more came");
    }

    for (over, address, host) in ways {
        let open = |path: &str| Tunnel::open(over, address, host, path);
        // Either end may be the first to go.
        let mut tunnel = open("/bye").unwrap_or_else(|refusal| panic!("{over:?} {host}: {refusal:?}"));
        assert!(tunnel.line().contains("/bye"));
        assert!(tunnel.is_over(), "{over:?} {host}: the application has gone");
        // What is refused is answered as any request is.
        assert_eq!(open("/refuse").err(), Some((426, String::from("no\n"))), "{over:?} {host}");
        assert_eq!(open("/off").err().map(|it| it.0), Some(403), "{over:?} {host}: the route carries none");
        let other = Tunnel::ask(over, address, host, "/room", "other");
        assert_eq!(other.err().map(|it| it.0), Some(403), "{over:?} {host}: another protocol");
    }
    for over in [Over::Http1, Over::Http2] {
        let denied = Tunnel::open(over, call, "talk.chat", "/denied").err();
        assert_eq!(denied, Some((403, String::from("RBAC: access denied"))), "{over:?}");
        let nowhere = Tunnel::open(over, ingress, "other.example", "/room").err();
        assert_eq!(nowhere.map(|it| it.0), Some(404), "{over:?}");
        let api = mesh.address("MESH_CALL_WEST_CHAT_WEB__CHAT_API_80");
        let http2 = Tunnel::open(over, api, "api.chat", "/room").err();
        assert_eq!(http2.map(|it| it.0), Some(403), "{over:?}: an application that speaks HTTP/2");
    }
    // Other requests pass as ever, also on connections that carried one that was refused.
    assert_eq!(mesh.ingress("WEST_IN", &Request::get("talk.example", "/room")).body, "plain");

    // Each is one line in the log and one request in the metrics, at its end.
    let lines = || {
        let log = mesh.log("west/gateways/in");
        let count = |part: &str| {
            log.lines().filter(|line| line.contains(part) && line.contains("\"status\":101")).count()
        };
        ((count("/room?a=b"), count("/bye")) == (2, 2)).then_some(())
    };
    process::eventually("the tunnels are in the log", Duration::from_secs(20), lines);
}

/// A method that asks for a tunnel to any host, whatever the client's HTTP, with no protocol of an extended CONNECT.
fn connect_is_refused_everywhere(data_plane: DataPlane) {
    let mesh = Mesh::up(CHAT, data_plane);
    let (ingress, call, grpc) = (
        mesh.address("MESH_GATEWAY_WEST_IN"),
        mesh.address("MESH_CALL_WEST_CHAT_WEB__CHAT_TALK_80"),
        mesh.address("MESH_CALL_WEST_CHAT_WEB__CHAT_API_80"),
    );
    let mut found = Vec::new();
    for (address, host) in [(ingress, "talk.example"), (call, "talk.chat"), (grpc, "api.chat")] {
        for target in [host.to_owned(), format!("{host}:80"), String::from("127.0.0.1:22")] {
            let head = format!("CONNECT {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            found.push((host, target.clone(), "1.1", raw::http1(address, head.as_bytes()).word()));
            let headers = vec![raw::field(":method", "CONNECT"), raw::field(":authority", &target)];
            let two = raw::Http2 { headers, ..raw::Http2::default() };
            found.push((host, target, "2", two.send(address).word()));
        }
    }
    // No route has such a target; in HTTP/1.1 one without a port is none at all.
    let refused = |target: &str, version| if version == "2" || target.contains(':') { "404" } else { "400" };
    let others: Vec<_> =
        found.iter().filter(|(_, target, version, status)| status != refused(target, *version)).collect();
    assert!(others.is_empty(), "{others:#?}");
    // No application has seen any of it.
    for proxy in ["west/sidecars/chat/talk", "west/sidecars/chat/api"] {
        let log = mesh.log(proxy);
        assert!(!log.contains("CONNECT"), "{log}");
    }
}

crate::on_both_data_planes!(websockets_pass_every_hop, connect_is_refused_everywhere);
