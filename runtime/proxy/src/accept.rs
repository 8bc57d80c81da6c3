//! Accepting connections, as long as there is room, and serving each until it ends or memory demands its place.

use crate::access_log::Line;
use crate::drain::Phase;
use crate::files;
use crate::listen::Slot;
use crate::memory::Reading;
use crate::place::Place;
use crate::queue;
use crate::serve::{Client, Stage, refuse, serve};
use crate::snapshot::KindState;
use crate::worker::Worker;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// How soon a client that waits for room in memory is looked at again.
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// The pause after a failed accept: it fails while the process is out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections at one address until this task is aborted or the proxy closes.
pub(crate) async fn accept(worker: Rc<Worker>, slot: Arc<Slot>, socket: TcpListener) {
    let mut phase = worker.shared.phase.subscribe();
    // Probes and metrics are served to the very end.
    let stays = matches!(slot.state.load().kind, KindState::Readiness(_) | KindState::Metrics(_));
    let closing = async {
        if stays || phase.wait_for(|phase| *phase == Phase::Closing).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::pin!(closing);
    loop {
        let accepted = async {
            let accepted = socket.accept().await;
            if !stays {
                room().await;
            }
            accepted
        };
        let accepted = tokio::select! {
            biased;
            accepted = accepted => accepted,
            () = &mut closing => return,
        };
        match accepted {
            Ok((stream, remote)) => {
                if stays {
                    let client = Client::new(&slot, remote, Place::new(Instant::now()));
                    tokio::task::spawn_local(Stage::run(serve(&worker, client, stream)));
                    continue;
                }
                let client = Client::new(&slot, remote, worker.room.take(Instant::now()));
                match Open::new(&worker) {
                    Err(why) => refuse(&worker, &client.connection(), "UO", why),
                    Ok(open) => {
                        let worker = Rc::clone(&worker);
                        tokio::task::spawn_local(async move {
                            let _open = open;
                            unless_told_to_leave(worker, client, stream).await;
                        });
                    }
                }
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Returns once one more client can be served, or has waited for long enough to be told that it cannot. Those behind it
/// wait in the kernel, where they cost least, and those that fill memory are told to leave in the meantime.
async fn room() {
    let begin = Instant::now();
    while !Reading::now().admits_clients() && begin.elapsed() < queue::LIMIT {
        tokio::time::sleep(ROOM_PAUSE).await;
    }
}

/// A client's connection while it is open. It is counted when it is accepted and not when its task first runs: many are
/// accepted in between, and each would find the same number.
struct Open(Rc<Worker>);

impl Open {
    /// Counts one more, or says why no more clients can be served: what is left is for the connections to upstreams, for
    /// probes, and for the clients that are here.
    fn new(worker: &Rc<Worker>) -> Result<Self, &'static str> {
        let shared = &worker.shared;
        if !Reading::now().admits_clients() {
            return Err("memory is full");
        }
        let most = shared.most_connections.load(Ordering::Relaxed).min(files::clients());
        let raised = shared.metrics.connections.raise_below(most);
        if raised { Ok(Open(Rc::clone(worker))) } else { Err("too many connections") }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.shared.metrics.connections.add(-1);
    }
}

/// Serves a client, until memory demands its place.
async fn unless_told_to_leave(worker: Rc<Worker>, client: Client, stream: TcpStream) {
    let told = client.clone();
    let mut serving = pin!(Stage::run(serve(&worker, client, stream)));
    let why = poll_fn(|cx| match told.place.poll_told(cx) {
        Poll::Ready(why) => Poll::Ready(Some(why)),
        Poll::Pending => serving.as_mut().poll(cx).map(|()| None),
    });
    let Some(why) = why.await else { return };
    let connection = told.connection();
    let state = connection.slot.state.load();
    worker.shared.metrics.shed.add(&[&state.name, why.word()], 1);
    if let Some(log) = worker.shared.log.load().as_ref() {
        log.write(&Line { flags: "OM", details: Some(why.sentence().into()), ..connection.line() });
    }
}
