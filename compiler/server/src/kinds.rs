//! What the schema says of a place: the kind of the block around it, or the record, and the type of an attribute there.

use lang_evaluate::schema::{Attribute, Constant, Kind, Nested, Presence, Type};
use meshc_vocabulary::SCHEMA;

use crate::cursor::Frame;

/// What is around a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Around {
    /// A block of this kind, or a file.
    Kind(&'static Kind),
    /// A record with these entries.
    Record(&'static [Attribute]),
    /// A record with free names and values of one type.
    Map(&'static Type),
    /// The body of a template, which may be applied anywhere.
    Anywhere,
    /// Something that the schema says nothing of.
    Nowhere,
}

/// The word of the block that has defaults; it takes the blocks of what is around it.
const DEFAULTS: &str = "defaults";

/// What is around a place inside of these frames.
pub(crate) fn around(frames: &[Frame]) -> Around {
    let mut here = Around::Kind(SCHEMA.file);
    for frame in frames {
        here = match frame {
            Frame::Block(word, _) if word == DEFAULTS => match here {
                Around::Kind(_) => Around::Anywhere,
                Around::Record(_) | Around::Map(_) | Around::Anywhere | Around::Nowhere => here,
            },
            Frame::Block(word, _) => match here {
                Around::Kind(kind) => {
                    kind.block(word).map_or(Around::Nowhere, |nested| Around::Kind(nested.kind))
                }
                Around::Anywhere => kind_named(word).map_or(Around::Nowhere, Around::Kind),
                Around::Record(_) | Around::Map(_) | Around::Nowhere => Around::Nowhere,
            },
            Frame::Record(name) => attribute_type(here, name).map_or(Around::Nowhere, record),
            Frame::Tagged(name, word) => attribute_type(here, name)
                .and_then(|ty| tagged(ty, word))
                .map_or(Around::Nowhere, Around::Record),
            Frame::List(_) | Frame::Group(_) | Frame::Interpolation | Frame::Loop => here,
            Frame::Template(_) => Around::Anywhere,
            Frame::Parameters | Frame::Arguments(_) | Frame::Imports(_) | Frame::Unknown => Around::Nowhere,
        };
    }
    here
}

/// Every kind, each once.
pub(crate) fn all() -> Vec<&'static Nested> {
    let mut found: Vec<&'static Nested> = Vec::new();
    let mut open = vec![SCHEMA.file];
    while let Some(kind) = open.pop() {
        for nested in kind.blocks {
            if found.iter().all(|other| !std::ptr::eq(other.kind, nested.kind)) {
                found.push(nested);
                open.push(nested.kind);
            }
        }
    }
    found
}

/// The kind of a word where it is not known what is around it: the outermost one.
fn kind_named(word: &str) -> Option<&'static Kind> {
    all().into_iter().map(|nested| nested.kind).find(|kind| kind.word == word)
}

/// The attribute of a name.
pub(crate) fn attribute(around: Around, name: &str) -> Option<&'static Attribute> {
    match around {
        Around::Kind(kind) => kind.attribute(name),
        Around::Record(attributes) => attributes.iter().find(|attribute| attribute.name == name),
        Around::Anywhere => all().into_iter().find_map(|nested| nested.kind.attribute(name)),
        Around::Map(_) | Around::Nowhere => None,
    }
}

/// The attribute whose value stands behind `name =`: the one of that name, or the principal one of a kind of block.
pub(crate) fn assigned(around: Around, name: &str) -> Option<&'static Attribute> {
    attribute(around, name).or_else(|| match around {
        Around::Kind(kind) => kind.block(name)?.kind.principal_attribute(),
        Around::Anywhere => kind_named(name)?.principal_attribute(),
        Around::Record(_) | Around::Map(_) | Around::Nowhere => None,
    })
}

/// The type of the values that stand behind `name =`.
pub(crate) fn attribute_type(around: Around, name: &str) -> Option<&'static Type> {
    match around {
        Around::Map(ty) => Some(ty),
        Around::Kind(_) | Around::Record(_) | Around::Anywhere | Around::Nowhere => {
            assigned(around, name).map(|attribute| &attribute.ty)
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only two types have names in braces")]
fn record(ty: &'static Type) -> Around {
    let known = |ty: &'static Type| match ty {
        Type::Record(attributes) => Some(Around::Record(attributes)),
        Type::Map { of, .. } => Some(Around::Map(of)),
        _ => None,
    };
    ty.parts().into_iter().find_map(known).unwrap_or(Around::Nowhere)
}

fn tagged(ty: &'static Type, word: &str) -> Option<&'static [Attribute]> {
    ty.parts().into_iter().find_map(|ty| {
        let Type::Tagged(tags) = ty else { return None };
        tags.iter().find(|tag| tag.word == word).map(|tag| tag.attributes)
    })
}

/// What applies where an attribute is absent, for people.
pub(crate) fn presence(attribute: &Attribute) -> String {
    match &attribute.presence {
        Presence::Required => String::from("required"),
        Presence::Optional => String::from("optional"),
        Presence::Default(constant) => format!("default `{}`", constant_text(*constant)),
        Presence::Derived(what) => format!("default: {what}"),
        Presence::Inherited => String::from("default in the standard library"),
    }
}

/// A constant as one would write it.
pub(crate) fn constant_text(constant: Constant) -> String {
    match constant {
        Constant::Boolean(truth) => truth.to_string(),
        Constant::Integer(number) => number.to_string(),
        Constant::Milliseconds(number) if number % 1000 == 0 => format!("{}s", number / 1000),
        Constant::Milliseconds(number) => format!("{number}ms"),
        Constant::Text(text) => format!("\"{text}\""),
        Constant::Symbol(word) => word.to_owned(),
        Constant::Symbols(words) => format!("[{}]", words.join(", ")),
    }
}
