//! A sample mesh, a fixed clock, and the real `openssl`.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meshc_pki::{ClusterRequest, Identity, Issuer, KeyDirectory, RootRequest, TrustRequest, init, issue};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// The beginning of 2027: a fixed time for tests that do not ask a program with a clock of its own.
pub(crate) fn new_year() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_798_761_600)
}

pub(crate) fn two_clusters() -> TrustRequest {
    let identity = |account: &str| Identity::new("cluster.local", "istioinaction", account);
    TrustRequest {
        issuer: Issuer::Builtin,
        root: RootRequest { common_name: "root.acme.example".to_owned(), lifetime: DAY * 3650 },
        intermediate_lifetime: DAY * 365,
        workload_lifetime: DAY * 90,
        clusters: vec![
            ClusterRequest {
                name: "west".to_owned(),
                trust_domain: "cluster.local".to_owned(),
                identities: vec![
                    identity("webapp"),
                    identity("simple-backend"),
                    Identity::new("cluster.local", "mesh-system", "west-ingress"),
                ],
            },
            ClusterRequest {
                name: "east".to_owned(),
                trust_domain: "cluster.local".to_owned(),
                identities: vec![identity("catalog"), identity("simple-backend")],
            },
        ],
    }
}

/// The whole directory of a request.
pub(crate) fn issued(request: &TrustRequest, now: SystemTime) -> KeyDirectory {
    let started = init(request, &KeyDirectory::new(), now).unwrap();
    issue(request, &started.directory, now).unwrap().directory
}

pub(crate) fn text(directory: &KeyDirectory, path: &str) -> String {
    String::from_utf8(directory.bytes(path).unwrap_or_else(|| panic!("no {path}")).to_vec()).unwrap()
}

/// The first certificate of a PEM text.
pub(crate) fn first(pem_text: &str) -> pem::Pem {
    pem::parse_many(pem_text).unwrap().remove(0)
}

pub(crate) fn write(directory: &KeyDirectory, to: &Path) {
    for (path, file) in directory.iter() {
        let path = to.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.bytes).unwrap();
    }
}

/// Runs the real `openssl`. A machine without it fails the test; nothing is skipped.
pub(crate) fn openssl(folder: &Path, arguments: &[&str]) -> Output {
    Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("these tests need the `openssl` program: install the package `openssl`")
}

pub(crate) fn describe(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
