//! Names and numbers that several stages must derive alike.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use meshc_vocabulary::model::{Capture, GatewayPort, IpFamily};

use crate::paths;

/// The SNI of a port of a service or of a subset of it, in Istio's own format, with a constant suffix whatever the
/// clusters' domains are.
#[must_use]
pub fn sni(service: &str, subset: Option<&str>, namespace: &str, port: u16) -> String {
    // Without a subset it is `_._.`, with one `_.v2_.`: nothing stands between the dot and the underscore.
    let subset = subset.unwrap_or_default();
    let port = port.to_string();
    ["outbound_.", &port, "_.", subset, "_.", service, ".", namespace, ".svc.cluster.local"].concat()
}

/// The service, the namespace and the port of an SNI that [`sni`] made, whichever subset it means.
#[must_use]
pub fn called_by_sni(sni: &str) -> Option<(&str, &str, u16)> {
    let (port, rest) = sni.strip_prefix("outbound_.")?.split_once("_.")?;
    let (_, name) = rest.split_once("_.")?;
    let (service, namespace) = name.strip_suffix(".svc.cluster.local")?.rsplit_once('.')?;
    Some((service, namespace, port.parse().ok()?))
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
    [service, ".", namespace, ":", &port.to_string()].concat()
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
    ["outbound_", namespace, "_", service, "_", &port.to_string()].concat()
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

/// The port that a gateway's proxy listens on for one that clients use: the same from 1024 up, else 8000 more, so that the
/// pod needs no privilege, or 16000, 24000 and so on if clients use that one, too. So 80 and 8080 are 16080 and 8080. No
/// two numbers below 1024 get the same one.
#[must_use]
pub fn listen_port(number: u16, used_by_clients: &[GatewayPort]) -> u16 {
    if number >= FIRST_UNPRIVILEGED_PORT {
        return number;
    }
    let moved = |times: u16| UNPRIVILEGED_OFFSET.checked_mul(times)?.checked_add(number);
    let is_free = |moved: &u16| !used_by_clients.iter().any(|port| port.number == *moved);
    (1..).map_while(moved).find(is_free).unwrap_or(number + UNPRIVILEGED_OFFSET)
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
    [object, "-mesh"].concat()
}

/// The label (key, value) that only our component adds to the pods of a service, or of a subset of it.
#[must_use]
pub fn app_label(object: &str) -> (String, String) {
    (String::from("mesh.meshc.dev/service"), object.to_owned())
}

/// Where virtual addresses are, by the caller's capture and the addresses of its pods.
///
/// Pods with both kinds of addresses are called as those with IPv4 addresses: every program that runs there can use them.
/// The loopback of IPv6 has a single address, so that of IPv4, which every pod has, serves all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VirtualRange {
    /// 127.64.0.0/10, with `capture = loopback`.
    Loopback,
    /// [`paths::REDIRECTED_RANGE`], with `capture = redirect`.
    Redirected,
    /// [`paths::REDIRECTED_RANGE_V6`], with `capture = redirect` where pods have IPv6 addresses alone.
    RedirectedV6,
}

impl VirtualRange {
    /// The range for callers with this capture and these addresses.
    #[must_use]
    pub const fn of(capture: Capture, family: IpFamily) -> Self {
        match (capture, family) {
            (Capture::Loopback, IpFamily::V4 | IpFamily::V6 | IpFamily::Dual) => Self::Loopback,
            (Capture::Redirect, IpFamily::V4 | IpFamily::Dual) => Self::Redirected,
            (Capture::Redirect, IpFamily::V6) => Self::RedirectedV6,
        }
    }

    /// The range as a text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Loopback => "127.64.0.0/10",
            Self::Redirected => paths::REDIRECTED_RANGE,
            Self::RedirectedV6 => paths::REDIRECTED_RANGE_V6,
        }
    }

    /// Whether it holds an address.
    #[must_use]
    pub fn holds(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::Loopback, IpAddr::V4(address)) => {
                let [first, second, ..] = address.octets();
                first == 127 && (64..128).contains(&second)
            }
            (Self::Redirected, IpAddr::V4(address)) => address.octets().starts_with(&[240, 240]),
            (Self::RedirectedV6, IpAddr::V6(address)) => address.segments().starts_with(&[0x100, 0, 0, 0]),
            (Self::Loopback | Self::Redirected, IpAddr::V6(_)) | (Self::RedirectedV6, IpAddr::V4(_)) => false,
        }
    }
}

/// The stable virtual address of a callee, derived from its name alone. The last octet of an IPv4 address is never 0 or
/// 255; that of the subnet's routers is none of those of IPv6. FNV-1a (64 bit, offset basis and prime as published by
/// Fowler, Noll and Vo) over `<service>.<namespace>`.
#[must_use]
pub fn virtual_address(service: &str, namespace: &str, range: VirtualRange) -> IpAddr {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in service.bytes().chain([b'.']).chain(namespace.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash ^= hash >> 32;
    let low = |modulus: u64, value: u64| u8::try_from(value % modulus).unwrap_or(0);
    let last = low(254, hash) + 1;
    match range {
        VirtualRange::Loopback => {
            Ipv4Addr::new(127, 64 + low(64, hash >> 8), low(256, hash >> 16), last).into()
        }
        VirtualRange::Redirected => Ipv4Addr::new(240, 240, low(256, hash >> 16), last).into(),
        VirtualRange::RedirectedV6 => Ipv6Addr::from_bits(0x100 << 112 | u128::from(hash.max(1))).into(),
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
        assert_eq!(called_by_sni(expected), Some(("reviews", "shop", 9080)));
        assert_eq!(called_by_sni(&sni("a", None, "b", 80)), Some(("a", "b", 80)));
        assert_eq!(called_by_sni(&check_sni("a", None, "b", 80)), None);
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
        let derived = |range| virtual_address("catalog", "istioinaction", range).to_string();
        assert_eq!(derived(VirtualRange::Loopback), "127.100.131.180");
        assert_eq!(derived(VirtualRange::Redirected), "240.240.131.180");
        assert_eq!(derived(VirtualRange::RedirectedV6), "100::84ae:44e2:f383:2489");
        for range in [VirtualRange::Loopback, VirtualRange::Redirected, VirtualRange::RedirectedV6] {
            for index in 0..2000 {
                let address = virtual_address(&format!("s{index}"), "n", range);
                assert!(range.holds(address), "{address}");
                match address {
                    IpAddr::V4(address) => assert!((1..255).contains(&address.octets()[3])),
                    IpAddr::V6(address) => assert_ne!(address, Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0)),
                }
            }
        }
    }

    #[test]
    fn ranges_are_apart() {
        let holds = |range: VirtualRange, address: &str| range.holds(address.parse().unwrap());
        for (inside, outside) in [
            ((VirtualRange::Loopback, "127.127.255.254"), (VirtualRange::Loopback, "127.0.0.1")),
            ((VirtualRange::Loopback, "127.64.0.1"), (VirtualRange::Loopback, "::1")),
            ((VirtualRange::Redirected, "240.240.0.1"), (VirtualRange::Redirected, "240.241.0.1")),
            ((VirtualRange::RedirectedV6, "100::ffff"), (VirtualRange::RedirectedV6, "100:0:0:1::1")),
            ((VirtualRange::RedirectedV6, "100::1"), (VirtualRange::RedirectedV6, "240.240.0.1")),
        ] {
            assert!(holds(inside.0, inside.1) && !holds(outside.0, outside.1), "{inside:?} {outside:?}");
        }
    }
}
