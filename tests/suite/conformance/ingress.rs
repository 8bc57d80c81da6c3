//! Gateways towards clients outside the mesh: certificates and ports.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, raw, tools};

/// A cluster with the given ports of its ingress gateway, two services, and the given routes.
pub(crate) fn source(ports: &str, routes: &str) -> String {
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

fn bytes_and_tls_pass_through_a_gateway(data_plane: DataPlane) {
    let ports = r#"
    port http { number = 80 }
    port more { number = 8080 }
    port sql { number = 5432, protocol = tcp }
    port unused { number = 5433, protocol = tcp }
    port tls { number = 9443, protocol = tls }"#;
    let routes = r#"
  service ledger { clusters = [west], port sql { number = 5432, protocol = tcp } }
  service vault { clusters = [west], port tls { number = 9443, protocol = tcp } }
  service spare { clusters = [west], port tls { number = 9443, protocol = tcp } }
  route web { gateway = west.ingress.http, hosts = ["shop.example"], to = web }
  route more { gateway = west.ingress.more, hosts = ["shop.example"], respond { status = 418 } }
  route ledger { gateway = west.ingress.sql, to = ledger }
  route vault { gateway = west.ingress.tls, hosts = ["vault.example", "*.vault.example"], to = vault }
  route either {
    gateway  = west.ingress.tls
    hosts    = ["either.vault.example"]
    failover = destinations
    destination { to = spare }
    destination { to = vault }
  }"#;
    let mesh = Mesh::up(&source(ports, routes), data_plane);
    // Of 80 and 8080 each is itself, although the first one is moved in the pod.
    for (port, status) in [("80", 200), ("8080", 418)] {
        let answer = mesh.ingress(&format!("WEST_INGRESS_{port}"), &Request::get("shop.example", "/"));
        assert_eq!(answer.status, status, "{port}");
    }
    let line = |address: SocketAddr| {
        let stream = TcpStream::connect(address).expect("the gateway listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        let mut line = String::new();
        // One that is closed or reset says nothing.
        let _ = BufReader::new(stream).read_line(&mut line);
        line
    };
    let banner = line(mesh.address("MESH_GATEWAY_WEST_INGRESS_5432"));
    assert!(banner.contains("shop.ledger"), "{banner:?}");
    assert_eq!(line(mesh.address("MESH_GATEWAY_WEST_INGRESS_5433")), "", "a port without a route");

    // An application that ends TLS itself.
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let mut make = Command::new(tools::system("openssl"));
    make.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
    ]);
    make.args(["-subj", "/CN=vault", "-addext", "subjectAltName=DNS:vault.example,DNS:*.vault.example"]);
    process::succeed(make.arg("-keyout").arg(&key).arg("-out").arg(&certificate));
    let listener = mesh.replace("shop.vault", "west", "WEST_SIDECARS_SHOP_VAULT_9443");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let mut serve = Command::new(tools::system("openssl"));
    serve.args(["s_server", "-www", "-quiet", "-accept", &address.to_string()]);
    serve.arg("-cert").arg(&certificate).arg("-key").arg(&key);
    let mut server = Ended(serve.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("openssl runs"));
    let gateway = mesh.address("MESH_GATEWAY_WEST_INGRESS_9443");
    let trusted = certificate.to_str().expect("UTF-8");
    process::eventually("the application answers", Duration::from_secs(20), || {
        (curl(gateway, "vault.example", &["--cacert", trusted]).status == 200).then_some(())
    });
    assert_eq!(curl(gateway, "deep.vault.example", &["--cacert", trusted]).status, 200);
    assert_eq!(curl(gateway, "Deep.Vault.Example", &["--cacert", trusted]).status, 200);
    // Of two destinations the one that lives gets what the other one would have got.
    mesh.fail("shop.spare", "west", "gone");
    let either = || curl(gateway, "either.vault.example", &["--cacert", trusted]).status == 200;
    process::eventually("the other one takes over", Duration::from_secs(20), || {
        (0..6).all(|_| either()).then_some(())
    });
    for host in ["other.example", "127.0.0.1"] {
        assert_eq!(curl(gateway, host, &["--insecure"]).exit, REFUSED, "{host}");
    }
    assert!(server.0.try_wait().expect("it runs").is_none(), "the application is still there");
}

/// A process that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_load_balancer_says_who_the_client_is(data_plane: DataPlane) {
    let ports = r#"
    trusted_hops = 1
    port http { number = 80, proxy_protocol = true }
    port https { number = 443, proxy_protocol = true, tls { secret = "shop-tls" } }
    port sql { number = 5432, protocol = tcp, proxy_protocol = true }"#;
    let routes = r#"
  service ledger { clusters = [west], port sql { number = 5432, protocol = tcp } }
  route web { gateway = west.ingress, hosts = ["shop.example"], to = web }
  route ledger { gateway = west.ingress.sql, to = ledger }"#;
    let mesh = Mesh::up(&source(ports, routes), data_plane);
    let http = mesh.address("MESH_GATEWAY_WEST_INGRESS_80");
    let request = b"GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n";
    let through =
        b"GET / HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 198.51.100.9\r\nconnection: close\r\n\r\n";
    let v4 = b"PROXY TCP4 203.0.113.7 203.0.113.8 5000 80\r\n".to_vec();
    let v6 = b"PROXY TCP6 2001:db8::7 2001:db8::8 5000 80\r\n".to_vec();
    let binary =
        [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\xcb\0\x71\x08\x13\x88\0\x50"[..]].concat();
    let seen = |header: &[u8], request: &[u8]| {
        let outcome = raw::http1(http, &[header, request].concat());
        let line = outcome.json()["headers"]["x-forwarded-for"].as_str().unwrap_or_default().to_owned();
        // White space between the entries of a list means nothing.
        line.replace(' ', "")
    };
    assert_eq!(seen(&v4, request), "203.0.113.7");
    assert_eq!(seen(&v4, through), "198.51.100.9,203.0.113.7");
    assert_eq!(seen(&v6, request), "2001:db8::7");
    assert_eq!(seen(&binary, request), "203.0.113.9");
    process::eventually("the log has the client", Duration::from_secs(20), || {
        let log = mesh.log("west/gateways/ingress");
        (log.contains("203.0.113.7:5000") && log.contains("203.0.113.9:5000")).then_some(())
    });
    for odd in
        [&b""[..], b"PROXY TCP4 203.0.113.7 203.0.113.8 5000\r\n", b"PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n"]
    {
        let answer = raw::http1(http, &[odd, request].concat());
        assert_eq!(answer.word(), "none", "{}", String::from_utf8_lossy(odd));
    }
    let https = mesh.address("MESH_GATEWAY_WEST_INGRESS_443");
    let trusted = mesh.variable("MESH_CACERT_WEST_INGRESS_443");
    assert_eq!(
        curl(https, "shop.example", &["--haproxy-protocol", "--cacert", trusted]).answer(),
        got(200, "shop.web")
    );
    assert_eq!(curl(https, "shop.example", &["--cacert", trusted]).exit, REFUSED, "no header");
    let mut sql = TcpStream::connect(mesh.address("MESH_GATEWAY_WEST_INGRESS_5432")).expect("it listens");
    sql.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    sql.write_all(&v4).expect("written");
    let mut line = String::new();
    BufReader::new(sql).read_line(&mut line).expect("the server speaks first");
    assert!(line.contains("shop.ledger"), "{line:?}");
}

crate::on_both_data_planes!(
    the_host_chooses_one_of_several_certificates,
    bytes_and_tls_pass_through_a_gateway,
    a_load_balancer_says_who_the_client_is,
);
