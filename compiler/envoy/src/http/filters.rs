//! The filters of a chain or of a route: what stands before the router, and what the route itself says.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::HashMap;

use envoy_types::pb::google::protobuf::Any;
use lang_diagnostics::Origin;
use meshc_plan::filter::{Filter, Mirror};
use meshc_plan::{AccessRule, Entrance, GlobalLimit, LocalLimit};
use meshc_vocabulary::model::HttpMatch;

use crate::http::{answers, authorization, cookies, cors, fault, headers, local_limit, rate_limit};
use crate::pb::base::RuntimeFractionalPercent;
use crate::pb::hcm::HttpFilter;
use crate::pb::kind::FractionalPercent;
use crate::pb::kind::fractional_percent::DenominatorType;
use crate::pb::route::route_action::RequestMirrorPolicy;
use crate::pb::route::{Route, route};

/// A filter before the router.
pub(crate) struct Made {
    /// As it is where every request passes it.
    pub(crate) filter: HttpFilter,
    /// What a route says to pass it where others do not: Envoy takes nothing less than the settings once more.
    pub(crate) on_route: Any,
}

fn made(filters: &[Filter]) -> Vec<Made> {
    let made = filters.iter().flat_map(|filter| match filter {
        Filter::Authorize(authorization) => authorization::filters(authorization),
        Filter::Audit(audit) => vec![authorization::audit(audit)],
        Filter::LocalLimit(limit) => {
            let cookies = cookies::filter(&limit.name, &limit.buckets);
            cookies.into_iter().chain([local_limit::filter(limit)]).collect()
        }
        Filter::GlobalLimit(limit) => {
            let cookies = cookies::filter(&limit.domain, &limit.buckets);
            cookies.into_iter().chain([rate_limit::filter(limit)]).collect()
        }
        Filter::Cors(cors) => vec![cors::filter(cors)],
        Filter::Delay(delay) => vec![fault::delay(delay)],
        Filter::Abort(abort) => vec![fault::abort(abort)],
        // The router does it.
        Filter::RequestHeaders(_) | Filter::ResponseHeaders(_) | Filter::Rewrite(_) | Filter::Mirror(_) => {
            Vec::new()
        }
    });
    made.collect()
}

/// What stands before the router where every request passes these filters.
pub(crate) fn before_the_router(filters: &[Filter]) -> Vec<HttpFilter> {
    made(filters).into_iter().map(|made| made.filter).collect()
}

/// The same for everything that arrives at a listener whose hosts have filters of their own, with names that none of these
/// has.
pub(crate) fn of_every_request(filters: &[Filter]) -> Vec<HttpFilter> {
    let of_all = |filter: HttpFilter| HttpFilter { name: format!("{}.*", filter.name), ..filter };
    before_the_router(filters).into_iter().map(of_all).collect()
}

/// The same for one of several routes, or of several hosts: the filters, which pass every request that no route sends through them, and what
/// the route says to do that. `route` makes the names unique, and a number those of filters of one kind: what a route says
/// it says by name, and each destination of a rule may ask something else of clients.
pub(crate) fn of_one_route(filters: &[Filter], route: &str) -> (Vec<HttpFilter>, HashMap<String, Any>) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let made = made(filters).into_iter().map(|Made { filter, on_route }| {
        let count = counts.entry(filter.name.clone()).or_default();
        *count += 1;
        let name = match *count {
            1 => format!("{}.{route}", filter.name),
            further => format!("{}.{further}.{route}", filter.name),
        };
        (HttpFilter { name: name.clone(), disabled: true, ..filter }, (name, on_route))
    });
    made.unzip()
}

/// What the router does for a route: the last of all, whatever stands before it has decided by what the client sent.
pub(crate) fn at_the_router(filters: &[Filter], route: &mut Route) {
    for filter in filters {
        match filter {
            Filter::RequestHeaders(changes) => {
                (route.request_headers_to_add, route.request_headers_to_remove) = headers::changes(changes);
            }
            Filter::ResponseHeaders(changes) => {
                (route.response_headers_to_add, route.response_headers_to_remove) = headers::changes(changes);
            }
            Filter::Rewrite(changed) => {
                if let Some(route::Action::Route(action)) = &mut route.action {
                    answers::rewrite(changed, action);
                }
            }
            Filter::Mirror(copied) => {
                if let Some(route::Action::Route(action)) = &mut route.action {
                    action.request_mirror_policies.push(mirror(copied));
                }
            }
            Filter::Cors(_) => route.response_headers_to_add.push(cors::vary()),
            Filter::Authorize(_)
            | Filter::Audit(_)
            | Filter::LocalLimit(_)
            | Filter::GlobalLimit(_)
            | Filter::Delay(_)
            | Filter::Abort(_) => {}
        }
    }
}

/// So many of a million.
pub(crate) fn of_a_million(share: u32) -> FractionalPercent {
    FractionalPercent { numerator: share, denominator: DenominatorType::Million.into() }
}

/// Envoy streams the copy, with a timeout as the route has it. It would name another host.
fn mirror(mirror: &Mirror) -> RequestMirrorPolicy {
    let Mirror { upstream, share } = mirror;
    RequestMirrorPolicy {
        cluster: upstream.clone(),
        runtime_fraction: Some(RuntimeFractionalPercent {
            default_value: Some(of_a_million(*share)),
            runtime_key: String::new(),
        }),
        disable_shadow_host_suffix_append: true,
        ..Default::default()
    }
}

/// Who may come in, as filters.
pub(crate) fn of_entrance(entrance: &Entrance) -> Vec<Filter> {
    let Entrance { rules, tried } = entrance;
    let rules = rules.clone().map(Filter::Authorize);
    rules.into_iter().chain(tried.clone().map(Filter::Audit)).collect()
}

/// What a filter asks of Envoy beyond its spelling.
#[derive(Default)]
pub(crate) struct Asked<'a> {
    /// Conditions on requests, and where they are declared.
    pub(crate) conditions: Vec<(&'a HttpMatch, &'a Origin)>,
    /// A limit that the pod counts.
    pub(crate) local: Option<&'a LocalLimit>,
    /// A limit that the rate-limit service counts.
    pub(crate) global: Option<&'a GlobalLimit>,
}

/// What a filter asks for.
pub(crate) fn asked(filter: &Filter) -> Asked<'_> {
    match filter {
        Filter::Authorize(authorization) => conditions(authorization.deny.iter().chain(&authorization.allow)),
        Filter::Audit(audit) => conditions(audit.deny.iter().chain(audit.allow.iter().flatten())),
        Filter::LocalLimit(limit) => {
            Asked { conditions: vec![(&limit.matches, &limit.origin)], local: Some(limit), global: None }
        }
        Filter::GlobalLimit(limit) => {
            Asked { conditions: vec![(&limit.matches, &limit.origin)], local: None, global: Some(limit) }
        }
        Filter::RequestHeaders(_)
        | Filter::ResponseHeaders(_)
        | Filter::Cors(_)
        | Filter::Delay(_)
        | Filter::Abort(_)
        | Filter::Rewrite(_)
        | Filter::Mirror(_) => Asked::default(),
    }
}

/// The conditions of rules about callers.
fn conditions<'a>(rules: impl Iterator<Item = &'a AccessRule>) -> Asked<'a> {
    let conditions = rules.flat_map(|rule| rule.matches().map(|matches| (matches, &rule.origin)));
    Asked { conditions: conditions.collect(), ..Asked::default() }
}
