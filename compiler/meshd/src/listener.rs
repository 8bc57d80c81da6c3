//! Where the proxy listens.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{
    AppMetrics, AppPort, Carried, ClientCertificates, HttpListener, InboundChain, InboundListener,
    InboundProtocol, Listener, ListenerKind, MetricsListener, PassThrough, PassThroughChain, PeerCheck,
    ProbeCheck, ServerCertificate, ServerTls, StatusListener, TcpListener, Told, bounds, paths,
};
use meshc_vocabulary::model::{ClientCertificate, Http10, HttpVersion, TlsVersion};
use meshd_config::{Period, raw};

use crate::placed::Placed;
use crate::{authorization, filters, limits, routes};

/// All listeners, in order of name. On a developer's machine nothing is redirected, so the listener for redirected
/// connections is left out there.
pub(crate) fn all(placed: &Placed<'_>, listeners: &[Listener], trusted_hops: u32) -> Vec<raw::Listener> {
    let needed = |listener: &&Listener| match listener.kind {
        ListenerKind::Redirected => placed.in_pod(),
        ListenerKind::Http(_)
        | ListenerKind::Tcp(_)
        | ListenerKind::Inbound(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => true,
    };
    listeners.iter().filter(needed).map(|listener| one(placed, listener, trusted_hops)).collect()
}

fn one(placed: &Placed<'_>, listener: &Listener, trusted_hops: u32) -> raw::Listener {
    let Listener { name, address, socket, proxy_protocol, kind, origin: _ } = listener;
    raw::Listener {
        name: name.clone(),
        bind: placed.listen(name, *address),
        redirected: !placed.binds(*socket),
        proxy_protocol: *proxy_protocol,
        kind: match kind {
            ListenerKind::Http(http) => raw::Kind::Http(self::http(placed, http, trusted_hops)),
            ListenerKind::Tcp(tcp) => raw::Kind::Tcp(self::tcp(placed, tcp)),
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

fn http(placed: &Placed<'_>, http: &HttpListener, trusted_hops: u32) -> raw::HttpListener {
    let HttpListener { edge, tls, http10, entrance, limits, virtual_hosts } = http;
    raw::HttpListener {
        edge: edge.then_some(raw::Edge { trusted_hops }),
        http10: http10
            .as_ref()
            .map(|Http10 { default_host }| raw::Http10 { default_host: default_host.clone() }),
        tls: tls.as_ref().map(|tls| server_tls(placed, tls)),
        entrance: authorization::entrance(entrance),
        limits: limits.iter().map(limits::render).collect(),
        virtual_hosts: virtual_hosts.iter().map(|host| routes::virtual_host(placed, host)).collect(),
    }
}

fn server_tls(placed: &Placed<'_>, tls: &ServerTls) -> raw::ServerTls {
    let ServerTls { certificates, minimum_version, alpn, clients } = tls;
    let certificate = |one: &ServerCertificate| {
        let ServerCertificate { secret, hosts } = one;
        // The names of the keys of a Secret of type `kubernetes.io/tls`.
        let file = |name: &str| placed.path(&format!("{}/{secret}/{name}", paths::SERVER_TLS));
        raw::ServerCertificate {
            hosts: hosts.clone(),
            certificate: file("tls.crt"),
            private_key: file("tls.key"),
        }
    };
    let alpn = alpn.iter().map(|version| match version {
        HttpVersion::Http1 => raw::Alpn::Http1,
        HttpVersion::Http2 => raw::Alpn::Http2,
    });
    raw::ServerTls {
        certificates: certificates.iter().map(certificate).collect(),
        min_version: match minimum_version {
            TlsVersion::Tls12 => raw::TlsVersion::Tls12,
            TlsVersion::Tls13 => raw::TlsVersion::Tls13,
        },
        alpn: alpn.collect(),
        clients: clients.as_ref().map(|clients| self::clients(placed, clients)),
    }
}

fn clients(placed: &Placed<'_>, clients: &ClientCertificates) -> raw::ClientCertificates {
    let ClientCertificates { secret, presence, refused } = clients;
    raw::ClientCertificates {
        ca: placed.path(&format!("{}/{secret}/ca.crt", paths::SERVER_TLS)),
        presence: match presence {
            ClientCertificate::Required => raw::ClientCertificate::Required,
            ClientCertificate::Optional => raw::ClientCertificate::Optional,
        },
        refused_trust_domains: refused.clone(),
    }
}

fn tcp(placed: &Placed<'_>, tcp: &TcpListener) -> raw::TcpListener {
    let TcpListener { tls, to, connect_attempts, dead_share, idle_timeout, clients } = tcp;
    raw::TcpListener {
        tls: tls.as_ref().map(|tls| server_tls(placed, tls)),
        to: to.iter().map(routes::weighted).collect(),
        failover: routes::others_take_over(*dead_share),
        max_connect_attempts: Some(*connect_attempts),
        idle_timeout: idle_timeout.map(Period::from),
        clients: clients.as_ref().map(authorization::clients),
    }
}

fn inbound(inbound: &InboundListener) -> raw::Inbound {
    let InboundListener { chains } = inbound;
    let (chains, plain): (Vec<_>, Vec<_>) = chains.iter().map(chain).unzip();
    raw::Inbound {
        chains,
        // Plain connections carry no SNI; the plan has at most one port that takes them.
        plaintext: plain.into_iter().flatten().next(),
    }
}

/// The chain for mTLS, and what plain connections to the same port reach.
fn chain(chain: &InboundChain) -> (raw::InboundChain, Option<raw::InboundApp>) {
    let InboundChain { sni, subset_sni, peers, protocol, plain, app, carries, origin: _ } = chain;
    let mutual = raw::InboundChain {
        sni: [sni].into_iter().chain(subset_sni).cloned().collect(),
        peers: self::peers(peers),
        app: self::app(app, protocol),
        checks: checks(*carries),
    };
    (mutual, plain.as_ref().map(|protocol| self::app(app, protocol)))
}

const fn checks(carries: Carried) -> bool {
    match carries {
        Carried::Calls => false,
        Carried::Checks => true,
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

fn app(app: &AppPort, protocol: &InboundProtocol) -> raw::InboundApp {
    // The port is that of the upstream's endpoint.
    let AppPort { upstream, port: _ } = app;
    let upstream = upstream.clone();
    match protocol {
        // Whether the application speaks HTTP/2 only is said by its upstream's protocol.
        InboundProtocol::Http { app_http2: _, upgrades, vouching, told, retry, filters } => {
            raw::InboundApp::Http(raw::InboundHttp {
                upstream,
                timeout: None,
                upgrades: routes::upgrades(upgrades),
                vouching: vouching.iter().map(ToString::to_string).collect(),
                anonymous: match told {
                    Told::Caller => false,
                    Told::Nothing => true,
                },
                retry: retry.as_ref().map(routes::retry),
                filters: filters::render(filters),
            })
        }
        InboundProtocol::Tcp { connect_attempts } => {
            raw::InboundApp::Tcp { upstream, max_connect_attempts: Some(*connect_attempts) }
        }
        InboundProtocol::Tls { names, hello_timeout, connect_attempts } => raw::InboundApp::Tls {
            upstream,
            names: names.clone(),
            hello_timeout: Some(Period::from(*hello_timeout)),
            max_connect_attempts: Some(*connect_attempts),
        },
    }
}

fn pass_through(pass_through: &PassThrough) -> raw::PassThrough {
    let PassThrough { hello_timeout, chains } = pass_through;
    let chains = chains.iter().map(|chain| {
        let PassThroughChain {
            names,
            to,
            dead_share,
            idle_timeout,
            connect_attempts,
            carries,
            clients,
            origin: _,
        } = chain;
        raw::PassThroughChain {
            sni: names.clone(),
            to: to.iter().map(routes::weighted).collect(),
            failover: routes::others_take_over(*dead_share),
            idle_timeout: idle_timeout.map(Period::from),
            max_connect_attempts: Some(*connect_attempts),
            checks: checks(*carries),
            clients: clients.as_ref().map(authorization::clients),
        }
    });
    raw::PassThrough { hello_timeout: Some(Period::from(*hello_timeout)), chains: chains.collect() }
}

fn readiness(status: &StatusListener) -> raw::Readiness {
    let StatusListener { probes } = status;
    raw::Readiness {
        ready_path: Some(paths::READY_PATH.to_owned()),
        live_path: Some(paths::LIVE_PATH.to_owned()),
        probes: probes.iter().map(probe).collect(),
    }
}

fn probe(probe: &ProbeCheck) -> raw::Probe {
    let ProbeCheck { kind, upstream, path: app_path, timeout } = probe;
    raw::Probe {
        path: paths::probe_path(*kind).to_owned(),
        upstream: upstream.clone(),
        app_path: app_path.clone(),
        timeout: Period::from(*timeout),
    }
}

fn metrics(metrics: &MetricsListener) -> raw::Metrics {
    let MetricsListener { app } = metrics;
    let app = app.as_ref().map(|app| {
        let AppMetrics { upstream, path } = app;
        raw::AppMetrics {
            served_at: Some(paths::APP_METRICS_PATH.to_owned()),
            upstream: upstream.clone(),
            path: path.clone(),
            timeout: Some(Period::from(bounds::METRICS_TIMEOUT)),
        }
    });
    raw::Metrics { path: Some(paths::METRICS_PATH.to_owned()), app }
}
