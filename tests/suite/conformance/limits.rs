//! Rate limits by tier, and what happens when the rate-limit service is down.

use mesh_tests::http::{Request, Response};
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

use crate::fixtures::{WEBAPP_TO_CATALOG, acme, acme_source, to_catalog};

fn ask(mesh: &Mesh, request: &Request) -> Response {
    mesh.call(WEBAPP_TO_CATALOG, request)
}

/// How many of `count` requests pass; every other one must be a 429.
fn admitted(mesh: &Mesh, count: usize, request: &Request) -> usize {
    let statuses: Vec<_> = (0..count).map(|_| ask(mesh, request).status).collect();
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 200).count()
}

fn each_tier_gets_exactly_its_share(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let items = to_catalog("/items");
    assert_eq!(admitted(&mesh, 20, &items.clone().header("x-loyalty", "gold")), 10);
    assert_eq!(admitted(&mesh, 20, &items.clone().header("x-loyalty", "silver")), 5);
    assert_eq!(admitted(&mesh, 20, &items.clone().header("x-loyalty", "bronze")), 3);
    assert_eq!(admitted(&mesh, 20, &items.clone().header("x-loyalty", "Gold")), 1, "an unknown tier");
    assert_eq!(admitted(&mesh, 20, &items), 0, "no header shares the counter of unknown tiers");
    let refused = ask(&mesh, &items);
    let said = |name: &str| refused.headers.get(name).map_or("", String::as_str);
    assert_eq!((said("x-ratelimit-limit"), said("x-ratelimit-remaining")), ("1, 1;w=60", "0"), "{refused:?}");
    assert_eq!(refused.headers.get("x-envoy-ratelimited").map(String::as_str), Some("true"), "{refused:?}");
    assert_eq!(admitted(&mesh, 30, &to_catalog("/other")), 30, "other paths are free");
}

fn other_spellings_of_the_path_do_not_slip_by(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    assert_eq!(ask(&mesh, &to_catalog("/items")).status, 200);
    for path in ["//items", "/%69tems", "/x/../items", "/./items", "/items?query=1"] {
        let answer = ask(&mesh, &to_catalog(path));
        assert_eq!(answer.status, 429, "{path}: {answer:?}");
    }
    for path in ["/%2Fitems", "/items%2f", "/x%5c..%5citems"] {
        let answer = ask(&mesh, &to_catalog(path));
        assert_eq!(answer.status, 400, "an escaped slash is refused: {path}: {answer:?}");
    }
}

fn the_root_has_one_spelling_too(data_plane: DataPlane) {
    let source = acme_source();
    let rooted = source.replace("path = \"/items\"", "path = \"/\"");
    assert_ne!(rooted, source, "the example has the limit to be changed");
    let mesh = Mesh::up(&rooted, data_plane);
    assert_eq!(ask(&mesh, &to_catalog("/")).status, 200);
    for path in ["/", "//", "///", "/?query=1", "//?query=1", "/x/.."] {
        let answer = ask(&mesh, &to_catalog(path));
        assert_eq!(answer.status, 429, "{path}: {answer:?}");
    }
    assert_eq!(admitted(&mesh, 10, &to_catalog("/items")), 10, "other paths are free");
}

fn passes_and_counts_while_the_service_is_down(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    mesh.stop("rate-limit", "TERM");
    assert_eq!(admitted(&mesh, 20, &to_catalog("/items")), 20, "the default lets requests pass");
    let metrics = mesh.metrics("east/sidecars/istioinaction/catalog");
    let counted = match data_plane {
        DataPlane::Envoy => "failure_mode_allowed",
        DataPlane::Meshd => "allowed_on_error",
    };
    let value: f64 = metrics
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains(counted))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum();
    assert!(value >= 20.0, "every passed request is counted, found {value} in\n{metrics}");
}

fn refuses_while_the_service_is_down_if_told_so(data_plane: DataPlane) {
    let source = acme_source();
    let strict = source.replace("otherwise = 1/min", "otherwise = 1/min\n      on_error  = deny");
    assert_ne!(strict, source, "the example has the limit to be changed");
    let mesh = Mesh::up(&strict, data_plane);
    mesh.stop("rate-limit", "TERM");
    for _ in 0..20 {
        let answer = ask(&mesh, &to_catalog("/items"));
        assert_eq!(answer.status, 429, "{answer:?}");
    }
    for _ in 0..20 {
        let answer = ask(&mesh, &to_catalog("/other"));
        assert_eq!(answer.status, 200, "refusals must not eject the gateway: {answer:?}");
    }
}

fn pod_limits_need_no_service(data_plane: DataPlane) {
    let source = acme_source();
    let local = source.replace("scope     = cluster", "scope     = pod");
    assert_ne!(local, source, "the example has the scope to be changed");
    let mesh = Mesh::up(&local, data_plane);
    let items = to_catalog("/items");
    assert_eq!(admitted(&mesh, 20, &items.clone().header("x-loyalty", "gold")), 10);
    assert_eq!(admitted(&mesh, 20, &items.clone().header("x-loyalty", "bronze")), 3);
    assert_eq!(admitted(&mesh, 20, &items), 1);
    assert_eq!(admitted(&mesh, 30, &to_catalog("/other")), 30);
    let (refused, free) = (ask(&mesh, &items), ask(&mesh, &to_catalog("/other")));
    assert_eq!(refused.headers.get("x-envoy-ratelimited").map(String::as_str), Some("true"), "{refused:?}");
    let told: Vec<_> = free.headers.keys().filter(|name| name.contains("ratelimit")).collect();
    assert!(told.is_empty(), "no limit covers it, so none is told: {told:?}");
    assert!(process::children(mesh.pid(), "rate-limit").is_empty(), "nobody counts for the pod");
}

crate::on_both_data_planes!(
    each_tier_gets_exactly_its_share,
    other_spellings_of_the_path_do_not_slip_by,
    the_root_has_one_spelling_too,
    passes_and_counts_while_the_service_is_down,
    refuses_while_the_service_is_down_if_told_so,
    pod_limits_need_no_service,
);
