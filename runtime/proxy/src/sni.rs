//! The server name of a TLS client, read from the first bytes it sends: a pure function of those bytes.
//!
//! Source of the formats: RFC 8446 sections 4.1.2 and 5.1 (records, ClientHello), RFC 6066 section 3 (server_name).

use std::borrow::Cow;

/// What the first bytes of a connection say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// Not enough bytes to tell.
    Incomplete,
    /// Whatever this is, it is not TLS.
    NotTls,
    /// A ClientHello, with its server name in lower case if it has one.
    Tls(Option<String>),
}

/// A ClientHello longer than this is refused. Post-quantum key shares take about 1.2 KiB of it.
pub const MAX_HELLO: usize = 16 * 1024;

const HANDSHAKE_RECORD: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;

/// Reads the beginning of a connection. The answer for a prefix of some bytes is either the answer for all of them, or
/// [`Hello::Incomplete`].
#[must_use]
pub fn peek(bytes: &[u8]) -> Hello {
    match handshake(bytes) {
        Ok(message) => match client_hello(&message) {
            Ok(name) => Hello::Tls(name),
            Err(stop) => stop.into(),
        },
        Err(stop) => stop.into(),
    }
}

/// Why reading stopped.
#[derive(Clone, Copy)]
enum Stop {
    /// The bytes ended.
    Short,
    /// The bytes are wrong.
    Wrong,
}

impl From<Stop> for Hello {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Short => Hello::Incomplete,
            Stop::Wrong => Hello::NotTls,
        }
    }
}

/// The first handshake message without its header, put together from as many records as it spans.
fn handshake(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Stop> {
    let mut rest = Reader(bytes);
    // Most clients send it in one record.
    let mut message = Cow::Borrowed(&[][..]);
    loop {
        if rest.number(1)? != u32::from(HANDSHAKE_RECORD) || rest.number(1)? != 3 {
            return Err(Stop::Wrong);
        }
        // The record's minor version is frozen and ignored (RFC 8446 section 5.1).
        rest.number(1)?;
        let length = rest.number(2)? as usize;
        if length == 0 || length > MAX_HELLO {
            return Err(Stop::Wrong);
        }
        let available = length.min(rest.0.len());
        let part = rest.take(available)?;
        if message.is_empty() {
            message = Cow::Borrowed(part);
        } else {
            message.to_mut().extend_from_slice(part);
        }
        let mut header = Reader(&message);
        if let Ok(kind) = header.number(1) {
            if kind != u32::from(CLIENT_HELLO) {
                return Err(Stop::Wrong);
            }
            if let Ok(length) = header.number(3) {
                let length = length as usize;
                if length > MAX_HELLO {
                    return Err(Stop::Wrong);
                }
                if header.0.len() >= length {
                    return Ok(match message {
                        Cow::Borrowed(whole) => Cow::Borrowed(whole.get(4..4 + length).unwrap_or_default()),
                        Cow::Owned(whole) => {
                            Cow::Owned(whole.get(4..4 + length).unwrap_or_default().to_vec())
                        }
                    });
                }
            }
        }
        if available < length {
            return Err(Stop::Short);
        }
    }
}

/// The server name in a complete ClientHello. Bytes that are missing here are wrong, not late.
fn client_hello(body: &[u8]) -> Result<Option<String>, Stop> {
    let wrong = |_: Stop| Stop::Wrong;
    let mut rest = Reader(body);
    if rest.number(1).map_err(wrong)? != 3 {
        return Err(Stop::Wrong);
    }
    rest.take(1 + 32).map_err(wrong)?;
    rest.vector(1).map_err(wrong)?;
    rest.vector(2).map_err(wrong)?;
    rest.vector(1).map_err(wrong)?;
    if rest.0.is_empty() {
        return Ok(None);
    }
    let mut extensions = Reader(rest.vector(2).map_err(wrong)?);
    while !extensions.0.is_empty() {
        let kind = extensions.number(2).map_err(wrong)?;
        let content = extensions.vector(2).map_err(wrong)?;
        if kind == u32::from(SERVER_NAME) {
            return server_name(content).map(Some).map_err(wrong);
        }
    }
    Ok(None)
}

fn server_name(extension: &[u8]) -> Result<String, Stop> {
    let mut list = Reader(Reader(extension).vector(2)?);
    let kind = list.number(1)?;
    let name = list.vector(2)?;
    let printable = name.iter().all(|byte| byte.is_ascii_graphic());
    if kind != u32::from(HOST_NAME) || name.is_empty() || !printable {
        return Err(Stop::Wrong);
    }
    String::from_utf8(name.to_ascii_lowercase()).map_err(|_| Stop::Wrong)
}

/// Bytes that are read from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Stop::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A big-endian number of `width` bytes, at most four.
    fn number(&mut self, width: usize) -> Result<u32, Stop> {
        Ok(self.take(width)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    /// As many bytes as the number of `width` bytes in front of them says.
    fn vector(&mut self, width: usize) -> Result<&'a [u8], Stop> {
        let length = self.number(width)?;
        self.take(length as usize)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::Arc;

    /// What rustls sends first to a server of that name.
    pub(crate) fn rustls_hello(name: &str) -> Vec<u8> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let name = rustls_pki_types::ServerName::try_from(name.to_owned()).unwrap();
        let mut connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        bytes
    }

    const MESH_NAME: &str = "outbound_.80_._.catalog.istioinaction.svc.cluster.local";

    #[test]
    fn the_name_of_a_mesh_hop_is_read() {
        assert_eq!(peek(&rustls_hello(MESH_NAME)), Hello::Tls(Some(MESH_NAME.into())));
    }

    #[test]
    fn capitals_do_not_matter() {
        assert_eq!(peek(&rustls_hello("Shop.Example")), Hello::Tls(Some("shop.example".into())));
    }

    #[test]
    fn a_client_that_names_an_address_names_nothing() {
        assert_eq!(peek(&rustls_hello("10.0.0.1")), Hello::Tls(None));
    }

    #[test]
    fn every_true_prefix_is_incomplete() {
        let hello = rustls_hello(MESH_NAME);
        for end in 0..hello.len() {
            assert_eq!(peek(&hello[..end]), Hello::Incomplete, "after {end} bytes");
        }
    }

    #[test]
    fn a_hello_may_span_records() {
        let hello = rustls_hello(MESH_NAME);
        let mut split = Vec::new();
        for piece in hello[5..].chunks(7) {
            split.extend_from_slice(&[22, 3, 1, 0, u8::try_from(piece.len()).unwrap()]);
            split.extend_from_slice(piece);
        }
        assert_eq!(peek(&split), Hello::Tls(Some(MESH_NAME.into())));
    }

    #[test]
    fn plain_http_and_garbage_are_not_tls() {
        assert_eq!(peek(b"GET / HTTP/1.1\r\n"), Hello::NotTls);
        assert_eq!(peek(&[0x16, 0x02, 0, 0, 1]), Hello::NotTls);
        assert_eq!(peek(b"\0"), Hello::NotTls);
        assert_eq!(peek(b""), Hello::Incomplete);
    }

    #[test]
    fn an_endless_hello_is_refused() {
        assert_eq!(peek(&[22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff]), Hello::NotTls);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = peek(&bytes);
        }

        #[test]
        fn no_damage_makes_it_fail_and_more_bytes_never_change_an_answer(
            position in 0usize..300, value in any::<u8>(), end in 0usize..2000,
        ) {
            let mut hello = rustls_hello(MESH_NAME);
            let position = position.min(hello.len() - 1);
            hello[position] = value;
            let whole = peek(&hello);
            let part = peek(&hello[..end.min(hello.len())]);
            prop_assert!(part == Hello::Incomplete || part == whole);
        }
    }
}
