//! Ends the TLS of clients, in time, and counts why that fails.

use crate::snapshot::ListenerState;
use crate::tls::OfClient;
use crate::worker::Worker;
use rustls::ServerConfig;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// How long a client may take for the handshake after its ClientHello.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// Ends TLS, in time.
pub(crate) async fn handshake<S>(
    worker: &Worker,
    state: &ListenerState,
    config: Arc<ServerConfig>,
    stream: S,
) -> io::Result<OfClient<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let accepted = tokio::time::timeout(HANDSHAKE_LIMIT, OfClient::accept(config, stream)).await;
    let result = accepted
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "the handshake took too long")));
    if let Err(error) = &result {
        worker.shared.metrics.handshake_failures.add(&[&state.name, handshake_reason(error)], 1);
    }
    result
}

/// One word about why a handshake failed, so that an alert can name what to look at.
fn handshake_reason(error: &io::Error) -> &'static str {
    use rustls::{CertificateError, Error};
    if error.kind() == io::ErrorKind::TimedOut {
        return "timeout";
    }
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) else {
        return "connection";
    };
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a foreign, growing enum; the rest is one case for us"
    )]
    match error {
        Error::NoCertificatesPresented => "no_certificate",
        Error::InvalidCertificate(CertificateError::Expired) => "expired",
        Error::InvalidCertificate(CertificateError::NotValidYet) => "not_valid_yet",
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => "unknown_issuer",
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure) => "identity",
        Error::InvalidCertificate(_) => "certificate",
        Error::PeerIncompatible(_) => "incompatible",
        Error::AlertReceived(_) => "alert",
        _ => "protocol",
    }
}
