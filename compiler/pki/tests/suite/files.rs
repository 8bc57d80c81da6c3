//! `issuer = files`: authorities made outside of this crate are used if they can carry the mesh, and each way in which
//! they cannot is told apart.

use meshc_pki::{
    BroughtCluster, BroughtFile, BroughtTrust, FileProblem, FileProblemKind, Issuer, KeyDirectory,
    PemProblem, TrustRequest, adopt_files, export_cacerts, init, issue, layout, show, verify_files,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    SanType,
};
use time::OffsetDateTime;

use crate::support::{DAY, describe, first, new_year, openssl, two_clusters, write};

/// An authority of some company's, with its certificate.
struct Made {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

/// An authority valid around [`new_year`] for some days; edit it before it is signed.
fn authority(
    name: &str,
    days: u32,
    key: KeyPair,
    issuer: Option<&Made>,
    edit: impl FnOnce(&mut CertificateParams),
) -> Made {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params.not_before = OffsetDateTime::from(new_year() - DAY);
    params.not_after = OffsetDateTime::from(new_year() + DAY * days);
    edit(&mut params);
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, &rcgen::Issuer::from_params(&issuer.params, &issuer.key)),
        None => params.self_signed(&key),
    };
    Made { pem: certificate.unwrap().pem(), params, key }
}

fn p256() -> KeyPair {
    KeyPair::generate().unwrap()
}

pub(crate) fn file(path: &str, contents: &str) -> BroughtFile {
    BroughtFile { path: path.to_owned(), bytes: contents.as_bytes().to_vec() }
}

/// One cluster below what a company might have: a root, an issuing authority, and the intermediate.
struct Company {
    root: Made,
    issuing: Made,
    west: Made,
}

impl Company {
    fn new() -> Self {
        let root = authority("Company Root", 3650, p256(), None, |_| {});
        let issuing = authority("Company Issuing", 2000, p256(), Some(&root), |_| {});
        let west = authority("Mesh West", 365, p256(), Some(&issuing), |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        });
        Self { root, issuing, west }
    }

    fn brought(&self) -> BroughtTrust {
        let west = BroughtCluster {
            name: "west".to_owned(),
            certificate: file("west.pem", &self.west.pem),
            key: file("west.key", &self.west.key.serialize_pem()),
            chain: Some(file("chain.pem", &self.issuing.pem)),
        };
        BroughtTrust { roots: vec![file("roots.pem", &self.root.pem)], clusters: vec![west] }
    }
}

pub(crate) fn request() -> TrustRequest {
    let mut request = two_clusters();
    request.issuer = Issuer::Files;
    request.clusters.truncate(1);
    request
}

fn kinds(problems: &[FileProblem]) -> Vec<(Option<&str>, &FileProblemKind)> {
    problems.iter().map(|problem| (problem.path.as_deref(), &problem.kind)).collect()
}

#[test]
fn good_files_are_adopted_issue_and_verify() {
    let (company, request) = (Company::new(), request());
    let brought = company.brought();
    assert_eq!(verify_files(&brought, &request, new_year()), []);
    let adopted = adopt_files(&brought, &request, &KeyDirectory::new(), new_year()).unwrap();
    let again = adopt_files(&brought, &request, &adopted.directory, new_year()).unwrap();
    assert_eq!(again.changes, []);
    let outcome = issue(&request, &adopted.directory, new_year()).unwrap();
    assert_eq!(outcome.changes.len(), 3);
    assert_eq!(issue(&request, &outcome.directory, new_year()).unwrap().changes, []);
    assert_eq!(init(&request, &outcome.directory, new_year()).unwrap().changes, []);
    assert!(outcome.directory.get(layout::ROOT_CERTIFICATE).is_none(), "the company's root is not ours");
    let report = show(&request, &outcome.directory, new_year()).unwrap();
    assert!(report.is_healthy(), "{report}");
    assert_eq!(report.unused, Vec::<String>::new());
    // A peer that knows only the root gets everything else from the leaf's own file.
    let folder = tempfile::tempdir().unwrap();
    write(&outcome.directory, folder.path());
    let leaf = "west/identities/istioinaction/webapp/tls.crt";
    let at = new_year().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs().to_string();
    let arguments =
        ["verify", "-x509_strict", "-attime", &at, "-CAfile", "roots.pem", "-untrusted", leaf, leaf];
    let output = openssl(folder.path(), &arguments);
    assert!(output.status.success(), "{}", describe(&output));
    // Istio's chain has every step up to the root.
    let manifest = export_cacerts(&request.clusters[0], &outcome.directory).unwrap();
    let secret: serde_json::Value = serde_yaml::from_str(&manifest.text).unwrap();
    let chain = secret["stringData"]["cert-chain.pem"].as_str().unwrap();
    let expected = [&company.west.pem, &company.issuing.pem, &company.root.pem].map(|pem| first(pem));
    assert_eq!(pem::parse_many(chain).unwrap(), expected);
}

#[test]
fn a_renewed_intermediate_renews_the_leaves() {
    let (mut company, request) = (Company::new(), request());
    let adopted = adopt_files(&company.brought(), &request, &KeyDirectory::new(), new_year()).unwrap();
    let before = issue(&request, &adopted.directory, new_year()).unwrap().directory;
    company.west = authority("Mesh West", 700, p256(), Some(&company.issuing), |_| {});
    let adopted = adopt_files(&company.brought(), &request, &before, new_year()).unwrap();
    let changed: Vec<&str> = adopted.changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(
        changed,
        ["west/intermediate/cert.pem", "west/intermediate/key.pem", "west/intermediate/chain.pem"]
    );
    assert_eq!(issue(&request, &adopted.directory, new_year()).unwrap().changes.len(), 3);
}

/// The problems after one edit of what the company brings.
fn after(edit: impl FnOnce(&mut Company, &mut BroughtTrust)) -> Vec<FileProblem> {
    let mut company = Company::new();
    let mut brought = company.brought();
    edit(&mut company, &mut brought);
    let problems = verify_files(&brought, &request(), new_year());
    let adopted = adopt_files(&brought, &request(), &KeyDirectory::new(), new_year());
    assert_eq!(adopted.unwrap_err(), problems, "what is found keeps the files from being adopted");
    problems
}

/// The problems after the intermediate was made differently.
fn with_west(days: u32, key: KeyPair, edit: impl FnOnce(&mut CertificateParams)) -> Vec<FileProblem> {
    after(|company, brought| {
        company.west = authority("Mesh West", days, key, Some(&company.issuing), edit);
        *brought = company.brought();
    })
}

#[test]
fn unreadable_and_missing_files_are_named() {
    let problems = after(|_, brought| {
        brought.roots[0] = file("roots.pem", "nothing");
        brought.clusters[0].key = file("west.key", "nothing");
        brought.clusters[0].chain = Some(file("chain.pem", "nothing"));
    });
    let unreadable = FileProblemKind::Unreadable;
    let (no_certificate, no_key) = (unreadable(PemProblem::NoCertificate), unreadable(PemProblem::NoKey));
    let (subject, issuer) = ("CN=Mesh West".to_owned(), "CN=Company Issuing".to_owned());
    assert_eq!(
        kinds(&problems),
        [
            (Some("roots.pem"), &no_certificate),
            (Some("west.key"), &no_key),
            (Some("chain.pem"), &no_certificate),
            (Some("west.pem"), &FileProblemKind::NoPathToRoot { subject, issuer }),
        ]
    );
    assert_eq!(problems[1].cluster.as_deref(), Some("west"));
    let problems = after(|_, brought| {
        brought.roots.clear();
        brought.clusters.clear();
    });
    assert_eq!(
        kinds(&problems),
        [(None, &FileProblemKind::NoRoots), (None, &FileProblemKind::NoIntermediate)]
    );
    let problems = after(|_, brought| brought.clusters[0].certificate = file("west.pem", ""));
    assert_eq!(kinds(&problems), [(Some("west.pem"), &no_certificate)]);
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let problems = after(|_, brought| brought.clusters[0].key = file("west.key", &p256().serialize_pem()));
    let kind = FileProblemKind::KeyMismatch { certificate: "west.pem".to_owned() };
    assert_eq!(kinds(&problems), [(Some("west.key"), &kind)]);
}

#[test]
fn a_chain_that_leads_nowhere_is_refused() {
    let (subject, issuer) = ("CN=Mesh West".to_owned(), "CN=Company Issuing".to_owned());
    let no_path = FileProblemKind::NoPathToRoot { subject, issuer };
    let problems = after(|_, brought| brought.clusters[0].chain = None);
    assert_eq!(kinds(&problems), [(Some("west.pem"), &no_path)]);
    // A root and an issuer of the same names, but with other keys.
    let problems = after(|_, brought| brought.roots = Company::new().brought().roots);
    assert_eq!(kinds(&problems), [(Some("west.pem"), &no_path)]);
    let problems =
        after(|_, brought| brought.clusters[0].chain = Company::new().brought().clusters[0].chain.clone());
    assert_eq!(kinds(&problems), [(Some("west.pem"), &no_path)]);
}

#[test]
fn a_path_length_on_the_way_is_respected() {
    let problems = after(|company, brought| {
        company.root = authority("Company Root", 3650, p256(), None, |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        });
        company.issuing = authority("Company Issuing", 2000, p256(), Some(&company.root), |params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        });
        company.west = authority("Mesh West", 365, p256(), Some(&company.issuing), |_| {});
        *brought = company.brought();
    });
    let too_long = |subject: &str, allowed, needed| FileProblemKind::PathTooLong {
        subject: subject.to_owned(),
        allowed,
        needed,
    };
    assert_eq!(
        kinds(&problems),
        [
            (Some("west.pem"), &too_long("CN=Company Issuing", 0, 1)),
            (Some("west.pem"), &too_long("CN=Company Root", 1, 2)),
        ]
    );
}

#[test]
fn lifetimes_must_nest() {
    let subject = || "CN=Mesh West".to_owned();
    let problems = with_west(2001, p256(), |_| {});
    let outlives =
        FileProblemKind::OutlivesIssuer { subject: subject(), issuer: "CN=Company Issuing".to_owned() };
    assert_eq!(kinds(&problems), [(Some("west.pem"), &outlives)]);
    let problems = with_west(89, p256(), |_| {});
    let short =
        FileProblemKind::WorkloadsOutlive { subject: subject(), left: 89 * 86_400, workload: 90 * 86_400 };
    assert_eq!(kinds(&problems), [(Some("west.pem"), &short)]);
    let problems =
        with_west(365, p256(), |params| params.not_after = OffsetDateTime::from(new_year() - DAY / 2));
    let kind = &problems[0].kind;
    assert!(matches!(kind, FileProblemKind::Expired { .. }), "{kind:?}");
    let problems =
        with_west(365, p256(), |params| params.not_before = OffsetDateTime::from(new_year() + DAY));
    let kind = &problems[0].kind;
    assert!(matches!(kind, FileProblemKind::NotYetValid { .. }), "{kind:?}");
}

#[test]
fn authorities_that_the_data_planes_would_refuse_are_refused() {
    let subject = "CN=Mesh West".to_owned();
    let only = |problems: Vec<FileProblem>, kind: FileProblemKind| {
        assert_eq!(kinds(&problems), [(Some("west.pem"), &kind)]);
    };
    let not_ca = with_west(365, p256(), |params| params.is_ca = IsCa::ExplicitNoCa);
    only(not_ca, FileProblemKind::NotAnAuthority { subject: subject.clone() });
    let no_sign = with_west(365, p256(), |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    only(no_sign, FileProblemKind::NotAnAuthority { subject: subject.clone() });
    let servers_only = with_west(365, p256(), |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    only(servers_only, FileProblemKind::UsageExcludesTls { subject: subject.clone() });
    only(
        with_west(365, KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap(), |_| {}),
        FileProblemKind::UnsupportedKey { subject, key: "a key of algorithm 1.3.101.112".to_owned() },
    );
}

#[test]
fn an_authority_of_another_trust_domain_is_refused() {
    let uri = |uri: &str| vec![SanType::URI(uri.try_into().unwrap())];
    let problems = with_west(365, p256(), |params| params.subject_alt_names = uri("spiffe://other.example"));
    let kind = FileProblemKind::ForeignTrustDomain {
        subject: "CN=Mesh West".to_owned(),
        found: "spiffe://other.example".to_owned(),
        expected: "cluster.local".to_owned(),
    };
    assert_eq!(kinds(&problems), [(Some("west.pem"), &kind)]);
    let mut company = Company::new();
    company.west = authority("Mesh West", 365, p256(), Some(&company.issuing), |params| {
        params.subject_alt_names = uri("spiffe://cluster.local");
    });
    assert_eq!(verify_files(&company.brought(), &request(), new_year()), []);
}

#[test]
fn a_root_that_did_not_sign_itself_is_refused() {
    let problems = after(|company, brought| brought.roots.push(file("extra.pem", &company.issuing.pem)));
    let kind = FileProblemKind::NotSelfSigned { subject: "CN=Company Issuing".to_owned() };
    assert_eq!(kinds(&problems), [(Some("extra.pem"), &kind)]);
}

/// meshd takes a name, a key and name constraints from a root; Envoy looks at all of its extensions.
#[test]
fn extensions_of_roots_are_judged_as_the_data_planes_do() {
    let extension = |oid: &[u64], critical: bool, content: &[u8]| {
        let mut extension = rcgen::CustomExtension::from_oid_content(oid, content.to_vec());
        extension.set_criticality(critical);
        extension
    };
    let said = |edit: &dyn Fn(&mut CertificateParams)| {
        let mut company = Company::new();
        company.root = authority("Company Root", 3650, p256(), None, edit);
        company.issuing = authority("Company Issuing", 2000, p256(), Some(&company.root), |_| {});
        company.west = authority("Mesh West", 365, p256(), Some(&company.issuing), |_| {});
        let problems = verify_files(&company.brought(), &request(), new_year());
        problems.into_iter().map(|problem| problem.kind.to_string()).collect::<Vec<_>>()
    };
    let unknown = said(&|root| root.custom_extensions.push(extension(&[1, 2, 3, 4], true, &[5, 0])));
    assert_eq!(
        unknown,
        ["`CN=Company Root` has the critical extension 1.2.3.4, which Envoy does not process"]
    );
    let harmless = said(&|root| {
        // inhibitAnyPolicy: 0.
        root.custom_extensions.push(extension(&[2, 5, 29, 54], true, &[2, 1, 0]));
        root.custom_extensions.push(extension(&[1, 2, 3, 4], false, &[5, 0]));
    });
    assert_eq!(harmless, <[String; 0]>::default());
    let directory = said(&|root| {
        let subtree = rcgen::GeneralSubtree::DirectoryName(rcgen::DistinguishedName::new());
        root.name_constraints =
            Some(rcgen::NameConstraints { permitted_subtrees: vec![subtree], excluded_subtrees: Vec::new() });
    });
    let expected = "`CN=Company Root` has nameConstraints (2.5.29.30) on subjects or URIs, under which meshd accepts no \
                    workload certificate";
    assert_eq!(directory, [expected]);
}

/// What no check names is still found by the verifier itself: it follows no chain of eight authorities.
#[test]
fn the_verifier_of_meshd_has_the_last_word() {
    let mut company = Company::new();
    let mut chain = String::new();
    for number in 0..7 {
        let next = authority(&format!("Issuing {number}"), 1000, p256(), Some(&company.issuing), |_| {});
        chain = format!("{}{chain}", company.issuing.pem);
        company.issuing = next;
    }
    company.west = authority("Mesh West", 365, p256(), Some(&company.issuing), |_| {});
    let mut brought = company.brought();
    brought.clusters[0].chain = Some(file("chain.pem", &format!("{}{chain}", company.issuing.pem)));
    let problems = verify_files(&brought, &request(), new_year());
    let said: Vec<String> = problems.iter().map(|problem| problem.kind.to_string()).collect();
    let refused =
        "meshd would refuse every workload certificate below `CN=Mesh West`: maximum path depth exceeded";
    assert_eq!(said, [refused]);
}

#[test]
fn an_intermediate_right_below_a_root_needs_no_chain() {
    for chain in [None, Some(""), Some("\n")] {
        let mut company = Company::new();
        company.west = authority("Mesh West", 365, p256(), Some(&company.root), |_| {});
        let mut brought = company.brought();
        brought.clusters[0].chain = chain.map(|text| file("chain.pem", text));
        assert_eq!(verify_files(&brought, &request(), new_year()), [], "{chain:?}");
    }
    let problems = after(|_, brought| brought.clusters[0].chain = Some(file("chain.pem", "a chain")));
    assert!(
        kinds(&problems)
            .contains(&(Some("chain.pem"), &FileProblemKind::Unreadable(PemProblem::NoCertificate))),
        "{problems:?}"
    );
}

/// An authority without a key usage is refused, since meshd refuses it as an issuer.
#[test]
fn an_authority_says_that_it_signs() {
    let without = with_west(365, p256(), |params| params.key_usages = Vec::new());
    let kind = FileProblemKind::NotAnAuthority { subject: "CN=Mesh West".to_owned() };
    assert_eq!(kinds(&without), [(Some("west.pem"), &kind)]);
}
