//! What is declared under a name.
#![expect(clippy::wildcard_enum_match_arm, reason = "only records have entries")]

use lang_syntax::ast::{Attribute, Block, Item, ValueKind};

use super::{Answer, Context, Part, text};

/// What a name leads to; several, where a namespace is opened several times.
pub(super) fn answers(context: &Context<'_>, names: &[String]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for tree in context.trees {
        find(context, &tree.items, names, &mut String::new(), &mut answers);
    }
    answers
}

fn find(
    context: &Context<'_>,
    items: &[Item],
    names: &[String],
    way: &mut String,
    answers: &mut Vec<Answer>,
) {
    let Some((first, rest)) = names.split_first() else { return };
    for item in items {
        match item {
            Item::Block(block) if is_called(block, first) => {
                let length = way.len();
                if !way.is_empty() {
                    way.push('.');
                }
                way.push_str(first);
                if rest.is_empty() {
                    let mut parts = Vec::new();
                    block_parts(context, block, "", &mut parts);
                    answers.push(Answer { subject: format!("{} `{way}`", block.kind.value), parts });
                } else {
                    find(context, &block.body, rest, way, answers);
                }
                way.truncate(length);
            }
            Item::Attribute(attribute) if attribute.name.value == *first => {
                if let Some(part) = entry(context, attribute, rest) {
                    let whole: Vec<&str> =
                        [first.as_str()].into_iter().chain(rest.iter().map(String::as_str)).collect();
                    let separator = if way.is_empty() { "" } else { "." };
                    let subject = format!("`{way}{separator}{}`", whole.join("."));
                    answers.push(Answer { subject, parts: vec![part] });
                }
            }
            Item::Block(_) | Item::Attribute(_) | Item::Form(_) => {}
        }
    }
}

/// Whether a name means a block: its label, or its kind if there may be one of it.
fn is_called(block: &Block, name: &str) -> bool {
    block.label.as_ref().is_some_and(|label| label.value == name) || block.kind.value == name
}

/// An attribute, or an entry of its record.
fn entry(context: &Context<'_>, attribute: &Attribute, names: &[String]) -> Option<Part> {
    let Some((first, rest)) = names.split_first() else { return Some(part(context, "", attribute)) };
    match &attribute.value.kind {
        ValueKind::Record(entries) | ValueKind::Tagged(_, entries) => entries
            .iter()
            .find(|entry| entry.name.value == *first)
            .and_then(|inner| self::entry(context, inner, rest)),
        _ => None,
    }
}

/// The attributes of a block and of those in it.
pub(super) fn block_parts(context: &Context<'_>, block: &Block, prefix: &str, parts: &mut Vec<Part>) {
    for item in &block.body {
        match item {
            Item::Attribute(attribute) => parts.push(part(context, prefix, attribute)),
            Item::Block(inner) => {
                let name = match &inner.label {
                    Some(label) => format!("{prefix}{} {}", inner.kind.value, label.value),
                    None => format!("{prefix}{}", inner.kind.value),
                };
                if inner.body.is_empty() {
                    let (value, from) = (String::from("{}"), context.made(inner.span));
                    parts.push(Part { name, value, from, place: context.place(inner.span) });
                } else {
                    block_parts(context, inner, &format!("{name}."), parts);
                }
            }
            Item::Form(_) => {}
        }
    }
}

/// One attribute. A value that was handed to a template says both where it is written and what took it over.
fn part(context: &Context<'_>, prefix: &str, attribute: &Attribute) -> Part {
    Part {
        name: format!("{prefix}{}", attribute.name.value),
        value: text::value(&attribute.value),
        from: context.made(attribute.name.span),
        place: context.place(attribute.value.span),
    }
}

/// The names right inside of what a path leads to, in order.
pub(super) fn names(context: &Context<'_>, around: &[String]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for tree in context.trees {
        inside(&tree.items, around, &mut names);
    }
    names.sort();
    names.dedup();
    names
}

fn inside(items: &[Item], around: &[String], names: &mut Vec<String>) {
    match around.split_first() {
        None => names.extend(items.iter().filter_map(|item| match item {
            Item::Block(block) => {
                Some(block.label.as_ref().map_or(&block.kind.value, |label| &label.value).clone())
            }
            Item::Attribute(attribute) => Some(attribute.name.value.clone()),
            Item::Form(_) => None,
        })),
        Some((first, rest)) => {
            for item in items {
                if let Item::Block(block) = item
                    && is_called(block, first)
                {
                    inside(&block.body, rest, names);
                }
            }
        }
    }
}
