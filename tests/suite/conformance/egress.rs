//! Egress gateways: hosts outside are called through them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

use crate::outside::{REFUSED, answered, by, conversation, curl, endpoints, files};

fn an_egress_gateway_connects_for_those_who_declared_their_call(data_plane: DataPlane) {
    let mesh = Mesh::up(
        r#"
mesh usmesh { trust_domain = "cluster.local", trust = acme }
trust acme {}
network west-net {}
network east-net {}
cluster west {
  network = west-net
  region  = "westus"
  gateway ingress { role = ingress, address = 172.18.255.200, port http { number = 80 } }
  gateway egress { role = egress, address = 172.18.255.201 }
}
cluster east { network = east-net, region = "eastus" }
namespace shop {
  service web { clusters = [west, east], port http { number = 8080 }, calls = [pay, bank, far.spare] }
  service idle { clusters = [west], port http { number = 8080 } }
  external pay {
    hosts    = ["api.pay.example"]
    through  = west.egress
    port http { number = 80, target = 443, protocol = http, tls { ca = "pay-ca", client_certificate = "pay-client" } }
    port tls  { number = 443, protocol = tls }
    port sql  { number = 5432, protocol = tcp }
  }
  external bank {
    hosts   = ["api.bank.example", "*.eu.bank.example"]
    through = west.egress
    port tls { number = 443, protocol = tls }
  }
  route shop {
    gateway = west.ingress
    hosts   = ["shop.example"]
    rule { match { prefix = "/idle" }, to = idle }
    rule { to = pay.http, rewrite { host = "api.pay.example" } }
  }
}
namespace far {
  policy calm { outlier { enabled = false } }
  external spare {
    hosts     = ["api.spare.example"]
    addresses = [203.0.113.1, 203.0.113.2]
    fallback  = ["other.spare.example"]
    through   = west.egress
    port http { number = 80, protocol = http }
  }
}
"#,
        data_plane,
    );
    let seen = serde_json::json!({ "sni": "api.pay.example", "client": ["pay-client"] });
    let told = |answer: &Response| {
        assert_eq!(answered(answer), by("shop.pay", "api.pay.example"));
        assert_eq!(answer.json()["tls"], seen);
        for name in ["x-forwarded-client-cert", "x-forwarded-proto"] {
            assert!(answer.json()["headers"].get(name).is_none(), "{answer:?}");
        }
    };
    let root = mesh.variable("MESH_CACERT_OUTSIDE").to_owned();
    for cluster in ["WEST", "EAST"] {
        let at = |port: u16| mesh.address(&format!("MESH_CALL_{cluster}_SHOP_WEB__SHOP_PAY_{port}"));
        let forged =
            Request::get("api.pay.example", "/").header("x-forwarded-client-cert", "URI=spiffe://x/y");
        told(&forged.send(at(80)));
        assert_eq!(Request::get("other.example", "/").send(at(80)).status, 404);
        let (exit, status, body) = curl(at(443), "api.pay.example", 443, &root);
        assert_eq!((exit, status, &body["service"]), (Some(0), 200, &"shop.pay".into()), "{body}");
        assert_eq!(curl(at(443), "other.example", 443, &root).0, REFUSED);
        assert_eq!(conversation(at(5432), "x"), "shop.pay in api.pay.example\nx");
    }
    told(&mesh.ingress("WEST_INGRESS_80", &Request::get("shop.example", "/")));

    // The gateway sees that a host cannot be connected to, and nobody has seen the request yet: another address gets it, and
    // then what stands in for the host, whatever the method.
    let post = || {
        let request = Request::get("api.spare.example", "/").method("POST", "x");
        request.send(mesh.address("MESH_CALL_EAST_SHOP_WEB__FAR_SPARE_80"))
    };
    for (gone, next) in [("203.0.113.1", "203.0.113.2"), ("203.0.113.2", "other.spare.example")] {
        mesh.fail("far.spare", gone, "gone");
        process::eventually("connections to what is gone have ended", Duration::from_secs(30), || {
            (post().status == 200).then_some(())
        });
        for _ in 0..10 {
            assert_eq!(answered(&post()), by("far.spare", next), "{gone} is gone");
        }
    }

    // Past its own sidecar, too, nobody gets through who has not declared the call, nor to another host.
    let gateway = mesh.address("MESH_INBOUND_WEST_GATEWAYS_EGRESS");
    let through = |account: &str, port: u16, host: &str| {
        let sni = format!("outbound_.{port}_._.pay.shop.svc.cluster.local");
        let (certificate, key) = mesh.identity("west", "shop", account);
        let mut command = Command::new(tools::system("curl"));
        command.args([
            "--silent",
            "--insecure",
            "--max-time",
            "20",
            "--noproxy",
            "*",
            "--output",
            "/dev/null",
        ]);
        command.args(["--write-out", "%{http_code}", "--connect-to", &format!("{sni}:443:{gateway}")]);
        command.arg("--cert").arg(certificate).arg("--key").arg(key);
        command.args(["--header", &format!("Host: {host}")]);
        let output = process::run(command.arg(format!("https://{sni}/")));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(through("web", 80, "api.pay.example"), "200");
    assert_eq!(through("web", 80, "other.example"), "403");
    assert_eq!(through("idle", 80, "api.pay.example"), "403");
    assert_eq!(through("idle", 5432, "api.pay.example"), "000", "refused in the handshake");
    assert_eq!(through("web", 81, "api.pay.example"), "000", "a port that is not declared");

    // Nor by the name that TLS inside the mesh's own asks for, nor without any.
    let within = |callee: &str, account: &str| {
        let sni = format!("outbound_.443_._.{callee}.shop.svc.cluster.local");
        tunnel(gateway, &sni, mesh.identity("west", "shop", account))
    };
    let asked = |callee: &str, account: &str, host: &str| {
        let (exit, status, body) = curl(within(callee, account), host, 443, &root);
        (exit, status, body["service"].as_str().unwrap_or_default().to_owned())
    };
    let by_name = |service: &str| (Some(0), 200, service.to_owned());
    assert_eq!(asked("pay", "web", "api.pay.example"), by_name("shop.pay"));
    assert_eq!(asked("bank", "web", "API.bank.example"), by_name("shop.bank"));
    assert_eq!(asked("bank", "web", "a.eu.bank.example"), by_name("shop.bank"));
    for (callee, host) in [
        ("pay", "other.example"),
        ("pay", "api.bank.example"),
        ("bank", "api.pay.example"),
        ("bank", "eu.bank.example"),
    ] {
        assert_eq!(asked(callee, "web", host), (REFUSED, 0, String::new()), "{host} from {callee}");
    }
    assert_eq!(asked("pay", "idle", "api.pay.example"), (REFUSED, 0, String::new()), "no caller");
    for first in ["GET / HTTP/1.1\r\nhost: api.pay.example\r\n\r\n", "\u{16}\u{2}nonsense"] {
        assert_eq!(conversation(within("pay", "web"), first), "", "no TLS");
    }
    let (reasons, metric) = match data_plane {
        DataPlane::Envoy => (["filter_chain_not_found", "other.example"], "_no_filter_chain_match"),
        DataPlane::Meshd => {
            (["no such server name outside", "outside: other.example"], "no such server name outside")
        }
    };
    let told = "the log says who asked for what, and why it was closed";
    process::eventually(told, Duration::from_secs(10), || {
        let log = mesh.log("west/gateways/egress");
        let said = |line: &str| {
            line.contains("spiffe://cluster.local/ns/shop/sa/web")
                && line.contains("127.0.0.1")
                && reasons.iter().all(|reason| line.contains(reason))
        };
        log.lines().any(said).then_some(())
    });
    let counted = |line: &str| {
        line.contains(metric) && line.ends_with(|last: char| last.is_ascii_digit() && last != '0')
    };
    assert!(mesh.metrics("west/gateways/egress").lines().any(counted), "refusals are counted");

    // The secrets of the host are the gateway's alone.
    let secrets =
        |proxy: &str| mesh.directory().join("proxies").join(proxy).join("etc/mesh/outside-tls").exists();
    assert!(secrets("west/gateways/egress"));
    assert!(!secrets("west/sidecars/shop/web") && !secrets("west/gateways/ingress"));
    for file in files(&mesh).iter().filter(|file| !file.to_string_lossy().contains("/gateways/egress/")) {
        assert!(!endpoints(file).iter().any(|host| host.contains("pay.example")), "{}", file.display());
    }
}

/// An address at which one connection becomes what is inside mTLS to a proxy.
fn tunnel(proxy: SocketAddr, sni: &str, (certificate, key): (PathBuf, PathBuf)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let here = listener.local_addr().expect("it has an address");
    let mut outer = Command::new(tools::system("openssl"));
    outer.args(["s_client", "-quiet", "-tls1_3", "-connect", &proxy.to_string(), "-servername", sni]);
    outer.arg("-cert").arg(&certificate).arg("-cert_chain").arg(certificate).arg("-key").arg(key);
    thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client comes");
        let piped = outer.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut outer = piped.spawn().expect("openssl starts");
        let (mut up, mut down) = (outer.stdin.take().expect("piped"), outer.stdout.take().expect("piped"));
        let mut from = client.try_clone().expect("a socket can be read by two");
        // Either side may end first.
        thread::spawn(move || pump(&mut from, &mut up));
        pump(&mut down, &mut client);
        drop(client.shutdown(Shutdown::Both));
        outer.wait().expect("openssl ends");
    });
    here
}

/// Hands on what comes, until either side ends. (`io::copy` moves bytes in the kernel, which holds a pipe while it waits for
/// a socket, so that openssl could not read it.)
fn pump(from: &mut impl Read, to: &mut impl Write) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

crate::on_both_data_planes!(an_egress_gateway_connects_for_those_who_declared_their_call);
