//! What an attribute takes, its default, and what its words mean.

use lang_evaluate::schema::{Attribute, Constant, Kind, Presence, Symbol, Tag, Type};
use meshc_vocabulary::{capability, default_of};

use crate::text::line;

/// What a type takes, with the constraints that messages leave out.
pub(crate) fn takes(ty: &Type) -> String {
    let described = ty.describe();
    let Type::List { min, max, .. } = ty else { return described };
    match (*min, *max) {
        (0, usize::MAX) => described,
        (1, usize::MAX) => format!("{described}; at least one"),
        (min, max) if min == max => format!("{described}; exactly {min}"),
        (min, usize::MAX) => format!("{described}; at least {min}"),
        (min, max) => format!("{described}; {min} to {max}"),
    }
}

/// What holds if an attribute is not written.
pub(crate) fn default(kind: &Kind, attribute: &Attribute) -> String {
    match &attribute.presence {
        Presence::Required => String::from("**required**"),
        Presence::Optional => String::from("none"),
        Presence::Default(constant) => format!("`{}`", self::constant(*constant)),
        Presence::Derived(description) => (*description).to_owned(),
        Presence::Inherited => default_of(kind.word, attribute.name)
            .map_or_else(|| String::from("none"), |written| format!("`{written}`")),
    }
}

fn constant(constant: Constant) -> String {
    match constant {
        Constant::Boolean(value) => value.to_string(),
        Constant::Integer(value) => value.to_string(),
        Constant::Milliseconds(value) => duration(value),
        Constant::Text(value) => format!("\"{value}\""),
        Constant::Symbol(word) => word.to_owned(),
        Constant::Symbols(words) => format!("[{}]", words.join(", ")),
    }
}

/// A duration in the largest unit of the language that divides it.
fn duration(milliseconds: u64) -> String {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let units = [("y", 365 * DAY), ("d", DAY), ("h", 60 * 60 * 1000), ("m", 60 * 1000), ("s", 1000)];
    let unit = units.iter().find(|(_, size)| milliseconds >= *size && milliseconds.is_multiple_of(*size));
    match unit {
        Some((word, size)) => format!("{}{word}", milliseconds / size),
        None => format!("{milliseconds}ms"),
    }
}

/// What the words of an attribute mean.
pub(crate) fn words(kind: &Kind, name: &str, ty: &Type, text: &mut String) {
    for ty in ty.parts() {
        if let Type::Symbol(symbols) = ty {
            line(text, format_args!("Words of `{name}`:\n"));
            for Symbol { word, documentation, .. } in *symbols {
                let note = capability::note(kind, Some(name), Some(word));
                line(text, format_args!("- `{word}`: {documentation}{note}"));
            }
            text.push('\n');
        } else if let Type::Tagged(tags) = ty {
            line(text, format_args!("Words of `{name}`:\n"));
            for tag in *tags {
                tagged(tag, capability::note(kind, Some(name), Some(tag.word)), text);
            }
            text.push('\n');
        } else if let Type::Template(template) = ty {
            line(text, format_args!("What `${{…}}` may stand for in `{name}`, beside names:\n"));
            for Symbol { word, documentation, .. } in template.properties {
                line(text, format_args!("- `{}.{word}`: {documentation}", template.root));
            }
            text.push('\n');
        } else if let Type::Map { of, .. } = ty {
            words(kind, name, of, text);
        }
    }
}

fn tagged(tag: &Tag, note: &str, text: &mut String) {
    line(text, format_args!("- `{}`: {}{note}", tag.word, tag.documentation));
    for attribute in tag.attributes {
        let needed = match attribute.presence {
            Presence::Required => ", required",
            Presence::Optional | Presence::Default(_) | Presence::Derived(_) | Presence::Inherited => "",
        };
        let takes = attribute.ty.describe();
        line(text, format_args!("  - `{}`, {takes}{needed}: {}", attribute.name, attribute.documentation));
    }
}
