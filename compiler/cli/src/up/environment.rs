//! The environment of the command that `meshc up` runs: where everything is.

use std::collections::BTreeMap;
use std::path::Path;

use meshc_local::Layout;

use super::{control, names};

/// Names the directory of a running mesh, with `keys/` and `proxies/<proxy>/`.
const DIRECTORY: &str = "MESH_DIRECTORY";

/// Variable → value.
pub(crate) fn environment(layout: &Layout, directory: &Path, socket: &Path) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    variables.insert(DIRECTORY.to_owned(), directory.display().to_string());
    variables.insert(control::VARIABLE.to_owned(), socket.display().to_string());
    for gateway in &layout.gateways {
        let (cluster, name, value) = (&gateway.cluster, &gateway.gateway, gateway.address.to_string());
        variables.insert(names::gateway_port(cluster, name, gateway.number), value.clone());
        variables.entry(names::gateway(cluster, name)).or_insert(value);
    }
    for call in &layout.calls {
        let name = names::call(&call.cluster, &call.caller, &call.callee, call.port);
        variables.insert(name, call.address.to_string());
    }
    for proxy in &layout.proxies {
        let name = proxy.proxy.to_string();
        let addresses = [
            (names::readiness(&name), proxy.readiness),
            (names::metrics(&name), proxy.metrics),
            (names::inbound(&name), proxy.inbound),
        ];
        for (name, address) in addresses {
            variables.extend(address.map(|address| (name, address.to_string())));
        }
    }
    variables
}
