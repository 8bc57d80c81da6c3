//! Names of variables in the environment of a running mesh.

/// A name as it stands in a variable: upper case, every other character as `_`.
pub(crate) fn variable(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// The address of a gateway; of its first port, since most have only one.
pub(crate) fn gateway(cluster: &str, gateway: &str) -> String {
    format!("MESH_GATEWAY_{}_{}", variable(cluster), variable(gateway))
}

/// The address of one of a gateway's ports.
pub(crate) fn gateway_port(cluster: &str, name: &str, port: u16) -> String {
    format!("{}_{port}", gateway(cluster, name))
}

/// The file that a client trusts which connects to a gateway's port with TLS.
pub(crate) fn certificate(cluster: &str, name: &str, port: u16) -> String {
    format!("MESH_CACERT_{}_{}_{port}", variable(cluster), variable(name))
}

/// The same by the Secret that holds the certificate, for a port with several.
pub(crate) fn certificate_of(cluster: &str, name: &str, secret: &str) -> String {
    format!("MESH_CACERT_{}_{}_{}", variable(cluster), variable(name), variable(secret))
}

/// The file with the certificate of a client outside the mesh, or with its key, by the Secret with the roots.
pub(crate) fn client(what: &str, cluster: &str, name: &str, secret: &str) -> String {
    format!("MESH_CLIENT_{what}_{}_{}_{}", variable(cluster), variable(name), variable(secret))
}

/// Where a caller's application reaches a callee; both are `namespace.service`.
pub(crate) fn call(cluster: &str, caller: &str, callee: &str, port: u16) -> String {
    format!("MESH_CALL_{}_{}__{}_{port}", variable(cluster), variable(caller), variable(callee))
}

/// Where a stand-in for a host outside listens: at a port, for the address at a position of those declared.
pub(crate) fn outside(external: &str, port: u16, position: usize) -> String {
    let name = format!("MESH_OUTSIDE_{}_{port}", variable(external));
    if position == 0 { name } else { format!("{name}_{}", position + 1) }
}

/// The metrics of a proxy.
pub(crate) fn metrics(proxy: &str) -> String {
    format!("MESH_METRICS_{}", variable(proxy))
}

/// The readiness of a proxy.
pub(crate) fn readiness(proxy: &str) -> String {
    format!("MESH_READINESS_{}", variable(proxy))
}

/// Where a sidecar takes mTLS from other proxies.
pub(crate) fn inbound(proxy: &str) -> String {
    format!("MESH_INBOUND_{}", variable(proxy))
}

/// Where a sidecar reaches its application.
pub(crate) fn application(proxy: &str, port: u16) -> String {
    format!("MESH_APPLICATION_{}_{port}", variable(proxy))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_character_is_an_underscore() {
        assert_eq!(gateway("west", "ingress"), "MESH_GATEWAY_WEST_INGRESS");
        assert_eq!(gateway_port("west", "east-west", 15443), "MESH_GATEWAY_WEST_EAST_WEST_15443");
        assert_eq!(
            call("eu-1", "shop.web-app", "shop.catalog.v2", 80),
            "MESH_CALL_EU_1_SHOP_WEB_APP__SHOP_CATALOG_V2_80"
        );
        assert_eq!(metrics("east/sidecars/shop/web"), "MESH_METRICS_EAST_SIDECARS_SHOP_WEB");
    }
}
