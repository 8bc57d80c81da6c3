//! rustls' verifier, which meshd uses, accepts every chain for both ends of TLS.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meshc_pki::layout;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert, aws_lc_rs};

use crate::support::{DAY, issued, new_year, text, two_clusters};

fn certificates(pem_text: &str) -> Vec<CertificateDer<'static>> {
    pem::parse_many(pem_text).unwrap().into_iter().map(|block| block.into_contents().into()).collect()
}

/// Whether a peer that knows only the roots accepts what is in `tls.crt`.
fn accepts(roots: &str, bundle: &str, usage: KeyUsage, now: SystemTime) -> Result<(), webpki::Error> {
    let roots = certificates(roots);
    let anchors: Vec<_> = roots.iter().map(|root| anchor_from_trusted_cert(root).unwrap()).collect();
    let bundle = certificates(bundle);
    let (leaf, chain) = bundle.split_first().unwrap();
    let algorithms = [aws_lc_rs::ECDSA_P256_SHA256];
    let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap());
    let leaf = EndEntityCert::try_from(leaf)?;
    leaf.verify_for_usage(&algorithms, &anchors, chain, now, usage, None, None).map(|_| ())
}

#[test]
fn rustls_accepts_every_chain_and_no_other_root() {
    let request = two_clusters();
    let directory = issued(&request, new_year());
    let roots = text(&directory, layout::ROOTS);
    let stranger = text(&issued(&request, new_year()), layout::ROOTS);
    for cluster in &request.clusters {
        for identity in &cluster.identities {
            let bundle = text(&directory, &layout::identity(&cluster.name, identity).unwrap().certificate);
            for usage in [KeyUsage::server_auth, KeyUsage::client_auth] {
                let soon = new_year() + Duration::from_secs(1);
                assert_eq!(accepts(&roots, &bundle, usage(), soon), Ok(()));
                // A peer whose clock is some minutes behind accepts it, too.
                assert_eq!(accepts(&roots, &bundle, usage(), new_year() - Duration::from_secs(240)), Ok(()));
                assert!(accepts(&roots, &bundle, usage(), new_year() + DAY * 91).is_err());
                assert!(accepts(&stranger, &bundle, usage(), soon).is_err());
            }
            let leaf = certificates(&bundle).remove(0);
            let leaf = EndEntityCert::try_from(&leaf).unwrap();
            assert_eq!(leaf.valid_uri_names().collect::<Vec<_>>(), [identity.spiffe.as_str()]);
        }
    }
}
