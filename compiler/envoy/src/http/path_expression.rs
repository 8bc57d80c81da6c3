//! Regular expressions for paths where Envoy compares `:path` with its query: what they match, and no `?`.
//!
//! An expression such as `/[^/]+` is about the path, and `/?v=1` is the path `/`; but as text, `?v=1` is one more segment.
//! So every class loses its `?`. Where the path ends, the query may begin, so `^` and `$` around the whole go.

use regex_syntax::ParserBuilder;
use regex_syntax::ast::{self, Ast, Span, Visitor};
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, HirKind};

/// Matches nothing, to RE2 and to the library that the tests compile it with.
const NOTHING: &str = r"[^\x00-\xff]";

/// An expression that matches the same paths, and no text with a `?` in it.
pub(super) fn without_query(expression: &str) -> String {
    let Ok(tree) = ast::parse::Parser::new().parse(expression) else { return expression.to_owned() };
    let mut edges = Vec::new();
    around(&tree, true, true, &mut edges);
    let edits = ast::visit(&tree, Classes { expression, edits: Vec::new() }).unwrap_or_default();
    let mut edits: Vec<(Span, String)> =
        edits.into_iter().chain(edges.into_iter().map(|span| (span, String::new()))).collect();
    edits.sort_by_key(|(span, _)| span.start.offset);
    let (mut whole, mut at) = (String::with_capacity(expression.len()), 0);
    for (span, text) in edits {
        whole.push_str(expression.get(at..span.start.offset).unwrap_or_default());
        whole.push_str(&text);
        at = span.end.offset;
    }
    whole.push_str(expression.get(at..).unwrap_or_default());
    whole
}

/// The first part of an expression that asks for what is around it, other than `^` and `$` around the whole.
pub(crate) fn looks_around(expression: &str) -> Option<String> {
    let tree = ast::parse::Parser::new().parse(expression).ok()?;
    let mut edges = Vec::new();
    around(&tree, true, true, &mut edges);
    let found = ast::visit(&tree, Assertions { edges }).err()?;
    expression.get(found.start.offset..found.end.offset).map(str::to_owned)
}

/// The signs for the begin and the end of the text that stand there, where this part of the expression begins or ends the whole.
fn around(tree: &Ast, begins: bool, ends: bool, found: &mut Vec<Span>) {
    match tree {
        Ast::Assertion(assertion) => {
            let is_edge = match assertion.kind {
                ast::AssertionKind::StartLine | ast::AssertionKind::StartText => begins,
                ast::AssertionKind::EndLine | ast::AssertionKind::EndText => ends,
                ast::AssertionKind::WordBoundary
                | ast::AssertionKind::NotWordBoundary
                | ast::AssertionKind::WordBoundaryStart
                | ast::AssertionKind::WordBoundaryEnd
                | ast::AssertionKind::WordBoundaryStartAngle
                | ast::AssertionKind::WordBoundaryEndAngle
                | ast::AssertionKind::WordBoundaryStartHalf
                | ast::AssertionKind::WordBoundaryEndHalf => false,
            };
            if is_edge {
                found.push(assertion.span);
            }
        }
        Ast::Group(group) => around(&group.ast, begins, ends, found),
        Ast::Alternation(alternation) => {
            alternation.asts.iter().for_each(|branch| around(branch, begins, ends, found));
        }
        Ast::Concat(concat) => {
            let is_empty = |part: &&Ast| matches!(part, Ast::Empty(_) | Ast::Flags(_));
            let leading = concat.asts.iter().take_while(is_empty).count();
            let last = concat.asts.len().saturating_sub(1);
            for (position, part) in concat.asts.iter().enumerate() {
                around(part, begins && position <= leading, ends && position == last, found);
            }
        }
        Ast::Empty(_)
        | Ast::Flags(_)
        | Ast::Literal(_)
        | Ast::Dot(_)
        | Ast::ClassUnicode(_)
        | Ast::ClassPerl(_)
        | Ast::ClassBracketed(_)
        | Ast::Repetition(_) => {}
    }
}

/// Looks for assertions that are none of these.
struct Assertions {
    edges: Vec<Span>,
}

impl Visitor for Assertions {
    type Output = ();
    type Err = Span;

    fn finish(self) -> Result<(), Span> {
        Ok(())
    }

    fn visit_pre(&mut self, tree: &Ast) -> Result<(), Span> {
        match tree {
            Ast::Assertion(assertion) if !self.edges.contains(&assertion.span) => Err(assertion.span),
            Ast::Assertion(_)
            | Ast::Empty(_)
            | Ast::Flags(_)
            | Ast::Literal(_)
            | Ast::Dot(_)
            | Ast::ClassUnicode(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_)
            | Ast::Repetition(_)
            | Ast::Group(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => Ok(()),
        }
    }
}

/// Collects what single signs may be, and has to be written anew.
struct Classes<'e> {
    expression: &'e str,
    edits: Vec<(Span, String)>,
}

impl Visitor for Classes<'_> {
    type Output = Vec<(Span, String)>;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self::Output, Self::Err> {
        Ok(self.edits)
    }

    fn visit_pre(&mut self, tree: &Ast) -> Result<(), Self::Err> {
        let span = match tree {
            Ast::Literal(literal) => literal.span,
            Ast::Dot(span) => **span,
            Ast::ClassPerl(class) => class.span,
            Ast::ClassBracketed(class) => class.span,
            // Those of Unicode were refused where they were written.
            Ast::ClassUnicode(_)
            | Ast::Assertion(_)
            | Ast::Empty(_)
            | Ast::Flags(_)
            | Ast::Repetition(_)
            | Ast::Group(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => return Ok(()),
        };
        let text = self.expression.get(span.start.offset..span.end.offset).unwrap_or_default();
        self.edits.extend(less(text).map(|text| (span, text)));
        Ok(())
    }
}

/// What stands for one sign, without the `?`; `None` if that is the same.
fn less(text: &str) -> Option<String> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(text).ok()?;
    let mut class = match parsed.kind() {
        HirKind::Literal(literal) if *literal.0 == *b"?" => return Some(NOTHING.to_owned()),
        HirKind::Class(Class::Bytes(class)) => class.clone(),
        HirKind::Class(Class::Unicode(_))
        | HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Literal(_)
        | HirKind::Repetition(_)
        | HirKind::Capture(_)
        | HirKind::Concat(_)
        | HirKind::Alternation(_) => return None,
    };
    let sign = ClassBytes::new([ClassBytesRange::new(b'?', b'?')]);
    if !class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&b'?')) {
        return None;
    }
    class.difference(&sign);
    let mut others = class.clone();
    others.negate();
    Some(match (class.ranges().len(), others.ranges().len()) {
        (0, _) => NOTHING.to_owned(),
        (ranges, excluded) if excluded < ranges => format!("[^{}]", listed(&others)),
        (_, _) => format!("[{}]", listed(&class)),
    })
}

/// The ranges of a class, as they stand between its brackets.
fn listed(class: &ClassBytes) -> String {
    let ranges = class.ranges().iter().map(|range| match (range.start(), range.end()) {
        (first, last) if first == last => shown(first),
        (first, last) => format!("{}-{}", shown(first), shown(last)),
    });
    ranges.collect()
}

fn shown(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'?' | b'.' | b'_') {
        char::from(byte).to_string()
    } else {
        format!("\\x{byte:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sign_may_be_a_question_mark() {
        for (written, wanted) in [
            ("/items", "/items"),
            ("/[^/]+", "/[^/?]+"),
            ("/a.*b", r"/a[^\x0a?]*b"),
            (r"/\d+/\S", r"/\d+/[^\x09-\x0d\x20?]"),
            ("//?", "//?"),
            (r"/a\?b", r"/a[^\x00-\xff]b"),
            ("[?]", NOTHING),
            ("/[a?]", "/[a]"),
            ("/[<-A]", r"/[\x3c-\x3e\x40-A]"),
            ("(?i)/A[^]-]", r"(?i)/A[^\x2d?\x5d]"),
            ("/[[:punct:]]", r"/[\x21-/\x3a-\x3e\x40\x5b-\x60\x7b-\x7e]"),
            ("^/a$", "/a"),
            ("(?i)^/a$|^(?:/b$)", "(?i)/a|(?:/b)"),
        ] {
            assert_eq!(without_query(written), wanted, "{written}");
            assert_eq!(without_query(wanted), wanted, "once is enough: {written}");
        }
    }

    /// Every text of up to five signs, as a path with or without a query.
    fn targets() -> Vec<String> {
        let mut all = vec![String::from("/")];
        let mut from = 0;
        for _ in 0..5 {
            let to = all.len();
            for at in from..to {
                for sign in ["/", "a", "b", "?", "."] {
                    all.push(format!("{}{sign}", all[at]));
                }
            }
            from = to;
        }
        all
    }

    #[test]
    fn with_a_query_behind_it_an_expression_matches_what_it_matches_as_a_path() {
        let whole = |expression: &str| {
            let whole = format!(r"\A(?:{expression})\z");
            regex::bytes::RegexBuilder::new(&whole).unicode(false).build().unwrap()
        };
        let targets = targets();
        assert_eq!(targets.len(), 3906);
        for expression in [
            "/[^/]+",
            "/.*",
            "/[^a]*b",
            "^/a.?$",
            "//?",
            r"/a\?b|/b",
            "/[a-z?]+",
            r"/\W+",
            "/a(?:/.*)?",
            "(?i)/A[.-a]*",
            "^(?:/a|/b+$)",
            "/[[:^alpha:]]*",
        ] {
            let (alone, before) =
                (whole(expression), whole(&format!(r"(?:{})(?:\?.*)?", without_query(expression))));
            for target in &targets {
                let path = target.split('?').next().unwrap();
                let (wanted, found) = (alone.is_match(path.as_bytes()), before.is_match(target.as_bytes()));
                assert_eq!(found, wanted, "{expression} for {target}");
            }
        }
    }

    #[test]
    fn what_is_around_is_asked_for_at_the_ends_only() {
        for (written, found) in
            [("^/a$", None), ("/a$b", Some("$")), (r"/a\b", Some(r"\b")), ("(?:^)*/a", Some("^"))]
        {
            assert_eq!(looks_around(written).as_deref(), found, "{written}");
        }
    }
}
