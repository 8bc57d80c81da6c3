//! The header of the PROXY protocol, by which a load balancer says who the client of a connection is.
//!
//! Source of the formats: "The PROXY protocol, versions 1 & 2", sections 2.1 and 2.2. Exactly the header is read, so that
//! what comes after it is as if it had never been there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt};

/// With which version 2 begins.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;

/// The client that the header names; `None` if it names none, as those of health checks do.
pub(crate) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Option<SocketAddr>, &'static str> {
    const CUT: &str = "the connection ended inside the PROXY protocol's header";
    let mut first = [0; SIGNATURE.len()];
    stream.read_exact(&mut first).await.map_err(|_| CUT)?;
    if first == SIGNATURE {
        let mut fixed = [0; 4];
        stream.read_exact(&mut fixed).await.map_err(|_| CUT)?;
        let [version_and_command, family, high, low] = fixed;
        let mut rest = vec![0; usize::from(u16::from_be_bytes([high, low]))];
        stream.read_exact(&mut rest).await.map_err(|_| CUT)?;
        return binary(version_and_command, family, &rest);
    }
    if !first.starts_with(b"PROXY ") {
        return Err("there is no header of the PROXY protocol");
    }
    let mut line = first.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_LINE {
            return Err("the line of the PROXY protocol has no end");
        }
        line.push(stream.read_u8().await.map_err(|_| CUT)?);
    }
    text(&line).ok_or("the line of the PROXY protocol makes no sense")
}

/// Version 1: `PROXY TCP4 192.0.2.1 198.51.100.1 56324 443`.
fn text(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let mut words = line.split(' ').skip(1);
    let family = words.next()?;
    if family == "UNKNOWN" {
        return Some(None);
    }
    let [source, destination] = [words.next()?, words.next()?].map(|word| word.parse::<IpAddr>().ok());
    let [source_port, _] = [words.next()?, words.next()?].map(|word| word.parse::<u16>().ok());
    let client = SocketAddr::new(source?, source_port?);
    let fits = match family {
        "TCP4" => client.is_ipv4() && destination?.is_ipv4(),
        "TCP6" => client.is_ipv6() && destination?.is_ipv6(),
        _ => false,
    };
    (fits && words.next().is_none()).then_some(Some(client))
}

/// Version 2 behind its signature.
fn binary(version_and_command: u8, family: u8, rest: &[u8]) -> Result<Option<SocketAddr>, &'static str> {
    const SHORT: &str = "the PROXY protocol's header is shorter than its addresses";
    match version_and_command {
        // The balancer itself, on nobody's behalf.
        0x20 => return Ok(None),
        0x21 => {}
        _ => return Err("the PROXY protocol's header has another version or command"),
    }
    match family {
        0x11 => {
            let addresses: &[u8; 12] = rest.first_chunk().ok_or(SHORT)?;
            let [a, b, c, d, _, _, _, _, high, low, _, _] = *addresses;
            let port = u16::from_be_bytes([high, low]);
            Ok(Some(SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), port)))
        }
        0x21 => {
            let addresses: &[u8; 36] = rest.first_chunk().ok_or(SHORT)?;
            let (source, ports): (&[u8; 16], &[u8; 4]) =
                (addresses.first_chunk().ok_or(SHORT)?, addresses.last_chunk().ok_or(SHORT)?);
            let [high, low, _, _] = *ports;
            Ok(Some(SocketAddr::new(Ipv6Addr::from(*source).into(), u16::from_be_bytes([high, low]))))
        }
        _ => Err("the PROXY protocol's header is about something other than TCP"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a header says, and how much of what comes after it is left.
    fn said(bytes: &[u8]) -> (Result<Option<SocketAddr>, &'static str>, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut rest = bytes;
        let said = runtime.block_on(read(&mut rest));
        (said, rest.len())
    }

    fn version2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest, b"GET /"].concat()
    }

    #[test]
    fn a_header_names_the_client_and_nothing_behind_it_is_read() {
        let four = [192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 4, 1, 187];
        let mut six = [0; 36];
        (six[15], six[31], six[33]) = (1, 2, 80);
        for (bytes, client) in [
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET /".to_vec(), Some("192.0.2.1:56324")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\nGET /".to_vec(), Some("[2001:db8::1]:56324")),
            (b"PROXY UNKNOWN\r\nGET /".to_vec(), None),
            (b"PROXY UNKNOWN whatever comes here\r\nGET /".to_vec(), None),
            (version2(0x21, 0x11, &four), Some("192.0.2.1:56324")),
            (version2(0x21, 0x11, &[&four[..], &[1, 0, 1, 0]].concat()), Some("192.0.2.1:56324")),
            (version2(0x21, 0x21, &six), Some("[::1]:80")),
            (version2(0x20, 0, &[]), None),
        ] {
            let client = client.map(|client| client.parse().unwrap());
            assert_eq!(said(&bytes), (Ok(client), 5), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 more\r\n",
            b"PROXY TCP4 2001:db8::1 198.51.100.1 56324 443\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 66324 443\r\n",
            b"PROXY UDP4 192.0.2.1 198.51.100.1 56324 443\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443",
            b"PROXY TC",
        ] {
            assert!(said(bytes).0.is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        assert!(said(&[b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200]].concat()).0.is_err(), "no end");
        for bytes in
            [version2(0x31, 0x11, &[0; 12]), version2(0x22, 0x11, &[0; 12]), version2(0x21, 0x12, &[0; 12])]
        {
            assert!(said(&bytes).0.is_err());
        }
        for (family, length) in [(0x11, 11), (0x21, 35)] {
            assert!(said(&version2(0x21, family, &vec![0; length])).0.is_err());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..300), signed in any::<bool>()) {
            let begin: &[u8] = if signed { &SIGNATURE } else { b"PROXY " };
            let _ = said(&[begin, &bytes].concat());
        }
    }
}
