//! Free ports on loopback: the same ones from run to run of one mesh, and held until whoever is to listen there starts.
//!
//! A mesh gets a span of consecutive ports whose place follows from the path of its file, and everything in it a port of
//! the span that follows from its name. What is taken is passed over, so that nothing else moves. The first port of each
//! block is held by this process as long as the mesh runs and means that the block is taken: no other mesh looks for a
//! port there, not even between the moment when a port is let go here and the moment when a proxy listens on it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// Ports are taken from this range. It lies below the range from which Linux picks the ports of outgoing connections
/// (`net.ipv4.ip_local_port_range`, 32768 and up), so that no client takes a port that was let go.
const FIRST: u16 = 10_000;
const COUNT: u16 = 22_016;

/// Where the marks of all meshes are.
const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Ports in a block. Its first one says that the block is taken.
const BLOCK: u16 = 64;

/// How many ports a span has for each that is needed: then two names seldom want the same one.
const ROOM: usize = 4;

/// Ports that are held by listening on them.
#[derive(Debug)]
pub(crate) struct Ports {
    /// Every address of loopback at which a port is taken.
    hosts: Vec<IpAddr>,
    held: BTreeMap<SocketAddr, TcpListener>,
    /// The first port of every block of the span, held as long as the value lives.
    _taken: Vec<TcpListener>,
    start: u16,
    length: u16,
}

impl Ports {
    /// Takes a span for about `count` ports, at the place that follows from `mesh` or the next one that is free. Ports are
    /// free at 127.0.0.1, which all meshes agree about, and at `further` addresses.
    pub(crate) fn new(mesh: &str, count: usize, further: &[IpAddr]) -> io::Result<Self> {
        let hosts = std::iter::once(LOCALHOST).chain(further.iter().copied()).collect();
        let wanted = count.saturating_mul(ROOM).div_ceil(usize::from(BLOCK)).next_power_of_two();
        let all = usize::from(COUNT / BLOCK);
        let blocks = u16::try_from(wanted.min(all)).unwrap_or(1);
        let spans = COUNT / BLOCK / blocks;
        let first = place(mesh, spans);
        let mut last = io::Error::from(ErrorKind::AddrInUse);
        for next in 0..spans {
            let start = FIRST + (first + next) % spans * blocks * BLOCK;
            let length = blocks * BLOCK;
            let marks = (0..blocks).map(|block| TcpListener::bind(address(start + block * BLOCK)));
            match marks.collect::<io::Result<Vec<_>>>() {
                Ok(taken) => return Ok(Self { hosts, held: BTreeMap::new(), _taken: taken, start, length }),
                // Another mesh's, or somebody else's. Whatever else is wrong is wrong at every port.
                Err(error) if is_taken(&error) => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Takes the port that follows from a name, or the next one that is free at each address.
    pub(crate) fn take(&mut self, name: &str) -> io::Result<u16> {
        let first = place(name, self.length);
        let mut last = io::Error::from(ErrorKind::AddrInUse);
        for next in 0..self.length {
            let offset = (first + next) % self.length;
            let port = self.start + offset;
            let addresses = self.hosts.iter().map(|host| SocketAddr::new(*host, port));
            let held = addresses.map(|address| Ok((address, TcpListener::bind(address)?)));
            // The first one of a block, and what has been taken for another name, are in use here.
            match held.collect::<io::Result<Vec<_>>>() {
                Ok(held) => {
                    self.held.extend(held);
                    return Ok(port);
                }
                Err(error) if is_taken(&error) => last = error,
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

fn address(port: u16) -> SocketAddr {
    SocketAddr::new(LOCALHOST, port)
}

fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied)
}

/// A number below `bound` that follows from a text, and from nothing that another version of Rust could change: FNV-1a
/// (Fowler, Noll, Vo) with 64 bits, mixed as MurmurHash3 does at its end, since texts that differ in one letter are near
/// each other otherwise.
fn place(text: &str, bound: u16) -> u16 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
    let hash = [0xff51_afd7_ed55_8ccd_u64, 0xc4ce_b9fe_1a85_ec53]
        .into_iter()
        .fold(hash, |hash, factor| (hash ^ (hash >> 33)).wrapping_mul(factor));
    u16::try_from((hash ^ (hash >> 33)) % u64::from(bound.max(1))).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text for a mesh that no other test has.
    fn mesh(name: &str) -> String {
        format!("{name} of the process {}", std::process::id())
    }

    #[test]
    fn no_port_is_given_twice_while_it_is_held() {
        let mut ports = Ports::new(&mesh("a mesh"), 3, &[]).unwrap();
        let first = ports.take("one").unwrap();
        let second = ports.take("two").unwrap();
        assert_ne!(first, second);
        assert!(TcpListener::bind(address(first)).is_err());
        assert_eq!(ports.claim(address(first)).unwrap().local_addr().unwrap(), address(first));
        ports.release();
        assert!(TcpListener::bind(address(second)).is_ok());
    }

    #[test]
    fn a_port_is_free_at_every_address() {
        let further = IpAddr::from([127, 0, 0, 2]);
        let name = mesh("two addresses");
        let mut ports = Ports::new(&name, 3, &[further]).unwrap();
        let before = ports.take("one").unwrap();
        assert!(TcpListener::bind((further, before)).is_err(), "it is held there too");
        assert!(ports.claim(SocketAddr::new(further, before)).is_some());
        drop(ports);
        let foreign = TcpListener::bind((further, before)).unwrap();
        let mut ports = Ports::new(&name, 3, &[further]).unwrap();
        assert_ne!(ports.take("one").unwrap(), before);
        drop(foreign);
    }

    #[test]
    fn a_mesh_keeps_its_ports_whatever_comes_and_goes() {
        let take =
            |ports: &mut Ports, names: &[&str]| names.iter().map(|name| ports.take(name).unwrap()).collect();
        let mut ports = Ports::new(&mesh("steady"), 3, &[]).unwrap();
        let before: Vec<u16> = take(&mut ports, &["a", "b", "c"]);
        drop(ports);
        let mut ports = Ports::new(&mesh("steady"), 3, &[]).unwrap();
        assert_eq!(take(&mut ports, &["a", "b", "c"]), before, "the same again");
        drop(ports);
        let mut ports = Ports::new(&mesh("steady"), 3, &[]).unwrap();
        let after: Vec<u16> = take(&mut ports, &["c", "a"]);
        assert_eq!(after, [before[2], before[0]], "with one less, and in another order");
        drop(ports);
        let foreign = TcpListener::bind(address(before[0])).unwrap();
        let mut ports = Ports::new(&mesh("steady"), 3, &[]).unwrap();
        let after: Vec<u16> = take(&mut ports, &["a", "b", "c"]);
        assert_ne!(after[0], before[0]);
        assert_eq!(after[1..], before[1..], "only what is taken moves");
        drop(foreign);
    }

    #[test]
    fn a_running_mesh_keeps_others_out_of_its_span() {
        let mut running = Ports::new(&mesh("twice"), 3, &[]).unwrap();
        let own = running.take("a").unwrap();
        running.release();
        let mut second = Ports::new(&mesh("twice"), 3, &[]).unwrap();
        assert!(!(running.start..running.start + running.length).contains(&second.take("a").unwrap()));
        drop(running);
        drop(second);
        assert_eq!(Ports::new(&mesh("twice"), 3, &[]).unwrap().take("a").unwrap(), own);
    }
}
