//! Endpoints of one group.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{EndpointAddress, Serves, Spill};

use crate::pb::base::Locality;
use crate::pb::endpoint::cluster_load_assignment::Policy;
use crate::pb::endpoint::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint};
use crate::pb::number;
use crate::placed::{Placed, endpoint_address};

/// An endpoint at the address where it really is.
pub(super) struct Located {
    address: EndpointAddress,
    port: u16,
    weight: u32,
    copies: u32,
}

/// The endpoints where they really are.
pub(super) fn placed(placed: &Placed<'_>, endpoints: &[meshc_plan::Endpoint]) -> Vec<Located> {
    let locate = |endpoint: &meshc_plan::Endpoint| {
        // Where it is depends on the placement.
        let meshc_plan::Endpoint { address: _, port: _, weight, copies, serves } = endpoint;
        let (mut address, port) = placed.connect(endpoint);
        // The pod's hosts file maps the names of hosts outside to the sidecar itself. With its final dot, c-ares looks a name
        // up in DNS only (measured with Envoy 1.40).
        if let (Serves::External { external: _, number: _ }, EndpointAddress::Name(name)) =
            (serves, &mut address)
        {
            name.push('.');
        }
        Located { address, port, weight: *weight, copies: *copies }
    };
    placed.found(endpoints).map(locate).collect()
}

/// Whether no name has to be resolved.
pub(super) fn is_literal(endpoint: &Located) -> bool {
    match endpoint.address {
        EndpointAddress::Ip(_) => true,
        EndpointAddress::Name(_) => false,
    }
}

/// The endpoints as one locality of one priority.
///
/// A gateway is listed several times, and Envoy keeps the repetitions apart. Pass-through balances connections, and
/// each copy has one of its own even over HTTP/2: so the requests of a proxy spread over the pods behind it. The copies
/// of one endpoint stand apart: a retry looks for an address that was not tried among the next few in the list, and
/// behind a dead gateway with eight copies in a row it would find none (measured: a third of the requests failed).
pub(super) fn assignment(
    name: &str,
    place: &meshc_plan::Locality,
    endpoints: &[Located],
    spill: Spill,
) -> ClusterLoadAssignment {
    let meshc_plan::Locality { region, zone, cluster: _ } = place;
    let most = endpoints.iter().map(|endpoint| endpoint.copies).max().unwrap_or_default();
    let rounds = (0..most).flat_map(|copy| endpoints.iter().filter(move |endpoint| copy < endpoint.copies));
    let lb_endpoints = rounds.map(|endpoint| {
        let address = endpoint_address(endpoint.address.clone(), endpoint.port);
        let identifier = Endpoint { address: Some(address), ..Default::default() };
        LbEndpoint {
            load_balancing_weight: if endpoint.weight == 1 { None } else { number(endpoint.weight) },
            host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(identifier)),
            ..Default::default()
        }
    });
    let lb_endpoints = lb_endpoints.collect();
    let locality = Locality { region: region.clone(), zone: zone.clone(), sub_zone: String::new() };
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: vec![LocalityLbEndpoints { locality: Some(locality), lb_endpoints, ..Default::default() }],
        policy: Some(Policy {
            overprovisioning_factor: number(spill.overprovisioning()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn copies_of_one_endpoint_stand_apart() {
        let endpoint = |last, copies| Located {
            address: EndpointAddress::Ip(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))),
            port: 15443,
            weight: 1,
            copies,
        };
        let text = String::new;
        let place = meshc_plan::Locality { region: text(), zone: text(), cluster: text() };
        let assigned = assignment("a", &place, &[endpoint(1, 3), endpoint(2, 2)], Spill::WhenEmpty);
        let listed = assigned.endpoints.iter().flat_map(|locality| &locality.lb_endpoints);
        let expected =
            [1, 2, 1, 2, 1].map(|last| assignment("a", &place, &[endpoint(last, 1)], Spill::WhenEmpty));
        let expected = expected.iter().flat_map(|one| &one.endpoints).flat_map(|one| &one.lb_endpoints);
        assert!(listed.eq(expected));
    }
}
