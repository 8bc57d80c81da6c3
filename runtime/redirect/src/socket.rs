//! Hands a transaction to the kernel and waits for what it says.

use std::io;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::netlink::{NETFILTER, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

use crate::Error;
use crate::message::answers;

/// The kernel answers from within the call that sends; a second is for ever.
const PATIENCE: Duration = Duration::from_secs(1);

/// Commits a transaction whose last request has the sequence number `last`.
pub(crate) fn commit((transaction, last): &(Vec<u8>, u32)) -> Result<(), Error> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(NETFILTER))
        .map_err(explain)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE)).map_err(explain)?;
    // Port 0 is the kernel.
    sendto(&socket, transaction, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).map_err(explain)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let (length, _) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty()).map_err(explain)?;
        for answer in answers(buffer.get(..length).unwrap_or_default()) {
            if answer.error != 0 {
                return Err(explain(Errno::from_raw_os_error(answer.error)));
            }
            if answer.sequence == *last {
                return Ok(());
            }
        }
    }
}

fn explain(error: Errno) -> Error {
    match error {
        Errno::PERM | Errno::ACCESS => Error::NotPermitted,
        Errno::PROTONOSUPPORT | Errno::AFNOSUPPORT | Errno::OPNOTSUPP | Errno::NOENT => Error::Unsupported,
        other => Error::Kernel(io::Error::from(other)),
    }
}
