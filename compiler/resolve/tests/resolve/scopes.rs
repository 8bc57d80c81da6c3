//! Which policy holds: targets before namespace before mesh before defaults, for each kind of setting by itself.

use std::time::Duration;

use meshc_resolve::{LimitId, Provenance, resolve};
use meshc_vocabulary::Model;
use meshc_vocabulary::model::policy::Failures;
use meshc_vocabulary::model::{Id, Policy};

use crate::support::{mesh, service};

const MESH: &str = r#"
policy outermost { outlier { consecutive_5xx = 2 }, timeout { request = 7s } }

namespace shop {
  service near { clusters = [west], port http { number = 80 } }
  service far { clusters = [west], port http { number = 80 } }
  route near { gateway = west.ingress, hosts = ["near.example"], to = near }

  policy around { outlier { consecutive_5xx = 3, interval = 3s } }
  policy nearest { targets = [near], outlier { consecutive_5xx = 4 }, pool { max_connections = 5 } }
  policy limits {
    targets = [near]
    rate_limit { scope = pod, otherwise = 1/s }
    rate_limit { scope = pod, otherwise = 50/min }
  }
  policy at-the-gateway { routes = [near], timeout { request = 9s } }
}

namespace elsewhere {
  service outside { clusters = [west], port http { number = 80 } }
}
"#;

fn policy(model: &Model, name: &str) -> Id<Policy> {
    model.policies.iter().find(|(_, policy)| policy.name == name).unwrap().0
}

#[test]
fn the_nearest_policy_wins_for_each_kind_of_setting() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let failures = |name| {
        let outlier = resolved.service(service(&model, name)).outlier.value;
        (outlier.failures.clone(), outlier.consecutive)
    };
    assert_eq!(failures("shop.near"), (Failures::ServerErrors, 4));
    assert_eq!(failures("shop.far"), (Failures::ServerErrors, 3));
    assert_eq!(failures("elsewhere.outside"), (Failures::ServerErrors, 2));
    let near = resolved.service(service(&model, "shop.near"));
    assert_eq!(near.pool.value.max_connections, 5);
    assert_eq!(near.rate_limits.value.len(), 2);
    assert_eq!(near.timeout.value.request.value, Some(Duration::from_secs(7)));
    assert_eq!(near.failover.value, &model.defaults.failover);
    assert!(near.allow.value.is_empty() && near.deny.value.is_empty() && near.retry.value.is_none());
}

#[test]
fn each_value_knows_who_said_it_and_where() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let near = resolved.service(service(&model, "shop.near"));
    let far = resolved.service(service(&model, "shop.far"));
    let outside = resolved.service(service(&model, "elsewhere.outside"));
    let (nearest, around) = (policy(&model, "nearest"), policy(&model, "around"));
    let outermost = policy(&model, "outermost");
    let block = |id: Id<Policy>| &model.policies.at(id).settings.outlier.as_ref().unwrap().origin;
    assert_eq!(near.outlier.from, Provenance::Declared { policy: nearest, at: block(nearest) });
    assert_eq!(far.outlier.from, Provenance::Inherited { policy: around, at: block(around) });
    assert_eq!(outside.outlier.from, Provenance::Inherited { policy: outermost, at: block(outermost) });
    assert_eq!(near.failover.from, Provenance::Default);
    assert_eq!((near.failover.from.place(), near.failover.from.policy()), (None, None));
    assert_eq!(near.outlier.from.place(), Some(block(nearest)));
}

/// Nobody should have to read outer policies to know what an inner one means.
#[test]
fn what_a_setting_leaves_out_is_the_default_and_not_an_outer_policy_s() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let near = resolved.service(service(&model, "shop.near"));
    let far = resolved.service(service(&model, "shop.far"));
    assert_eq!(near.outlier.value.interval, model.defaults.outlier.interval);
    assert_eq!(far.outlier.value.interval, Duration::from_secs(3));
    assert_eq!(near.pool.value.connect_timeout, model.defaults.pool.connect_timeout);
}

#[test]
fn a_route_has_only_what_is_said_about_itself() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let route = resolved.route(model.routes.ids().next().unwrap());
    let timeout = route.timeout.value.unwrap();
    assert_eq!(timeout.request.value, Some(Duration::from_secs(9)));
    assert_eq!(route.timeout.from.policy(), Some(policy(&model, "at-the-gateway")));
    assert!(route.retry.value.is_none());
}

#[test]
fn limits_are_told_apart_by_policy_and_number() {
    let model = mesh(MESH);
    let resolved = resolve(&model);
    let limits = resolved.service(service(&model, "shop.near")).rate_limits;
    let policy = policy(&model, "limits");
    let ids: Vec<_> =
        limits.identified().map(|(id, limit)| (id, limit.otherwise.unwrap().value.count)).collect();
    assert_eq!(ids, [(LimitId { policy, index: 0 }, 1), (LimitId { policy, index: 1 }, 50)]);
    let none = resolved.service(service(&model, "shop.far")).rate_limits;
    assert_eq!(none.identified().count(), 0);
}

#[test]
fn of_two_policies_at_one_level_the_first_by_name_holds() {
    let both = r#"
namespace shop {
  service web { clusters = [west], port http { number = 80 } }
  policy b { targets = [web], timeout { request = 2s } }
  policy a { targets = [web], timeout { request = 1s } }
  policy d { retry { attempts = 4, when = [5xx] } }
  policy c { retry { attempts = 3, when = [5xx] } }
}
"#;
    let model = mesh(both);
    let resolved = resolve(&model);
    let web = resolved.service(service(&model, "shop.web"));
    assert_eq!(web.timeout.value.request.value, Some(Duration::from_secs(1)));
    assert_eq!(web.retry.value.unwrap().attempts, 3);
}
