//! Safe fixes for a block where a record is meant, and the reverse.

use lang_diagnostics::{Applicability, Diagnostic, Edit, Fix, Span};
use lang_syntax::ast;

use crate::codes;
use crate::evaluator::sample;
use crate::scalar::has_form;
use crate::schema::{Attribute, Kind, Label, Type};

/// `tiers { … }` where `tiers = { … }` is meant.
pub(crate) fn block_for_record(attribute: &Attribute, block: &ast::Block) -> Diagnostic {
    let name = attribute.name;
    let diagnostic = Diagnostic::error(
        codes::BLOCK_FOR_ATTRIBUTE,
        block.kind.span,
        format!("`{name}` is an attribute and not a block"),
    )
    .label("an equals sign is missing after this");
    if takes_record(&attribute.ty, block.label.is_some()) {
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
    .label("no equals sign follows this")
    .help(format!("write `{}`", sample(kind)));
    let label_missing = match kind.label {
        Label::None | Label::Optional(_) => false,
        Label::Required(_) | Label::Symbol(_) | Label::Reference(_) => true,
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

fn takes_record(ty: &Type, with_word: bool) -> bool {
    match ty {
        Type::Record(_) | Type::Map { .. } => !with_word,
        Type::Tagged(_) => with_word,
        Type::Union(types) => types.iter().any(|ty| takes_record(ty, with_word)),
        Type::Boolean
        | Type::Integer(..)
        | Type::Decimal
        | Type::Duration
        | Type::Rate
        | Type::Size
        | Type::Percentage
        | Type::WholePercentage
        | Type::Ip
        | Type::Ipv4
        | Type::Host(_)
        | Type::Cidr
        | Type::SocketAddress
        | Type::StatusClass
        | Type::Text(_)
        | Type::Symbol(_)
        | Type::Reference(_)
        | Type::List { .. }
        | Type::Call(..)
        | Type::Instance(..) => false,
    }
}
