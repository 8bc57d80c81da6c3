//! Egress gateways: hosts outside are called through them.

use std::process::Command;

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
  service web { clusters = [west, east], port http { number = 8080 }, calls = [pay] }
  service idle { clusters = [west], port http { number = 8080 } }
  external pay {
    hosts    = ["api.pay.example"]
    through  = west.egress
    port http { number = 80, target = 443, protocol = http, tls { ca = "pay-ca", client_certificate = "pay-client" } }
    port tls  { number = 443, protocol = tls }
    port sql  { number = 5432, protocol = tcp }
  }
  route shop {
    gateway = west.ingress
    hosts   = ["shop.example"]
    rule { match { prefix = "/idle" }, to = idle }
    rule { to = pay.http, rewrite { host = "api.pay.example" } }
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

    // The secrets of the host are the gateway's alone.
    let secrets =
        |proxy: &str| mesh.directory().join("proxies").join(proxy).join("etc/mesh/outside-tls").exists();
    assert!(secrets("west/gateways/egress"));
    assert!(!secrets("west/sidecars/shop/web") && !secrets("west/gateways/ingress"));
    for file in files(&mesh).iter().filter(|file| !file.to_string_lossy().contains("/gateways/egress/")) {
        assert!(!endpoints(file).iter().any(|host| host.contains("pay.example")), "{}", file.display());
    }
}

crate::on_both_data_planes!(an_egress_gateway_connects_for_those_who_declared_their_call);
