//! The ordered value that backends build and the emitter writes.

/// A YAML document, or a part of one. Maps keep the order in which they were built.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that fits a signed 64-bit integer.
    Integer(i64),
    /// A whole number that may need all 64 bits.
    Unsigned(u64),
    /// A number with a fraction or an exponent, also `.nan`, `.inf` and `-.inf`.
    Float(f64),
    /// Text. Any text: the emitter chooses the notation that keeps it.
    String(String),
    /// A sequence.
    List(Vec<Value>),
    /// Entries in the order they are written.
    ///
    /// INVARIANT: keys are distinct. [`Map`] keeps this by replacing; whoever fills the vector directly, for
    /// speed, must know it from the source.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The value under `key`, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Unsigned(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::List(_) => None,
        }
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Unsigned(_)
            | Value::Float(_)
            | Value::List(_)
            | Value::Map(_) => None,
        }
    }

    /// The items, if this is a list.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(items) => Some(items),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Unsigned(_)
            | Value::Float(_)
            | Value::String(_)
            | Value::Map(_) => None,
        }
    }

    /// True for an empty list and an empty map.
    #[must_use]
    pub fn is_empty_collection(&self) -> bool {
        match self {
            Value::List(items) => items.is_empty(),
            Value::Map(entries) => entries.is_empty(),
            Value::Null
            | Value::Bool(_)
            | Value::Integer(_)
            | Value::Unsigned(_)
            | Value::Float(_)
            | Value::String(_) => false,
        }
    }
}

/// A map under construction: entries keep their order, a repeated key replaces the earlier value in place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map(Vec<(String, Value)>);

impl Map {
    /// A map without entries.
    #[must_use]
    pub fn new() -> Self {
        Map(Vec::new())
    }

    /// Sets `key`, in place if it is there already and at the end otherwise.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.0.iter_mut().find(|(name, _)| *name == key) {
            Some((_, slot)) => *slot = value,
            None => self.0.push((key, value)),
        }
    }

    /// [`Map::insert`], for chains.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// Sets `key` only if there is a value.
    #[must_use]
    pub fn with_some(self, key: impl Into<String>, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Sets `key` only if the list or map is not empty; anything that is no collection is always set.
    #[must_use]
    pub fn with_non_empty(self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let value = value.into();
        if value.is_empty_collection() { self } else { self.with(key, value) }
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// True if there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Map::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Value::Map(map.0)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Integer(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Value::Unsigned(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Unsigned(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Value::Unsigned(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::String(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Value::String(value.clone())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::String(value)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_key_replaces_in_place() {
        let map = Map::new().with("a", 1).with("b", 2).with("a", 3);
        let expected = vec![("a".to_owned(), Value::Integer(3)), ("b".to_owned(), Value::Integer(2))];
        assert_eq!(Value::from(map), Value::Map(expected));
    }

    #[test]
    fn absent_and_empty_values_leave_no_key() {
        let map = Map::new().with_some("a", None::<&str>).with_non_empty("b", Vec::<Value>::new());
        assert!(map.is_empty());
        assert_eq!(map.with_non_empty("c", false).get("c"), Some(&Value::Bool(false)));
    }
}
