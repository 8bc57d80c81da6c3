//! Routes.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{Elsewhere, HttpAction, HttpRoute, RetryPlan, RetryReason, VirtualHost, WeightedUpstream};
use meshc_vocabulary::model::policy::GrpcStatus;
use meshd_config::{Period, raw};

use crate::{filters, matches};

/// The routes of some hosts.
pub(crate) fn virtual_host(host: &VirtualHost) -> raw::VirtualHost {
    let VirtualHost { name, hosts, routes, origin: _ } = host;
    raw::VirtualHost { name: name.clone(), hosts: hosts.to_vec(), routes: routes.iter().map(route).collect() }
}

fn route(route: &HttpRoute) -> raw::Route {
    let HttpRoute { matches, filters, action, origin } = route;
    match action {
        HttpAction::Forward { to, timeout, idle_timeout, retry } => raw::Route {
            name: origin.name.to_string(),
            matching: matches::request(matches),
            to: to.iter().map(weighted).collect(),
            timeout: timeout.map(Period::from),
            idle_timeout: idle_timeout.map(Period::from),
            retry: Some(self::retry(retry)),
            filters: filters::render(filters),
        },
    }
}

pub(crate) fn weighted(to: &WeightedUpstream) -> raw::WeightedUpstream {
    let WeightedUpstream { upstream, weight } = to;
    raw::WeightedUpstream { upstream: upstream.clone(), weight: Some(*weight) }
}

fn retry(retry: &RetryPlan) -> raw::Retry {
    let RetryPlan { attempts, when, elsewhere, methods, per_try_timeout } = retry;
    let on = when.iter().map(|reason| match reason {
        RetryReason::ServerError => raw::RetryOn::ServerError,
        RetryReason::Statuses(statuses) => raw::RetryOn::Status(statuses.clone()),
        RetryReason::Grpc(statuses) => raw::RetryOn::Grpc(statuses.iter().copied().map(grpc).collect()),
        RetryReason::ConnectFailure => raw::RetryOn::ConnectFailure,
        RetryReason::Reset => raw::RetryOn::Reset,
    });
    raw::Retry {
        attempts: *attempts,
        on: on.collect(),
        methods: if methods.is_empty() { vec!["*".to_owned()] } else { methods.clone() },
        per_try_timeout: per_try_timeout.map(Period::from),
        other_localities: match elsewhere {
            Elsewhere::AtOnce => true,
            Elsewhere::SameGroup | Elsewhere::AfterAnotherEndpoint => false,
        },
    }
}

const fn grpc(status: GrpcStatus) -> raw::GrpcStatus {
    match status {
        GrpcStatus::Cancelled => raw::GrpcStatus::Cancelled,
        GrpcStatus::DeadlineExceeded => raw::GrpcStatus::DeadlineExceeded,
        GrpcStatus::ResourceExhausted => raw::GrpcStatus::ResourceExhausted,
        GrpcStatus::Internal => raw::GrpcStatus::Internal,
        GrpcStatus::Unavailable => raw::GrpcStatus::Unavailable,
    }
}
