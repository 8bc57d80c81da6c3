//! Second pass: the attributes of each block become typed values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, Fix, Sink, SourceMap, Span, Spanned, suggest_word};
use lang_syntax::ast;

use crate::codes;
use crate::collect::{Collected, place_name, quoted};
use crate::composed::Composed;
use crate::declarations::{self, Block, EntityId, Mention};
use crate::describe::alternatives;
use crate::elsewhere::{self, Form};
use crate::fixes;
use crate::names::Names;
use crate::relations;
use crate::schema::{Attribute, Count, Kind, Label, Presence, Symbol, Type};
use crate::suggestion::{did_you_mean, meant};
use crate::value::{Target, Value};

/// A report about an unknown name.
#[derive(Debug)]
pub(crate) struct Unknown {
    pub(crate) diagnostic: Diagnostic,
    /// The change of a declaration that ends it, if the declaration may be what is misspelt.
    pub(crate) renaming: Option<Fix>,
}

/// For how many attributes that are not accepted others are searched that may have been meant: nobody reads on to there.
const MOST_SEARCHED: usize = 200;

/// An attribute of an entity.
pub(crate) type Member = (EntityId, String);

/// The second pass over all files.
#[derive(Debug)]
pub(crate) struct Evaluator<'a, 's> {
    pub(crate) names: &'s Names,
    /// The blocks of each entity, in order of entity: what interpolation looks up.
    pub(crate) sources: &'s [(EntityId, &'a ast::Block)],
    pub(crate) sink: &'s mut Sink,
    /// What may stand at the top level: where a word belongs that is not known in its place.
    pub(crate) file: &'static Kind,
    /// The text of the files, for advice that repeats what is written.
    pub(crate) texts: &'s SourceMap,
    /// The attributes whose values are put into strings.
    pub(crate) composed: Composed,
    /// How many attributes are not accepted so far.
    pub(crate) unaccepted: usize,
    /// Reports about unknown names, by the name that is unknown.
    pub(crate) unknown: BTreeMap<String, Unknown>,
    /// Where entities are named.
    pub(crate) mentions: Vec<Mention>,
    /// What is wrong between parts of blocks.
    pub(crate) broken: Vec<Diagnostic>,
    /// Whether a value was looked for in the tree of another block.
    pub(crate) looked: bool,
}

/// What a block at the top level came to, and what is to be remembered of it.
#[derive(Debug)]
pub(crate) struct Evaluated {
    pub(crate) block: Block,
    pub(crate) mentions: Vec<Mention>,
    pub(crate) broken: Vec<Diagnostic>,
}

impl<'a, 's> Evaluator<'a, 's> {
    /// Before anything was evaluated.
    pub(crate) fn new(
        names: &'s Names,
        sources: &'s [(EntityId, &'a ast::Block)],
        sink: &'s mut Sink,
        file: &'static Kind,
        texts: &'s SourceMap,
    ) -> Self {
        Self {
            names,
            sources,
            sink,
            file,
            texts,
            composed: Composed::default(),
            unaccepted: 0,
            unknown: BTreeMap::new(),
            mentions: Vec::new(),
            broken: Vec::new(),
            looked: false,
        }
    }
}

impl Evaluator<'_, '_> {
    /// A block that was evaluated apart.
    pub(crate) fn take(&mut self, evaluated: &Evaluated) -> Block {
        let Evaluated { block, mentions, broken } = evaluated;
        self.mentions.extend(mentions);
        self.broken.extend(broken.iter().cloned());
        block.clone()
    }

    /// Evaluates a collected block and everything in it.
    pub(crate) fn block(&mut self, collected: &Collected<'_>) -> Block {
        let Collected { kind, block, entity, scope, blocks } = collected;
        let (kind, block, entity, scope) = (*kind, *block, *entity, *scope);
        let name_span = block.label.as_ref().map_or(block.kind.span, |label| label.span);
        let body: Vec<_> = block.body.iter().collect();
        let place = Place { kind, label: block.label.as_ref(), span: name_span };
        let attributes = self.attributes(place, &body, scope);
        let mut inner: Vec<_> = blocks.iter().map(|collected| self.block(collected)).collect();
        self.complete(place, &mut inner, &body);
        let subject = self.subject(kind, block, scope);
        let checked = Block {
            kind,
            kind_span: block.kind.span,
            label: block.label.clone(),
            subject,
            entity,
            documentation: block.documentation.as_deref().cloned(),
            span: block.span,
            attributes,
            blocks: Arc::new(inner),
        };
        relations::check(&checked, &body, &mut self.broken);
        checked
    }

    /// The entity that a label refers to.
    fn subject(
        &mut self,
        kind: &'static Kind,
        block: &ast::Block,
        scope: Option<EntityId>,
    ) -> Option<EntityId> {
        let (Label::Reference(reference), Some(label)) = (&kind.label, &block.label) else { return None };
        let path = ast::Path { segments: vec![label.clone()] };
        self.reference(&path, label.span, scope, reference).map(|target: Target| target.entity)
    }

    /// Reports nested blocks that are missing and adds those that are there by default.
    pub(crate) fn complete(&mut self, place: Place<'_>, blocks: &mut Vec<Block>, items: &[&ast::Item]) {
        let Place { kind, span, .. } = place;
        let mut missing: Vec<&'static Kind> = Vec::new();
        for nested in kind.blocks {
            let word = nested.kind.word;
            match nested.count {
                Count::Optional | Count::Many => continue,
                Count::One | Count::Some | Count::Defaulted => {}
            }
            if blocks.iter().any(|block| block.kind.word == word) || attempted(kind, items, word) {
                continue;
            }
            match nested.count {
                Count::Optional | Count::Many => {}
                Count::One | Count::Some => missing.push(nested.kind),
                Count::Defaulted => {
                    let place = Place { kind: nested.kind, label: None, span };
                    let attributes = self.attributes(place, &[], None);
                    blocks.push(Block {
                        kind: nested.kind,
                        kind_span: span,
                        label: None,
                        subject: None,
                        entity: None,
                        documentation: None,
                        span,
                        attributes,
                        blocks: Arc::default(),
                    });
                }
            }
        }
        self.missing_blocks(place, &missing);
    }

    /// Reports the blocks that a place lacks: a file without anything in it is one mistake.
    fn missing_blocks(&mut self, place: Place<'_>, missing: &[&'static Kind]) {
        if missing.is_empty() {
            return;
        }
        let words: Vec<_> = missing.iter().map(|kind| format!("`{}`", kind.word)).collect();
        let list = alternatives(&words);
        let message = if place.kind.word.is_empty() {
            format!("there is no {list} block")
        } else {
            format!("{place} has no {list} block")
        };
        let samples: Vec<_> = missing.iter().map(|kind| format!("`{}`", sample(kind))).collect();
        self.sink.push(
            Diagnostic::error(codes::MISSING_BLOCK, place.span, message)
                .label(if missing.len() == 1 { "this needs one" } else { "this needs one of each" })
                .help(format!("add {}", samples.join(", "))),
        );
    }

    /// Evaluates the attributes among `items` and adds the defaults of the others.
    pub(crate) fn attributes(
        &mut self,
        place: Place<'_>,
        items: &[&ast::Item],
        scope: Option<EntityId>,
    ) -> Vec<declarations::Evaluated> {
        let Place { kind, span, .. } = place;
        let written: Vec<&ast::Attribute> = items
            .iter()
            .filter_map(
                |item| if let ast::Item::Attribute(attribute) = item { Some(attribute) } else { None },
            )
            .filter(|attribute| {
                let name = &attribute.name.value;
                let nested = kind.block(name).filter(|_| kind.attribute(name).is_none());
                if let Some(nested) = nested {
                    self.sink.push(fixes::record_for_block(nested.kind, attribute));
                }
                nested.is_none()
            })
            .collect();
        // A name where none is taken, which was reported, was probably meant to be what is missing.
        let misplaced = matches!(kind.label, Label::None) && place.label.is_some();
        let attempted = |name: &str| misplaced || attempted(kind, items, name);
        let known = Known {
            kind: Some(kind),
            attributes: kind.attributes,
            blocks: kind.blocks,
            place: &place,
            attempted: &attempted,
        };
        self.assignments(&known, &written, scope, span)
    }

    /// Evaluates written attributes against the ones that are known and adds the defaults of the others.
    pub(crate) fn assignments(
        &mut self,
        known: &Known<'_>,
        written: &[&ast::Attribute],
        scope: Option<EntityId>,
        span: Span,
    ) -> Vec<declarations::Evaluated> {
        let mut evaluated: Vec<declarations::Evaluated> = Vec::with_capacity(written.len());
        for attribute in written {
            let name = &attribute.name;
            let Some(schema) = known.attributes.iter().find(|schema| schema.name == name.value) else {
                self.unknown_attribute(known, attribute, written);
                continue;
            };
            if let Some(first) = evaluated.iter().find(|other| other.name == schema.name) {
                self.sink.push(
                    Diagnostic::error(
                        codes::DUPLICATE_ATTRIBUTE,
                        name.span,
                        format!("`{}` is set twice in {}", name.value, known.place),
                    )
                    .label("set again here")
                    .also(first.span, "first set here")
                    .help("keep one of the two"),
                );
                continue;
            }
            let value = self.value(&attribute.value, &schema.ty, scope);
            let value = value.map(|value| Spanned::new(value, attribute.value.span));
            evaluated.push(declarations::Evaluated {
                name: schema.name,
                span: name.span,
                written: true,
                value,
            });
        }
        for schema in known.attributes {
            if evaluated.iter().all(|other| other.name != schema.name) {
                evaluated.extend(self.absent(known, schema, span));
            }
        }
        evaluated
    }

    fn absent(
        &mut self,
        known: &Known<'_>,
        schema: &'static Attribute,
        span: Span,
    ) -> Option<declarations::Evaluated> {
        match &schema.presence {
            Presence::Optional | Presence::Derived(_) | Presence::Inherited => None,
            Presence::Default(constant) => {
                let value = Some(Spanned::new(Value::constant(*constant, span), span));
                Some(declarations::Evaluated { name: schema.name, span, written: false, value })
            }
            Presence::Required if (known.attempted)(schema.name) => None,
            Presence::Required => {
                self.sink.push(
                    Diagnostic::error(
                        codes::MISSING_ATTRIBUTE,
                        span,
                        format!("{} needs `{}`", known.place, schema.name),
                    )
                    .label(format!("`{}` is missing", schema.name))
                    .help(format!(
                        "add `{} = …`, with {}",
                        schema.name,
                        schema.ty.describe()
                    )),
                );
                None
            }
        }
    }

    fn unknown_attribute(
        &mut self,
        known: &Known<'_>,
        attribute: &ast::Attribute,
        written: &[&ast::Attribute],
    ) {
        let name = &attribute.name;
        let message = format!("{} does not accept `{}`", known.place, name.value);
        let diagnostic =
            Diagnostic::error(codes::UNKNOWN_ATTRIBUTE, name.span, message).label("not accepted here");
        if known.attributes.is_empty() && known.blocks.is_empty() {
            self.sink.push(diagnostic.help(format!("{} takes no attributes", known.place)));
            return;
        }
        let attributes: Vec<_> = known.attributes.iter().map(|schema| schema.name).collect();
        let words = attributes.iter().copied().chain(known.blocks.iter().map(|nested| nested.kind.word));
        // What is nearly written here is likelier than what is right elsewhere.
        self.unaccepted += 1;
        let searched = self.unaccepted <= MOST_SEARCHED;
        let near = if searched { suggest_word(&name.value, words) } else { None };
        // `service = web` where `to = web` is meant: what takes the name of a service.
        let takes = |schema: &&Attribute| {
            schema.ty.reference().is_some_and(|reference| reference.kinds.contains(&name.value.as_str()))
        };
        let near_attribute = known.attributes.iter().find(|schema| Some(schema.name) == near);
        let near_attribute = near_attribute.or_else(|| known.attributes.iter().find(takes));
        let near_block = known.blocks.iter().find(|nested| Some(nested.kind.word) == near);
        let given = |schema: &&Attribute| written.iter().any(|other| other.name.value == schema.name);
        let diagnostic = if let Some(schema) = near_attribute.filter(given) {
            diagnostic.help(format!("did you mean `{}`? it is given already", schema.name))
        } else if let Some(schema) = near_attribute {
            let diagnostic = diagnostic.help(format!("did you mean `{}`?", schema.name));
            diagnostic.fix(fixes::other_attribute(schema, attribute))
        } else if let Some(nested) = near_block {
            diagnostic.help(format!("did you mean the block `{}`?", sample(nested.kind)))
        } else {
            let own = if attributes.is_empty() {
                format!("{} accepts only blocks", known.place)
            } else {
                format!("{} accepts {}", known.place, quoted(&attributes))
            };
            let home = || elsewhere::advice(self.file, known.kind, &name.value, Form::Attribute);
            diagnostic.help(match Some(searched).filter(|searched| *searched).and_then(|_| home()) {
                Some(home) => format!("{home}; {own}"),
                None => own,
            })
        };
        self.sink.push(diagnostic);
    }

    /// Reports a word that is none of the symbols of an attribute, which may take other values too.
    pub(crate) fn unknown_word(&mut self, word: &str, span: Span, symbols: &[Symbol], union: Option<&Type>) {
        let words: Vec<_> = symbols.iter().map(|symbol| symbol.word).collect();
        let message = format!("`{word}` is not one of the words that fit here");
        let diagnostic = Diagnostic::error(codes::UNKNOWN_WORD, span, message).label(match union {
            Some(ty) => format!("expected {}", ty.describe()),
            None => format!("one of {}", quoted(&words)),
        });
        let advice = if union.is_some() { "write one of these" } else { "write one of these words" };
        let folded = word.to_ascii_lowercase();
        let other = symbols.iter().find(|symbol| symbol.also.contains(&folded.as_str()));
        self.sink.push(match other {
            Some(symbol) => meant(diagnostic, span, symbol.word)
                .help(format!("did you mean `{}`: {}?", symbol.word, symbol.documentation)),
            None => did_you_mean(diagnostic, span, word, words.iter().copied(), advice),
        });
    }
}

/// A block as messages speak of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'p> {
    pub(crate) kind: &'static Kind,
    pub(crate) label: Option<&'p Spanned<String>>,
    /// Its label or its word.
    pub(crate) span: Span,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label {
            Some(label) => write!(formatter, "{} `{}`", self.kind.word, label.value),
            None => formatter.write_str(&place_name(self.kind)),
        }
    }
}

/// What may be written in a block or a record.
pub(crate) struct Known<'k> {
    /// The kind of the block; `None` for a record.
    pub(crate) kind: Option<&'static Kind>,
    pub(crate) attributes: &'static [Attribute],
    pub(crate) blocks: &'static [crate::schema::Nested],
    pub(crate) place: &'k dyn fmt::Display,
    /// Whether something that was reported may have been meant to be the attribute of that name.
    pub(crate) attempted: &'k dyn Fn(&str) -> bool,
}

/// Whether something among `items` was probably meant to be what `word` says and was reported as something else: the word
/// in the wrong form (a block for an attribute), or a word that nobody knows and that has no nearer neighbour.
pub(crate) fn attempted(kind: &Kind, items: &[&ast::Item], word: &str) -> bool {
    items.iter().any(|item| {
        let written = match item {
            ast::Item::Attribute(attribute) => &attribute.name.value,
            ast::Item::Block(block) => &block.kind.value,
            ast::Item::Form(_) => return false,
        };
        if written == word {
            return true;
        }
        if kind.attribute(written).is_some() || kind.block(written).is_some() {
            return false;
        }
        let attributes = kind.attributes.iter().map(|attribute| attribute.name);
        let blocks = kind.blocks.iter().map(|nested| nested.kind.word);
        suggest_word(written, attributes.chain(blocks)).is_none_or(|near| near == word)
    })
}

/// A block as one would begin to write it: with its required attributes, or else with its first one.
pub(crate) fn sample(kind: &Kind) -> String {
    let required: Vec<_> = kind
        .attributes
        .iter()
        .filter(|attribute| matches!(attribute.presence, Presence::Required))
        .map(|attribute| format!("{} = …", attribute.name))
        .collect();
    let body = match (required.as_slice(), kind.attributes.first()) {
        ([], Some(first)) if kind.blocks.is_empty() => format!("{} = …", first.name),
        ([], _) => String::from("…"),
        ([_, ..], _) => required.join(", "),
    };
    match kind.label {
        Label::None => format!("{} {{ {body} }}", kind.word),
        Label::Symbol([first, ..]) => format!("{} {} {{ {body} }}", kind.word, first.word),
        Label::Required(_) | Label::Optional(_) | Label::Symbol([]) | Label::Reference(_) => {
            format!("{} name {{ {body} }}", kind.word)
        }
    }
}
