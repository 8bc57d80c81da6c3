//! Issuing again changes nothing unless an input changed or a certificate nears its end; and then only that.

use std::time::Duration;

use crate::support::{DAY, issued, new_year, text, two_clusters};
use meshc_pki::{Identity, KeyDirectory, Outcome, PkiError, Reason, TrustRequest, init, issue, layout};
use proptest::prelude::*;

fn changes(outcome: &Outcome) -> Vec<(&str, &Reason)> {
    outcome.changes.iter().map(|change| (change.path.as_str(), &change.reason)).collect()
}

const WEBAPP: &str = "west/identities/istioinaction/webapp/tls.crt";
const WEBAPP_KEY: &str = "west/identities/istioinaction/webapp/tls.key";

fn without(directory: &KeyDirectory, gone: &str) -> KeyDirectory {
    let keep = directory.iter().filter(|(path, _)| *path != gone);
    keep.map(|(path, file)| (path.to_owned(), file.clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// For any lifetimes, at any later moment: issuing twice in a row changes nothing the second time, and nothing at
    /// all changes while every certificate is in the first two thirds of its life.
    #[test]
    fn issuing_twice_is_issuing_once(
        workload in 60_u64..40_000_000,
        intermediate in 60_u64..40_000_000,
        later in 0_u64..40_000_000,
    ) {
        let mut request = two_clusters();
        request.clusters.truncate(1);
        request.clusters[0].identities.truncate(2);
        request.workload_lifetime = Duration::from_secs(workload);
        request.intermediate_lifetime = Duration::from_secs(intermediate);
        let start = issued(&request, new_year());
        let now = new_year() + Duration::from_secs(later);
        let once = issue(&request, &start, now).unwrap();
        let twice = issue(&request, &once.directory, now).unwrap();
        prop_assert_eq!(&twice.changes, &[]);
        prop_assert_eq!(&twice.directory, &once.directory);
        // A workload never outlives its issuer, so it is the shorter of the two lives that counts.
        if later * 3 <= workload.min(intermediate) * 2 {
            prop_assert_eq!(&once.changes, &[]);
            prop_assert_eq!(&once.directory, &start);
        } else {
            prop_assert!(!once.changes.is_empty());
        }
        // The root stays whatever happens.
        prop_assert_eq!(once.directory.get(layout::ROOT_CERTIFICATE), start.get(layout::ROOT_CERTIFICATE));
    }
}

#[test]
fn starting_twice_keeps_the_authorities() {
    let request = two_clusters();
    let once = init(&request, &KeyDirectory::new(), new_year()).unwrap();
    let twice = init(&request, &once.directory, new_year() + DAY).unwrap();
    assert_eq!(twice, Outcome { directory: once.directory, changes: Vec::new() });
}

#[test]
fn a_new_identity_touches_only_itself() {
    let mut request = two_clusters();
    let before = issued(&request, new_year());
    request.clusters[1].identities.push(Identity::new("cluster.local", "shop", "cart"));
    let outcome = issue(&request, &before, new_year() + DAY).unwrap();
    assert_eq!(changes(&outcome), [("east/identities/shop/cart/tls.crt", &Reason::Missing)]);
    let same = before.iter().all(|(path, file)| outcome.directory.get(path) == Some(file));
    assert!(same);
}

#[test]
fn a_removed_identity_keeps_its_files() {
    let mut request = two_clusters();
    let before = issued(&request, new_year());
    request.clusters[0].identities.remove(0);
    let outcome = issue(&request, &before, new_year()).unwrap();
    assert_eq!(outcome.changes, []);
    assert!(outcome.directory.get(WEBAPP).is_some());
}

/// What one edit of the request or of the directory leads to, as the changes of the next issue.
fn after(edit: impl FnOnce(&mut TrustRequest, &mut KeyDirectory)) -> Vec<(String, Reason)> {
    let mut request = two_clusters();
    request.clusters.truncate(1);
    let mut directory = issued(&request, new_year());
    edit(&mut request, &mut directory);
    let outcome = issue(&request, &directory, new_year() + DAY).unwrap();
    outcome.changes.into_iter().map(|change| (change.path, change.reason)).collect()
}

#[test]
fn each_reason_leads_to_a_new_certificate() {
    let webapp = |reason: Reason| vec![(WEBAPP.to_owned(), reason)];
    assert_eq!(after(|_, _| {}), []);
    assert_eq!(after(|_, directory| *directory = without(directory, WEBAPP)), webapp(Reason::Missing));
    assert_eq!(after(|_, directory| *directory = without(directory, WEBAPP_KEY)), webapp(Reason::Missing));
    assert_eq!(after(|_, directory| directory.insert(WEBAPP, "torn", 0o644)), webapp(Reason::Unreadable));
    let other_key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    assert_eq!(
        after(|_, directory| directory.insert(WEBAPP_KEY, other_key, 0o600)),
        webapp(Reason::KeyMismatch)
    );
    let stranger = issued(&two_clusters(), new_year());
    assert_eq!(
        after(|_, directory| {
            directory.insert(WEBAPP, text(&stranger, WEBAPP), 0o644);
            directory.insert(WEBAPP_KEY, text(&stranger, WEBAPP_KEY), 0o600);
        }),
        webapp(Reason::IssuerChanged)
    );
    assert_eq!(
        after(|request, _| {
            request.clusters[0].identities[0] = Identity::new("other.example", "istioinaction", "webapp");
        }),
        webapp(Reason::ContentChanged)
    );
    let all_changed = after(|request, _| request.workload_lifetime = DAY * 30);
    assert_eq!(all_changed.len(), 3);
    assert!(all_changed.iter().all(|(_, reason)| *reason == Reason::LifetimeChanged));
}

#[test]
fn a_renewed_intermediate_renews_what_it_signed() {
    let request = two_clusters();
    let directory = issued(&request, new_year());
    let late = new_year() + DAY * 300;
    let outcome = issue(&request, &directory, late).unwrap();
    let (reasons, west): (Vec<_>, Vec<_>) = changes(&outcome)
        .into_iter()
        .filter(|(path, _)| path.starts_with("west/"))
        .map(|(p, r)| (r, p))
        .unzip();
    assert_eq!(west[0], "west/intermediate/cert.pem");
    assert_eq!(*reasons[0], Reason::NearsEnd);
    assert_eq!(west.len(), 4, "the intermediate and three identities: {west:?}");
    assert!(reasons[1..].iter().all(|reason| **reason == Reason::IssuerChanged));
}

#[test]
fn a_clock_that_ran_ahead_is_healed() {
    let mut request = two_clusters();
    request.clusters.truncate(1);
    let directory = init(&request, &KeyDirectory::new(), new_year()).unwrap().directory;
    let ahead = issue(&request, &directory, new_year() + DAY).unwrap().directory;
    let outcome = issue(&request, &ahead, new_year()).unwrap();
    assert_eq!(outcome.changes.len(), 3);
    assert!(outcome.changes.iter().all(|change| change.reason == Reason::NotYetValid));
}

#[test]
fn a_root_kept_offline_is_enough_until_an_intermediate_is_really_needed() {
    let mut request = two_clusters();
    let mut directory = issued(&request, new_year());
    directory = without(&directory, layout::ROOT_KEY);
    // Workloads are renewed below an intermediate that nears its end but still works.
    let outcome = issue(&request, &directory, new_year() + DAY * 300).unwrap();
    assert!(changes(&outcome).iter().all(|(path, _)| path.contains("/identities/")), "{:?}", outcome.changes);
    assert_eq!(outcome.changes.len(), 5);
    // A new cluster needs the root.
    request.clusters[1].name = "north".to_owned();
    let error = issue(&request, &directory, new_year()).unwrap_err();
    assert_eq!(error, PkiError::RootKeyMissing { cluster: "north".to_owned() });
}

#[test]
fn errors_name_the_file_and_change_nothing() {
    let request = two_clusters();
    assert_eq!(issue(&request, &KeyDirectory::new(), new_year()).unwrap_err(), PkiError::NotInitialised);
    let directory = issued(&request, new_year());
    let orphan_key = without(&directory, layout::ROOT_CERTIFICATE);
    assert_eq!(
        init(&request, &orphan_key, new_year()).unwrap_err(),
        PkiError::Missing { path: layout::ROOT_CERTIFICATE.to_owned() },
        "a root key without its certificate is not overwritten"
    );
    let expired = issue(&request, &directory, new_year() + DAY * 4000).unwrap_err();
    assert!(matches!(expired, PkiError::UnusableAuthority { path, .. } if path == layout::ROOT_CERTIFICATE));
    let mut swapped = directory.clone();
    let other = issued(&request, new_year());
    swapped.insert(layout::ROOT_KEY, text(&other, layout::ROOT_KEY), 0o600);
    let swapped = without(&swapped, "west/intermediate/cert.pem");
    let error = issue(&request, &swapped, new_year()).unwrap_err();
    assert!(matches!(error, PkiError::UnusableAuthority { path, .. } if path == layout::ROOT_CERTIFICATE));
}

#[test]
fn further_roots_in_the_bundle_stay() {
    let request = two_clusters();
    let (ours, old) = (issued(&request, new_year()), issued(&request, new_year()));
    let mut overlapping = ours.clone();
    let bundle = text(&old, layout::ROOTS) + &text(&ours, layout::ROOTS);
    overlapping.insert(layout::ROOTS, bundle.clone(), 0o644);
    let outcome = init(&request, &overlapping, new_year()).unwrap();
    assert_eq!(outcome.changes, []);
    // A bundle that lost our root gets it back, in front of the other.
    overlapping.insert(layout::ROOTS, text(&old, layout::ROOTS), 0o644);
    let outcome = init(&request, &overlapping, new_year()).unwrap();
    assert_eq!(
        text(&outcome.directory, layout::ROOTS),
        text(&ours, layout::ROOTS) + &text(&old, layout::ROOTS)
    );
}

#[test]
fn keys_that_others_could_read_are_taken_away_from_them_and_nothing_else_changes() {
    let request = two_clusters();
    let mut exposed = KeyDirectory::new();
    for (path, file) in issued(&request, new_year()).iter() {
        exposed.insert(path, file.bytes.clone(), 0o644);
    }
    let outcome = issue(&request, &exposed, new_year()).unwrap();
    assert!(outcome.changes.iter().all(|change| change.reason == Reason::Exposed), "{:?}", outcome.changes);
    assert_eq!(outcome.changes.len(), 1 + 2 + 5, "the root, the intermediates, the workloads");
    for (path, file) in outcome.directory.iter() {
        assert_eq!(Some(file.bytes.as_slice()), exposed.bytes(path), "{path}");
        assert_eq!(file.is_exposed(), !path.ends_with("key.pem") && !path.ends_with("tls.key"), "{path}");
    }
    assert_eq!(issue(&request, &outcome.directory, new_year()).unwrap().changes, []);
}

/// A directory in which webapp's certificate was made by hand, below west's intermediate.
fn with_a_leaf_of(edit: impl FnOnce(&mut rcgen::CertificateParams)) -> KeyDirectory {
    let mut directory = issued(&two_clusters(), new_year());
    let issuer = rcgen::Issuer::from_ca_cert_pem(
        &text(&directory, "west/intermediate/cert.pem"),
        rcgen::KeyPair::from_pem(&text(&directory, "west/intermediate/key.pem")).unwrap(),
    )
    .unwrap();
    let key = rcgen::KeyPair::from_pem(&text(&directory, WEBAPP_KEY)).unwrap();
    let mut leaf = rcgen::CertificateParams::default();
    let uri = "spiffe://cluster.local/ns/istioinaction/sa/webapp".try_into().unwrap();
    leaf.distinguished_name = rcgen::DistinguishedName::new();
    leaf.subject_alt_names = vec![rcgen::SanType::URI(uri)];
    leaf.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    leaf.not_before = time::OffsetDateTime::from(new_year() - meshc_pki::BACKDATE);
    leaf.not_after = time::OffsetDateTime::from(new_year() + DAY * 90);
    edit(&mut leaf);
    let signed = leaf.signed_by(&key, &issuer).unwrap().pem();
    let chain = text(&directory, "west/intermediate/chain.pem");
    directory.insert(WEBAPP, format!("{signed}{chain}"), 0o644);
    directory
}

/// What meshd would refuse is shown, and made anew; what it accepts stays, whoever made it.
#[test]
fn a_certificate_that_meshd_refuses_is_replaced() {
    let request = two_clusters();
    let kept = issue(&request, &with_a_leaf_of(|_| {}), new_year()).unwrap();
    assert_eq!(changes(&kept), []);
    let authority = |leaf: &mut rcgen::CertificateParams| {
        leaf.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    };
    let mute = |leaf: &mut rcgen::CertificateParams| leaf.key_usages.clear();
    for (directory, flaw) in [
        (with_a_leaf_of(authority), "meshd refuses it: it is an authority"),
        (with_a_leaf_of(mute), "meshd refuses it: it lacks the key usage digitalSignature"),
    ] {
        let report = meshc_pki::show(&request, &directory, new_year()).unwrap().to_string();
        assert!(report.contains(flaw), "{report}");
        let outcome = issue(&request, &directory, new_year()).unwrap();
        assert_eq!(changes(&outcome), [(WEBAPP, &Reason::ContentChanged)]);
    }
}

/// A root that was put there by hand has to be one that peers accept as an issuer.
#[test]
fn a_root_that_may_not_sign_is_refused() {
    let request = two_clusters();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut directory = KeyDirectory::new();
    directory.insert(layout::ROOT_CERTIFICATE, params.self_signed(&key).unwrap().pem(), 0o644);
    directory.insert(layout::ROOT_KEY, key.serialize_pem(), 0o600);
    let error = init(&request, &directory, new_year()).unwrap_err().to_string();
    let expected =
        "`root/cert.pem` cannot issue certificates: it is no authority, or lacks the key usage keyCertSign";
    assert_eq!(error, expected);
}
