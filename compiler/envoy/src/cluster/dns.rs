//! Endpoints found through DNS.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{DnsResolverOptions, TypedExtensionConfig};
use envoy_types::pb::envoy::extensions::clusters::common::dns::v3::DnsLookupFamily;
use envoy_types::pb::envoy::extensions::clusters::dns::v3::{DnsCluster, dns_cluster::RefreshRate};
use envoy_types::pb::envoy::extensions::network::dns_resolver::cares::v3::CaresDnsResolverConfig;
use envoy_types::pb::google::protobuf::UInt64Value;
use meshc_vocabulary::model::IpFamily;

use crate::pb::{duration, extension, number};
use crate::placed::Placed;

/// How often names are asked for again. Pods come and go within this time.
const REFRESH: Duration = Duration::from_secs(5);
/// How soon a failed query is repeated, at first and at most.
const FAILURE_REFRESH: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// Seconds that one query may take. With c-ares' own numbers (5 s, four tries, growing) one silent name holds up the
/// listeners for a minute at start.
const QUERY_TIMEOUT_SECONDS: u64 = 2;

/// The resolver of all names, which the bootstrap holds once. Search domains are off: names are fully qualified, and a
/// search would ask for each of them in domains that belong to others.
pub(crate) fn resolver() -> TypedExtensionConfig {
    let resolver = CaresDnsResolverConfig {
        dns_resolver_options: Some(DnsResolverOptions {
            no_default_search_domain: true,
            ..Default::default()
        }),
        query_timeout_seconds: Some(UInt64Value { value: QUERY_TIMEOUT_SECONDS }),
        query_tries: number(1),
        ..Default::default()
    };
    extension("envoy.network.dns_resolver.cares", &resolver)
}

/// Every answer of a name is an endpoint.
pub(super) fn cluster(placed: &Placed<'_>) -> DnsCluster {
    DnsCluster {
        dns_refresh_rate: duration(REFRESH),
        dns_failure_refresh_rate: Some(RefreshRate {
            base_interval: duration(FAILURE_REFRESH.0),
            max_interval: duration(FAILURE_REFRESH.1),
        }),
        dns_lookup_family: family(placed).into(),
        ..Default::default()
    }
}

/// What names are resolved to.
fn family(placed: &Placed<'_>) -> DnsLookupFamily {
    match placed.plan.ip_family {
        IpFamily::V4 => DnsLookupFamily::V4Only,
        IpFamily::V6 => DnsLookupFamily::V6Only,
        IpFamily::Dual => DnsLookupFamily::All,
    }
}
