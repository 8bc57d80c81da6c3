//! Limits that one cluster counts for the whole mesh: asked through the east-west gateways, and what happens without it.

use mesh_tests::http::Request;
use mesh_tests::mesh::{DataPlane, Mesh};

/// Requests are counted in west, whichever cluster answers them. Days are long enough for exact counts.
const SOURCE: &str = r#"
mesh shop { trust_domain = "cluster.local", trust = house, data_plane = envoy, rate_limits = west }
trust house {}
network near {}
network far {}
cluster west {
  network = near
  region  = "here"
  gateway eastwest { role = east_west, address = 192.0.2.11 }
}
cluster east {
  network = far
  region  = "there"
  gateway eastwest { role = east_west, address = 192.0.2.12 }
  gateway in { role = ingress, address = 192.0.2.13, port http { number = 80 } }
}
namespace shop {
  client batch { clusters = [west, east], calls = [web] }
  service web  { clusters = [west, east], port http { number = 80 } }
  route web { gateway = east.in, hosts = ["shop.example"], to = web }
  policy web {
    targets = [web]
    rate_limit { scope = mesh, match { prefix = "/open" }, total = 4/d, timeout = 5s }
    rate_limit { scope = mesh, match { prefix = "/shut" }, each { by = [path], rate = 4/d }, timeout = 5s, on_error = deny }
    rate_limit { scope = cluster, match { prefix = "/here" }, total = 4/d, timeout = 5s }
  }
  policy at-gateway { gateways = [east.in], rate_limit { scope = mesh, match { prefix = "/front" }, total = 2/d, timeout = 5s } }
}
policy slow { rate_limit { scope = pod, match { prefix = "/" }, otherwise = 1/d } }
"#;

fn one_cluster_counts_for_all(data_plane: DataPlane) {
    let mesh = Mesh::up(SOURCE, data_plane);
    let statuses = |cluster: &str, target: &str, count: usize| -> Vec<u16> {
        let variable = format!("{cluster}_SHOP_BATCH__SHOP_WEB_80");
        (0..count).map(|_| mesh.call(&variable, &Request::get("web", target)).status).collect()
    };
    // Either cluster uses up what the other one may.
    assert_eq!(statuses("EAST", "/open", 2), [200; 2]);
    assert_eq!(statuses("WEST", "/open", 2), [200; 2]);
    assert_eq!(statuses("EAST", "/open", 1), [429]);
    assert_eq!(statuses("WEST", "/open", 1), [429]);
    assert_eq!(statuses("EAST", "/shut/1", 4), [200; 4]);
    assert_eq!(statuses("WEST", "/shut/1", 1), [429]);
    assert_eq!(statuses("WEST", "/shut/2", 1), [200]);
    // Beside it each cluster counts for itself.
    assert_eq!(statuses("EAST", "/here", 5), [200, 200, 200, 200, 429]);
    assert_eq!(statuses("WEST", "/here", 5), [200, 200, 200, 200, 429]);
    let front = |count: usize| -> Vec<u16> {
        let request = Request::get("shop.example", "/front");
        (0..count).map(|_| mesh.ingress("EAST_IN", &request).status).collect()
    };
    assert_eq!(front(3), [200, 200, 429]);

    // Without the cluster that counts, `on_error` says what happens.
    mesh.stop("west/gateways/eastwest", "KILL");
    assert_eq!(statuses("EAST", "/open", 3), [200; 3]);
    assert_eq!(statuses("EAST", "/shut/9", 3), [429; 3]);
    assert_eq!(front(3), [200; 3]);
    assert_eq!(statuses("WEST", "/open", 1), [429], "in the cluster itself it goes on counting");
}

crate::on_both_data_planes!(one_cluster_counts_for_all);
