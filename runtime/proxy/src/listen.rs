//! Listening sockets: one per worker and address, all or none.

use crate::snapshot::ListenerState;
use arc_swap::ArcSwap;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How many connections may wait to be accepted: as many as the kernel admits (`net.core.somaxconn`, 4,096 by default). A
/// client whose first packet finds no place tries again after a second.
const BACKLOG: i32 = i32::MAX;

/// An address that is listened on. Its sockets stay when a reload changes what happens there.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The address.
    pub(crate) bind: SocketAddr,
    /// Whether it has sockets of its own.
    pub(crate) has_socket: bool,
    /// What happens there now.
    pub(crate) state: ArcSwap<ListenerState>,
    /// True once a reload has removed the address.
    pub(crate) left: watch::Sender<bool>,
}

impl Slot {
    /// A slot for an address.
    pub(crate) fn new(bind: SocketAddr, state: Arc<ListenerState>) -> Arc<Self> {
        let has_socket = state.has_socket;
        Arc::new(Slot { bind, has_socket, state: ArcSwap::new(state), left: watch::Sender::new(false) })
    }
}

/// One socket per worker at `address`, or why not.
pub(crate) fn listen(address: SocketAddr, workers: usize) -> Result<Vec<TcpListener>, String> {
    // SO_REUSEPORT would let a second proxy of the same user share the port in silence, so the address is claimed
    // alone first.
    let explain = |error: io::Error| {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the standard library's enum grows")]
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "; another process listens there",
            io::ErrorKind::PermissionDenied => {
                "; ports below 1024 need a capability or a lower net.ipv4.ip_unprivileged_port_start"
            }
            io::ErrorKind::AddrNotAvailable => "; this machine does not have that address",
            _ => "",
        };
        format!("cannot listen on {address}: {error}{hint}")
    };
    drop(socket(address, false).map_err(explain)?);
    (0..workers.max(1)).map(|_| socket(address, true).map_err(explain)).collect()
}

/// How long a connection may be silent before its other end is asked for a sign of life, and how often that is repeated.
const SIGN_OF_LIFE: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(20)];

/// How many times in vain.
const SIGNS_OF_LIFE: u32 = 3;

/// How much may wait in the kernel's buffer that the other end has no room for, in bytes. Without a bound the kernel
/// takes up to four MiB for each connection whose other end does not read. What is on its way does not count, so that
/// this costs no throughput.
const UNSENT: u32 = 32 * 1024;

/// Prepares a connection to an upstream, or a socket whose connections from clients are then prepared: they inherit this.
/// Small messages do not wait for each other's acknowledgements.
pub(crate) fn prepare(socket: &impl AsFd) {
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_nodelay(true);
    let _ = socket.set_tcp_notsent_lowat(UNSENT);
}

/// Has a peer noticed that vanished with its machine: what is only relayed has no other bound. Connections from clients
/// inherit this; to a connection that ends sooner than the first sign of life would be asked for, it is no use.
pub(crate) fn watch(socket: &impl AsFd) {
    let [after, every] = SIGN_OF_LIFE;
    let alive = TcpKeepalive::new().with_time(after).with_interval(every).with_retries(SIGNS_OF_LIFE);
    let _ = SockRef::from(socket).set_tcp_keepalive(&alive);
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let domain = if address.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // All addresses are those of IPv4 too, whatever the kernel's default is (`net.ipv6.bindv6only`).
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    prepare(&socket);
    watch(&socket);
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn connections_are_accepted_prepared() {
        let sockets = listen(SocketAddr::from(([127, 0, 0, 1], 0)), 1).unwrap();
        let listener = &sockets[0];
        listener.set_nonblocking(false).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        let alive = [socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap()];
        assert_eq!((alive, socket.tcp_keepalive_retries().unwrap()), (SIGN_OF_LIFE, SIGNS_OF_LIFE));
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT);
    }
}
