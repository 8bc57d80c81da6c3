//! From JSON values, which is what typed objects with serde become on their way here.

use crate::Value;

impl Value {
    /// Converts JSON, writing the keys named in `first` before all others, in that order and at every level;
    /// the others follow in alphabetical order, so that the result does not depend on how the JSON was built.
    #[must_use]
    pub fn from_json(json: serde_json::Value, first: &[&str]) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => from_number(&number),
            serde_json::Value::String(text) => Value::String(text),
            serde_json::Value::Array(items) => {
                Value::List(items.into_iter().map(|item| Value::from_json(item, first)).collect())
            }
            serde_json::Value::Object(object) => {
                let rank = |key: &str| first.iter().position(|name| *name == key).unwrap_or(first.len());
                let mut entries: Vec<(String, serde_json::Value)> = object.into_iter().collect();
                entries.sort_by(|(a, _), (b, _)| (rank(a), a).cmp(&(rank(b), b)));
                Value::Map(
                    entries.into_iter().map(|(key, value)| (key, Value::from_json(value, first))).collect(),
                )
            }
        }
    }
}

impl From<serde_json::Value> for Value {
    /// [`Value::from_json`] without a preferred order: keys are alphabetical.
    fn from(json: serde_json::Value) -> Self {
        Value::from_json(json, &[])
    }
}

fn from_number(number: &serde_json::Number) -> Value {
    if let Some(value) = number.as_i64() {
        Value::Integer(value)
    } else if let Some(value) = number.as_u64() {
        Value::Unsigned(value)
    } else {
        // A JSON number that is no integer is a double: serde_json has no third kind without its
        // `arbitrary_precision` feature, which this workspace does not use.
        number.as_f64().map_or(Value::Null, Value::Float)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::to_string;

    #[test]
    fn named_keys_come_first_at_every_level() {
        let json =
            serde_json::json!({ "spec": { "b": 1, "name": 2, "a": 3 }, "kind": "Pod", "apiVersion": "v1" });
        assert_eq!(
            to_string(&Value::from_json(json, &["apiVersion", "kind", "name"])),
            "apiVersion: v1\nkind: Pod\nspec:\n  name: 2\n  a: 3\n  b: 1\n"
        );
    }

    #[test]
    fn numbers_keep_their_kind() {
        let json = serde_json::json!([-1, 18_446_744_073_709_551_615_u64, 0.5]);
        let expected = vec![Value::Integer(-1), Value::Unsigned(u64::MAX), Value::Float(0.5)];
        assert_eq!(Value::from(json), Value::List(expected));
    }
}
