//! The rules for listeners.

use crate::listener::{
    AppMetrics, Authorization, Edge, Inbound, InboundApp, InboundChain, Kind, Listener, PassThrough,
    PassThroughChain, Probe, Rule, ServerTls,
};
use crate::route::virtual_hosts;
use crate::rules::Context;
use crate::upstreams::sni;
use crate::{Limit, Path, PeerPattern, Period, RequestMatch, raw};

/// How many endpoints a forwarded connection tries unless the file says otherwise: once more, on another endpoint.
const CONNECT_ATTEMPTS_TCP: u32 = 2;

/// The same behind a gateway, where several pods may be dead at once.
const CONNECT_ATTEMPTS_PASS_THROUGH: u32 = 3;

/// How long a client may take to send its ClientHello unless the file says otherwise.
const HELLO_TIMEOUT: Period = Period::from_secs(5);

impl Listener {
    pub(crate) fn check(cx: &mut Context<'_>, raw: &raw::Listener, at: &Path) -> Option<Self> {
        let name = cx.text(&raw.name, &at.field("name"));
        let bind = cx.address(&raw.bind, &at.field("bind"));
        let kind = kind(cx, &raw.kind, &at.field("kind"));
        if raw.redirected && !matches!(kind, None | Some(Kind::Http { .. } | Kind::Tcp { .. })) {
            cx.wrong(
                &at.field("redirected"),
                "only connections of the application are redirected: `http` or `tcp`",
            );
        }
        Some(Listener { name: name?, bind: bind?, redirected: raw.redirected, kind: kind? })
    }
}

fn kind(cx: &mut Context<'_>, raw: &raw::Kind, at: &Path) -> Option<Kind> {
    match raw {
        raw::Kind::Http(raw) => {
            let at = at.field("http");
            let tls = cx.optional(raw.tls.as_ref(), &at.field("tls"), server_tls);
            let virtual_hosts = virtual_hosts(cx, &raw.virtual_hosts, &at.field("virtual_hosts"));
            let edge = raw.edge.as_ref().map(|edge| Edge { trusted_hops: edge.trusted_hops });
            Some(Kind::Http { edge, tls: tls?, virtual_hosts: virtual_hosts? })
        }
        raw::Kind::Tcp(raw) => {
            let at = at.field("tcp");
            let upstream = cx.upstream(&raw.upstream, &at.field("upstream"));
            let max_connect_attempts =
                connect_attempts(cx, raw.max_connect_attempts, CONNECT_ATTEMPTS_TCP, &at);
            let idle_at = at.field("idle_timeout");
            let idle_timeout =
                cx.optional(raw.idle_timeout.as_ref(), &idle_at, |cx, time, at| cx.some_time(*time, at));
            Some(Kind::Tcp {
                upstream: upstream?,
                max_connect_attempts: max_connect_attempts?,
                idle_timeout: idle_timeout?.map(Period::duration),
            })
        }
        raw::Kind::Inbound(raw) => inbound(cx, raw, &at.field("inbound")).map(Kind::Inbound),
        raw::Kind::PassThrough(raw) => {
            pass_through(cx, raw, &at.field("pass_through")).map(Kind::PassThrough)
        }
        raw::Kind::Readiness(raw) => {
            let probes = cx.each(&raw.probes, &at.field("readiness").field("probes"), probe)?;
            Some(Kind::Readiness { probes })
        }
        raw::Kind::Metrics(raw) => {
            let app_at = at.field("metrics").field("app");
            let app = cx.optional(raw.app.as_ref(), &app_at, |cx, app, at| {
                let path = absolute(cx, &app.path, &at.field("path"));
                Some(AppMetrics { upstream: cx.upstream(&app.upstream, &at.field("upstream"))?, path: path? })
            });
            Some(Kind::Metrics { app: app? })
        }
        raw::Kind::Redirected {} => Some(Kind::Redirected),
    }
}

fn server_tls(cx: &mut Context<'_>, raw: &raw::ServerTls, at: &Path) -> Option<ServerTls> {
    let certificate = cx.text(&raw.certificate, &at.field("certificate"));
    let private_key = cx.text(&raw.private_key, &at.field("private_key"));
    Some(ServerTls { certificate: certificate?.into(), private_key: private_key?.into() })
}

fn probe(cx: &mut Context<'_>, raw: &raw::Probe, at: &Path) -> Option<Probe> {
    let path = absolute(cx, &raw.path, &at.field("path"));
    let app_path = absolute(cx, &raw.app_path, &at.field("app_path"));
    let upstream = cx.upstream(&raw.upstream, &at.field("upstream"));
    let timeout = cx.some_time(raw.timeout, &at.field("timeout"));
    Some(Probe { path: path?, upstream: upstream?, app_path: app_path?, timeout: timeout?.duration() })
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

fn inbound(cx: &mut Context<'_>, raw: &raw::Inbound, at: &Path) -> Option<Inbound> {
    let chains_at = at.field("chains");
    let names = server_names(&chains_at, raw.chains.iter().map(|chain| &chain.sni));
    cx.unique("server name", names.into_iter());
    let chains = cx.each(&raw.chains, &chains_at, |cx, chain, at| {
        let sni = chain_names(cx, &chain.sni, &at.field("sni"));
        let peers =
            cx.each(&chain.peers, &at.field("peers"), |cx, peer, at| PeerPattern::check(cx, peer, at));
        let app = app(cx, &chain.app, &at.field("app"));
        Some(InboundChain { sni: sni?, peers: peers?, app: app? })
    });
    let plaintext = cx.optional(raw.plaintext.as_ref(), &at.field("plaintext"), app);
    Some(Inbound { chains: chains?, plaintext: plaintext? })
}

fn app(cx: &mut Context<'_>, raw: &raw::InboundApp, at: &Path) -> Option<InboundApp> {
    match raw {
        raw::InboundApp::Tcp { upstream } => {
            let upstream = cx.upstream(upstream, &at.field("tcp").field("upstream"))?;
            Some(InboundApp::Tcp { upstream })
        }
        raw::InboundApp::Http(raw) => {
            let at = at.field("http");
            let upstream = cx.upstream(&raw.upstream, &at.field("upstream"));
            let timeout_at = at.field("timeout");
            let timeout =
                cx.optional(raw.timeout.as_ref(), &timeout_at, |cx, time, at| cx.some_time(*time, at));
            let limits = cx.each(&raw.limits, &at.field("limits"), Limit::check);
            let authorization =
                cx.optional(raw.authorization.as_ref(), &at.field("authorization"), authorization);
            Some(InboundApp::Http {
                upstream: upstream?,
                timeout: timeout?.map(Period::duration),
                limits: limits?,
                authorization: authorization?,
            })
        }
    }
}

fn authorization(cx: &mut Context<'_>, raw: &raw::Authorization, at: &Path) -> Option<Authorization> {
    let deny = cx.each(&raw.deny, &at.field("deny"), rule);
    let allow = cx.optional(raw.allow.as_ref(), &at.field("allow"), |cx, rules, at| cx.each(rules, at, rule));
    Some(Authorization { deny: deny?, allow: allow? })
}

fn rule(cx: &mut Context<'_>, raw: &raw::Rule, at: &Path) -> Option<Rule> {
    let name = cx.text(&raw.name, &at.field("name"));
    if raw.principals.is_empty() {
        cx.wrong(&at.field("principals"), "a rule needs a principal; `*` is anyone");
    }
    let principals =
        cx.each(&raw.principals, &at.field("principals"), |cx, peer, at| PeerPattern::check(cx, peer, at));
    let matches = cx.each(&raw.matches, &at.field("matches"), RequestMatch::check);
    Some(Rule { name: name?, principals: principals?, matches: matches? })
}

fn pass_through(cx: &mut Context<'_>, raw: &raw::PassThrough, at: &Path) -> Option<PassThrough> {
    let chains_at = at.field("chains");
    let names = server_names(&chains_at, raw.chains.iter().map(|chain| &chain.sni));
    cx.unique("server name", names.into_iter());
    let chains = cx.each(&raw.chains, &chains_at, |cx, chain, at| {
        let sni = chain_names(cx, &chain.sni, &at.field("sni"));
        let upstream = cx.upstream(&chain.upstream, &at.field("upstream"));
        let attempts = connect_attempts(cx, chain.max_connect_attempts, CONNECT_ATTEMPTS_PASS_THROUGH, at);
        Some(PassThroughChain { sni: sni?, upstream: upstream?, max_connect_attempts: attempts? })
    });
    let hello_timeout = cx.some_time(raw.hello_timeout.unwrap_or(HELLO_TIMEOUT), &at.field("hello_timeout"));
    Some(PassThrough { hello_timeout: hello_timeout?.duration(), chains: chains? })
}
