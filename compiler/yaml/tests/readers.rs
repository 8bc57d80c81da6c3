//! What the emitter writes, serde-saphyr reads back as the same value, type by type.

#![expect(
    clippy::panic,
    reason = "a helper of tests fails by panicking, outside a function marked as a test"
)]

use meshc_yaml::corpus::nasty_strings;
use meshc_yaml::{Stream, Value, list, map, to_string};
use proptest::prelude::*;

/// Reads a document as untyped JSON, so that a plain `on` would come back as a boolean and fail the comparison.
fn read(text: &str) -> serde_json::Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Integer(value) => (*value).into(),
        Value::Unsigned(value) => (*value).into(),
        Value::Float(value) => (*value).into(),
        Value::String(text) => text.as_str().into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => serde_json::Value::Object(
            entries.iter().map(|(key, value)| (key.clone(), to_json(value))).collect(),
        ),
    }
}

fn assert_survives(value: &Value) {
    let text = to_string(value);
    assert_eq!(read(&text), to_json(value), "{text}");
}

#[test]
fn every_nasty_string_survives_as_value_key_item_and_document() {
    for text in nasty_strings() {
        assert_survives(&map! { "key" => text.clone(), "after" => 1 });
        assert_survives(
            &map! { "outer" => map! { "key" => text.clone(), "after" => list![text.clone(), "z"] } },
        );
        assert_survives(&map! { text.clone() => text.clone(), "after the odd key" => 1 });
        assert_survives(&list![text.clone(), list![text.clone()], map! { "key" => text.clone() }]);
        assert_survives(&Value::String(text));
    }
}

#[test]
fn all_nasty_strings_survive_together() {
    let entries = nasty_strings().into_iter().map(|text| (text.clone(), Value::String(text)));
    assert_survives(&Value::Map(entries.collect()));
}

#[test]
fn documents_of_a_stream_are_read_one_by_one() {
    let stream = Stream::new().header("a: 1\n--- b").document(map! { "a" => "---" }).document("plain");
    let documents: Vec<serde_json::Value> =
        serde_yaml::from_multiple(&stream.emit()).expect("a valid stream");
    assert_eq!(documents, [serde_json::json!({ "a": "---" }), serde_json::json!("plain")]);
}

fn scalars() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>()
            .prop_filter("a smaller one reads back as signed", |n| i64::try_from(*n).is_err())
            .prop_map(Value::Unsigned),
        any::<f64>().prop_filter("JSON has no other", |n| n.is_finite()).prop_map(Value::Float),
        strings().prop_map(Value::String),
    ]
}

fn strings() -> impl Strategy<Value = String> {
    let nasty =
        proptest::sample::select(nasty_strings().into_iter().filter(|s| s.len() < 500).collect::<Vec<_>>());
    prop_oneof![
        any::<String>(),
        "[-+0-9._:xobeEinfatzTZ~yYnN ]{0,8}",
        "[a: #\n\t\\-\"'|>{}\\[\\],&*!%@`]{0,12}",
        (nasty.clone(), nasty).prop_map(|(a, b)| a + &b),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    scalars().prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            proptest::collection::btree_map(strings(), inner, 0..6)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn any_value_survives(value in values()) {
        let text = to_string(&value);
        prop_assert_eq!(read(&text), to_json(&value), "{}", text);
    }

    #[test]
    fn the_text_has_only_line_feeds_and_visible_characters(value in values()) {
        let text = to_string(&value);
        prop_assert!(text.ends_with('\n'));
        let hidden = |c: char| matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}');
        let found = text.contains(|c: char| hidden(c) || (c.is_control() && c != '\n' && c != '\t'));
        prop_assert!(!found, "{}", text);
    }
}
