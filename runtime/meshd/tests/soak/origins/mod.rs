//! Origins: they do as requests tell them, and are broken and started again by the one who fails things.

mod bytes;
mod one;
mod two;

use crate::ledger::{Fault, Ledger, Place};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long an origin that says nothing waits to be given up. The route gives up after three seconds.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// A running origin.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    place: Place,
    ledger: Arc<Ledger>,
    accepting: Option<JoinHandle<()>>,
    broken: watch::Sender<u64>,
}

/// The requests that are under way on one connection.
#[derive(Debug, Clone, Default)]
struct UnderWay(Arc<Mutex<BTreeSet<String>>>);

impl UnderWay {
    fn begin(&self, id: &str) {
        self.0.lock().unwrap().insert(id.to_owned());
    }

    fn end(&self, id: &str) {
        self.0.lock().unwrap().remove(id);
    }
}

impl Origin {
    pub(crate) async fn start(place: Place, address: SocketAddr, ledger: &Arc<Ledger>) -> Self {
        let (broken, _) = watch::channel(0);
        let mut origin = Origin { address, place, ledger: Arc::clone(ledger), accepting: None, broken };
        origin.listen().await;
        origin
    }

    async fn listen(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let (place, ledger, broken) = (self.place, Arc::clone(&self.ledger), self.broken.subscribe());
        self.accepting = Some(tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(place, stream, Arc::clone(&ledger), broken.clone()));
            }
        }));
    }

    /// Refuses connections for so long; those that are open go on, unless they are `broken`, too.
    pub(crate) async fn fail(&mut self, lasts: Duration, broken: bool) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
        // Connections that were not accepted yet break in both cases.
        self.ledger.window(self.place, Duration::ZERO);
        if broken {
            self.broken.send_modify(|times| *times += 1);
        }
        tokio::time::sleep(lasts).await;
        self.listen().await;
    }
}

/// Serves a connection until it ends or is broken.
async fn connection(
    place: Place,
    mut stream: TcpStream,
    ledger: Arc<Ledger>,
    mut broken: watch::Receiver<u64>,
) {
    let under_way = UnderWay::default();
    broken.mark_unchanged();
    let is_broken = async {
        let _ = broken.changed().await;
        strike(&ledger, &under_way);
    };
    let reset = match place {
        Place::Two => {
            tokio::select! {
                biased;
                () = is_broken => {}
                _ = two::serve(stream, &ledger, &under_way) => {}
            }
            return;
        }
        Place::Bytes => tokio::select! {
            biased;
            () = is_broken => true,
            served = bytes::serve(&mut stream, &ledger, &under_way) => served.unwrap_or(false),
        },
        Place::One | Place::Extra => tokio::select! {
            biased;
            () = is_broken => true,
            served = one::serve(&mut stream, &ledger, &under_way) => served.unwrap_or(false),
        },
    };
    if reset {
        let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    }
}

/// What is under way ends now.
fn strike(ledger: &Ledger, under_way: &UnderWay) {
    for id in std::mem::take(&mut *under_way.0.lock().unwrap()) {
        ledger.strike(&id, Fault::Reset);
    }
}
