//! How messages name types and values: by the field's own words, never by a Rust type.

use lang_syntax::ast::{Literal, RateUnit, Value, ValueKind};

use crate::schema::{Label, Type};

impl Type {
    /// What the type takes, with an article and an example where one helps.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Boolean => String::from("`true` or `false`"),
            Self::Integer(1, 65535) => String::from("a port number"),
            Self::Integer(min, u64::MAX) => format!("a whole number of at least {min}"),
            Self::Integer(min, max) => format!("a whole number from {min} to {max}"),
            Self::Decimal => String::from("a number"),
            Self::Duration => String::from("a duration such as `20s`"),
            Self::Rate => String::from("a rate such as `10/min`"),
            Self::Size => String::from("a size such as `64KiB`"),
            Self::Percentage => String::from("a percentage such as `0.5%`"),
            Self::WholePercentage => String::from("a whole percentage such as `20%`"),
            Self::Ip => String::from("an IP address"),
            Self::Ipv4 => String::from("an IPv4 address"),
            Self::Host(pattern) => format!("an IP address or {} in quotes", pattern.name),
            Self::Cidr => String::from("an address range such as `10.10.0.0/16`"),
            Self::SocketAddress => String::from("an address with a port such as `10.0.0.1:80`"),
            Self::StatusClass => String::from("a class of statuses such as `5xx`"),
            Self::Template(template) => format!("{} in quotes", template.pattern.name),
            Self::Text(pattern) => format!("{} in quotes", pattern.name),
            Self::Symbol(symbols) => {
                let words: Vec<_> = symbols.iter().map(|symbol| format!("`{}`", symbol.word)).collect();
                alternatives(&words)
            }
            Self::Reference(reference) => match reference.part {
                Some(part) => {
                    format!("the name of {}, or of {} of it", kinds(reference.kinds), with_article(part))
                }
                None => format!("the name of {}", kinds(reference.kinds)),
            },
            Self::List { of, .. } => format!("a list, each entry of which is {}", of.describe()),
            Self::Record(_) => String::from("a record `{ … }`"),
            Self::Map { of, .. } => {
                format!("a record `{{ name = … }}`, each value of which is {}", of.describe())
            }
            Self::Tagged(tags) => {
                let words: Vec<_> = tags
                    .iter()
                    .map(|tag| {
                        if tag.attributes.is_empty() {
                            format!("`{}`", tag.word)
                        } else {
                            format!("`{} {{ … }}`", tag.word)
                        }
                    })
                    .collect();
                alternatives(&words)
            }
            Self::Union(types) => {
                let types: Vec<_> = types.iter().map(Self::describe).collect();
                alternatives(&types)
            }
            Self::Call(reference, _) => format!("a call `A -> B` between {}", kinds(reference.kinds)),
            Self::Condition => String::from("a condition such as `shop.web.clusters == [west]`"),
            Self::Instance(of, place) => {
                format!("`A in B`, {} in {}", kinds(of.kinds), kinds(place.kinds))
            }
        }
    }
}

impl Label {
    /// What the label is, with an article; `None` if there is none.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Required(pattern) => Some(pattern.name.to_owned()),
            Self::Optional(pattern) => Some(format!("{}, or nothing", pattern.name)),
            Self::Symbol(symbols) => Some(Type::Symbol(symbols).describe()),
            Self::Reference(reference) => Some(format!("the name of {}", kinds(reference.kinds))),
        }
    }
}

/// `a service or a gateway`
pub(crate) fn kinds(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| with_article(word)).collect();
    alternatives(&words)
}

/// `a service`, `an external`
pub(crate) fn with_article(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} `{word}`")
}

/// `a, b or c`
pub(crate) fn alternatives(words: &[String]) -> String {
    match words {
        [] => String::from("nothing"),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A text for a message: of readable length, with control characters as escapes.
pub(crate) fn visible(text: &str) -> String {
    const LONGEST: usize = 80;
    let escaped = |c: char| {
        if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
    };
    let mut shown: String = text.chars().take(LONGEST).map(escaped).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// What a value in the source is, with an article.
pub(crate) fn value(value: &Value) -> &'static str {
    match &value.kind {
        ValueKind::Boolean(_) => "a truth value",
        ValueKind::String(_) => "a string",
        ValueKind::Literal(literal) => self::literal(literal),
        ValueKind::Path(_) => "a name",
        ValueKind::List(_) => "a list",
        ValueKind::Record(_) => "a record",
        ValueKind::Tagged(..) => "a word with a record",
        ValueKind::In(..) => "an instance `A in B`",
        ValueKind::Arrow(..) => "a call `A -> B`",
        // Expansion leaves none of these.
        ValueKind::Group(_) => "a value in parentheses",
        ValueKind::If(_) => "a choice between values",
        ValueKind::Logic(..) | ValueKind::Not(_) | ValueKind::Compare(..) => "a condition",
        ValueKind::Spread(_) => "the parts of another value",
        ValueKind::Invalid => "something that could not be read",
    }
}

/// What a literal is, with an article.
#[must_use]
pub fn literal(literal: &Literal) -> &'static str {
    match literal {
        Literal::Integer(_) => "a whole number",
        Literal::Decimal(_) => "a decimal number",
        Literal::Duration(_) => "a duration",
        Literal::Rate(_) => "a rate",
        Literal::Size(_) => "a size",
        Literal::Percentage(_) => "a percentage",
        Literal::Ip(_) => "an IP address",
        Literal::Cidr(..) => "an address range",
        Literal::SocketAddress(_) => "an address with a port",
        Literal::PortRange(..) => "a range of ports",
        Literal::StatusClass(_) => "a class of statuses",
    }
}

/// The unit of a rate as it is written.
pub(crate) fn rate_unit(unit: RateUnit) -> &'static str {
    match unit {
        RateUnit::Second => "/s",
        RateUnit::Minute => "/min",
        RateUnit::Hour => "/h",
        RateUnit::Day => "/d",
        RateUnit::Week => "/w",
        RateUnit::Month => "/mo",
        RateUnit::Year => "/y",
    }
}
