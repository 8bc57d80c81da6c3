//! A new configuration takes effect under load; a broken one changes nothing.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use mesh_tests::http::Connection;
use mesh_tests::http2;
use mesh_tests::mesh::{DataPlane, Mesh};
use mesh_tests::process;

use crate::fixtures::{WEBAPP_TO_CATALOG, acme, acme_source, to_catalog};

/// Answers before the change and again after it that make the load real.
const ENOUGH: usize = 50;

/// Ends the load however its test ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sends requests to `/other` on kept and on fresh connections while `change` runs; returns how many were answered
/// and what went wrong.
fn under_load(mesh: &Mesh, change: impl FnOnce()) -> (usize, Vec<String>) {
    let address = mesh.address(&format!("MESH_CALL_{WEBAPP_TO_CATALOG}"));
    let stop = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        for _ in 0..2 {
            scope.spawn(|| {
                let request = to_catalog("/other");
                let mut kept = Connection::open(address).expect("the sidecar listens");
                for round in 0_u64.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let answer =
                        if round % 10 == 0 { request.try_send(address) } else { kept.send(&request) };
                    match answer {
                        Ok(answer) if answer.status == 200 => {
                            answered.fetch_add(1, Ordering::Relaxed);
                            if answer.headers.get("connection").is_some_and(|value| value == "close") {
                                kept = Connection::open(address).expect("the sidecar listens");
                            }
                        }
                        Ok(answer) => failures.lock().expect("no panic").push(format!("{answer:?}")),
                        Err(error) => {
                            failures.lock().expect("no panic").push(error.to_string());
                            kept = Connection::open(address).expect("the sidecar listens");
                        }
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
            });
        }
        // The same with requests at a time that share a connection.
        scope.spawn(|| {
            let open = || http2::Connection::open(address, "catalog.istioinaction");
            let mut shared = open();
            while !stop.load(Ordering::Relaxed) {
                if shared.is_closed() {
                    shared = open();
                }
                for status in shared.load("/other", 12, 4) {
                    if status == 200 {
                        answered.fetch_add(1, Ordering::Relaxed);
                    } else {
                        failures.lock().expect("no panic").push(format!("HTTP/2: {status}"));
                    }
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let more = || {
            let before = answered.load(Ordering::Relaxed);
            process::eventually("the load is real", Duration::from_secs(30), || {
                let failed = !failures.lock().expect("no panic").is_empty();
                (failed || answered.load(Ordering::Relaxed) >= before + ENOUGH).then_some(())
            });
        };
        more();
        change();
        more();
    });
    (answered.into_inner(), failures.into_inner().expect("no panic"))
}

fn gold_limit(mesh: &Mesh, header: &str) -> String {
    let answer = mesh.call(WEBAPP_TO_CATALOG, &to_catalog("/other").header(header, "x"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn a_policy_edit_takes_effect_without_a_failed_request(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let source = acme_source();
    let edited = source.replace("path = \"/items\"", "path = \"/renamed\"");
    assert_ne!(edited, source, "the example has the limit to be changed");
    // Before the edit the limit holds on /items.
    let statuses: Vec<_> =
        (0..3).map(|_| mesh.call(WEBAPP_TO_CATALOG, &to_catalog("/items")).status).collect();
    assert_eq!(statuses, [200, 429, 429]);

    let (answered, failures) = under_load(&mesh, || {
        std::fs::write(&mesh.source, &edited).expect("the source can be edited");
        process::eventually("the edit takes effect", Duration::from_secs(30), || {
            let answer = mesh.call(WEBAPP_TO_CATALOG, &to_catalog("/items"));
            (answer.status == 200).then_some(())
        });
    });
    assert!(failures.is_empty(), "{} of {answered} failed: {:?}", failures.len(), failures.first());
}

fn a_source_that_does_not_compile_changes_nothing(data_plane: DataPlane) {
    let mesh = acme(data_plane);
    let source = acme_source();
    let (answered, failures) = under_load(&mesh, || {
        std::fs::write(&mesh.source, format!("{source}\nservice nonsense {{\n"))
            .expect("the source can be edited");
        process::eventually("the mistake is reported", Duration::from_secs(30), || {
            mesh.errors().contains("E0").then_some(())
        });
    });
    assert!(failures.is_empty(), "{} of {answered} failed: {:?}", failures.len(), failures.first());
    assert!(gold_limit(&mesh, "x-still").contains("catalog"));
}

fn a_broken_file_is_refused_and_the_old_one_keeps_serving() {
    let mesh = acme(DataPlane::Meshd);
    let proxy = "west/sidecars/istioinaction/webapp";
    let (answered, failures) = under_load(&mesh, || {
        mesh.overwrite_configuration(proxy, "{ \"version\": 1, \"listeners\": 7 }");
        process::eventually("the refusal is said", Duration::from_secs(20), || {
            let log = mesh.log(proxy);
            (log.contains("refused") && log.contains("listeners")).then_some(())
        });
    });
    assert!(failures.is_empty(), "{} of {answered} failed: {:?}", failures.len(), failures.first());
    let metrics = mesh.metrics(proxy);
    let rejected =
        metrics.lines().any(|line| line.starts_with("meshd_config_rejected_total") && !line.ends_with(" 0"));
    assert!(rejected, "the refusal is counted:\n{metrics}");
}

#[test]
fn meshd_refuses_a_broken_file() {
    a_broken_file_is_refused_and_the_old_one_keeps_serving();
}

crate::on_both_data_planes!(
    a_policy_edit_takes_effect_without_a_failed_request,
    a_source_that_does_not_compile_changes_nothing,
);
