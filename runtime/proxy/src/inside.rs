//! TLS inside the mesh's own: which server name it asks for decides whether it is passed on.

use crate::hello::{First, read_hello};
use crate::hosts::Hosts;
use crate::replayed::Replayed;
use crate::shares::Forwarding;
use crate::target::is_name;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;

/// What is passed on, and where to.
#[derive(Debug)]
pub(crate) struct Inside {
    /// The server names that may be asked for.
    pub(crate) names: Hosts<()>,
    /// How long a client may take for its ClientHello.
    pub(crate) hello_timeout: Duration,
    /// Where it goes.
    pub(crate) forwarding: Arc<Forwarding>,
}

/// Why a connection is closed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Envoy's response flag.
    pub(crate) flags: &'static str,
    /// The reason in metrics.
    pub(crate) reason: &'static str,
    /// The server name that was asked for.
    pub(crate) name: Option<String>,
}

/// The connection with its first bytes in front, if they are a ClientHello that asks for one of the names in time. A client
/// that went away is refused for nothing: `None`.
pub(crate) async fn admit<S>(
    names: &Hosts<()>,
    limit: Duration,
    mut stream: S,
) -> Result<Replayed<S>, Option<Refused>>
where
    S: AsyncRead + Unpin,
{
    let (first, bytes) = read_hello(&mut stream, limit).await;
    let refused = |flags, reason, name| Err(Some(Refused { flags, reason, name }));
    match first {
        // A pattern would take what is no name, too.
        First::Tls(Some(name)) if is_name(&name) && names.find(&name).is_some() => {}
        First::Tls(Some(name)) => return refused("NR", "no such server name outside", Some(name)),
        First::Tls(None) if names.any().is_some() => {}
        First::Tls(None) => return refused("NR", "the inner ClientHello names no server", None),
        First::Other => return refused("NR", "no TLS inside mutual TLS", None),
        First::Late => return refused("DT", "no inner ClientHello in time", None),
        First::Gone => return Err(None),
    }
    Ok(Replayed::new(bytes, stream))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sni::tests::rustls_hello;
    use meshd_config::HostPattern;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    const PATIENT: Duration = Duration::from_secs(20);

    async fn asks<S: AsyncRead + Unpin>(
        patterns: &[HostPattern],
        limit: Duration,
        stream: S,
    ) -> Result<Replayed<S>, Option<Refused>> {
        let mut names = Hosts::default();
        names.add(patterns, ());
        admit(&names, limit, stream).await
    }

    fn declared() -> [HostPattern; 2] {
        [HostPattern::Exact("api.pay.example".into()), HostPattern::Suffix(".eu.pay.example".into())]
    }

    fn refused(flags: &'static str, reason: &'static str, name: Option<&str>) -> Option<Refused> {
        Some(Refused { flags, reason, name: name.map(str::to_owned) })
    }

    #[tokio::test]
    async fn declared_names_are_passed_on_with_their_first_bytes() {
        for name in ["api.pay.example", "API.pay.example", "a.b.eu.pay.example"] {
            let hello = rustls_hello(name);
            let admitted = asks(&declared(), PATIENT, hello.as_slice()).await;
            let mut all = Vec::new();
            admitted.expect("it is declared").read_to_end(&mut all).await.unwrap();
            assert_eq!(all, hello, "{name}");
        }
    }

    #[tokio::test]
    async fn other_names_and_what_is_no_tls_are_refused_with_the_reason() {
        for name in ["other.example", "eu.pay.example", "pay.example", "api.pay.example.other.example"] {
            let hello = rustls_hello(name);
            let answer = asks(&declared(), PATIENT, hello.as_slice()).await;
            assert_eq!(answer.err(), Some(refused("NR", "no such server name outside", Some(name))));
        }
        let nameless = rustls_hello("10.0.0.1");
        let answer = asks(&declared(), PATIENT, nameless.as_slice()).await;
        assert_eq!(answer.err(), Some(refused("NR", "the inner ClientHello names no server", None)));
        assert!(asks(&[HostPattern::Any], PATIENT, nameless.as_slice()).await.is_ok());
        let answer = asks(&[HostPattern::Any], PATIENT, &b"GET / HTTP/1.1\r\n"[..]).await;
        assert_eq!(answer.err(), Some(refused("NR", "no TLS inside mutual TLS", None)));
        assert_eq!(asks(&declared(), PATIENT, &b""[..]).await.err(), Some(None), "it went away");
    }

    #[tokio::test]
    async fn who_does_not_say_it_in_time_is_refused() {
        let (mut client, server) = tokio::io::duplex(4096);
        let hello = rustls_hello("api.pay.example");
        client.write_all(hello.split_at(hello.len() - 1).0).await.unwrap();
        let answer = asks(&declared(), Duration::from_millis(1), server).await;
        assert_eq!(answer.err(), Some(refused("DT", "no inner ClientHello in time", None)));
    }
}
