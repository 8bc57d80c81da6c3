//! Chains of certificates that one verifier has found good, so that a peer that comes again costs no signatures of authorities.
//!
//! A verifier's roots and whom it expects never change; new ones come with a new verifier, which has found nothing yet. What
//! else its verdict depends on is in the key, every certificate as it was sent and in that order and which end the peer is, or
//! is looked at again: the time. Only good chains are kept, so whoever wants to fill this needs an authority of the mesh; and
//! that a peer has the key of its certificate is proven by each handshake anew.

use crate::counters::Counters;
use aws_lc_rs::digest::{Context, SHA256};
use meshd_certificates::{Purpose, Validity};
use rustls_pki_types::{CertificateDer, UnixTime};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many chains are kept at least before the first of them are forgotten, and at most twice as many: 32 KiB.
const MOST: usize = 256;

/// A digest of a whole chain.
type Key = [u8; 32];

/// The chains that one verifier has found good.
#[derive(Debug)]
pub(crate) struct Known {
    chains: Mutex<Chains>,
    counts: Arc<Counters>,
}

/// Two generations: when the younger is full it becomes the older, whose chains are forgotten unless they came again.
#[derive(Debug, Default)]
struct Chains {
    young: HashMap<Key, Validity>,
    old: HashMap<Key, Validity>,
}

impl Chains {
    fn find(&mut self, key: &Key) -> Option<Validity> {
        if let Some(validity) = self.young.get(key) {
            return Some(*validity);
        }
        let validity = self.old.remove(key)?;
        self.keep(*key, validity);
        Some(validity)
    }

    fn keep(&mut self, key: Key, validity: Validity) {
        if self.young.len() >= MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, validity);
    }
}

impl Known {
    /// Nothing yet; what is found is counted here.
    pub(crate) fn new(counts: &Arc<Counters>) -> Self {
        Known { chains: Mutex::default(), counts: Arc::clone(counts) }
    }

    /// What `verify` says of a chain, unless it has said before that this chain is good, and all of it is valid now.
    pub(crate) fn or_verify<E>(
        &self,
        (leaf, intermediates): (&CertificateDer<'_>, &[CertificateDer<'_>]),
        now: UnixTime,
        purpose: Purpose,
        verify: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let key = key(leaf, intermediates, purpose);
        let known = self.lock().find(&key);
        if known.is_some_and(|validity| validity.contains(now)) {
            self.counts.add(&["known"], 1);
            return Ok(());
        }
        self.counts.add(&["verified"], 1);
        verify()?;
        if let Some(validity) = meshd_certificates::validity(leaf, intermediates)
            && validity.contains(now)
        {
            self.lock().keep(key, validity);
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Chains> {
        self.chains.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The digest of every certificate with its length, so that no two chains have the same bytes.
fn key(leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], purpose: Purpose) -> Key {
    let mut digest = Context::new(&SHA256);
    digest.update(match purpose {
        Purpose::Server => b"s",
        Purpose::Client => b"c",
    });
    for certificate in std::iter::once(leaf).chain(intermediates) {
        digest.update(&(certificate.len() as u64).to_be_bytes());
        digest.update(certificate);
    }
    let mut key = [0; 32];
    key.copy_from_slice(digest.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::cell::Cell;
    use std::time::Duration;

    /// A certificate that is valid in this year.
    fn of(year: i32) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(year, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn in_june(year: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952 + 14_000_000))
    }

    /// Whether a chain had to be verified, by a verifier that finds everything good.
    fn verifies(known: &Known, chain: &[&CertificateDer<'static>], now: UnixTime, purpose: Purpose) -> bool {
        let asked = Cell::new(false);
        let rest: Vec<_> = chain[1..].iter().map(|one| (*one).clone()).collect();
        let verdict = known.or_verify((chain[0], &rest), now, purpose, || {
            asked.set(true);
            Ok::<(), ()>(())
        });
        assert!(verdict.is_ok());
        asked.get()
    }

    fn none() -> (Known, Metrics) {
        let metrics = Metrics::default();
        (Known::new(&metrics.chains), metrics)
    }

    #[test]
    fn a_chain_is_known_only_as_it_was_sent_and_to_the_same_end() {
        let (known, metrics) = none();
        let (now, [a, b, c]) = (in_june(2026), [(); 3].map(|()| of(2026)));
        for (chain, purpose, is_new) in [
            (vec![&a, &b], Purpose::Client, true),
            (vec![&a, &b], Purpose::Client, false),
            (vec![&a, &b], Purpose::Server, true),
            (vec![&a], Purpose::Client, true),
            (vec![&a, &c], Purpose::Client, true),
            (vec![&a, &b, &c], Purpose::Client, true),
            (vec![&a, &c, &b], Purpose::Client, true),
            (vec![&b, &a], Purpose::Client, true),
            (vec![&a, &b, &c], Purpose::Client, false),
        ] {
            assert_eq!(verifies(&known, &chain, now, purpose), is_new, "{purpose:?}");
        }
        let page = metrics.page();
        assert!(page.contains("meshd_certificate_chains_total{result=\"known\"} 2\n"), "{page}");
        assert!(page.contains("meshd_certificate_chains_total{result=\"verified\"} 7\n"), "{page}");
    }

    #[test]
    fn where_one_certificate_ends_and_the_next_begins_is_part_of_the_key() {
        let [ab, a, b] = [&b"ab"[..], b"a", b"b"].map(CertificateDer::from);
        let keys = [
            key(&ab, &[], Purpose::Client),
            key(&a, std::slice::from_ref(&b), Purpose::Client),
            key(&a, &[b.clone(), CertificateDer::from(&b""[..])], Purpose::Client),
        ];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    }

    #[test]
    fn a_known_chain_is_verified_again_outside_the_validity_of_any_of_it() {
        let (known, _metrics) = none();
        let (leaf, issuer) = (of(2026), of(2026));
        assert!(verifies(&known, &[&leaf, &issuer], in_june(2026), Purpose::Client));
        assert!(!verifies(&known, &[&leaf, &issuer], in_june(2026), Purpose::Client));
        for year in [2025, 2027] {
            assert!(verifies(&known, &[&leaf, &issuer], in_june(year), Purpose::Client), "{year}");
        }
        let old = of(2024);
        for _ in 0..2 {
            assert!(verifies(&known, &[&leaf, &old], in_june(2026), Purpose::Client), "one that is over");
        }
    }

    #[test]
    fn what_is_refused_is_never_known() {
        let (known, _metrics) = none();
        let leaf = of(2026);
        for _ in 0..2 {
            let refused = known.or_verify((&leaf, &[]), in_june(2026), Purpose::Client, || Err("no"));
            assert_eq!(refused, Err("no"));
        }
    }

    #[test]
    fn the_chains_that_come_again_outlive_any_number_of_others() {
        let mut chains = Chains::default();
        let validity = meshd_certificates::validity(&of(2026), &[]).unwrap();
        let number = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            key
        };
        chains.keep(number(usize::MAX), validity);
        for other in 0..10 * MOST {
            chains.keep(number(other), validity);
            assert!(chains.young.len() + chains.old.len() <= 2 * MOST);
            assert!(chains.find(&number(usize::MAX)).is_some());
        }
        assert!(chains.find(&number(0)).is_none(), "it has not come again");
    }
}
