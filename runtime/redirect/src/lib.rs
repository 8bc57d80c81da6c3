//! Packet-filter rules that send an application's outbound connections to its sidecar: what an init container does once
//! for its pod when a service asks for `capture = redirect`.
//!
//! Two rules for a range of virtual addresses: TCP goes to one port on loopback, and anything else is refused at once
//! instead of leaving the pod for a network that knows no such address. They are written through netlink, so that
//! neither a shell nor `iptables` has to be in the image.
//!
//! Invariant: all or nothing, and again is the same as once: the rules live in a table of their own for each family of
//! addresses, and all are replaced in one transaction. A family without a range is left alone: a kernel may lack it.

mod message;
mod range;
mod rules;
mod socket;

pub use range::{Range, RangeError};

/// Why the rules could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The capability is missing.
    #[error("the kernel refuses packet-filter rules of this process; it needs the capability NET_ADMIN")]
    NotPermitted,
    /// No nf_tables, or without NAT.
    #[error(
        "this kernel has no nf_tables with NAT; load the modules nf_tables, nft_redir, and nft_reject_ipv4 or \
         nft_reject_ipv6"
    )]
    Unsupported,
    /// The kernel said something else, or nothing.
    #[error("the kernel did not take the packet-filter rules: {0}")]
    Kernel(#[source] std::io::Error),
}

/// Redirects connections to addresses in `ranges` to `port` on loopback (127.0.0.1 or ::1, as the address is), in the
/// network namespace of this process.
///
/// # Errors
/// If the kernel does not take the rules; then none of them holds.
pub fn install(ranges: &[Range], port: u16) -> Result<(), Error> {
    socket::commit(&rules::replace(ranges, port))
}
