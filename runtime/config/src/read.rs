//! From text to a configuration that can run.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::problem::Problems;
use crate::rules::Context;
use crate::upstreams::endpoint_host;
use crate::{EndpointHost, Identity, Invalid, Kind, Listener, Path, Period, Problem, Upstream, VERSION, raw};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use raw::{Family, Node};

/// A configuration that can run: every reference resolves and every number is in range.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Who this proxy is.
    pub node: Node,
    /// The certificate it shows; present whenever something needs one.
    pub identity: Option<Identity>,
    /// What it listens on.
    pub listeners: Vec<Listener>,
    /// Where it can send, by name.
    pub upstreams: BTreeMap<String, Upstream>,
    /// The service that counts for shared limits; present whenever a limit needs it.
    pub rate_limit_service: Option<RateLimitService>,
    /// How names are resolved.
    pub dns: Dns,
    /// What it may use.
    pub bounds: Bounds,
    /// Where the access log goes.
    pub access_log: Option<AccessLog>,
    /// Where the administration interface listens.
    pub admin: Option<Admin>,
}

/// The rate-limit service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitService {
    /// Its host.
    pub host: EndpointHost,
    /// Its port.
    pub port: u16,
}

/// What the proxy may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Memory in bytes; `None` is without a limit.
    pub memory: Option<u64>,
    /// How many connections from clients may be open, at least 1.
    pub connections: u32,
}

/// How names are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// The servers; none means those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// Which addresses are asked for.
    pub family: Family,
    /// How often every name is asked for again.
    pub refresh: Duration,
    /// How soon one is asked for again that had no answer; never more than `refresh`.
    pub refresh_after_failure: Duration,
    /// How long one question may take.
    pub timeout: Duration,
    /// How many times an unanswered question is asked, at least 1.
    pub tries: u32,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLog {
    /// Standard output.
    Stdout,
    /// This file, appended to.
    File(PathBuf),
}

/// Where the administration interface listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admin {
    /// A loopback address.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

/// Only the version, so that a file of another version is refused for that and not for its first unknown member.
#[derive(serde::Deserialize)]
struct Versioned {
    version: Option<serde_json::Value>,
}

impl Config {
    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// Every mistake, each with its JSON path.
    pub fn read(text: &str) -> Result<Self, Invalid> {
        let one = |path: String, message: String| Invalid { problems: vec![Problem { path, message }] };
        let versioned: Versioned =
            serde_json::from_str(text).map_err(|error| one("$".into(), error.to_string()))?;
        // A reader of the previous version goes here once there is one: raw of old → raw of new.
        match versioned.version {
            None => {
                return Err(one("version".into(), format!("missing; this meshd reads version {VERSION}")));
            }
            Some(version) if version != VERSION => {
                return Err(one(
                    "version".into(),
                    format!("{version} is not known; this meshd reads version {VERSION}"),
                ));
            }
            Some(_) => {}
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let raw: raw::Config = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            one(if path == "." { "$".into() } else { path }, error.into_inner().to_string())
        })?;
        Config::try_from(raw)
    }
}

impl TryFrom<raw::Config> for Config {
    type Error = Invalid;

    fn try_from(raw: raw::Config) -> Result<Self, Invalid> {
        let mut problems = Problems::default();
        let names: BTreeSet<String> = raw.upstreams.keys().cloned().collect();
        let mut cx = Context {
            upstreams: &names,
            has_rate_limit_service: raw.rate_limit_service.is_some(),
            problems: &mut problems,
        };
        let config = check(&mut cx, &raw);
        problems.finish(config)
    }
}

fn check(cx: &mut Context<'_>, raw: &raw::Config) -> Option<Config> {
    let root = Path::root();
    let raw::Config {
        version,
        node,
        identity,
        listeners,
        upstreams,
        rate_limit_service,
        dns,
        bounds,
        access_log,
        admin,
    } = raw;
    if *version != VERSION {
        cx.wrong(
            &root.field("version"),
            format!("{version} is not known; this meshd reads version {VERSION}"),
        );
    }
    let node_at = root.field("node");
    let raw::Node { name, cluster, data } = node;
    let node_name = cx.text(name, &node_at.field("name"));
    let node_cluster = cx.text(cluster, &node_at.field("cluster"));
    let identity = cx.optional(identity.as_ref(), &root.field("identity"), Identity::check);

    let at = root.field("listeners");
    let checked = cx.each(listeners, &at, Listener::check);
    let names = listeners.iter().enumerate();
    cx.unique("name", names.map(|(i, one)| (one.name.as_str(), at.index(i).field("name"))));
    let addresses = listeners.iter().enumerate();
    cx.unique("address", addresses.map(|(i, one)| (one.bind.as_str(), at.index(i).field("bind"))));

    let at = root.field("upstreams");
    let upstreams: Vec<Option<(String, Upstream)>> = upstreams
        .iter()
        .map(|(name, upstream)| Some((name.clone(), Upstream::check(cx, upstream, &at.field(name))?)))
        .collect();
    let upstreams: Option<BTreeMap<String, Upstream>> = upstreams.into_iter().collect();

    let service_at = root.field("rate_limit_service");
    let rate_limit_service = cx.optional(rate_limit_service.as_ref(), &service_at, self::rate_limit_service);
    let dns = cx.optional(dns.as_ref(), &root.field("dns"), self::dns);
    let bounds = cx.optional(bounds.as_ref(), &root.field("bounds"), self::bounds);
    let access_log = cx.optional(access_log.as_ref(), &root.field("access_log"), |cx, log, at| match log {
        raw::AccessLog::Stdout => Some(AccessLog::Stdout),
        raw::AccessLog::File(path) => {
            cx.text(path, &at.field("file")).map(|path| AccessLog::File(path.into()))
        }
    });
    let admin = cx.optional(admin.as_ref(), &root.field("admin"), self::admin);

    let config = Config {
        node: Node { name: node_name?, cluster: node_cluster?, data: data.clone() },
        identity: identity?,
        listeners: checked?,
        upstreams: upstreams?,
        rate_limit_service: rate_limit_service?,
        dns: dns?.unwrap_or(DNS),
        bounds: bounds?.unwrap_or(BOUNDS),
        access_log: access_log?,
        admin: admin?,
    };
    identity_where_needed(cx, &config);
    redirection_where_needed(cx, &config);
    Some(config)
}

/// What may be used unless the file says otherwise.
const BOUNDS: Bounds = Bounds { memory: None, connections: 16_384 };

/// The least memory that a limit may allow, in bytes: with less, the proxy would close what it has just accepted.
const LEAST_MEMORY: u64 = 24 << 20;

fn bounds(cx: &mut Context<'_>, raw: &raw::Bounds, at: &Path) -> Option<Bounds> {
    let raw::Bounds { memory, connections } = *raw;
    let connections = cx.positive(connections, &at.field("connections"));
    if let Some(memory) = memory
        && memory < LEAST_MEMORY
    {
        cx.wrong(&at.field("memory"), format!("must be at least {LEAST_MEMORY} bytes"));
        return None;
    }
    Some(Bounds { memory, connections: connections? })
}

/// How soon a name without an answer is asked for again unless the file says otherwise.
const REFRESH_AFTER_FAILURE: Period = Period::from_secs(1);

/// How names are resolved unless the file says otherwise.
const DNS: Dns = Dns {
    servers: Vec::new(),
    family: Family::Ipv4,
    refresh: Duration::from_secs(5),
    refresh_after_failure: REFRESH_AFTER_FAILURE.duration(),
    timeout: Duration::from_secs(2),
    tries: 2,
};

/// What is redirected must come from somewhere.
fn redirection_where_needed(cx: &mut Context<'_>, config: &Config) {
    if config.listeners.iter().any(|listener| listener.kind == Kind::Redirected) {
        return;
    }
    for (position, listener) in config.listeners.iter().enumerate() {
        if listener.redirected {
            let at = Path::root().field("listeners").index(position).field("redirected");
            cx.wrong(&at, "no listener of kind `redirected` hands connections over");
        }
    }
}

/// Mutual TLS is impossible without a certificate of one's own, on either side.
fn identity_where_needed(cx: &mut Context<'_>, config: &Config) {
    if config.identity.is_some() {
        return;
    }
    let root = Path::root();
    for (position, listener) in config.listeners.iter().enumerate() {
        if let Kind::Inbound(inbound) = &listener.kind
            && !inbound.chains.is_empty()
        {
            cx.wrong(
                &root.field("listeners").index(position),
                "mutual TLS needs an `identity`, and the file has none",
            );
        }
    }
    for (name, upstream) in &config.upstreams {
        if upstream.groups.iter().any(|group| group.tls.is_some()) {
            cx.wrong(
                &root.field("upstreams").field(name),
                "mutual TLS needs an `identity`, and the file has none",
            );
        }
    }
}

fn rate_limit_service(
    cx: &mut Context<'_>,
    raw: &raw::RateLimitService,
    at: &Path,
) -> Option<RateLimitService> {
    let raw::RateLimitService { address } = raw;
    let parsed = address.rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some((endpoint_host(host)?, port.parse::<u16>().ok().filter(|port| *port > 0)?))
    });
    if parsed.is_none() {
        cx.wrong(&at.field("address"), format!("`{address}` is not `host:port`"));
    }
    let (host, port) = parsed?;
    Some(RateLimitService { host, port })
}

fn dns(cx: &mut Context<'_>, raw: &raw::Dns, at: &Path) -> Option<Dns> {
    let raw::Dns { servers, family, refresh, refresh_after_failure, timeout, tries } = raw;
    let servers = cx.each(servers, &at.field("servers"), |cx, server, at| cx.address(server, at));
    let refresh = cx.some_time(*refresh, &at.field("refresh"));
    let soon = refresh_after_failure.unwrap_or(REFRESH_AFTER_FAILURE);
    let soon = cx.some_time(soon, &at.field("refresh_after_failure"));
    let timeout = cx.some_time(*timeout, &at.field("timeout"));
    let tries = cx.positive(*tries, &at.field("tries"));
    Some(Dns {
        servers: servers?,
        family: *family,
        refresh: refresh?.duration(),
        refresh_after_failure: soon?.duration().min(refresh?.duration()),
        timeout: timeout?.duration(),
        tries: tries?,
    })
}

fn admin(cx: &mut Context<'_>, raw: &raw::Admin, at: &Path) -> Option<Admin> {
    match raw {
        raw::Admin::Tcp(address) => {
            let at = at.field("tcp");
            let address = cx.address(address, &at)?;
            if !address.ip().is_loopback() {
                cx.wrong(&at, format!("`{address}` is not a loopback address, so others could reach it"));
                return None;
            }
            Some(Admin::Tcp(address))
        }
        raw::Admin::Unix(path) => cx.text(path, &at.field("unix")).map(|path| Admin::Unix(path.into())),
    }
}
