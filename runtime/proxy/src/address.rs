//! Addresses as text, as the log and headers have them.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

/// The longest is an address of IPv6 with a scope and a port.
const LONGEST: usize = 64;

/// An address with its port. The formatter of the standard library takes two thousand instructions for it, and each connection
/// has one.
pub(crate) fn text(address: SocketAddr) -> Rc<str> {
    let mut text = [0; LONGEST];
    let mut rest = &mut text[..];
    let written = match address.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            let parts = [(a.into(), '.'), (b.into(), '.'), (c.into(), '.'), (d.into(), ':')];
            let parts = parts.into_iter().chain([(address.port(), ' ')]);
            parts.fold(0, |written, (number, behind)| written + number_into(&mut rest, number, behind))
        }
        IpAddr::V6(_) => write!(rest, "{address} ").map_or(0, |()| LONGEST - rest.len()),
    };
    // The last one is the space behind it.
    let text = text.get(..written.saturating_sub(1)).and_then(|text| std::str::from_utf8(text).ok());
    text.unwrap_or_default().into()
}

/// Writes a number and what is behind it; how many bytes they are.
fn number_into(rest: &mut &mut [u8], number: u16, behind: char) -> usize {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(number).as_bytes();
    let behind = [u8::try_from(behind).unwrap_or(b' ')];
    let written = rest.write(digits).and_then(|digits| Ok(digits + rest.write(&behind)?));
    written.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_the_standard_library_writes(four: [u8; 4], six: [u16; 8], port: u16, scope: u32) {
            let addresses = [
                SocketAddr::from((four, port)),
                SocketAddr::from((six, port)),
                SocketAddr::V6(std::net::SocketAddrV6::new(six.into(), port, 0, scope)),
            ];
            for address in addresses {
                prop_assert_eq!(&*text(address), address.to_string());
            }
        }
    }
}
