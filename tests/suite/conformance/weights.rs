//! Shares: drawn at random for each request and connection, and what becomes of the share of a destination that is dead.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mesh_tests::http::{Connection, Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

/// Of a thousand requests as many go to a destination of 10 % as chance allows: fewer or more than these come about once in
/// ten billion times (the tails of the binomial distribution of 1,000 draws at 0.1), and six are counted in each run.
const OF_A_THOUSAND: std::ops::RangeInclusive<u32> = 44..=165;

/// A canary with a tenth of requests and connections.
const CANARY: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west {
  network = net
  region  = "west"
  gateway ingress { role = ingress, address = 10.0.0.2, port http { number = 80 } }
}
namespace shop {
  client web { clusters = [west], calls = [reviews, ledger] }
  service reviews {
    clusters = [west]
    port http { number = 80 }
    subset v1 {}
    subset v2 {}
  }
  service ledger {
    clusters = [west]
    port sql { number = 5432, protocol = tcp }
    subset old {}
    subset new {}
  }
  route front {
    gateway = west.ingress
    hosts   = ["shop.example"]
    destination { to = reviews.v1, weight = 90 }
    destination { to = reviews.v2, weight = 10 }
  }
  route inside {
    callee = reviews
    destination { to = reviews.v1, weight = 900000 }
    destination { to = reviews.v2, weight = 100000 }
  }
  route bytes {
    callee = ledger
    destination { to = ledger.old, weight = 9 }
    destination { to = ledger.new, weight = 1 }
  }
  // A caller is known by what it sends: its host too.
  policy hosts {
    targets = [reviews]
    deny { from = [web], match { header host { exact = "forbidden.example" } } }
  }
}
"#;

const WEB: &str = "WEST_SHOP_WEB__SHOP_REVIEWS_80";
const SQL: &str = "MESH_CALL_WEST_SHOP_WEB__SHOP_LEDGER_5432";

fn who(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.field("service")
}

/// The line that a server sends by itself.
fn banner(address: SocketAddr) -> Option<String> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    (!line.is_empty()).then_some(line)
}

fn a_tenth_is_a_tenth_from_the_first_request(data_plane: DataPlane) {
    let mesh = Mesh::up(CANARY, data_plane);
    for (address, host) in
        [("MESH_GATEWAY_WEST_INGRESS", "shop.example"), ("MESH_CALL_WEST_SHOP_WEB__SHOP_REVIEWS_80", "any")]
    {
        let mut connection = Connection::open(mesh.address(address)).expect("the proxy listens");
        let mut drawn: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..1000 {
            let answer = connection.send(&Request::get(host, "/")).expect("an answer");
            *drawn.entry(who(&answer)).or_default() += 1;
        }
        let canary = drawn.get("shop.reviews.v2").copied().unwrap_or_default();
        assert!(OF_A_THOUSAND.contains(&canary), "{address}: {drawn:?}");
    }
    let mut new = 0;
    for _ in 0..1000 {
        let line = banner(mesh.address(SQL)).expect("the server speaks first");
        new += u32::from(line.contains("ledger.new"));
    }
    assert!(OF_A_THOUSAND.contains(&new), "{new} of 1000 connections");
    the_host_of_a_call_decides_nothing_but_what_rules_say(&mesh);
}

/// The address of a call names the callee. Its host reaches the callee's rules and application as it was sent.
fn the_host_of_a_call_decides_nothing_but_what_rules_say(mesh: &Mesh) {
    for host in ["reviews", "reviews.shop", "www.example.org", "10.1.2.3:80"] {
        let answer = mesh.call(WEB, &Request::get(host, "/"));
        assert_eq!(
            (answer.status, answer.json()["headers"]["host"].as_str()),
            (200, Some(host)),
            "{answer:?}"
        );
    }
    assert_eq!(mesh.call(WEB, &Request::get("forbidden.example", "/")).status, 403);
}

/// Three versions; of one there are pods in two clusters.
const TAKEOVER: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west {
  network = west-net
  region  = "west"
  gateway ew { role = east_west, address = 10.0.0.1 }
}
cluster east {
  network = east-net
  region  = "east"
  gateway ew { role = east_west, address = 10.0.1.1 }
}
namespace shop {
  client web { clusters = [west], calls = [reviews, ledger] }
  service reviews {
    clusters = [west, east]
    port http { number = 80 }
    subset v1 {}
    subset v2 { clusters = [west] }
    subset v3 { clusters = [west] }
  }
  service ledger {
    clusters = [west]
    port sql { number = 5432, protocol = tcp }
    subset old {}
    subset new {}
  }
  route split {
    callee   = reviews
    failover = destinations
    rule {
      match { path = "/kept" }
      failover = none
      destination { to = reviews.v1, weight = 50 }
      destination { to = reviews.v2, weight = 50 }
    }
    rule {
      destination { to = reviews.v1, weight = 60 }
      destination { to = reviews.v2, weight = 30 }
      destination { to = reviews.v3, weight = 10 }
    }
  }
  route bytes {
    callee   = ledger
    failover = destinations
    destination { to = ledger.old, weight = 9 }
    destination { to = ledger.new, weight = 1 }
  }
  policy fast { outlier { interval = 1s, ejection = 10s } }
}
"#;

/// Who answers how many of so many requests in a row, once none of them fails or goes to what is gone. The mesh notices in
/// two steps that something is gone, by its failures and by DNS, and each begins with a request that finds it.
fn shares(mesh: &Mesh, requests: u32, gone: &str) -> BTreeMap<String, u32> {
    let address = mesh.address(&format!("MESH_CALL_{WEB}"));
    process::eventually(&format!("all are answered without {gone}"), Duration::from_secs(60), || {
        let mut connection = Connection::open(address).ok()?;
        let mut shares = BTreeMap::new();
        for _ in 0..requests {
            let answer = connection.send(&Request::get("reviews", "/")).ok()?;
            let place =
                (answer.status == 200).then(|| format!("{} {}", who(&answer), answer.field("cluster")))?;
            *shares.entry(place).or_default() += 1;
        }
        (!shares.contains_key(gone)).then_some(shares)
    })
}

fn the_living_take_the_share_of_the_dead(data_plane: DataPlane) {
    let mesh = Mesh::up(TAKEOVER, data_plane);
    // Bounds of less than one in a billion: six and a half standard deviations around the share.
    let near = |drawn: Option<&u32>, of: u32, share: f64| {
        let (of, drawn) = (f64::from(of), f64::from(drawn.copied().unwrap_or_default()));
        (drawn - of * share).abs() <= 6.5 * (of * share * (1.0 - share)).sqrt()
    };
    let all = shares(&mesh, 600, "nothing");
    assert!(near(all.get("shop.reviews.v1 west"), 600, 0.6), "{all:?}");
    assert!(near(all.get("shop.reviews.v2 west"), 600, 0.3), "{all:?}");
    assert!(near(all.get("shop.reviews.v3 west"), 600, 0.1), "{all:?}");

    // Dead in one cluster is not dead: its other cluster takes over, with the whole share.
    mesh.fail("reviews.v1", "west", "gone");
    let partly = shares(&mesh, 600, "shop.reviews.v1 west");
    assert!(near(partly.get("shop.reviews.v1 east"), 600, 0.6), "{partly:?}");

    // Dead everywhere: the others have its share, each by its weight.
    mesh.fail("reviews.v1", "east", "gone");
    let without = shares(&mesh, 600, "shop.reviews.v1 east");
    assert!(near(without.get("shop.reviews.v2 west"), 600, 0.75), "{without:?}");
    assert!(near(without.get("shop.reviews.v3 west"), 600, 0.25), "{without:?}");
    // Where the rule does not say so, its requests fail.
    let kept = |_| mesh.call(WEB, &Request::get("reviews", "/kept")).status;
    let statuses: Vec<u16> = (0..60).map(kept).collect();
    assert!(statuses.contains(&503) && statuses.contains(&200), "{statuses:?}");

    // The last one has everything.
    mesh.fail("reviews.v2", "west", "gone");
    let last = shares(&mesh, 60, "shop.reviews.v2 west");
    assert_eq!(last, BTreeMap::from([(String::from("shop.reviews.v3 west"), 60)]));
    mesh.heal("reviews.v2", "west");
    process::eventually("it has its share again", Duration::from_secs(90), || {
        let answer = mesh.call(WEB, &Request::get("reviews", "/"));
        (answer.status == 200 && who(&answer) == "shop.reviews.v2").then_some(())
    });

    // Connections likewise.
    let address = mesh.address(SQL);
    mesh.fail("ledger.old", "west", "gone");
    process::eventually("new connections go to the other", Duration::from_secs(30), || {
        (0..40).all(|_| banner(address).is_some_and(|line| line.contains("ledger.new"))).then_some(())
    });
}

crate::on_both_data_planes!(a_tenth_is_a_tenth_from_the_first_request, the_living_take_the_share_of_the_dead);
