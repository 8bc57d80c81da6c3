//! Health, metrics and the dump of the limits.

use crate::support::{Running, admitted, get};

#[tokio::test]
async fn the_pages_are_where_envoys_own_service_has_them() {
    let server = Running::in_memory().await;
    let (operations, debug) = (server.addresses.http, server.addresses.debug);
    assert_eq!(get(operations, "/healthcheck").await, (200, "OK\n".to_owned()));
    let (status, dump) = get(debug, "/rlconfig").await;
    assert_eq!(status, 200);
    let line = "catalog.header_match_gold_request: unit=MINUTE requests_per_unit=10, shadow_mode: false\n";
    assert!(dump.contains(line), "{dump}");
    assert_eq!(get(operations, "/rlconfig").await.0, 404, "the limits are shown on the debug port only");
    assert_eq!(get(debug, "/metrics").await.0, 404);
    assert_eq!(get(operations, "/").await.0, 404);
}

#[tokio::test]
async fn metrics_count_what_was_answered() {
    let server = Running::in_memory().await;
    admitted(&server.client(), "bronze_request", 5).await;
    let line = |code: &str| {
        format!(
            "meshd_rate_limit_requests_total{{domain=\"catalog\",descriptor=\"header_match_bronze_request\",code=\"{code}\"}}"
        )
    };
    assert_eq!(server.metric(&line("ok")).await, 3);
    assert_eq!(server.metric(&line("over_limit")).await, 2);
    assert_eq!(server.metric("meshd_rate_limit_counter_failures_total").await, 0);
}
