//! HTTP/2 with many requests at a time over one connection: through an ingress, a sidecar, a gateway between clusters and
//! the callee's sidecar.

use std::time::Duration;

use mesh_tests::http2::Connection;
use mesh_tests::mesh::DataPlane;

use crate::fixtures::{WEBAPP_TO_CATALOG, WEST_INGRESS, acme};

/// The host of the ingress's other route, which has no limit of requests.
const SHOP_HOST: &str = "webapp.istioinaction.io";

fn many_requests_at_a_time_over_one_connection(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let ingress = Connection::open(mesh.address(&format!("MESH_GATEWAY_{WEST_INGRESS}")), SHOP_HOST);
    for at_a_time in [2, 10] {
        assert_eq!(ingress.load("/", 100, at_a_time), [200; 100], "{at_a_time} at a time at the ingress");
    }
    // catalog is in east: from sidecar to sidecar through a gateway, whose connections are replaced all the time.
    let address = mesh.address(&format!("MESH_CALL_{WEBAPP_TO_CATALOG}"));
    let call = Connection::open(address, "catalog.istioinaction");
    for at_a_time in [2, 10] {
        let statuses = call.load("/", 500, at_a_time);
        assert!(statuses.iter().all(|status| *status == 200), "{at_a_time} at a time: {statuses:?}");
    }
    for proxy in ["west/gateways/ingress", "west/sidecars/istioinaction/webapp", "east/gateways/eastwest"] {
        assert_eq!(mesh.liveness(proxy), 200, "{proxy}");
    }
}

/// Strangers share the connections behind the ingress.
fn clients_that_break_off_cost_others_nothing(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let address = mesh.address(&format!("MESH_GATEWAY_{WEST_INGRESS}"));
    let good = Connection::open(address, SHOP_HOST);
    assert_eq!(good.load("/", 10, 2), [200; 10]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Several clients, each of which breaks off what takes it too long, as people do.
            for _ in 0..6 {
                let bad = Connection::open(address, SHOP_HOST);
                bad.break_off("/?delay=3000", 60, 20, Duration::from_millis(30));
            }
        });
        for _ in 0..4 {
            let statuses = good.load("/?delay=20", 40, 2);
            assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        }
    });
    assert_eq!(good.load("/", 40, 4), [200; 40], "and afterwards");
}

crate::on_both_data_planes!(
    many_requests_at_a_time_over_one_connection,
    clients_that_break_off_cost_others_nothing,
);
