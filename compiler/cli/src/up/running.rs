//! A mesh that is being started or runs: its files, its applications and its processes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use lang_diagnostics::Sink;
use meshc_driver::{CheckedMesh, render};
use meshc_local::{Layout, layout};
use meshc_plan::{Placement, ProxyName, ProxyPlan, RenderedProxy, Rendering, paths};
use meshc_vocabulary::model::{DataPlane, Protocol};
use tokio::net::{TcpSocket, UnixListener};
use tokio::task::JoinSet;

use super::apps::App;
use super::fleet::Fleet;
use super::outside::Outside;
use super::places::places;
use super::placing::{placing, ports};
use super::ports::Ports;
use super::programs::Programs;
use super::readiness::{Awaited, Question};
use super::runtime::{self, Home};
use super::server_tls::ServerTls;
use super::stand_in::{Instance, Speech, Stand, Switchboard, Told, serve};
use super::{Settings, control, files, inotify};
use crate::compile::DataPlaneWord;
use crate::exit::{Context, Failure};

/// What runs. The fields end in this order: processes first, their directory last.
#[derive(Debug)]
pub(crate) struct Running {
    /// The processes.
    pub(crate) fleet: Fleet,
    /// Stand-in applications and the control socket.
    tasks: JoinSet<()>,
    /// How the applications behave.
    switchboard: Arc<Switchboard>,
    ports: Ports,
    logs: PathBuf,
    /// Where everything is.
    pub(crate) placement: Placement,
    /// The same for people.
    pub(crate) layout: Layout,
    /// The mesh that the files in place were made from.
    pub(crate) mesh: CheckedMesh,
    /// The files in place.
    rendered: Vec<RenderedProxy>,
    /// The certificates that gateways show to clients outside the mesh.
    pub(crate) server_tls: ServerTls,
    /// The certificates of hosts outside the mesh.
    pub(crate) outside: Outside,
    /// The data plane that was asked for on the command line.
    pub(crate) data_plane: Option<DataPlaneWord>,
    /// Whether processes of the user's own take the place of applications.
    pub(crate) processes: bool,
    /// What others are told of it.
    told: Option<Arc<control::Told>>,
    /// The applications that were not ready at the last look.
    unready: BTreeSet<ProxyName>,
    /// The directory of everything.
    pub(crate) home: Home,
}

/// What came to have other files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// How many proxies.
    pub(crate) proxies: usize,
    /// How many rate-limit services.
    pub(crate) limits: usize,
}

impl Running {
    /// Writes all files and starts the applications. No process runs yet.
    pub(crate) fn prepare(settings: &Settings, mesh: CheckedMesh) -> Result<Self, Failure> {
        let home = Home::create(&runtime::directory()?)?;
        let mut ports = ports(&mesh.plan, &settings.file)?;
        let placement = placing(&mesh.plan, home.path(), &mut ports)?;
        let layout = layout(&mesh.plan, &placement);
        let logs = settings.keep_logs.clone().unwrap_or_else(|| home.path().join("logs"));
        std::fs::create_dir_all(&logs).context(|| format!("create `{}`", logs.display()))?;
        let rendered = rendered(&mesh, &placement)?;
        let keys = files::make_keys(&mesh, &home.path().join("keys"))?;
        let trust = files::trust(&mesh, &keys)?;
        for proxy in &mesh.plan.proxies {
            files::furnish(proxy, &placement, &keys, &trust)?;
        }
        if let Some(directory) = &settings.show_config {
            files::show(&rendered, directory)?;
        }
        let (fleet, server_tls) = (Fleet::default(), ServerTls::new(home.path()));
        let outside = Outside::new(home.path())?;
        let (tasks, switchboard) = (JoinSet::new(), Arc::default());
        let mut running = Self {
            fleet,
            tasks,
            switchboard,
            ports,
            logs,
            placement,
            layout,
            mesh,
            rendered,
            server_tls,
            outside,
            data_plane: settings.data_plane,
            processes: !settings.apps.is_empty(),
            told: None,
            unready: BTreeSet::new(),
            home,
        };
        running.write_configuration()?;
        running.stand_in(&settings.file, &settings.apps)?;
        Ok(running)
    }

    /// Starts every process.
    pub(crate) fn start(&mut self, programs: &Programs) -> Result<(), Failure> {
        let needed = self.rendered.iter().map(|rendered| rendered.inotify_instances).sum();
        inotify::refuse_too_few(needed)?;
        self.ports.release();
        for service in &self.layout.rate_limits {
            let name = format!("{}/rate-limit", service.cluster);
            let arguments = [
                OsString::from("rate-limit"),
                OsString::from("--config"),
                OsString::from(limits_directory(self.home.path(), &service.cluster)),
                OsString::from("--listen"),
                OsString::from(service.address.to_string()),
                // Several such services run on this machine, so each takes any ports for what nobody asks here.
                OsString::from("--http-listen"),
                OsString::from("127.0.0.1:0"),
                OsString::from("--debug-listen"),
                OsString::from("127.0.0.1:0"),
                // A minute that ends between two requests would make limits look wrong to whoever tries them out.
                OsString::from("--align-windows-to-start"),
            ];
            self.fleet.start(&name, &programs.meshd()?, &arguments, log(&self.logs, &name))?;
        }
        for rendered in &self.rendered {
            let Some(proxy) = files::plan_of(&self.mesh.plan, rendered) else { continue };
            let name = proxy.name.to_string();
            let configuration = self.placement.path(&proxy.name, paths::CONFIG);
            let entry = format!("{configuration}/{}", rendered.entry);
            let (program, arguments) = invocation(proxy, &entry, programs)?;
            self.fleet.start(&name, &program, &arguments, log(&self.logs, &name))?;
        }
        Ok(())
    }

    /// What has to be ready before the mesh is.
    pub(crate) fn awaited(&self) -> Vec<Awaited> {
        let services = self.layout.rate_limits.iter().map(|service| Awaited {
            process: format!("{}/rate-limit", service.cluster),
            address: service.address,
            question: Question::Connect,
        });
        let proxies = self.layout.proxies.iter().filter_map(|proxy| {
            let process = proxy.proxy.to_string();
            Some(Awaited { process, address: proxy.readiness?, question: Question::Ready })
        });
        services.chain(proxies).collect()
    }

    /// Puts another mesh of the same shape in the place of this one.
    pub(crate) fn replace(&mut self, mesh: CheckedMesh) -> Result<Changed, Failure> {
        self.rendered = rendered(&mesh, &self.placement)?;
        self.mesh = mesh;
        self.layout = layout(&self.mesh.plan, &self.placement);
        let changed = self.write_configuration()?;
        if let Some(told) = &self.told {
            *told.places.lock().unwrap_or_else(PoisonError::into_inner) = places(self);
        }
        Ok(changed)
    }

    /// Does what a cluster does about applications that are gone: their pods are not ready, so nobody finds them by name.
    /// Whoever listens in the place of a stand-in is ready, and one look alone takes nobody away.
    pub(crate) fn follow_readiness(&mut self) -> Result<(), Failure> {
        let gone = self.switchboard.gone();
        let unready = self.layout.applications.iter().filter(|application| {
            let service = format!("{}.{}", application.namespace, application.service);
            gone.contains(&Instance { service, cluster: application.proxy.cluster.clone() })
                && !application.ports.iter().any(|port| is_listened_at(port.address))
        });
        let unready = unready.map(|application| application.proxy.clone()).collect();
        let before = std::mem::replace(&mut self.unready, unready);
        if self.placement.withdraw(self.unready.intersection(&before).cloned().collect()) {
            self.rendered = rendered(&self.mesh, &self.placement)?;
            self.write_configuration()?;
        }
        Ok(())
    }

    /// Ends everything that runs.
    pub(crate) async fn stop(&mut self) {
        self.fleet.stop().await;
        self.tasks.shutdown().await;
    }

    /// Brings the files in place to what was rendered.
    fn write_configuration(&mut self) -> Result<Changed, Failure> {
        let mut changed = Changed::default();
        for proxy in &self.mesh.plan.proxies {
            self.server_tls.furnish(proxy, &self.placement)?;
            self.outside.furnish(proxy, &self.placement)?;
        }
        // What is counted changes before what is asked, so that no proxy asks for a counter that is unknown.
        for service in &self.mesh.plan.rate_limits {
            let directory = limits_directory(self.home.path(), &service.cluster_name);
            changed.limits += usize::from(files::limits(service, &directory)?);
        }
        for rendered in &self.rendered {
            if let Some(proxy) = files::plan_of(&self.mesh.plan, rendered)
                && files::configure(proxy, &self.placement, rendered)?
            {
                changed.proxies += 1;
            }
        }
        Ok(changed)
    }

    /// Starts the stand-in applications and the control socket.
    fn stand_in(&mut self, file: &Path, apps: &[App]) -> Result<(), Failure> {
        App::check(apps, &self.layout.applications)?;
        let mut switchboard = Switchboard::default();
        for application in &self.layout.applications {
            let service = format!("{}.{}", application.namespace, application.service);
            let instance = Instance { service, cluster: application.proxy.cluster.clone() };
            for port in &application.ports {
                let Some(held) = self.ports.claim(port.address) else { continue };
                let speech = match (App::of(apps, &instance, port.target), port.protocol) {
                    (Some(address), _) => Speech::Process(address),
                    (None, Protocol::Http | Protocol::Http2 | Protocol::Grpc) => Speech::Http,
                    (None, Protocol::Tcp | Protocol::Tls) => Speech::Tcp,
                };
                let behaviour = switchboard.follow(&instance);
                let stand = Stand { speech, tls: None };
                let told = Told { instance: instance.clone(), behaviour };
                self.tasks.spawn(serve(held, port.address, stand, told));
            }
        }
        for outside in &self.layout.externals {
            // `meshc fail` calls the address what it calls the cluster of an application.
            let instance = Instance { service: outside.external.clone(), cluster: outside.declared.clone() };
            let Some(held) = self.ports.claim(outside.address) else { continue };
            let speech = match outside.protocol {
                // What begins TLS on a port of its own speaks HTTP inside it, most likely.
                Protocol::Http | Protocol::Http2 | Protocol::Grpc | Protocol::Tls => Speech::Http,
                Protocol::Tcp => Speech::Tcp,
            };
            let stand = Stand { speech, tls: self.outside.acceptor(outside)? };
            let behaviour = switchboard.follow(&instance);
            self.tasks.spawn(serve(held, outside.address, stand, Told { instance, behaviour }));
        }
        let socket = self.home.socket();
        let listener = UnixListener::bind(socket).context(|| format!("listen at `{}`", socket.display()))?;
        let description = control::Description {
            file: std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf()).display().to_string(),
            data_plane: data_planes(&self.mesh),
            instances: switchboard.instances(),
        };
        self.switchboard = Arc::new(switchboard);
        let told = Arc::new(control::Told { description, places: Mutex::new(places(self)) });
        self.told = Some(Arc::clone(&told));
        self.tasks.spawn(control::answer(listener, Arc::clone(&self.switchboard), told));
        Ok(())
    }
}

/// What carries a mesh, in words.
fn data_planes(mesh: &CheckedMesh) -> String {
    let words: BTreeSet<&str> = mesh.plan.proxies.iter().map(|proxy| proxy.data_plane.word()).collect();
    words.into_iter().collect::<Vec<_>>().join(" and ")
}

/// Every proxy's watched files. What a backend cannot render has been refused before, by the capability check.
fn rendered(mesh: &CheckedMesh, placement: &Placement) -> Result<Vec<RenderedProxy>, Failure> {
    let mut sink = Sink::default();
    let rendered = render(mesh, Rendering::Watched, placement, &mut sink);
    match sink.into_sorted().into_iter().next() {
        None => Ok(rendered),
        Some(diagnostic) => Err(Failure::new(format!("{}: {}", diagnostic.code, diagnostic.message))
            .help("`meshc build` shows the place")),
    }
}

/// Whether somebody listens at an address: then it cannot be bound. No connection is opened, which whoever listens would
/// have to deal with, and who listens next is not disturbed, since this never listens.
fn is_listened_at(address: SocketAddr) -> bool {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let bound = socket.and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.bind(address)
    });
    bound.is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
}

fn limits_directory(home: &Path, cluster: &str) -> PathBuf {
    home.join("rate-limits").join(cluster)
}

/// A log file's name: that of the process with `_` between its parts.
fn log(directory: &Path, process: &str) -> PathBuf {
    directory.join(format!("{}.log", process.replace('/', "_")))
}

/// How a proxy is started.
fn invocation(
    proxy: &ProxyPlan,
    entry: &str,
    programs: &Programs,
) -> Result<(PathBuf, Vec<OsString>), Failure> {
    Ok(match proxy.data_plane {
        // Many Envoys on one machine: no shared memory, one worker each. Logs are flushed so that they can be read
        // while it runs. What a reload replaces drains for as long as Envoy likes by default: each connection is asked
        // to end, and none is cut while a request is on its way.
        DataPlane::Envoy => {
            let fixed = [
                "--disable-hot-restart",
                "--concurrency",
                "1",
                "--log-level",
                "warning",
                "--file-flush-interval-msec",
                "100",
                "-c",
                entry,
            ];
            (programs.envoy()?, fixed.map(OsString::from).into())
        }
        // One worker each, too. SIGTERM closes the listeners at once: here nobody has to learn first that the proxy
        // goes, and requests in flight finish all the same.
        DataPlane::Meshd => {
            let fixed =
                ["run", "--workers", "1", "--drain-seconds", "0", "--finish-seconds", "4", "--config", entry];
            (programs.meshd()?, fixed.map(OsString::from).into())
        }
    })
}
