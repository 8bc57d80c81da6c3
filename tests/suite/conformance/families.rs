//! A cluster of IPv6 beside one of IPv4: on this machine it is at ::1, and calls lead from one into the other.

use std::net::IpAddr;
use std::time::Duration;

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

use super::on_both_data_planes;

const SOURCE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west { network = west-net, region = "here" }
cluster east {
  network = east-net, region = "there", ip_family = ipv6
  gateway ingress  { role = ingress, address = fd00::1, port http { number = 80 } }
  gateway eastwest { role = east_west, addresses = [192.0.2.2, fd00::2] }
}
namespace shop {
  client web { clusters = [west], calls = [api] }
  service api { clusters = [east], port http { number = 80, mtls = permissive }, calls = [stock] }
  service stock { clusters = [east], port http { number = 80 } }
  route api { gateway = east.ingress, hosts = ["api.example"], to = api }
  policy api {
    targets = [api]
    allow { from = [web, east.ingress] }
    allow { from = [unauthenticated], addresses = [::1/128], match { path = "/near" } }
    allow { from = [unauthenticated], addresses = [fd00::/8, 127.0.0.0/8], match { path = "/far" } }
  }
}
"#;

fn a_cluster_of_ipv6_takes_and_makes_calls(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let loopback: IpAddr = "::1".parse().expect("an address");
    let inbound = mesh.address("MESH_INBOUND_EAST_SIDECARS_SHOP_API");
    for there in
        [inbound, mesh.address("MESH_GATEWAY_EAST_INGRESS"), mesh.address("MESH_GATEWAY_EAST_EASTWEST")]
    {
        assert_eq!(there.ip(), loopback);
    }
    assert_eq!(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_API_80").ip(), IpAddr::from([127, 0, 0, 1]));

    let over = mesh.call("WEST_SHOP_WEB__SHOP_API_80", &Request::get("api.shop", "/"));
    assert_eq!((over.status, over.field("cluster")), (200, String::from("east")), "{over:?}");
    let within = mesh.call("EAST_SHOP_API__SHOP_STOCK_80", &Request::get("stock.shop", "/"));
    assert_eq!(within.status, 200, "{within:?}");

    // Clients are known by their addresses. In `x-forwarded-for` Envoy has its own address for a client on loopback.
    let outside = mesh.ingress("EAST_INGRESS", &Request::get("api.example", "/seen"));
    assert_eq!(outside.status, 200, "{outside:?}");
    for (path, expected) in [("/near", 200), ("/far", 403)] {
        assert_eq!(Request::get("api", path).send(inbound).status, expected, "{path}");
    }
    process::eventually("the gateway has logged it", Duration::from_secs(20), || {
        let log = mesh.log("east/gateways/ingress");
        log.lines().any(|line| line.contains("\"/seen\"") && line.contains("\"[::1]:")).then_some(())
    });
}

on_both_data_planes!(a_cluster_of_ipv6_takes_and_makes_calls);
