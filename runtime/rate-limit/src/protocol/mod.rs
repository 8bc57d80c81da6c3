//! `envoy.service.ratelimit.v3` on the wire: the only place that knows the generated messages.

mod answer;
mod server;

use std::time::Duration;

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use envoy_types::pb::envoy::service::ratelimit::v3 as wire;
use tonic::transport::Channel;

pub(crate) use answer::decision;
pub(crate) use server::{GrpcService, grpc_service};

use crate::{Descriptor, Failure, Unit};

/// The generated client over one HTTP/2 connection.
pub(crate) type Client = wire::rate_limit_service_client::RateLimitServiceClient<Channel>;

/// The generated client.
pub(crate) fn client(channel: Channel) -> Client {
    Client::new(channel)
}

/// A question, with the deadline also told to the service so that it can stop working on lost causes.
pub(crate) fn question(
    domain: &str,
    descriptors: &[Descriptor],
    hits: u32,
    deadline: Duration,
) -> tonic::Request<wire::RateLimitRequest> {
    let descriptors = descriptors.iter().map(|descriptor| RateLimitDescriptor {
        entries: descriptor
            .entries
            .iter()
            .map(|(key, value)| Entry { key: key.clone(), value: value.clone() })
            .collect(),
        ..Default::default()
    });
    let message = wire::RateLimitRequest {
        domain: domain.to_owned(),
        descriptors: descriptors.collect(),
        hits_addend: hits,
    };
    let mut request = tonic::Request::new(message);
    request.set_timeout(deadline);
    request
}

/// What a gRPC error means to the asker.
pub(crate) fn failure(status: &tonic::Status) -> Failure {
    let code = status.code();
    if matches!(code, tonic::Code::DeadlineExceeded | tonic::Code::Cancelled) {
        return Failure::Timeout;
    }
    Failure::Unavailable(format!("{code:?}: {}", status.message()))
}

type WireUnit = wire::rate_limit_response::rate_limit::Unit;

/// The unit of a number on the wire; units of a later protocol and "unknown" are none.
fn unit_from_wire(number: i32) -> Option<Unit> {
    match WireUnit::try_from(number) {
        Ok(WireUnit::Second) => Some(Unit::Second),
        Ok(WireUnit::Minute) => Some(Unit::Minute),
        Ok(WireUnit::Hour) => Some(Unit::Hour),
        Ok(WireUnit::Day) => Some(Unit::Day),
        Ok(WireUnit::Week) => Some(Unit::Week),
        Ok(WireUnit::Month) => Some(Unit::Month),
        Ok(WireUnit::Year) => Some(Unit::Year),
        Ok(WireUnit::Unknown) | Err(_) => None,
    }
}

/// The number of a unit on the wire.
fn unit_to_wire(unit: Unit) -> i32 {
    let unit = match unit {
        Unit::Second => WireUnit::Second,
        Unit::Minute => WireUnit::Minute,
        Unit::Hour => WireUnit::Hour,
        Unit::Day => WireUnit::Day,
        Unit::Week => WireUnit::Week,
        Unit::Month => WireUnit::Month,
        Unit::Year => WireUnit::Year,
    };
    unit.into()
}
