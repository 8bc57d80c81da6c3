//! The very files that `meshc build` wrote, unmodified, one network namespace per pod: the call across clusters and
//! the failover hold there too.

use std::time::{Duration, Instant};

use mesh_tests::build::{Built, example};
use mesh_tests::mesh::DataPlane;
use mesh_tests::pods::Pods;

/// The example with ejection times of one second instead of half a minute; everything else as it is.
fn source() -> String {
    example("acme").replace("interval = 20s", "interval = 1s").replace("ejection = 30s", "ejection = 1s")
}

fn built_files_carry_traffic(data_plane: DataPlane) {
    let built = Built::new(&source(), data_plane, &[]);
    let mut pods = Pods::acme(&built);

    // webapp's application calls catalog by the name that only the hosts file knows.
    let forged = [("x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/istioinaction/sa/root")];
    let (status, body) = pods.get("west-webapp", "http://catalog/items", &forged);
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["cluster"], "east");
    assert_eq!(body["caller"], "spiffe://cluster.local/ns/istioinaction/sa/webapp");
    // One per minute, counted in Redis by the real clock: a minute may end between two requests, but not twice.
    let again = "http://catalog.istioinaction.svc.cluster.local/items";
    let statuses = [(); 2].map(|()| pods.get("west-webapp", again, &[]).0);
    let (service, asking) = (pods.log("east-rate-limit"), pods.log("east-catalog"));
    assert!(statuses.contains(&429), "{statuses:?}\n--- service\n{service}\n--- sidecar\n{asking}");

    let through_ingress = |pods: &mut Pods| {
        let host = [("host", "simple-backend.istioinaction.io")];
        pods.get("west-dns", "http://172.18.255.200:8080/", &host)
    };
    for _ in 0..10 {
        let (status, body) = through_ingress(&mut pods);
        assert_eq!((status, body["cluster"].as_str()), (200, Some("west")), "{body}");
    }
    pods.fail("simple-backend", "west", true);
    for _ in 0..10 {
        let (status, body) = through_ingress(&mut pods);
        assert_eq!((status, body["cluster"].as_str()), (200, Some("east")), "{body}");
    }
    pods.fail("simple-backend", "west", false);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, body) = through_ingress(&mut pods);
        if body["cluster"] == "west" {
            break;
        }
        assert!(Instant::now() < deadline, "west is healthy again but gets no requests");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn built_files_carry_traffic_on_envoy() {
    built_files_carry_traffic(DataPlane::Envoy);
}

#[test]
fn built_files_carry_traffic_on_meshd() {
    built_files_carry_traffic(DataPlane::Meshd);
}

/// The same call where the kernel redirects it: the init container's rules, and a sidecar that asks which address the
/// application meant.
fn redirected_calls_reach_their_callee(data_plane: DataPlane) {
    let redirected =
        source().replace("data_plane   = envoy", "data_plane   = envoy\n  capture      = redirect");
    assert_ne!(redirected, source(), "the example says which data plane it wants");
    let built = Built::new(&redirected, data_plane, &[]);
    let mut pods = Pods::acme(&built);
    let (status, body) = pods.get("west-webapp", "http://catalog/", &[]);
    assert_eq!(status, 200, "{body}\n{}", pods.log("west-webapp"));
    assert_eq!(body["cluster"], "east");
    assert_eq!(body["caller"], "spiffe://cluster.local/ns/istioinaction/sa/webapp");
    // A virtual address that stands for nobody, and one that stands for a callee on another port, go nowhere.
    let (status, _) = pods.get("west-webapp", "http://240.240.255.254/", &[]);
    assert_eq!(status, 0);
    let (status, _) = pods.get("west-webapp", "http://catalog:81/", &[]);
    assert_eq!(status, 0);
}

#[test]
fn redirected_calls_reach_their_callee_on_envoy() {
    redirected_calls_reach_their_callee(DataPlane::Envoy);
}

#[test]
fn redirected_calls_reach_their_callee_on_meshd() {
    redirected_calls_reach_their_callee(DataPlane::Meshd);
}
