//! `map!` and `list!`: literals for values that are known where they are written.

/// A [`Value::Map`](crate::Value::Map) from `key => value` entries; values may be anything that converts.
///
/// ```
/// use meshc_yaml::{list, map, to_string};
/// let port = map! { "name" => "http", "port" => 80 };
/// assert_eq!(to_string(&map! { "ports" => list![port] }), "ports:\n- name: http\n  port: 80\n");
/// ```
#[macro_export]
macro_rules! map {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::Value::from($crate::Map::new()$(.with($key, $value))*)
    };
}

/// A [`Value::List`](crate::Value::List) of anything that converts into a value.
#[macro_export]
macro_rules! list {
    ($($item:expr),* $(,)?) => {
        $crate::Value::List(vec![$($crate::Value::from($item)),*])
    };
}
