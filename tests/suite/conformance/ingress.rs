//! Gateways towards clients outside the mesh: certificates, ports, and what is known of a client.

use std::net::SocketAddr;
use std::process::Command;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

/// A cluster with the given ports of its ingress gateway, two services, and the given routes.
fn source(ports: &str, routes: &str) -> String {
    format!(
        r#"
mesh usmesh {{ trust_domain = "cluster.local", trust = acme }}
trust acme {{}}
network west-net {{}}
cluster west {{
  network = west-net
  region  = "westus"
  gateway ingress {{
    role    = ingress
    address = 172.18.255.200
    {ports}
  }}
}}
namespace shop {{
  service web {{ clusters = [west], port http {{ number = 80 }} }}
  service admin {{ clusters = [west], port http {{ number = 80, target = 8080 }} }}
  {routes}
}}
"#
    )
}

/// What curl got: its exit status, the status of the answer, the version of HTTP, and the service that answered.
#[derive(Debug, PartialEq, Eq)]
struct Got {
    exit: Option<i32>,
    status: u16,
    version: String,
    service: String,
}

/// A client outside the mesh that asks for `host` at a gateway's port over TLS.
fn curl(gateway: SocketAddr, host: &str, arguments: &[&str]) -> Got {
    let mut command = Command::new(tools::system("curl"));
    command.args([
        "--silent",
        "--max-time",
        "20",
        "--noproxy",
        "*",
        "--write-out",
        "\n%{http_code} %{http_version}",
    ]);
    command.args(["--resolve", &format!("{host}:{}:127.0.0.1", gateway.port())]).args(arguments);
    command.arg(format!("https://{host}:{}/", gateway.port()));
    let output = process::run(&mut command);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, last) = text.rsplit_once('\n').expect("curl writes its line");
    let (status, version) = last.split_once(' ').expect("two words");
    let seen: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    Got {
        exit: output.status.code(),
        status: status.parse().expect("a number"),
        version: version.to_owned(),
        service: seen["service"].as_str().unwrap_or_default().to_owned(),
    }
}

fn got(status: u16, service: &str) -> (Option<i32>, u16, String) {
    (Some(0), status, service.to_owned())
}

impl Got {
    fn answer(self) -> (Option<i32>, u16, String) {
        (self.exit, self.status, self.service)
    }
}

/// curl's exit statuses: the handshake failed, and the certificate is not to be trusted.
const REFUSED: Option<i32> = Some(35);
const UNTRUSTED: Option<i32> = Some(60);

fn the_host_chooses_one_of_several_certificates(data_plane: DataPlane) {
    let ports = r#"
    port https {
      number = 443
      tls {
        certificate { secret = "shop-tls", hosts = ["shop.example", "*.shop.example"] }
        certificate { secret = "admin-tls", hosts = ["ADMIN.example", "deep.shop.example"] }
      }
    }
    port modern {
      number = 9443
      tls {
        secret          = "all-tls"
        minimum_version = tls13
        alpn            = [http1]
        certificate { secret = "admin-tls", hosts = ["admin.example"] }
      }
    }"#;
    let routes = r#"
  route web {
    gateways = [west.ingress.https, west.ingress.modern]
    hosts    = ["shop.example", "*.shop.example"]
    to       = web
  }
  route admin { every_gateway = "ingress", hosts = ["admin.example"], to = admin }
  route rest { gateway = west.ingress.modern, hosts = ["*"], to = web }"#;
    let mesh = Mesh::up(&source(ports, routes), data_plane);
    let https = mesh.address("MESH_GATEWAY_WEST_INGRESS_443");
    let trusting = |secret: &str| mesh.variable(&format!("MESH_CACERT_WEST_INGRESS_{secret}")).to_owned();
    let (shop, admin, all) = (trusting("SHOP_TLS"), trusting("ADMIN_TLS"), trusting("ALL_TLS"));

    for (host, certificate, service) in [
        ("shop.example", &shop, "shop.web"),
        ("m.shop.example", &shop, "shop.web"),
        ("admin.example", &admin, "shop.admin"),
        ("deep.shop.example", &admin, "shop.web"),
        ("Admin.Example", &admin, "shop.admin"),
    ] {
        let got_it = curl(https, host, &["--cacert", certificate]);
        assert_eq!(
            (got_it.exit, got_it.status, got_it.version.as_str()),
            (Some(0), 200, "2"),
            "{host}: {got_it:?}"
        );
        assert_eq!(got_it.service, service, "{host}");
    }
    assert_eq!(curl(https, "admin.example", &["--cacert", &shop]).exit, UNTRUSTED);
    assert_eq!(curl(https, "deep.shop.example", &["--cacert", &shop]).exit, UNTRUSTED);
    assert_eq!(curl(https, "other.example", &["--insecure"]).exit, REFUSED, "no certificate is for it");
    assert_eq!(curl(https, "127.0.0.1", &["--insecure"]).exit, REFUSED, "a client that sends no name");

    // A request for a host of another certificate than the one that was shown belongs on another connection, whatever the
    // version; one for another host of the same certificate does not.
    let asking = |host: &str, version: &str| {
        let host = format!("Host: {host}");
        curl(https, "shop.example", &["--cacert", &shop, version, "--header", &host]).answer()
    };
    for version in ["--http1.1", "--http2"] {
        assert_eq!(asking("admin.example", version), got(421, ""), "{version}");
        assert_eq!(asking("ADMIN.example:443", version), got(421, ""), "{version}");
        assert_eq!(asking("deep.shop.example", version), got(421, ""), "{version}");
        assert_eq!(asking("m.shop.example", version), got(200, "shop.web"), "{version}");
        assert_eq!(asking("unknown.example", version), got(404, ""), "{version}");
    }

    let modern = mesh.address("MESH_GATEWAY_WEST_INGRESS_9443");
    let over_http2 = ["--cacert", &all, "--http2"];
    let answer = curl(modern, "shop.example", &over_http2);
    assert_eq!((answer.status, answer.version.as_str(), answer.service.as_str()), (200, "1.1", "shop.web"));
    assert_eq!(curl(modern, "127.0.0.1", &["--cacert", &all]).answer(), got(200, "shop.web"), "no name");
    assert_eq!(curl(modern, "admin.example", &["--cacert", &admin]).answer(), got(200, "shop.admin"));
    let named = ["--cacert", &all, "--header", "Host: admin.example"];
    assert_eq!(curl(modern, "127.0.0.1", &named).answer(), got(421, ""));
    let old = ["--cacert", &all, "--tls-max", "1.2"];
    assert_eq!(curl(modern, "shop.example", &old).exit, REFUSED, "TLS 1.2");
    assert_eq!(
        curl(https, "shop.example", &["--cacert", &shop, "--tls-max", "1.2"]).answer(),
        got(200, "shop.web")
    );
}

crate::on_both_data_planes!(the_host_chooses_one_of_several_certificates);
