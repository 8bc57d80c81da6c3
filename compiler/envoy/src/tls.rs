//! mTLS both ways, the server certificates of an ingress, and the files that secrets come from.
//!
//! Secrets reload only through SDS files. Key pairs need both watches: the directory in the secret makes Envoy read the
//! pair again, the one in the configuration source makes it try again if the files were missing at start. The roots are
//! in their SDS file itself, whose directory is all that has to be watched: each watch is an inotify instance, of which
//! Linux admits few.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{PeerCheck, ServerCertificate, ServerTls, UpstreamTls, paths};
use meshc_vocabulary::model::{ClientCertificate, HttpVersion, OutsideTls, SpiffeId, TlsVersion};

use crate::http::matches::{exact, prefix};
use crate::pb::base::config_source::ConfigSourceSpecifier;
use crate::pb::base::data_source::Specifier;
use crate::pb::base::{ApiVersion, ConfigSource, DataSource, PathConfigSource, TransportSocket};
use crate::pb::matcher::StringMatcher;
use crate::pb::tls::common_tls_context::{CombinedCertificateValidationContext, ValidationContextType};
use crate::pb::tls::subject_alt_name_matcher::SanType;
use crate::pb::tls::tls_parameters::TlsProtocol;
use crate::pb::tls::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, Secret,
    SubjectAltNameMatcher, TlsCertificate, TlsParameters, UpstreamTlsContext, downstream_tls_context, secret,
};
use crate::pb::{file, flag, transport_socket, watched};
use crate::placed::Placed;

/// File with the proxy's own key pair.
pub(crate) const IDENTITY_FILE: &str = "sds-identity.yaml";

const IDENTITY: &str = "identity";
const TRUST: &str = "trust";

/// File with the key pair of an ingress port that a Secret holds.
pub(crate) fn server_file(secret: &str) -> String {
    format!("sds-server-{secret}.yaml")
}

/// Towards the callee's sidecar, or a host outside. ALPN is never set: Envoy sets it from the protocol that it will speak.
pub(crate) fn upstream(placed: &Placed<'_>, tls: &UpstreamTls) -> TransportSocket {
    let (sni, common) = match tls {
        UpstreamTls::Mutual { sni, peers } => {
            (sni, mutual(placed, peers.iter().map(identity).collect(), &[]))
        }
        UpstreamTls::Outside(outside) => (&outside.sni, self::outside(placed, outside)),
    };
    let context =
        UpstreamTlsContext { common_tls_context: Some(common), sni: sni.clone(), ..Default::default() };
    transport_socket("envoy.transport_sockets.tls", &context)
}

/// A host outside shows a certificate for one of its names.
fn outside(placed: &Placed<'_>, tls: &OutsideTls) -> CommonTlsContext {
    let OutsideTls { sni: _, names, ca, client, minimum_version } = tls;
    let names = names.iter().map(|name| SubjectAltNameMatcher {
        san_type: SanType::Dns.into(),
        matcher: Some(exact(name)),
        ..Default::default()
    });
    let validation = CombinedCertificateValidationContext {
        default_validation_context: Some(CertificateValidationContext {
            match_typed_subject_alt_names: names.collect(),
            ..Default::default()
        }),
        validation_context_sds_secret_config: Some(sds(
            placed,
            &roots_name(ca),
            &roots_file(ca),
            &outside_directory(ca),
        )),
        ..Default::default()
    };
    let client = client
        .as_ref()
        .map(|secret| sds(placed, &pair_name(secret), &pair_file(secret), &outside_directory(secret)));
    CommonTlsContext {
        tls_params: Some(versions(oldest(*minimum_version))),
        tls_certificate_sds_secret_configs: client.into_iter().collect(),
        validation_context_type: Some(ValidationContextType::CombinedValidationContext(validation)),
        ..Default::default()
    }
}

const fn oldest(version: TlsVersion) -> TlsProtocol {
    match version {
        TlsVersion::Tls12 => TlsProtocol::TlSv12,
        TlsVersion::Tls13 => TlsProtocol::TlSv13,
    }
}

/// From other proxies. `None` if no peer is admitted, so that there is nothing to shake hands with.
pub(crate) fn downstream(placed: &Placed<'_>, peers: &PeerCheck, alpn: &[&str]) -> Option<TransportSocket> {
    let peers = match peers {
        PeerCheck::TrustDomains(domains) => {
            domains.iter().map(|domain| prefix(&format!("spiffe://{domain}/"))).collect()
        }
        PeerCheck::Exactly(ids) => ids.iter().map(identity).collect(),
        PeerCheck::Nobody => Vec::new(),
    };
    // An empty list of names would admit every name.
    if peers.is_empty() {
        return None;
    }
    let context = DownstreamTlsContext {
        common_tls_context: Some(mutual(placed, peers, alpn)),
        require_client_certificate: flag(true),
        ..Default::default()
    };
    Some(transport_socket("envoy.transport_sockets.tls", &context))
}

/// From strangers, with a server certificate of the user's.
pub(crate) fn server(
    placed: &Placed<'_>,
    tls: &ServerTls,
    certificate: &ServerCertificate,
) -> TransportSocket {
    let ServerTls { certificates: _, minimum_version, alpn, clients } = tls;
    let ServerCertificate { secret, hosts: _ } = certificate;
    let oldest = oldest(*minimum_version);
    let alpn = alpn.iter().map(|version| match version {
        HttpVersion::Http1 => "http/1.1".to_owned(),
        HttpVersion::Http2 => "h2".to_owned(),
    });
    let own = sds(placed, &server_name(secret), &server_file(secret), &server_directory(secret));
    let context = DownstreamTlsContext {
        common_tls_context: Some(CommonTlsContext {
            tls_params: Some(versions(oldest)),
            tls_certificate_sds_secret_configs: vec![own],
            alpn_protocols: alpn.collect(),
            validation_context_type: clients.as_ref().map(|clients| {
                let (name, file) = (clients_name(&clients.secret), clients_file(&clients.secret));
                let source = sds(placed, &name, &file, &server_directory(&clients.secret));
                ValidationContextType::ValidationContextSdsSecretConfig(source)
            }),
            ..Default::default()
        }),
        require_client_certificate: clients.as_ref().and_then(|clients| match clients.presence {
            ClientCertificate::Required => flag(true),
            // Envoy warns where it is not said.
            ClientCertificate::Optional => flag(false),
        }),
        // A resumed session would not look at the client's certificate again.
        disable_stateful_session_resumption: clients.is_some(),
        session_ticket_keys_type: clients.is_some().then_some(
            downstream_tls_context::SessionTicketKeysType::DisableStatelessSessionResumption(true),
        ),
        ..Default::default()
    };
    transport_socket("envoy.transport_sockets.tls", &context)
}

/// The proxy's own key pair.
pub(crate) fn identity_secret(placed: &Placed<'_>) -> Secret {
    key_pair(placed, IDENTITY, paths::IDENTITY, paths::CERTIFICATE, paths::PRIVATE_KEY)
}

/// The roots that peers must descend from.
pub(crate) fn trust_secret(roots: &str) -> Secret {
    let context = CertificateValidationContext {
        trusted_ca: Some(DataSource {
            specifier: Some(Specifier::InlineString(roots.to_owned())),
            ..Default::default()
        }),
        ..Default::default()
    };
    Secret { name: TRUST.to_owned(), r#type: Some(secret::Type::ValidationContext(context)) }
}

/// The key pair of an ingress port.
pub(crate) fn server_secret(placed: &Placed<'_>, secret: &str) -> Secret {
    let directory = server_directory(secret);
    let (certificate, key) = (format!("{directory}/tls.crt"), format!("{directory}/tls.key"));
    key_pair(placed, &server_name(secret), &directory, &certificate, &key)
}

/// The roots of the certificates that clients of an ingress port show.
pub(crate) fn clients_secret(placed: &Placed<'_>, secret: &str) -> Secret {
    roots(placed, clients_name(secret), &server_directory(secret))
}

/// The roots of the certificates that hosts outside show.
pub(crate) fn roots_secret(placed: &Placed<'_>, secret: &str) -> Secret {
    roots(placed, roots_name(secret), &outside_directory(secret))
}

/// The key pair that is shown to hosts outside.
pub(crate) fn pair_secret(placed: &Placed<'_>, secret: &str) -> Secret {
    let directory = outside_directory(secret);
    let (certificate, key) = (format!("{directory}/tls.crt"), format!("{directory}/tls.key"));
    key_pair(placed, &pair_name(secret), &directory, &certificate, &key)
}

/// File with the roots of hosts outside.
pub(crate) fn roots_file(secret: &str) -> String {
    format!("sds-outside-roots-{secret}.yaml")
}

/// File with the key pair that is shown to hosts outside.
pub(crate) fn pair_file(secret: &str) -> String {
    format!("sds-outside-pair-{secret}.yaml")
}

fn roots_name(secret: &str) -> String {
    format!("outside-roots-{secret}")
}

fn pair_name(secret: &str) -> String {
    format!("outside-pair-{secret}")
}

fn outside_directory(secret: &str) -> String {
    format!("{}/{secret}", paths::OUTSIDE_TLS)
}

fn roots(placed: &Placed<'_>, name: String, directory: &str) -> Secret {
    let context = CertificateValidationContext {
        trusted_ca: file(placed.path(&format!("{directory}/ca.crt"))),
        watched_directory: watched(placed.path(directory)),
        ..Default::default()
    };
    Secret { name, r#type: Some(secret::Type::ValidationContext(context)) }
}

/// File with these roots.
pub(crate) fn clients_file(secret: &str) -> String {
    format!("sds-clients-{secret}.yaml")
}

fn clients_name(secret: &str) -> String {
    format!("clients-{secret}")
}

fn server_name(secret: &str) -> String {
    format!("server-{secret}")
}

fn server_directory(secret: &str) -> String {
    format!("{}/{secret}", paths::SERVER_TLS)
}

fn key_pair(placed: &Placed<'_>, name: &str, directory: &str, certificate: &str, key: &str) -> Secret {
    let pair = TlsCertificate {
        certificate_chain: file(placed.path(certificate)),
        private_key: file(placed.path(key)),
        watched_directory: watched(placed.path(directory)),
        ..Default::default()
    };
    Secret { name: name.to_owned(), r#type: Some(secret::Type::TlsCertificate(pair)) }
}

/// Both sides show a certificate of the mesh, and speak nothing older than TLS 1.3. Both ends of the range are set:
/// Envoy's own maximum as a client is 1.2.
fn mutual(placed: &Placed<'_>, peers: Vec<StringMatcher>, alpn: &[&str]) -> CommonTlsContext {
    let names = peers.into_iter().map(|matcher| SubjectAltNameMatcher {
        san_type: SanType::Uri.into(),
        matcher: Some(matcher),
        ..Default::default()
    });
    let validation = CombinedCertificateValidationContext {
        default_validation_context: Some(CertificateValidationContext {
            match_typed_subject_alt_names: names.collect(),
            ..Default::default()
        }),
        validation_context_sds_secret_config: Some(SdsSecretConfig {
            name: TRUST.to_owned(),
            sds_config: Some(path_source(placed.path(paths::TRUST_SECRET), placed.path(paths::TRUST))),
        }),
        ..Default::default()
    };
    CommonTlsContext {
        tls_params: Some(versions(TlsProtocol::TlSv13)),
        tls_certificate_sds_secret_configs: vec![sds(placed, IDENTITY, IDENTITY_FILE, paths::IDENTITY)],
        alpn_protocols: alpn.iter().map(|protocol| (*protocol).to_owned()).collect(),
        validation_context_type: Some(ValidationContextType::CombinedValidationContext(validation)),
        ..Default::default()
    }
}

fn identity(id: &SpiffeId) -> StringMatcher {
    exact(&id.to_string())
}

fn versions(oldest: TlsProtocol) -> TlsParameters {
    TlsParameters {
        tls_minimum_protocol_version: oldest.into(),
        tls_maximum_protocol_version: TlsProtocol::TlSv13.into(),
        ..Default::default()
    }
}

fn sds(placed: &Placed<'_>, name: &str, file_name: &str, directory: &str) -> SdsSecretConfig {
    let source = path_source(placed.config_file(file_name), placed.path(directory));
    SdsSecretConfig { name: name.to_owned(), sds_config: Some(source) }
}

/// A file of resources that is read again when something is moved into `directory`.
pub(crate) fn path_source(path: String, directory: String) -> ConfigSource {
    let source = PathConfigSource { path, watched_directory: watched(directory), ..Default::default() };
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::PathConfigSource(source)),
        ..Default::default()
    }
}
