//! The policies of the examples hold where they should.

use std::time::Duration;

use meshc_resolve::resolve;
use meshc_vocabulary::model::PathMatch;
use meshc_vocabulary::model::policy::{Failures, Source, Tier};

use crate::support::{model, service};

const ACME: &str = include_str!("../../../../tests/fixtures/acme.mesh");
const SINGLE_CLUSTER: &str = include_str!("../../../../examples/single-cluster/mesh.mesh");

#[test]
fn acme_s_policies_hold_where_they_should() {
    let model = model(ACME);
    let resolved = resolve(&model);
    let backend = resolved.service(service(&model, "istioinaction.simple-backend"));
    assert_eq!(
        (&backend.outlier.value.failures, backend.outlier.value.consecutive),
        (&Failures::ServerErrors, 1)
    );
    assert_eq!(backend.pool.value.max_concurrent_requests.value, 10);
    assert_eq!(backend.pool.value.max_connections, model.defaults.pool.max_connections);
    let from = backend.allow.value[0].from[0].value;
    assert!(matches!(from, Source::Gateway(id) if model.gateway_name(id) == "west.ingress"));

    let catalog = resolved.service(service(&model, "istioinaction.catalog"));
    assert_eq!(catalog.outlier.value, &model.defaults.outlier);
    assert!(catalog.allow.value.is_empty());
    let limit = &catalog.rate_limits.value[0];
    assert_eq!(limit.matches.path, PathMatch::Exact(String::from("/items")));
    let tiers: Vec<_> =
        limit.tiers.iter().map(|Tier { value, rate }| (value.value.as_str(), rate.count)).collect();
    assert_eq!(tiers, [("gold", 10), ("silver", 5), ("bronze", 3)]);
    assert_eq!(limit.otherwise.unwrap().value.count, 1);
}

#[test]
fn those_of_the_single_cluster_too() {
    let model = model(SINGLE_CLUSTER);
    let resolved = resolve(&model);
    let orders = resolved.service(service(&model, "shop.orders"));
    assert_eq!(orders.timeout.value.request.value, Some(Duration::from_secs(2)));
    assert_eq!(orders.retry.value.unwrap().attempts, 2);
}
