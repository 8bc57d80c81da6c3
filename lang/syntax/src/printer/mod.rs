//! The canonical printer: a tree as text, always in the same layout, with comments and documentation kept.
//!
//! The layout depends on the tree alone. Blocks at the top stand on several lines; others stand on one line if they
//! hold at most three attributes and nothing else, and fit. An empty line separates what takes several lines or is
//! documented from its neighbours.

mod forms;
mod inline;
mod scalars;
#[cfg(test)]
mod tests;
mod values;
mod writer;

use self::writer::{Gap, Writer};
use crate::ast::{Attribute, Block, File, FormKind, Item, Value, ValueKind};

/// Blocks with more attributes than this are not put on one line.
const MOST_INLINE_ATTRIBUTES: usize = 3;

/// Prints a file. `parse` reads the same tree back, apart from the places. What was reported as a mistake is not in
/// the tree and so not in the text: print only what was parsed without errors.
#[must_use]
pub fn print(file: &File) -> String {
    let mut writer = Writer::new(&file.comments);
    if let Some(language) = &file.language {
        writer.comments_before(language.span.start);
        writer.write(&format!("language {}", language.value));
        writer.gap(Gap::EmptyLine);
    }
    items(&mut writer, &file.items, true);
    writer.finish()
}

/// The items of a body, each on a line of its own.
fn items(writer: &mut Writer<'_>, items: &[Item], top: bool) {
    let mut previous_stands_apart = false;
    for (position, item) in items.iter().filter(|item| is_printable(item)).enumerate() {
        let stands_apart = stands_apart(writer, item, top);
        let separated = position > 0 && (stands_apart || previous_stands_apart);
        writer.gap(if separated { Gap::EmptyLine } else { Gap::Line });
        match item {
            Item::Block(block) => self::block(writer, block, top),
            Item::Attribute(attribute) => self::attribute(writer, attribute),
            Item::Form(form) => forms::form(writer, form),
        }
        previous_stands_apart = stands_apart;
    }
}

/// Whether the tree holds what the item says.
fn is_printable(item: &Item) -> bool {
    match item {
        Item::Block(block) => {
            let label = block.interpolated.as_deref();
            scalars::is_bare(&block.kind.value)
                && label.is_none_or(inline::is_printable)
                && short_value(block).is_none_or(inline::is_printable)
        }
        Item::Attribute(attribute) => inline::is_printable(&attribute.value),
        Item::Form(form) => forms::is_printable(form),
    }
}

/// Whether empty lines go around an item.
fn stands_apart(writer: &Writer<'_>, item: &Item, top: bool) -> bool {
    match item {
        Item::Block(block) => {
            block.documentation.is_some()
                || !(block.short || block.body.is_empty() || inline_block(writer, block, top).is_some())
        }
        Item::Attribute(attribute) => attribute.documentation.is_some(),
        Item::Form(form) => {
            let body = match &form.kind {
                FormKind::For(_) | FormKind::Template(_) => true,
                FormKind::Override(inner) => self::stands_apart(writer, inner, false),
                FormKind::Use(_)
                | FormKind::Let(_)
                | FormKind::Input(_)
                | FormKind::Apply(_)
                | FormKind::Assert(_) => false,
            };
            form.documentation.is_some() || body
        }
    }
}

fn block(writer: &mut Writer<'_>, block: &Block, top: bool) {
    writer.documentation(block.documentation.as_deref());
    writer.comments_before(block.span.start);
    if let Some(line) = inline_block(writer, block, top) {
        return writer.write(&line);
    }
    writer.write(&header(block));
    if let Some(value) = short_value(block) {
        writer.write(" = ");
        return values::value(writer, value);
    }
    braced(writer, &block.body, block.span.end);
}

/// ` { items }` on several lines; `end` is where the closing brace stood.
fn braced(writer: &mut Writer<'_>, body: &[Item], end: u32) {
    writer.write(" {");
    writer.indented(|writer| {
        items(writer, body, false);
        writer.comments_before(end.saturating_sub(1));
    });
    writer.write("}");
}

/// `kind` or `kind label`.
fn header(block: &Block) -> String {
    match (block.interpolated.as_deref().and_then(inline::escaped), &block.label) {
        (Some(label), _) => format!("{} {label}", block.kind.value),
        (None, Some(label)) => format!("{} {}", block.kind.value, scalars::label(&label.value)),
        (None, None) => block.kind.value.clone(),
    }
}

/// The value of a block that is written without braces.
fn short_value(block: &Block) -> Option<&Value> {
    match block.body.as_slice() {
        [Item::Attribute(attribute)] if block.short => Some(&attribute.value),
        _ => None,
    }
}

/// The block on one line, if it belongs there.
fn inline_block(writer: &Writer<'_>, block: &Block, top: bool) -> Option<String> {
    if writer.has_comment(block.span) || block.short {
        return None;
    }
    if block.body.is_empty() {
        return Some(format!("{} {{}}", header(block)));
    }
    if top || block.body.len() > MOST_INLINE_ATTRIBUTES {
        return None;
    }
    let mut entries = Vec::new();
    for item in &block.body {
        match item {
            Item::Attribute(attribute) => entries.push(inline::attribute(attribute)?),
            Item::Block(_) | Item::Form(_) => return None,
        }
    }
    let line = format!("{} {{ {} }}", header(block), entries.join(", "));
    writer.fits(&line).then_some(line)
}

/// `name = value`
fn attribute(writer: &mut Writer<'_>, attribute: &Attribute) {
    writer.documentation(attribute.documentation.as_deref());
    writer.comments_before(attribute.span.start);
    if !matches!(attribute.value.kind, ValueKind::Spread(_)) {
        writer.write(&format!("{} = ", scalars::key(&attribute.name.value)));
    }
    values::value(writer, &attribute.value);
}
