//! Safe fixes for a block where a record is meant, and the reverse.

use lang_diagnostics::{Applicability, Diagnostic, Edit, Fix, Span};
use lang_syntax::ast;

use crate::codes;
use crate::evaluator::sample;
use crate::scalar::has_form;
use crate::schema::{Attribute, Kind, Label, Presence, Type};

/// `tiers { … }` where `tiers = { … }` is meant.
pub(crate) fn block_for_record(attribute: &Attribute, block: &ast::Block) -> Diagnostic {
    let name = attribute.name;
    let diagnostic = Diagnostic::error(
        codes::BLOCK_FOR_ATTRIBUTE,
        block.kind.span,
        format!("`{name}` is an attribute and not a block"),
    )
    .label("an equals sign is missing after this");
    let takes_record =
        if block.label.is_some() { attribute.ty.is_tagged() } else { attribute.ty.is_record() };
    if takes_record {
        diagnostic.help(format!("write `{name} = …`")).fix(Fix {
            title: format!("write `{name} =`"),
            applicability: Applicability::Safe,
            edits: vec![Edit { span: block.kind.span.after(), text: String::from(" =") }],
        })
    } else {
        diagnostic.help(format!("write `{name} = …`, with {}", attribute.ty.describe()))
    }
}

/// `pool = { … }` where `pool { … }` is meant.
pub(crate) fn record_for_block(kind: &Kind, attribute: &ast::Attribute) -> Diagnostic {
    let word = kind.word;
    let diagnostic = Diagnostic::error(
        codes::ATTRIBUTE_FOR_BLOCK,
        attribute.name.span,
        format!("`{word}` is a block and not an attribute"),
    )
    .label("no equals sign follows this");
    let label_missing = match kind.label {
        Label::None | Label::Optional(_) => false,
        Label::Required(_) | Label::Symbol(_) | Label::Reference(_) => true,
    };
    let diagnostic = match kind.principal {
        Some(_) if label_missing => {
            diagnostic.help(format!("write `{word} name = …`, or `{}`", sample(kind)))
        }
        Some(_) | None => diagnostic.help(format!("write `{}`", sample(kind))),
    };
    if label_missing {
        diagnostic
    } else if matches!(attribute.value.kind, ast::ValueKind::Record(_) | ast::ValueKind::Tagged(..)) {
        let between =
            lang_diagnostics::Span { end: attribute.value.span.start, ..attribute.name.span.after() };
        diagnostic.fix(Fix {
            title: String::from("remove the equals sign"),
            applicability: Applicability::Safe,
            edits: vec![Edit { span: between, text: String::from(" ") }],
        })
    } else {
        diagnostic
    }
}

/// `service web = 80` of a kind without a principal attribute, or `port http = { number = 80 }`.
pub(crate) fn value_for_block(kind: &Kind, block: &ast::Block) -> Diagnostic {
    let word = kind.word;
    let message = match kind.principal {
        Some(principal) => {
            format!("`{word}` takes the value of `{principal}` behind an equals sign, and this is a record")
        }
        None => format!("`{word}` takes braces and no value"),
    };
    let label = block.label.as_ref();
    let name = label.map_or("name", |label| label.value.as_str());
    let diagnostic = Diagnostic::error(codes::ATTRIBUTE_FOR_BLOCK, block.kind.span, message)
        .label("no equals sign belongs to this")
        .help(format!("write `{word} {name} {{ … }}`"));
    match (block.body.as_slice(), label) {
        ([ast::Item::Attribute(attribute)], Some(label))
            if matches!(attribute.value.kind, ast::ValueKind::Record(_)) =>
        {
            let between = Span { end: attribute.value.span.start, ..label.span.after() };
            diagnostic.fix(Fix {
                title: String::from("remove the equals sign"),
                applicability: Applicability::Safe,
                edits: vec![Edit { span: between, text: String::from(" ") }],
            })
        }
        _ => diagnostic,
    }
}

/// `clusters web = [west]` where `clusters` is an attribute, or `max connections = 10` where `max_connections` is one.
pub(crate) fn label_for_attribute(kind: &Kind, block: &ast::Block) -> Option<Diagnostic> {
    let word = block.kind.value.as_str();
    let label = block.label.as_ref()?;
    let (name, applicability) = if kind.attribute(word).is_some() {
        (word.to_owned(), Applicability::Suggested)
    } else {
        let joined = format!("{word}_{}", label.value);
        (kind.attribute(&joined).map(|_| joined)?, Applicability::Safe)
    };
    let message = if name == word {
        format!("`{word}` is an attribute, which has no name behind it")
    } else {
        format!("{} does not accept a block `{word}`", crate::collect::place_name(kind))
    };
    let written = Span { end: label.span.end, ..block.kind.span };
    Some(
        Diagnostic::error(codes::BLOCK_FOR_ATTRIBUTE, written, message)
            .label("two words before the equals sign")
            .help(format!("write `{name} = …`"))
            .fix(Fix {
                title: format!("write `{name}`"),
                applicability,
                edits: vec![Edit { span: written, text: name }],
            }),
    )
}

/// `link a { … }` where `link { … }` is meant, or `destination web { … }` where `destination { to = web, … }` is.
pub(crate) fn label_not_allowed(
    kind: &Kind,
    block: &ast::Block,
    label: &lang_diagnostics::Spanned<String>,
) -> Diagnostic {
    let word = kind.word;
    let diagnostic =
        Diagnostic::error(codes::LABEL_NOT_ALLOWED, label.span, format!("`{word}` takes no name"))
            .label("leave it out");
    let named = kind.attributes.iter().find(|attribute| {
        let reference = matches!(attribute.ty, Type::Reference(_));
        reference && matches!(attribute.presence, Presence::Required)
    });
    let written = |name: &str| {
        block.body.iter().any(|item| {
            if let ast::Item::Attribute(attribute) = item { attribute.name.value == name } else { false }
        })
    };
    match named.filter(|attribute| !written(attribute.name)) {
        Some(attribute) => {
            diagnostic.help(format!("write `{word} {{ {} = {}, … }}`", attribute.name, label.value))
        }
        None => diagnostic.fix(Fix {
            title: format!("write `{word} {{ … }}`"),
            applicability: Applicability::Suggested,
            edits: vec![Edit {
                span: Span { end: label.span.end, ..block.kind.span.after() },
                text: String::new(),
            }],
        }),
    }
}

/// `target = catalog` where `targets = [catalog]` is meant: another name, and brackets if the value lacks them.
pub(crate) fn other_attribute(schema: &Attribute, attribute: &ast::Attribute) -> Fix {
    let mut edits = vec![Edit { span: attribute.name.span, text: schema.name.to_owned() }];
    if let Type::List { of, .. } = &schema.ty
        && has_form(&attribute.value, of)
    {
        let value = attribute.value.span;
        edits.push(Edit { span: Span { end: value.start, ..value }, text: String::from("[") });
        edits.push(Edit { span: value.after(), text: String::from("]") });
    }
    Fix { title: format!("write `{}`", schema.name), applicability: Applicability::Suggested, edits }
}
