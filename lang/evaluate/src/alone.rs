//! A value against a type where nothing is declared around it: what is wrong whatever names refer to.
#![expect(clippy::wildcard_enum_match_arm, reason = "values without parts are taken as they are")]

use lang_diagnostics::{Diagnostic, Sink, SourceMap};
use lang_syntax::ast::{Attribute, StringPart, Value, ValueKind};

use crate::evaluator::Evaluator;
use crate::names::Names;
use crate::schema::{Schema, Type};

/// What is wrong with a value; nothing if it fits one of these types. A name may refer to anything, and a string that is put
/// together may come to anything.
pub fn misfit(value: &Value, types: &[&Type], schema: Schema, texts: &SourceMap) -> Vec<Diagnostic> {
    let value = without_pieces(value);
    let mut first = None;
    for ty in types {
        let mut sink = Sink::default();
        let names = Names::default();
        let mut evaluator = Evaluator::new(&names, &[], &mut sink, schema.file, texts);
        // Names that lead nowhere are not among what was reported.
        evaluator.value(&value, ty, None);
        if !sink.has_errors() {
            return Vec::new();
        }
        first.get_or_insert_with(|| sink.into_sorted());
    }
    first.unwrap_or_default()
}

/// The value, with nothing where a string has parts that are filled in where it is used.
fn without_pieces(value: &Value) -> Value {
    let entries = |entries: &[Attribute]| {
        let entry = |entry: &Attribute| Attribute { value: without_pieces(&entry.value), ..entry.clone() };
        entries.iter().map(entry).collect()
    };
    let kind = match &value.kind {
        ValueKind::String(parts) if parts.iter().any(|it| matches!(it, StringPart::Interpolation(_))) => {
            ValueKind::Invalid
        }
        ValueKind::List(values) => ValueKind::List(values.iter().map(without_pieces).collect()),
        ValueKind::Record(fields) => ValueKind::Record(entries(fields)),
        ValueKind::Tagged(tag, fields) => ValueKind::Tagged(tag.clone(), entries(fields)),
        other => other.clone(),
    };
    Value { kind, span: value.span }
}
