//! Values as conditions compare them.
#![expect(clippy::wildcard_enum_match_arm, reason = "what is of two kinds is one case of a comparison")]

use std::cmp::Ordering;
use std::fmt;

use lang_diagnostics::{FileId, Span, Spanned};
use lang_evaluate::{Declarations, EntityId, Piece, Target, Value};
use lang_syntax::ast::{self, Attribute, DurationLiteral, File, Item, Literal, Rate, ValueKind};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    /// Nothing.
    None,
    /// `true` or `false`
    Boolean(bool),
    /// A quantity, an address and the like.
    Literal(Literal),
    /// A text.
    Text(String),
    /// A word of an attribute.
    Word(String),
    /// The whole name of something declared.
    Name(String),
    /// A word in a condition: a word of an attribute, or the name of something declared.
    Bare(String, Option<String>),
    /// A list.
    List(Vec<Plain>),
    /// A record.
    Record(Vec<(String, Plain)>),
    /// A call, an instance or a block: there, and nothing to compare.
    Other(String),
}

/// The word for nothing.
pub(crate) const NONE: &str = "none";

impl Plain {
    /// A checked value.
    pub(crate) fn of(value: &Value, declarations: &Declarations) -> Self {
        let record = |entries: &[(Spanned<String>, Spanned<Value>)]| {
            let entries = entries.iter();
            entries.map(|(name, value)| (name.value.clone(), Self::of(&value.value, declarations))).collect()
        };
        match value {
            Value::Boolean(value) => Self::Boolean(*value),
            Value::Integer(value) => Self::Literal(Literal::Integer(*value)),
            Value::Decimal(value) => Self::Literal(Literal::Decimal(*value)),
            Value::Duration(value) => {
                let milliseconds = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
                Self::Literal(Literal::Duration(DurationLiteral { milliseconds }))
            }
            Value::Rate(value) => Self::Literal(Literal::Rate(*value)),
            Value::Size(value) => Self::Literal(Literal::Size(*value)),
            Value::Percentage(value) => Self::Literal(Literal::Percentage(*value)),
            Value::Ip(value) => Self::Literal(Literal::Ip(*value)),
            Value::Cidr(address, bits) => Self::Literal(Literal::Cidr(*address, *bits)),
            Value::SocketAddress(value) => Self::Literal(Literal::SocketAddress(*value)),
            Value::StatusClass(value) => Self::Literal(Literal::StatusClass(*value)),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Template(pieces) => Self::Text(pieces.iter().map(piece).collect()),
            Value::Symbol(NONE) => Self::None,
            Value::Symbol(word) => Self::Word((*word).to_owned()),
            Value::Reference(target) => Self::Name(target_name(target, declarations)),
            Value::List(entries) => {
                Self::List(entries.iter().map(|entry| Self::of(&entry.value, declarations)).collect())
            }
            Value::Record(entries) => Self::Record(record(entries)),
            Value::Tagged(word, entries) if entries.is_empty() => Self::Word((*word).to_owned()),
            Value::Tagged(_, entries) => Self::Record(record(entries)),
            Value::Call(from, to) => {
                let end = |end: &Value| Self::of(end, declarations);
                Self::Other(format!("{} -> {}", end(&from.value), end(&to.value)))
            }
            Value::Instance(target, place) => {
                let name = |target| target_name(target, declarations);
                Self::Other(format!("{} in {}", name(target), name(place)))
            }
            Value::Condition(_) => Self::Other(String::from("a condition")),
        }
    }

    /// Whether two values are the same.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bare(..), Self::Bare(..)) => match (self.name(), other.name()) {
                (Some(one), Some(two)) => one == two,
                _ => self.word() == other.word(),
            },
            (Self::Bare(word, _), Self::None) | (Self::None, Self::Bare(word, _)) => word == NONE,
            (Self::Bare(word, _), Self::Word(other)) | (Self::Word(other), Self::Bare(word, _)) => {
                word == other
            }
            (Self::Bare(_, name), Self::Name(other)) | (Self::Name(other), Self::Bare(_, name)) => {
                name.as_ref() == Some(other)
            }
            (Self::Literal(one), Self::Literal(two)) => match order(one, two) {
                Some(order) => order == Ordering::Equal,
                None => one == two,
            },
            (Self::List(one), Self::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.same(two))
            }
            (Self::Record(one), Self::Record(two)) => {
                let entry = |(name, value): &(String, Self)| {
                    two.iter().any(|(other, its)| other == name && its.same(value))
                };
                one.len() == two.len() && one.iter().all(entry)
            }
            (one, two) => one == two,
        }
    }

    /// Which of two values is greater, if they have an order.
    pub(crate) fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Literal(one), Self::Literal(two)) => order(one, two),
            _ => None,
        }
    }

    /// Whether the two can be the same at all: a duration and a list never are, which is a mistake and no answer.
    pub(crate) fn is_comparable(&self, other: &Self) -> bool {
        let any = |value: &Self| matches!(value, Self::None | Self::Bare(..));
        any(self) || any(other) || self.kind() == other.kind()
    }

    /// What it is, with an article.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Boolean(_) => "a truth",
            Self::Literal(literal) => lang_evaluate::literal(literal),
            Self::Text(_) => "a string",
            Self::Word(_) => "a word",
            Self::Name(_) => "a name",
            Self::Bare(..) => "a word or a name",
            Self::List(_) => "a list",
            Self::Record(_) => "a record",
            Self::Other(_) => "a block",
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Bare(_, name) => name.as_deref(),
            _ => None,
        }
    }

    fn word(&self) -> Option<&str> {
        match self {
            Self::Bare(word, _) => Some(word),
            _ => None,
        }
    }
}

fn piece(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) => text.clone(),
        Piece::Property(property) => format!("${{{property}}}"),
    }
}

fn target_name(target: &Target, declarations: &Declarations) -> String {
    let name = qualified(target.entity, declarations);
    match &target.part {
        Some(part) => format!("{name}.{}", part.value),
        None => name,
    }
}

/// The name by which anybody may call something declared.
pub(crate) fn qualified(entity: EntityId, declarations: &Declarations) -> String {
    let mut names = Vec::new();
    let mut here = Some(entity);
    while let Some(id) = here {
        let entity = declarations.entity(id);
        names.push(entity.name.as_str());
        here = entity.parent;
    }
    names.reverse();
    names.join(".")
}

/// A literal as one would write it.
fn written(literal: &Literal) -> String {
    let span = Span::new(FileId(0), 0, 0);
    let value = ast::Value { kind: ValueKind::Literal(literal.clone()), span };
    let name = Spanned::new(String::from("x"), span);
    let item = Item::Attribute(Attribute { name, value, documentation: None, span });
    let file = File { language: None, items: vec![item], comments: Vec::new(), expands: false, span };
    lang_syntax::print(&file).trim_start_matches("x =").trim().to_owned()
}

fn order(one: &Literal, two: &Literal) -> Option<Ordering> {
    match (one, two) {
        (Literal::Integer(one), Literal::Integer(two)) | (Literal::Size(one), Literal::Size(two)) => {
            Some(one.cmp(two))
        }
        (Literal::Decimal(one), Literal::Decimal(two))
        | (Literal::Percentage(one), Literal::Percentage(two)) => Some(one.cmp(two)),
        (Literal::Duration(one), Literal::Duration(two)) => Some(one.cmp(two)),
        (Literal::Rate(one), Literal::Rate(two)) => {
            let per = |one: &Rate, two: &Rate| u128::from(one.count) * u128::from(two.unit.seconds());
            Some(per(one, two).cmp(&per(two, one)))
        }
        _ => None,
    }
}

impl fmt::Display for Plain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str(NONE),
            Self::Boolean(value) => write!(formatter, "{value}"),
            Self::Literal(literal) => formatter.write_str(&written(literal)),
            Self::Text(text) => write!(formatter, "{text:?}"),
            Self::Word(word) | Self::Name(word) | Self::Bare(word, None) | Self::Other(word) => {
                formatter.write_str(word)
            }
            Self::Bare(_, Some(name)) => formatter.write_str(name),
            Self::List(list) => {
                let list: Vec<String> = list.iter().map(ToString::to_string).collect();
                write!(formatter, "[{}]", list.join(", "))
            }
            Self::Record(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(name, value)| format!("{name} = {value}")).collect();
                write!(formatter, "{{ {} }}", entries.join(", "))
            }
        }
    }
}
