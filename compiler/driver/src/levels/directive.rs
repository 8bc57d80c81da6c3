//! Comments that say how loud findings are: `// meshc: allow(W0123) reason`.

use lang_diagnostics::{Diagnostic, FileId, Span, Spanned};
use lang_syntax::{Token, TokenKind, lex};

use super::Level;
use crate::codes;

/// What such a comment begins with, behind its slashes.
const MARK: &str = "meshc:";

/// A comment that was understood.
pub(super) struct Directive {
    pub(super) level: Level,
    pub(super) words: Vec<Spanned<String>>,
    pub(super) reach: Reach,
    /// The comment.
    pub(super) comment: Span,
    /// What goes with it when it is removed: its whole line, or the white space before it.
    pub(super) whole: Span,
}

/// What a comment is about.
pub(super) enum Reach {
    /// The whole mesh.
    Everywhere,
    /// The line of this byte.
    Line(u32),
}

/// All of a file. Those that are mistaken are reported.
pub(super) fn all(file: FileId, text: &str, found: &mut Vec<Diagnostic>) -> Vec<Directive> {
    // Nearly no file has any, and looking for tokens takes longer.
    if !text.contains(MARK) {
        return Vec::new();
    }
    let tokens = lex(text);
    let mut directives = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let source = text.get(token.start as usize..token.end as usize).unwrap_or_default();
        let content = source.strip_prefix("//").map(str::trim_start).and_then(|rest| rest.strip_prefix(MARK));
        let (TokenKind::Comment, Some(content)) = (token.kind, content) else { continue };
        let comment = Span::new(file, token.start as usize, token.end as usize);
        match read(content, comment) {
            Ok((level, words, everywhere)) => {
                let (line, whole) = place(&tokens, at, text, comment);
                let reach = if everywhere { Reach::Everywhere } else { Reach::Line(line) };
                directives.push(Directive { level, words, reach, comment, whole });
            }
            Err(problem) => found.push(Diagnostic::error(codes::BAD_DIRECTIVE, comment, problem).help(
                "write `// meshc: allow(W0123) reason` above a line or at its end, or, for the whole mesh, \
                     `// meshc: everywhere allow(W0123) reason`, where `warn` and `deny` are possible, too",
            )),
        }
    }
    directives
}

type Read = (Level, Vec<Spanned<String>>, bool);

/// Reads what stands behind the mark, up to the end of the comment.
fn read(content: &str, comment: Span) -> Result<Read, String> {
    // Where a tail of the content begins in the file.
    let offset = |rest: &str| comment.end as usize - rest.len();
    let rest = content.trim_start();
    let (everywhere, rest) = match rest.strip_prefix("everywhere") {
        Some(after) if after.starts_with([' ', '\t']) => (true, after.trim_start()),
        Some(_) | None => (false, rest),
    };
    let Some((word, rest)) = rest.split_once('(') else {
        return Err(String::from("expected `allow(…)` behind `meshc:`"));
    };
    let level = match word.trim() {
        "allow" => Level::Allow,
        "warn" if everywhere => Level::Warn,
        "deny" if everywhere => Level::Deny,
        "warn" | "deny" => {
            return Err(format!(
                "`{}` needs `everywhere`: on a line, warnings can only be allowed",
                word.trim()
            ));
        }
        other => return Err(format!("there is no level `{other}`")),
    };
    let Some((list, reason)) = rest.split_once(')') else {
        return Err(String::from("expected `)` behind the codes"));
    };
    let mut words = Vec::new();
    let mut at = offset(rest);
    for part in list.split(',') {
        let start = at + (part.len() - part.trim_start().len());
        let word = part.trim();
        if word.is_empty() {
            return Err(String::from("expected a code, or `warnings`, between the parentheses"));
        }
        let span = Span::new(comment.file, start, start + word.len());
        words.push(Spanned::new(word.to_owned(), span));
        at += part.len() + 1;
    }
    if level == Level::Allow && !reason.contains(char::is_alphanumeric) {
        return Err(String::from("a reason is missing behind `)`"));
    }
    Ok((level, words, everywhere))
}

/// A byte of the line that a comment is about, and what is taken away with it.
fn place(tokens: &[Token], at: usize, text: &str, comment: Span) -> (u32, Span) {
    let (before, after) = tokens.split_at_checked(at).unwrap_or_default();
    let own_line = before.last().is_none_or(|token| token.kind == TokenKind::Newline);
    let start = comment.start as usize;
    let before = text.get(..start).unwrap_or_default();
    if !own_line {
        let spaces = before.len() - before.trim_end_matches([' ', '\t']).len();
        return (comment.start, Span::new(comment.file, start - spaces, comment.end as usize));
    }
    let next = after.iter().find(|token| !token.kind.is_trivia());
    let line_start = before.rfind('\n').map_or(0, |feed| feed + 1);
    let end = comment.end as usize;
    let rest = text.get(end..).unwrap_or_default();
    let line_end = rest.find('\n').map_or(text.len(), |feed| end + feed + 1);
    (next.map_or(comment.start, |token| token.start), Span::new(comment.file, line_start, line_end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (Vec<Directive>, Vec<String>) {
        let mut found = Vec::new();
        let directives = all(FileId(0), text, &mut found);
        (directives, found.into_iter().map(|diagnostic| diagnostic.message).collect())
    }

    #[test]
    fn a_comment_is_about_its_line_or_the_next_one() {
        let text =
            "a = 1  // meshc: allow(W0001) here\n// meshc: allow(W0002, warnings) there\n// why\nb = 2\n";
        let (directives, mistakes) = found(text);
        assert_eq!(mistakes, [""; 0]);
        let at = |directive: &Directive| match directive.reach {
            Reach::Everywhere => u32::MAX,
            Reach::Line(offset) => text[..offset as usize].matches('\n').count() as u32 + 1,
        };
        assert_eq!(directives.iter().map(at).collect::<Vec<_>>(), [1, 4]);
        let removed: Vec<&str> =
            directives.iter().map(|it| &text[it.whole.start as usize..it.whole.end as usize]).collect();
        assert_eq!(removed[0], "  // meshc: allow(W0001) here");
        assert_eq!(removed[1], "// meshc: allow(W0002, warnings) there\n");
        let words = directives.iter().flat_map(|it| &it.words);
        for word in words {
            assert_eq!(&text[word.span.start as usize..word.span.end as usize], word.value);
        }
    }

    #[test]
    fn mistakes_are_said() {
        let cases = [
            ("// meshc: allow(W0001)", "a reason is missing behind `)`"),
            ("// meshc: allow(W0001) -", "a reason is missing behind `)`"),
            ("// meshc: allow() x", "expected a code, or `warnings`, between the parentheses"),
            ("// meshc: deny(W0001) x", "`deny` needs `everywhere`: on a line, warnings can only be allowed"),
            ("// meshc: forbid(W0001) x", "there is no level `forbid`"),
            ("// meshc: allow W0001", "expected `allow(…)` behind `meshc:`"),
            ("// meshc: allow(W0001", "expected `)` behind the codes"),
        ];
        for (text, mistake) in cases {
            assert_eq!(found(text).1, [mistake], "{text}");
        }
        assert_eq!(found("// meshc: everywhere deny(warnings)").1, [""; 0]);
        assert_eq!(found("/// meshc: this is documentation\na = \"// meshc: text\"").1, [""; 0]);
    }
}
