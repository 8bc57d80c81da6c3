//! Permissive ports: callers with an identity and callers without one, each by rules of their own.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};

const SOURCE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west { network = net, region = "here" }
namespace shop {
  client web   { clusters = [west], calls = [open, cart, sealed, ledger, sealed-ledger, mixed] }
  client batch { clusters = [west], calls = [open, cart, mixed] }

  // Without an `allow`: everybody, but what `deny` names.
  service open { clusters = [west], port http { number = 80, mtls = permissive } }
  policy open {
    targets = [open]
    deny { from = [batch, unauthenticated], match { prefix = "/admin" } }
  }

  // With one: callers without an identity need a rule of their own.
  service cart { clusters = [west], port http { number = 80, mtls = permissive } }
  policy cart {
    targets = [cart]
    allow { from = [web] }
    allow { from = [batch], match { path = "/batch" } }
    allow { from = [unauthenticated], match { prefix = "/public" } }
    deny  { from = [unauthenticated], match { path = "/public/keys" } }
  }

  // Without such a rule they are refused.
  service sealed { clusters = [west], port http { number = 80, mtls = permissive } }
  policy sealed { targets = [sealed], allow { from = [web] } }

  // Whoever has an identity, in both kinds of rules and in exceptions.
  service mixed { clusters = [west], port http { number = 80, mtls = permissive } }
  policy mixed {
    targets = [mixed]
    allow { from = [everyone], match { prefix = "/members" } }
    allow { from = [everyone, unauthenticated], match { path = "/page" } }
    allow { from = [unauthenticated], match { prefix = "/signup" } }
    deny  { from = [everyone], match { path = "/members/closed" } }
    deny  { from = [batch], match { prefix = "/members/web" } }
  }

  // On a TCP port there are connections only.
  service ledger { clusters = [west], port sql { number = 5432, protocol = tcp, mtls = permissive } }
  service sealed-ledger { clusters = [west], port sql { number = 5432, protocol = tcp, mtls = permissive } }
  policy ledger { targets = [ledger], allow { from = [web, unauthenticated] } }
  policy sealed-ledger { targets = [sealed-ledger], allow { from = [web] } }
}
"#;

/// Status and body of a request with the identity of a caller.
fn known(mesh: &Mesh, caller: &str, callee: &str, path: &str) -> (u16, String) {
    let call = format!("WEST_SHOP_{caller}__SHOP_{}_80", callee.to_uppercase());
    let answer = mesh.call(&call, &Request::get(callee, path));
    (answer.status, answer.body)
}

/// The inbound side of a service's sidecar.
fn inbound(mesh: &Mesh, callee: &str) -> SocketAddr {
    let part = callee.to_uppercase().replace('-', "_");
    mesh.address(&format!("MESH_INBOUND_WEST_SIDECARS_SHOP_{part}"))
}

/// Status and body of a plain request to the sidecar, as of a pod outside of the mesh.
fn unknown(mesh: &Mesh, callee: &str, path: &str) -> (u16, String) {
    let answer = Request::get(callee, path).send(inbound(mesh, callee));
    (answer.status, answer.body)
}

/// What a server that speaks first says to a plain connection.
fn first_words(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).expect("the sidecar listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    // Bytes that are no TLS, so that the sidecar need not wait for a hello.
    let _ = stream.write_all(b"echo\n");
    let mut said = [0; 64];
    let length = stream.read(&mut said).unwrap_or(0);
    String::from_utf8_lossy(&said[..length]).into_owned()
}

/// When a client ends its side of a connection.
#[derive(PartialEq)]
enum Ends {
    AtOnce,
    OnceItHeard,
}

/// All that a plain connection hears that says a word and then nothing more.
fn words_until_the_end(address: SocketAddr, ends: Ends) -> String {
    let mut stream = TcpStream::connect(address).expect("the sidecar listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
    stream.write_all(b"echo\n").expect("written");
    let mut heard = vec![0; 1];
    if ends == Ends::OnceItHeard {
        stream.read_exact(&mut heard).expect("the server speaks first");
    } else {
        heard.clear();
    }
    // Whoever was cut off has no end of its own to say.
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut heard);
    String::from_utf8_lossy(&heard).into_owned()
}

fn callers_without_identity_need_a_rule_of_their_own(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let refused = || (403, String::from("RBAC: access denied"));

    // No `allow`: everybody, over mTLS and plainly; `deny` names some of both.
    assert_eq!(known(&mesh, "BATCH", "open", "/").0, 200);
    assert_eq!(unknown(&mesh, "open", "/").0, 200);
    assert_eq!(known(&mesh, "BATCH", "open", "/admin/x"), refused());
    assert_eq!(unknown(&mesh, "open", "/admin/x"), refused());
    assert_eq!(known(&mesh, "WEB", "open", "/admin/x").0, 200);

    // Everyone with an identity, and nobody else.
    for (path, of_both, of_neither) in [
        ("/members/list", 200, 403),
        ("/members/closed", 403, 403),
        ("/page", 200, 200),
        ("/signup", 403, 200),
        ("/", 403, 403),
    ] {
        let found = ["WEB", "BATCH"].map(|caller| known(&mesh, caller, "mixed", path).0);
        assert_eq!((found, unknown(&mesh, "mixed", path).0), ([of_both; 2], of_neither), "{path}");
    }
    let found = ["WEB", "BATCH"].map(|caller| known(&mesh, caller, "mixed", "/members/web").0);
    assert_eq!(found, [200, 403], "`deny` wins over what everyone may");

    // An `allow`: each kind of caller by its own rules, and `deny` wins.
    assert_eq!(known(&mesh, "WEB", "cart", "/anything").0, 200);
    assert_eq!(known(&mesh, "BATCH", "cart", "/batch").0, 200);
    assert_eq!(
        known(&mesh, "BATCH", "cart", "/public"),
        refused(),
        "it has an identity, so its own rule decides"
    );
    assert_eq!(unknown(&mesh, "cart", "/public/list").0, 200);
    assert_eq!(unknown(&mesh, "cart", "/batch"), refused());
    assert_eq!(unknown(&mesh, "cart", "/"), refused());
    assert_eq!(unknown(&mesh, "cart", "/public/keys"), refused());
    assert_eq!(unknown(&mesh, "cart", "/public/../batch"), refused(), "paths are normalised first");

    // An `allow` that does not name them refuses them.
    assert_eq!(known(&mesh, "WEB", "sealed", "/").0, 200);
    assert_eq!(unknown(&mesh, "sealed", "/"), refused());

    // TCP: the same by connection.
    assert_ne!(first_words(inbound(&mesh, "ledger")), "");
    assert_eq!(first_words(inbound(&mesh, "sealed-ledger")), "");
    assert_eq!(
        words_until_the_end(inbound(&mesh, "ledger"), Ends::OnceItHeard),
        "shop.ledger in west\necho\n"
    );
    for _ in 0..10 {
        let heard = words_until_the_end(inbound(&mesh, "ledger"), Ends::AtOnce);
        // Envoy may take it for gone, which the reference says.
        let gone = data_plane == DataPlane::Envoy && heard.is_empty();
        assert!(gone || heard == "shop.ledger in west\necho\n", "{heard:?}");
    }
    assert_ne!(first_words(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_SEALED_LEDGER_5432")), "");
}

/// What a caller says about itself is no identity.
fn claimed_identities_are_removed(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let claim = "By=spiffe://cluster.local/ns/shop/sa/cart;URI=spiffe://cluster.local/ns/shop/sa/web";
    let request = Request::get("cart", "/batch").header("x-forwarded-client-cert", claim);
    assert_eq!(request.send(inbound(&mesh, "cart")).status, 403);
    let request = Request::get("cart", "/public").header("x-forwarded-client-cert", claim);
    let answer = request.send(inbound(&mesh, "cart"));
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains("sa/web"), "{}", answer.body);
}

crate::on_both_data_planes!(
    callers_without_identity_need_a_rule_of_their_own,
    claimed_identities_are_removed,
);
