//! The report on a key directory: the table of a healthy one, and each problem.

use crate::support::{DAY, issued, new_year, text, two_clusters};
use meshc_pki::{KeyDirectory, Problem, Report, TrustRequest, show};

const WEBAPP: &str = "west/identities/istioinaction/webapp/tls.crt";
const WEBAPP_KEY: &str = "west/identities/istioinaction/webapp/tls.key";

fn problems(report: &Report, path: &str) -> Vec<Problem> {
    let certificate = report.certificates.iter().find(|certificate| certificate.path == path);
    certificate.unwrap_or_else(|| panic!("no {path}")).problems.clone()
}

#[test]
fn a_healthy_directory_is_a_table() {
    let mut request = two_clusters();
    request.clusters.truncate(1);
    request.clusters[0].identities.truncate(1);
    let report = show(&request, &issued(&request, new_year()), new_year()).unwrap();
    assert!(report.is_healthy());
    let expected = "
LEVEL         SUBJECT                                            ISSUER                                         NOT BEFORE         NOT AFTER          DAYS  PATH  STATE
root          CN=root.acme.example                               CN=root.acme.example                           2026-12-31 23:55Z  2036-12-29 00:00Z  3650  1     ok
intermediate  O=root.acme.example, OU=intermediate, CN=west      CN=root.acme.example                           2026-12-31 23:55Z  2028-01-01 00:00Z  365   0     ok
workload      spiffe://cluster.local/ns/istioinaction/sa/webapp  O=root.acme.example, OU=intermediate, CN=west  2026-12-31 23:55Z  2027-04-01 00:00Z  90    -     ok
";
    assert_eq!(report.to_string(), expected.trim_start());
}

/// The problems of one file after an edit of the directory or the request.
fn after(path: &str, day: u32, edit: impl FnOnce(&mut TrustRequest, &mut KeyDirectory)) -> Vec<Problem> {
    let mut request = two_clusters();
    let mut directory = issued(&request, new_year());
    edit(&mut request, &mut directory);
    let report = show(&request, &directory, new_year() + DAY * day).unwrap();
    problems(&report, path)
}

#[test]
fn each_problem_is_found() {
    assert_eq!(after(WEBAPP, 61, |_, _| {}), [Problem::NearsEnd]);
    assert_eq!(after(WEBAPP, 91, |_, _| {}), [Problem::Expired]);
    // A root of ten years over intermediates of one: nothing to do about it for nine years.
    assert_eq!(after("roots.pem", 3284, |_, _| {}), []);
    assert_eq!(after("roots.pem", 3286, |_, _| {}), [Problem::NearsEnd]);
    assert_eq!(after("roots.pem", 4000, |_, _| {}), [Problem::Expired]);
    let rename = |request: &mut TrustRequest, _: &mut KeyDirectory| {
        request.clusters[0].identities[0].spiffe = "spiffe://other/ns/a/sa/b".to_owned();
    };
    let wrong = Problem::WrongIdentity {
        found: "spiffe://cluster.local/ns/istioinaction/sa/webapp".to_owned(),
        wanted: "spiffe://other/ns/a/sa/b".to_owned(),
    };
    assert_eq!(after(WEBAPP, 0, rename), [wrong]);
    let exposed = |_: &mut TrustRequest, directory: &mut KeyDirectory| {
        let key = text(directory, WEBAPP_KEY);
        directory.insert(WEBAPP_KEY, key, 0o640);
    };
    assert_eq!(after(WEBAPP, 0, exposed), [Problem::KeyExposed { mode: 0o640 }]);
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    assert_eq!(
        after(WEBAPP, 0, |_, directory| directory.insert(WEBAPP_KEY, other_key, 0o600)),
        [Problem::KeyMismatch]
    );
    assert_eq!(
        after("west/intermediate/cert.pem", 0, |_, directory| {
            let east = text(directory, "east/intermediate/cert.pem");
            directory.insert("west/intermediate/cert.pem", east, 0o644);
        }),
        [Problem::KeyMismatch]
    );
    let stranger = issued(&two_clusters(), new_year());
    assert_eq!(
        after("west/intermediate/cert.pem", 0, |_, directory| {
            for path in
                ["west/intermediate/cert.pem", "west/intermediate/key.pem", "west/intermediate/chain.pem"]
            {
                directory.insert(path, text(&stranger, path), 0o600);
            }
        }),
        [Problem::WrongIssuer]
    );
    assert!(matches!(
        after(WEBAPP, 0, |_, directory| directory.insert(WEBAPP, "torn", 0o644))[..],
        [Problem::Unreadable(_)]
    ));
    assert!(matches!(
        after("roots.pem", 0, |_, directory| directory.insert("roots.pem", "torn", 0o644))[..],
        [Problem::Unreadable(_)]
    ));
}

#[test]
fn what_is_missing_and_what_is_left_over_is_listed() {
    let mut request = two_clusters();
    let directory = issued(&request, new_year());
    request.clusters[0].identities[0].account = "renamed".to_owned();
    let report = show(&request, &directory, new_year()).unwrap();
    assert_eq!(problems(&report, "west/identities/istioinaction/renamed/tls.crt"), [Problem::Missing]);
    assert_eq!(report.unused, [WEBAPP, WEBAPP_KEY]);
    assert!(!report.is_healthy());
    let text = report.to_string();
    assert!(text.contains("problem: west/identities/istioinaction/renamed/tls.crt: missing\n"), "{text}");
    assert!(text.contains(&format!("unused: {WEBAPP}\n")), "{text}");
}
