//! First pass: which blocks there are, which kinds they have, and which entities they make.

use lang_diagnostics::{Diagnostic, Sink, Spanned, suggest_word};
use lang_syntax::ast;

use crate::codes;
use crate::declarations::EntityId;
use crate::elsewhere::{self, Form};
use crate::fixes;
use crate::names::Names;
use crate::schema::{Count, Kind, Label};
use crate::suggestion::{did_you_mean, meant};

/// A block of a known kind, before its values are looked at.
#[derive(Debug)]
pub(crate) struct Collected<'a> {
    pub(crate) kind: &'static Kind,
    pub(crate) block: &'a ast::Block,
    /// The entity that it makes or opens again.
    pub(crate) entity: Option<EntityId>,
    /// The innermost entity around the block and itself.
    pub(crate) scope: Option<EntityId>,
    pub(crate) blocks: Vec<Collected<'a>>,
}

/// The first pass over all files.
#[derive(Debug)]
pub(crate) struct Collector<'a, 's> {
    pub(crate) names: Names,
    /// The blocks of each entity.
    pub(crate) sources: Vec<(EntityId, &'a ast::Block)>,
    pub(crate) sink: &'s mut Sink,
    /// What may stand at the top level.
    pub(crate) file: &'static Kind,
}

impl<'a> Collector<'a, '_> {
    /// Collects the nested blocks among `items`, which stand in a block of `kind`.
    pub(crate) fn items(
        &mut self,
        kind: &'static Kind,
        items: &[&'a ast::Item],
        scope: Option<EntityId>,
    ) -> Vec<Collected<'a>> {
        let mut collected: Vec<Collected<'a>> = Vec::new();
        for item in items {
            let ast::Item::Block(block) = item else { continue };
            if block.short {
                self.short(kind, block);
                continue;
            }
            let Some(nested) = kind.block(&block.kind.value) else {
                self.unknown_block(kind, block);
                continue;
            };
            if at_most_once(nested.count)
                && let Some(first) = collected.iter().find(|other| other.kind.word == nested.kind.word)
            {
                self.sink.push(
                    Diagnostic::error(
                        codes::REPEATED_BLOCK,
                        block.kind.span,
                        format!("`{}` is given twice in {}", nested.kind.word, place_name(kind)),
                    )
                    .label("the second one")
                    .also(first.block.kind.span, "the first one")
                    .help("keep one of them, or merge them into one block"),
                );
                self.mark_broken(block);
                continue;
            }
            collected.push(self.block(nested.kind, block, scope));
        }
        collected
    }

    fn block(
        &mut self,
        kind: &'static Kind,
        block: &'a ast::Block,
        outer: Option<EntityId>,
    ) -> Collected<'a> {
        self.check_label(kind, block);
        let entity = match (&block.label, kind.space) {
            (Some(label), Some(_)) => Some(self.declare(kind, label, outer)),
            (None, Some(_)) => {
                self.names.mark_nameless(kind);
                None
            }
            (_, None) => None,
        };
        if let Some(entity) = entity {
            self.sources.push((entity, block));
        }
        let scope = entity.or(outer);
        let body: Vec<_> = block.body.iter().collect();
        let blocks = self.items(kind, &body, scope);
        Collected { kind, block, entity, scope, blocks }
    }

    fn declare(&mut self, kind: &'static Kind, label: &Spanned<String>, outer: Option<EntityId>) -> EntityId {
        let rival = match self.names.declare(kind, label, outer) {
            Ok(id) => return id,
            Err(rival) => rival,
        };
        let (other_kind, other_span) = match self.names.get(rival) {
            Some(entity) => (entity.kind, entity.span),
            None => (kind, label.span),
        };
        if kind.reopen && other_kind.word == kind.word {
            return rival;
        }
        self.sink.push(
            Diagnostic::error(
                codes::DUPLICATE_NAME,
                label.span,
                format!("there are two declarations of {} `{}`", kind.word, label.value),
            )
            .label("the second one")
            .also(other_span, format!("{} `{}` is declared here", other_kind.word, label.value))
            .help("give one of them another name; only a namespace may be opened several times"),
        );
        // Whichever of the two is meant elsewhere, it is no further mistake.
        self.names.mark_broken(&label.value);
        self.names.hide(kind, label, outer)
    }

    fn check_label(&mut self, kind: &'static Kind, block: &ast::Block) {
        let word = kind.word;
        match (&kind.label, &block.label) {
            (Label::None, None) | (Label::Optional(_), None) => {}
            (Label::None, Some(label)) => self.sink.push(fixes::label_not_allowed(kind, block, label)),
            (Label::Symbol(symbols), None) => {
                let words: Vec<_> = symbols.iter().map(|symbol| symbol.word).collect();
                let first = words.first().copied().unwrap_or("name");
                self.sink.push(
                    Diagnostic::error(
                        codes::LABEL_MISSING,
                        block.kind.span,
                        format!("`{word}` needs a name"),
                    )
                    .label(format!("one of {} follows this word", quoted(&words)))
                    .help(format!("write `{word} {first} {{ … }}`")),
                );
            }
            (Label::Required(_) | Label::Reference(_), None) => self.sink.push(
                Diagnostic::error(codes::LABEL_MISSING, block.kind.span, format!("`{word}` needs a name"))
                    .label("a name follows this word")
                    .help(format!("write `{word} name {{ … }}`")),
            ),
            (Label::Required(pattern) | Label::Optional(pattern), Some(label)) => {
                if let Some(wrong) = (pattern.check)(&label.value) {
                    self.sink.push(
                        Diagnostic::error(
                            codes::WRONG_FORM,
                            label.span,
                            format!("`{}` cannot be the name of a {word}", label.value),
                        )
                        .label(format!("not {}: {wrong}", pattern.name)),
                    );
                }
            }
            (Label::Symbol(symbols), Some(label)) => {
                if !symbols.iter().any(|symbol| symbol.word == label.value) {
                    let words: Vec<_> = symbols.iter().map(|symbol| symbol.word).collect();
                    let message = format!("`{word}` does not accept `{}`", label.value);
                    let diagnostic = Diagnostic::error(codes::UNKNOWN_WORD, label.span, message)
                        .label(format!("one of {}", quoted(&words)));
                    let words = words.iter().copied();
                    let advice = "write one of these words";
                    self.sink.push(did_you_mean(diagnostic, label.span, &label.value, words, advice));
                }
            }
            // The second pass resolves it, when all names are known.
            (Label::Reference(_), Some(_)) => {}
        }
    }

    /// `kind label = value` of a kind that is not written so.
    fn short(&mut self, kind: &'static Kind, block: &'a ast::Block) {
        let word = block.kind.value.as_str();
        if let Some(nested) = kind.block(word) {
            self.mark_broken(block);
            self.sink.push(fixes::value_for_block(nested.kind, block));
        } else if let Some(diagnostic) = fixes::label_for_attribute(kind, block) {
            self.mark_broken(block);
            self.sink.push(diagnostic);
        } else {
            self.unknown_block(kind, block);
        }
    }

    fn unknown_block(&mut self, kind: &'static Kind, block: &'a ast::Block) {
        self.mark_broken(block);
        let word = &block.kind.value;
        if let Some(attribute) = kind.attribute(word) {
            self.sink.push(fixes::block_for_record(attribute, block));
            return;
        }
        let known: Vec<_> = kind.blocks.iter().map(|nested| nested.kind.word).collect();
        let attributes = kind.attributes.iter().map(|attribute| attribute.name);
        let message = format!("{} does not accept a block `{word}`", place_name(kind));
        let diagnostic =
            Diagnostic::error(codes::UNKNOWN_KIND, block.kind.span, message).label("not accepted here");
        // What is nearly written here is likelier than what is right elsewhere.
        let diagnostic = match suggest_word(word, known.iter().copied().chain(attributes)) {
            Some(near) if known.contains(&near) => meant(diagnostic, block.kind.span, near),
            Some(near) => diagnostic.help(format!("did you mean the attribute `{near} = …`?")),
            None => diagnostic.help(match elsewhere::advice(self.file, Some(kind), word, Form::Block) {
                Some(advice) => advice,
                None if known.is_empty() => format!("{} contains no blocks", place_name(kind)),
                None => format!("{} may contain {}", place_name(kind), quoted(&known)),
            }),
        };
        self.sink.push(diagnostic);
    }

    /// References to what an unknown block declares are not further mistakes.
    fn mark_broken(&mut self, block: &ast::Block) {
        // In `catalog { … }` it is the kind that is missing, so that its word is the name.
        let name = block.label.as_ref().unwrap_or(&block.kind);
        self.names.mark_broken(&name.value);
        for item in &block.body {
            if let ast::Item::Block(inner) = item {
                self.mark_broken(inner);
            }
        }
    }
}

fn at_most_once(count: Count) -> bool {
    match count {
        Count::One | Count::Optional | Count::Defaulted => true,
        Count::Some | Count::Many => false,
    }
}

/// How a message names what stands around an item.
pub(crate) fn place_name(kind: &Kind) -> String {
    if kind.word.is_empty() { String::from("a file") } else { format!("`{}`", kind.word) }
}

/// Words in backticks, joined by commas.
pub(crate) fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
