//! Making certificates: the three profiles and their validity.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use time::OffsetDateTime;

use crate::{MAX_COMMON_NAME, PkiError};

/// How long before its making a certificate becomes valid, so that peers whose clocks are behind accept it.
pub const BACKDATE: Duration = Duration::from_secs(300);

/// Seconds since 1970; times before it, which no certificate here has, count as 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// A duration in whole seconds.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// A certificate and its key, both as PEM.
pub(crate) struct Minted {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// When a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
}

impl Validity {
    /// From a little before `now` for a lifetime counted from `now`, but never beyond the issuer's end.
    pub(crate) fn starting(now: i64, lifetime: Duration, issuer_end: i64) -> Self {
        let not_before = now.saturating_sub(seconds(BACKDATE));
        Self { not_before, not_after: Self::end(not_before, lifetime, issuer_end) }
    }

    /// The end that a certificate with this beginning has.
    pub(crate) fn end(not_before: i64, lifetime: Duration, issuer_end: i64) -> i64 {
        not_before.saturating_add(seconds(BACKDATE)).saturating_add(seconds(lifetime)).min(issuer_end)
    }

    /// Whether less than a third of the life from making to end is left.
    pub(crate) fn nears_end(not_before: i64, not_after: i64, now: i64) -> bool {
        let life = not_after.saturating_sub(not_before.saturating_add(seconds(BACKDATE)));
        not_after.saturating_sub(now).saturating_mul(3) < life
    }
}

/// A self-signed root with path length 1: one intermediate may stand below it.
pub(crate) fn root(common_name: &str, validity: Validity) -> Result<Minted, PkiError> {
    let fail = |reason: String| PkiError::Unmakeable { what: "the root".to_owned(), reason };
    if common_name.is_empty() || common_name.chars().count() > MAX_COMMON_NAME {
        return Err(fail(format!("its common name must have 1 to {MAX_COMMON_NAME} characters")));
    }
    let mut params = authority(1, validity).map_err(&fail)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    let key = generate().map_err(&fail)?;
    let certificate = params.self_signed(&key).map_err(|error| fail(error.to_string()))?;
    Ok(Minted { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// The intermediate of a cluster, with path length 0: it signs workloads and nothing else.
pub(crate) fn intermediate(
    cluster: &str,
    organization: &str,
    validity: Validity,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<Minted, PkiError> {
    let fail = |reason: String| PkiError::Unmakeable { what: format!("cluster {cluster}"), reason };
    if cluster.chars().count() > MAX_COMMON_NAME {
        return Err(fail(format!(
            "its name becomes a common name, which has at most {MAX_COMMON_NAME} characters"
        )));
    }
    let mut params = authority(0, validity).map_err(&fail)?;
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "intermediate");
    params.distinguished_name.push(DnType::CommonName, cluster);
    params.use_authority_key_identifier_extension = true;
    let key = generate().map_err(&fail)?;
    let certificate = params.signed_by(&key, issuer).map_err(|error| fail(error.to_string()))?;
    Ok(Minted { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A workload's certificate: no subject, so that the one critical URI is its only name (SPIFFE X509-SVID, 2 and 3.1).
pub(crate) fn workload(
    spiffe: &str,
    validity: Validity,
    issuer: &Issuer<'_, KeyPair>,
) -> Result<Minted, PkiError> {
    let fail = |reason: String| PkiError::Unmakeable { what: spiffe.to_owned(), reason };
    let uri = Ia5String::try_from(spiffe).map_err(|error| fail(error.to_string()))?;
    let mut params = profile(validity).map_err(&fail)?;
    // rcgen marks the alternative names critical exactly when the subject is empty (RFC 5280, 4.2.1.6).
    params.subject_alt_names = vec![SanType::URI(uri)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = generate().map_err(&fail)?;
    let certificate = params.signed_by(&key, issuer).map_err(|error| fail(error.to_string()))?;
    Ok(Minted { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// How long a certificate of [`server_certificate`] lives.
const SERVER_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// A self-signed certificate for servers on this machine, and its key, both as PEM: for these host names (`*.example`
/// stands for any below it), `localhost` and the loopback addresses. Clients that trust the certificate accept it.
///
/// # Errors
/// If a name cannot be in a certificate.
pub fn server_certificate(hosts: &[String], now: SystemTime) -> Result<(String, String), PkiError> {
    let fail = |reason: String| PkiError::Unmakeable { what: hosts.join(", "), reason };
    let mut params =
        profile(Validity::starting(unix_seconds(now), SERVER_LIFETIME, i64::MAX)).map_err(&fail)?;
    params.distinguished_name.push(DnType::CommonName, "meshc up");
    // A host `*` takes every name; `any` stands for one of them.
    let names = hosts.iter().map(|host| if host == "*" { "any" } else { host.as_str() }).chain(["localhost"]);
    for name in names {
        let name = Ia5String::try_from(name).map_err(|error| fail(error.to_string()))?;
        params.subject_alt_names.push(SanType::DnsName(name));
    }
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    params.subject_alt_names.extend(loopback.map(SanType::IpAddress));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = generate().map_err(&fail)?;
    let certificate = params.self_signed(&key).map_err(|error| fail(error.to_string()))?;
    Ok((certificate.pem(), key.serialize_pem()))
}

/// Certificates for a client outside a mesh on this machine, all as PEM.
#[derive(Debug, Clone)]
pub struct ClientFiles {
    /// The root that the client's certificate descends from.
    pub root: String,
    /// Its key, to make more of them.
    pub root_key: String,
    /// The client's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// A root for what is outside a mesh on this machine, servers or clients.
#[derive(Debug)]
pub struct OutsideRoot {
    certificate: String,
    key: String,
    issuer: Issuer<'static, KeyPair>,
    validity: Validity,
}

impl OutsideRoot {
    /// A new one, with this common name.
    ///
    /// # Errors
    /// If the name cannot be in a certificate.
    pub fn new(name: &str, now: SystemTime) -> Result<Self, PkiError> {
        let fail = |reason: String| PkiError::Unmakeable { what: name.to_owned(), reason };
        let validity = Validity::starting(unix_seconds(now), SERVER_LIFETIME, i64::MAX);
        let mut params = authority(0, validity).map_err(&fail)?;
        params.distinguished_name.push(DnType::CommonName, name);
        let root_key = generate().map_err(&fail)?;
        let root = params.self_signed(&root_key).map_err(|error| fail(error.to_string()))?;
        let (certificate, key) = (root.pem(), root_key.serialize_pem());
        Ok(Self { certificate, key, issuer: Issuer::new(params, root_key), validity })
    }

    /// Its certificate, as PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its key, as PEM, to make more of them elsewhere.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The certificate and the key, both as PEM, of a server that has these DNS names.
    ///
    /// # Errors
    /// If a name cannot be in a certificate.
    pub fn server(&self, names: &[String]) -> Result<(String, String), PkiError> {
        let dns = |name: &String| (name.clone(), SanType::DnsName as fn(Ia5String) -> SanType);
        self.issue("meshc up", names.iter().map(dns), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The same of a client with this URI and this DNS name.
    ///
    /// # Errors
    /// If a name cannot be in a certificate.
    pub fn client(&self, uri: &str, name: &str) -> Result<(String, String), PkiError> {
        let names =
            [(uri.to_owned(), SanType::URI as fn(Ia5String) -> SanType), (name.to_owned(), SanType::DnsName)];
        self.issue(name, names.into_iter(), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        common_name: &str,
        names: impl Iterator<Item = (String, fn(Ia5String) -> SanType)>,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<(String, String), PkiError> {
        let fail = |reason: String| PkiError::Unmakeable { what: common_name.to_owned(), reason };
        let mut params = profile(self.validity).map_err(&fail)?;
        params.distinguished_name.push(DnType::CommonName, common_name);
        for (text, named) in names {
            let text = Ia5String::try_from(text).map_err(|error| fail(error.to_string()))?;
            params.subject_alt_names.push(named(text));
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = generate().map_err(&fail)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(|error| fail(error.to_string()))?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// A root for clients outside a mesh, and the certificate of one with this URI and this DNS name.
///
/// # Errors
/// If a name cannot be in a certificate.
pub fn client_certificate(uri: &str, name: &str, now: SystemTime) -> Result<ClientFiles, PkiError> {
    let root = OutsideRoot::new("meshc up, clients", now)?;
    let (certificate, key) = root.client(uri, name)?;
    Ok(ClientFiles { root: root.certificate, root_key: root.key, certificate, key })
}

fn authority(path_length: u8, validity: Validity) -> Result<CertificateParams, String> {
    let mut params = profile(validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(path_length));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn profile(validity: Validity) -> Result<CertificateParams, String> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = moment(validity.not_before)?;
    params.not_after = moment(validity.not_after)?;
    Ok(params)
}

fn moment(seconds: i64) -> Result<OffsetDateTime, String> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| "its end lies beyond the year 9999".to_owned())
}

fn generate() -> Result<KeyPair, String> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A fresh certificate never nears its end at the moment of its making, and always does once it is over.
        #[test]
        fn a_fresh_certificate_is_not_near_its_end(now in 0_i64..4_000_000_000, life in 60_u64..400_000_000) {
            let validity = Validity::starting(now + 300, Duration::from_secs(life), i64::MAX);
            prop_assert!(!Validity::nears_end(validity.not_before, validity.not_after, now + 300));
            prop_assert!(Validity::nears_end(validity.not_before, validity.not_after, validity.not_after));
            let end = Validity::end(validity.not_before, Duration::from_secs(life), i64::MAX);
            prop_assert_eq!(end, validity.not_after);
        }

        /// Nothing outlives its issuer.
        #[test]
        fn the_issuers_end_is_a_bound(now in 300_i64..4_000_000_000, life in 60_u64..400_000_000, left in 1_i64..1000) {
            let validity = Validity::starting(now, Duration::from_secs(life), now + left);
            prop_assert!(validity.not_after <= now + left);
        }
    }

    #[test]
    fn the_last_third_begins_where_it_should() {
        let lifetime = Duration::from_secs(900);
        let validity = Validity::starting(10_000, lifetime, i64::MAX);
        assert!(!Validity::nears_end(validity.not_before, validity.not_after, 10_600));
        assert!(Validity::nears_end(validity.not_before, validity.not_after, 10_601));
    }
}
