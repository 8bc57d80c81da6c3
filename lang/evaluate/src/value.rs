//! Checked values, and how the vocabulary reads them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use lang_diagnostics::{Span, Spanned};
use lang_syntax::ast::{self, Decimal, Rate};

use crate::declarations::EntityId;
use crate::schema::Constant;

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true` or `false`
    Boolean(bool),
    /// A whole number.
    Integer(u64),
    /// A number with decimals.
    Decimal(Decimal),
    /// A duration.
    Duration(Duration),
    /// A rate.
    Rate(Rate),
    /// A number of bytes.
    Size(u64),
    /// A percentage, in units of 10⁻⁹ percent.
    Percentage(Decimal),
    /// An IP address.
    Ip(IpAddr),
    /// An address range.
    Cidr(IpAddr, u8),
    /// An address with a port.
    SocketAddress(SocketAddr),
    /// The first digit of a class of statuses.
    StatusClass(u8),
    /// A string, interpolated.
    Text(String),
    /// A string with what is known only later; no two texts follow each other, and none is empty.
    Template(Vec<Piece>),
    /// A symbol of the schema.
    Symbol(&'static str),
    /// A resolved name.
    Reference(Target),
    /// A list.
    List(Vec<Spanned<Value>>),
    /// A record or a map, in source order.
    Record(Vec<(Spanned<String>, Spanned<Value>)>),
    /// A word with its record.
    Tagged(&'static str, Vec<(Spanned<String>, Spanned<Value>)>),
    /// `A -> B`
    Call(Box<Spanned<Value>>, Box<Spanned<Value>>),
    /// `A in C`
    Instance(Target, Target),
    /// A condition, as it is written.
    Condition(Box<ast::Value>),
}

/// A part of a string with what is known only later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// A text.
    Text(String),
    /// One of the properties that the schema names.
    Property(&'static str),
}

/// What a name refers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The entity.
    pub entity: EntityId,
    /// The part of it that was named, if one was: the port of `catalog.http`.
    pub part: Option<Spanned<String>>,
}

impl Value {
    /// The value of a constant default; `span` is the place that it stands for.
    pub(crate) fn constant(constant: Constant, span: Span) -> Self {
        match constant {
            Constant::Boolean(value) => Self::Boolean(value),
            Constant::Integer(value) => Self::Integer(value),
            Constant::Milliseconds(value) => Self::Duration(Duration::from_millis(value)),
            Constant::Text(value) => Self::Text(value.to_owned()),
            Constant::Symbol(value) => Self::Symbol(value),
            Constant::Symbols(words) => {
                Self::List(words.iter().map(|word| Spanned::new(Self::Symbol(word), span)).collect())
            }
        }
    }
}

/// A Rust type that a checked value can be read as. Reading a value as something its schema does not promise gives
/// nothing.
pub trait FromValue: Sized {
    /// The value as `Self`.
    fn from_value(value: &Value) -> Option<Self>;
}

/// Implements `FromValue` for types that one variant carries.
macro_rules! from_variant {
    ($($type:ty: $pattern:pat => $result:expr;)*) => {
        $(impl FromValue for $type {
            fn from_value(value: &Value) -> Option<Self> {
                if let $pattern = value { $result } else { None }
            }
        })*
    };
}

from_variant! {
    bool: Value::Boolean(value) => Some(*value);
    u64: Value::Integer(value) | Value::Size(value) => Some(*value);
    u32: Value::Integer(value) => u32::try_from(*value).ok();
    u16: Value::Integer(value) => u16::try_from(*value).ok();
    Duration: Value::Duration(value) => Some(*value);
    Rate: Value::Rate(value) => Some(*value);
    Decimal: Value::Decimal(value) | Value::Percentage(value) => Some(*value);
    IpAddr: Value::Ip(value) => Some(*value);
    SocketAddr: Value::SocketAddress(value) => Some(*value);
    String: Value::Text(value) => Some(value.clone());
    Vec<Piece>: Value::Template(value) => Some(value.clone());
    Target: Value::Reference(value) => Some(value.clone());
    ast::Value: Value::Condition(value) => Some((**value).clone());
}

impl FromValue for Ipv4Addr {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Ip(IpAddr::V4(address)) = value { Some(*address) } else { None }
    }
}

impl FromValue for Value {
    fn from_value(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl<T: FromValue> FromValue for Vec<Spanned<T>> {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::List(entries) = value else { return None };
        entries.iter().map(|entry| Some(Spanned::new(T::from_value(&entry.value)?, entry.span))).collect()
    }
}

impl<T: FromValue> FromValue for Vec<(Spanned<String>, Spanned<T>)> {
    fn from_value(value: &Value) -> Option<Self> {
        let Value::Record(entries) = value else { return None };
        entries
            .iter()
            .map(|(name, entry)| Some((name.clone(), Spanned::new(T::from_value(&entry.value)?, entry.span))))
            .collect()
    }
}
