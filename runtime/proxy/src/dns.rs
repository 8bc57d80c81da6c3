//! Names of endpoints, resolved again and again.
//!
//! An answer without addresses empties a group, so that scaling to zero fails over. No answer at all (a timeout, a
//! refusal, a broken server) keeps the last one, so that a DNS outage takes nothing down.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::metrics::Metrics;
use crate::upstream::Upstream;
use crate::worker::Shared;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use meshd_config::{Dns, Family};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;

/// Names, and whom to ask for them.
#[derive(Debug)]
pub(crate) struct Names {
    names: BTreeSet<String>,
    resolver: Option<Arc<Resolver>>,
}

/// Whom to ask, and for how long.
#[derive(Debug)]
struct Resolver {
    dns: Dns,
    first: TokioResolver,
    /// Asks for addresses of the other family, where a name has none of the first.
    second: Option<TokioResolver>,
}

impl Names {
    /// The names that these upstreams need.
    pub(crate) fn of(
        upstreams: &BTreeMap<String, meshd_config::Upstream>,
        dns: &Dns,
    ) -> Result<Self, String> {
        let groups = upstreams.values().flat_map(|upstream| &upstream.groups);
        let names: BTreeSet<String> =
            groups.flat_map(meshd_config::Group::names).map(str::to_owned).collect();
        let resolver = match names.is_empty() {
            true => None,
            false => Some(Arc::new(Resolver::new(dns)?)),
        };
        Ok(Names { names, resolver })
    }
}

/// The addresses of names, as they were last answered.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    answers: Arc<Mutex<BTreeMap<String, Vec<IpAddr>>>>,
    asking: JoinSet<()>,
}

impl Directory {
    /// Asks once for every name that has no answer yet, all at the same time. Returns when each has an answer or has
    /// run out of tries.
    pub(crate) async fn learn(&self, names: &Names, metrics: &Arc<Metrics>) {
        let Some(resolver) = &names.resolver else { return };
        let unknown: Vec<String> =
            names.names.iter().filter(|name| !self.known().contains_key(*name)).cloned().collect();
        let mut asked = JoinSet::new();
        for name in unknown {
            let (resolver, metrics) = (Arc::clone(resolver), Arc::clone(metrics));
            asked.spawn(async move { (resolver.ask(&name, &metrics).await, name) });
        }
        while let Some(answer) = asked.join_next().await {
            if let Ok((Some(addresses), name)) = answer {
                self.known().insert(name, addresses);
            }
        }
    }

    /// Hands the known answers to upstreams that were just made.
    pub(crate) fn tell(&self, upstreams: &BTreeMap<String, Arc<Upstream>>) {
        for (name, addresses) in self.known().iter() {
            tell(upstreams, name, addresses);
        }
    }

    /// Keeps asking for these names and no others.
    pub(crate) fn follow(&mut self, names: Names, shared: &Arc<Shared>) {
        self.asking = JoinSet::new();
        self.known().retain(|name, _| names.names.contains(name));
        let Some(resolver) = names.resolver else { return };
        for name in names.names {
            let (resolver, shared) = (Arc::clone(&resolver), Arc::clone(shared));
            let answers = Arc::clone(&self.answers);
            self.asking.spawn(async move {
                let mut pause = resolver.dns.refresh;
                loop {
                    tokio::time::sleep(pause).await;
                    let Some(addresses) = resolver.ask(&name, &shared.metrics).await else {
                        pause = resolver.dns.refresh_after_failure;
                        continue;
                    };
                    pause = resolver.dns.refresh;
                    tell(&shared.snapshot.load().upstreams, &name, &addresses);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), addresses);
                }
            });
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<IpAddr>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tell(upstreams: &BTreeMap<String, Arc<Upstream>>, name: &str, addresses: &[IpAddr]) {
    for group in upstreams.values().flat_map(|upstream| &upstream.groups) {
        if group.config.names().any(|wanted| wanted == name) {
            group.answer(name, addresses);
        }
    }
}

impl Resolver {
    fn new(dns: &Dns) -> Result<Self, String> {
        let (first, second) = match dns.family {
            Family::Ipv4 => (LookupIpStrategy::Ipv4Only, None),
            Family::Ipv6 => (LookupIpStrategy::Ipv6Only, None),
            Family::Ipv4Preferred => (LookupIpStrategy::Ipv4Only, Some(LookupIpStrategy::Ipv6Only)),
        };
        let second = second.map(|family| resolver(dns, family)).transpose()?;
        Ok(Resolver { dns: dns.clone(), first: resolver(dns, first)?, second })
    }

    /// The addresses of a name in a fixed order, all of one family: a pod that has both is one endpoint. `None` if nobody
    /// answered.
    async fn ask(&self, name: &str, metrics: &Metrics) -> Option<Vec<IpAddr>> {
        let addresses = self.ask_for(&self.first, name, metrics).await?;
        match &self.second {
            Some(second) if addresses.is_empty() => self.ask_for(second, name, metrics).await,
            Some(_) | None => Some(addresses),
        }
    }

    async fn ask_for(&self, resolver: &TokioResolver, name: &str, metrics: &Metrics) -> Option<Vec<IpAddr>> {
        let most = self.dns.timeout.saturating_mul(self.dns.tries);
        let failed = |reason: &str| {
            metrics.dns_failures.add(&[name, reason], 1);
            None
        };
        match tokio::time::timeout(most, resolver.lookup_ip(name)).await {
            Err(_) => failed("timeout"),
            Ok(Ok(lookup)) => {
                let mut addresses: Vec<IpAddr> = lookup.iter().collect();
                addresses.sort_unstable();
                addresses.dedup();
                Some(addresses)
            }
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none))))
                if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
            {
                Some(Vec::new())
            }
            Ok(Err(_)) => failed("error"),
        }
    }
}

/// Names are complete, so no search domains; a pod's hosts file maps callees to virtual addresses, so not that either.
fn resolver(dns: &Dns, family: LookupIpStrategy) -> Result<TokioResolver, String> {
    // How often a name is asked for again is the affair of whoever follows it, and what else it has of whoever asks.
    let Dns { servers, family: _, refresh: _, refresh_after_failure: _, timeout, tries } = dns;
    let mut options = ResolverOpts::default();
    options.timeout = *timeout;
    options.attempts = usize::try_from(tries.saturating_sub(1)).unwrap_or(1);
    options.cache_size = 0;
    options.ndots = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.ip_strategy = family;
    let servers: Vec<NameServerConfig> = servers
        .iter()
        .map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            connections.iter_mut().for_each(|connection| connection.port = server.port());
            NameServerConfig::new(server.ip(), true, connections)
        })
        .collect();
    let explain = |error: &dyn std::fmt::Display| format!("names cannot be resolved: {error}");
    let servers = if servers.is_empty() {
        let (system, _) =
            hickory_resolver::system_conf::read_system_conf().map_err(|error| explain(&error))?;
        system.name_servers().to_vec()
    } else {
        servers
    };
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| explain(&error))
}
