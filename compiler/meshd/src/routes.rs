//! Routes.

use std::collections::BTreeSet;

use meshc_plan::{Elsewhere, HttpAction, HttpRoute, RetryPlan, VirtualHost, WeightedUpstream};
use meshc_vocabulary::model::policy::RetryOn;
use meshd_config::{Period, raw};

use crate::matches;

/// The routes of some hosts.
pub(crate) fn virtual_host(host: &VirtualHost) -> raw::VirtualHost {
    raw::VirtualHost {
        name: host.name.clone(),
        hosts: host.hosts.to_vec(),
        routes: host.routes.iter().map(route).collect(),
    }
}

fn route(route: &HttpRoute) -> raw::Route {
    match &route.action {
        HttpAction::Forward { to, timeout, idle_timeout, retry } => raw::Route {
            name: route.origin.name.to_string(),
            matching: matches::request(&route.matches),
            to: to.iter().map(weighted).collect(),
            timeout: timeout.map(Period::from),
            idle_timeout: idle_timeout.map(Period::from),
            retry: Some(self::retry(retry)),
            limits: Vec::new(),
        },
    }
}

fn weighted(to: &WeightedUpstream) -> raw::WeightedUpstream {
    raw::WeightedUpstream { upstream: to.upstream.clone(), weight: Some(to.weight) }
}

fn retry(retry: &RetryPlan) -> raw::Retry {
    let mut on = Vec::new();
    let mut statuses = BTreeSet::new();
    for when in &retry.when {
        match when {
            RetryOn::StatusClass(5) => on.push(raw::RetryOn::ServerError),
            // Only this class includes failures without an answer; of any other, the statuses are spelled out.
            RetryOn::StatusClass(class) => {
                let first = u16::from(*class).saturating_mul(100);
                statuses.extend(first..first.saturating_add(100));
            }
            RetryOn::Status(status) => {
                statuses.insert(*status);
            }
            RetryOn::ConnectFailure => on.push(raw::RetryOn::ConnectFailure),
            RetryOn::Reset => on.push(raw::RetryOn::Reset),
        }
    }
    if !statuses.is_empty() {
        on.push(raw::RetryOn::Status(statuses.into_iter().collect()));
    }
    let every_method = retry.methods.is_empty();
    raw::Retry {
        attempts: retry.attempts,
        on,
        methods: Some(if every_method { vec!["*".to_owned()] } else { retry.methods.clone() }),
        per_try_timeout: retry.per_try_timeout.map(Period::from),
        other_localities: match retry.elsewhere {
            Elsewhere::AtOnce => true,
            Elsewhere::SameGroup | Elsewhere::AfterAnotherEndpoint => false,
        },
    }
}
