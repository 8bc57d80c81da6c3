//! TLS that a gateway ends for bytes: the service behind it gets them as they were said.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::tools;

const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in {
    role = ingress, address = 10.0.0.1
    port one   { number = 5432, protocol = tcp, tls { secret = "one-tls" } }
    port named {
      number = 5433, protocol = tcp
      tls {
        certificate { secret = "first-tls", hosts = ["first.example"] }
        certificate { secret = "other-tls", hosts = ["*.other.example"] }
      }
    }
    port known { number = 5434, protocol = tcp, tls { secret = "known-tls", minimum_version = tls13, client_ca = "partners" } }
    port idle  { number = 5435, protocol = tcp, tls { secret = "idle-tls" } }
    port fenced { number = 5436, protocol = tcp, tls { secret = "fenced-tls", client_ca = "partners", client_certificate = optional } }
  }
}
namespace shop {
  service ledger { clusters = [west], port sql { number = 5432, protocol = tcp } }
  route one   { gateway = west.in.one, to = ledger }
  route named { gateway = west.in.named, to = ledger }
  route known { gateway = west.in.known, to = ledger }
  route fenced { gateway = west.in.fenced, to = ledger }
  policy fenced { routes = [fenced], allow { addresses = [127.0.0.0/30] }, deny { addresses = [127.0.0.3] } }
  policy named { routes = [named], deny { addresses = [127.0.0.3] } }
}
"#;

/// What a client hears that says a word over TLS: the server speaks first, and then says the word again. Empty if the
/// connection ends before that.
fn heard(gateway: SocketAddr, name: &str, more: &[&str]) -> (String, String) {
    let mut client = Command::new(tools::system("openssl"))
        .args(["s_client", "-quiet", "-connect", &gateway.to_string(), "-servername", name])
        .args(["-verify_return_error", "-verify_hostname", name])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl runs");
    let mut input = client.stdin.take().expect("piped");
    let mut output = BufReader::new(client.stdout.take().expect("piped"));
    let (mut banner, mut echo) = (String::new(), String::new());
    // What is refused ends, and may have before anything is said.
    let _ = output.read_line(&mut banner);
    let _ = input.write_all(b"word\n");
    let _ = output.read_line(&mut echo);
    let _ = client.kill();
    client.wait().expect("openssl ends");
    (banner, echo)
}

fn bytes_are_taken_out_of_tls(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    let gateway = |number: u16| mesh.address(&format!("MESH_GATEWAY_WEST_IN_{number}"));
    let trusted = |secret: &str| mesh.variable(&format!("MESH_CACERT_WEST_IN_{secret}")).to_owned();
    let served = |(banner, echo): (String, String)| banner.contains("shop.ledger") && echo == "word\n";
    let silent = (String::new(), String::new());

    // The only certificate is shown for every name, over both versions of TLS.
    let one = trusted("5432");
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(served(heard(gateway(5432), "localhost", &["-CAfile", &one, version])), "{version}");
    }
    // What is no TLS is closed.
    let mut plain = TcpStream::connect(gateway(5432)).expect("the gateway listens");
    plain.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    plain.write_all(b"word\n").expect("written");
    let mut said = Vec::new();
    // An alert of TLS, a reset or an end.
    let _ = plain.read_to_end(&mut said);
    assert!(!String::from_utf8_lossy(&said).contains("ledger"), "{said:?}");

    // Several are chosen by name, and a name of none is refused.
    let (first, other) = (trusted("FIRST_TLS"), trusted("OTHER_TLS"));
    for (name, file, expected) in [
        ("first.example", &first, true),
        ("a.other.example", &other, true),
        ("first.example", &other, false),
        ("b.example", &first, false),
    ] {
        assert_eq!(served(heard(gateway(5433), name, &["-CAfile", file])), expected, "{name} {file}");
    }

    // A client without a certificate is refused in the handshake, before the server has said a word.
    let known = trusted("5434");
    let [shown, key] =
        ["CERT", "KEY"].map(|what| mesh.variable(&format!("MESH_CLIENT_{what}_WEST_IN_PARTNERS")).to_owned());
    let with = ["-CAfile", &known, "-cert", &shown, "-key", &key];
    assert!(served(heard(gateway(5434), "localhost", &with)));
    assert_eq!(heard(gateway(5434), "localhost", &["-CAfile", &known]), silent);
    assert_eq!(heard(gateway(5434), "localhost", &[&with[..], &["-tls1_2"]].concat()), silent, "too old");

    // By the address of the client as well, whichever certificate it is shown and whether or not it shows one.
    let fenced = trusted("5436");
    for (client, admitted) in
        [("127.0.0.1", true), ("127.0.0.2", true), ("127.0.0.3", false), ("127.0.0.9", false)]
    {
        let from = ["-bind", &format!("{client}:0")];
        let plain = [&from[..], &["-CAfile", &fenced]].concat();
        let shown = [&plain[..], &["-cert", &shown, "-key", &key]].concat();
        for arguments in [plain, shown] {
            assert_eq!(served(heard(gateway(5436), "localhost", &arguments)), admitted, "{client}");
        }
    }
    for (client, admitted) in [("127.0.0.2", true), ("127.0.0.3", false)] {
        for (name, file) in [("first.example", &first), ("a.other.example", &other)] {
            let from = ["-bind", &format!("{client}:0"), "-CAfile", file];
            assert_eq!(served(heard(gateway(5433), name, &from)), admitted, "{client} {name}");
        }
    }

    assert_eq!(heard(gateway(5435), "localhost", &[]), silent, "a port without a route");
}

crate::on_both_data_planes!(bytes_are_taken_out_of_tls);
