//! TLS towards servers outside the mesh, and the rules for it.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::path::PathBuf;

use crate::listener::TlsVersion;
use crate::rules::Context;
use crate::upstreams::sni;
use crate::{Path, raw};

/// TLS towards a server outside the mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origination {
    /// The SNI to send.
    pub sni: String,
    /// The DNS names of which the server's certificate must be for one; never empty.
    pub names: Vec<String>,
    /// File with the roots that its certificate descends from.
    pub ca: PathBuf,
    /// The certificate that is shown to it.
    pub certificate: Option<KeyPair>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
}

/// Files with a certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// The chain.
    pub certificate: PathBuf,
    /// The key.
    pub private_key: PathBuf,
}

impl Origination {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Origination, at: &Path) -> Option<Self> {
        let raw::Origination { sni: name, names, ca, certificate, min_version } = raw;
        let name = sni(cx, name, &at.field("sni"));
        let names_at = at.field("names");
        if names.is_empty() {
            cx.wrong(&names_at, "without a name, any server's certificate would do");
        }
        let names = cx.each(names, &names_at, |cx, name, at| sni(cx, name, at));
        let ca = cx.text(ca, &at.field("ca"));
        let certificate = cx.optional(certificate.as_ref(), &at.field("certificate"), KeyPair::check);
        Some(Origination {
            sni: name?,
            names: names?,
            ca: ca?.into(),
            certificate: certificate?,
            min_version: match min_version {
                raw::TlsVersion::Tls12 => TlsVersion::Tls12,
                raw::TlsVersion::Tls13 => TlsVersion::Tls13,
            },
        })
    }

    /// The files that it is made of.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let pair = self.certificate.iter().flat_map(|pair| [&pair.certificate, &pair.private_key]);
        std::iter::once(&self.ca).chain(pair)
    }
}

impl KeyPair {
    fn check(cx: &mut Context<'_>, raw: &raw::KeyPair, at: &Path) -> Option<Self> {
        let raw::KeyPair { certificate, private_key } = raw;
        let certificate = cx.text(certificate, &at.field("certificate"));
        let private_key = cx.text(private_key, &at.field("private_key"));
        Some(KeyPair { certificate: certificate?.into(), private_key: private_key?.into() })
    }
}
