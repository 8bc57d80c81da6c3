//! The rules for listeners.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::filter::Filter;
use crate::listener::{
    AppMetrics, Edge, Http10, Inbound, InboundApp, InboundChain, Kind, Listener, PassThrough,
    PassThroughChain, Probe, ServerTls,
};
use crate::route;
use crate::rules::Context;
use crate::upstreams::sni;
use crate::{ClientRanges, Entrance, HostPattern, Limit, Path, PeerPattern, Period, SpiffeId, raw};

/// How many endpoints a forwarded connection tries unless the file says otherwise: once more, on another endpoint.
const CONNECT_ATTEMPTS_TCP: u32 = 2;

/// The same behind a gateway, where several pods may be dead at once.
const CONNECT_ATTEMPTS_PASS_THROUGH: u32 = 3;

/// The same towards the application, which is one endpoint.
const CONNECT_ATTEMPTS_APP: u32 = 1;

/// Where the proxy tells operators how it is unless the file says otherwise.
const READY_PATH: &str = "/healthz/ready";
const LIVE_PATH: &str = "/healthz/live";
const METRICS_PATH: &str = "/metrics";
const APP_METRICS_PATH: &str = "/app/metrics";

/// How long the application's own metrics may take unless the file says otherwise.
const METRICS_TIMEOUT: Period = Period::from_secs(10);

/// How long a client may take to send its ClientHello unless the file says otherwise.
const HELLO_TIMEOUT: Period = Period::from_secs(5);

impl Listener {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Listener, at: &Path) -> Option<Self> {
        let raw::Listener { name, bind, redirected, proxy_protocol, kind } = raw;
        let takes_redirected = match kind {
            raw::Kind::Http(_) | raw::Kind::Tcp(_) => true,
            raw::Kind::Inbound(_)
            | raw::Kind::PassThrough(_)
            | raw::Kind::Readiness(_)
            | raw::Kind::Metrics(_)
            | raw::Kind::Redirected {} => false,
        };
        let name = cx.text(name, &at.field("name"));
        let bind = cx.address(bind, &at.field("bind"));
        let kind = self::kind(cx, kind, &at.field("kind"));
        if *redirected && !takes_redirected {
            cx.wrong(
                &at.field("redirected"),
                "only connections of the application are redirected: `http` or `tcp`",
            );
        }
        let takes_clients = match raw.kind {
            raw::Kind::Http(_) | raw::Kind::Tcp(_) | raw::Kind::PassThrough(_) => true,
            raw::Kind::Inbound(_)
            | raw::Kind::Readiness(_)
            | raw::Kind::Metrics(_)
            | raw::Kind::Redirected {} => false,
        };
        if *proxy_protocol && (!takes_clients || *redirected) {
            cx.wrong(
                &at.field("proxy_protocol"),
                "only load balancers send its header: `http`, `tcp` or `pass_through`, with a socket",
            );
        }
        Some(Listener {
            name: name?,
            bind: bind?,
            redirected: *redirected,
            proxy_protocol: *proxy_protocol,
            kind: kind?,
        })
    }
}

fn kind(cx: &mut Context<'_>, raw: &raw::Kind, at: &Path) -> Option<Kind> {
    match raw {
        raw::Kind::Http(raw) => {
            let raw::HttpListener { edge, tls, http10, entrance, limits, virtual_hosts } = raw;
            let at = at.field("http");
            let tls_at = at.field("tls");
            let tls = cx.optional(tls.as_ref(), &tls_at, ServerTls::check);
            if raw.tls.as_ref().is_some_and(|tls| tls.alpn.is_empty()) {
                cx.wrong(&tls_at.field("alpn"), "nothing is offered to clients");
            }
            let entrance = Entrance::check(cx, entrance, &at.field("entrance"));
            let limits = Limit::all(cx, limits, &at.field("limits"));
            let virtual_hosts = route::virtual_hosts(cx, virtual_hosts, &at.field("virtual_hosts"));
            let edge = edge.as_ref().map(|raw| {
                let raw::Edge { trusted_hops } = *raw;
                Edge { trusted_hops }
            });
            let http10 = cx.optional(http10.as_ref(), &at.field("http10"), |cx, raw, at| {
                let raw::Http10 { default_host } = raw;
                let host = cx.optional(default_host.as_ref(), &at.field("default_host"), crate::answer::host);
                Some(Http10 { default_host: host? })
            });
            Some(Kind::Http {
                edge,
                tls: tls?,
                http10: http10?,
                entrance: entrance?,
                limits: limits?,
                virtual_hosts: virtual_hosts?,
            })
        }
        raw::Kind::Tcp(raw) => {
            let raw::TcpListener { tls, to, failover, max_connect_attempts, idle_timeout, clients } = raw;
            let at = at.field("tcp");
            let tls_at = at.field("tls");
            let tls = cx.optional(tls.as_ref(), &tls_at, ServerTls::check);
            if raw.tls.as_ref().is_some_and(|tls| !tls.alpn.is_empty()) {
                cx.wrong(&tls_at.field("alpn"), "bytes are no version of HTTP: nothing is offered");
            }
            let to = route::weighted(cx, to, &at.field("to"));
            let max_connect_attempts = connect_attempts(cx, *max_connect_attempts, CONNECT_ATTEMPTS_TCP, &at);
            let idle_at = at.field("idle_timeout");
            let idle_timeout =
                cx.optional(idle_timeout.as_ref(), &idle_at, |cx, time, at| cx.some_time(*time, at));
            let clients = cx.optional(clients.as_ref(), &at.field("clients"), ClientRanges::check);
            Some(Kind::Tcp {
                tls: tls?,
                to: to?,
                failover: *failover,
                max_connect_attempts: max_connect_attempts?,
                idle_timeout: idle_timeout?.map(Period::duration),
                clients: clients?,
            })
        }
        raw::Kind::Inbound(raw) => inbound(cx, raw, &at.field("inbound")).map(Kind::Inbound),
        raw::Kind::PassThrough(raw) => {
            pass_through(cx, raw, &at.field("pass_through")).map(Kind::PassThrough)
        }
        raw::Kind::Readiness(raw) => {
            let raw::Readiness { ready_path, live_path, probes } = raw;
            let at = at.field("readiness");
            let ready_path = path_or(cx, ready_path.as_deref(), READY_PATH, &at.field("ready_path"));
            let live_path = path_or(cx, live_path.as_deref(), LIVE_PATH, &at.field("live_path"));
            let probes = cx.each(probes, &at.field("probes"), probe);
            Some(Kind::Readiness { ready_path: ready_path?, live_path: live_path?, probes: probes? })
        }
        raw::Kind::Metrics(raw) => {
            let raw::Metrics { path, app } = raw;
            let at = at.field("metrics");
            let path = path_or(cx, path.as_deref(), METRICS_PATH, &at.field("path"));
            let app = cx.optional(app.as_ref(), &at.field("app"), app_metrics);
            Some(Kind::Metrics { path: path?, app: app? })
        }
        raw::Kind::Redirected {} => Some(Kind::Redirected),
    }
}

fn probe(cx: &mut Context<'_>, raw: &raw::Probe, at: &Path) -> Option<Probe> {
    let raw::Probe { path, upstream, app_path, timeout } = raw;
    let path = absolute(cx, path, &at.field("path"));
    let app_path = absolute(cx, app_path, &at.field("app_path"));
    let upstream = cx.upstream(upstream, &at.field("upstream"));
    let timeout = cx.some_time(*timeout, &at.field("timeout"));
    Some(Probe { path: path?, upstream: upstream?, app_path: app_path?, timeout: timeout?.duration() })
}

fn app_metrics(cx: &mut Context<'_>, raw: &raw::AppMetrics, at: &Path) -> Option<AppMetrics> {
    let raw::AppMetrics { served_at, upstream, path, timeout } = raw;
    let served_at = path_or(cx, served_at.as_deref(), APP_METRICS_PATH, &at.field("served_at"));
    let path = absolute(cx, path, &at.field("path"));
    let upstream = cx.upstream(upstream, &at.field("upstream"));
    let timeout = cx.some_time(timeout.unwrap_or(METRICS_TIMEOUT), &at.field("timeout"));
    Some(AppMetrics { served_at: served_at?, upstream: upstream?, path: path?, timeout: timeout?.duration() })
}

fn path_or(cx: &mut Context<'_>, path: Option<&str>, default: &str, at: &Path) -> Option<String> {
    absolute(cx, path.unwrap_or(default), at)
}

fn absolute(cx: &mut Context<'_>, path: &str, at: &Path) -> Option<String> {
    if !path.starts_with('/') {
        cx.wrong(at, format!("`{path}` does not begin with `/`"));
        return None;
    }
    Some(path.to_owned())
}

fn connect_attempts(cx: &mut Context<'_>, raw: Option<u32>, default: u32, at: &Path) -> Option<u32> {
    cx.positive(raw.unwrap_or(default), &at.field("max_connect_attempts"))
}

fn server_names<'a>(at: &Path, chains: impl Iterator<Item = &'a Vec<String>>) -> Vec<(String, Path)> {
    let names = chains.enumerate().flat_map(|(i, names)| {
        let at = at.index(i).field("sni");
        names.iter().enumerate().map(move |(j, name)| (name.to_ascii_lowercase(), at.index(j)))
    });
    names.collect()
}

fn chain_names(cx: &mut Context<'_>, names: &[String], at: &Path) -> Option<Vec<String>> {
    if names.is_empty() {
        cx.wrong(at, "a chain without a server name is never reached");
    }
    cx.each(names, at, |cx, name, at| sni(cx, name, at))
}

fn patterns(cx: &mut Context<'_>, names: &[String], at: &Path) -> Option<Vec<HostPattern>> {
    if names.is_empty() {
        cx.wrong(at, "a chain without a server name is never reached");
    }
    cx.each(names, at, |cx, name, at| HostPattern::check(cx, name, at))
}

fn inbound(cx: &mut Context<'_>, raw: &raw::Inbound, at: &Path) -> Option<Inbound> {
    let raw::Inbound { chains, plaintext } = raw;
    let chains_at = at.field("chains");
    let names = server_names(&chains_at, chains.iter().map(|chain| &chain.sni));
    cx.unique("server name", names.into_iter());
    let chains = cx.each(chains, &chains_at, |cx, chain, at| {
        let raw::InboundChain { sni, peers, app, checks } = chain;
        let sni = chain_names(cx, sni, &at.field("sni"));
        let peers = cx.each(peers, &at.field("peers"), |cx, peer, at| PeerPattern::check(cx, peer, at));
        let app = self::app(cx, app, &at.field("app"));
        Some(InboundChain { sni: sni?, peers: peers?, app: app?, checks: *checks })
    });
    let plaintext = cx.optional(plaintext.as_ref(), &at.field("plaintext"), app);
    Some(Inbound { chains: chains?, plaintext: plaintext? })
}

fn app(cx: &mut Context<'_>, raw: &raw::InboundApp, at: &Path) -> Option<InboundApp> {
    match raw {
        raw::InboundApp::Tcp { upstream, max_connect_attempts } => {
            let at = at.field("tcp");
            let upstream = cx.upstream(upstream, &at.field("upstream"));
            let attempts = connect_attempts(cx, *max_connect_attempts, CONNECT_ATTEMPTS_APP, &at);
            Some(InboundApp::Tcp { upstream: upstream?, max_connect_attempts: attempts? })
        }
        raw::InboundApp::Tls { upstream, names, hello_timeout, max_connect_attempts } => {
            let at = at.field("tls");
            let upstream = cx.upstream(upstream, &at.field("upstream"));
            let names = patterns(cx, names, &at.field("names"));
            let hello_at = at.field("hello_timeout");
            let hello_timeout = cx.some_time(hello_timeout.unwrap_or(HELLO_TIMEOUT), &hello_at);
            let attempts = connect_attempts(cx, *max_connect_attempts, CONNECT_ATTEMPTS_TCP, &at);
            Some(InboundApp::Tls {
                upstream: upstream?,
                names: names?,
                hello_timeout: hello_timeout?.duration(),
                max_connect_attempts: attempts?,
            })
        }
        raw::InboundApp::Http(raw) => {
            let raw::InboundHttp { upstream, timeout, upgrades, vouching, anonymous, retry, filters } = raw;
            let at = at.field("http");
            let upstream = cx.upstream(upstream, &at.field("upstream"));
            let timeout_at = at.field("timeout");
            let timeout = cx.optional(timeout.as_ref(), &timeout_at, |cx, time, at| cx.some_time(*time, at));
            let vouching = cx.each(vouching, &at.field("vouching"), |cx, id, at| {
                let known = SpiffeId::parse(id);
                if known.is_none() {
                    cx.wrong(at, format!("`{id}` is not a SPIFFE id"));
                }
                known
            });
            let retry = cx.optional(retry.as_ref(), &at.field("retry"), route::retry);
            let filters = cx.each(filters, &at.field("filters"), Filter::check);
            Some(InboundApp::Http {
                upstream: upstream?,
                timeout: timeout?.map(Period::duration),
                upgrades: upgrades.clone(),
                vouching: vouching?,
                anonymous: *anonymous,
                retry: retry?,
                filters: filters?,
            })
        }
    }
}

fn pass_through(cx: &mut Context<'_>, raw: &raw::PassThrough, at: &Path) -> Option<PassThrough> {
    let raw::PassThrough { hello_timeout, chains } = raw;
    let chains_at = at.field("chains");
    let names = server_names(&chains_at, chains.iter().map(|chain| &chain.sni));
    cx.unique("server name", names.into_iter());
    let chains = cx.each(chains, &chains_at, |cx, chain, at| {
        let raw::PassThroughChain { sni, to, failover, idle_timeout, max_connect_attempts, checks, clients } =
            chain;
        let sni = patterns(cx, sni, &at.field("sni"));
        let to = route::weighted(cx, to, &at.field("to"));
        let idle_at = at.field("idle_timeout");
        let idle_timeout =
            cx.optional(idle_timeout.as_ref(), &idle_at, |cx, time, at| cx.some_time(*time, at));
        let attempts = connect_attempts(cx, *max_connect_attempts, CONNECT_ATTEMPTS_PASS_THROUGH, at);
        let clients = cx.optional(clients.as_ref(), &at.field("clients"), ClientRanges::check);
        Some(PassThroughChain {
            sni: sni?,
            to: to?,
            failover: *failover,
            idle_timeout: idle_timeout?.map(Period::duration),
            max_connect_attempts: attempts?,
            checks: *checks,
            clients: clients?,
        })
    });
    let hello_timeout = cx.some_time(hello_timeout.unwrap_or(HELLO_TIMEOUT), &at.field("hello_timeout"));
    Some(PassThrough { hello_timeout: hello_timeout?.duration(), chains: chains? })
}
