//! Conditions of rules.

use mesh_tests::random::Random;

use crate::text::Item;
use crate::words;

/// A condition, or several that hold at once. Where it refuses, prefixes must be whole segments.
pub(crate) fn one(refuses: bool, random: &mut Random) -> Item {
    let mut inside = Vec::new();
    match random.below(8) {
        0 => inside.push(Item::line(format!("path = \"{}\"", path(random)))),
        1 => inside.push(Item::line(format!("prefix = \"{}\"", path(random)))),
        2 => inside.push(Item::list("paths", paths(random))),
        3 if !refuses => inside.push(Item::line(format!("starts_with = \"{}\"", path(random)))),
        4 => inside.push(Item::line(format!("regex = \"{}\"", random.of(&words::EXPRESSIONS)))),
        5 => inside.push(Item::line(random.of(&[
            "grpc { service = \"shop.Cart\" }",
            "grpc { service = \"shop.Cart\", method = \"Get\" }",
            "grpc { method = \"Put\" }",
        ]))),
        6 if !refuses => inside.push(negated(random)),
        _ => {}
    }
    let by_text = matches!(inside.first(), Some(Item::Line(line)) if line.starts_with("path") || line.starts_with("prefix"));
    if by_text && random.percent(20) {
        inside.push(Item::line("ignore_case = true"));
    }
    if inside.is_empty() || random.percent(25) {
        inside.push(further(random));
    }
    Item::block("match", inside)
}

/// On something other than the path.
fn further(random: &mut Random) -> Item {
    let methods = words::METHODS.map(|method| format!("\"{method}\""));
    match random.below(4) {
        0 => Item::list("methods", random.some(&methods)),
        1 => {
            let (name, value) = words::HEADERS[random.below(words::HEADERS.len())];
            let not = random.of(&["", "", "not = true"]);
            let condition = match random.below(4) {
                0 => format!("prefix = \"{value}\""),
                1 => String::from("regex = \"[gj].*\""),
                2 => format!("exact = \"{value}\""),
                _ => String::new(),
            };
            let both = if condition.is_empty() || not.is_empty() { "" } else { ", " };
            Item::line(format!("header {name} {{ {condition}{both}{not} }}"))
        }
        2 => Item::line(random.of(&[
            "cookie user { exact = \"jason\" }",
            "cookie user { prefix = \"a\" }",
            "cookie session {}",
            "cookie session { regex = \"[0-9]+\" }",
            "cookie user { not = true }",
        ])),
        _ => Item::line(random.of(&[
            "query v { exact = \"1\" }",
            "query debug {}",
            "query v { regex = \"[0-9]+\" }",
            "query v { prefix = \"2\", not = true }",
        ])),
    }
}

/// What may not hold.
fn negated(random: &mut Random) -> Item {
    let mut inside = match random.below(6) {
        0 => vec![Item::line(format!("path = \"{}\"", path(random)))],
        1 => vec![Item::line(format!("prefix = \"{}\"", path(random)))],
        2 => vec![Item::list("paths", paths(random))],
        3 => vec![Item::line(format!("starts_with = \"{}\"", path(random)))],
        4 => vec![Item::line("regex = \"/items/[0-9]+\"")],
        _ => vec![Item::line("methods = [\"GET\", \"PUT\"]")],
    };
    let by_text = matches!(inside.first(), Some(Item::Line(line)) if line.starts_with("path") || line.starts_with("prefix"));
    if by_text && random.percent(20) {
        inside.push(Item::line("ignore_case = true"));
    }
    Item::block("not", inside)
}

fn paths(random: &mut Random) -> Vec<String> {
    random.some(&words::PATHS.map(|path| format!("\"{path}\"")))
}

/// One that rules and requests have in common.
pub(crate) fn path(random: &mut Random) -> &'static str {
    random.of(&words::PATHS)
}
