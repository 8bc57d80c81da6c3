//! Short names for the envoy-types modules that most files here use, and builders for the small messages that wrap
//! numbers, durations, addresses and strings.

use std::net::SocketAddr;
use std::time::Duration;

pub(crate) use envoy_types::pb::envoy::config::accesslog::v3 as access_log;
pub(crate) use envoy_types::pb::envoy::config::cluster::v3 as cluster;
pub(crate) use envoy_types::pb::envoy::config::core::v3 as base;
pub(crate) use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
pub(crate) use envoy_types::pb::envoy::config::listener::v3 as listener;
pub(crate) use envoy_types::pb::envoy::config::rbac::v3 as rbac;
pub(crate) use envoy_types::pb::envoy::config::route::v3 as route;
pub(crate) use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
pub(crate) use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3 as tls;
pub(crate) use envoy_types::pb::envoy::r#type::matcher::v3 as matcher;
pub(crate) use envoy_types::pb::envoy::r#type::v3 as kind;
use envoy_types::pb::google::protobuf;

use crate::proto::{Root, any};

/// A number that may be absent.
pub(crate) fn number(value: u32) -> Option<protobuf::UInt32Value> {
    Some(protobuf::UInt32Value { value })
}

/// A large number that may be absent.
pub(crate) fn long(value: u64) -> Option<protobuf::UInt64Value> {
    Some(protobuf::UInt64Value { value })
}

/// A truth value that may be absent.
pub(crate) fn flag(value: bool) -> Option<protobuf::BoolValue> {
    Some(protobuf::BoolValue { value })
}

/// A duration; beyond protobuf's range of ten thousand years it is that range's end.
pub(crate) fn duration(value: Duration) -> Option<protobuf::Duration> {
    const LONGEST: i64 = 315_576_000_000;
    let seconds = i64::try_from(value.as_secs()).unwrap_or(LONGEST).min(LONGEST);
    // Nanoseconds are below 10^9 and fit.
    let nanos = i32::try_from(value.subsec_nanos()).unwrap_or(0);
    Some(protobuf::Duration { seconds, nanos })
}

/// A timeout where Envoy has a default of its own: absent means unbounded, which Envoy spells zero.
pub(crate) fn timeout(value: Option<Duration>) -> Option<protobuf::Duration> {
    duration(value.unwrap_or(Duration::ZERO))
}

/// All requests, as the fraction that several filters want before they do anything.
pub(crate) fn always() -> Option<base::RuntimeFractionalPercent> {
    share(100)
}

/// A text that stands for itself where Envoy reads operators, each of which a percent sign begins.
pub(crate) fn literal(text: &str) -> String {
    text.replace('%', "%%")
}

/// No request, where a filter would otherwise do all of what it does.
pub(crate) fn never() -> Option<base::RuntimeFractionalPercent> {
    share(0)
}

fn share(hundredths: u32) -> Option<base::RuntimeFractionalPercent> {
    let share = kind::FractionalPercent {
        numerator: hundredths,
        denominator: kind::fractional_percent::DenominatorType::Hundred.into(),
    };
    Some(base::RuntimeFractionalPercent { default_value: Some(share), runtime_key: String::new() })
}

/// An address to listen on or to connect to.
pub(crate) fn socket(address: SocketAddr) -> base::Address {
    // All addresses of IPv6 are those of IPv4 too, whatever the kernel's default is (`net.ipv6.bindv6only`).
    let all = address.is_ipv6() && address.ip().is_unspecified();
    at(base::SocketAddress { ipv4_compat: all, ..socket_address(address.ip().to_string(), address.port()) })
}

/// An IP address or a DNS name with a port.
pub(crate) fn host_and_port(host: String, port: u16) -> base::Address {
    at(socket_address(host, port))
}

fn socket_address(host: String, port: u16) -> base::SocketAddress {
    base::SocketAddress {
        address: host,
        port_specifier: Some(base::socket_address::PortSpecifier::PortValue(port.into())),
        ..Default::default()
    }
}

fn at(socket: base::SocketAddress) -> base::Address {
    base::Address { address: Some(base::address::Address::SocketAddress(socket)) }
}

/// A Unix socket.
pub(crate) fn pipe(path: String, mode: u32) -> base::Address {
    base::Address { address: Some(base::address::Address::Pipe(base::Pipe { path, mode })) }
}

/// The contents of a file that Envoy reads.
pub(crate) fn file(path: String) -> Option<base::DataSource> {
    Some(base::DataSource {
        specifier: Some(base::data_source::Specifier::Filename(path)),
        ..Default::default()
    })
}

/// A directory whose changes make Envoy read files again.
pub(crate) fn watched(path: String) -> Option<base::WatchedDirectory> {
    Some(base::WatchedDirectory { path, ..Default::default() })
}

/// A named extension with its configuration.
pub(crate) fn extension<M: Root>(name: &str, config: &M) -> base::TypedExtensionConfig {
    base::TypedExtensionConfig { name: name.to_owned(), typed_config: Some(any(config)) }
}

/// A network filter.
pub(crate) fn network_filter<M: Root>(name: &str, config: &M) -> listener::Filter {
    listener::Filter {
        name: name.to_owned(),
        config_type: Some(listener::filter::ConfigType::TypedConfig(any(config))),
    }
}

/// An HTTP filter.
pub(crate) fn http_filter<M: Root>(name: &str, config: &M) -> hcm::HttpFilter {
    hcm::HttpFilter {
        name: name.to_owned(),
        config_type: Some(hcm::http_filter::ConfigType::TypedConfig(any(config))),
        ..Default::default()
    }
}

/// A listener filter.
pub(crate) fn listener_filter<M: Root>(name: &str, config: &M) -> listener::ListenerFilter {
    listener::ListenerFilter {
        name: name.to_owned(),
        config_type: Some(listener::listener_filter::ConfigType::TypedConfig(any(config))),
        ..Default::default()
    }
}

/// A transport socket.
pub(crate) fn transport_socket<M: Root>(name: &str, config: &M) -> base::TransportSocket {
    base::TransportSocket {
        name: name.to_owned(),
        config_type: Some(base::transport_socket::ConfigType::TypedConfig(any(config))),
    }
}
