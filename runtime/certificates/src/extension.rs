//! The extensions of a certificate by name, so that a refusal can say which one it is about.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, NameConstraints, ParsedExtension};

/// An extension of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its object identifier, such as `2.5.29.36`.
    pub oid: String,
    /// Whether a verifier that does not process it must refuse the certificate.
    pub critical: bool,
    /// The forms of names that it constrains.
    pub constrains: Vec<NameForm>,
    /// Whether it demands that every certificate below it has a policy (`requireExplicitPolicy`).
    pub demands_policy: bool,
}

/// A form of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameForm {
    /// Subjects.
    Directory,
    /// URIs, as SPIFFE ids are.
    Uri,
    /// Any other.
    Other,
}

/// Extensions that webpki processes when they are critical.
const WEBPKI: &[&str] = &["2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.37"];

/// Extensions that BoringSSL, with which Envoy verifies, processes when they are critical (`X509_supported_extension` in
/// its `crypto/x509`).
const BORINGSSL: &[&str] = &[
    "2.5.29.15",
    "2.5.29.17",
    "2.5.29.19",
    "2.5.29.30",
    "2.5.29.32",
    "2.5.29.33",
    "2.5.29.36",
    "2.5.29.37",
    "2.5.29.54",
    "2.16.840.1.113730.1.1",
];

impl Extension {
    /// The name that RFC 5280 gives it, with its identifier; the identifier alone for one that has no name there.
    #[must_use]
    pub fn name(&self) -> String {
        let name = match self.oid.as_str() {
            "2.5.29.9" => "subjectDirectoryAttributes",
            "2.5.29.14" => "subjectKeyIdentifier",
            "2.5.29.15" => "keyUsage",
            "2.5.29.17" => "subjectAltName",
            "2.5.29.18" => "issuerAltName",
            "2.5.29.19" => "basicConstraints",
            "2.5.29.30" => "nameConstraints",
            "2.5.29.31" => "cRLDistributionPoints",
            "2.5.29.32" => "certificatePolicies",
            "2.5.29.33" => "policyMappings",
            "2.5.29.35" => "authorityKeyIdentifier",
            "2.5.29.36" => "policyConstraints",
            "2.5.29.37" => "extKeyUsage",
            "2.5.29.46" => "freshestCRL",
            "2.5.29.54" => "inhibitAnyPolicy",
            "1.3.6.1.5.5.7.1.1" => "authorityInfoAccess",
            "1.3.6.1.5.5.7.1.11" => "subjectInfoAccess",
            unnamed => return unnamed.to_owned(),
        };
        format!("{name} ({})", self.oid)
    }

    /// Whether it constrains subjects or URIs. meshd refuses every certificate below such a constraint, since webpki
    /// processes neither.
    #[must_use]
    pub fn constrains_workloads(&self) -> bool {
        self.constrains.iter().any(|form| *form != NameForm::Other)
    }

    /// Whether meshd refuses an intermediate with it for being critical. A root's critical extensions it does not read.
    #[must_use]
    pub fn is_unknown_to_meshd(&self) -> bool {
        self.critical && !WEBPKI.contains(&self.oid.as_str())
    }

    /// Whether Envoy refuses every chain with it, in whichever certificate it is.
    #[must_use]
    pub fn is_refused_by_envoy(&self) -> bool {
        (self.critical && !BORINGSSL.contains(&self.oid.as_str())) || self.demands_policy
    }
}

/// The extensions of a certificate, in its order.
#[must_use]
pub fn extensions(certificate: &X509Certificate<'_>) -> Vec<Extension> {
    certificate
        .extensions()
        .iter()
        .map(|extension| {
            #[expect(clippy::wildcard_enum_match_arm, reason = "the parser's own enum, which grows with it")]
            let (constrains, demands_policy) = match extension.parsed_extension() {
                ParsedExtension::NameConstraints(constraints) => (forms(constraints), false),
                ParsedExtension::PolicyConstraints(constraints) => {
                    (Vec::new(), constraints.require_explicit_policy.is_some())
                }
                _ => (Vec::new(), false),
            };
            Extension {
                oid: extension.oid.to_id_string(),
                critical: extension.critical,
                constrains,
                demands_policy,
            }
        })
        .collect()
}

fn forms(constraints: &NameConstraints<'_>) -> Vec<NameForm> {
    let trees = [constraints.permitted_subtrees.as_deref(), constraints.excluded_subtrees.as_deref()];
    let forms = trees.into_iter().flatten().flatten().map(|subtree| match subtree.base {
        GeneralName::DirectoryName(_) => NameForm::Directory,
        GeneralName::URI(_) => NameForm::Uri,
        GeneralName::OtherName(..)
        | GeneralName::RFC822Name(_)
        | GeneralName::DNSName(_)
        | GeneralName::X400Address(_)
        | GeneralName::EDIPartyName(_)
        | GeneralName::IPAddress(_)
        | GeneralName::RegisteredID(_)
        | GeneralName::Invalid(..) => NameForm::Other,
    });
    forms.collect()
}
