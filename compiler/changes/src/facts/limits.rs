//! How many requests are admitted.

use meshc_answers::requests::meeting;
use meshc_plan::{
    GlobalLimit, Limit, LimitBucket, LimitCondition, LocalLimit, RATE_LIMIT_UPSTREAM, key_name, phrases,
};
use meshc_vocabulary::model::HttpMatch;
use meshc_vocabulary::model::policy::{Enforcement, OnError};
use meshc_vocabulary::testing::Request;

/// What limits come to: what is counted, and how much of it is admitted.
pub(crate) fn told(limit: &Limit) -> Vec<(String, String)> {
    match limit {
        Limit::Local(limit) => local(limit),
        Limit::Global(limit) => global(limit),
    }
}

pub(crate) fn local(limit: &LocalLimit) -> Vec<(String, String)> {
    let LocalLimit { name: _, matches, buckets, mode, origin: _ } = limit;
    let one = |bucket: &LimitBucket| self::bucket(matches, bucket, "in each pod", *mode, true);
    buckets.iter().map(one).collect()
}

pub(crate) fn global(limit: &GlobalLimit) -> Vec<(String, String)> {
    let GlobalLimit { upstream, domain: _, matches, buckets, mode, on_error, timeout, origin: _ } = limit;
    let scope = if upstream == RATE_LIMIT_UPSTREAM { "in each cluster" } else { "in the whole mesh" };
    let on_error = match on_error {
        OnError::Allow => "admits",
        OnError::Deny => "refuses",
    };
    let one = |bucket: &LimitBucket| {
        let (what, much) = self::bucket(matches, bucket, scope, *mode, false);
        let asked = phrases::duration(*timeout);
        (what, format!("{much}, {on_error} what is not counted within {asked}"))
    };
    buckets.iter().map(one).collect()
}

fn bucket(
    matches: &HttpMatch,
    bucket: &LimitBucket,
    scope: &str,
    mode: Enforcement,
    bursts: bool,
) -> (String, String) {
    let LimitBucket { value: _, condition, keys, burst, requests, per } = bucket;
    let condition = match condition {
        LimitCondition::Always => String::new(),
        LimitCondition::HeaderIs { header, value } => format!(" with {header} = {value}"),
        LimitCondition::HeaderIsNoneOf { header, values } => {
            let mut values = values.clone();
            values.sort();
            format!(" with {header} none of {}", values.join(" "))
        }
    };
    let keys: Vec<String> = keys.iter().map(key_name).collect();
    let keys = if keys.is_empty() { String::new() } else { format!(" for each {}", keys.join(" and ")) };
    let what = format!("limit of {}{condition}{keys}", phrases::matches(matches));
    let tried = match mode {
        Enforcement::Enforced => "",
        Enforcement::Audited => "tried: ",
    };
    let burst = if bursts && burst != requests { format!(", {burst} at once") } else { String::new() };
    (what, format!("{tried}{requests} in {} {scope}{burst}", phrases::duration(*per)))
}

/// Requests that a limit counts.
pub(crate) fn samples(limit: &Limit, host: Option<&str>) -> Vec<Request> {
    match limit {
        Limit::Local(limit) => counted(&limit.matches, &limit.buckets, host),
        Limit::Global(limit) => counted(&limit.matches, &limit.buckets, host),
    }
}

/// Requests that buckets count.
pub(crate) fn counted(matches: &HttpMatch, buckets: &[LimitBucket], host: Option<&str>) -> Vec<Request> {
    let plain = meeting(matches, host);
    let mut all: Vec<Request> = plain.iter().take(1).cloned().collect();
    for bucket in buckets {
        let header = match &bucket.condition {
            LimitCondition::Always | LimitCondition::HeaderIsNoneOf { .. } => continue,
            LimitCondition::HeaderIs { header, value } => (header.clone(), value.clone()),
        };
        all.extend(plain.iter().take(1).map(|request| {
            let mut request = request.clone();
            request.headers.push(header.clone());
            request
        }));
    }
    all
}
