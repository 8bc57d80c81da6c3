//! A comparison for a pull request.

use meshc_driver::changes::{Comparison, Effect, Order, Step, Witness};

use super::text::{lists, shown, shown_subjects};

pub(super) fn written(comparison: &Comparison) -> String {
    let Comparison { effects, rollout, order } = comparison;
    let mut text = String::from("### What this change of the mesh does\n\n");
    if effects.is_empty() {
        text.push_str("No effect.\n");
    } else {
        text.push_str("| | what | before | after |\n|---|---|---|---|\n");
        for effect in effects {
            let Effect { risk, aspect, subjects: _, before, after, witness: _ } = effect;
            let (subjects, more) = shown_subjects(effect);
            let mut names: Vec<String> = subjects.iter().map(|name| code(name)).collect();
            if more > 0 {
                names.push(format!("and {more} more"));
            }
            let value = |value: &Option<String>| value.as_deref().map_or_else(|| String::from("–"), cell);
            text.push_str(&format!(
                "| {} | {}: {} | {} | {} |\n",
                risk.heading(),
                names.join("<br>"),
                cell(aspect),
                value(before),
                value(after)
            ));
        }
    }
    let witnesses: Vec<&Witness> = effects.iter().filter_map(|effect| effect.witness.as_ref()).collect();
    if !witnesses.is_empty() {
        text.push_str("\n<details><summary>Requests that are decided differently</summary>\n\n");
        text.push_str("| `meshc ask` | before | after |\n|---|---|---|\n");
        for Witness { question, before, after } in witnesses {
            text.push_str(&format!("| {} | {} | {} |\n", code(question), cell(before), cell(after)));
        }
        text.push_str("\n</details>\n");
    }
    text.push_str("\n| proxies | |\n|---|---|\n");
    for (words, list) in lists(rollout).into_iter().filter(|(_, list)| !list.is_empty()) {
        text.push_str(&format!("| {words} | {} |\n", cell(&shown(list))));
    }
    text.push_str(&format!("| untouched | {} |\n", rollout.untouched));
    match order {
        Order::Any => {}
        Order::Steps(steps) => {
            text.push_str("\nApply clusters in this order:\n\n");
            for (position, Step { cluster, why }) in steps.iter().enumerate() {
                let why = why.as_ref().map(|why| format!(": {}", cell(why))).unwrap_or_default();
                text.push_str(&format!("{}. {}{why}\n", position + 1, code(cluster)));
            }
        }
        Order::Circle(reasons) => {
            text.push_str(
                "\nNo order of clusters is right: make two changes, one that adds and then one that removes.\n\n",
            );
            for reason in reasons {
                text.push_str(&format!("- {}\n", cell(reason)));
            }
        }
    }
    text
}

/// Text that is nothing but text, in a cell of a table.
fn cell(text: &str) -> String {
    let mut safe = String::new();
    for character in text.chars() {
        match character {
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '~' | '!' | '@' | ':' => {
                safe.push('\\');
                safe.push(character);
            }
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            other if other.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

/// A name, in a cell of a table.
fn code(text: &str) -> String {
    let plain: String = text.chars().map(|it| if it.is_control() || it == '`' { ' ' } else { it }).collect();
    format!("`{}`", plain.replace('|', "\\|"))
}
