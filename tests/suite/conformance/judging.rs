//! How pods of a service are judged: by chosen answers, by the share of failures, by comparison, and how many may go.

use std::collections::BTreeSet;
use std::time::Duration;

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

/// Each subset is a pod of its own.
const MESH: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network net {}
cluster west { network = net, region = "here" }
namespace shop {
  client web { clusters = [west], calls = [listed, calm, share, compared, capped] }
  service listed   { clusters = [west], port http { number = 80 }, subset a {}, subset b {} }
  service calm     { clusters = [west], port http { number = 80 }, subset a {}, subset b {} }
  service share    { clusters = [west], port http { number = 80 }, subset a {}, subset b {} }
  service compared { clusters = [west], port http { number = 80 }, subset a {}, subset b {}, subset c {} }
  service capped   { clusters = [west], port http { number = 80 }, subset a {}, subset b {}, subset c {} }
  policy listed   { targets = [listed], outlier { failures = [429, 500], consecutive_failures = 2, ejection = 10m } }
  policy calm     { targets = [calm], outlier { failures = [429, 503], consecutive_failures = 1, ejection = 10m } }
  policy share {
    targets = [share]
    outlier { failures = [5xx], failure_percentage = 60%, min_requests = 3, interval = 1s, ejection = 10m }
  }
  policy compared {
    targets = [compared]
    outlier {
      failures = [5xx], success_deviation = 1.0, min_requests = 3, min_endpoints = 3, interval = 1s, ejection = 10m
    }
  }
  policy capped { targets = [capped], outlier { consecutive_5xx = 1, ejection = 10m, max_ejected = 34% } }
}
"#;

fn ask(mesh: &Mesh, service: &str) -> Response {
    mesh.call(&format!("WEST_SHOP_WEB__SHOP_{}_80", service.to_uppercase()), &Request::get(service, "/"))
}

/// Waits until only good answers come, and from so many pods.
fn settles(mesh: &Mesh, service: &str, pods: usize) {
    process::eventually(&format!("{service} has {pods} good pods left"), Duration::from_secs(30), || {
        let answers: Vec<Response> = (0..30).map(|_| ask(mesh, service)).collect();
        let met: BTreeSet<String> =
            answers.iter().filter(|one| one.status == 200).map(|one| one.field("service")).collect();
        (answers.iter().all(|one| one.status == 200) && met.len() == pods).then_some(())
    });
}

fn pods_are_judged_as_declared(data_plane: DataPlane) {
    let mesh = Mesh::up(MESH, data_plane);
    for (service, pods) in [("listed", 2), ("calm", 2), ("share", 2), ("compared", 3), ("capped", 3)] {
        settles(&mesh, service, pods);
    }
    for service in ["listed", "calm", "share", "compared"] {
        mesh.fail(&format!("shop.{service}.a"), "west", "error");
    }
    settles(&mesh, "listed", 1);
    settles(&mesh, "share", 1);
    settles(&mesh, "compared", 2);
    // An answer that is not listed is none of the failures, although it is an error.
    let answers: Vec<u16> = (0..40).map(|_| ask(&mesh, "calm").status).collect();
    let failed = answers.iter().filter(|status| **status == 500).count();
    assert!((10..=30).contains(&failed), "half of them is asked for: {answers:?}");

    // One of three may go, however bad they all are.
    for pod in ["a", "b", "c"] {
        mesh.fail(&format!("shop.capped.{pod}"), "west", "error");
    }
    let said = || (0..30).map(|_| ask(&mesh, "capped").body).collect::<BTreeSet<String>>();
    process::eventually("one of three is ejected", Duration::from_secs(30), || {
        (said().len() == 2).then_some(())
    });
    assert_eq!(said().len(), 2, "and no other");
}

/// Two pods at home and one elsewhere.
const TWO: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy }
trust house {}
network west-net {}
network east-net {}
cluster west { network = west-net, region = "west" }
cluster east { network = east-net, region = "east", gateway ew { role = east_west, address = 10.0.1.1 } }
namespace shop {
  client web { clusters = [west], calls = [cart, kept] }
  service cart { clusters = [west, east], port http { number = 80 }, subset a {}, subset b { clusters = [west] } }
  service kept { clusters = [west, east], port http { number = 80 }, subset a {}, subset b { clusters = [west] } }
  policy quick { outlier { consecutive_5xx = 1, interval = 1s, ejection = 10m } }
  policy spills { targets = [cart], failover { spill = true } }
}
"#;

fn a_locality_hands_on_a_part_where_asked(data_plane: DataPlane) {
    let mesh = Mesh::up(TWO, data_plane);
    for service in ["cart", "kept"] {
        settles(&mesh, service, 2);
        mesh.fail(&format!("shop.{service}.a"), "west", "error");
        process::eventually("the bad pod is left", Duration::from_secs(30), || {
            (0..20).all(|_| ask(&mesh, service).status == 200).then_some(())
        });
    }
    let at_home = |service: &str| {
        let answers = (0..400).map(|_| ask(&mesh, service));
        answers.filter(|answer| answer.status == 200 && answer.field("cluster") == "west").count()
    };
    // Half of the pods keep 70 %: 280 of 400, with a standard deviation of 9.2.
    let kept = at_home("cart");
    assert!((220..=340).contains(&kept), "{kept} of 400 stay");
    assert_eq!(at_home("kept"), 400, "unless it was asked for");
}

crate::on_both_data_planes!(pods_are_judged_as_declared, a_locality_hands_on_a_part_where_asked);
