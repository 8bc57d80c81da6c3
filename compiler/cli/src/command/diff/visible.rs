//! A comparison of which each text is on one line and shows all its characters: what a mesh has written moves no cursor, ends no
//! line and turns no direction. JSON has its own escapes.

use lang_diagnostics::one_line;
use meshc_driver::changes::{Comparison, Effect, Order, Rollout, Step, Witness};

pub(super) fn made(comparison: &Comparison) -> Comparison {
    let Comparison { effects, rollout, order } = comparison;
    let Rollout { added, removed, restarted, stale, reloaded, untouched } = rollout;
    let rollout = Rollout {
        added: all(added),
        removed: all(removed),
        restarted: all(restarted),
        stale: all(stale),
        reloaded: all(reloaded),
        untouched: *untouched,
    };
    let order = match order {
        Order::Any => Order::Any,
        Order::Steps(steps) => Order::Steps(steps.iter().map(step).collect()),
        Order::Circle(reasons) => Order::Circle(all(reasons)),
    };
    Comparison { effects: effects.iter().map(effect).collect(), rollout, order }
}

fn effect(effect: &Effect) -> Effect {
    let Effect { risk, aspect, subjects, before, after, witness } = effect;
    let witness = witness.as_ref().map(|Witness { question, before, after }| Witness {
        question: one_line(question),
        before: one_line(before),
        after: one_line(after),
    });
    let one = |text: &Option<String>| text.as_deref().map(one_line);
    Effect {
        risk: *risk,
        aspect: one_line(aspect),
        subjects: all(subjects),
        before: one(before),
        after: one(after),
        witness,
    }
}

fn step(Step { cluster, why }: &Step) -> Step {
    Step { cluster: one_line(cluster), why: why.as_deref().map(one_line) }
}

fn all(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| one_line(text)).collect()
}
