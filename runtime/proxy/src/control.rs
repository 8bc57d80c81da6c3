//! The control thread: it decides what is in force, and watches the files that say so.

use crate::access_log::Log;
use crate::admin;
use crate::dns::{Directory, Names};
use crate::drain::Phase;
use crate::files;
use crate::health;
use crate::heartbeat::Heartbeats;
use crate::limiter::{Limiter, Service, greet};
use crate::listen::{Slot, listen};
use crate::memory::{self, Reading};
use crate::metrics::Metrics;
use crate::proxy::{Failure, Options};
use crate::room::Rooms;
use crate::snapshot::{KindState, ListenerState, Snapshot};
use crate::tls::{Loaded, load};
use crate::watch::Watch;
use crate::worker::{self, Command, Shared};
use arc_swap::{ArcSwap, ArcSwapOption};
use meshd_config::{Config, Kind};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How soon a configuration is tried again that asks for something which is not there: a Secret may arrive after the
/// ConfigMap that speaks of it.
const AGAIN: Duration = Duration::from_secs(3);

/// How often it is looked whether the last requests have finished.
const CLOSING_LOOK: Duration = Duration::from_millis(10);

/// How often it is looked how much memory is in use.
const MEMORY_LOOK: Duration = Duration::from_millis(100);

/// How often at most a line says that connections were closed for it.
const MEMORY_LINE: Duration = Duration::from_secs(10);

/// How long the first health checks of new upstreams may take before these are used all the same.
const FIRST_CHECKS: Duration = Duration::from_secs(15);

/// How long the last lines of the access log may take to be written.
const LAST_LINES: Duration = Duration::from_secs(2);

/// Everything that the control thread owns.
pub(crate) struct Control {
    options: Options,
    pub(crate) shared: Arc<Shared>,
    slots: BTreeMap<SocketAddr, Arc<Slot>>,
    workers: Vec<(mpsc::UnboundedSender<Command>, JoinHandle<std::io::Result<()>>)>,
    /// Serves probes and metrics, so that they are answered whatever the workers do.
    status: Option<(mpsc::UnboundedSender<Command>, JoinHandle<std::io::Result<()>>)>,
    directory: Directory,
    admin: Option<admin::Listening>,
    config_file: Watch,
    certificate_files: Watch,
    /// The configuration that is on disk but not in force, if its time may come.
    refused: Option<Refused>,
}

/// A configuration that asks for something that is not there.
struct Refused {
    why: String,
    /// When to try it again.
    again: Instant,
}

impl Control {
    /// Reads the configuration, opens everything and starts the workers.
    pub(crate) async fn start(options: Options) -> Result<Self, Failure> {
        let mut config_file = Watch::default();
        config_file.these([options.config.clone()]);
        let (config, source) = read(&options)?;
        let metrics = Arc::new(Metrics::default());
        // Looked at before they are read, so that no change slips in between.
        let mut certificate_files = Watch::default();
        certificate_files.these(files_of_certificates(&config));
        let credentials = load_credentials(&config, &metrics).map_err(Failure::Certificates)?;
        let snapshot =
            Snapshot::build(Arc::new(config), source, credentials, None).map_err(Failure::Config)?;
        let directory = Directory::default();
        let config = Arc::clone(&snapshot.config);
        let names = Names::of(&config.upstreams, &config.dns).map_err(Failure::Dns)?;
        directory.learn(&names, &metrics).await;
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::from_pointee(Snapshot::empty(&config)),
            slots: ArcSwap::default(),
            metrics,
            log: ArcSwapOption::empty(),
            limiter: ArcSwapOption::empty(),
            most_connections: AtomicI64::new(config.bounds.connections.into()),
            rooms: Rooms::new(options.workers.max(1)),
            phase: watch::Sender::new(Phase::Starting),
            heartbeats: Heartbeats::new(options.workers.max(1), options.stuck_after),
        });
        let mut control = Control {
            workers: Vec::new(),
            status: None,
            options,
            shared,
            slots: BTreeMap::new(),
            directory,
            admin: None,
            config_file,
            certificate_files,
            refused: None,
        };
        control.start_workers()?;
        let files = control.certificate_files.clone();
        control.put_in_force(snapshot, files).await.map_err(Failure::Listen)?;
        control.shared.phase.send_replace(Phase::Serving);
        control.shared.metrics.ready.set(1);
        Ok(control)
    }

    fn start_workers(&mut self) -> Result<(), Failure> {
        for number in 0..self.options.workers.max(1) {
            self.workers.push(self.start_worker(format!("worker-{number}"), Some(number))?);
        }
        self.status = Some(self.start_worker("status".to_owned(), None)?);
        Ok(())
    }

    fn start_worker(
        &self,
        name: String,
        number: Option<usize>,
    ) -> Result<(mpsc::UnboundedSender<Command>, JoinHandle<std::io::Result<()>>), Failure> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || worker::run(shared, number, receiver))
            .map_err(|error| Failure::Listen(format!("cannot start a worker: {error}")))?;
        Ok((sender, thread))
    }

    /// What the workers are told through.
    pub(crate) fn workers(&self) -> Vec<mpsc::UnboundedSender<Command>> {
        self.workers.iter().map(|(sender, _)| sender.clone()).collect()
    }

    /// Those who take connections at such an address.
    fn servers(&self, state: &ListenerState) -> Vec<&mpsc::UnboundedSender<Command>> {
        match &state.kind {
            KindState::Readiness(_) | KindState::Metrics(_) => {
                self.status.iter().map(|(sender, _)| sender).collect()
            }
            KindState::Http { .. }
            | KindState::Tcp { .. }
            | KindState::Inbound { .. }
            | KindState::PassThrough { .. }
            | KindState::Redirected => self.workers.iter().map(|(sender, _)| sender).collect(),
        }
    }

    /// Looks after the files until told to drain, then leaves.
    pub(crate) async fn run(mut self, mut drain: mpsc::UnboundedReceiver<()>) {
        let mut look = tokio::time::interval(LOOK);
        // Beside the files, since whatever changes there may have to wait for a name.
        tokio::spawn(watch_memory(Arc::clone(&self.shared)));
        loop {
            tokio::select! {
                _ = drain.recv() => break,
                _ = look.tick() => self.look().await,
            }
        }
        self.leave().await;
    }

    async fn leave(mut self) {
        let metrics = Arc::clone(&self.shared.metrics);
        tokio::time::sleep(self.options.drain).await;
        self.shared.phase.send_replace(Phase::Closing);
        let end = Instant::now() + self.options.finish;
        while metrics.connections.value() > 0 && Instant::now() < end {
            tokio::time::sleep(CLOSING_LOOK).await;
        }
        for (sender, thread) in self.workers.drain(..).chain(self.status.take()) {
            let _ = sender.send(Command::Stop);
            let _ = thread.join();
        }
        if let Some(log) = self.shared.log.swap(None) {
            log.flush(LAST_LINES);
        }
    }

    /// Takes over what changed on disk, if it can be used.
    async fn look(&mut self) {
        let again = self.refused.as_ref().is_some_and(|refused| refused.again <= Instant::now());
        if self.config_file.changed() || again {
            let before = self.refused.take().map(|refused| refused.why);
            if let Err(failure) = self.reload().await {
                let why = failure.to_string();
                if before.as_ref() != Some(&why) {
                    self.shared.metrics.config_rejected.add(1);
                    say(&format!("the new configuration is refused and the old one keeps serving: {why}"));
                }
                // A text stays wrong until it changes; what it asks for may yet appear.
                if !matches!(failure, Failure::Config(_)) {
                    self.refused = Some(Refused { why, again: Instant::now() + AGAIN });
                }
            }
        }
        if self.certificate_files.changed() {
            match self.reload_certificates().await {
                Ok(()) => self.shared.metrics.identity_reloads.add(1),
                Err(problem) => {
                    self.shared.metrics.identity_rejected.add(1);
                    say(&format!("the new certificates are refused and the old ones stay in use: {problem}"));
                }
            }
        }
    }

    async fn reload(&mut self) -> Result<(), Failure> {
        let (config, source) = read(&self.options)?;
        let previous = self.shared.snapshot.load_full();
        let mut files = self.certificate_files.clone();
        files.these(files_of_certificates(&config));
        let credentials = if config.identity == previous.config.identity {
            previous.credentials.clone()
        } else {
            load_credentials(&config, &self.shared.metrics).map_err(Failure::Certificates)?
        };
        let snapshot = Snapshot::build(Arc::new(config), source, credentials, Some(&previous))
            .map_err(Failure::Certificates)?;
        self.put_in_force(snapshot, files).await.map_err(Failure::Listen)
    }

    async fn reload_certificates(&mut self) -> Result<(), String> {
        let previous = self.shared.snapshot.load_full();
        let credentials = load_credentials(&previous.config, &self.shared.metrics)?;
        let config = Arc::clone(&previous.config);
        let snapshot = Snapshot::build(config, previous.source.clone(), credentials, Some(&previous))?;
        self.put_in_force(snapshot, self.certificate_files.clone()).await
    }

    /// Makes a snapshot what everybody uses. Nothing has changed if this fails.
    async fn put_in_force(&mut self, snapshot: Snapshot, certificate_files: Watch) -> Result<(), String> {
        let config = Arc::clone(&snapshot.config);
        let previous = self.shared.snapshot.load_full();
        let names = Names::of(&config.upstreams, &config.dns)?;
        self.directory.learn(&names, &self.shared.metrics).await;
        let sockets = self.open_new(&snapshot)?;
        let log = match &config.access_log {
            same if *same == previous.config.access_log && self.shared.log.load().is_some() => {
                self.shared.log.load_full()
            }
            None => None,
            Some(target) => {
                let log = Log::open(target, &self.shared.metrics);
                Some(Arc::new(log.map_err(|error| format!("cannot open the access log: {error}"))?))
            }
        };
        let limiter = match &config.rate_limit_service {
            same if *same == previous.config.rate_limit_service && self.shared.limiter.load().is_some() => {
                self.shared.limiter.load_full()
            }
            None => None,
            Some(service) => {
                let limiter: Box<dyn Limiter> = Box::new(Service::new(service)?);
                let limiter = Arc::new(limiter);
                greet(&limiter).await;
                Some(limiter)
            }
        };
        if self.admin.is_none() || config.admin != previous.config.admin {
            self.admin = match &config.admin {
                None => None,
                Some(at) => Some(admin::open(at, &self.shared).await?),
            };
        }
        snapshot.adopt()?;
        self.directory.tell(&snapshot.upstreams);
        for (name, (_, limiter)) in &snapshot.limiters {
            let known = previous.limiters.get(name);
            if known.is_none_or(|(_, known)| !Arc::ptr_eq(known, limiter)) {
                greet(limiter).await;
            }
        }

        self.check_health(&snapshot).await;

        let snapshot = Arc::new(snapshot);
        self.shared.log.store(log);
        self.shared.limiter.store(limiter);
        self.shared.snapshot.store(Arc::clone(&snapshot));
        let meshd_config::Bounds { memory, connections } = config.bounds;
        memory::limit(memory);
        self.shared.most_connections.store(connections.into(), Ordering::Relaxed);
        self.directory.follow(names, &self.shared);
        self.switch_listeners(&snapshot, sockets);
        for (sender, _) in &self.workers {
            let _ = sender.send(Command::Sweep);
        }
        self.certificate_files = certificate_files;
        self.shared.metrics.config_version.add(1);
        // To read a configuration takes as much code as to serve by it.
        meshd_heap::leave_code();
        Ok(())
    }

    /// Begins to check the endpoints of upstreams that are new, and waits for the first answers: until then none of them
    /// would get requests.
    async fn check_health(&self, snapshot: &Snapshot) {
        let Some((status, _)) = &self.status else { return };
        let mut waiting = Vec::new();
        for upstream in snapshot.upstreams.values() {
            let Some(checks) = upstream.checks.as_ref().filter(|checks| checks.begin()) else { continue };
            let (weak, metrics) = (Arc::downgrade(upstream), Arc::clone(&self.shared.metrics));
            let job = move || drop(tokio::task::spawn_local(health::follow(weak, metrics)));
            if status.send(Command::Run(Box::new(job))).is_ok() {
                waiting.push(checks);
            }
        }
        let first_rounds = async {
            for checks in waiting {
                checks.first_round().await;
            }
        };
        let _ = tokio::time::timeout(FIRST_CHECKS, first_rounds).await;
    }

    /// Sockets for every address that needs some and has none.
    fn open_new(&self, snapshot: &Snapshot) -> Result<BTreeMap<SocketAddr, Vec<TcpListener>>, String> {
        let has_socket = |bind: &SocketAddr| self.slots.get(bind).is_some_and(|slot| slot.has_socket);
        let new = snapshot.listeners.iter().filter(|(bind, state)| state.has_socket && !has_socket(bind));
        new.map(|(bind, state)| Ok((*bind, listen(*bind, self.servers(state).len())?))).collect()
    }

    fn switch_listeners(&mut self, snapshot: &Snapshot, mut sockets: BTreeMap<SocketAddr, Vec<TcpListener>>) {
        let stays = |slot: &Slot| {
            snapshot.listeners.get(&slot.bind).is_some_and(|state| state.has_socket == slot.has_socket)
        };
        let gone: Vec<SocketAddr> =
            self.slots.values().filter(|slot| !stays(slot)).map(|slot| slot.bind).collect();
        for bind in gone {
            if let Some(slot) = self.slots.remove(&bind) {
                slot.left.send_replace(true);
            }
            for (sender, _) in self.workers.iter().chain(&self.status) {
                let _ = sender.send(Command::Leave(bind));
            }
        }
        for (bind, state) in &snapshot.listeners {
            if let Some(slot) = self.slots.get(bind) {
                slot.state.store(Arc::clone(state));
                continue;
            }
            let slot = Slot::new(*bind, Arc::clone(state));
            let servers = self.servers(state);
            for (sender, socket) in servers.into_iter().zip(sockets.remove(bind).unwrap_or_default()) {
                let _ = sender.send(Command::Listen(Arc::clone(&slot), socket));
            }
            self.slots.insert(*bind, slot);
        }
        self.shared.slots.store(Arc::new(self.slots.clone()));
    }
}

/// One line for the operator. Whoever no longer listens must not end the proxy.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "meshd: {line}");
}

/// Follows how much memory is in use, and tells the operator when connections were closed for it.
async fn watch_memory(shared: Arc<Shared>) {
    let mut look = tokio::time::interval(MEMORY_LOOK);
    let (mut told, mut said) = (0, None::<Instant>);
    loop {
        look.tick().await;
        let open = u64::try_from(shared.metrics.connections.value()).unwrap_or(0);
        memory::look(open, shared.rooms.stalled());
        files::look();
        let reading = Reading::now();
        let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        shared.metrics.memory.set(bytes(reading.used));
        shared.metrics.memory_limit.set(bytes(reading.limit.unwrap_or(0)));
        let closed = shared.rooms.told() - told;
        if closed > 0 && said.is_none_or(|said| said.elapsed() >= MEMORY_LINE) {
            told += closed;
            said = Some(Instant::now());
            let (used, limit) = (reading.used >> 20, reading.limit.unwrap_or(0) >> 20);
            say(&format!(
                "memory is tight, {used} of {limit} MiB: connections closed to free some: {closed}"
            ));
        }
    }
}

fn read(options: &Options) -> Result<(Config, String), Failure> {
    let path = &options.config;
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::Config(format!("cannot read `{}`: {error}", path.display())))?;
    let config = Config::read(&text).map_err(|invalid| Failure::Config(invalid.to_string()))?;
    Ok((config, text))
}

fn load_credentials(config: &Config, metrics: &Metrics) -> Result<Option<Loaded>, String> {
    config
        .identity
        .as_ref()
        .map(|identity| load(identity, &metrics.chains).map_err(|error| error.to_string()))
        .transpose()
}

/// Every file whose change means new certificates.
fn files_of_certificates(config: &Config) -> Vec<PathBuf> {
    let mut files = Vec::new();
    if let Some(identity) = &config.identity {
        files.extend([
            identity.certificate.clone(),
            identity.private_key.clone(),
            identity.trust_bundle.clone(),
        ]);
    }
    let groups = config.upstreams.values().flat_map(|upstream| &upstream.groups);
    let outside = groups.filter_map(|group| group.origination.as_ref());
    files.extend(outside.flat_map(meshd_config::Origination::files).cloned());
    for listener in &config.listeners {
        let tls = match &listener.kind {
            Kind::Http { tls, .. } | Kind::Tcp { tls, .. } => tls.as_ref(),
            Kind::Inbound(_)
            | Kind::PassThrough(_)
            | Kind::Readiness { .. }
            | Kind::Metrics { .. }
            | Kind::Redirected => None,
        };
        if let Some(tls) = tls {
            files.extend(tls.clients.iter().map(|clients| clients.ca.clone()));
            for one in &tls.certificates {
                files.extend([one.certificate.clone(), one.private_key.clone()]);
            }
        }
    }
    files
}
