//! Limits of requests, over days, so that only their number counts.

use mesh_tests::random::Random;

use crate::matches;
use crate::meshes::Parts;
use crate::text::Item;

/// A limit of a service, a route or a gateway.
pub(crate) fn one(parts: &Parts, random: &mut Random) -> Item {
    let scope = match random.below(10) {
        0 | 1 => "cluster",
        2 | 3 if parts.counts => "mesh",
        _ => "pod",
    };
    let rate = 1 + random.below(4);
    let mut inside = vec![Item::line(format!("scope = {scope}"))];
    match random.below(4) {
        0 => {
            inside.push(Item::line("header = \"x-tier\""));
            inside.push(Item::line(format!("tiers = {{ gold = {rate}/d }}")));
            if random.percent(40) {
                inside.push(Item::line("otherwise = 3/d"));
            }
        }
        1 => inside.push(Item::line(format!("otherwise = {rate}/d"))),
        2 => inside.push(Item::line(format!("total = {}/d", 2 * rate))),
        _ => inside.push(each(rate, random)),
    }
    if random.percent(30) {
        inside.push(matches::one(true, random));
    }
    if scope == "pod" {
        if random.percent(15) {
            inside.push(Item::line("burst = 2"));
        }
    } else {
        inside.push(Item::line("timeout = 5s"));
        if random.percent(30) {
            inside.push(Item::line("on_error = deny"));
        }
        if random.percent(15) {
            inside.push(Item::line("domain = \"of-its-own\""));
        }
    }
    if random.percent(10) {
        inside.push(Item::line("mode = audit"));
    }
    Item::block("rate_limit", inside)
}

/// A counter for each value.
fn each(rate: usize, random: &mut Random) -> Item {
    let keys = [
        "by = [path]",
        "by = [caller]",
        "by = [address]",
        "by = [caller, path]",
        "headers = [\"x-user\"]",
        "cookies = [\"user\"]",
        "queries = [\"v\"]",
        "by = [path], headers = [\"x-tier\"]",
    ];
    Item::line(format!("each {{ {}, rate = {rate}/d }}", random.of(&keys)))
}
