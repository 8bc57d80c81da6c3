//! The generated service around [`Service`].

use std::sync::Arc;

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{
    Code, DescriptorStatus, RateLimit,
};
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use envoy_types::pb::envoy::r#type::v3::RateLimitUnit;
use tonic::{Request, Response, Status};

use super::unit_to_wire;
use crate::service::{Asked, Question, Refusal, Service, Verdict};
use crate::{Descriptor, Limit, Unit};

/// Questions are small; a larger one is a mistake or an attack.
const MAX_QUESTION: usize = 64 * 1024;

/// The gRPC service, for any HTTP/2 server.
pub(crate) type GrpcService = RateLimitServiceServer<Adapter>;

/// The gRPC service around the deciding part.
pub(crate) fn grpc_service(service: Arc<Service>) -> GrpcService {
    RateLimitServiceServer::new(Adapter { service }).max_decoding_message_size(MAX_QUESTION)
}

/// Translates between wire and service.
#[derive(Debug)]
pub(crate) struct Adapter {
    service: Arc<Service>,
}

#[tonic::async_trait]
impl RateLimitService for Adapter {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let question = question(request.into_inner());
        match self.service.judge(&question).await {
            Ok(verdicts) => Ok(Response::new(answer(&verdicts))),
            Err(refusal) => Err(match &refusal {
                Refusal::Invalid(_) => Status::invalid_argument(refusal.to_string()),
                Refusal::CountersDown(_) => Status::unavailable(refusal.to_string()),
            }),
        }
    }
}

fn question(request: RateLimitRequest) -> Question {
    let RateLimitRequest { domain, descriptors, hits_addend } = request;
    // Absent and zero are the same in this field, and mean one.
    let hits = hits_addend.max(1);
    Question { domain, descriptors: descriptors.into_iter().map(|wire| asked(wire, hits)).collect() }
}

fn asked(wire: RateLimitDescriptor, hits: u32) -> Asked {
    let own = wire.hits_addend.map(|own| u32::try_from(own.value).unwrap_or(u32::MAX));
    let limit = wire.limit.and_then(|limit| {
        Some(Limit { requests_per_unit: limit.requests_per_unit, unit: unit_of_override(limit.unit)? })
    });
    Asked {
        descriptor: Descriptor {
            entries: wire.entries.into_iter().map(|entry| (entry.key, entry.value)).collect(),
        },
        // Hits cannot be given back: such a descriptor only looks.
        hits: if wire.is_negative_hits { 0 } else { own.unwrap_or(hits) },
        limit,
    }
}

fn answer(verdicts: &[Verdict]) -> RateLimitResponse {
    let code = |over: bool| i32::from(if over { Code::OverLimit } else { Code::Ok });
    let statuses = verdicts.iter().map(|Verdict { over, quota }| DescriptorStatus {
        code: code(*over),
        current_limit: quota.map(|quota| RateLimit {
            requests_per_unit: quota.limit.requests_per_unit,
            unit: unit_to_wire(quota.limit.unit),
            ..Default::default()
        }),
        limit_remaining: quota.map_or(0, |quota| quota.remaining),
        // Rounded up, since Envoy shows whole seconds and asking again too early is of no use.
        duration_until_reset: quota.map(|quota| envoy_types::pb::google::protobuf::Duration {
            seconds: i64::try_from(quota.until_reset.as_nanos().div_ceil(1_000_000_000)).unwrap_or(i64::MAX),
            nanos: 0,
        }),
        ..Default::default()
    });
    RateLimitResponse {
        overall_code: code(verdicts.iter().any(|verdict| verdict.over)),
        statuses: statuses.collect(),
        ..Default::default()
    }
}

fn unit_of_override(number: i32) -> Option<Unit> {
    match RateLimitUnit::try_from(number) {
        Ok(RateLimitUnit::Second) => Some(Unit::Second),
        Ok(RateLimitUnit::Minute) => Some(Unit::Minute),
        Ok(RateLimitUnit::Hour) => Some(Unit::Hour),
        Ok(RateLimitUnit::Day) => Some(Unit::Day),
        Ok(RateLimitUnit::Month) => Some(Unit::Month),
        Ok(RateLimitUnit::Year) => Some(Unit::Year),
        Ok(RateLimitUnit::Unknown) | Err(_) => None,
    }
}
