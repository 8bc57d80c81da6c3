//! The rules for TLS of clients outside the mesh.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::listener::{
    Alpn, ClientCertificate, ClientCertificates, ServerCertificate, ServerTls, TlsVersion,
};
use crate::rules::Context;
use crate::{HostPattern, Path, raw};

impl ServerTls {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::ServerTls, at: &Path) -> Option<Self> {
        let raw::ServerTls { certificates, min_version, alpn, clients } = raw;
        let certificates_at = at.field("certificates");
        if certificates.is_empty() {
            cx.wrong(&certificates_at, "there is no certificate to show");
        }
        let hosts = certificates.iter().enumerate().flat_map(|(i, certificate)| {
            let at = certificates_at.index(i).field("hosts");
            certificate
                .hosts
                .iter()
                .enumerate()
                .map(move |(j, host)| (host.to_ascii_lowercase(), at.index(j)))
        });
        cx.unique("host", hosts);
        let certificates = cx.each(certificates, &certificates_at, ServerCertificate::check);
        let alpn_at = at.field("alpn");
        let offered = alpn.iter().enumerate().map(|(i, one)| {
            let word = match one {
                raw::Alpn::Http1 => "http/1.1",
                raw::Alpn::Http2 => "h2",
            };
            (word, alpn_at.index(i))
        });
        cx.unique("protocol", offered);
        let min_version = match min_version {
            raw::TlsVersion::Tls12 => TlsVersion::Tls12,
            raw::TlsVersion::Tls13 => TlsVersion::Tls13,
        };
        let alpn = alpn.iter().map(|one| match one {
            raw::Alpn::Http1 => Alpn::Http1,
            raw::Alpn::Http2 => Alpn::Http2,
        });
        let clients = cx.optional(clients.as_ref(), &at.field("clients"), ClientCertificates::check);
        Some(ServerTls { certificates: certificates?, min_version, alpn: alpn.collect(), clients: clients? })
    }
}

impl ClientCertificates {
    fn check(cx: &mut Context<'_>, raw: &raw::ClientCertificates, at: &Path) -> Option<Self> {
        let raw::ClientCertificates { ca, presence, refused_trust_domains } = raw;
        let ca = cx.text(ca, &at.field("ca"));
        let presence = match presence {
            raw::ClientCertificate::Required => ClientCertificate::Required,
            raw::ClientCertificate::Optional => ClientCertificate::Optional,
        };
        let refused_trust_domains =
            refused_trust_domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        Some(ClientCertificates { ca: ca?.into(), presence, refused_trust_domains })
    }
}

impl ServerCertificate {
    fn check(cx: &mut Context<'_>, raw: &raw::ServerCertificate, at: &Path) -> Option<Self> {
        let raw::ServerCertificate { hosts, certificate, private_key } = raw;
        if hosts.is_empty() {
            cx.wrong(&at.field("hosts"), "a certificate without a host is never shown");
        }
        let hosts = cx.each(hosts, &at.field("hosts"), |cx, host, at| HostPattern::check(cx, host, at));
        let certificate = cx.text(certificate, &at.field("certificate"));
        let private_key = cx.text(private_key, &at.field("private_key"));
        Some(ServerCertificate {
            hosts: hosts?,
            certificate: certificate?.into(),
            private_key: private_key?.into(),
        })
    }
}
