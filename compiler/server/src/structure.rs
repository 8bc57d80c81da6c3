//! Folding and selection: what lies in what.

use std::collections::BTreeSet;

use lang_diagnostics::Span;
use lang_syntax::TokenKind;
use lang_syntax::ast::Value;
use ls_types::{FoldingRange, FoldingRangeKind, Position, SelectionRange};

use crate::position::Encoding;
use crate::text::{Text, touches};
use crate::walk::{self, Visitor};

/// Every place that is something whole, in no order.
fn spans(text: &Text) -> Vec<Span> {
    struct Spans(Vec<Span>);
    impl Visitor for Spans {
        fn value(&mut self, _: &Value, _: bool) {}
        fn span(&mut self, span: Span) {
            self.0.push(span);
        }
    }
    let mut spans = Spans(Vec::new());
    walk::items(&text.tree().items, true, &mut spans);
    spans.0
}

/// What can be folded: whatever has several lines, and comments of several lines.
pub(crate) fn folding(text: &Text, encoding: Encoding) -> Vec<FoldingRange> {
    let mut lines: BTreeSet<(u32, u32)> = BTreeSet::new();
    for span in spans(text) {
        let range = text.range(span, encoding);
        if range.end.line > range.start.line {
            lines.insert((range.start.line, range.end.line));
        }
    }
    // Of those that begin on one line the longest.
    let mut folds: Vec<FoldingRange> = Vec::new();
    for (start, end) in lines.into_iter().rev() {
        if folds.last().is_none_or(|last| last.start_line != start) {
            folds.push(fold(start, end, None));
        }
    }
    folds.extend(comments(text, encoding));
    folds.sort_by_key(|fold| (fold.start_line, fold.end_line));
    folds
}

fn fold(start_line: u32, end_line: u32, kind: Option<FoldingRangeKind>) -> FoldingRange {
    FoldingRange {
        start_line,
        start_character: None,
        end_line,
        end_character: None,
        kind,
        collapsed_text: None,
    }
}

fn comments(text: &Text, encoding: Encoding) -> Vec<FoldingRange> {
    let mut folds = Vec::new();
    let mut open: Option<(u32, u32)> = None;
    let mut close = |open: &mut Option<(u32, u32)>| {
        if let Some((start, end)) = open.take().filter(|(start, end)| end > start) {
            folds.push(fold(start, end, Some(FoldingRangeKind::Comment)));
        }
    };
    for token in text.tokens() {
        if matches!(token.kind, TokenKind::Comment | TokenKind::Documentation) {
            let line = text.position(token.start as usize, encoding).line;
            match &mut open {
                Some((_, end)) if *end + 1 == line => *end = line,
                _ => {
                    close(&mut open);
                    open = Some((line, line));
                }
            }
        } else if !token.kind.is_trivia() {
            close(&mut open);
        }
    }
    close(&mut open);
    folds
}

/// What is around a place, from the word to the whole file.
pub(crate) fn selection(text: &Text, position: Position, encoding: Encoding) -> SelectionRange {
    let offset = text.offset(position, encoding);
    let mut around: Vec<Span> = spans(text).into_iter().filter(|span| touches(*span, offset)).collect();
    around.push(Span::new(crate::text::ALONE, 0, text.text.len()));
    let word = text.tokens().iter().find(|token| {
        !token.kind.is_trivia()
            && token.kind != TokenKind::End
            && (token.start as usize..=token.end as usize).contains(&offset)
    });
    around.extend(word.map(|token| Span { file: crate::text::ALONE, start: token.start, end: token.end }));
    around.sort_by_key(|span| std::cmp::Reverse((span.end - span.start, span.start)));
    around.dedup();
    let mut selection: Option<SelectionRange> = None;
    for span in around {
        let range = text.range(span, encoding);
        let inside = selection.as_ref().is_none_or(|outer| {
            range != outer.range && outer.range.start <= range.start && range.end <= outer.range.end
        });
        if inside {
            selection = Some(SelectionRange { range, parent: selection.map(Box::new) });
        }
    }
    let here = ls_types::Range { start: position, end: position };
    selection.unwrap_or(SelectionRange { range: here, parent: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "// a\n// b\nnamespace shop {\n  service web {\n    calls = [\n      cart,\n    ]\n  }\n}\n";

    #[test]
    fn what_has_several_lines_folds() {
        let folds = folding(&Text::new(TEXT), Encoding::Utf16);
        let lines: Vec<_> = folds.iter().map(|fold| (fold.start_line, fold.end_line)).collect();
        assert_eq!(lines, [(0, 1), (2, 8), (3, 7), (4, 6)]);
        assert_eq!(folds[0].kind, Some(FoldingRangeKind::Comment));
    }

    #[test]
    fn selections_grow_to_the_file() {
        let text = Text::new(TEXT);
        let mut selection = selection(&text, Position::new(5, 8), Encoding::Utf16);
        let mut sizes = vec![selection.range];
        while let Some(parent) = selection.parent {
            selection = *parent;
            sizes.push(selection.range);
        }
        assert_eq!(sizes.len(), 6, "{sizes:?}");
        assert_eq!(sizes[0].start, Position::new(5, 6));
        assert_eq!(sizes[5].end, Position::new(9, 0));
    }
}
