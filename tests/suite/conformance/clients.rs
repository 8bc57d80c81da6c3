//! What is known of clients outside the mesh: their certificates, and rules that ask about them.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{certificates, process, tools};

use crate::ingress::source;

/// What the application was told of who calls.
fn told(body: &str) -> String {
    let seen: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    seen["headers"]["x-forwarded-client-cert"].as_str().unwrap_or_default().to_owned()
}

/// What the application saw under a name.
fn header(body: &str, name: &str) -> String {
    let seen: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    seen["headers"][name].as_str().unwrap_or("-").to_owned()
}

/// A client outside the mesh: status, or 0 where the handshake failed, and the body.
fn shows(gateway: SocketAddr, certificate: Option<(&Path, &Path)>, more: &[&str]) -> (u16, String) {
    let host = "shop.example";
    let mut command = Command::new(tools::system("curl"));
    command.args([
        "--silent",
        "--insecure",
        "--max-time",
        "20",
        "--noproxy",
        "*",
        "--write-out",
        "\n%{http_code}",
    ]);
    command.args(["--resolve", &format!("{host}:{}:127.0.0.1", gateway.port())]).args(more);
    if let Some((certificate, key)) = certificate {
        command.arg("--cert").arg(certificate).arg("--key").arg(key);
    }
    command.arg(format!("https://{host}:{}/", gateway.port()));
    let output = process::run(&mut command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').expect("curl writes its line");
    (status.parse().expect("a number"), body.to_owned())
}

const OF_GATEWAY: &str = ";URI=spiffe://cluster.local/ns/mesh-system/sa/west-ingress";

fn clients_show_certificates_and_services_are_told(data_plane: DataPlane) {
    let ports = r#"
    port https { number = 443, tls { secret = "shop-tls", client_ca = "partners" } }
    port open { number = 9443, tls { secret = "shop-tls", client_ca = "partners", client_certificate = optional } }"#;
    let routes = r#"
  client inside { clusters = [west], calls = [web] }
  route web {
    gateway = west.ingress
    hosts   = ["shop.example"]
    request_headers { set = { "x-caller" = "<${request.caller}>:${request.port}" } }
    rule { match { prefix = "/orders" }, to = admin }
    rule { match { path = "/both" }, destination { to = admin }, destination { to = web, weight = 0 } }
    rule { to = web }
  }
  policy former { targets = [web], deny { from = [west.ingress], clients = ["former.example"] } }
  policy partners {
    targets = [admin]
    allow { from = [west.ingress], clients = ["spiffe://client.example/part*", "second.example"] }
    allow { from = [west.ingress], match { path = "/orders/list" } }
    deny  { from = [west.ingress], clients = ["client.example"], match { path = "/orders/secret" } }
  }
  route gate { gateway = west.ingress, hosts = ["gate.example"], to = web }
  policy gate {
    routes = [gate]
    allow { clients = ["client.example"] }
    allow { match { path = "/public" } }
    deny  { clients = ["spiffe://client.example/part*"], match { path = "/closed" } }
    deny  { match { path = "/others" }, except { match { methods = ["POST"] } } }
  }
  policy door {
    gateways = [west.ingress]
    deny { clients = ["spiffe://client.example/other"], match { path = "/door" } }
  }"#;
    let mesh = Mesh::up(&source(ports, routes), data_plane);
    let (https, open) =
        (mesh.address("MESH_GATEWAY_WEST_INGRESS_443"), mesh.address("MESH_GATEWAY_WEST_INGRESS_9443"));
    let certificate = Path::new(mesh.variable("MESH_CLIENT_CERT_WEST_INGRESS_PARTNERS")).to_owned();
    let key = Path::new(mesh.variable("MESH_CLIENT_KEY_WEST_INGRESS_PARTNERS")).to_owned();
    let partner = Some((certificate.as_path(), key.as_path()));
    let (root, root_key) = (certificate.with_extension("root.pem"), certificate.with_extension("root.key"));

    assert_eq!(shows(https, None, &[]).0, 0, "a certificate is required");
    let spoofed =
        ["--header", "x-forwarded-client-cert: Hash=00;URI=spiffe://cluster.local/ns/shop/sa/admin"];
    for (gateway, version) in [(https, "--http2"), (https, "--http1.1"), (open, "--http2")] {
        let (status, body) = shows(gateway, partner, &[&[version][..], &spoofed].concat());
        assert_eq!(status, 200, "{body}");
        let line = told(&body);
        let (of_client, of_gateway) = line.split_once(',').expect("the gateway's word and the sidecar's");
        let names = of_client.strip_prefix("Hash=").and_then(|rest| rest.get(64..));
        assert_eq!(names, Some(";URI=spiffe://client.example/partners;DNS=client.example"), "{line}");
        assert!(of_gateway.starts_with("By=spiffe://cluster.local/ns/shop/sa/web;Hash="), "{line}");
        assert!(of_gateway.ends_with(OF_GATEWAY), "{line}");
        let number = if gateway == https { 443 } else { 9443 };
        assert_eq!(header(&body, "x-caller"), format!("<spiffe://client.example/partners>:{number}"));
    }
    let (status, body) = shows(open, None, &spoofed);
    assert_eq!((status, header(&body, "x-caller")), (200, String::from("<>:9443")), "{body}");
    let line = told(&body);
    assert!(!line.contains(',') && line.ends_with(OF_GATEWAY), "{line}");

    // Rules about clients: which requests of whom.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let stranger = certificates::issued(
        folder.path(),
        "stranger",
        &root,
        &root_key,
        "spiffe://client.example/other",
        -1,
        1,
    );
    let stranger = Some((stranger.certificate.as_path(), stranger.key.as_path()));
    let at_host = |who: Option<(&Path, &Path)>, host: &str, path: &str| {
        let (status, body) =
            shows(open, who, &["--request-target", path, "--header", &format!("host: {host}")]);
        assert!(status == 200 || body == "RBAC: access denied", "{path}: {status} {body}");
        status
    };
    let at = |who: Option<(&Path, &Path)>, path: &str| at_host(who, "shop.example", path);
    for (path, statuses) in [
        ("/orders", [200, 403, 403]),
        ("/orders/list", [200, 200, 200]),
        ("/orders/secret", [403, 403, 403]),
        ("/", [200, 200, 200]),
        // What each of several destinations asks.
        ("/both", [200, 403, 403]),
    ] {
        let found = [partner, stranger, None].map(|who| at(who, path));
        assert_eq!(found, statuses, "{path}: a partner, a stranger, and nobody known");
    }
    // Rules of a route and of a gateway, which are about nobody else.
    for (host, path, statuses) in [
        ("gate.example", "/", [200, 403, 403]),
        ("gate.example", "/public", [200, 200, 200]),
        ("gate.example", "/closed", [403, 403, 403]),
        ("gate.example", "/others", [403, 403, 403]),
        ("shop.example", "/door", [200, 403, 200]),
        ("gate.example", "/door", [200, 403, 403]),
    ] {
        let found = [partner, stranger, None].map(|who| at_host(who, host, path));
        assert_eq!(found, statuses, "{host}{path}: a partner, a stranger, and nobody known");
    }

    let other = certificates::under_another_root(folder.path(), "spiffe://client.example/partners");
    assert_eq!(shows(open, Some((&other.certificate, &other.key)), &[]).0, 0, "another root");
    let old =
        certificates::issued(folder.path(), "old", &root, &root_key, "spiffe://client.example/a", -3, -1);
    assert_eq!(shows(open, Some((&old.certificate, &old.key)), &[]).0, 0, "expired");
    let named = |number: usize, uri: &str| {
        let files =
            certificates::issued(folder.path(), &format!("named-{number}"), &root, &root_key, uri, -1, 1);
        shows(https, Some((&files.certificate, &files.key)), &[])
    };
    assert_eq!(named(0, "spiffe://client.example/other").0, 200);
    let confusing = [
        "spiffe://cluster.local/ns/shop/sa/admin",
        "SPIFFE://Cluster.Local/ns/shop/sa/admin",
        "spiffe://client.example/a;URI=spiffe://client.example/b",
        "spiffe://client.example/a,By=x",
        "https://client.example/?a=b;URI=c",
    ];
    for (number, uri) in confusing.into_iter().enumerate() {
        assert_eq!(named(number + 1, uri), (403, String::from("RBAC: access denied")), "{uri}");
    }

    // A workload that passes its own sidecar by is not believed when it speaks of clients.
    let inbound = mesh.address("MESH_INBOUND_WEST_SIDECARS_SHOP_WEB");
    let (certificate, key) = mesh.identity("west", "shop", "inside");
    let inside = |more: &[&str]| {
        let sni = "outbound_.80_._.web.shop.svc.cluster.local";
        let connect = format!("{sni}:443:{inbound}");
        let mut command = Command::new(tools::system("curl"));
        command.args([
            "--silent",
            "--insecure",
            "--max-time",
            "20",
            "--noproxy",
            "*",
            "--write-out",
            "\n%{http_code}",
        ]);
        command
            .args(["--connect-to", &connect])
            .arg("--cert")
            .arg(&certificate)
            .arg("--key")
            .arg(&key)
            .args(more);
        let output = process::run(command.arg(format!("https://{sni}/")));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let honest = inside(&[]);
    assert!(honest.ends_with("\n200"), "{honest}");
    assert_eq!(inside(&spoofed), "RBAC: access denied\n403");
}

crate::on_both_data_planes!(clients_show_certificates_and_services_are_told);
