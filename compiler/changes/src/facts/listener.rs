//! What is so where a proxy listens, but for what it does with requests for a host.

use std::net::IpAddr;
use std::sync::Arc;

use meshc_plan::{
    Carried, ClientRanges, HttpListener, Limit, Listener, ListenerKind, PassThrough, PassThroughChain,
    ProbeCheck, StatusListener, TcpListener, WeightedUpstream, phrases,
};
use meshc_vocabulary::model::{DeadShare, Http10};

use super::{limits, routes};
use crate::changes::Facts;
use crate::effect::Risk;
use crate::labels;
use crate::side::Side;

/// Whom requests at a listener are of: `shop.web -> shop.catalog`, or `west.ingress.http`; `None` for listeners of the mesh's own.
pub(crate) fn subject(side: &Side<'_, '_>, owner: &str, listener: &Listener) -> Option<String> {
    if let Some((callee, number)) = labels::of_listener(&listener.name) {
        return Some(format!("{owner} -> {}", side.label(&callee, number)?));
    }
    let port = listener.name.strip_prefix("ingress_")?;
    Some(format!("{owner}.{port}"))
}

/// Whether clients outside send requests there, and not the application beside a proxy.
fn is_outside(subject: &str) -> bool {
    !subject.contains(" -> ")
}

pub(super) fn tell(
    side: &Side<'_, '_>,
    owner: &str,
    listener: &Listener,
    aliases: &[(IpAddr, Arc<[String]>)],
    facts: &mut Facts,
) {
    let Listener { name, address, socket: _, proxy_protocol, kind, origin: _ } = listener;
    match kind {
        ListenerKind::Readiness(StatusListener { probes }) => {
            for ProbeCheck { kind, upstream: _, path, timeout } in probes {
                // Whoever reaches the pod is answered by the application there, without mTLS and rules.
                let name = format!("{kind:?} probe").to_lowercase();
                facts.tell_if(Risk::Exposure, owner, name.as_str(), Some(path.as_str()));
                let aspect = format!("time of the {name}");
                facts.tell(Risk::Deployment, owner, aspect, phrases::duration(*timeout));
            }
            return;
        }
        ListenerKind::Metrics(metrics) => {
            let path = metrics.app.as_ref().map(|app| app.path.clone());
            facts.tell_if(Risk::Exposure, owner, "metrics of the application", path);
            return;
        }
        // Told by chain.
        ListenerKind::Inbound(_) | ListenerKind::Redirected => return,
        ListenerKind::Http(_) | ListenerKind::Tcp(_) | ListenerKind::PassThrough(_) => {}
    }
    // What an east-west gateway passes on follows from who calls what.
    let Some(subject) = subject(side, owner, listener) else { return };
    let subject = subject.as_str();
    facts.exists(subject);
    if *proxy_protocol {
        facts.tell(Risk::Exposure, subject, "PROXY protocol", "expected");
    }
    if labels::of_listener(name).is_some() {
        let names = aliases.iter().find(|(alias, _)| *alias == address.ip());
        let names = names.map(|(_, names)| names.join(" "));
        facts.tell_if(Risk::Routing, subject, "names", names);
    }
    match kind {
        ListenerKind::Http(http) => self::http(http, subject, facts),
        ListenerKind::Tcp(tcp) => self::tcp(side, tcp, subject, facts),
        ListenerKind::PassThrough(PassThrough { hello_timeout, chains }) => {
            facts.tell(Risk::Timeouts, subject, "time for a ClientHello", phrases::duration(*hello_timeout));
            for chain in chains {
                self::chain(side, chain, subject, facts);
            }
        }
        ListenerKind::Inbound(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => {}
    }
}

fn http(http: &HttpListener, subject: &str, facts: &mut Facts) {
    let HttpListener { edge: _, tls, http10, entrance, limits, virtual_hosts } = http;
    let name = virtual_hosts.iter().flat_map(|host| host.hosts.iter()).find(|name| !name.starts_with('*'));
    for limit in limits {
        facts.sample(subject, limits::samples(limit, name.map(String::as_str)));
    }
    facts.tell_if(
        Risk::Exposure,
        subject,
        "TLS of clients",
        tls.as_ref().map(|tls| phrases::server_tls(tls).join("; ")),
    );
    let http10 = http10.as_ref().map(|Http10 { default_host }| {
        default_host.as_ref().map_or_else(|| String::from("accepted"), |host| format!("accepted, for {host}"))
    });
    facts.tell_if(Risk::Exposure, subject, "HTTP/1.0", http10);
    for (risk, aspect, value) in routes::entrance(entrance) {
        facts.tell(risk, subject, aspect, value);
    }
    self::limits(limits, subject, facts);
}

pub(crate) fn limits(limits: &[Limit], subject: &str, facts: &mut Facts) {
    for (what, much) in limits.iter().flat_map(limits::told) {
        facts.tell(Risk::Limits, subject, what, much);
    }
}

fn tcp(side: &Side<'_, '_>, tcp: &TcpListener, subject: &str, facts: &mut Facts) {
    let TcpListener { tls, to, connect_attempts, dead_share, idle_timeout, clients } = tcp;
    facts.tell_if(
        Risk::Exposure,
        subject,
        "TLS of clients",
        tls.as_ref().map(|tls| phrases::server_tls(tls).join("; ")),
    );
    connections(side, subject, (to, *dead_share, *connect_attempts), clients.as_ref(), facts);
    facts.tell_if(Risk::Timeouts, subject, "idle timeout", idle_timeout.map(phrases::duration));
}

fn chain(side: &Side<'_, '_>, chain: &PassThroughChain, subject: &str, facts: &mut Facts) {
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
    match carries {
        Carried::Calls => {}
        Carried::Checks => return,
    }
    for name in names {
        let own = format!("{subject} {name}");
        facts.tell(Risk::Exposure, subject, format!("passes on TLS for {name}"), "yes");
        connections(side, &own, (to, *dead_share, *connect_attempts), clients.as_ref(), facts);
        facts.tell_if(Risk::Timeouts, &own, "idle timeout", idle_timeout.map(phrases::duration));
    }
}

fn connections(
    side: &Side<'_, '_>,
    subject: &str,
    (to, dead_share, attempts): (&[WeightedUpstream], DeadShare, u32),
    clients: Option<&ClientRanges>,
    facts: &mut Facts,
) {
    facts.tell(Risk::Routing, subject, routes::GOES, routes::shares(side, to));
    if is_outside(subject) {
        facts.reach(subject, routes::GOES, routes::destinations(side, to));
    }
    facts.tell(Risk::Retries, subject, "attempts to connect", attempts.to_string());
    match dead_share {
        DeadShare::Kept => {}
        DeadShare::ToOthers => {
            facts.tell(Risk::Routing, subject, "the share of a destination that is dead", "goes to others")
        }
    }
    facts.tell_if(Risk::Exposure, subject, "takes connections", phrases::clients(clients));
}
