//! Connections to where things are sent.

use std::io;
use std::net::SocketAddr;

use meshc_driver::live::Entry;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::tls::{self, Trust};
use crate::exit::Failure;
use crate::up::places::{CallPlace, GatewayPlace, Places, ProxyPlace};

/// What requests and answers go over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where something is sent, once it is known where that is.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// To a caller's sidecar, in the clear, as the application does; the name by which requests call the callee.
    Sidecar(SocketAddr, Option<String>),
    /// To a gateway.
    Gateway(GatewayPlace),
    /// To a callee's sidecar with this certificate: where, which server name, and whose.
    Callee(SocketAddr, String, ProxyPlace),
}

impl Target {
    /// Looks an entry up.
    pub(super) fn of(entry: &Entry, places: &Places) -> Result<Self, Failure> {
        let missing = |what: String| Failure::new(format!("the running mesh has no place for {what}"));
        match entry {
            Entry::Sidecar { cluster, caller, callee, port } => {
                let is = |call: &&CallPlace| {
                    (&call.cluster, &call.caller, &call.callee, &call.port) == (cluster, caller, callee, port)
                };
                let found = places.calls.iter().find(is);
                let found = found
                    .ok_or_else(|| missing(format!("calls of `{callee}` by `{caller}` in `{cluster}`")))?;
                // A host such as `*.example.org` stands for any name below it.
                Ok(Self::Sidecar(found.address, found.host.as_ref().map(|host| host.replace('*', "any"))))
            }
            Entry::Gateway { cluster, gateway, port } => {
                let is =
                    |one: &&GatewayPlace| (&one.cluster, &one.gateway, &one.port) == (cluster, gateway, port);
                let found = places.gateways.iter().find(is);
                found
                    .cloned()
                    .map(Self::Gateway)
                    .ok_or_else(|| missing(format!("`{cluster}.{gateway}.{port}`")))
            }
            Entry::Callee { proxy, identity, server_name } => {
                let named = |name: &String| places.proxies.iter().find(|one| one.name == *name);
                let address = named(proxy).and_then(|proxy| proxy.inbound);
                let address = address.ok_or_else(|| missing(format!("connections to `{proxy}`")))?;
                let shown = named(identity).cloned();
                let shown = shown.ok_or_else(|| missing(format!("the certificate of `{identity}`")))?;
                Ok(Self::Callee(address, server_name.clone(), shown))
            }
        }
    }

    /// What requests call the callee that name no host.
    pub(super) fn host(&self) -> String {
        match self {
            Self::Sidecar(address, host) => host.clone().unwrap_or_else(|| address.to_string()),
            Self::Gateway(gateway) => gateway.address.to_string(),
            Self::Callee(_, server_name, _) => {
                server_name.rsplit_once("_.").map_or(server_name.as_str(), |(_, name)| name).to_owned()
            }
        }
    }

    /// Connects, with TLS where that is spoken. Whatever goes wrong on the way is what a client sees of a refusal.
    pub(super) async fn connect(&self, host: &str, protocol: &[u8]) -> io::Result<Box<dyn Stream>> {
        let unusable = |failure: Failure| io::Error::other(failure.message);
        match self {
            Self::Sidecar(address, _) => Ok(Box::new(tcp(*address).await?)),
            Self::Gateway(gateway) => {
                let mut stream = tcp(gateway.address).await?;
                if gateway.proxy_protocol {
                    stream.write_all(preamble(&stream)?.as_bytes()).await?;
                }
                if gateway.trusted.is_empty() {
                    return Ok(Box::new(stream));
                }
                let shown =
                    gateway.shown.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
                let config =
                    tls::client(&Trust::Files(&gateway.trusted), shown, protocol).map_err(unusable)?;
                let name = host.split(':').next().unwrap_or(host).to_owned();
                let name = ServerName::try_from(name).map_err(io::Error::other)?;
                Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
            }
            Self::Callee(address, server_name, proxy) => {
                let stream = tcp(*address).await?;
                let shown = Some((proxy.certificate.as_path(), proxy.key.as_path()));
                let config = tls::client(&Trust::Anybody, shown, protocol).map_err(unusable)?;
                let name = ServerName::try_from(server_name.clone()).map_err(io::Error::other)?;
                Ok(Box::new(TlsConnector::from(config).connect(name, stream).await?))
            }
        }
    }
}

async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The PROXY protocol's header, version 1, for this connection itself.
fn preamble(stream: &TcpStream) -> io::Result<String> {
    let (own, other) = (stream.local_addr()?, stream.peer_addr()?);
    let family = if own.is_ipv4() { "TCP4" } else { "TCP6" };
    Ok(format!("PROXY {family} {} {} {} {}\r\n", own.ip(), other.ip(), own.port(), other.port()))
}
