//! The file format: what is understood, and what is refused with which message.

use super::{Allowance, Rules, parse};
use crate::metrics::Metrics;
use crate::{Descriptor, Unit};

const CATALOG: &str = "\
domain: catalog-ratelimit
descriptors:
  - key: header_match
    value: no_loyalty
    rate_limit:
      unit: MINUTE
      requests_per_unit: 1
  - key: header_match
    value: gold_request
    rate_limit:
      unit: minute
      requests_per_unit: 10
";

const NESTED: &str = "\
domain: nested
descriptors:
- key: path
  value: /on
  rate_limit: {unit: hour, requests_per_unit: 7}
  descriptors:
  - key: remote_address
    rate_limit: {unit: second, requests_per_unit: 2}
  - key: remote_address
    value: 10.0.0.1
    rate_limit: {unlimited: true}
- key: path
  value: /img/*
  rate_limit: {unit: day, requests_per_unit: 4000000000}
- key: path
  shadow_mode: true
  rate_limit: {unit: week, requests_per_unit: 0}
- key: group
  descriptors:
  - {key: a, value: 'yes', rate_limit: {unit: month, requests_per_unit: 1}}
";

fn read(texts: &[&str]) -> Result<Rules, String> {
    let names = ["a.yaml", "b.yaml"];
    parse(names.into_iter().zip(texts.iter().copied()), &Metrics::default())
        .map_err(|error| error.to_string())
}

fn found(rules: &Rules, domain: &str, entries: &[(&str, &str)]) -> Option<String> {
    let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    rules.find(domain, &Descriptor { entries }).map(|rule| rule.name.clone())
}

#[test]
fn limits_of_one_level_are_found_by_key_and_value() {
    let rules = read(&[CATALOG]).unwrap();
    let rule = rules.find("catalog-ratelimit", &Descriptor::one("header_match", "gold_request")).unwrap();
    let Allowance::Limited(limit) = rule.allowance else { panic!("{rule:?}") };
    assert_eq!((limit.requests_per_unit, limit.unit), (10, Unit::Minute));
    assert_eq!(found(&rules, "catalog-ratelimit", &[("header_match", "silver_request")]), None);
    assert_eq!(found(&rules, "another", &[("header_match", "gold_request")]), None);
}

#[test]
fn deeper_limits_need_exactly_their_entries() {
    let rules = read(&[NESTED]).unwrap();
    let find = |entries: &[(&str, &str)]| found(&rules, "nested", entries);
    let (on, guest) = (("path", "/on"), ("remote_address", "10.9.9.9"));
    assert_eq!(find(&[on]).unwrap(), "path_/on");
    assert_eq!(find(&[on, guest]).unwrap(), "path_/on.remote_address");
    assert_eq!(find(&[on, ("remote_address", "10.0.0.1")]).unwrap(), "path_/on.remote_address_10.0.0.1");
    assert_eq!(find(&[on, guest, guest]), None);
    assert_eq!(find(&[guest]), None);
    assert_eq!(find(&[("group", "x"), ("a", "yes")]).unwrap(), "group.a_yes");
    assert_eq!(find(&[("group", "x")]), None, "an entry without a limit limits nothing");
}

#[test]
fn exact_values_come_before_prefixes_and_those_before_the_key_alone() {
    let rules = read(&[NESTED]).unwrap();
    let find = |value: &str| found(&rules, "nested", &[("path", value)]).unwrap();
    assert_eq!(find("/on"), "path_/on");
    assert_eq!(find("/img/logo"), "path_/img/*");
    assert_eq!(find("/other"), "path");
}

#[test]
fn the_dump_shows_every_limit() {
    let dump = read(&[NESTED, CATALOG]).unwrap().to_string();
    assert_eq!(
        dump,
        "\
catalog-ratelimit.header_match_gold_request: unit=MINUTE requests_per_unit=10, shadow_mode: false
catalog-ratelimit.header_match_no_loyalty: unit=MINUTE requests_per_unit=1, shadow_mode: false
nested.path_/on: unit=HOUR requests_per_unit=7, shadow_mode: false
nested.path_/on.remote_address_10.0.0.1: unlimited, shadow_mode: false
nested.path_/on.remote_address: unit=SECOND requests_per_unit=2, shadow_mode: false
nested.path_/img/*: unit=DAY requests_per_unit=4000000000, shadow_mode: false
nested.group.a_yes: unit=MONTH requests_per_unit=1, shadow_mode: false
nested.path: unit=WEEK requests_per_unit=0, shadow_mode: true
"
    );
}

#[test]
fn a_domain_without_descriptors_is_allowed() {
    assert_eq!(read(&["domain: empty\n"]).unwrap().to_string(), "");
}

#[test]
fn what_could_be_misunderstood_is_refused() {
    let limit = |text: &str| format!("domain: d\ndescriptors: [{{key: k, value: v, rate_limit: {text}}}]\n");
    let refused = |text: &str| read(&[text]).map(|rules| rules.to_string()).unwrap_err();
    assert_eq!(refused("domain: ''"), "a.yaml: `domain` is empty");
    let key = "domain: d\ndescriptors: [{key: ''}]";
    assert_eq!(refused(key), "a.yaml: a descriptor below `d` has an empty `key`");
    let twice = "domain: d\ndescriptors: [{key: k, value: v}, {key: k, value: v}]";
    assert_eq!(refused(twice), "a.yaml: the descriptor `d.k_v` is there twice");
    let twice = "domain: d\ndescriptors: [{key: p, descriptors: [{key: k}, {key: k}]}]";
    assert_eq!(refused(twice), "a.yaml: the descriptor `d.p.k` is there twice");
    let twice = "domain: d\ndescriptors: [{key: k, value: a*}, {key: k, value: a*}]";
    assert_eq!(refused(twice), "a.yaml: the descriptor `d.k_a*` is there twice");
    let about = |problem: &str| format!("a.yaml: the `rate_limit` of `d.k_v` {problem}");
    assert_eq!(refused(&limit("{requests_per_unit: 1}")), about("has no `unit`"));
    assert_eq!(refused(&limit("{unit: minute}")), about("has no `requests_per_unit`"));
    assert_eq!(
        refused(&limit("{unit: fortnight, requests_per_unit: 1}")),
        about("has the unit `fortnight`; units are second, minute, hour, day, week, month, year")
    );
    assert_eq!(refused(&limit("{unlimited: true, unit: hour}")), about("is `unlimited` and has a limit"));
    let shadow = "domain: d\ndescriptors: [{key: k, shadow_mode: true}]";
    assert_eq!(refused(shadow), "a.yaml: `d.k` has `shadow_mode` but no `rate_limit`");
    assert_eq!(
        read(&["domain: d", "domain: d"]).unwrap_err(),
        "b.yaml: another file has the domain `d`, too"
    );
}

#[test]
fn unknown_settings_and_wrong_types_are_refused_with_their_place() {
    let refused = |text: &str| read(&[text]).map(|rules| rules.to_string()).unwrap_err();
    let unknown = refused("domain: d\ndescriptors:\n- key: k\n  detailed_metric: true\n");
    assert!(unknown.starts_with("a.yaml: ") && unknown.contains("detailed_metric"), "{unknown}");
    assert!(unknown.contains("line 4"), "{unknown}");
    for wrong in ["", "- a", "domain: [d]", "descriptors: []", "domain: d\ndescriptors: 1"] {
        refused(wrong);
    }
    let negative = "domain: d\ndescriptors: [{key: k, rate_limit: {unit: day, requests_per_unit: -1}}]";
    refused(negative);
    let too_many =
        "domain: d\ndescriptors: [{key: k, rate_limit: {unit: day, requests_per_unit: 4294967296}}]";
    refused(too_many);
}
