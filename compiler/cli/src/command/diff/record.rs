//! A comparison for programs.

use meshc_driver::changes::{Comparison, Effect, Order, Rollout, Step, Witness};
use serde_json::{Value, json};

pub(super) fn written(comparison: &Comparison) -> String {
    let Comparison { effects, rollout, order } = comparison;
    let Rollout { added, removed, restarted, stale, reloaded, untouched } = rollout;
    let order = match order {
        Order::Any => Value::Null,
        Order::Steps(steps) => {
            let step = |Step { cluster, why }: &Step| json!({ "cluster": cluster, "why": why });
            json!({ "steps": steps.iter().map(step).collect::<Vec<_>>() })
        }
        Order::Circle(reasons) => json!({ "circle": reasons }),
    };
    let value = json!({
        "effects": effects.iter().map(effect).collect::<Vec<_>>(),
        "proxies": {
            "added": added,
            "removed": removed,
            "restarted": restarted,
            "restart_by_hand": stale,
            "reloaded": reloaded,
            "untouched": untouched,
        },
        "order": order,
    });
    format!("{value:#}\n")
}

fn effect(effect: &Effect) -> Value {
    let Effect { risk, aspect, subjects, before, after, witness } = effect;
    let told = |Witness { question, before, after }: &Witness| json!({ "question": question, "before": before, "after": after });
    json!({
        "kind": risk.word(),
        "aspect": aspect,
        "of": subjects,
        "before": before,
        "after": after,
        "witness": witness.as_ref().map(told),
    })
}
