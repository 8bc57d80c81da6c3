//! Accepting connections and handing each to what its listener is for.

use crate::access_log::Line;
use crate::address;
use crate::app::App;
use crate::drain::Phase;
use crate::files;
use crate::handshake::handshake;
use crate::hello::{First, read_hello};
use crate::inside::{Inside, Refused, admit};
use crate::listen::Slot;
use crate::memory::Reading;
use crate::paced::Paced;
use crate::place::Place;
use crate::queue;
use crate::relay::Breaks;
use crate::replayed::Replayed;
use crate::shares::{NOT_ADMITTED, TcpShares};
use crate::snapshot::{KindState, ListenerState};
use crate::target::is_name;
use crate::tls::{self, ClientCertificate, EdgeTls, Peer, peer_of};
use crate::worker::Worker;
use crate::{http_server, probe, proxy_protocol, tcp};
use std::cell::OnceCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

/// How long a client may take for its ClientHello where the configuration does not say.
const HELLO_LIMIT: Duration = Duration::from_secs(5);

/// How soon a client that waits for room in memory is looked at again.
const ROOM_PAUSE: Duration = Duration::from_millis(20);

/// The pause after a failed accept: it fails while the process is out of file descriptors.
pub(crate) const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Which part of a listener a connection belongs to. It is looked up again for every request, so that a reload is felt
/// on open connections too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The listener as a whole.
    Listener,
    /// The chain of this server name.
    Chain(Rc<str>),
    /// Plaintext on a listener that expects TLS.
    Plaintext,
}

/// A connection from a client.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Where it was accepted.
    pub(crate) slot: Arc<Slot>,
    /// The client's address.
    pub(crate) remote: SocketAddr,
    /// The same as text, once somebody has asked for it.
    pub(crate) remote_name: OnceCell<Rc<str>>,
    /// Which part of the listener it belongs to.
    pub(crate) entry: Entry,
    /// Whether it is TLS.
    pub(crate) tls: bool,
    /// The host that a client outside the mesh asked for in the handshake.
    pub(crate) server_name: Option<String>,
    /// What the certificate of a client outside the mesh says.
    pub(crate) client: Option<Rc<ClientCertificate>>,
    /// Who the client proved to be.
    pub(crate) peer: Option<Rc<Peer>>,
    /// What it takes up.
    pub(crate) place: Rc<Place>,
    /// Whether it is for health checks only.
    pub(crate) checks: bool,
}

impl Connection {
    /// The client's address as text, made once.
    pub(crate) fn remote_name(&self) -> Rc<str> {
        Rc::clone(self.remote_name.get_or_init(|| address::text(self.remote)))
    }

    /// The beginning of a log line about it.
    pub(crate) fn line(&self) -> Line {
        Line {
            listener: Some(self.slot.state.load_full()),
            remote: Some(self.remote_name()),
            peer: self.peer.clone(),
            sni: match &self.entry {
                Entry::Chain(name) => Some(Rc::clone(name)),
                Entry::Listener | Entry::Plaintext => None,
            },
            is_of_check: self.checks,
            ..Line::default()
        }
    }
}

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
                    tokio::task::spawn_local(serve(Rc::clone(&worker), client, stream));
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

/// A client that has just come.
#[derive(Clone)]
struct Client {
    slot: Arc<Slot>,
    remote: SocketAddr,
    place: Rc<Place>,
}

impl Client {
    fn new(slot: &Arc<Slot>, remote: SocketAddr, place: Rc<Place>) -> Self {
        // A socket of both families shows IPv4 clients as `::ffff:192.0.2.7`; logs, headers and conditions are about
        // the client's own address.
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        Client { slot: Arc::clone(slot), remote, place }
    }

    /// Its connection as long as nothing else is known.
    fn connection(&self) -> Connection {
        self.enters(Entry::Listener)
    }

    fn enters(&self, entry: Entry) -> Connection {
        let Client { slot, remote, place } = self.clone();
        Connection {
            slot,
            remote,
            remote_name: OnceCell::new(),
            entry,
            tls: false,
            server_name: None,
            client: None,
            peer: None,
            place,
            checks: false,
        }
    }
}

/// Serves a client, until memory demands its place.
async fn unless_told_to_leave(worker: Rc<Worker>, client: Client, stream: TcpStream) {
    let (place, told) = (Rc::clone(&client.place), client.clone());
    let mut serving = pin!(serve(Rc::clone(&worker), client, stream));
    let why = poll_fn(|cx| match place.poll_told(cx) {
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

/// What a listener may do is very different in size, and only one of it is done for a connection: each is in a box.
async fn serve(worker: Rc<Worker>, client: Client, stream: TcpStream) {
    let state = client.slot.state.load_full();
    let accepted = || worker.shared.metrics.accepted.count(&state.counted.0, &[&state.name]);
    if let KindState::Redirected = &state.kind {
        return Box::pin(redirected(worker, client, stream)).await;
    }
    if let KindState::Readiness(_) | KindState::Metrics(_) = &state.kind {
        let stream = Paced::from_operator(stream, &client.place);
        return Box::pin(probe::serve(worker, client.connection(), stream)).await;
    }
    let (mut client, mut stream) = (client, stream);
    if state.proxy_protocol {
        let header = tokio::time::timeout(HELLO_LIMIT, proxy_protocol::read(&mut stream)).await;
        match header.unwrap_or(Err("no header of the PROXY protocol in time")) {
            Ok(None) => {}
            Ok(Some(said)) => client.remote = said,
            Err(why) => {
                accepted();
                return refuse(&worker, &client.connection(), "NR", why);
            }
        }
    }
    let stream = Paced::from_client(stream, &client.place);
    match &state.kind {
        KindState::Http { tls: None, .. } => {
            accepted();
            Box::pin(http_server::serve(worker, client.connection(), stream)).await;
        }
        KindState::Http { tls: Some(edge), .. } => {
            accepted();
            Box::pin(over_tls(worker, client, &state, edge, stream)).await;
        }
        KindState::Tcp { tls, shares } => {
            accepted();
            if !shares.admit(client.remote.ip()) {
                return refuse(&worker, &client.connection(), "NR", NOT_ADMITTED);
            }
            Box::pin(bytes(worker, client, &state, tls.as_ref(), shares, stream)).await;
        }
        KindState::Redirected | KindState::Readiness(_) | KindState::Metrics(_) => {}
        KindState::Inbound { .. } | KindState::PassThrough { .. } => {
            accepted();
            Box::pin(by_server_name(worker, client.enters(Entry::Plaintext), &state, stream)).await;
        }
    }
}

/// Requests over TLS that ends here.
async fn over_tls(worker: Rc<Worker>, client: Client, state: &ListenerState, edge: &EdgeTls, stream: Paced) {
    let connection = Connection { tls: true, ..client.connection() };
    let (config, asked) = edge.listening();
    match Box::pin(handshake(&worker, state, config, stream)).await {
        Ok(stream) => {
            let server_name = asked.name();
            let client = stream.peer_certificates().and_then(tls::client_of);
            let connection = Connection { server_name, client: client.map(Rc::new), ..connection };
            Box::pin(http_server::serve(worker, connection, stream)).await;
        }
        Err(error) => refuse(&worker, &connection, "TLS", &tls::problem(&error)),
    }
}

/// Bytes, also those of TLS that ends here.
async fn bytes(
    worker: Rc<Worker>,
    client: Client,
    state: &ListenerState,
    edge: Option<&EdgeTls>,
    shares: &TcpShares,
    stream: Paced,
) {
    // Of the weights at least one is not 0, so there is always one to take.
    let Some(forwarding) = shares.draw() else { return };
    let connection = Connection { tls: edge.is_some(), ..client.connection() };
    let Some(edge) = edge else {
        return Box::pin(tcp::forward(&worker, &connection, forwarding, stream)).await;
    };
    match Box::pin(handshake(&worker, state, Arc::clone(&edge.config), stream)).await {
        Ok(stream) => Box::pin(tcp::forward(&worker, &connection, forwarding, stream)).await,
        Err(error) => refuse(&worker, &connection, "TLS", &tls::problem(&error)),
    }
}

/// What happens to a connection is in its first bytes. Each thing that may happen is in a box: the connection has room for
/// what does.
async fn by_server_name(
    worker: Rc<Worker>,
    connection: Connection,
    state: &ListenerState,
    mut stream: Paced,
) {
    let limit = match &state.kind {
        KindState::PassThrough { hello_timeout, .. } => *hello_timeout,
        KindState::Http { .. }
        | KindState::Tcp { .. }
        | KindState::Inbound { .. }
        | KindState::Readiness(_)
        | KindState::Metrics(_)
        | KindState::Redirected => HELLO_LIMIT,
    };
    let (first, bytes) = read_hello(&mut stream, limit).await;
    let name = match first {
        First::Tls(Some(name)) => name,
        First::Tls(None) => {
            if let KindState::PassThrough { names, chains, .. } = &state.kind
                && let Some(shares) = names.any().and_then(|chain| Some(&chains.get(chain)?.shares))
                && let Some(forwarding) = shares.draw()
            {
                if !shares.admit(connection.remote.ip()) {
                    return refuse(&worker, &connection, "NR", NOT_ADMITTED);
                }
                let connection = Connection { entry: Entry::Listener, tls: true, ..connection };
                let stream = Replayed::new(bytes, stream);
                return Box::pin(tcp::forward(&worker, &connection, forwarding, stream)).await;
            }
            return refuse(&worker, &connection, "NR", "the ClientHello names no server");
        }
        // A client of a server that speaks first sends nothing, so silence may be plaintext where that is welcome.
        First::Late if has_plaintext(state) => {
            let stream = Replayed::new(bytes, stream);
            return Box::pin(plaintext(worker, connection, state, stream)).await;
        }
        First::Late => return refuse(&worker, &connection, "DT", "no ClientHello in time"),
        First::Gone => return,
        First::Other => {
            let stream = Replayed::new(bytes, stream);
            return Box::pin(plaintext(worker, connection, state, stream)).await;
        }
    };
    let stream = Replayed::new(bytes, stream);
    let connection = Connection { entry: Entry::Chain(name.as_str().into()), tls: true, ..connection };
    match &state.kind {
        KindState::PassThrough { names, chains, .. } => {
            // A pattern would take what is no name, too.
            let chain = Some(&name).filter(|name| is_name(name)).and_then(|name| names.find(name));
            let chain = chain.and_then(|chain| chains.get(chain));
            match chain.and_then(|chain| Some((chain.shares.draw()?, chain.checks))) {
                Some(_) if chain.is_some_and(|chain| !chain.shares.admit(connection.remote.ip())) => {
                    refuse(&worker, &connection, "NR", NOT_ADMITTED);
                }
                Some((forwarding, checks)) => {
                    let connection = Connection { checks, ..connection };
                    Box::pin(tcp::forward(&worker, &connection, forwarding, stream)).await;
                }
                None => refuse(&worker, &connection, "NR", "no chain for this server name"),
            }
        }
        KindState::Inbound { chains, .. } => {
            let Some(chain) = chains.get(&name) else {
                return refuse(&worker, &connection, "NR", "no chain for this server name");
            };
            let stream = match Box::pin(handshake(&worker, state, Arc::clone(&chain.tls), stream)).await {
                Ok(stream) => stream,
                Err(error) => return refuse(&worker, &connection, "TLS", &tls::problem(&error)),
            };
            let peer = stream.peer_certificates().and_then(peer_of).map(Rc::new);
            let connection = Connection { peer, checks: chain.checks, ..connection };
            match &chain.app {
                App::Http(_) => Box::pin(http_server::serve(worker, connection, stream)).await,
                App::Tcp(forwarding) => {
                    Box::pin(tcp::forward(&worker, &connection, forwarding, stream)).await;
                }
                App::Tls(inside) => Box::pin(within(&worker, &connection, inside, stream)).await,
            }
        }
        KindState::Http { .. }
        | KindState::Tcp { .. }
        | KindState::Readiness(_)
        | KindState::Metrics(_)
        | KindState::Redirected => {}
    }
}

/// Hands a redirected connection to the listener at the address that the application meant.
async fn redirected(worker: Rc<Worker>, client: Client, stream: TcpStream) {
    let meant = original_destination(&stream);
    let other = meant.and_then(|address| worker.shared.slots.load().get(&address).cloned());
    match other.filter(|other| !Arc::ptr_eq(other, &client.slot)) {
        Some(slot) => Box::pin(serve(worker, Client { slot, ..client }, stream)).await,
        None => refuse(&worker, &client.connection(), "NR", "no listener at the original destination"),
    }
}

/// Where a connection went before a rule of the pod redirected it.
fn original_destination(stream: &TcpStream) -> Option<SocketAddr> {
    let socket = socket2::SockRef::from(stream);
    let original = match stream.local_addr().ok()? {
        SocketAddr::V4(_) => socket.original_dst_v4(),
        SocketAddr::V6(_) => socket.original_dst_v6(),
    };
    original.ok()?.as_socket()
}

fn has_plaintext(state: &ListenerState) -> bool {
    matches!(&state.kind, KindState::Inbound { plaintext: Some(_), .. })
}

async fn plaintext(
    worker: Rc<Worker>,
    connection: Connection,
    state: &ListenerState,
    stream: Replayed<Paced>,
) {
    let app = match &state.kind {
        KindState::Inbound { plaintext, .. } => plaintext.as_ref(),
        KindState::Http { .. }
        | KindState::Tcp { .. }
        | KindState::PassThrough { .. }
        | KindState::Readiness(_)
        | KindState::Metrics(_)
        | KindState::Redirected => None,
    };
    match app {
        None => refuse(&worker, &connection, "NR", "not TLS"),
        Some(App::Http(_)) => Box::pin(http_server::serve(worker, connection, stream)).await,
        Some(App::Tcp(forwarding)) => {
            Box::pin(tcp::forward(&worker, &connection, forwarding, stream)).await;
        }
        Some(App::Tls(inside)) => Box::pin(within(&worker, &connection, inside, stream)).await,
    }
}

/// Passes on TLS inside what has been ended here, if it asks for a name that may be asked for.
async fn within<S: Breaks>(worker: &Worker, connection: &Connection, inside: &Inside, stream: S) {
    let Inside { names, hello_timeout, forwarding } = inside;
    match admit(names, *hello_timeout, stream).await {
        Ok(stream) => tcp::forward(worker, connection, forwarding, stream).await,
        Err(None) => {}
        Err(Some(Refused { flags, reason, name })) => {
            let details = name.map_or_else(|| reason.to_owned(), |name| format!("{reason}: {name}"));
            refuse_with(worker, connection, flags, reason, details);
        }
    }
}

/// Closes a connection for which there is nothing here, and says so in the log and the metrics.
fn refuse(worker: &Worker, connection: &Connection, flags: &'static str, reason: &str) {
    refuse_with(worker, connection, flags, reason, reason.to_owned());
}

/// The same with more in the log than the metrics have.
fn refuse_with(worker: &Worker, connection: &Connection, flags: &'static str, reason: &str, details: String) {
    let state = connection.slot.state.load();
    if flags != "TLS" {
        worker.shared.metrics.refused.add(&[&state.name, reason], 1);
    }
    if let Some(log) = worker.shared.log.load().as_ref() {
        log.write(&Line { flags, details: Some(details.into()), ..connection.line() });
    }
}
