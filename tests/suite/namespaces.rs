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
    let (status, _) = pods.get("west-webapp", "http://catalog.istioinaction.svc.cluster.local/items", &[]);
    let (service, asking) = (pods.log("east-rate-limit"), pods.log("east-catalog"));
    assert_eq!(
        status, 429,
        "one per minute, counted in Redis\n--- service\n{service}\n--- sidecar\n{asking}"
    );

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
