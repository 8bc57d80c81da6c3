//! Endpoints found through DNS.

use envoy_types::pb::envoy::config::core::v3::{DnsResolverOptions, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::clusters::common::dns::v3::DnsLookupFamily;
use envoy_types::pb::envoy::extensions::clusters::dns::v3::{DnsCluster, dns_cluster::RefreshRate};
use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use envoy_types::pb::google::protobuf::UInt64Value;
use meshc_plan::dns;
use meshc_vocabulary::model::IpFamily;

use crate::pb::{duration, extension, number};
use crate::placed::Placed;

/// The resolver of all names, which the bootstrap holds once. Search domains are off: names are fully qualified, and a
/// search would ask for each of them in domains that belong to others.
pub(crate) fn resolver() -> TypedExtensionConfig {
    let resolver = CaresDnsResolverConfig {
        dns_resolver_options: Some(DnsResolverOptions {
            no_default_search_domain: true,
            ..Default::default()
        }),
        query_timeout_seconds: Some(UInt64Value { value: dns::TIMEOUT.as_secs() }),
        query_tries: number(dns::TRIES),
        ..Default::default()
    };
    extension("envoy.network.dns_resolver.cares", &resolver)
}

/// Every answer of a name is an endpoint.
pub(super) fn cluster(placed: &Placed<'_>) -> DnsCluster {
    DnsCluster {
        dns_refresh_rate: duration(dns::REFRESH),
        dns_failure_refresh_rate: Some(RefreshRate {
            base_interval: duration(dns::REFRESH_AFTER_FAILURE),
            max_interval: duration(dns::REFRESH),
        }),
        dns_lookup_family: family(placed).into(),
        ..Default::default()
    }
}

/// What names are resolved to: addresses of one family, so that a pod with both is one endpoint and not two.
fn family(placed: &Placed<'_>) -> DnsLookupFamily {
    match placed.plan.ip_family {
        IpFamily::V4 => DnsLookupFamily::V4Only,
        IpFamily::V6 => DnsLookupFamily::V6Only,
        IpFamily::Dual => DnsLookupFamily::V4Preferred,
    }
}
