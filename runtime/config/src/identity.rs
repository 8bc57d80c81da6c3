//! Identities: the proxy's own files, and the SPIFFE ids of peers.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::rules::Context;
use crate::{Path, raw};
use std::path::PathBuf;

/// The files of the proxy's own certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// PEM: the leaf, followed by the intermediates.
    pub certificate: PathBuf,
    /// PEM: the leaf's private key.
    pub private_key: PathBuf,
    /// PEM: the roots that peers are verified against.
    pub trust_bundle: PathBuf,
}

impl Identity {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Identity, at: &Path) -> Option<Self> {
        let raw::Identity { certificate, private_key, trust_bundle } = raw;
        let certificate = cx.text(certificate, &at.field("certificate"));
        let private_key = cx.text(private_key, &at.field("private_key"));
        let trust_bundle = cx.text(trust_bundle, &at.field("trust_bundle"));
        Some(Identity {
            certificate: certificate?.into(),
            private_key: private_key?.into(),
            trust_bundle: trust_bundle?.into(),
        })
    }
}

/// A SPIFFE id: `spiffe://<trust domain>/<path>`.
///
/// Source: the SPIFFE ID specification, sections 2.1 to 2.3; at most 2,048 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId(String);

impl SpiffeId {
    /// The id, if `text` is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (domain, path) = text.strip_prefix("spiffe://")?.split_once('/')?;
        let domain_ok = !domain.is_empty()
            && domain
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_'));
        let segment_ok = |segment: &str| {
            !matches!(segment, "" | "." | "..")
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        (text.len() <= 2048 && domain_ok && path.split('/').all(segment_ok))
            .then(|| SpiffeId(text.to_owned()))
    }

    /// The id as text, beginning with `spiffe://`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose certificates match: one identity, or all that begin so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerPattern {
    /// This identity.
    Exact(SpiffeId),
    /// Every identity that begins so; the empty prefix is anyone.
    Prefix(String),
}

impl PeerPattern {
    /// Whether `peer` matches.
    #[must_use]
    pub fn matches(&self, peer: &SpiffeId) -> bool {
        match self {
            PeerPattern::Exact(id) => id == peer,
            PeerPattern::Prefix(prefix) => peer.as_str().starts_with(prefix),
        }
    }

    /// Whether it matches whoever connects, even without an identity.
    #[must_use]
    pub fn is_anyone(&self) -> bool {
        matches!(self, PeerPattern::Prefix(prefix) if prefix.is_empty())
    }

    pub(crate) fn check(cx: &mut Context<'_>, text: &str, at: &Path) -> Option<Self> {
        if let Some(prefix) = text.strip_suffix('*') {
            if prefix.is_empty() || prefix.starts_with("spiffe://") {
                return Some(PeerPattern::Prefix(prefix.to_owned()));
            }
        } else if let Some(id) = SpiffeId::parse(text) {
            return Some(PeerPattern::Exact(id));
        }
        cx.wrong(at, format!("`{text}` is neither a SPIFFE id (`spiffe://domain/path`) nor a prefix of one that ends in `*`"));
        None
    }
}

/// A full SPIFFE id, or a problem.
pub(crate) fn spiffe_id(cx: &mut Context<'_>, text: &str, at: &Path) -> Option<SpiffeId> {
    let id = SpiffeId::parse(text);
    if id.is_none() {
        cx.wrong(
            at,
            format!("`{text}` is not a SPIFFE id; it looks like `spiffe://cluster.local/ns/shop/sa/web`"),
        );
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spiffe_ids_follow_the_specification() {
        for good in
            ["spiffe://cluster.local/ns/istioinaction/sa/webapp", "spiffe://a/b", "spiffe://a-b_c.d/E/f_1"]
        {
            assert!(SpiffeId::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe:///x",
            "spiffe://A/x",
            "spiffe://a//x",
            "spiffe://a/../x",
            "spiffe://a/x/",
            "https://a/x",
            "cluster.local/ns/x/sa/y",
            "spiffe://a/x?y",
            "spiffe://user@a/x",
        ] {
            assert!(SpiffeId::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_ends_in_a_star_and_an_identity_does_not() {
        let peer = SpiffeId::parse("spiffe://cluster.local/ns/shop/sa/web").unwrap();
        assert!(PeerPattern::Prefix("spiffe://cluster.local/".into()).matches(&peer));
        assert!(!PeerPattern::Prefix("spiffe://cluster.localhost/".into()).matches(&peer));
        assert!(
            !PeerPattern::Exact(SpiffeId::parse("spiffe://cluster.local/ns/shop/sa/web2").unwrap())
                .matches(&peer)
        );
        assert!(PeerPattern::Prefix(String::new()).is_anyone());
    }
}
