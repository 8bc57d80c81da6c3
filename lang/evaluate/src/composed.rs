//! Values that are put into others: each is made once, none needs itself, and what they come to is bounded.
//!
//! A value that is put twice into the next one doubles with every step, and a chain of them may be as long as the mesh:
//! without bounds, thirty lines would fill the memory, and a long chain the stack.

use std::collections::HashMap;

use lang_diagnostics::{Diagnostic, Span};
use lang_syntax::ast;

use crate::codes;
use crate::declarations::EntityId;
use crate::evaluator::{Evaluator, Member};

/// How long a chain of values may be, each of which is put into the next.
const DEEPEST: usize = 64;

/// The longest text that is put into another one, in bytes.
const LONGEST: usize = 4096;

/// What is known about values that are put into others.
#[derive(Debug, Default)]
pub(crate) struct Composed {
    /// The values that are being made, and where they were asked for.
    making: Vec<(Member, Span)>,
    /// What was made: the text, unless a report says why there is none, and the length of the chain behind it.
    made: HashMap<Member, (Option<String>, usize)>,
    /// The longest chain behind what was asked for since the innermost value was begun.
    depth: usize,
    /// Whether a chain that is too long was reported: whatever else is behind it would be reported, too.
    too_deep: bool,
}

impl Evaluator<'_, '_> {
    /// The text of an attribute, for a string at `span` that asks for it.
    pub(crate) fn composed(
        &mut self,
        owner: EntityId,
        attribute: &ast::Attribute,
        span: Span,
    ) -> Option<String> {
        let key = (owner, attribute.name.value.clone());
        if let Some((text, depth)) = self.composed.made.get(&key) {
            self.composed.depth = self.composed.depth.max(*depth);
            return text.clone();
        }
        if let Some(first) = self.composed.making.iter().position(|(member, _)| *member == key) {
            self.cycle(first, attribute, span);
            return None;
        }
        if self.composed.making.len() >= DEEPEST {
            self.too_deep(span);
            return None;
        }
        let outside = std::mem::take(&mut self.composed.depth);
        self.composed.making.push((key.clone(), span));
        let scope = self.names.get(owner).and_then(|entity| entity.parent);
        // Names in it are mentioned where it is written.
        let mentioned = self.mentions.len();
        let mut text = self.plain(&attribute.value, scope);
        self.mentions.truncate(mentioned);
        self.composed.making.pop();
        let depth = self.composed.depth + 1;
        self.composed.depth = outside.max(depth);
        if text.is_some() && depth > DEEPEST {
            self.too_deep(span);
            text = None;
        }
        if let Some(long) = text.take_if(|text| text.len() > LONGEST) {
            self.sink.push(
                Diagnostic::error(
                    codes::TEXT_TOO_LARGE,
                    attribute.value.span,
                    format!("this comes to {} bytes and is put into another string", long.len()),
                )
                .label(format!("at most {LONGEST} bytes"))
                .also(span, format!("uses `{}`", attribute.name.value))
                .help("write out what is needed"),
            );
        }
        self.composed.made.insert(key, (text.clone(), depth));
        text
    }

    fn too_deep(&mut self, span: Span) {
        if std::mem::replace(&mut self.composed.too_deep, true) {
            return;
        }
        self.sink.push(
            Diagnostic::error(
                codes::TEXT_TOO_LARGE,
                span,
                format!("more than {DEEPEST} values are put into each other"),
            )
            .label("uses one more")
            .help("write one of these values out"),
        );
    }

    /// Reports a cycle once: its members are known to have no text afterwards.
    fn cycle(&mut self, first: usize, attribute: &ast::Attribute, span: Span) {
        let cycle = self.composed.making.get(first..).unwrap_or_default();
        let mut diagnostic = Diagnostic::error(
            codes::CYCLE,
            attribute.name.span,
            format!("the value of `{}` needs itself", attribute.name.value),
        )
        .label("this value refers to itself");
        for ((_, name), place) in cycle.iter().skip(1) {
            diagnostic = diagnostic.also(*place, format!("uses `{name}`"));
        }
        diagnostic = diagnostic.also(span, format!("uses `{}`", attribute.name.value));
        self.sink.push(diagnostic.help("write one of these values out"));
    }
}
