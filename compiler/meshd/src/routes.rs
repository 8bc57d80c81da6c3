//! Routes.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::BTreeSet;

use meshc_plan::{Elsewhere, HttpAction, HttpRoute, RetryPlan, VirtualHost, WeightedUpstream};
use meshc_vocabulary::model::policy::RetryOn;
use meshd_config::{Period, raw};

use crate::matches;

/// The routes of some hosts.
pub(crate) fn virtual_host(host: &VirtualHost) -> raw::VirtualHost {
    let VirtualHost { name, hosts, routes, origin: _ } = host;
    raw::VirtualHost { name: name.clone(), hosts: hosts.to_vec(), routes: routes.iter().map(route).collect() }
}

fn route(route: &HttpRoute) -> raw::Route {
    let HttpRoute { matches, action, origin } = route;
    match action {
        HttpAction::Forward { to, timeout, idle_timeout, retry } => raw::Route {
            name: origin.name.to_string(),
            matching: matches::request(matches),
            to: to.iter().map(weighted).collect(),
            timeout: timeout.map(Period::from),
            idle_timeout: idle_timeout.map(Period::from),
            retry: Some(self::retry(retry)),
            limits: Vec::new(),
        },
    }
}

fn weighted(to: &WeightedUpstream) -> raw::WeightedUpstream {
    let WeightedUpstream { upstream, weight } = to;
    raw::WeightedUpstream { upstream: upstream.clone(), weight: Some(*weight) }
}

fn retry(retry: &RetryPlan) -> raw::Retry {
    let RetryPlan { attempts, when, elsewhere, methods, per_try_timeout } = retry;
    let mut on = Vec::new();
    let mut statuses = BTreeSet::new();
    for condition in when {
        match condition {
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
    raw::Retry {
        attempts: *attempts,
        on,
        methods: Some(if methods.is_empty() { vec!["*".to_owned()] } else { methods.clone() }),
        per_try_timeout: per_try_timeout.map(Period::from),
        other_localities: match elsewhere {
            Elsewhere::AtOnce => true,
            Elsewhere::SameGroup | Elsewhere::AfterAnotherEndpoint => false,
        },
    }
}
