//! When a chain is valid: what of a verdict about it depends on the time.

use rustls_pki_types::{CertificateDer, UnixTime};

use crate::profile::parse;

/// From when to when all certificates of a chain are valid, both included, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    from: u64,
    to: u64,
}

impl Validity {
    /// Whether all of them are valid then.
    #[must_use]
    pub fn contains(self, time: UnixTime) -> bool {
        (self.from..=self.to).contains(&time.as_secs())
    }
}

/// When all certificates that a peer shows are valid; `None` if one of them cannot be read. A verdict that was good at one
/// moment of it is good at any other: of a root, the time does not count (RFC 5280, section 6.1.1).
#[must_use]
pub fn validity(leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Option<Validity> {
    let mut all = Validity { from: 0, to: u64::MAX };
    for der in std::iter::once(leaf).chain(intermediates) {
        let certificate = parse(der).ok()?;
        let one = certificate.validity();
        all.from = all.from.max(u64::try_from(one.not_before.timestamp().max(0)).ok()?);
        // One that ended before 1970 is never valid.
        all.to = all.to.min(u64::try_from(one.not_after.timestamp()).ok()?);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::time::Duration;

    fn valid(from: (i32, u8), to: (i32, u8)) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(from.0, from.1, 1);
        params.not_after = date_time_ymd(to.0, to.1, 1);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn it_is_the_time_at_which_every_one_of_them_is_valid() {
        let [long, early, late] =
            [valid((2020, 1), (2040, 1)), valid((2021, 1), (2026, 2)), valid((2026, 1), (2030, 1))];
        let all = validity(&long, &[early.clone(), late.clone()]).unwrap();
        // The first of January and of February 2026.
        assert_eq!((all.from, all.to), (1_767_225_600, 1_769_904_000));
        let at = |seconds| all.contains(UnixTime::since_unix_epoch(Duration::from_secs(seconds)));
        assert_eq!([all.from - 1, all.from, all.to, all.to + 1].map(at), [false, true, true, false]);
        let never = validity(&valid((2020, 1), (2021, 1)), std::slice::from_ref(&late)).unwrap();
        assert!(!never.contains(UnixTime::since_unix_epoch(Duration::from_secs(never.from))));
        assert!(validity(&late, &[CertificateDer::from(&b"no certificate"[..])]).is_none());
    }
}
