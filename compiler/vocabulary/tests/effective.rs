//! Which policy holds: targets before namespace before mesh before defaults, for each kind of setting by itself.
#![expect(clippy::expect_used, reason = "a helper of tests stops where something is not what it expects")]

use std::time::Duration;

use lang_diagnostics::{Sink, SourceMap};
use meshc_vocabulary::Model;
use meshc_vocabulary::model::policy::{Attached, Effective, FailuresInARow};

const MESH: &str = r#"
mesh m { trust_domain = "cluster.local", trust = t }
trust t {}
network n {}
cluster west {
  network = n
  region  = "westus"
  gateway ingress { role = ingress, port http { number = 80 } }
}

policy outermost { outlier { consecutive_5xx = 2 }, timeout { request = 7s } }

namespace shop {
  service near { clusters = [west], port http { number = 80 } }
  service far { clusters = [west], port http { number = 80 } }
  route near { gateway = west.ingress, hosts = ["near.example"], to = near }

  policy around { outlier { consecutive_5xx = 3, interval = 3s } }
  policy nearest { targets = [near], outlier { consecutive_5xx = 4 }, pool { max_connections = 5 } }
  policy limits { targets = [near], rate_limit { scope = pod, otherwise = 1/s } }
  policy at-the-gateway { routes = [near], timeout { request = 9s } }
}

namespace elsewhere {
  service outside { clusters = [west], port http { number = 80 } }
}
"#;

fn model() -> Model {
    let mut sources = SourceMap::default();
    let mut sink = Sink::default();
    let file = lang_syntax::parse(sources.add("mesh.mesh", MESH), MESH, &mut sink);
    let model = meshc_vocabulary::evaluate(&[file], &mut sources, &mut sink);
    assert_eq!(sink.diagnostics(), []);
    model.expect("no diagnostics")
}

fn effective(model: &Model, name: &str) -> Effective {
    let found = model.services.ids().find(|id| model.service_name(*id) == name);
    Attached::new(model).effective(found.expect("a service of that name"))
}

#[test]
fn the_nearest_policy_wins_for_each_kind_of_setting() {
    let model = model();
    let failures = |name| effective(&model, name).outlier.in_a_row;
    assert_eq!(failures("shop.near"), FailuresInARow::ServerErrors(4));
    assert_eq!(failures("shop.far"), FailuresInARow::ServerErrors(3));
    assert_eq!(failures("elsewhere.outside"), FailuresInARow::ServerErrors(2));
    let near = effective(&model, "shop.near");
    assert_eq!(near.pool.max_connections, 5);
    assert_eq!(near.rate_limits.len(), 1);
    assert_eq!(near.timeout.request.value, Some(Duration::from_secs(7)));
    assert_eq!(near.failover, model.defaults.failover);
}

/// Nobody should have to read outer policies to know what an inner one means.
#[test]
fn what_a_setting_leaves_out_is_the_default_and_not_an_outer_policy_s() {
    let model = model();
    let near = effective(&model, "shop.near");
    assert_eq!(near.outlier.interval, model.defaults.outlier.interval);
    assert_eq!(effective(&model, "shop.far").outlier.interval, Duration::from_secs(3));
    assert_eq!(near.pool.connect_timeout, model.defaults.pool.connect_timeout);
}

#[test]
fn a_route_has_only_what_is_said_about_itself() {
    let model = model();
    let route = model.routes.ids().next().expect("a route");
    let settings = model.effective_route(route);
    assert_eq!(settings.timeout.and_then(|timeout| timeout.request.value), Some(Duration::from_secs(9)));
    assert!(settings.retry.is_none() && settings.rate_limits.is_empty());
}
