//! Values as one would write them.

use std::time::Duration;

use lang_diagnostics::{FileId, Span, Spanned};
use lang_syntax::ast::{Attribute, DurationLiteral, File, Item, Literal, Value, ValueKind};

const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

/// A value on one line.
pub(super) fn value(value: &Value) -> String {
    let attribute = Attribute {
        name: Spanned::new(String::from("x"), NOWHERE),
        value: value.clone(),
        documentation: None,
        span: NOWHERE,
    };
    let items = vec![Item::Attribute(attribute)];
    let file = File { language: None, items, comments: Vec::new(), expands: false, span: NOWHERE };
    let printed = lang_syntax::print(&file);
    printed.trim_start_matches("x =").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A bound on time; without one the word `none`.
pub(super) fn bound(duration: Option<Duration>) -> String {
    let Some(duration) = duration else { return String::from("none") };
    let milliseconds = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let kind = ValueKind::Literal(Literal::Duration(DurationLiteral { milliseconds }));
    value(&Value { kind, span: NOWHERE })
}
