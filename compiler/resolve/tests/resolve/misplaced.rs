//! What cannot hold where its policy attaches.

use meshc_resolve::{Obstacle, resolve};

use crate::support::mesh;

#[test]
fn every_setting_that_cannot_hold_is_found_at_every_target() {
    let model = mesh(
        r#"
namespace shop {
  service web { clusters = [west], port http { number = 80 } }
  service database { clusters = [west], port sql { number = 5432, protocol = tcp } }
  service store { clusters = [west], port sql { number = 5432, protocol = tcp } }
  route shop { gateway = west.ingress, hosts = ["shop.example"], to = web }
  policy mixed {
    targets = [web, database, store]
    routes  = [shop]
    failover { enabled = false }
    outlier { consecutive_5xx = 1 }
    pool { max_connections = 3, max_pending_requests = 1024, requests_per_connection = 5 }
    retry { attempts = 1, when = [5xx] }
    timeout { request = 1s, idle = 2s }
    allow { from = [shop] }
    deny { from = [web] }
    rate_limit { scope = pod, otherwise = 1/s }
  }
}
"#,
    );
    let resolved = resolve(&model);
    let at = |obstacle| -> Vec<&str> {
        let found = resolved.misplaced.iter().filter(|it| it.obstacle == obstacle);
        found.map(|it| it.setting).collect()
    };
    assert_eq!(at(Obstacle::Route), ["failover", "outlier", "pool", "allow", "deny"]);
    let once = [
        "retry",
        "rate_limit",
        "timeout.request",
        "pool.max_pending_requests",
        "pool.requests_per_connection",
    ];
    assert_eq!(at(Obstacle::NoRequests), [once, once].concat(), "what was written, whatever its value");
}
