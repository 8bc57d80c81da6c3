//! The end: of one proxy, and of the whole mesh.

use std::time::Duration;

use mesh_tests::http::Connection;
use mesh_tests::mesh::DataPlane;
use mesh_tests::process;

use crate::fixtures::{WEBAPP_TO_CATALOG, acme, to_catalog};

#[test]
fn meshd_drains_on_sigterm() {
    let mesh = acme(DataPlane::Meshd);
    let proxy = "west/sidecars/istioinaction/webapp";
    let pid = mesh.proxy_pid(proxy);
    assert_eq!(mesh.readiness(proxy), 200);
    let address = mesh.address(&format!("MESH_CALL_{WEBAPP_TO_CATALOG}"));
    let mut kept = Connection::open(address).expect("the sidecar listens");
    // The application does not answer before it is told to, so the request is in flight for as long as this takes.
    mesh.fail("istioinaction.catalog", "east", "hang");
    let waiting = std::thread::spawn(move || kept.send(&to_catalog("/")));
    process::eventually("the request is on its way", Duration::from_secs(20), || {
        let arrived = "meshd_connections_total{listener=\"inbound\"} 1";
        mesh.metrics("east/sidecars/istioinaction/catalog").lines().any(|line| line == arrived).then_some(())
    });

    process::signal(pid, "TERM");
    process::eventually("readiness turns false", Duration::from_secs(2), || {
        (mesh.readiness(proxy) != 200).then_some(())
    });
    assert!(!waiting.is_finished(), "readiness turns false before the request is answered");
    mesh.heal("istioinaction.catalog", "east");
    let answer = waiting.join().expect("no panic").expect("the request in flight finishes");
    assert_eq!(answer.status, 200, "{answer:?}");
    process::eventually("the proxy ends", Duration::from_secs(20), || (!process::alive(pid)).then_some(()));
}

fn nothing_is_left_behind(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let pids = process::children(mesh.pid(), "");
    assert!(pids.len() > 5, "a mesh has several processes: {pids:?}");
    let directory = mesh.directory().to_path_buf();
    assert!(directory.is_dir());
    let status = mesh.down().expect("meshc up ends");
    assert!(status.success(), "the command's own status: {status}");
    let left: Vec<_> = pids.into_iter().filter(|pid| process::alive(*pid)).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
    assert!(!directory.exists(), "{} is left behind", directory.display());
}

fn nothing_is_left_behind_after_an_interrupt(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let pids = process::children(mesh.pid(), "");
    let directory = mesh.directory().to_path_buf();
    let pid = mesh.pid();
    process::signal(pid, "INT");
    process::eventually("everything ends", Duration::from_secs(30), || {
        pids.iter().all(|pid| !process::alive(*pid)).then_some(())
    });
    process::eventually("the directory goes", Duration::from_secs(10), || {
        (!directory.exists()).then_some(())
    });
}

crate::on_both_data_planes!(nothing_is_left_behind, nothing_is_left_behind_after_an_interrupt);
