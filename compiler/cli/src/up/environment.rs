//! The environment of the command that `meshc up` runs: where everything is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use meshc_local::Layout;

use super::running::Running;
use super::server_tls::ClientPaths;
use super::{control, names};

/// Names the directory of a running mesh, with `keys/` and `proxies/<proxy>/`.
const DIRECTORY: &str = "MESH_DIRECTORY";

/// Names the file that a client of a host outside trusts.
const OUTSIDE_ROOTS: &str = "MESH_CACERT_OUTSIDE";

/// What the command finds.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// Variable → value.
    pub(crate) variables: BTreeMap<String, String>,
    /// Variables that would mean several addresses, such as that of the gateway `c` of `a-b` and of `b-c` of `a`. They
    /// are left out: a wrong address is worse than none.
    pub(crate) ambiguous: BTreeSet<String>,
}

impl Environment {
    fn put(&mut self, name: String, value: String) {
        match self.variables.get(&name) {
            Some(other) if *other != value => {
                self.variables.remove(&name);
                self.ambiguous.insert(name);
            }
            Some(_) => {}
            None if self.ambiguous.contains(&name) => {}
            None => {
                self.variables.insert(name, value);
            }
        }
    }
}

/// The environment of a running mesh.
pub(crate) fn environment(running: &Running) -> Environment {
    let mut environment = addresses(&running.layout, running.home.path(), running.home.socket());
    for gateway in &running.layout.gateways {
        let (cluster, name) = (&gateway.cluster, &gateway.gateway);
        if let Some(secret) = &gateway.clients {
            let ClientPaths { certificate, key } = running.server_tls.client(cluster, name, secret);
            for (what, path) in [("CERT", certificate), ("KEY", key)] {
                environment.put(names::client(what, cluster, name, secret), path.display().to_string());
            }
        }
        let secrets: BTreeSet<_> = gateway.hosts.iter().filter_map(|host| host.secret.as_ref()).collect();
        for secret in &secrets {
            let file = running.server_tls.public(cluster, name, secret).display().to_string();
            // With several certificates the port alone names none, and the Secret does.
            if secrets.len() == 1 {
                environment.put(names::certificate(cluster, name, gateway.number), file.clone());
            }
            environment.put(names::certificate_of(cluster, name, secret), file);
        }
    }
    if !running.layout.externals.is_empty() {
        environment.put(OUTSIDE_ROOTS.to_owned(), running.outside.roots().display().to_string());
    }
    environment
}

fn addresses(layout: &Layout, directory: &Path, socket: &Path) -> Environment {
    let mut environment = Environment::default();
    environment.put(DIRECTORY.to_owned(), directory.display().to_string());
    environment.put(control::VARIABLE.to_owned(), socket.display().to_string());
    let mut gateways = BTreeSet::new();
    for gateway in &layout.gateways {
        let (cluster, name, value) = (&gateway.cluster, &gateway.gateway, gateway.address.to_string());
        environment.put(names::gateway_port(cluster, name, gateway.number), value.clone());
        // Without a port it is the first one.
        if gateways.insert((cluster, name)) {
            environment.put(names::gateway(cluster, name), value);
        }
    }
    for call in &layout.calls {
        let name = names::call(&call.cluster, &call.caller, &call.callee, call.port);
        environment.put(name, call.address.to_string());
    }
    for proxy in &layout.proxies {
        let name = proxy.proxy.to_string();
        let addresses = [
            (names::readiness(&name), proxy.readiness),
            (names::metrics(&name), proxy.metrics),
            (names::inbound(&name), proxy.inbound),
        ];
        for (name, address) in addresses {
            if let Some(address) = address {
                environment.put(name, address.to_string());
            }
        }
    }
    for application in &layout.applications {
        for port in &application.ports {
            let name = names::application(&application.proxy.to_string(), port.target);
            environment.put(name, port.address.to_string());
        }
    }
    let mut positions: BTreeMap<(&str, u16), usize> = BTreeMap::new();
    for outside in &layout.externals {
        let position = positions.entry((&outside.external, outside.number)).or_default();
        let name = names::outside(&outside.external, outside.number, *position);
        *position += 1;
        environment.put(name, outside.address.to_string());
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;
    use meshc_local::{Carries, GatewayAddress};

    #[test]
    fn a_name_that_could_mean_two_addresses_means_none() {
        let gateway = |cluster: &str, gateway: &str, number: u16, address: &str| GatewayAddress {
            cluster: cluster.to_owned(),
            gateway: gateway.to_owned(),
            port: String::from("http"),
            number,
            address: address.parse().unwrap(),
            hosts: Vec::new(),
            tls: false,
            carries: Carries::Requests,
            clients: None,
            proxy_protocol: false,
        };
        let gateways = vec![
            gateway("a", "b-c", 80, "127.0.0.1:1"),
            gateway("a", "b-c", 81, "127.0.0.1:2"),
            gateway("a-b", "c", 80, "127.0.0.1:3"),
            gateway("west", "in", 80, "127.0.0.1:4"),
            gateway("west", "in", 81, "127.0.0.1:5"),
        ];
        let layout = Layout { gateways, ..Layout::default() };
        let found = addresses(&layout, Path::new("d"), Path::new("s"));
        let ambiguous: Vec<_> = found.ambiguous.iter().map(String::as_str).collect();
        assert_eq!(ambiguous, ["MESH_GATEWAY_A_B_C", "MESH_GATEWAY_A_B_C_80"]);
        let variables: Vec<_> =
            found.variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = [
            "MESH_CONTROL=s",
            "MESH_DIRECTORY=d",
            "MESH_GATEWAY_A_B_C_81=127.0.0.1:2",
            "MESH_GATEWAY_WEST_IN=127.0.0.1:4",
            "MESH_GATEWAY_WEST_IN_80=127.0.0.1:4",
            "MESH_GATEWAY_WEST_IN_81=127.0.0.1:5",
        ];
        assert_eq!(variables, expected);
    }
}
