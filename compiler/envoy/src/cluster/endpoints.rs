//! Endpoints of one group.

use meshc_plan::{EndpointAddress, Group};

use crate::pb::base::Locality;
use crate::pb::endpoint::cluster_load_assignment::Policy;
use crate::pb::endpoint::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint};
use crate::pb::number;
use crate::placed::{Placed, endpoint_address};

/// With this factor one healthy endpoint of a thousand still keeps all requests in its group. The default of 140 %
/// would send some of them on as soon as more than two in seven were ejected.
const OVERPROVISIONING: u32 = 100_000;

/// An endpoint at the address where it really is.
pub(super) struct Located {
    address: EndpointAddress,
    port: u16,
    weight: u32,
    copies: u32,
}

/// The endpoints where they really are.
pub(super) fn placed(placed: &Placed<'_>, group: &Group) -> Vec<Located> {
    let locate = |endpoint: &meshc_plan::Endpoint| {
        let (address, port) = placed.connect(endpoint);
        Located { address, port, weight: endpoint.weight, copies: endpoint.copies }
    };
    group.endpoints.iter().map(locate).collect()
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
/// each copy has one of its own even over HTTP/2: so the requests of a proxy spread over the pods behind it.
pub(super) fn assignment(name: &str, group: &Group, endpoints: Vec<Located>) -> ClusterLoadAssignment {
    let mut lb_endpoints = Vec::new();
    for endpoint in endpoints {
        let address = endpoint_address(endpoint.address, endpoint.port);
        let identifier = Endpoint { address: Some(address), ..Default::default() };
        let one = LbEndpoint {
            load_balancing_weight: if endpoint.weight == 1 { None } else { number(endpoint.weight) },
            host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(identifier)),
            ..Default::default()
        };
        lb_endpoints.extend(std::iter::repeat_n(one, usize::try_from(endpoint.copies).unwrap_or(1)));
    }
    let locality = Locality {
        region: group.locality.region.clone(),
        zone: group.locality.zone.clone(),
        sub_zone: String::new(),
    };
    ClusterLoadAssignment {
        cluster_name: name.to_owned(),
        endpoints: vec![LocalityLbEndpoints { locality: Some(locality), lb_endpoints, ..Default::default() }],
        policy: Some(Policy { overprovisioning_factor: number(OVERPROVISIONING), ..Default::default() }),
        ..Default::default()
    }
}
