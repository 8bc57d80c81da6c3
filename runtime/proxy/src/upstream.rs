//! An upstream at run time: its groups, what is known about each endpoint, and how loaded it is.
//!
//! One value is shared by all workers, and it outlives reloads that do not change its configuration: ejections,
//! counters and pooled connections stay.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use crate::choice::number;
use crate::comparison::Rate;
use crate::counters::{ByStatus, Counters, Found};
use crate::health::Checks;
use crate::members::Members;
use crate::metrics::Metrics;
use crate::outlier::{Record, Report};
use crate::retry_budget;
use crate::settled::Settled;
use crate::tls::{ALPN_HTTP1, ALPN_HTTP2, Credentials, Outside, client_config};
use arc_swap::ArcSwapOption;
use http::StatusCode;
use meshd_config as config;
use rustls::ClientConfig;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Somewhere to send to.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Unique in the process: the key of the workers' pools.
    pub(crate) id: u64,
    /// The name in the configuration.
    pub(crate) name: String,
    /// What the file says about it.
    pub(crate) config: config::Upstream,
    /// Its groups, in order of preference.
    pub(crate) groups: Vec<Group>,
    /// How loaded it is.
    pub(crate) load: Load,
    /// Its checks, if its endpoints are checked.
    pub(crate) checks: Option<Checks>,
    /// How often an endpoint was picked although all are ejected: where the next such pick begins.
    pub(crate) desperate: AtomicUsize,
}

/// Endpoints that are equally good.
#[derive(Debug)]
pub(crate) struct Group {
    /// What the file says about it.
    pub(crate) config: config::Group,
    /// The endpoints that are known now.
    pub(crate) members: Members,
    /// Who has to know when the members change.
    renewed: Option<Arc<Notify>>,
    /// The last answer for each name among its endpoints.
    answers: Mutex<BTreeMap<String, Vec<IpAddr>>>,
    tls: ArcSwapOption<GroupTls>,
    /// Where attempts are counted that were answered, and connections for bytes.
    counted: (ByStatus, Found),
}

/// How to connect to a group with TLS, by the protocol that follows.
#[derive(Debug)]
pub(crate) struct GroupTls {
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    bytes: Arc<ClientConfig>,
}

/// For each group of an upstream, in their order, how to connect to servers outside.
pub(crate) type Originations = Vec<Option<Arc<GroupTls>>>;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spoken {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// Bytes.
    Bytes,
}

/// One address, one copy of it.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Unique in the process: the key of the workers' pools.
    pub(crate) id: u64,
    /// Where it is.
    pub(crate) address: SocketAddr,
    /// The same as text.
    pub(crate) name: Box<str>,
    /// Which of its repetitions it is, from 0.
    pub(crate) copy: u32,
    /// Its share, at least 1.
    pub(crate) weight: u32,
    /// How many requests or connections it carries.
    pub(crate) active: AtomicU32,
    /// When it became known.
    pub(crate) since: Instant,
    /// Whether checks find nothing wrong; always, where there are none.
    is_healthy: AtomicBool,
    /// When it was last found healthy after it was not, in milliseconds after it became known.
    healthy_since: AtomicU64,
    /// What stands for it where endpoints are chosen by hash, the same in every proxy.
    pub(crate) mark: u64,
    record: Mutex<Record>,
    /// What the record comes to until its next interval ends, for whoever looks for an endpoint.
    settled: Settled,
}

/// Counters against which the limits of an upstream are held.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Open connections of all workers.
    pub(crate) connections: AtomicU32,
    /// Requests that wait for a connection.
    pub(crate) pending: AtomicU32,
    /// Requests in flight, retries included.
    pub(crate) requests: AtomicU32,
    /// Retries in flight.
    pub(crate) retries: AtomicU32,
}

/// A counter that was raised, and is lowered when this is dropped.
#[derive(Debug)]
pub(crate) struct Held<T> {
    owner: Arc<T>,
    counter: fn(&T) -> &AtomicU32,
}

impl<T> Held<T> {
    /// Raises the counter, whatever it says.
    pub(crate) fn raise(owner: &Arc<T>, counter: fn(&T) -> &AtomicU32) -> Self {
        counter(owner).fetch_add(1, Ordering::Relaxed);
        Held { owner: Arc::clone(owner), counter }
    }

    /// Raises the counter unless it is at `limit`.
    pub(crate) fn below(owner: &Arc<T>, counter: fn(&T) -> &AtomicU32, limit: u32) -> Option<Self> {
        let raised = counter(owner).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
            if now < limit { now.checked_add(1) } else { None }
        });
        raised.ok().map(|_| Held { owner: Arc::clone(owner), counter })
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        (self.counter)(&self.owner).fetch_sub(1, Ordering::Relaxed);
    }
}

/// Numbers that are never used twice.
fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Upstream {
    /// A new upstream. Endpoints given by name appear with their first answer.
    pub(crate) fn new(name: &str, config: &config::Upstream) -> Arc<Self> {
        // The rest is read where it is enforced: by whoever sends, connects and counts.
        let config::Upstream {
            protocol: _,
            connect_timeout: _,
            groups,
            spill: _,
            health,
            pool,
            retry_budget: _,
        } = config;
        let checks = health.as_ref().map(|_| Checks::new());
        let renewed = checks.as_ref().map(|checks| &checks.renewed);
        let config::Pool { max_connections: _, max_pending: _, max_requests: _, idle_timeout: _ } = pool;
        let groups = groups.iter().map(|group| Group::new(group, renewed)).collect();
        let name = name.to_owned();
        Arc::new(Upstream {
            id: fresh_id(),
            name,
            config: config.clone(),
            groups,
            load: Load::default(),
            checks,
            desperate: AtomicUsize::new(0),
        })
    }

    /// Reads what its groups need for TLS towards servers outside, in their order. The answer to what is wrong is a
    /// sentence.
    pub(crate) fn read_originations(&self) -> Result<Originations, String> {
        let read = |group: &Group| group.config.origination.as_ref().map(GroupTls::outside).transpose();
        self.groups.iter().map(read).collect()
    }

    /// Uses these for connections to servers outside from now on.
    pub(crate) fn originate(&self, read: &[Option<Arc<GroupTls>>]) {
        for (group, tls) in self.groups.iter().zip(read) {
            if let Some(tls) = tls {
                group.tls.store(Some(Arc::clone(tls)));
            }
        }
    }

    /// Uses these credentials for connections from now on.
    pub(crate) fn trust(&self, credentials: &Credentials) -> Result<(), rustls::Error> {
        for group in &self.groups {
            let Some(tls) = &group.config.tls else { continue };
            group.tls.store(Some(GroupTls::with(|alpn| client_config(credentials, tls, alpn))?));
        }
        Ok(())
    }

    /// Whether one more retry may run now, beside those that run.
    pub(crate) fn may_retry(&self) -> bool {
        let active = self.load.requests.load(Ordering::Relaxed);
        retry_budget::admits(self.config.retry_budget, active, self.load.retries.load(Ordering::Relaxed))
    }

    /// Takes into account how an attempt went.
    pub(crate) fn report(&self, group: &Group, endpoint: &Endpoint, report: Report, metrics: &Metrics) {
        let Some(rules) = &group.config.outlier else { return };
        let now = Instant::now();
        let ejections = match rules.max_ejected {
            None => endpoint.record(rules, |record| record.report(rules, report, now, true)),
            Some(_) => group.members.within_bounds(rules, now, |room| {
                endpoint.record(rules, |record| record.report(rules, report, now, room))
            }),
        };
        self.count_ejections(group, ejections, metrics);
    }

    /// Counts without the address: pods come and go, and a counter would stay for each. The administration page has it.
    fn count_ejections(&self, group: &Group, ejections: u32, metrics: &Metrics) {
        let unseen = group.members.unseen_ejections().saturating_add(ejections);
        if unseen > 0 {
            metrics.ejections.add(&[&self.name, &group.config.name], unseen.into());
        }
    }
}

impl GroupTls {
    /// For each protocol what `make` gives for the names of it that are offered.
    fn with(
        make: impl Fn(&[&[u8]]) -> Result<Arc<ClientConfig>, rustls::Error>,
    ) -> Result<Arc<Self>, rustls::Error> {
        Ok(Arc::new(GroupTls { http1: make(&[ALPN_HTTP1])?, http2: make(&[ALPN_HTTP2])?, bytes: make(&[])? }))
    }

    fn outside(wanted: &config::Origination) -> Result<Arc<Self>, String> {
        let outside = Outside::read(wanted)?;
        Self::with(|alpn| outside.config(alpn)).map_err(|error| error.to_string())
    }
}

impl Group {
    /// A group; whose endpoints are checked if anybody has to know of them.
    fn new(config: &config::Group, renewed: Option<&Arc<Notify>>) -> Self {
        let config::Group {
            name: _,
            endpoints: _,
            balance,
            slow_start,
            outlier: _,
            tls: _,
            origination: _,
            requests_per_connection: _,
        } = config;
        let group = Group {
            config: config.clone(),
            members: Members::new(*balance, *slow_start),
            renewed: renewed.cloned(),
            answers: Mutex::default(),
            tls: ArcSwapOption::empty(),
            counted: Default::default(),
        };
        group.renew(&BTreeMap::new());
        group
    }

    /// Takes the answer for a name; endpoints that stay keep their records.
    pub(crate) fn answer(&self, name: &str, addresses: &[IpAddr]) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.get(name).is_some_and(|known| known == addresses) {
            return;
        }
        answers.insert(name.to_owned(), addresses.to_vec());
        self.renew(&answers);
    }

    fn renew(&self, answers: &BTreeMap<String, Vec<IpAddr>>) {
        let mut wanted = Vec::new();
        let most = self.config.endpoints.iter().map(|endpoint| endpoint.repeat).max().unwrap_or_default();
        // The copies of an endpoint stand apart, so that requests go around addresses and not around copies.
        for copy in 0..most {
            for endpoint in self.config.endpoints.iter().filter(|endpoint| copy < endpoint.repeat) {
                let config::Endpoint { host, port, weight, repeat: _ } = endpoint;
                let addresses = match host {
                    config::EndpointHost::Address(address) => std::slice::from_ref(address),
                    config::EndpointHost::Name(name) => answers.get(name).map_or(&[][..], Vec::as_slice),
                };
                let place = |address: &IpAddr| (SocketAddr::new(*address, *port), copy, *weight);
                wanted.extend(addresses.iter().map(place));
            }
        }
        match &self.renewed {
            None => self.members.renew(&wanted, Endpoint::new),
            Some(renewed) => {
                self.members.renew(&wanted, Endpoint::unchecked);
                renewed.notify_one();
            }
        }
    }

    /// Counts an attempt that was answered with this status.
    pub(crate) fn count_answer(&self, upstream: &str, status: StatusCode, attempts: &Counters) {
        if let Some(found) = self.counted.0.of(status) {
            attempts.count(found, &[upstream, &self.config.name, status.as_str()]);
        }
    }

    /// Counts a connection for bytes.
    pub(crate) fn count_connected(&self, upstream: &str, attempts: &Counters) {
        attempts.count(&self.counted.1, &[upstream, &self.config.name, "connected"]);
    }

    /// Whether connections to its endpoints are plaintext.
    pub(crate) fn is_plain(&self) -> bool {
        self.config.tls.is_none() && self.config.origination.is_none()
    }

    /// How to connect to its endpoints with TLS; `None` where that is not known.
    pub(crate) fn tls(&self, spoken: Spoken) -> Option<(Arc<ClientConfig>, &str)> {
        let mutual = self.config.tls.as_ref().map(|tls| &tls.sni);
        let outside = || self.config.origination.as_ref().map(|outside| &outside.sni);
        let sni = mutual.or_else(outside)?.as_str();
        let tls = self.tls.load();
        let tls = tls.as_ref()?;
        let config = match spoken {
            Spoken::Http1 => &tls.http1,
            Spoken::Http2 => &tls.http2,
            Spoken::Bytes => &tls.bytes,
        };
        Some((Arc::clone(config), sni))
    }
}

impl Endpoint {
    pub(crate) fn new(address: SocketAddr, copy: u32, weight: u32) -> Self {
        Endpoint {
            id: fresh_id(),
            address,
            name: address.to_string().into(),
            copy,
            weight,
            active: AtomicU32::new(0),
            since: Instant::now(),
            is_healthy: AtomicBool::new(true),
            healthy_since: AtomicU64::new(0),
            mark: number(format!("{address}/{copy}").as_bytes()),
            record: Mutex::default(),
            settled: Settled::default(),
        }
    }

    /// One that gets no requests before it has passed a check.
    fn unchecked(address: SocketAddr, copy: u32, weight: u32) -> Self {
        Endpoint { is_healthy: AtomicBool::new(false), ..Endpoint::new(address, copy, weight) }
    }

    /// Whether checks find nothing wrong.
    pub(crate) fn is_healthy(&self) -> bool {
        self.is_healthy.load(Ordering::Relaxed)
    }

    /// Takes what its checks have found.
    pub(crate) fn is_found(&self, healthy: bool) {
        if !self.is_healthy.swap(healthy, Ordering::Relaxed) && healthy {
            let age = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.healthy_since.store(age, Ordering::Relaxed);
        }
    }

    /// For how long it has been there and healthy.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        let unhealthy = Duration::from_millis(self.healthy_since.load(Ordering::Relaxed));
        now.saturating_duration_since(self.since).saturating_sub(unhealthy)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with its record.
    fn record<T>(&self, rules: &config::Outlier, act: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = self.lock();
        let result = act(&mut record);
        if let Some((is_ejected, until)) = record.settled(rules) {
            self.settled.set(is_ejected, until.saturating_duration_since(self.since));
        }
        result
    }

    /// Whether it is ejected, if no interval has ended since that was last known.
    fn settled(&self, now: Instant) -> Option<bool> {
        self.settled.get(now.saturating_duration_since(self.since))
    }

    /// Whether an interval has ended that has to be judged.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.settled(now).is_none()
    }

    /// Whether it is left out now, whatever intervals have ended.
    pub(crate) fn is_out(&self, rules: &config::Outlier, now: Instant) -> bool {
        self.settled(now).unwrap_or_else(|| self.ejected_until(Some(rules), now).is_some())
    }

    /// Whether it is left out now, and how many ejections were found due.
    pub(crate) fn is_ejected(
        &self,
        rules: Option<&config::Outlier>,
        now: Instant,
        room: bool,
    ) -> (bool, u32) {
        let Some(rules) = rules else { return (false, 0) };
        match self.settled(now) {
            Some(is_ejected) => (is_ejected, 0),
            None => self.record(rules, |record| record.is_ejected(rules, now, room)),
        }
    }

    /// What it did since this was last asked.
    pub(crate) fn take_rate(&self) -> Rate {
        self.lock().take_rate()
    }

    /// Ejects it for being worse than the others; how many ejections that brought.
    pub(crate) fn eject(&self, rules: &config::Outlier, now: Instant) -> u32 {
        self.record(rules, |record| record.eject_if_in(rules, now))
    }

    /// When it returns, if it is ejected.
    pub(crate) fn ejected_until(&self, rules: Option<&config::Outlier>, now: Instant) -> Option<Instant> {
        let rules = rules?;
        self.record(rules, |record| {
            // Without a bound in the group, an interval that has ended needs nobody else to be judged.
            if rules.max_ejected.is_none() {
                record.is_ejected(rules, now, true);
            }
            record.ejected_until(rules, now)
        })
    }
}

#[cfg(test)]
impl Endpoint {
    /// Notes an attempt that was not answered.
    pub(crate) fn fail(&self, rules: &config::Outlier, now: Instant, room: bool) {
        self.record(rules, |record| record.report(rules, Report::Unanswered, now, room));
    }

    /// A thread that looks at its record until the other end is dropped.
    pub(crate) fn hold(endpoint: Arc<Self>) -> std::sync::mpsc::Sender<()> {
        let (release, released) = std::sync::mpsc::channel();
        let (held, holds) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _record = endpoint.lock();
            let _ = held.send(());
            let _ = released.recv();
        });
        let _ = holds.recv();
        release
    }
}
