//! A comparison for people.

use meshc_driver::changes::{Comparison, Effect, Order, Risk, Rollout, Step, Witness};

/// How many are shown of what is no matter of security.
const MOST: usize = 8;

pub(super) fn written(comparison: &Comparison) -> String {
    let Comparison { effects, rollout, order } = comparison;
    let mut text = String::new();
    if effects.is_empty() {
        text.push_str("no effect\n");
    }
    let mut heading = "";
    for effect in effects {
        if effect.risk.heading() != heading {
            heading = effect.risk.heading();
            text.push_str(&format!("{heading}:\n"));
        }
        self::effect(&mut text, effect);
    }
    self::rollout(&mut text, rollout);
    self::order(&mut text, order);
    text
}

fn effect(text: &mut String, effect: &Effect) {
    let Effect { risk: _, aspect, subjects: _, before, after, witness } = effect;
    let (subjects, more) = shown_subjects(effect);
    for subject in subjects {
        text.push_str(&format!("  {subject}\n"));
    }
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    text.push_str(&format!("    {aspect}: {}\n", change(before.as_deref(), after.as_deref())));
    if let Some(Witness { question, before, after }) = witness {
        text.push_str(&format!("    {question}\n      before: {before}\n      after:  {after}\n"));
    }
}

/// Whom an effect is about, and how many more that is: of access, all, so that none of them hides behind others.
pub(super) fn shown_subjects(effect: &Effect) -> (&[String], usize) {
    let most = match effect.risk {
        Risk::WidenedAccess | Risk::Exposure | Risk::Mtls | Risk::Trust | Risk::NarrowedAccess => usize::MAX,
        Risk::Routing
        | Risk::Limits
        | Risk::Timeouts
        | Risk::Retries
        | Risk::Resilience
        | Risk::Requests
        | Risk::Deployment => MOST,
    };
    let shown = effect.subjects.get(..most).unwrap_or(&effect.subjects);
    (shown, effect.subjects.len() - shown.len())
}

/// `10s -> 5s`, `any request (new)`, `any request (no longer)`
pub(super) fn change(before: Option<&str>, after: Option<&str>) -> String {
    match (before, after) {
        (Some(before), Some(after)) => format!("{before} -> {after}"),
        (None, Some(after)) => format!("{after} (new)"),
        (Some(before), None) => format!("{before} (no longer)"),
        (None, None) => String::new(),
    }
}

/// What becomes of proxies: the words for each list, and the list.
pub(super) fn lists(rollout: &Rollout) -> [(&'static str, &[String]); 5] {
    let Rollout { added, removed, restarted, stale, reloaded, untouched: _ } = rollout;
    [
        ("new", added),
        ("gone", removed),
        ("pods restart", restarted),
        ("restart by hand, to read all of it", stale),
        ("configuration is reloaded", reloaded),
    ]
}

fn rollout(text: &mut String, rollout: &Rollout) {
    text.push_str("proxies:\n");
    for (words, list) in lists(rollout).into_iter().filter(|(_, list)| !list.is_empty()) {
        text.push_str(&format!("  {words}: {}\n", shown(list)));
    }
    text.push_str(&format!("  untouched: {}\n", rollout.untouched));
}

/// The first few of a list.
pub(super) fn shown(list: &[String]) -> String {
    let mut shown = list.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if list.len() > MOST {
        shown.push_str(&format!(" and {} more", list.len() - MOST));
    }
    shown
}

fn order(text: &mut String, order: &Order) {
    match order {
        Order::Any => {}
        Order::Steps(steps) => {
            text.push_str("apply clusters in this order:\n");
            for (position, Step { cluster, why }) in steps.iter().enumerate() {
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                text.push_str(&format!("  {}. {cluster}{why}\n", position + 1));
            }
        }
        Order::Circle(reasons) => {
            text.push_str(
                "no order of clusters is right: make two changes, one that adds and then one that removes\n",
            );
            for reason in reasons {
                text.push_str(&format!("  {reason}\n"));
            }
        }
    }
}
