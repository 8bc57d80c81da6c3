//! Which limits count a request.

use lang_diagnostics::Origin;
use lang_syntax::ast::{Rate, RateUnit};
use meshc_plan::filter::Filter;
use meshc_plan::{GlobalLimit, Limit, LimitBucket, LimitCondition, LocalLimit};
use meshc_vocabulary::model::policy::Enforcement;

use crate::matching;
use crate::sent::Sent;
use crate::truth::Truth;

/// A limit that counts a request, or may.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted<'m> {
    /// Whether it does.
    pub truth: Truth,
    /// How many it admits per time.
    pub requests: u64,
    /// The time, in milliseconds.
    pub per: u64,
    /// The limit.
    pub by: &'m Origin,
}

impl Counted<'_> {
    /// Whether it is as tight as a rate.
    #[must_use]
    pub fn is(&self, rate: Rate) -> bool {
        let (own, other) = (u128::from(self.requests), u128::from(rate.count));
        own * u128::from(rate.unit.seconds()) * 1000 == other * u128::from(self.per)
    }

    /// Whether it admits fewer than another.
    #[must_use]
    pub fn is_tighter(&self, other: &Self) -> bool {
        u128::from(self.requests) * u128::from(other.per) < u128::from(other.requests) * u128::from(self.per)
    }

    /// As it would be written.
    #[must_use]
    pub fn text(&self) -> String {
        text(self.requests, self.per)
    }
}

/// So many in so many milliseconds, as it would be written.
pub(crate) fn text(requests: u64, per: u64) -> String {
    let units = [
        (RateUnit::Second, "s"),
        (RateUnit::Minute, "min"),
        (RateUnit::Hour, "h"),
        (RateUnit::Day, "d"),
        (RateUnit::Week, "w"),
        (RateUnit::Month, "mo"),
        (RateUnit::Year, "y"),
    ];
    match units.iter().find(|(unit, _)| unit.seconds() * 1000 == per) {
        Some((_, word)) => format!("{requests}/{word}"),
        None => format!("{requests} in {per}ms"),
    }
}

/// The limits among filters that count a request or may.
pub(crate) fn of_filters<'m>(filters: &'m [Filter], sent: &Sent) -> Vec<Counted<'m>> {
    let counted = filters.iter().flat_map(|filter| match filter {
        Filter::LocalLimit(limit) => local(limit, sent),
        Filter::GlobalLimit(limit) => global(limit, sent),
        Filter::Authorize(_)
        | Filter::Audit(_)
        | Filter::RequestHeaders(_)
        | Filter::ResponseHeaders(_)
        | Filter::Cors(_)
        | Filter::Delay(_)
        | Filter::Abort(_)
        | Filter::Rewrite(_)
        | Filter::Mirror(_) => Vec::new(),
    });
    counted.collect()
}

/// The same of limits.
pub(crate) fn of_limits<'m>(limits: &'m [Limit], sent: &Sent) -> Vec<Counted<'m>> {
    let counted = limits.iter().flat_map(|limit| match limit {
        Limit::Local(limit) => local(limit, sent),
        Limit::Global(limit) => global(limit, sent),
    });
    counted.collect()
}

/// Whether a limit that a service counts may refuse requests, of any that there are.
#[must_use]
pub fn counts(limit: &GlobalLimit) -> Truth {
    Truth::any(global(limit, &Sent::ANY).iter().map(|counted| counted.truth))
}

fn local<'m>(limit: &'m LocalLimit, sent: &Sent) -> Vec<Counted<'m>> {
    let LocalLimit { name: _, matches, buckets, mode, origin } = limit;
    buckets_of(matching::matches(matches, sent), buckets, *mode, origin, sent)
}

fn global<'m>(limit: &'m GlobalLimit, sent: &Sent) -> Vec<Counted<'m>> {
    let GlobalLimit { upstream: _, domain: _, matches, buckets, mode, on_error: _, timeout: _, origin } =
        limit;
    buckets_of(matching::matches(matches, sent), buckets, *mode, origin, sent)
}

fn buckets_of<'m>(
    matches: Truth,
    buckets: &'m [LimitBucket],
    mode: Enforcement,
    by: &'m Origin,
    sent: &Sent,
) -> Vec<Counted<'m>> {
    match mode {
        Enforcement::Enforced => {}
        Enforcement::Audited => return Vec::new(),
    }
    let counted = |bucket: &LimitBucket| Counted {
        truth: matches.and(condition(&bucket.condition, sent)),
        requests: bucket.requests,
        per: u64::try_from(bucket.per.as_millis()).unwrap_or(u64::MAX),
        by,
    };
    let mut counts: Vec<Counted<'m>> =
        buckets.iter().map(counted).filter(|counted| counted.truth != Truth::No).collect();
    // Tiers with `otherwise` beside them leave no request out, whichever of them counts it.
    if let Some(loosest) = covering(buckets, sent) {
        counts.push(Counted { truth: matches, ..counted(loosest) });
    }
    counts.retain(|counted| counted.truth != Truth::No);
    counts
}

/// The loosest of the tiers, if they count every request together and what decides between them is left open.
fn covering<'b>(buckets: &'b [LimitBucket], sent: &Sent) -> Option<&'b LimitBucket> {
    let is_open = |bucket: &LimitBucket| condition(&bucket.condition, sent) == Truth::Depends;
    let otherwise = buckets.iter().find(|bucket| match &bucket.condition {
        LimitCondition::HeaderIsNoneOf { header: _, values } => {
            values.iter().all(|value| buckets.iter().any(|tier| is_tier(tier, value)))
        }
        LimitCondition::Always | LimitCondition::HeaderIs { .. } => false,
    })?;
    let tiers = buckets.iter().filter(|bucket| match bucket.condition {
        LimitCondition::Always => false,
        LimitCondition::HeaderIs { .. } | LimitCondition::HeaderIsNoneOf { .. } => true,
    });
    let loosest = tiers
        .max_by_key(|bucket| u128::from(bucket.requests) * 1_000_000_000_000 / bucket.per.as_millis().max(1));
    loosest.filter(|_| is_open(otherwise))
}

fn is_tier(bucket: &LimitBucket, wanted: &str) -> bool {
    match &bucket.condition {
        LimitCondition::HeaderIs { header: _, value } => value == wanted,
        LimitCondition::Always | LimitCondition::HeaderIsNoneOf { .. } => false,
    }
}

fn condition(condition: &LimitCondition, sent: &Sent) -> Truth {
    let value = |name: &str| {
        sent.headers.as_ref().map(|headers| {
            headers
                .iter()
                .filter(|(known, _)| known == name)
                .map(|(_, value)| value.as_deref())
                .collect::<Vec<_>>()
        })
    };
    match condition {
        LimitCondition::Always => Truth::Yes,
        LimitCondition::HeaderIs { header, value: wanted } => match value(header) {
            None => Truth::Depends,
            Some(lines) => Truth::any(lines.iter().map(|line| match line {
                Some(line) => (*line == wanted).into(),
                None => Truth::Depends,
            })),
        },
        LimitCondition::HeaderIsNoneOf { header, values } => match value(header) {
            None => Truth::Depends,
            Some(lines) => Truth::all(lines.iter().map(|line| match line {
                Some(line) => Truth::from(!values.iter().any(|value| value == line)),
                None => Truth::Depends,
            })),
        },
    }
}
