//! Names and numbers that several stages must derive alike.

use std::net::Ipv4Addr;

use meshc_vocabulary::model::Capture;

/// The SNI of a port of a service or of a subset of it, in Istio's own format, with a constant suffix whatever the
/// clusters' domains are.
#[must_use]
pub fn sni(service: &str, subset: Option<&str>, namespace: &str, port: u16) -> String {
    // Without a subset it is `_._.`, with one `_.v2_.`: nothing stands between the dot and the underscore.
    let subset = subset.unwrap_or_default();
    format!("outbound_.{port}_.{subset}_.{service}.{namespace}.svc.cluster.local")
}

/// The SNI of health checks of the same: it leads to where nothing but the check is taken.
#[must_use]
pub fn check_sni(service: &str, subset: Option<&str>, namespace: &str, port: u16) -> String {
    let subset = subset.unwrap_or_default();
    format!("{CHECK_SNI}{port}_.{subset}_.{service}.{namespace}.svc.cluster.local")
}

/// What the SNI of each health check begins with, and no other.
pub const CHECK_SNI: &str = "check_.";

/// The name of a callee port's upstream: `catalog.istioinaction:80`, and `reviews.v2.shop:9080` for a subset.
#[must_use]
pub fn upstream_name(service: &str, namespace: &str, port: u16) -> String {
    format!("{service}.{namespace}:{port}")
}

/// Service (`reviews.v2` for a subset), namespace and port number of a callee port's upstream; `None` for other upstreams.
/// The reverse of [`upstream_name`], as long as no namespace contains a dot, which no Kubernetes name does.
#[must_use]
pub fn called_by_upstream(name: &str) -> Option<(&str, &str, u16)> {
    let (name, port) = name.rsplit_once(':')?;
    let (service, namespace) = name.rsplit_once('.')?;
    Some((service, namespace, port.parse().ok()?))
}

/// The name of the listener at which a sidecar's application reaches a callee port: `outbound_istioinaction_catalog_80`.
#[must_use]
pub fn outbound_listener(service: &str, namespace: &str, port: u16) -> String {
    format!("outbound_{namespace}_{service}_{port}")
}

/// Service, namespace and port number of a callee port's listener; `None` for other listeners. The reverse of
/// [`outbound_listener`], as long as no name contains an underscore, which no Kubernetes name of a service or namespace
/// does.
#[must_use]
pub fn called_at_listener(name: &str) -> Option<(&str, &str, u16)> {
    let (name, port) = name.strip_prefix("outbound_")?.rsplit_once('_')?;
    let (namespace, service) = name.split_once('_')?;
    Some((service, namespace, port.parse().ok()?))
}

/// Ports from here up need no privilege.
pub(crate) const FIRST_UNPRIVILEGED_PORT: u16 = 1024;
/// What a gateway adds to lower ones.
const UNPRIVILEGED_OFFSET: u16 = 8000;

/// The port that a gateway's proxy listens on for one that clients use: 8000 more below 1024, so that the pod needs
/// no privilege, else the same.
#[must_use]
pub const fn listen_port(number: u16) -> u16 {
    if number < FIRST_UNPRIVILEGED_PORT { number + UNPRIVILEGED_OFFSET } else { number }
}

/// What Kubernetes objects of a service or of a subset are called: `catalog`, `reviews-v2`.
#[must_use]
pub fn object_name(service: &str, subset: Option<&str>) -> String {
    match subset {
        Some(subset) => format!("{service}-{subset}"),
        None => service.to_owned(),
    }
}

/// The headless companion Service of what has this [`object_name`]: it selects only pods that carry [`app_label`].
#[must_use]
pub fn companion_service(object: &str) -> String {
    format!("{object}-mesh")
}

/// The label (key, value) that only our component adds to the pods of a service, or of a subset of it.
#[must_use]
pub fn app_label(object: &str) -> (String, String) {
    (String::from("mesh.meshc.dev/service"), object.to_owned())
}

/// The stable virtual address of a callee, derived from its name alone: in 127.64.0.0/10 for `capture = loopback`,
/// in 240.240.0.0/16 for `capture = redirect`. The last octet is never 0 or 255. FNV-1a (64 bit, offset basis and
/// prime as published by Fowler, Noll and Vo) over `<service>.<namespace>`.
#[must_use]
pub fn virtual_address(service: &str, namespace: &str, capture: Capture) -> Ipv4Addr {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in service.bytes().chain([b'.']).chain(namespace.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    let low = |modulus: u64, value: u64| u8::try_from(value % modulus).unwrap_or(0);
    let last = low(254, hash) + 1;
    match capture {
        Capture::Loopback => Ipv4Addr::new(127, 64 + low(64, hash >> 8), low(256, hash >> 16), last),
        Capture::Redirect => Ipv4Addr::new(240, 240, low(256, hash >> 16), last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sni_is_istios() {
        let expected = "outbound_.80_._.catalog.istioinaction.svc.cluster.local";
        assert_eq!(sni("catalog", None, "istioinaction", 80), expected);
        let expected = "outbound_.9080_.v2_.reviews.shop.svc.cluster.local";
        assert_eq!(sni("reviews", Some("v2"), "shop", 9080), expected);
    }

    #[test]
    fn an_upstreams_name_says_who_is_called() {
        let name = upstream_name("catalog", "istioinaction", 80);
        assert_eq!(name, "catalog.istioinaction:80");
        assert_eq!(called_by_upstream(&name), Some(("catalog", "istioinaction", 80)));
        let of_subset = upstream_name("reviews.v2", "shop", 9080);
        assert_eq!(called_by_upstream(&of_subset), Some(("reviews.v2", "shop", 9080)));
        assert_eq!(called_by_upstream("app:8080"), None);
        assert_eq!(called_by_upstream("rate-limit"), None);
    }

    #[test]
    fn a_listeners_name_says_who_is_called() {
        let name = outbound_listener("catalog", "istioinaction", 80);
        assert_eq!(name, "outbound_istioinaction_catalog_80");
        assert_eq!(called_at_listener(&name), Some(("catalog", "istioinaction", 80)));
        assert_eq!(called_at_listener("outbound"), None);
        assert_eq!(called_at_listener("ingress_http"), None);
    }

    #[test]
    fn virtual_addresses_are_stable_and_in_their_range() {
        let first = virtual_address("catalog", "istioinaction", Capture::Loopback);
        assert_eq!(first, virtual_address("catalog", "istioinaction", Capture::Loopback));
        for index in 0..2000 {
            let [a, b, _, d] = virtual_address(&format!("s{index}"), "n", Capture::Loopback).octets();
            assert!(a == 127 && (64..128).contains(&b) && (1..255).contains(&d));
            let [a, b, _, d] = virtual_address(&format!("s{index}"), "n", Capture::Redirect).octets();
            assert!(a == 240 && b == 240 && (1..255).contains(&d));
        }
    }
}
