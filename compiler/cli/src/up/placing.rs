//! Where each part of a mesh goes on this machine.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;

use meshc_local::place;
use meshc_plan::{Placement, Plan, paths};
use meshc_vocabulary::model::IpFamily;

use super::ports::Ports;
use crate::exit::Failure;

/// A socket's path has to be shorter than this, with its final zero byte (`sockaddr_un` of Linux).
const SOCKET_PATH: usize = 108;

/// Places a plan: a free port for each address, and for each proxy `proxies/<its name>` below the directory, or a
/// shorter name there if a socket's path would become too long.
pub(crate) fn placing(plan: &Plan, directory: &Path, ports: &mut Ports) -> Result<Placement, Failure> {
    let mut refused = None;
    let mut port = |name: &str| match ports.take(name) {
        Ok(port) => port,
        Err(error) => {
            refused = Some(error);
            0
        }
    };
    let proxies = directory.join("proxies").display().to_string();
    let mut placement = place(plan, &mut port, &proxies);
    if let Some(error) = refused {
        return Err(no_port(&error));
    }
    for proxy in &plan.proxies {
        let named = format!("{proxies}/{}", proxy.name);
        if named.len() + paths::ADMIN_SOCKET.len() < SOCKET_PATH {
            placement.put_root(&proxy.name, &named);
        }
        let socket = placement.path(&proxy.name, paths::ADMIN_SOCKET);
        if socket.len() >= SOCKET_PATH {
            return Err(Failure::new(format!("`{socket}` is too long for the name of a socket"))
                .help("set XDG_RUNTIME_DIR or TMPDIR to a directory with a shorter name"));
        }
    }
    Ok(placement)
}

/// The ports of a mesh, which stay the same from run to run of one file.
pub(crate) fn ports(plan: &Plan, file: &Path) -> Result<Ports, Failure> {
    let whole = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    let further: &[IpAddr] = match plan.proxies.iter().any(|proxy| proxy.ip_family == IpFamily::V6) {
        true => &[IpAddr::V6(Ipv6Addr::LOCALHOST)],
        false => &[],
    };
    Ports::new(&whole.to_string_lossy(), meshc_local::ports(plan), further).map_err(|error| no_port(&error))
}

fn no_port(error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot find a free port on loopback: {error}"))
        .help("a large mesh needs many open files; allow them with: ulimit -n 65536")
}

/// Everything of a plan that has a place or a process: as long as it stays, the mesh can be reloaded.
pub(crate) fn shape(plan: &Plan) -> BTreeSet<String> {
    let mut shape = BTreeSet::new();
    for proxy in &plan.proxies {
        let name = &proxy.name;
        shape.insert(format!("the proxy {name} on {}", proxy.data_plane.word()));
        if let Some(identity) = &proxy.identity {
            shape.insert(format!("the identity {} of {name}", identity.spiffe));
        }
        for listener in &proxy.listeners {
            shape.insert(format!("the listener {} of {name}", listener.name));
        }
        for group in proxy.upstreams.iter().flat_map(|upstream| &upstream.groups) {
            for endpoint in &group.endpoints {
                if endpoint.serves == meshc_plan::Serves::App {
                    shape.insert(format!("port {} of the application beside {name}", endpoint.port));
                }
            }
        }
    }
    for external in &plan.externals {
        for port in &external.ports {
            for address in &external.addresses {
                // What a stand-in speaks does not change while it runs.
                shape.insert(format!("{address:?} of {}, {port:?}, {:?}", external.name, external.hosts));
            }
        }
    }
    shape.extend(
        plan.rate_limits.iter().map(|each| format!("the rate-limit service of {}", each.cluster_name)),
    );
    shape
}
