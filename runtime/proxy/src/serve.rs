//! What is done with a connection from a client, one stage after the other: what its listener is for, then what its first bytes say.

use crate::access_log::Line;
use crate::address;
use crate::app::App;
use crate::handshake::handshake;
use crate::hello::{First, read_hello};
use crate::inside::{Inside, Refused, admit};
use crate::listen::Slot;
use crate::paced::Paced;
use crate::patience;
use crate::place::Place;
use crate::relay::{Breaks, End};
use crate::replayed::Replayed;
use crate::shares::NOT_ADMITTED;
use crate::snapshot::{Chain, KindState, ListenerState};
use crate::target::is_name;
use crate::tls::{self, Asked, ClientCertificate, Peer, peer_of};
use crate::worker::Worker;
use crate::{http_server, probe, proxy_protocol, tcp};
use rustls::ServerConfig;
use std::cell::OnceCell;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a client may take for its ClientHello where the configuration does not say.
const HELLO_LIMIT: Duration = Duration::from_secs(5);

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

/// A client that has just come.
#[derive(Clone)]
pub(crate) struct Client {
    slot: Arc<Slot>,
    remote: SocketAddr,
    pub(crate) place: Rc<Place>,
}

impl Client {
    /// One that came there from that address.
    pub(crate) fn new(slot: &Arc<Slot>, remote: SocketAddr, place: Rc<Place>) -> Self {
        // A socket of both families shows IPv4 clients as `::ffff:192.0.2.7`; logs, headers and conditions are about
        // the client's own address.
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        Client { slot: Arc::clone(slot), remote, place }
    }

    /// Its connection as long as nothing else is known.
    pub(crate) fn connection(&self) -> Connection {
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

/// What is done with a connection for a while, and then returns what is done next: each stage has room for itself only, and a
/// connection takes what the last of them needs.
pub(crate) enum Stage {
    /// Another one may follow.
    Then(Pin<Box<dyn Future<Output = Option<Stage>>>>),
    /// Nothing follows.
    Last(Pin<Box<dyn Future<Output = ()>>>),
}

impl Stage {
    fn then(stage: impl Future<Output = Option<Stage>> + 'static) -> Self {
        Stage::Then(Box::pin(stage))
    }

    fn last(stage: impl Future<Output = ()> + 'static) -> Self {
        Stage::Last(Box::pin(stage))
    }

    /// This stage and those that follow.
    pub(crate) async fn run(first: Option<Self>) {
        let mut next = first;
        while let Some(stage) = next {
            next = match stage {
                Stage::Then(stage) => stage.await,
                Stage::Last(stage) => return stage.await,
            };
        }
    }
}

/// What is done first with a connection, if anything is.
pub(crate) fn serve(worker: &Rc<Worker>, client: Client, stream: TcpStream) -> Option<Stage> {
    let state = client.slot.state.load_full();
    let worker = Rc::clone(worker);
    match &state.kind {
        KindState::Redirected => return redirected(&worker, client, stream),
        KindState::Readiness(_) | KindState::Metrics(_) => {
            let stream = Paced::from_operator(stream, &client.place);
            return Some(Stage::last(probe::serve(worker, client.connection(), stream)));
        }
        KindState::Http { .. }
        | KindState::Tcp { .. }
        | KindState::Inbound { .. }
        | KindState::PassThrough { .. } => {}
    }
    if !state.proxy_protocol {
        return begin(&worker, client, &state, stream);
    }
    let (mut client, mut stream) = (client, stream);
    Some(Stage::then(async move {
        let header = patience::within(HELLO_LIMIT, proxy_protocol::read(&mut stream)).await;
        match header.unwrap_or(Err("no header of the PROXY protocol in time")) {
            Ok(None) => {}
            Ok(Some(said)) => client.remote = said,
            Err(why) => {
                count(&worker, &state);
                refuse(&worker, &client.connection(), "NR", why);
                return None;
            }
        }
        begin(&worker, client, &state, stream)
    }))
}

fn count(worker: &Worker, state: &ListenerState) {
    worker.shared.metrics.accepted.count(&state.counted.0, &[&state.name]);
}

/// What is done with a connection whose client is known.
fn begin(
    worker: &Rc<Worker>,
    client: Client,
    state: &Arc<ListenerState>,
    stream: TcpStream,
) -> Option<Stage> {
    let stream = Paced::from_client(stream, &client.place);
    count(worker, state);
    let (owned, owned_state) = (Rc::clone(worker), Arc::clone(state));
    match &state.kind {
        KindState::Http { tls: None, .. } => {
            Some(Stage::last(http_server::serve(owned, client.connection(), stream)))
        }
        KindState::Http { tls: Some(edge), .. } => {
            let (config, asked) = edge.listening();
            Some(Stage::then(over_tls(owned, client, owned_state, config, asked, stream)))
        }
        KindState::Tcp { tls, shares } => {
            if !shares.admit(client.remote.ip()) {
                refuse(worker, &client.connection(), "NR", NOT_ADMITTED);
                return None;
            }
            // Of the weights at least one is not 0, so there is always one to take.
            let forwarding = Arc::clone(shares.draw()?);
            let connection = Connection { tls: tls.is_some(), ..client.connection() };
            let Some(edge) = tls else {
                return Some(Stage::last(tcp::forward(owned, connection, forwarding, End::new(stream))));
            };
            let config = Arc::clone(&edge.config);
            Some(Stage::then(async move {
                match handshake(&owned, &owned_state, config, stream).await {
                    Ok(stream) => {
                        Some(Stage::last(tcp::forward(owned, connection, forwarding, End::new(stream))))
                    }
                    Err(error) => {
                        refuse(&owned, &connection, "TLS", &tls::problem(&error));
                        None
                    }
                }
            }))
        }
        KindState::Redirected | KindState::Readiness(_) | KindState::Metrics(_) => None,
        KindState::Inbound { .. } | KindState::PassThrough { .. } => {
            let connection = client.enters(Entry::Plaintext);
            Some(Stage::then(by_server_name(owned, connection, owned_state, stream)))
        }
    }
}

/// Requests over TLS that ends here.
async fn over_tls(
    worker: Rc<Worker>,
    client: Client,
    state: Arc<ListenerState>,
    config: Arc<ServerConfig>,
    asked: Arc<Asked>,
    stream: Paced,
) -> Option<Stage> {
    let connection = Connection { tls: true, ..client.connection() };
    match handshake(&worker, &state, config, stream).await {
        Ok(stream) => {
            let server_name = asked.name();
            let client = stream.peer_certificates().and_then(tls::client_of);
            let connection = Connection { server_name, client: client.map(Rc::new), ..connection };
            Some(Stage::last(http_server::serve(worker, connection, stream)))
        }
        Err(error) => {
            refuse(&worker, &connection, "TLS", &tls::problem(&error));
            None
        }
    }
}

/// What happens to a connection is in its first bytes.
async fn by_server_name(
    worker: Rc<Worker>,
    connection: Connection,
    state: Arc<ListenerState>,
    mut stream: Paced,
) -> Option<Stage> {
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
    let stream = Replayed::new(bytes, stream);
    match (first, &state.kind) {
        (First::Tls(name), KindState::PassThrough { .. }) => {
            pass_through(worker, connection, &state, name.as_deref(), stream)
        }
        (First::Tls(Some(name)), KindState::Inbound { chains, .. }) => {
            let entry = Entry::Chain(name.as_str().into());
            let connection = Connection { entry, tls: true, ..connection };
            let Some(chain) = chains.get(&name) else {
                refuse(&worker, &connection, "NR", "no chain for this server name");
                return None;
            };
            let chain = Arc::clone(chain);
            Some(Stage::then(mutual_tls(worker, connection, state, chain, stream)))
        }
        (First::Tls(None), _) => {
            refuse(&worker, &connection, "NR", "the ClientHello names no server");
            None
        }
        // A client of a server that speaks first sends nothing, so silence may be plaintext where that is welcome.
        (First::Late, _) if !has_plaintext(&state) => {
            refuse(&worker, &connection, "DT", "no ClientHello in time");
            None
        }
        (First::Late | First::Other, _) => plaintext(worker, connection, state, stream),
        (First::Gone | First::Tls(Some(_)), _) => None,
    }
}

/// Passes TLS on as it is, to where its server name leads.
fn pass_through(
    worker: Rc<Worker>,
    connection: Connection,
    state: &ListenerState,
    name: Option<&str>,
    stream: Replayed<Paced>,
) -> Option<Stage> {
    let KindState::PassThrough { names, chains, .. } = &state.kind else { return None };
    let (chain, entry, nowhere) = match name {
        // A pattern would take what is no name, too.
        Some(name) => (
            Some(name).filter(|name| is_name(name)).and_then(|name| names.find(name)),
            Entry::Chain(name.into()),
            "no chain for this server name",
        ),
        None => (names.any(), Entry::Listener, "the ClientHello names no server"),
    };
    let to = chain.and_then(|chain| chains.get(chain));
    let to = to.and_then(|chain| Some((chain, Arc::clone(chain.shares.draw()?))));
    let why = match to {
        Some((chain, forwarding)) if chain.shares.admit(connection.remote.ip()) => {
            let checks = name.is_some() && chain.checks;
            let connection = Connection { entry, tls: true, checks, ..connection };
            return Some(Stage::last(tcp::forward(worker, connection, forwarding, End::new(stream))));
        }
        Some(_) => NOT_ADMITTED,
        None => nowhere,
    };
    let named = name.is_some().then_some(entry);
    let connection = match named {
        Some(entry) => Connection { entry, tls: true, ..connection },
        None => connection,
    };
    refuse(&worker, &connection, "NR", why);
    None
}

/// Ends the mesh's TLS.
async fn mutual_tls(
    worker: Rc<Worker>,
    connection: Connection,
    state: Arc<ListenerState>,
    chain: Arc<Chain>,
    stream: Replayed<Paced>,
) -> Option<Stage> {
    let stream = match handshake(&worker, &state, Arc::clone(&chain.tls), stream).await {
        Ok(stream) => stream,
        Err(error) => {
            refuse(&worker, &connection, "TLS", &tls::problem(&error));
            return None;
        }
    };
    let peer = stream.peer_certificates().and_then(peer_of).map(Rc::new);
    let connection = Connection { peer, checks: chain.checks, ..connection };
    Some(match &chain.app {
        App::Http(_) => Stage::last(http_server::serve(worker, connection, stream)),
        App::Tcp(forwarding) => {
            Stage::last(tcp::forward(worker, connection, Arc::clone(forwarding), End::new(stream)))
        }
        App::Tls(inside) => Stage::then(within(worker, connection, Arc::clone(inside), stream)),
    })
}

/// Hands a redirected connection to the listener at the address that the application meant.
fn redirected(worker: &Rc<Worker>, client: Client, stream: TcpStream) -> Option<Stage> {
    let meant = original_destination(&stream);
    let other = meant.and_then(|address| worker.shared.slots.load().get(&address).cloned());
    match other.filter(|other| !Arc::ptr_eq(other, &client.slot)) {
        Some(slot) => serve(worker, Client { slot, ..client }, stream),
        None => {
            refuse(worker, &client.connection(), "NR", "no listener at the original destination");
            None
        }
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

fn plaintext(
    worker: Rc<Worker>,
    connection: Connection,
    state: Arc<ListenerState>,
    stream: Replayed<Paced>,
) -> Option<Stage> {
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
        None => {
            refuse(&worker, &connection, "NR", "not TLS");
            None
        }
        Some(App::Http(_)) => Some(Stage::last(http_server::serve(worker, connection, stream))),
        Some(App::Tcp(forwarding)) => {
            Some(Stage::last(tcp::forward(worker, connection, Arc::clone(forwarding), End::new(stream))))
        }
        Some(App::Tls(inside)) => Some(Stage::then(within(worker, connection, Arc::clone(inside), stream))),
    }
}

/// Passes on TLS inside what has been ended here, if it asks for a name that may be asked for.
async fn within<S: Breaks + 'static>(
    worker: Rc<Worker>,
    connection: Connection,
    inside: Arc<Inside>,
    stream: S,
) -> Option<Stage> {
    let Inside { names, hello_timeout, forwarding } = &*inside;
    match admit(names, *hello_timeout, stream).await {
        Ok(stream) => {
            Some(Stage::last(tcp::forward(worker, connection, Arc::clone(forwarding), End::new(stream))))
        }
        Err(None) => None,
        Err(Some(Refused { flags, reason, name })) => {
            let details = name.map_or_else(|| reason.to_owned(), |name| format!("{reason}: {name}"));
            refuse_with(&worker, &connection, flags, reason, details);
            None
        }
    }
}

/// Closes a connection for which there is nothing here, and says so in the log and the metrics.
pub(crate) fn refuse(worker: &Worker, connection: &Connection, flags: &'static str, reason: &str) {
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
