//! Routes.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use meshc_plan::{
    Deadlines, Elsewhere, HttpAction, HttpRoute, Redirect, Respond, RetryPlan, RetryReason, VirtualHost,
    WeightedUpstream,
};
use meshc_vocabulary::model::answer::Scheme;
use meshc_vocabulary::model::policy::{BackOff, CookieTtl, GrpcStatus, HashKey};
use meshc_vocabulary::model::{DeadShare, Upgrade};
use meshd_config::{Period, raw};

use crate::placed::Placed;
use crate::{authorization, filters, limits, matches};

/// The routes of some hosts.
pub(crate) fn virtual_host(placed: &Placed<'_>, host: &VirtualHost) -> raw::VirtualHost {
    let VirtualHost { name, hosts, entrance, limits, routes, origin: _ } = host;
    let routes = routes.iter().map(|route| self::route(placed, route));
    raw::VirtualHost {
        name: name.clone(),
        hosts: hosts.to_vec(),
        entrance: authorization::entrance(entrance),
        limits: limits.iter().map(limits::render).collect(),
        routes: routes.collect(),
    }
}

fn route(placed: &Placed<'_>, route: &HttpRoute) -> raw::Route {
    let HttpRoute { matches, filters, action, origin } = route;
    let answering = |answer| raw::Route {
        name: origin.name.to_string(),
        matching: matches::request(matches),
        to: Vec::new(),
        failover: false,
        hash: Vec::new(),
        answer,
        timeout: None,
        idle_timeout: None,
        retry: None,
        upgrades: Vec::new(),
        grpc_deadlines: false,
        filters: filters::render(filters),
    };
    match action {
        HttpAction::Forward { to, dead_share, hash, timeout, idle_timeout, retry, upgrades, deadlines } => {
            raw::Route {
                to: to.iter().map(weighted).collect(),
                failover: others_take_over(*dead_share),
                hash: hash.iter().map(|key| self::hash(placed, key)).collect(),
                timeout: timeout.map(Period::from),
                idle_timeout: idle_timeout.map(Period::from),
                retry: Some(self::retry(retry)),
                upgrades: self::upgrades(upgrades),
                grpc_deadlines: match deadlines {
                    Deadlines::Unknown => false,
                    Deadlines::OfGrpc => true,
                },
                ..answering(None)
            }
        }
        HttpAction::Redirect(redirect) => answering(Some(raw::Answer::Redirect(self::redirect(redirect)))),
        HttpAction::Respond(Respond { status, body, content_type }) => {
            answering(Some(raw::Answer::Respond(raw::Respond {
                status: *status,
                body: body.clone(),
                content_type: content_type.clone(),
            })))
        }
    }
}

fn redirect(redirect: &Redirect) -> raw::Redirect {
    let Redirect { scheme, host, port, usual_port, path, status } = redirect;
    raw::Redirect {
        scheme: scheme.map(|scheme| match scheme {
            Scheme::Http => raw::UrlScheme::Http,
            Scheme::Https => raw::UrlScheme::Https,
        }),
        host: host.clone(),
        port: *port,
        usual_port: *usual_port,
        path: path.as_ref().map(filters::path),
        status: *status,
    }
}

fn hash(placed: &Placed<'_>, key: &HashKey) -> raw::HashKey {
    match key {
        HashKey::Header(name) => raw::HashKey::Header(name.clone()),
        HashKey::Cookie { name, ttl } => raw::HashKey::Cookie(raw::CookieKey {
            name: name.clone(),
            set: ttl.map(|ttl| match ttl {
                CookieTtl::Session => raw::CookieLife::Session,
                CookieTtl::For(ttl) => raw::CookieLife::For(Period::from(ttl)),
            }),
        }),
        HashKey::Source => raw::HashKey::Source { trusted_hops: placed.plan.trusted_hops },
        HashKey::Query(name) => raw::HashKey::Query(name.clone()),
    }
}

/// What a request may change to.
pub(crate) fn upgrades(upgrades: &[Upgrade]) -> Vec<raw::Upgrade> {
    let upgrades = upgrades.iter().map(|upgrade| match upgrade {
        Upgrade::WebSocket => raw::Upgrade::WebSocket,
    });
    upgrades.collect()
}

pub(crate) fn weighted(to: &WeightedUpstream) -> raw::WeightedUpstream {
    let WeightedUpstream { upstream, weight } = to;
    raw::WeightedUpstream { upstream: upstream.clone(), weight: Some(*weight) }
}

/// Whether the others take the share of an upstream that is dead.
pub(crate) const fn others_take_over(dead_share: DeadShare) -> bool {
    match dead_share {
        DeadShare::Kept => false,
        DeadShare::ToOthers => true,
    }
}

pub(crate) fn retry(retry: &RetryPlan) -> raw::Retry {
    let RetryPlan {
        attempts,
        when,
        elsewhere,
        methods,
        per_try_timeout,
        hedge,
        per_try_idle,
        back_off: BackOff { base, most },
        max_retry_after,
        max_body,
    } = retry;
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
        hedge: *hedge,
        per_try_idle: per_try_idle.map(Period::from),
        back_off: Some(Period::from(*base)),
        max_back_off: Some(Period::from(*most)),
        max_retry_after: max_retry_after.map(Period::from),
        max_body: Some(*max_body),
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
