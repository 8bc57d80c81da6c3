//! Regular expressions as both data planes read them: over bytes.
//!
//! What a proxy compares is bytes that a stranger chose, so an expression that meant characters would have no answer for
//! bytes that are none. Envoy gives expressions to RE2 as Latin-1 text, in which each byte is a character; meshd compiles
//! them over bytes. The two agree on everything that is accepted here.

use regex::bytes::RegexBuilder;
use regex_syntax::ParserBuilder;
use regex_syntax::ast::{
    self, Ast, ClassSetItem, Flag, Flags, FlagsItemKind, GroupKind, HexLiteralKind, Literal, LiteralKind,
    Visitor,
};
use regex_syntax::hir::{Class, Hir, HirKind};

/// What is wrong with an expression; `None` if it means the same to both data planes.
pub(crate) fn wrong(text: &str) -> Option<String> {
    match ast::parse::Parser::new().parse(text) {
        Ok(tree) => {
            if let Err(why) = ast::visit(&tree, Bytes::default()) {
                return Some(why.to_owned());
            }
        }
        Err(error) => return Some(error.kind().to_string()),
    }
    match RegexBuilder::new(text).unicode(false).build() {
        Ok(_) => None,
        Err(regex::Error::Syntax(report)) => {
            // The library's report shows the expression with a mark below it; its last line says what is wrong.
            let last = report.lines().last().unwrap_or_default();
            Some(last.trim_start_matches("error: ").to_owned())
        }
        Err(regex::Error::CompiledTooBig(limit)) => Some(format!("it needs more than {limit} bytes")),
        Err(_) => Some(String::from("it does not compile")),
    }
}

/// The same for an expression that becomes a part of a larger one, behind which stands a sign: it must not match that, since
/// it would match into what follows, and must not ask what is around it.
pub(crate) fn wrong_before(text: &str, sign: u8) -> Option<String> {
    wrong(text).or_else(|| {
        let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(text).ok()?;
        let sign_shown = char::from(sign);
        if !parsed.properties().look_set().is_empty() {
            Some(String::from(r"the whole value must match: leave out `^`, `$` and `\b`"))
        } else if may_match(&parsed, sign) {
            Some(format!(
                "`{sign_shown}` ends the value: write `[^{sign_shown}]` in the place of what could match it"
            ))
        } else {
            None
        }
    })
}

/// Whether a sign may be a part of what an expression matches.
fn may_match(expression: &Hir, sign: u8) -> bool {
    match expression.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&sign),
        HirKind::Class(Class::Bytes(class)) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&sign))
        }
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&char::from(sign)))
        }
        HirKind::Repetition(repetition) => may_match(&repetition.sub, sign),
        HirKind::Capture(capture) => may_match(&capture.sub, sign),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(|part| may_match(part, sign))
        }
    }
}

/// An expression that matches this text and nothing else, in which no sign has a meaning of its own.
pub(crate) fn literal(text: &str) -> String {
    let mut expression = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() && !character.is_ascii_alphanumeric() && !matches!(character, '/' | '_' | '-')
        {
            expression.push_str(&format!("\\x{:02x}", u32::from(character)));
        } else {
            expression.push(character);
        }
    }
    expression
}

/// How many groups of an expression can be referred to; none of one that does not compile.
pub(crate) fn groups(expression: &str) -> usize {
    let compiled = RegexBuilder::new(expression).unicode(false).build();
    compiled.map_or(0, |compiled| compiled.captures_len().saturating_sub(1))
}

/// Whether an expression, as a whole, matches the empty text.
pub(crate) fn matches_nothing(expression: &str) -> bool {
    matches(expression, "")
}

/// Whether an expression, as a whole, matches a text.
pub(crate) fn matches(expression: &str, text: &str) -> bool {
    let whole = RegexBuilder::new(&format!(r"\A(?:{expression})\z")).unicode(false).build();
    whole.is_ok_and(|whole| whole.is_match(text.as_bytes()))
}

/// Looks for what one reader would take for characters and the other for bytes.
#[derive(Default)]
struct Bytes {
    /// Whether letters of either case match somewhere.
    folds: bool,
    /// Whether something beyond ASCII is written.
    high: bool,
}

impl Visitor for Bytes {
    type Output = ();
    type Err = &'static str;

    fn finish(self) -> Result<(), Self::Err> {
        if self.folds && self.high {
            return Err("the flag `i` is about ASCII: leave it out beside other characters");
        }
        Ok(())
    }

    fn visit_pre(&mut self, tree: &Ast) -> Result<(), Self::Err> {
        match tree {
            Ast::Flags(set) => self.flags(&set.flags),
            Ast::Literal(found) => self.literal(found),
            Ast::Group(group) => match &group.kind {
                GroupKind::NonCapturing(flags) => self.flags(flags),
                GroupKind::CaptureIndex(_) | GroupKind::CaptureName { .. } => Ok(()),
            },
            Ast::ClassUnicode(_) => Err(NO_CLASSES),
            Ast::Empty(_)
            | Ast::Dot(_)
            | Ast::Assertion(_)
            | Ast::ClassPerl(_)
            | Ast::ClassBracketed(_)
            | Ast::Repetition(_)
            | Ast::Alternation(_)
            | Ast::Concat(_) => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        let mut member = |found: &Literal| {
            if found.kind == LiteralKind::Verbatim && !found.c.is_ascii() {
                return Err(r"a class is of bytes: write it as `[\x80-\xff]`, or as `(?:ä|ö)`");
            }
            self.literal(found)
        };
        match item {
            ClassSetItem::Literal(found) => member(found),
            ClassSetItem::Range(range) => member(&range.start).and_then(|()| member(&range.end)),
            ClassSetItem::Unicode(_) => Err(NO_CLASSES),
            ClassSetItem::Empty(_)
            | ClassSetItem::Ascii(_)
            | ClassSetItem::Perl(_)
            | ClassSetItem::Bracketed(_)
            | ClassSetItem::Union(_) => Ok(()),
        }
    }
}

const NO_CLASSES: &str = r"bytes have no `\p{…}`: write a class such as `[A-Za-z]`";

impl Bytes {
    fn literal(&mut self, found: &Literal) -> Result<(), &'static str> {
        if found.c.is_ascii() {
            return Ok(());
        }
        self.high = true;
        match found.kind {
            LiteralKind::HexFixed(HexLiteralKind::UnicodeShort | HexLiteralKind::UnicodeLong)
            | LiteralKind::HexBrace(_) => {
                Err("expressions match bytes: write the character itself, or each \
                                               byte as in `\\xe4`")
            }
            LiteralKind::Verbatim
            | LiteralKind::Meta
            | LiteralKind::Superfluous
            | LiteralKind::Octal
            | LiteralKind::HexFixed(HexLiteralKind::X)
            | LiteralKind::Special(_) => Ok(()),
        }
    }

    fn flags(&mut self, flags: &Flags) -> Result<(), &'static str> {
        for item in &flags.items {
            match item.kind {
                FlagsItemKind::Flag(Flag::CaseInsensitive) => self.folds = true,
                FlagsItemKind::Flag(Flag::Unicode) => {
                    return Err("expressions match bytes; leave out the flag `u`");
                }
                FlagsItemKind::Negation
                | FlagsItemKind::Flag(
                    Flag::MultiLine
                    | Flag::DotMatchesNewLine
                    | Flag::SwapGreed
                    | Flag::CRLF
                    | Flag::IgnoreWhitespace,
                ) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_read_alike_is_accepted() {
        for text in [
            "a.b",
            r"[^a]+",
            r"\xe4",
            "ä|ö",
            "(?:ä|ö)+",
            r"[\x80-\xff]",
            r"\W\d\s\b",
            "[[:alpha:]]",
            "(?i)gold",
            r"/items/[0-9]{1,12}(?:/.*)?",
            r"\x{7f}",
        ] {
            assert_eq!(wrong(text), None, "{text}");
        }
    }

    #[test]
    fn what_stands_before_a_sign_does_not_match_it() {
        for text in ["[a-z]+", "gold|silver", "(?i)gold", r"\d{1,3}", "[^;]*", r"\xff"] {
            assert_eq!(wrong_before(text, b';'), None, "{text}");
        }
        for text in [".*", "a;b", "[^a]", r"\W", "a|.", r"[!-~]", "(.)?", r"\x3b", "^a", "a$", r"\bgold", "("]
        {
            assert!(wrong_before(text, b';').is_some(), "{text}");
        }
    }

    #[test]
    fn what_would_mean_characters_is_refused() {
        for (text, why) in [
            ("(", "unclosed group"),
            (r"(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
            ("[ä-ö]", "a class is of bytes"),
            (r"\pL", "bytes have no"),
            (r"[\p{Lu}]", "bytes have no"),
            (r"\x{20ac}", "each byte"),
            (r"\x{e4}", "each byte"),
            (r"\u00e4", "each byte"),
            ("(?i)ä", "the flag `i`"),
            (r"(?i:a)\xe4", "the flag `i`"),
            ("(?u)a", "the flag `u`"),
        ] {
            let found = wrong(text).unwrap_or_default();
            assert!(found.contains(why), "{text}: {found}");
        }
    }
}
