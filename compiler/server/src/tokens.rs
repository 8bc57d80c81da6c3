//! Semantic tokens: what each word is, beyond what a grammar for highlighting can see.

use std::collections::BTreeMap;

use lang_syntax::TokenKind;
use ls_types::{SemanticToken, SemanticTokenModifier, SemanticTokenType, SemanticTokensLegend};

use crate::names;
use crate::scopes::Binder;
use crate::view::View;

/// The types of tokens, in the order of the legend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Keyword,
    Kind,
    Property,
    Variable,
    Parameter,
    Function,
    Namespace,
    Entity,
    Word,
    String,
    Number,
    Comment,
    Operator,
}

const CLASSES: [(Class, SemanticTokenType); 13] = [
    (Class::Keyword, SemanticTokenType::KEYWORD),
    (Class::Kind, SemanticTokenType::TYPE),
    (Class::Property, SemanticTokenType::PROPERTY),
    (Class::Variable, SemanticTokenType::VARIABLE),
    (Class::Parameter, SemanticTokenType::PARAMETER),
    (Class::Function, SemanticTokenType::FUNCTION),
    (Class::Namespace, SemanticTokenType::NAMESPACE),
    (Class::Entity, SemanticTokenType::CLASS),
    (Class::Word, SemanticTokenType::ENUM_MEMBER),
    (Class::String, SemanticTokenType::STRING),
    (Class::Number, SemanticTokenType::NUMBER),
    (Class::Comment, SemanticTokenType::COMMENT),
    (Class::Operator, SemanticTokenType::OPERATOR),
];

/// The only modifier: the first bit.
const DECLARATION: u32 = 1;

/// What the numbers of tokens mean.
pub(crate) fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend {
        token_types: CLASSES.iter().map(|(_, name)| name.clone()).collect(),
        token_modifiers: vec![SemanticTokenModifier::DECLARATION],
    }
}

/// The tokens of a document between two offsets.
pub(crate) fn tokens(view: &View<'_>, from: usize, to: usize) -> Vec<SemanticToken> {
    let known = known(view);
    let text = &view.text.text;
    let mut found = Vec::new();
    let (mut line, mut column) = (0, 0);
    let significant: Vec<_> = view.text.tokens().iter().filter(|token| !is_space(token.kind)).collect();
    for (index, token) in significant.iter().enumerate() {
        if (token.end as usize) <= from || (token.start as usize) >= to {
            continue;
        }
        let next = significant.get(index + 1).map(|next| next.kind);
        let before = index.checked_sub(1).and_then(|at| significant.get(at)).map(|before| before.kind);
        let first = is_first(text, token.start as usize)
            || matches!(before, Some(TokenKind::OpenBrace | TokenKind::Comma | TokenKind::Override));
        let (class, modifiers) = match known.get(&token.start) {
            Some((class, declares)) => (*class, if *declares { DECLARATION } else { 0 }),
            None => match class(token.kind, first, next) {
                Some(class) => (class, 0),
                None => continue,
            },
        };
        // A token of several lines is several.
        let whole = text.get(token.start as usize..token.end as usize).unwrap_or_default();
        let mut offset = token.start as usize;
        for part in whole.split_inclusive('\n') {
            let shown = part.trim_end_matches(['\n', '\r']);
            let start = view.text.position(offset, view.world.encoding);
            let end = view.text.position(offset + shown.len(), view.world.encoding);
            offset += part.len();
            if end.character <= start.character {
                continue;
            }
            let delta_line = start.line - line;
            let delta_start = if delta_line == 0 { start.character - column } else { start.character };
            found.push(SemanticToken {
                delta_line,
                delta_start,
                length: end.character - start.character,
                token_type: CLASSES.iter().position(|(known, _)| *known == class).map_or(0, as_number),
                token_modifiers_bitset: modifiers,
            });
            (line, column) = (start.line, start.character);
        }
    }
    found
}

fn as_number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(0)
}

fn is_space(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Whitespace | TokenKind::Newline | TokenKind::End)
}

/// Whether only white space is before a place on its line.
fn is_first(text: &str, offset: usize) -> bool {
    let before = text.get(..offset).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default().trim().is_empty()
}

/// What the names of a file are, by where they begin, and whether they are declared there.
fn known(view: &View<'_>) -> BTreeMap<u32, (Class, bool)> {
    let mut found = BTreeMap::new();
    if let (Some(declarations), Some(sources), Some(file)) =
        (view.declarations(), view.sources(), view.file())
    {
        let class = |entity| {
            let is_namespace = declarations.entity(entity).kind.word == "namespace";
            if is_namespace { Class::Namespace } else { Class::Entity }
        };
        for mention in declarations.mentions() {
            let span = sources.original(mention.span);
            if span.file == file {
                found.insert(span.start, (class(mention.entity), false));
            }
        }
        names::labels(&declarations.blocks, &mut |span, entity| {
            let span = sources.original(span);
            if span.file == file {
                found.insert(span.start, (class(entity), true));
            }
        });
    }
    let scopes = view.text.scopes();
    let of_binder = |binder: Binder| match binder {
        Binder::Let | Binder::Input | Binder::Variable => Class::Variable,
        Binder::Parameter => Class::Parameter,
        Binder::Template | Binder::Imported => Class::Function,
        Binder::Module => Class::Namespace,
    };
    for binding in &scopes.bindings {
        found.insert(binding.span.start, (of_binder(binding.binder), true));
    }
    for (span, meaning) in &scopes.uses {
        let class = match meaning {
            crate::scopes::Meaning::Own(index) => {
                scopes.bindings.get(*index).map_or(Class::Variable, |binding| of_binder(binding.binder))
            }
            // It is highlighted as it is written.
            crate::scopes::Meaning::Source(_) => continue,
            crate::scopes::Meaning::Member(_, _, Some(_)) => Class::Parameter,
            crate::scopes::Meaning::Member(..) => Class::Function,
        };
        found.insert(span.start, (class, false));
    }
    found
}

/// What a token is by itself.
fn class(kind: TokenKind, first: bool, next: Option<TokenKind>) -> Option<Class> {
    match kind {
        TokenKind::Comment | TokenKind::Documentation => Some(Class::Comment),
        TokenKind::For
        | TokenKind::Use
        | TokenKind::Let
        | TokenKind::Input
        | TokenKind::Template
        | TokenKind::Apply
        | TokenKind::Override
        | TokenKind::Assert
        | TokenKind::If
        | TokenKind::In
        | TokenKind::True
        | TokenKind::False => match next {
            Some(TokenKind::Equals) => Some(Class::Property),
            _ => Some(Class::Keyword),
        },
        TokenKind::Name | TokenKind::ForeignName => match next {
            Some(TokenKind::Equals) => Some(Class::Property),
            Some(TokenKind::OpenBrace | TokenKind::Name | TokenKind::String) if first => Some(Class::Kind),
            _ => Some(Class::Word),
        },
        TokenKind::Literal => Some(Class::Number),
        TokenKind::String
        | TokenKind::RawString
        | TokenKind::TemplateHead
        | TokenKind::TemplateMiddle
        | TokenKind::TemplateTail
        | TokenKind::UnclosedString
        | TokenKind::UnclosedTail
        | TokenKind::UnclosedRaw => Some(Class::String),
        TokenKind::Arrow | TokenKind::Comparison | TokenKind::Spread | TokenKind::Equals => {
            Some(Class::Operator)
        }
        TokenKind::Whitespace
        | TokenKind::Newline
        | TokenKind::Comma
        | TokenKind::Dot
        | TokenKind::Colon
        | TokenKind::OpenBrace
        | TokenKind::CloseBrace
        | TokenKind::OpenBracket
        | TokenKind::CloseBracket
        | TokenKind::OpenParenthesis
        | TokenKind::CloseParenthesis
        | TokenKind::Unknown
        | TokenKind::End => None,
    }
}
