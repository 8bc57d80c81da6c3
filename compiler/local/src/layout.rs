//! What runs where, for whoever starts it and prints it.

use std::net::SocketAddr;

use meshc_plan::{
    Deployment, EndpointAddress, ExternalPlan, ExternalPortPlan, GatewayDeployment, HttpListener, Listener,
    ListenerKind, PassThrough, Placement, Plan, ProxyName, ProxyPlan, RateLimitService, Role,
    SidecarDeployment, called_at_listener,
};
use meshc_vocabulary::model::{DataPlane, OutsideTls, Protocol};

use crate::place::app_ports;

/// A mesh on one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Every proxy, in order of name.
    pub proxies: Vec<ProxyAddress>,
    /// The ports of all gateways, in order of (cluster, gateway), then as declared.
    pub gateways: Vec<GatewayAddress>,
    /// Where applications reach their callees, in order of (cluster, caller, callee, port).
    pub calls: Vec<CallAddress>,
    /// The applications that somebody must stand in for, in order of proxy.
    pub applications: Vec<Application>,
    /// What somebody must stand in for outside the mesh, in order of name, port and preference.
    pub externals: Vec<ExternalAddress>,
    /// The rate-limit services, in order of cluster.
    pub rate_limits: Vec<RateLimitAddress>,
}

/// A proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAddress {
    /// Its name.
    pub proxy: ProxyName,
    /// What carries it.
    pub data_plane: DataPlane,
    /// The directory that stands for `/` to it.
    pub root: String,
    /// Where it answers `GET /healthz/ready`.
    pub readiness: Option<SocketAddr>,
    /// Where it answers `GET /metrics`.
    pub metrics: Option<SocketAddr>,
    /// Where a sidecar takes mTLS from other proxies.
    pub inbound: Option<SocketAddr>,
}

/// A port of a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayAddress {
    /// The cluster.
    pub cluster: String,
    /// The gateway.
    pub gateway: String,
    /// The port's name.
    pub port: String,
    /// The number that clients would use.
    pub number: u16,
    /// Where it is.
    pub address: SocketAddr,
    /// Hosts that it routes, in order of route; empty for an east-west gateway.
    pub hosts: Vec<HostAddress>,
    /// Whether clients must speak TLS.
    pub tls: bool,
    /// What it carries.
    pub carries: Carries,
    /// The Secret with the roots of the certificates that clients show, if they do.
    pub clients: Option<String>,
    /// Whether connections begin with the PROXY protocol's header.
    pub proxy_protocol: bool,
}

/// What a port of a gateway carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Carries {
    /// Requests of clients outside the mesh.
    Requests,
    /// TLS of clients outside the mesh, which it does not end.
    Tls,
    /// Bytes of clients outside the mesh.
    Bytes,
    /// mTLS between clusters.
    BetweenClusters,
}

/// A host that a port of a gateway routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// The name, or a pattern such as `*.example.org`.
    pub name: String,
    /// The Secret with the certificate that its clients are shown, where TLS ends here.
    pub secret: Option<String>,
}

/// Where an application reaches one of its callees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallAddress {
    /// The cluster.
    pub cluster: String,
    /// `namespace.service` of the caller, or `namespace.service.subset`.
    pub caller: String,
    /// `namespace.service` of the callee.
    pub callee: String,
    /// The callee's port number.
    pub port: u16,
    /// Where the caller's sidecar listens for this callee.
    pub address: SocketAddr,
    /// What belongs into the Host header: the callee's longest name. `None` for TCP.
    pub host: Option<String>,
    /// The server name of TLS that the application begins, and a pattern where only patterns are known.
    pub server_name: Option<String>,
}

/// An application beside a sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The sidecar.
    pub proxy: ProxyName,
    /// The namespace.
    pub namespace: String,
    /// The service, or `<service>.<subset>`.
    pub service: String,
    /// Where it must listen, in order of the declared port.
    pub ports: Vec<ApplicationAddress>,
}

/// A port of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationAddress {
    /// The declared port of the application.
    pub target: u16,
    /// What it speaks there; HTTP for ports that only probes and metrics use.
    pub protocol: Protocol,
    /// Where it must listen.
    pub address: SocketAddr,
}

/// An address of a host outside the mesh, at one of its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAddress {
    /// `namespace.name` of the host.
    pub external: String,
    /// The names by which it is called.
    pub hosts: Vec<String>,
    /// The number by which callers know the port.
    pub number: u16,
    /// The declared address or name.
    pub declared: String,
    /// What applications speak there.
    pub protocol: Protocol,
    /// TLS that proxies begin.
    pub tls: Option<OutsideTls>,
    /// Where something must listen in its place.
    pub address: SocketAddr,
}

/// A rate-limit service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimitAddress {
    /// The cluster.
    pub cluster: String,
    /// Where it must listen for gRPC.
    pub address: SocketAddr,
}

/// What runs where under a placement of the same plan.
#[must_use]
pub fn layout(plan: &Plan, placement: &Placement) -> Layout {
    let mut layout = Layout::default();
    for proxy in &plan.proxies {
        let at = |listener: &Listener| placement.listener(&proxy.name, &listener.name, listener.address);
        layout.proxies.push(proxy_address(proxy, placement, &at));
        match &proxy.deployment {
            Deployment::Gateway(gateway) => layout.gateways.extend(gateway_ports(proxy, gateway, &at)),
            Deployment::Sidecar(sidecar) => {
                layout.calls.extend(calls(proxy, sidecar, &at));
                layout.applications.extend(application(proxy, sidecar, placement));
            }
        }
    }
    layout
        .gateways
        .sort_by(|left, right| (&left.cluster, &left.gateway).cmp(&(&right.cluster, &right.gateway)));
    layout.calls.sort_by(|left, right| key(left).cmp(&key(right)));
    layout.externals = plan.externals.iter().flat_map(|external| outside(external, placement)).collect();
    layout.rate_limits = plan.rate_limits.iter().map(|service| rate_limit(service, placement)).collect();
    layout
}

fn key(call: &CallAddress) -> (&str, &str, &str, u16) {
    (&call.cluster, &call.caller, &call.callee, call.port)
}

fn proxy_address(
    proxy: &ProxyPlan,
    placement: &Placement,
    at: &dyn Fn(&Listener) -> SocketAddr,
) -> ProxyAddress {
    let mut address = ProxyAddress {
        proxy: proxy.name.clone(),
        data_plane: proxy.data_plane,
        root: placement.path(&proxy.name, ""),
        readiness: None,
        metrics: None,
        inbound: None,
    };
    for listener in &proxy.listeners {
        match listener.kind {
            ListenerKind::Readiness(_) => address.readiness = Some(at(listener)),
            ListenerKind::Metrics(_) => address.metrics = Some(at(listener)),
            ListenerKind::Inbound(_) => address.inbound = Some(at(listener)),
            ListenerKind::Http(_)
            | ListenerKind::Tcp(_)
            | ListenerKind::PassThrough(_)
            | ListenerKind::Redirected => {}
        }
    }
    address
}

fn gateway_ports(
    proxy: &ProxyPlan,
    gateway: &GatewayDeployment,
    at: &dyn Fn(&Listener) -> SocketAddr,
) -> Vec<GatewayAddress> {
    let mut addresses = Vec::with_capacity(gateway.ports.len());
    for port in &gateway.ports {
        for listener in proxy.listeners.iter().filter(|listener| listener.address.port() == port.listen) {
            let (hosts, tls) = match &listener.kind {
                ListenerKind::Http(http) => {
                    let secret = |host: &str| {
                        let tls = http.tls.as_ref()?;
                        Some(tls.certificates.get(tls.chosen(host)?)?.secret.clone())
                    };
                    let hosts = hosts(http).map(|name| HostAddress { secret: secret(&name), name }).collect();
                    (hosts, http.tls.is_some())
                }
                ListenerKind::PassThrough(PassThrough { hello_timeout: _, chains }) => {
                    let names = chains.iter().flat_map(|chain| &chain.names);
                    let outside = |_: &&String| match proxy.role {
                        Role::IngressGateway(_) => true,
                        Role::EastWestGateway(_) | Role::EgressGateway(_) | Role::Sidecar(_) => false,
                    };
                    let host = |name: &String| HostAddress { name: name.clone(), secret: None };
                    (names.filter(outside).map(host).collect(), true)
                }
                ListenerKind::Tcp(tcp) => {
                    let certificates = tcp.tls.iter().flat_map(|tls| &tls.certificates);
                    let hosts = certificates.flat_map(|one| {
                        let secret = Some(one.secret.clone());
                        one.hosts_to_ask_for()
                            .map(move |host| HostAddress { name: host.to_owned(), secret: secret.clone() })
                    });
                    (hosts.collect(), tcp.tls.is_some())
                }
                ListenerKind::Inbound(_)
                | ListenerKind::Redirected
                | ListenerKind::Readiness(_)
                | ListenerKind::Metrics(_) => continue,
            };
            addresses.push(GatewayAddress {
                cluster: proxy.name.cluster.clone(),
                gateway: gateway.name.clone(),
                port: port.name.clone(),
                number: port.number,
                address: at(listener),
                hosts,
                tls,
                carries: carries(proxy, &listener.kind),
                clients: clients(&listener.kind),
                proxy_protocol: listener.proxy_protocol,
            });
        }
    }
    addresses
}

fn carries(proxy: &ProxyPlan, kind: &ListenerKind) -> Carries {
    match (proxy.role, kind) {
        (Role::EastWestGateway(_) | Role::EgressGateway(_), _) => Carries::BetweenClusters,
        (Role::IngressGateway(_) | Role::Sidecar(_), ListenerKind::PassThrough(_)) => Carries::Tls,
        (Role::IngressGateway(_) | Role::Sidecar(_), ListenerKind::Tcp(_)) => Carries::Bytes,
        (
            Role::IngressGateway(_) | Role::Sidecar(_),
            ListenerKind::Http(_)
            | ListenerKind::Inbound(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_),
        ) => Carries::Requests,
    }
}

/// The Secret with the roots of clients' certificates.
fn clients(kind: &ListenerKind) -> Option<String> {
    kind.server_tls()?.clients.as_ref().map(|clients| clients.secret.clone())
}

fn hosts(http: &HttpListener) -> impl Iterator<Item = String> {
    http.virtual_hosts.iter().flat_map(|host| host.hosts.iter().cloned())
}

fn calls(
    proxy: &ProxyPlan,
    sidecar: &SidecarDeployment,
    at: &dyn Fn(&Listener) -> SocketAddr,
) -> Vec<CallAddress> {
    let outbound = proxy.listeners.iter().filter_map(|listener| {
        let (service, namespace, port) = called_at_listener(&listener.name)?;
        let (host, server_name) = match &listener.kind {
            ListenerKind::Http(http) => {
                // A service answers to any host, and the full name is the one that applications use.
                let names =
                    proxy.host_aliases.iter().filter(|(address, _)| *address == listener.address.ip());
                let names = names.flat_map(|(_, names)| names.iter().cloned());
                (names.max_by_key(String::len).or_else(|| hosts(http).next()), None)
            }
            ListenerKind::PassThrough(PassThrough { hello_timeout: _, chains }) => {
                let names = chains.iter().flat_map(|chain| &chain.names);
                (None, names.min_by_key(|name| name.starts_with('*')).cloned())
            }
            ListenerKind::Tcp(_) => (None, None),
            ListenerKind::Inbound(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => return None,
        };
        Some(CallAddress {
            cluster: proxy.name.cluster.clone(),
            caller: format!("{}.{}", sidecar.namespace, sidecar.called()),
            callee: format!("{namespace}.{service}"),
            port,
            address: at(listener),
            host,
            server_name,
        })
    });
    outbound.collect()
}

/// The application beside a sidecar, if the sidecar ever connects to it.
fn application(proxy: &ProxyPlan, sidecar: &SidecarDeployment, placement: &Placement) -> Option<Application> {
    let ports: Vec<_> = app_ports(proxy)
        .into_iter()
        .map(|target| {
            let declared = sidecar.ports.iter().find(|port| port.target == target);
            ApplicationAddress {
                target,
                protocol: declared.map_or(Protocol::Http, |port| port.protocol),
                address: placement.app(&proxy.name, target),
            }
        })
        .collect();
    (!ports.is_empty()).then(|| Application {
        proxy: proxy.name.clone(),
        namespace: sidecar.namespace.clone(),
        service: sidecar.called(),
        ports,
    })
}

/// Every address of a host outside that has a place.
fn outside(external: &ExternalPlan, placement: &Placement) -> Vec<ExternalAddress> {
    let ExternalPlan { name, hosts, addresses, ports, origin: _ } = external;
    let mut found = Vec::new();
    for ExternalPortPlan { number, target: _, protocol, tls } in ports {
        for declared in addresses {
            let Some(address) = placement.external(name, *number, declared) else { continue };
            found.push(ExternalAddress {
                external: name.clone(),
                hosts: hosts.clone(),
                number: *number,
                declared: match declared {
                    EndpointAddress::Ip(ip) => ip.to_string(),
                    EndpointAddress::Name(name) => name.clone(),
                },
                protocol: *protocol,
                tls: tls.clone(),
                address,
            });
        }
    }
    found
}

fn rate_limit(service: &RateLimitService, placement: &Placement) -> RateLimitAddress {
    RateLimitAddress {
        cluster: service.cluster_name.clone(),
        address: placement.rate_limit(&service.cluster_name),
    }
}
