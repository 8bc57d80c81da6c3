//! The configuration on disk: what keeps a server from starting, and what happens when the files change.

use meshd_rate_limit::{Server, StartError};

use crate::support::{CATALOG, Running, TestClock, admitted, eventually, get, options};

#[tokio::test]
async fn a_changed_file_takes_effect_and_counters_go_on() {
    let server = Running::in_memory().await;
    let client = server.client();
    assert_eq!(admitted(&client, "gold_request", 4).await, 4);
    std::fs::write(&server.config, CATALOG.replace("requests_per_unit: 10", "requests_per_unit: 6")).unwrap();
    eventually("the reload", async || server.metric("meshd_rate_limit_reloads_total").await == 1).await;
    assert_eq!(admitted(&client, "gold_request", 4).await, 2, "four of six were used before");
    let line = "meshd_rate_limit_requests_total{domain=\"catalog\",descriptor=\"header_match_gold_request\",code=\"ok\"}";
    assert_eq!(server.metric(line).await, 6, "counts outlive a reload");
}

#[tokio::test]
async fn a_wrong_file_is_refused_and_the_old_limits_hold() {
    let server = Running::in_memory().await;
    let client = server.client();
    let refused = async |times: u64| server.metric("meshd_rate_limit_refused_reloads_total").await == times;
    std::fs::write(&server.config, "domain: catalog\ndescriptors: [{key: }]\n").unwrap();
    eventually("the refusal", async || refused(1).await).await;
    assert_eq!(server.metric("meshd_rate_limit_configuration_stale").await, 1);
    assert_eq!(admitted(&client, "bronze_request", 5).await, 3);
    // Losing every file is refused as well.
    std::fs::remove_file(&server.config).unwrap();
    eventually("the second refusal", async || refused(2).await).await;
    assert_eq!(admitted(&client, "gold_request", 1).await, 1);
    std::fs::write(&server.config, CATALOG).unwrap();
    eventually("the correction", async || server.metric("meshd_rate_limit_reloads_total").await == 1).await;
    assert_eq!(server.metric("meshd_rate_limit_configuration_stale").await, 0);
}

/// A mounted ConfigMap changes by a link that moves from one version's folder to the next.
#[tokio::test]
async fn a_config_map_that_is_replaced_takes_effect() {
    use std::os::unix::fs::symlink;
    let server = Running::in_memory().await;
    std::fs::remove_file(&server.config).unwrap();
    let folder = server.folder();
    for (version, domain) in [("..1", "one"), ("..2", "two")] {
        std::fs::create_dir(folder.join(version)).unwrap();
        std::fs::write(
            folder.join(version).join("limits.yaml"),
            format!("domain: {domain}\ndescriptors: [{{key: k, rate_limit: {{unlimited: true}}}}]\n"),
        )
        .unwrap();
    }
    symlink("..1", folder.join("..data")).unwrap();
    symlink("..data/limits.yaml", folder.join("limits.yaml")).unwrap();
    let dump = async || get(server.addresses.debug, "/rlconfig").await.1;
    eventually("the first version", async || dump().await.starts_with("one.k: ")).await;
    symlink("..2", folder.join("..tmp")).unwrap();
    std::fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
    eventually("the second version", async || dump().await.starts_with("two.k: ")).await;
}

#[tokio::test]
async fn a_server_does_not_start_without_a_sound_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let start = async |redis: Option<&str>| {
        let options = options(folder.path(), redis.map(str::to_owned), &TestClock::new());
        Server::bind(options).await.map(|server| server.addresses())
    };
    assert!(matches!(start(None).await, Err(StartError::NoConfiguration)));
    std::fs::write(folder.path().join("a.yaml"), "domain: ''").unwrap();
    let error = start(None).await.unwrap_err();
    assert!(matches!(error, StartError::Rules(_)), "{error}");
    assert!(error.to_string().ends_with("a.yaml: `domain` is empty"), "{error}");
    std::fs::write(folder.path().join("a.yaml"), CATALOG).unwrap();
    let error = start(Some("http://:secret@redis")).await.unwrap_err();
    assert!(matches!(error, StartError::Redis(_)), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    // The name that the Kubernetes manifests use, with its final dot.
    start(Some("redis://rate-limit-redis.mesh-system.svc.cluster.local.:6379")).await.unwrap();
    let gone = options(&folder.path().join("gone"), None, &TestClock::new());
    assert!(matches!(Server::bind(gone).await, Err(StartError::Source(_))));
}
