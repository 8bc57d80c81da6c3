//! Regular expressions that the language accepts and RE2, which Envoy compiles them with, does not.
//!
//! The language checks expressions with the library that meshd uses. Its syntax is RE2's and a little more; this
//! names the little more. What the two would read differently was refused where it was written. Source: RE2's own syntax page (github.com/google/re2/wiki/Syntax).

use regex_syntax::ast::{
    self, Ast, ClassSetBinaryOp, ClassSetItem, Flag, Flags, FlagsItemKind, GroupKind, HexLiteralKind,
    Literal, LiteralKind, RepetitionKind, RepetitionRange, Span, Visitor,
};

/// RE2 repeats nothing more often than this, nested repetitions multiplied.
const MOST_REPETITIONS: u32 = 1000;

/// What RE2 does not understand.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The part of the expression.
    pub(super) text: String,
    /// What to write instead.
    pub(super) help: &'static str,
}

/// The first part of the expression that RE2 does not understand; `None` if it understands everything.
pub(super) fn refused(expression: &str) -> Option<Refused> {
    // Expressions that do not parse at all were refused where they were written.
    let tree = ast::parse::Parser::new().parse(expression).ok()?;
    let (span, help) = ast::visit(&tree, Search { repetitions: vec![1] }).err()?;
    let text = expression.get(span.start.offset..span.end.offset).unwrap_or(expression).to_owned();
    Some(Refused { text, help })
}

/// Walks an expression until it finds something.
struct Search {
    /// Products of the repetitions around the current place, innermost last.
    repetitions: Vec<u32>,
}

type Found = (Span, &'static str);

impl Visitor for Search {
    type Output = ();
    type Err = Found;

    fn finish(self) -> Result<(), Found> {
        Ok(())
    }

    fn visit_pre(&mut self, tree: &Ast) -> Result<(), Found> {
        match tree {
            Ast::Flags(set) => flags(&set.flags),
            Ast::Literal(found) => literal(found),
            Ast::Assertion(assertion) => match assertion.kind {
                ast::AssertionKind::StartLine
                | ast::AssertionKind::EndLine
                | ast::AssertionKind::StartText
                | ast::AssertionKind::EndText
                | ast::AssertionKind::WordBoundary
                | ast::AssertionKind::NotWordBoundary => Ok(()),
                ast::AssertionKind::WordBoundaryStart
                | ast::AssertionKind::WordBoundaryEnd
                | ast::AssertionKind::WordBoundaryStartAngle
                | ast::AssertionKind::WordBoundaryEndAngle
                | ast::AssertionKind::WordBoundaryStartHalf
                | ast::AssertionKind::WordBoundaryEndHalf => {
                    Err((assertion.span, "use `\\b` for the boundary of a word"))
                }
            },
            Ast::Repetition(repetition) => {
                let around = self.repetitions.last().copied().unwrap_or(1);
                let product = around.saturating_mul(most(&repetition.op.kind));
                self.repetitions.push(product);
                if product > MOST_REPETITIONS {
                    return Err((repetition.span, "repeat at most 1000 times in all; `*` has no limit"));
                }
                Ok(())
            }
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(found) => flags(found),
                GroupKind::CaptureIndex(_) | GroupKind::CaptureName { .. } => Ok(()),
            },
            Ast::Empty(_)
            | Ast::Dot(_)
            | Ast::ClassUnicode(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => Ok(()),
        }
    }

    fn visit_post(&mut self, tree: &Ast) -> Result<(), Found> {
        if let Ast::Repetition(_) = tree {
            self.repetitions.pop();
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Found> {
        match item {
            ClassSetItem::Literal(found) => literal(found),
            ClassSetItem::Range(range) => literal(&range.start).and_then(|()| literal(&range.end)),
            ClassSetItem::Bracketed(class) => {
                Err((class.span, "write one class, without brackets inside it"))
            }
            ClassSetItem::Empty(_)
            | ClassSetItem::Ascii(_)
            | ClassSetItem::Unicode(_)
            | ClassSetItem::Perl(_)
            | ClassSetItem::Union(_) => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, operation: &ClassSetBinaryOp) -> Result<(), Found> {
        Err((operation.span, "write the characters of the class one by one"))
    }
}

fn literal(literal: &Literal) -> Result<(), Found> {
    match literal.kind {
        LiteralKind::HexFixed(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong)
        | LiteralKind::HexBrace(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong) => {
            Err((literal.span, "write the character itself, or `\\x{…}`"))
        }
        LiteralKind::Verbatim
        | LiteralKind::Meta
        | LiteralKind::Superfluous
        | LiteralKind::Octal
        | LiteralKind::HexFixed(HexLiteralKind::X)
        | LiteralKind::HexBrace(HexLiteralKind::X)
        | LiteralKind::Special(_) => Ok(()),
    }
}

fn flags(flags: &Flags) -> Result<(), Found> {
    for item in &flags.items {
        match item.kind {
            FlagsItemKind::Negation
            | FlagsItemKind::Flag(
                Flag::CaseInsensitive | Flag::MultiLine | Flag::DotMatchesNewLine | Flag::SwapGreed,
            ) => {}
            FlagsItemKind::Flag(Flag::Unicode | Flag::CRLF | Flag::IgnoreWhitespace) => {
                return Err((item.span, "only the flags `i`, `m`, `s` and `U` are understood"));
            }
        }
    }
    Ok(())
}

fn most(kind: &RepetitionKind) -> u32 {
    match kind {
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => 1,
        RepetitionKind::Range(
            RepetitionRange::Exactly(count)
            | RepetitionRange::AtLeast(count)
            | RepetitionRange::Bounded(_, count),
        ) => (*count).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_syntax_is_understood() {
        for expression in [
            r"/items/[0-9]{1,12}(?:/.*)?",
            r"^(?i:gold|silver)$",
            r"[^/]+\.(?:png|jpe?g)",
            r"\x7f\xe4\d\W\b[[:alpha:]_-]",
            r"(?P<name>a{1000})b{1000}",
        ] {
            assert_eq!(refused(expression), None, "{expression}");
        }
    }

    #[test]
    fn what_only_the_other_library_understands_is_found() {
        for (expression, part) in [
            (r"[a-z&&[^x]]", r"a-z&&[^x]"),
            (r"[a[bc]]", r"[bc]"),
            (r"(?x) a b", "x"),
            (r"a\u{41}", r"\u{41}"),
            (r"\u0041", r"\u0041"),
            (r"a{1001}", "a{1001}"),
            (r"(?:a{40}){40}", "a{40}"),
            (r"\b{start}a", r"\b{start}"),
        ] {
            assert_eq!(
                refused(expression).map(|refused| refused.text).as_deref(),
                Some(part),
                "{expression}"
            );
        }
    }
}
