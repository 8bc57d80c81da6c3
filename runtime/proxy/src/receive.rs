//! How much of what an upstream sends is kept that was not read: by the kernel, and in the proxy's own buffers.
//!
//! The kernel's bound must stand before the connection, since the largest window is agreed on there. Linux lets it grow
//! later, and the window with it, so that a connection which was opened where there was hardly any room is not slow for
//! as long as it lives.

use crate::memory::{self, Buffers};
use crate::upstream::Spoken;
use std::net::SocketAddr;
use std::sync::OnceLock;

/// The kernel's buffer for what an application in the same pod sends, in bytes; it takes twice as much with its own
/// account. Without a bound the buffer grows up to what the machine allows, as fast as answers are read (2 MiB were seen,
/// and up to 32 are usual), and all of it fills with an answer that its client stops reading. Over loopback a round trip
/// is nothing, so that a small buffer costs no throughput (with 1 GiB at a time half of this was slower by a third, and
/// twice as much no faster).
const LOOPBACK: u32 = 64 * 1024;

/// The same from elsewhere for the answer to one client over HTTP/1.1. It bounds what such a connection carries in a round
/// trip, as a window bounds a stream over HTTP/2 (see `buffers`). A connection that many streams share has no bound, nor
/// has one whose bytes may be such a connection's.
const DISTANT: u32 = 256 * 1024;

/// The same where memory fills: many connections that carry less are better than few. What may be a connection of many
/// streams, which lives long, gets the larger bound then.
const TIGHT: u32 = 32 * 1024;

/// The same where there is hardly any room: most answers are no larger, and it grows as soon as there is more.
const SCARCE: u32 = 16 * 1024;

/// The same from anywhere for what goes on and on through a pipe, while there is much room: what the pipe takes at once has to
/// fit.
const PIPED: u32 = 512 * 1024;

/// What a connection that has no bound of its own may come to before it shows, in bytes.
const UNBOUND: u64 = 512 << 10;

/// How much is read at once, in bytes. Readers keep buffers twice as large as what they got last, also while nothing
/// comes, so this decides what a connection holds whose answer waits. With half as much a
/// large download costs a third more processor time.
pub(crate) const PIECE: u64 = 32 * 1024;

/// The same where there is hardly any room: not enough for a reader to think that it needs a larger buffer.
pub(crate) const SMALL_PIECE: u64 = 8 * 1024 - 1;

/// What is kept of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receive {
    /// The kernel's bound in bytes, as it is asked for.
    bound: Option<u32>,
    /// What the bound becomes once there is room.
    later: Option<u32>,
    /// Whether a new connection has no larger buffer anyway, so that the bound is set when the kernel would let it grow.
    is_late: bool,
}

impl Receive {
    /// Of a connection to `address` on which is spoken what `spoken` says.
    pub(crate) fn of(address: SocketAddr, spoken: Spoken, buffers: Buffers) -> Self {
        let always = |bound| Receive { bound, later: None, is_late: false };
        let at_first = |bound, later| Receive { bound: Some(bound), later: Some(later), is_late: false };
        match (spoken, buffers) {
            (Spoken::Http1 | Spoken::Bytes, Buffers::Smallest) if address.ip().is_loopback() => {
                at_first(SCARCE, LOOPBACK)
            }
            (Spoken::Bytes, Buffers::Large) if address.ip().is_loopback() => {
                // Most of these connections are over before it would grow.
                let is_late = first_buffer().is_some_and(|bytes| bytes <= 2 * u64::from(LOOPBACK));
                Receive { is_late, ..always(Some(LOOPBACK)) }
            }
            _ if address.ip().is_loopback() => always(Some(LOOPBACK)),
            (Spoken::Http1, Buffers::Large) | (Spoken::Bytes, Buffers::Small) => always(Some(DISTANT)),
            (Spoken::Http1, Buffers::Small) => always(Some(TIGHT)),
            (Spoken::Http1, Buffers::Smallest) => at_first(SCARCE, TIGHT),
            (Spoken::Bytes, Buffers::Smallest) => at_first(TIGHT, DISTANT),
            (Spoken::Http2, _) | (Spoken::Bytes, Buffers::Large) => always(None),
        }
    }

    /// The kernel's bound, as it is asked for; without one the kernel decides.
    pub(crate) fn bound(self) -> Option<u32> {
        self.bound
    }

    /// Whether the bound is set only once much was read.
    pub(crate) fn is_late(self) -> bool {
        self.is_late
    }

    /// What the kernel keeps at most, in bytes: twice as much as is asked for, see socket(7).
    pub(crate) fn kept(self) -> u64 {
        self.bound.map_or(UNBOUND, |bytes| 2 * u64::from(bytes))
    }

    /// How much is read at once, in bytes.
    pub(crate) fn piece(self) -> u64 {
        if self.later.is_some() { SMALL_PIECE } else { PIECE }
    }

    /// What the connection may come to with what its client does not read, in bytes.
    pub(crate) fn grown(self) -> u64 {
        memory::grown(self.kept(), 2 * self.piece())
    }

    /// Whether more of it is kept once it goes through a pipe.
    pub(crate) fn widens(self) -> bool {
        self.bound.is_some_and(|bound| bound < PIPED)
    }

    /// What is kept of a connection that goes through a pipe.
    pub(crate) fn piped() -> Self {
        Receive { bound: Some(PIPED), later: None, is_late: false }
    }

    /// What is kept of it once there is room, if that is more.
    pub(crate) fn later(self) -> Option<Self> {
        self.later.map(|bound| Receive { bound: Some(bound), later: None, is_late: false })
    }
}

/// What the kernel keeps of a new connection until it lets the buffer grow, in bytes. Source: tcp(7), `tcp_rmem`.
fn first_buffer() -> Option<u64> {
    static FIRST: OnceLock<Option<u64>> = OnceLock::new();
    let read = || {
        let sizes = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_rmem").ok()?;
        sizes.split_ascii_whitespace().nth(1)?.parse().ok()
    };
    *FIRST.get_or_init(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Spoken; 3] = [Spoken::Http1, Spoken::Bytes, Spoken::Http2];

    #[test]
    fn a_connection_for_one_client_has_a_bound_and_one_that_many_share_has_none() {
        let bounds = |address: &str, buffers| {
            let address = address.parse().unwrap();
            ALL.map(|spoken| Receive::of(address, spoken, buffers))
                .map(|receive| (receive.bound(), receive.later().and_then(Receive::bound)))
        };
        let distant = |buffers| bounds("192.0.2.1:80", buffers);
        assert_eq!(distant(Buffers::Large), [(Some(DISTANT), None), (None, None), (None, None)]);
        assert_eq!(distant(Buffers::Small), [(Some(TIGHT), None), (Some(DISTANT), None), (None, None)]);
        let smallest = [(Some(SCARCE), Some(TIGHT)), (Some(TIGHT), Some(DISTANT)), (None, None)];
        assert_eq!(distant(Buffers::Smallest), smallest);
        let here = |buffers| bounds("127.0.0.1:80", buffers);
        assert_eq!([here(Buffers::Large), here(Buffers::Small)], [[(Some(LOOPBACK), None); 3]; 2]);
        let grows = (Some(SCARCE), Some(LOOPBACK));
        assert_eq!(here(Buffers::Smallest), [grows, grows, (Some(LOOPBACK), None)]);
    }

    #[test]
    fn what_begins_small_costs_a_fraction_until_it_grows() {
        let of = |buffers| Receive::of("192.0.2.1:80".parse().unwrap(), Spoken::Http1, buffers);
        let [large, small, smallest] = [Buffers::Large, Buffers::Small, Buffers::Smallest].map(of);
        assert_eq!([large, small, smallest].map(|receive| receive.grown() >> 10), [656, 208, 127]);
        assert_eq!((smallest.later(), small.later()), (Some(small), None));
        assert!(small.widens() && Receive::piped().kept() > small.kept());
        let unbound = Receive::of("192.0.2.1:80".parse().unwrap(), Spoken::Bytes, Buffers::Large);
        assert!(!unbound.widens(), "it is as large as the kernel makes it");
        assert_eq!((smallest.piece(), small.piece()), (SMALL_PIECE, PIECE));
    }
}
