//! A DNS server that answers as it is told (RFC 1035 section 4).

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// What it says about every name.
#[derive(Clone)]
pub(crate) enum Zone {
    Addresses(Vec<IpAddr>),
    NoSuchName,
    /// SERVFAIL.
    Broken,
    /// Nothing at all.
    Silent,
}

/// A running server.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    serving: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(address: SocketAddr, zone: Zone) -> Self {
        let socket = UdpSocket::bind(address).await.unwrap();
        let zone = Arc::new(Mutex::new(zone));
        let said = Arc::clone(&zone);
        let serving = tokio::spawn(async move {
            let mut buffer = [0u8; 512];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                let zone = said.lock().unwrap().clone();
                if let Some(answer) = answer(&buffer[..length], &zone) {
                    let _ = socket.send_to(&answer, client).await;
                }
            }
        });
        Server { address, zone, serving }
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

/// The answer to a question of type A; any other type has no records.
fn answer(query: &[u8], zone: &Zone) -> Option<Vec<u8>> {
    let name_end = 12 + query[12..].iter().position(|byte| *byte == 0)? + 1;
    let question = &query[12..name_end + 4];
    let is_a = query[name_end..name_end + 2] == [0, 1];
    let (code, addresses) = match zone {
        Zone::Addresses(addresses) if is_a => (0, addresses.clone()),
        Zone::Addresses(_) => (0, Vec::new()),
        Zone::NoSuchName => (3, Vec::new()),
        Zone::Broken => (2, Vec::new()),
        Zone::Silent => return None,
    };
    let mut message = query[..2].to_vec();
    message.extend([0x85, 0x80 | code, 0, 1, 0, u8::try_from(addresses.len()).unwrap(), 0, 0, 0, 0]);
    message.extend(question);
    for address in addresses {
        let IpAddr::V4(ip) = address else { continue };
        // A pointer to the question's name, type A, class IN, ten seconds, four bytes.
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 10, 0, 4]);
        message.extend(ip.octets());
    }
    Some(message)
}
