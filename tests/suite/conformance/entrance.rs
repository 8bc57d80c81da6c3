//! Who may come in at an ingress gateway and by its routes: clients by their address, and by what they ask for.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, raw, tools};

/// Behind one trusted proxy a test can be any client; behind a load balancer too; at `lone` it is who connects.
const SOURCE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net
  region  = "here"
  gateway in   { role = ingress, address = 192.0.2.10, trusted_hops = 1, port http { number = 80 }, port spare { number = 81 } }
  gateway lone { role = ingress, address = 192.0.2.11, port http { number = 80 }, port sql { number = 5432, protocol = tcp } }
  gateway pp   {
    role = ingress
    address = 192.0.2.12
    port http { number = 80, proxy_protocol = true }
    port sql  { number = 5432, protocol = tcp, proxy_protocol = true }
    port tls  { number = 443, protocol = tls, proxy_protocol = true }
    port none { number = 5433, protocol = tcp, proxy_protocol = true }
  }
}
namespace shop {
  service web    { clusters = [west], port http { number = 80 } }
  service ledger { clusters = [west], port sql { number = 5432, protocol = tcp } }
  route free  { gateway = west.in, hosts = ["free.example"], to = web }
  route admin {
    gateway = west.in
    hosts   = ["admin.example"]
    rule { match { prefix = "/moved" }, redirect { path = "/" } }
    rule { to = web }
  }
  route tried { gateway = west.in, hosts = ["tried.example"], to = web }
  route lone  { gateway = west.lone.http, hosts = ["lone.example"], to = web }
  route bytes { gateway = west.lone.sql, to = ledger }
  route front { gateway = west.pp.http, hosts = ["front.example"], to = web }
  route sql   { gateway = west.pp.sql, to = ledger }
  route none  { gateway = west.pp.none, to = ledger }
  route tls   { gateway = west.pp.tls, hosts = ["tls.example"], to = ledger }

  policy banned {
    gateways = [west.in]
    deny { addresses = [198.51.100.0/24, 2001:db8:bad::/48], except { addresses = [198.51.100.7] } }
    deny { ports = ["spare"], hosts = ["free.example"], except { match { path = "/health" } } }
  }
  policy office {
    routes = [admin]
    allow { addresses = [203.0.113.0/24, 2001:db8:1::/48] }
    allow { match { path = "/public" } }
    deny  { addresses = [203.0.113.66], match { methods = ["POST"] } }
    rate_limit { scope = pod, total = 5/d }
  }
  policy tried {
    routes = [tried]
    allow { mode = audit, addresses = [203.0.113.0/24] }
    deny  { mode = audit, addresses = [203.0.113.66] }
  }
  policy lone  { gateways = [west.lone], deny { addresses = [127.0.0.2/31] } }
  policy front {
    gateways = [west.pp]
    allow { addresses = [203.0.113.0/24, 2001:db8:1::/48] }
    deny  { addresses = [203.0.113.128/25] }
  }
  policy sql   { routes = [sql, tls], deny { addresses = [2001:db8:1:1::/64, 203.0.113.9] } }
  policy none  { routes = [none], allow { addresses = [192.0.2.1] } }
}
"#;

/// The lines of a gateway's log about requests for these paths, once there is one for each, in order.
fn logged(mesh: &Mesh, paths: &[&str]) -> Vec<serde_json::Value> {
    process::eventually("all requests are logged", Duration::from_secs(20), || {
        let log = mesh.log("west/gateways/in");
        let lines: Vec<serde_json::Value> =
            log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        paths.iter().map(|path| lines.iter().find(|line| line["path"] == *path).cloned()).collect()
    })
}

/// Status of a request from one of the addresses of loopback.
fn from_address(source: &str, address: SocketAddr, host: &str) -> u16 {
    let mut command = Command::new(tools::system("curl"));
    command.args(["--silent", "--max-time", "20", "--output", "/dev/null", "--write-out", "%{http_code}"]);
    command.args(["--noproxy", "*", "--interface", source, "--header", &format!("host: {host}")]);
    let output = process::run(command.arg(format!("http://{address}/")));
    String::from_utf8_lossy(&output.stdout).parse().expect("a status")
}

/// The header of the PROXY protocol.
fn proxied(client: &str) -> String {
    let (family, destination) = if client.contains(':') { ("TCP6", "::1") } else { ("TCP4", "192.0.2.12") };
    format!("PROXY {family} {client} {destination} 5000 80\r\n")
}

/// Whether the server behind a port of bytes, which speaks first, is reached by who sends this.
fn is_greeted(mesh: &Mesh, gateway: &str, first: &[u8]) -> bool {
    let address = mesh.address(&format!("MESH_GATEWAY_WEST_{gateway}"));
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    stream.write_all(first).expect("written");
    let mut line = String::new();
    let read = BufReader::new(stream).read_line(&mut line);
    read.is_ok() && line.contains("shop.ledger")
}

/// The beginning of TLS towards a server (RFC 8446, section 4.1.2, and RFC 6066, section 3).
fn client_hello(name: &str) -> Vec<u8> {
    let sized = |bytes: Vec<u8>, width: usize| {
        let length = u32::try_from(bytes.len()).expect("short").to_be_bytes();
        [length[4 - width..].to_vec(), bytes].concat()
    };
    let names = sized([vec![0], sized(name.as_bytes().to_vec(), 2)].concat(), 2);
    let server_name = [vec![0, 0], sized(names, 2)].concat();
    let versions = vec![0, 43, 0, 3, 2, 3, 4];
    let suites = vec![0, 2, 0x13, 0x01];
    let parts =
        [vec![3, 3], vec![7; 32], vec![0], suites, vec![1, 0], sized([server_name, versions].concat(), 2)];
    let handshake = [vec![1], sized(parts.concat(), 3)].concat();
    [vec![0x16, 3, 1], sized(handshake, 2)].concat()
}

fn clients_come_in_by_their_addresses(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let ask = |client: &str, host: &str, path: &str| {
        mesh.ingress("WEST_IN", &Request::get(host, path).header("x-forwarded-for", client)).status
    };
    // The gateway's rules hold for all hosts, also for those that nobody serves.
    for (client, status) in [
        ("203.0.113.1", 200),
        ("198.51.100.1", 403),
        ("198.51.100.7", 200),
        ("2001:db8:bad:1::1", 403),
        ("2001:db8:bae::1", 200),
        ("::ffff:198.51.100.1", 403),
        ("::ffff:198.51.100.7", 200),
        ("::ffff:198.51.101.1", 200),
        // What a client says before the proxy is not its address.
        ("203.0.113.1, 198.51.100.1", 403),
        ("198.51.100.1, 203.0.113.1", 200),
        // Without a word of the proxy it is whoever connects.
        ("unknown", 200),
    ] {
        assert_eq!(ask(client, "free.example", "/"), status, "{client}");
        let unserved = if status == 200 { 404 } else { 403 };
        assert_eq!(ask(client, "unserved.example", "/"), unserved, "{client}");
    }
    // Those of a route for what it takes, answers of the gateway included. Whoever is refused is not counted.
    for (client, path, status) in [
        ("192.0.2.1", "/", 403),
        ("192.0.2.1", "/moved", 403),
        ("192.0.2.1", "/public/", 403),
        ("2001:db8:2::1", "/", 403),
        ("::ffff:192.0.2.1", "/", 403),
        ("192.0.2.1", "/public", 200),
        ("203.0.113.66", "/", 200),
        ("::ffff:203.0.113.1", "/", 200),
        ("2001:db8:1:9::1", "/", 200),
        ("203.0.113.1", "/moved", 302),
        ("203.0.113.1", "/over", 429),
        // Both rules must admit.
        ("198.51.100.1", "/public", 403),
    ] {
        assert_eq!(ask(client, "admin.example", path), status, "{client} {path}");
    }
    let post = Request::get("admin.example", "/posted").method("POST", "");
    let posted = |client: &str| mesh.ingress("WEST_IN", &post.clone().header("x-forwarded-for", client));
    assert_eq!((posted("203.0.113.66").status, posted("203.0.113.1").status), (403, 429));

    // Rules that are tried refuse nothing.
    for (client, path) in [("203.0.113.1", "/fine"), ("203.0.113.66", "/denied"), ("192.0.2.1", "/not")] {
        assert_eq!(ask(client, "tried.example", path), 200, "{client}");
    }
    assert_eq!(ask("198.51.100.2", "free.example", "/banned"), 403);
    let lines = logged(&mesh, &["/fine", "/denied", "/not", "/banned", "/posted", "/public/"]);
    let tried: Vec<_> = lines.iter().map(|line| line["audit"].as_str()).collect();
    assert_eq!(tried[..3], [None, Some("deny.tried"), Some("none")], "{lines:?}");
    let details: Vec<_> =
        lines[3..].iter().map(|line| line["details"].as_str().unwrap_or_default()).collect();
    let of = |rule: &str| format!("rbac_access_denied_matched_policy[{rule}]");
    assert_eq!(details, [of("deny.banned"), of("deny.office"), of("none")], "{lines:?}");

    // A rule for one port of the gateway.
    let spare = |path: &str| {
        let address = mesh.address("MESH_GATEWAY_WEST_IN_81");
        Request::get("free.example", path).header("x-forwarded-for", "203.0.113.1").send(address).status
    };
    assert_eq!((spare("/"), spare("/health")), (403, 200));

    // What proxies in front tell applications is believed where one is trusted only.
    let told = ["forwarded", "x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-ssl"];
    let told = told.into_iter().chain(["x-forwarded-of-theirs", "x-forwarded-fo", "x-forwarded-for-all"]);
    let told: Vec<_> =
        told.chain(["x-original-url", "x-rewrite-url", "x-real-ip", "true-client-ip"]).collect();
    let other = ["x_original_url", "x-original_url", "x_real_ip", "true_client-ip", "x-rewrite_url"];
    let arrived = |gateway: &str, host: &str| {
        let names = told.iter().chain(&other);
        let request = Request::get(host, "/").header("x-forwarded-for", "203.0.113.1");
        let request = names.fold(request, |request, name| request.header(name, "stranger"));
        let seen = mesh.ingress(gateway, &request.header("x-original", "kept")).json();
        let headers = seen["headers"].as_object().expect("the application tells its headers").clone();
        assert_eq!(headers["x-original"], "kept");
        let of_client = headers.into_iter().filter(|(_, value)| *value == "stranger");
        of_client.map(|(name, _)| name).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(arrived("WEST_LONE_80", "lone.example"), [].into());
    let trusted: std::collections::BTreeSet<_> = told.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(arrived("WEST_IN_80", "free.example"), trusted);

    // A gateway appends to what it is told of a way that it does not believe: what is last is true.
    for (gateway, host) in [("WEST_LONE_80", "lone.example"), ("WEST_IN_80", "free.example")] {
        let request = Request::get(host, "/").header("x-forwarded-for", "203.0.113.9, 203.0.113.1");
        let seen = mesh.ingress(gateway, &request).json();
        let way = seen["headers"]["x-forwarded-for"].as_str().unwrap_or_default().to_owned();
        let entries: Vec<&str> = way.split(',').map(str::trim).collect();
        assert_eq!(
            (entries.len(), entries[..2].to_vec()),
            (3, vec!["203.0.113.9", "203.0.113.1"]),
            "{gateway}: {way}"
        );
    }

    // Without anybody who could say it, it is the address that connects, whatever is said.
    let lone = mesh.address("MESH_GATEWAY_WEST_LONE_80");
    assert_eq!(from_address("127.0.0.1", lone, "lone.example"), 200);
    assert_eq!(from_address("127.0.0.3", lone, "lone.example"), 403);
    assert_eq!(from_address("127.0.0.4", lone, "lone.example"), 200);
    let claim = Request::get("lone.example", "/").header("x-forwarded-for", "127.0.0.2");
    assert_eq!(claim.send(lone).status, 200);
}

fn load_balancers_say_whose_connections_come_in(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let http = mesh.address("MESH_GATEWAY_WEST_PP_80");
    let request = "GET / HTTP/1.1\r\nhost: front.example\r\nconnection: close\r\n\r\n";
    let ask = |client: &str| raw::http1(http, format!("{}{request}", proxied(client)).as_bytes()).word();
    for (client, by_gateway, by_route) in [
        ("203.0.113.1", true, true),
        ("203.0.113.9", true, false),
        ("203.0.113.129", false, false),
        ("192.0.2.1", false, false),
        ("2001:db8:1::1", true, true),
        ("2001:db8:1:1::1", true, false),
        ("2001:db8:2::1", false, false),
        ("::ffff:203.0.113.1", true, true),
        ("::ffff:203.0.113.9", true, false),
        ("::ffff:203.0.113.200", false, false),
        ("::ffff:192.0.2.1", false, false),
    ] {
        assert_eq!(ask(client), if by_gateway { "200" } else { "403" }, "{client}");
        // Where there are connections only, those of others are closed before a byte is exchanged.
        let header = proxied(client);
        assert_eq!(is_greeted(&mesh, "PP_5432", header.as_bytes()), by_route, "{client}");
        // What the gateway admits the route does not, and the other way round.
        assert!(!is_greeted(&mesh, "PP_5433", header.as_bytes()), "{client}");
    }
    // TLS by its name: a server that does not speak it is reached, or the connection is closed at once.
    let begins = |client: &str| {
        let first = [proxied(client).into_bytes(), client_hello("tls.example")].concat();
        is_greeted(&mesh, "PP_443", &first)
    };
    assert!(begins("203.0.113.1") && begins("2001:db8:1::1") && begins("::ffff:203.0.113.1"));
    for client in ["203.0.113.9", "192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1:1::1"] {
        assert!(!begins(client), "{client}");
    }
    assert!(is_greeted(&mesh, "LONE_5432", b""));
    process::eventually("refused connections are logged", Duration::from_secs(20), || {
        mesh.log("west/gateways/pp").contains("203.0.113.9:5000").then_some(())
    });
}

crate::on_both_data_planes!(clients_come_in_by_their_addresses, load_balancers_say_whose_connections_come_in,);
