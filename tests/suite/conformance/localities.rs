//! Shares of requests by cluster, in the place of an order.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::time::Duration;

use mesh_tests::http::{Connection, Request};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west { network = west-net, region = "west", gateway ew { role = east_west, address = 10.0.0.1 } }
cluster east {
  network = east-net
  region  = "east"
  gateway ew { role = east_west, address = 10.0.1.1 }
  gateway in { role = ingress, address = 10.0.1.2, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [cart, ledger] }
  service cart { clusters = [west, east], port http { number = 80 } }
  service ledger { clusters = [west, east], port sql { number = 5432, protocol = tcp } }
  route front { gateway = east.in, hosts = ["any"], to = cart }
  policy spread {
    failover { locality = { west = 80, east = 20 } }
    // On a busy machine a connection may take too long, which alone must not eject anything while shares are counted.
    outlier { consecutive_gateway_errors = 5, interval = 1s, ejection = 2s }
    pool { connect_timeout = 10s }
  }
}
"#;

/// How many of so many requests in a row each cluster answers, if none fails.
fn shares(mesh: &Mesh, address: &str, requests: u32) -> Option<BTreeMap<String, u32>> {
    let mut connection = Connection::open(mesh.address(address)).ok()?;
    let mut shares = BTreeMap::new();
    for _ in 0..requests {
        let answer = connection.send(&Request::get("any", "/")).ok().filter(|answer| answer.status == 200)?;
        *shares.entry(answer.field("cluster")).or_default() += 1;
    }
    Some(shares)
}

/// Four in five of so many, with bounds of less than one in a billion: six and a half standard deviations.
fn is_four_in_five(drawn: Option<&u32>, of: u32) -> bool {
    let (of, drawn) = (f64::from(of), f64::from(drawn.copied().unwrap_or_default()));
    (drawn - of * 0.8).abs() <= 6.5 * (of * 0.8 * 0.2).sqrt()
}

fn clusters_have_the_shares_that_are_declared(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    // Wherever the caller runs.
    for address in ["MESH_CALL_WEST_SHOP_WEB__SHOP_CART_80", "MESH_GATEWAY_EAST_IN"] {
        let shares = shares(&mesh, address, 1000).expect("every request is answered");
        assert!(is_four_in_five(shares.get("west"), 1000), "{address}: {shares:?}");
    }
    let banner = || {
        let stream = TcpStream::connect(mesh.address("MESH_CALL_WEST_SHOP_WEB__SHOP_LEDGER_5432")).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line)
    };
    let connections = (0..300).filter(|_| banner().is_some_and(|line| line.contains("in west"))).count();
    let connections = u32::try_from(connections).expect("three hundred");
    assert!(is_four_in_five(Some(&connections), 300), "{connections} of 300 connections");

    // What is dead in one cluster goes to the other, all of it, and comes back.
    let settles = |what: &str, is_so: &dyn Fn(&BTreeMap<String, u32>) -> bool| {
        process::eventually(what, Duration::from_secs(60), || {
            let shares = shares(&mesh, "MESH_CALL_WEST_SHOP_WEB__SHOP_CART_80", 100)?;
            is_so(&shares).then_some(())
        });
    };
    mesh.fail("shop.cart", "west", "gone");
    settles("east takes everything", &|shares| shares.get("east") == Some(&100));
    mesh.heal("shop.cart", "west");
    settles("west has its share again", &|shares| is_four_in_five(shares.get("west"), 100));
}

crate::on_both_data_planes!(clusters_have_the_shares_that_are_declared);
