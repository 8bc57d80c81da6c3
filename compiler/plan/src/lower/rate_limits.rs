//! What each cluster's rate-limit service counts.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink};
use meshc_vocabulary::model::{Cluster, Id, Model};

use super::Lowered;
use super::policy::rate_limit::CountedDomain;
use crate::{RateLimitService, codes};

/// One service for each cluster in which anything is counted. Services with the same limit under a name of the
/// user's own share its counters; two limits under one name would share them by accident, which is an error.
pub(super) fn services(model: &Model, lowered: &[Box<Lowered>], sink: &mut Sink) -> Vec<RateLimitService> {
    let mut clusters: BTreeMap<Id<Cluster>, BTreeMap<&str, &CountedDomain>> = BTreeMap::new();
    for one in lowered {
        for counted in &one.domains {
            let CountedDomain { limit, cluster, domain } = counted;
            let cluster = cluster.unwrap_or(one.proxy.cluster);
            let known = clusters.entry(cluster).or_default().entry(&domain.name).or_insert(counted);
            let CountedDomain { limit: first, cluster: _, domain: known } = *known;
            if first != limit {
                sink.push(
                    Diagnostic::error(
                        codes::SHARED_DOMAIN,
                        domain.origin.span,
                        format!("two limits count under the domain `{}`", domain.name),
                    )
                    .also(known.origin.span, "the other one")
                    .help("give one of them another `domain`, or leave it out"),
                );
            }
        }
    }
    clusters
        .into_iter()
        .map(|(cluster, domains)| RateLimitService {
            cluster,
            cluster_name: model.clusters.at(cluster).name.clone(),
            domains: domains.into_values().map(|counted| counted.domain.clone()).collect(),
        })
        .collect()
}
