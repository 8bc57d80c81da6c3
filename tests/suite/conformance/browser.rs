//! A browser at the TLS port of an ingress gateway: HTTP/2, WebSockets over it, and what pages of other origins may ask for.

use std::process::Command;

use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::{process, tools};

const SHOP: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net, region = "here"
  gateway in { role = ingress, address = 10.0.0.1, port https { number = 443, tls { secret = "shop-tls" } } }
}
namespace shop {
  service page { clusters = [west], port http { number = 80 } }
  service api  { clusters = [west], port http { number = 80 } }
  route page { gateway = west.in, hosts = ["page.example"], to = page }
  route api {
    gateway = west.in, hosts = ["api.example"]
    rule {
      match { path = "/open" }
      to = api
      cors {
        allow_origins = ["https://page.example"], allow_methods = ["PUT"], allow_headers = ["x-kind"]
        expose_headers = ["x-served"]
      }
      response_headers { set = { "x-served" = "yes" } }
    }
    // Another origin; not this header; and a route that says nothing to pages.
    rule {
      match { path = "/closed" }
      to = api
      cors { allow_origins = ["https://other.example"], allow_methods = ["PUT"], allow_headers = ["x-kind"] }
    }
    rule {
      match { path = "/narrow" }
      to = api
      cors { allow_origins = ["https://page.example"], allow_methods = ["PUT"] }
    }
    rule { match { path = "/silent" }, to = api }
  }
}
"#;

fn a_browser_finds_what_it_expects(data_plane: DataPlane) {
    let mesh = Mesh::up(SHOP, data_plane);
    let mut command = Command::new(tools::workspace().join("tests/.tools/venv/bin/python"));
    // Nothing is written beside the sources.
    command.arg("-B").arg(tools::workspace().join("tests/clients/browser.py")).arg(tools::browser());
    command.arg(mesh.address("MESH_GATEWAY_WEST_IN_443").to_string());
    command.arg(mesh.variable("MESH_CACERT_WEST_IN_443"));
    // Envoy resets the stream of a WebSocket over HTTP/2 when the application has closed its connection, so a browser calls
    // the end unclean although both sides have said why they end.
    command.arg(match data_plane {
        DataPlane::Envoy => "reset",
        DataPlane::Meshd => "clean",
    });
    assert_eq!(process::succeed(&mut command).trim(), "ok");
}

crate::on_both_data_planes!(a_browser_finds_what_it_expects);
