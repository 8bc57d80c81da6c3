//! Free ports on loopback, held until whoever is to listen there starts.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Ports are taken from this range. It lies below the range from which Linux picks the ports of outgoing connections
/// (`net.ipv4.ip_local_port_range`, 32768 and up), so that no client takes a port between the moment when it is let go
/// here and the moment when a proxy listens on it.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

/// Ports that are held by listening on them.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    held: BTreeMap<SocketAddr, TcpListener>,
    next: u16,
}

impl Ports {
    /// Starts looking at a place that depends on the process, so that two meshes that start at the same time rarely
    /// try the same ports.
    pub(crate) fn new(process: u32) -> Self {
        // 131 is prime to the count, and more than the ports of a small mesh lie between two neighbours.
        let start = u64::from(process) * 131 % u64::from(COUNT);
        Self { held: BTreeMap::new(), next: u16::try_from(start).unwrap_or(0) }
    }

    /// Takes a free port.
    pub(crate) fn take(&mut self) -> io::Result<SocketAddr> {
        let mut last = io::Error::from(ErrorKind::AddrInUse);
        for _ in 0..COUNT {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, FIRST + self.next));
            self.next = (self.next + 1) % COUNT;
            match TcpListener::bind(address) {
                Ok(listener) => {
                    self.held.insert(address, listener);
                    return Ok(address);
                }
                // Somebody else's. Whatever else is wrong is wrong at every port.
                Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {
                    last = error;
                }
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Hands a held port over to whoever serves it in this process.
    pub(crate) fn claim(&mut self, address: SocketAddr) -> Option<TcpListener> {
        self.held.remove(&address)
    }

    /// Lets all ports go that are still held, for the processes that are started now.
    pub(crate) fn release(&mut self) {
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice_while_it_is_held() {
        let mut ports = Ports::new(std::process::id());
        let first = ports.take().unwrap();
        let second = ports.take().unwrap();
        assert_ne!(first, second);
        assert!(TcpListener::bind(first).is_err());
        assert_eq!(ports.claim(first).unwrap().local_addr().unwrap(), first);
        ports.release();
        assert!(TcpListener::bind(second).is_ok());
    }
}
