//! What the certificates say, read back with an independent parser, and how the directory is laid out.

use crate::support::{DAY, first, issued, new_year, text, two_clusters};
use meshc_pki::{BACKDATE, layout};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::{OID_EC_P256, OID_X509_EXT_NAME_CONSTRAINTS, OID_X509_EXT_SUBJECT_ALT_NAME};
use x509_parser::prelude::X509Certificate;

fn with_certificate(pem_text: &str, judge: impl FnOnce(&X509Certificate<'_>)) {
    let block = first(pem_text);
    let (_, certificate) = x509_parser::parse_x509_certificate(block.contents()).unwrap();
    let curve = certificate.public_key().algorithm.parameters.as_ref().unwrap().as_oid().unwrap();
    assert_eq!(curve, OID_EC_P256);
    let constrained = certificate.extensions().iter().any(|e| e.oid == OID_X509_EXT_NAME_CONSTRAINTS);
    assert!(!constrained, "rustls refuses SPIFFE leaves under name constraints");
    judge(&certificate);
}

fn seconds(time: std::time::SystemTime) -> i64 {
    i64::try_from(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

#[test]
fn a_workload_certificate_carries_one_critical_uri_and_nothing_else() {
    let request = two_clusters();
    let directory = issued(&request, new_year());
    let paths = layout::identity("west", &request.clusters[0].identities[0]).unwrap();
    let bundle = text(&directory, &paths.certificate);
    assert_eq!(pem::parse_many(&bundle).unwrap().len(), 2, "the leaf and the intermediate");
    with_certificate(&bundle, |leaf| {
        assert_eq!(leaf.subject().iter().count(), 0);
        let names = leaf.subject_alternative_name().unwrap().unwrap();
        assert!(names.critical);
        let uri = "spiffe://cluster.local/ns/istioinaction/sa/webapp";
        assert_eq!(names.value.general_names, [GeneralName::URI(uri)]);
        let alternative_names = leaf.extensions().iter().filter(|e| e.oid == OID_X509_EXT_SUBJECT_ALT_NAME);
        assert_eq!(alternative_names.count(), 1);
        // Bits 0 and 2 of the usage: digital signature and key encipherment.
        assert_eq!(leaf.key_usage().unwrap().unwrap().value.flags, 0b101);
        let extended = leaf.extended_key_usage().unwrap().unwrap().value;
        assert!(extended.server_auth && extended.client_auth && !extended.any && extended.other.is_empty());
        assert!(!extended.code_signing && !extended.email_protection && !extended.time_stamping);
        assert!(!leaf.is_ca());
        assert_eq!(leaf.validity().not_before.timestamp(), seconds(new_year() - BACKDATE));
        assert_eq!(leaf.validity().not_after.timestamp(), seconds(new_year() + DAY * 90));
        let points_up = leaf.extensions().iter().any(|extension| {
            matches!(extension.parsed_extension(), ParsedExtension::AuthorityKeyIdentifier(_))
        });
        assert!(points_up, "verifiers tell a renewed issuer from its predecessor by the key identifier");
    });
}

#[test]
fn authorities_have_the_path_lengths_of_their_level() {
    let directory = issued(&two_clusters(), new_year());
    let west = layout::intermediate("west").unwrap();
    for (path, length, years) in [(layout::ROOT_CERTIFICATE, 1, 10), (west.certificate.as_str(), 0, 1)] {
        with_certificate(&text(&directory, path), |authority| {
            let basic = authority.basic_constraints().unwrap().unwrap();
            assert!(basic.critical && basic.value.ca);
            assert_eq!(basic.value.path_len_constraint, Some(length), "{path}");
            let usage = authority.key_usage().unwrap().unwrap();
            assert!(usage.critical && usage.value.key_cert_sign() && !usage.value.digital_signature());
            assert_eq!(authority.validity().not_after.timestamp(), seconds(new_year() + DAY * 365 * years));
            assert!(authority.subject_alternative_name().unwrap().is_none());
        });
    }
}

#[test]
fn the_directory_has_the_documented_layout_and_modes() {
    let directory = issued(&two_clusters(), new_year());
    let listing: Vec<String> =
        directory.iter().map(|(path, file)| format!("{:04o} {path}", file.mode)).collect();
    assert_eq!(
        listing,
        [
            "0644 .gitignore",
            "0644 east/identities/istioinaction/catalog/tls.crt",
            "0600 east/identities/istioinaction/catalog/tls.key",
            "0644 east/identities/istioinaction/simple-backend/tls.crt",
            "0600 east/identities/istioinaction/simple-backend/tls.key",
            "0644 east/intermediate/cert.pem",
            "0644 east/intermediate/chain.pem",
            "0600 east/intermediate/key.pem",
            "0644 root/cert.pem",
            "0600 root/key.pem",
            "0644 roots.pem",
            "0644 west/identities/istioinaction/simple-backend/tls.crt",
            "0600 west/identities/istioinaction/simple-backend/tls.key",
            "0644 west/identities/istioinaction/webapp/tls.crt",
            "0600 west/identities/istioinaction/webapp/tls.key",
            "0644 west/identities/mesh-system/west-ingress/tls.crt",
            "0600 west/identities/mesh-system/west-ingress/tls.key",
            "0644 west/intermediate/cert.pem",
            "0644 west/intermediate/chain.pem",
            "0600 west/intermediate/key.pem",
        ]
    );
    assert_eq!(text(&directory, layout::GITIGNORE), "*\n");
    for (path, file) in directory.iter() {
        let holds_key = String::from_utf8_lossy(&file.bytes).contains("PRIVATE KEY");
        assert_eq!(holds_key, file.mode == 0o600, "{path}");
        assert!(!format!("{file:?}").contains("PRIVATE"), "keys must not reach logs");
    }
}
