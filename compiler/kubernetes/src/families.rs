//! The families of addresses of our Services.

use meshc_plan::ClusterPlan;
use meshc_vocabulary::model::IpFamily;
use meshc_yaml::Map;

use crate::metadata::texts;

/// Adds what a Service says about its addresses: nothing where pods have IPv4 addresses, since that is what clusters do by
/// themselves. Otherwise it is demanded, so that a cluster whose pods have other addresses refuses the Service instead of
/// serving half of its clients. Names of Services of both families have both kinds of addresses, so that callers in
/// clusters of either find some.
pub(crate) fn with_families(spec: Map, cluster: &ClusterPlan) -> Map {
    let (families, policy): (&[&str], _) = match cluster.ip_family {
        IpFamily::V4 => return spec,
        IpFamily::V6 => (&["IPv6"], "SingleStack"),
        IpFamily::Dual => (&["IPv4", "IPv6"], "RequireDualStack"),
    };
    let families = texts(families.iter().map(|family| String::from(*family)));
    spec.with("ipFamilies", families).with("ipFamilyPolicy", policy)
}
