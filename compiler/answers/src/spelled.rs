//! A short text that an expression matches as a whole.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassBytes, Hir, HirKind, Repetition};

/// The text, unless the expression cannot be read or asks for what no text of ASCII has.
pub(crate) fn spelled(expression: &str) -> Option<String> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(expression).ok()?;
    let mut text = Vec::new();
    write(&hir, &mut text)?;
    String::from_utf8(text).ok()
}

fn write(hir: &Hir, text: &mut Vec<u8>) -> Option<()> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Some(()),
        HirKind::Literal(literal) => {
            text.extend_from_slice(&literal.0);
            Some(())
        }
        HirKind::Class(Class::Bytes(class)) => {
            text.push(member(class)?);
            Some(())
        }
        HirKind::Class(Class::Unicode(class)) => {
            let first = class.ranges().iter().find(|range| range.end().is_ascii_graphic())?;
            text.push(u8::try_from(first.end()).ok()?);
            Some(())
        }
        HirKind::Repetition(Repetition { min, max: _, greedy: _, sub }) => {
            (0..*min).try_for_each(|_| write(sub, text))
        }
        HirKind::Capture(capture) => write(&capture.sub, text),
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, text)),
        HirKind::Alternation(parts) => write(parts.first()?, text),
    }
}

/// What is plain in a path and in a header, if there is any.
fn member(class: &ClassBytes) -> Option<u8> {
    let all = || class.ranges().iter().flat_map(|range| range.start()..=range.end());
    let plain = all().find(u8::is_ascii_alphanumeric);
    plain.or_else(|| all().find(u8::is_ascii_graphic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spelled_is_matched() {
        let expressions = [
            "/items/[0-9]+",
            "(?:.*;)?[ \\t]*group=beta[^;]*[ \\t]*(?:;.*)?",
            "a{3}(b|c)\\d",
            ".+",
            "x?y*",
            "[^/]+",
        ];
        for expression in expressions {
            let text = spelled(expression).unwrap();
            let whole = crate::sent::whole(expression).unwrap();
            assert!(whole.is_match(&text), "{expression}: {text}");
        }
        assert_eq!(spelled("("), None);
    }
}
