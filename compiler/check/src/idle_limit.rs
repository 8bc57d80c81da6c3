//! A rate limit that never refuses anything, because another one refuses first.

use lang_diagnostics::{Code, CodeInfo, Diagnostic, Sink};
use lang_syntax::ast::Rate;
use meshc_resolve::covers;
use meshc_vocabulary::model::policy::{Enforcement, RateLimit, RateLimitScope};

use crate::context::Context;
use crate::list::Check;

pub(crate) const CHECK: Check = Check {
    info: CodeInfo {
        code: Code("W0327"),
        title: "a rate limit that can never bind",
        explanation: r#"All limits of a service hold at once. A limit never refuses a request if another one counts the same requests, in the same
place, and admits no more of them.

```mesh
policy limits {
  targets = [catalog]
  rate_limit { scope = cluster, otherwise = 10/s }
  rate_limit { scope = cluster, match { path = "/items" }, otherwise = 100/s }      // 10/s binds first
}
```

Make the narrower limit the stricter one, or remove it. A tier that admits no more than `otherwise` of the same
length is no such case: the two count different requests."#,
    },
    run,
};

fn run(context: &Context<'_>, sink: &mut Sink) {
    for (_, policy) in context.model.policies.iter() {
        let limits = &policy.settings.rate_limits;
        for (place, limit) in limits.iter().enumerate() {
            let others = limits.iter().enumerate().filter(|(other, _)| *other != place);
            // Of two equal limits the later one is superfluous.
            let binds_first = |(other, stricter): (usize, &'_ RateLimit)| {
                shadows(stricter, limit) && (other < place || !shadows(limit, stricter))
            };
            let mut others = others;
            let Some((_, first)) = others.find(|(other, stricter)| binds_first((*other, stricter))) else {
                continue;
            };
            let message = format!("a rate limit of {} can never bind", policy.origin.name);
            sink.push(
                Diagnostic::warning(CHECK.info.code, limit.origin.span, message)
                    .label("all that this counts …")
                    .also(first.origin.span, "… this counts too, and admits no more of it")
                    .help("make the narrower limit the stricter one, or remove it"),
            );
        }
    }
}

/// Whether `strict` refuses whatever `loose` would: it counts all that `loose` counts into one counter, in the same
/// place or a larger one, and admits no more.
fn shadows(strict: &RateLimit, loose: &RateLimit) -> bool {
    match strict.mode {
        Enforcement::Enforced => {}
        // It refuses nothing, so nothing is refused before.
        Enforcement::Audited => return false,
    }
    let bound = match (&strict.total, &strict.otherwise, strict.tiers.is_empty()) {
        (Some(total), _, _) => total.value,
        (None, Some(otherwise), true) => otherwise.value,
        (None, Some(_), false) | (None, None, _) => return false,
    };
    // What is saved up may be more than the rate, in either of them.
    if strict.burst.is_some() || loose.burst.is_some() {
        return false;
    }
    let place = match (strict.scope.value, loose.scope.value) {
        (RateLimitScope::Pod, RateLimitScope::Pod)
        | (RateLimitScope::Cluster, RateLimitScope::Pod | RateLimitScope::Cluster)
        | (RateLimitScope::Mesh, _) => true,
        (RateLimitScope::Pod, RateLimitScope::Cluster | RateLimitScope::Mesh)
        | (RateLimitScope::Cluster, RateLimitScope::Mesh) => false,
    };
    let alone = [&loose.otherwise, &loose.total].into_iter().flatten().map(|rate| rate.value);
    let each = loose.each.iter().map(|each| each.rate.value);
    let rates = loose.tiers.iter().map(|tier| tier.rate).chain(alone).chain(each);
    place && covers(&strict.matches, &loose.matches) && rates.into_iter().all(|rate| at_most(bound, rate))
}

/// Whether whatever fits into `strict` fits into `loose`: no more in any window of `loose`. Windows of one length
/// compare by count; `10/s` lets 600 through in a minute.
fn at_most(strict: Rate, loose: Rate) -> bool {
    let (inner, outer) = (strict.unit.seconds(), loose.unit.seconds());
    if inner <= outer {
        strict.count.saturating_mul(outer / inner) <= loose.count
    } else {
        strict.count <= loose.count
    }
}

#[cfg(test)]
mod tests {
    use lang_syntax::ast::RateUnit;

    use super::*;

    fn rate(count: u64, unit: RateUnit) -> Rate {
        Rate { count, unit }
    }

    #[test]
    fn rates_of_different_units_compare_by_what_fits_into_a_window() {
        use RateUnit::{Hour, Minute, Second};
        assert!(at_most(rate(10, Second), rate(600, Minute)));
        assert!(!at_most(rate(10, Second), rate(599, Minute)), "599 bind after a full minute");
        assert!(at_most(rate(10, Minute), rate(10, Second)), "never more than 10 in any second");
        assert!(!at_most(rate(10, Minute), rate(9, Second)), "a burst of 10 in one second");
        assert!(at_most(rate(1, Hour), rate(1, Hour)));
    }
}
