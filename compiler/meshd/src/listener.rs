//! Where the proxy listens.

use meshc_plan::{
    HttpListener, InboundChain, InboundListener, InboundProtocol, Listener, ListenerKind, MetricsListener,
    PassThrough, PeerCheck, ProbeCheck, ServerTls, StatusListener, TcpListener, paths,
};
use meshc_vocabulary::model::ProbeKind;
use meshd_config::{Period, raw};

use crate::placed::Placed;
use crate::{authorization, limits, routes};

/// How many endpoints a connection is tried at: once more than the first, as HTTP requests are by default.
const CONNECT_ATTEMPTS: u32 = 2;

/// All listeners, in order of name. On a developer's machine nothing is redirected, so the listener for redirected
/// connections is left out there.
pub(crate) fn all(placed: &Placed<'_>) -> Vec<raw::Listener> {
    let needed = |listener: &&Listener| match listener.kind {
        ListenerKind::Redirected => placed.in_pod(),
        ListenerKind::Http(_)
        | ListenerKind::Tcp(_)
        | ListenerKind::Inbound(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => true,
    };
    placed.plan.listeners.iter().filter(needed).map(|listener| one(placed, listener)).collect()
}

fn one(placed: &Placed<'_>, listener: &Listener) -> raw::Listener {
    raw::Listener {
        name: listener.name.clone(),
        bind: placed.listen(listener),
        redirected: !placed.binds(listener),
        kind: match &listener.kind {
            ListenerKind::Http(http) => raw::Kind::Http(self::http(placed, http)),
            ListenerKind::Tcp(tcp) => raw::Kind::Tcp(self::tcp(tcp)),
            ListenerKind::Inbound(inbound) => raw::Kind::Inbound(self::inbound(inbound)),
            ListenerKind::PassThrough(pass_through) => {
                raw::Kind::PassThrough(self::pass_through(pass_through))
            }
            ListenerKind::Redirected => raw::Kind::Redirected {},
            ListenerKind::Readiness(status) => raw::Kind::Readiness(readiness(status)),
            ListenerKind::Metrics(metrics) => raw::Kind::Metrics(self::metrics(metrics)),
        },
    }
}

fn http(placed: &Placed<'_>, http: &HttpListener) -> raw::HttpListener {
    raw::HttpListener {
        edge: http.edge.then_some(raw::Edge { trusted_hops: placed.plan.trusted_hops }),
        tls: http.tls.as_ref().map(|tls| server_tls(placed, tls)),
        virtual_hosts: http.virtual_hosts.iter().map(routes::virtual_host).collect(),
    }
}

fn server_tls(placed: &Placed<'_>, tls: &ServerTls) -> raw::ServerTls {
    // The names of the keys of a Secret of type `kubernetes.io/tls`.
    let file = |name: &str| placed.path(&format!("{}/{}/{name}", paths::SERVER_TLS, tls.secret));
    raw::ServerTls { certificate: file("tls.crt"), private_key: file("tls.key") }
}

fn tcp(tcp: &TcpListener) -> raw::TcpListener {
    raw::TcpListener {
        upstream: tcp.upstream.clone(),
        max_connect_attempts: Some(CONNECT_ATTEMPTS),
        idle_timeout: tcp.idle_timeout.map(Period::from),
    }
}

fn inbound(inbound: &InboundListener) -> raw::Inbound {
    raw::Inbound {
        chains: inbound.chains.iter().map(chain).collect(),
        // Plain connections carry no SNI; the plan has at most one port that takes them.
        plaintext: inbound.chains.iter().find_map(|chain| Some(app(chain, chain.plain.as_ref()?))),
    }
}

fn chain(chain: &InboundChain) -> raw::InboundChain {
    raw::InboundChain {
        sni: vec![chain.sni.clone()],
        peers: peers(&chain.peers),
        app: app(chain, &chain.protocol),
    }
}

fn peers(peers: &PeerCheck) -> Vec<String> {
    match peers {
        PeerCheck::TrustDomains(domains) => {
            domains.iter().map(|domain| format!("spiffe://{domain}/*")).collect()
        }
        PeerCheck::Exactly(identities) => identities.iter().map(ToString::to_string).collect(),
        PeerCheck::Nobody => Vec::new(),
    }
}

fn app(chain: &InboundChain, protocol: &InboundProtocol) -> raw::InboundApp {
    let upstream = chain.app.upstream.clone();
    match protocol {
        // Whether the application speaks HTTP/2 only is said by its upstream's protocol.
        InboundProtocol::Http { app_http2: _, authorization, local_limits, global_limits } => {
            raw::InboundApp::Http(raw::InboundHttp {
                upstream,
                timeout: None,
                authorization: Some(authorization::render(authorization)),
                limits: limits::render(local_limits, global_limits),
            })
        }
        InboundProtocol::Tcp => raw::InboundApp::Tcp { upstream },
    }
}

fn pass_through(pass_through: &PassThrough) -> raw::PassThrough {
    let chains = pass_through.chains.iter().map(|chain| raw::PassThroughChain {
        sni: vec![chain.sni.clone()],
        upstream: chain.upstream.clone(),
        max_connect_attempts: Some(chain.connect_attempts),
    });
    raw::PassThrough {
        hello_timeout: Some(Period::from(pass_through.hello_timeout)),
        chains: chains.collect(),
    }
}

fn readiness(status: &StatusListener) -> raw::Readiness {
    raw::Readiness { probes: status.probes.iter().map(probe).collect() }
}

fn probe(probe: &ProbeCheck) -> raw::Probe {
    let path = match probe.kind {
        ProbeKind::Liveness => "/app/liveness",
        ProbeKind::Readiness => "/app/readiness",
        ProbeKind::Startup => "/app/startup",
    };
    raw::Probe {
        path: path.to_owned(),
        upstream: probe.upstream.clone(),
        app_path: probe.path.clone(),
        timeout: Period::from(probe.timeout),
    }
}

fn metrics(metrics: &MetricsListener) -> raw::Metrics {
    let app = metrics.app.as_ref();
    raw::Metrics {
        app: app.map(|app| raw::AppMetrics { upstream: app.upstream.clone(), path: app.path.clone() }),
    }
}
