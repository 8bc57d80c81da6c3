//! A DNS server that answers as it is told (RFC 1035 section 4).

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What it says about every name.
#[derive(Clone)]
pub(crate) enum Zone {
    Addresses(Vec<IpAddr>),
    NoSuchName,
    /// SERVFAIL for IPv4 addresses, and these for IPv6.
    NothingAboutIpv4(Vec<IpAddr>),
    /// SERVFAIL.
    Broken,
    /// Nothing at all.
    Silent,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    /// How often it was asked, and whether for IPv6.
    asked: Arc<(AtomicUsize, AtomicBool)>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(address: SocketAddr, zone: Zone) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let zone = Arc::new(Mutex::new(zone));
        let said = Arc::clone(&zone);
        let asked = Arc::new((AtomicUsize::new(0), AtomicBool::new(false)));
        let counted = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            let mut buffer = [0u8; 512];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let zone = said.lock().unwrap().clone();
                let Some(kind) = kind(&buffer[..length]) else { continue };
                counted.0.fetch_add(1, Ordering::SeqCst);
                counted.1.fetch_or(kind == AAAA, Ordering::SeqCst);
                if let Some(answer) = answer(&buffer[..length], &zone) {
                    let _ = socket.send_to(&answer, client).await;
                }
            }
        });
        Server { address, zone, asked, serving }
    }

    /// How often it was asked anything.
    pub(crate) fn questions(&self) -> usize {
        self.asked.0.load(Ordering::SeqCst)
    }

    pub(crate) fn was_asked_for_ipv6(&self) -> bool {
        self.asked.1.load(Ordering::SeqCst)
    }

    pub(crate) fn answers_with(&self, zone: Zone) {
        *self.zone.lock().unwrap() = zone;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Types of records (RFC 1035 section 3.2.2, RFC 3596 section 2.1).
const A: [u8; 2] = [0, 1];
const AAAA: [u8; 2] = [0, 28];

/// Where the first question's name ends.
fn name_end(query: &[u8]) -> Option<usize> {
    Some(12 + query.get(12..)?.iter().position(|byte| *byte == 0)? + 1)
}

/// What records are asked for.
fn kind(query: &[u8]) -> Option<[u8; 2]> {
    query.get(name_end(query)?..)?.first_chunk().copied()
}

/// The answer: addresses of the type that is asked for.
fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let (name_end, kind) = (name_end(query)?, kind(query)?);
    let question = &query[12..name_end + 4];
    let (code, addresses) = match zone {
        Zone::NothingAboutIpv4(_) if kind == A => (2, Vec::new()),
        Zone::Addresses(addresses) | Zone::NothingAboutIpv4(addresses) => (0, addresses.clone()),
        Zone::NoSuchName => (3, Vec::new()),
        Zone::Broken => (2, Vec::new()),
        Zone::Silent => return None,
    };
    let wanted = |address: &&IpAddr| (kind == A && address.is_ipv4()) || (kind == AAAA && address.is_ipv6());
    let addresses: Vec<&IpAddr> = addresses.iter().filter(wanted).collect();
    let mut message = query[..2].to_vec();
    message.extend([0x85, 0x80 | code, 0, 1, 0, u8::try_from(addresses.len()).unwrap(), 0, 0, 0, 0]);
    message.extend(question);
    for address in addresses {
        let bytes = match address {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        // A pointer to the question's name, its type, class IN, ten seconds.
        message.extend([
            0xc0,
            12,
            kind[0],
            kind[1],
            0,
            1,
            0,
            0,
            0,
            10,
            0,
            u8::try_from(bytes.len()).unwrap(),
        ]);
        message.extend(bytes);
    }
    Some(message)
}
