//! Localities in order of preference, ejection, retries and recovery.

use std::time::{Duration, Instant};

use mesh_tests::http::{Connection, Response};
use mesh_tests::mesh::{DataPlane, Mesh};

use crate::fixtures::{WEST_INGRESS, acme, to_backend};

/// `count` requests, each on a connection of its own.
fn requests(mesh: &Mesh, count: usize) -> Vec<Response> {
    (0..count).map(|_| mesh.ingress(WEST_INGRESS, &to_backend("/"))).collect()
}

/// How many answers came from a cluster.
fn from(cluster: &str, answers: &[Response]) -> usize {
    answers.iter().filter(|answer| answer.status == 200 && answer.field("cluster") == cluster).count()
}

fn requests_stay_move_and_come_back(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    assert_eq!(from("west", &requests(&mesh, 20)), 20, "a healthy west keeps its requests");

    mesh.fail("istioinaction.simple-backend", "west", "error");
    // The route retries a 5xx in another locality, so not even the first failure reaches a client.
    let answers = requests(&mesh, 20);
    assert_eq!(from("east", &answers), 20, "east takes over: {answers:?}");

    mesh.heal("istioinaction.simple-backend", "west");
    let deadline = Instant::now() + Duration::from_secs(15);
    while from("west", &requests(&mesh, 10)) < 10 {
        assert!(Instant::now() < deadline, "west is healthy again but gets no requests");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn a_backend_that_is_gone_fails_over_too(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    mesh.fail("istioinaction.simple-backend", "west", "gone");
    let answers = requests(&mesh, 20);
    assert_eq!(from("east", &answers), 20, "{answers:?}");
}

fn where_everything_fails_the_applications_answer_themselves(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    mesh.fail("istioinaction.simple-backend", "west", "error");
    mesh.fail("istioinaction.simple-backend", "east", "error");
    let answers = requests(&mesh, 12);
    let own = answers.iter().filter(|answer| answer.status == 500).count();
    assert!(own >= 10, "the application's own 500s arrive, whatever is ejected: {answers:?}");
    mesh.heal("istioinaction.simple-backend", "east");
    let answers = requests(&mesh, 10);
    assert_eq!(from("east", &answers), 10, "east answers as soon as it is well: {answers:?}");
}

fn a_kept_connection_follows_the_failover(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let mut connection =
        Connection::open(mesh.address("MESH_GATEWAY_WEST_INGRESS")).expect("the ingress listens");
    let mut ask = || connection.send(&to_backend("/")).expect("the connection is kept");
    assert_eq!(ask().field("cluster"), "west");
    mesh.fail("istioinaction.simple-backend", "west", "error");
    for _ in 0..10 {
        let answer = ask();
        assert_eq!((answer.status, answer.field("cluster").as_str()), (200, "east"), "{answer:?}");
    }
}

crate::on_both_data_planes!(
    requests_stay_move_and_come_back,
    a_backend_that_is_gone_fails_over_too,
    where_everything_fails_the_applications_answer_themselves,
    a_kept_connection_follows_the_failover,
);
