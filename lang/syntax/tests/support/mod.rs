//! Trees for tests: random ones, and trees without their places.

use lang_diagnostics::{Diagnostic, FileId, Sink, Span, Spanned};
use lang_syntax::ast::{
    self, Attribute, Block, Comparison, Conditional, Connective, Decimal, DurationLiteral, File, Form,
    FormKind, Item, Literal, Path, Rate, RateUnit, StringPart, Value, ValueKind,
};
use lang_syntax::parse;
use proptest::prelude::*;

const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

/// Parses a text.
pub(crate) fn parsed(text: &str) -> (File, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let file = parse(FileId(0), text, &mut sink);
    (file, sink.diagnostics().to_vec())
}

/// The same tree with every span empty.
pub(crate) fn without_places(mut file: File) -> File {
    file.span = NOWHERE;
    // A random tree does not say so.
    file.expands = false;
    file.language = file.language.map(|version| Spanned::new(version.value, NOWHERE));
    file.items.iter_mut().for_each(erase_item);
    file.comments.iter_mut().for_each(|comment| comment.span = NOWHERE);
    file
}

fn erase_item(item: &mut Item) {
    match item {
        Item::Block(block) => {
            block.span = NOWHERE;
            block.kind.span = NOWHERE;
            block.label.iter_mut().for_each(|name| name.span = NOWHERE);
            block.interpolated.iter_mut().for_each(|label| erase_value(label));
            block.documentation.iter_mut().for_each(|name| name.span = NOWHERE);
            block.body.iter_mut().for_each(erase_item);
        }
        Item::Attribute(attribute) => erase_attribute(attribute),
        Item::Form(form) => erase_form(form),
    }
}

fn erase_form(form: &mut Form) {
    form.span = NOWHERE;
    form.documentation.iter_mut().for_each(|documentation| documentation.span = NOWHERE);
    match &mut form.kind {
        FormKind::Let(binding) => {
            binding.name.span = NOWHERE;
            erase_value(&mut binding.value);
        }
        FormKind::For(repetition) => {
            repetition.variable.span = NOWHERE;
            erase_value(&mut repetition.over);
            repetition.body.iter_mut().for_each(erase_item);
        }
        FormKind::Override(item) => erase_item(item),
        FormKind::Assert(assert) => {
            erase_value(&mut assert.condition);
            assert.message.iter_mut().for_each(erase_value);
        }
        FormKind::Apply(apply) => {
            apply.place = NOWHERE;
            apply.template.segments.iter_mut().for_each(|segment| segment.span = NOWHERE);
            for argument in &mut apply.arguments {
                argument.span = NOWHERE;
                argument.name.iter_mut().for_each(|name| name.span = NOWHERE);
                erase_value(&mut argument.value);
            }
        }
        FormKind::Use(import) => {
            match &mut import.from {
                ast::Source::File(name) => name.span = NOWHERE,
                ast::Source::Module(path) => path.segments.iter_mut().for_each(|name| name.span = NOWHERE),
            }
            import.alias.iter_mut().for_each(|name| name.span = NOWHERE);
            for selected in import.selected.iter_mut().flatten() {
                selected.name.span = NOWHERE;
                selected.alias.iter_mut().for_each(|name| name.span = NOWHERE);
            }
        }
        FormKind::Input(parameter) => erase_parameter(parameter),
        FormKind::Template(template) => {
            template.name.span = NOWHERE;
            template.parameters.iter_mut().for_each(erase_parameter);
            template.body.iter_mut().for_each(erase_item);
        }
    }
}

fn erase_parameter(parameter: &mut ast::Parameter) {
    parameter.name.span = NOWHERE;
    erase_type(&mut parameter.ty);
    parameter.default.iter_mut().for_each(erase_value);
}

fn erase_type(ty: &mut ast::Type) {
    ty.span = NOWHERE;
    match &mut ty.kind {
        ast::TypeKind::Named(name, arguments) => {
            name.span = NOWHERE;
            arguments.iter_mut().for_each(erase_value);
        }
        ast::TypeKind::List(inner) => erase_type(inner),
        ast::TypeKind::Invalid => {}
    }
}

fn erase_attribute(attribute: &mut Attribute) {
    attribute.span = NOWHERE;
    attribute.name.span = NOWHERE;
    attribute.documentation.iter_mut().for_each(|documentation| documentation.span = NOWHERE);
    erase_value(&mut attribute.value);
}

fn erase_value(value: &mut Value) {
    value.span = NOWHERE;
    match &mut value.kind {
        ValueKind::Boolean(_) | ValueKind::Literal(_) | ValueKind::Invalid => {}
        ValueKind::String(parts) => {
            for part in parts {
                match part {
                    StringPart::Text(_) => {}
                    StringPart::Interpolation(value) => erase_value(value),
                }
            }
        }
        ValueKind::Path(path) => path.segments.iter_mut().for_each(|segment| segment.span = NOWHERE),
        ValueKind::List(values) => values.iter_mut().for_each(erase_value),
        ValueKind::Record(entries) => entries.iter_mut().for_each(erase_attribute),
        ValueKind::Tagged(tag, entries) => {
            tag.span = NOWHERE;
            entries.iter_mut().for_each(erase_attribute);
        }
        ValueKind::In(left, right) | ValueKind::Arrow(left, right) => {
            erase_value(left);
            erase_value(right);
        }
        ValueKind::Group(inner) | ValueKind::Not(inner) | ValueKind::Spread(inner) => erase_value(inner),
        ValueKind::If(choice) => {
            for part in [&mut choice.condition, &mut choice.then, &mut choice.otherwise] {
                erase_value(part);
            }
        }
        ValueKind::Logic(_, operands) => operands.iter_mut().for_each(erase_value),
        ValueKind::Compare(_, sides) => {
            erase_value(&mut sides.0);
            erase_value(&mut sides.1);
        }
    }
}

/// Documentation needs lines of its own, which a string does not have.
fn erase_documentation(value: &mut Value) {
    match &mut value.kind {
        ValueKind::Boolean(_) | ValueKind::Literal(_) | ValueKind::Path(_) | ValueKind::Invalid => {}
        ValueKind::String(_) => {}
        ValueKind::List(values) => values.iter_mut().for_each(erase_documentation),
        ValueKind::Record(entries) | ValueKind::Tagged(_, entries) => {
            for entry in entries {
                entry.documentation = None;
                erase_documentation(&mut entry.value);
            }
        }
        ValueKind::In(left, right) | ValueKind::Arrow(left, right) => {
            erase_documentation(left);
            erase_documentation(right);
        }
        ValueKind::Group(inner) | ValueKind::Not(inner) | ValueKind::Spread(inner) => {
            erase_documentation(inner)
        }
        ValueKind::If(choice) => {
            for part in [&mut choice.condition, &mut choice.then, &mut choice.otherwise] {
                erase_documentation(part);
            }
        }
        ValueKind::Logic(_, operands) => operands.iter_mut().for_each(erase_documentation),
        ValueKind::Compare(_, sides) => {
            erase_documentation(&mut sides.0);
            erase_documentation(&mut sides.1);
        }
    }
}

fn named(value: String) -> Spanned<String> {
    Spanned::new(value, NOWHERE)
}

/// A name that may stand bare everywhere.
fn plain_name() -> BoxedStrategy<String> {
    "[a-z_][a-z0-9_]{0,6}(-[a-z0-9]{1,3})?"
        .prop_filter("a word of the language", |name| {
            !matches!(
                name.as_str(),
                "true"
                    | "false"
                    | "in"
                    | "if"
                    | "for"
                    | "use"
                    | "let"
                    | "input"
                    | "template"
                    | "apply"
                    | "override"
                    | "assert"
                    | "not"
                    | "and"
                    | "or"
                    | "then"
                    | "else"
                    | "as"
            )
        })
        .boxed()
}

/// A name that may need quotes.
fn any_name() -> BoxedStrategy<String> {
    let words = prop::sample::select(vec![
        "in", "true", "for", "use", "assert", "", "2nd", "a b", "a${b}", "é", "a-", "\"\\",
    ]);
    prop_oneof![4 => plain_name(), 1 => words.prop_map(str::to_owned), 1 => any_text()].boxed()
}

fn any_text() -> BoxedStrategy<String> {
    let pieces = vec![
        "a", " ", "\n", "$", "{", "}", "${", "\\", "\"", "\"\"\"", "//", "\t", "\r", "é", "\u{1}", "'",
        "line\n", "  ",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..8).prop_map(|pieces| pieces.concat()).boxed()
}

fn literal() -> BoxedStrategy<Literal> {
    let decimal = || (0..=u64::MAX).prop_map(|nanos| Decimal { nanos });
    let unit = prop::sample::select(vec![
        RateUnit::Second,
        RateUnit::Minute,
        RateUnit::Hour,
        RateUnit::Day,
        RateUnit::Week,
        RateUnit::Month,
        RateUnit::Year,
    ]);
    prop_oneof![
        any::<u64>().prop_map(Literal::Integer),
        decimal().prop_map(Literal::Decimal),
        any::<u64>().prop_map(|milliseconds| Literal::Duration(DurationLiteral { milliseconds })),
        (0..1000_u64).prop_map(|s| Literal::Duration(DurationLiteral { milliseconds: s * 30_000 })),
        (any::<u64>(), unit).prop_map(|(count, unit)| Literal::Rate(Rate { count, unit })),
        any::<u64>().prop_map(Literal::Size),
        (0..100_u64).prop_map(|size| Literal::Size(size << 20)),
        decimal().prop_map(Literal::Percentage),
        any::<std::net::IpAddr>().prop_map(Literal::Ip),
        (any::<std::net::Ipv4Addr>(), 0..=32_u8).prop_map(|(ip, prefix)| Literal::Cidr(ip.into(), prefix)),
        (any::<std::net::Ipv6Addr>(), 0..=128_u8).prop_map(|(ip, prefix)| Literal::Cidr(ip.into(), prefix)),
        any::<std::net::SocketAddrV4>().prop_map(|address| Literal::SocketAddress(address.into())),
        (any::<u16>(), any::<u16>()).prop_map(|(a, b)| Literal::PortRange(a.min(b), a.max(b))),
        (1..=5_u8).prop_map(Literal::StatusClass),
    ]
    .boxed()
}

fn value_of(kind: ValueKind) -> Value {
    Value { kind, span: NOWHERE }
}

fn path() -> BoxedStrategy<ValueKind> {
    let single = plain_name().prop_map(|name| vec![name]);
    let several = (any_name(), prop::collection::vec(any_name(), 1..4)).prop_map(|(first, mut names)| {
        names.insert(0, first);
        names
    });
    prop_oneof![single, several]
        .prop_map(|names| ValueKind::Path(Path { segments: names.into_iter().map(named).collect() }))
        .boxed()
}

fn documentation() -> BoxedStrategy<Option<Box<Spanned<String>>>> {
    let line = "( {0,2}[a-z]{1,3})?";
    prop_oneof![6 => Just(None), 1 => prop::collection::vec(line, 1..3).prop_map(|lines| Some(Box::new(named(lines.join("\n")))))]
        .boxed()
}

/// Values without operators on top, nested at most `depth` deep.
fn primary(depth: u32) -> BoxedStrategy<Value> {
    let text = any_text().prop_map(|text| {
        ValueKind::String(if text.is_empty() { Vec::new() } else { vec![StringPart::Text(text)] })
    });
    let leaf = prop_oneof![
        any::<bool>().prop_map(ValueKind::Boolean),
        literal().prop_map(ValueKind::Literal),
        text,
        path(),
    ];
    if depth == 0 {
        return leaf.prop_map(value_of).boxed();
    }
    let one = value(depth - 1);
    let entry = attribute(depth - 1);
    let entries = || prop::collection::vec(entry.clone(), 0..4);
    let nested = prop_oneof![
        prop::collection::vec(one.clone(), 0..4).prop_map(ValueKind::List),
        entries().prop_map(ValueKind::Record),
        (plain_name(), entries()).prop_map(|(tag, entries)| ValueKind::Tagged(Box::new(named(tag)), entries)),
        (any_text(), one.clone(), any_text()).prop_map(|(before, mut value, after)| {
            erase_documentation(&mut value);
            let text = |text: String| (!text.is_empty()).then_some(StringPart::Text(text));
            let parts = [text(before), Some(StringPart::Interpolation(value)), text(after)];
            ValueKind::String(parts.into_iter().flatten().collect())
        }),
    ];
    prop_oneof![2 => leaf, 1 => nested].prop_map(value_of).boxed()
}

fn value(depth: u32) -> BoxedStrategy<Value> {
    // Made once: a strategy is as large as what it may make.
    let part = call(depth);
    let several = prop::collection::vec(part.clone(), 3);
    let how = prop::sample::select(Comparison::ALL.to_vec());
    prop_oneof![
        8 => part.clone(),
        2 => (several, how, 0..6_u8).prop_map(|(parts, how, form)| {
            let mut parts = parts.into_iter();
            let mut next = || parts.next().unwrap_or_else(|| value_of(ValueKind::Boolean(true)));
            value_of(match form {
                0 => ValueKind::Compare(how, Box::new((next(), next()))),
                1 => ValueKind::Logic(Connective::And, vec![next(), next(), next()]),
                2 => ValueKind::Logic(Connective::Or, vec![next(), next()]),
                3 => ValueKind::Not(Box::new(next())),
                4 => ValueKind::Group(Box::new(next())),
                _ => ValueKind::If(Box::new(Conditional {
                    condition: next(),
                    then: next(),
                    otherwise: next(),
                })),
            })
        }),
    ]
    .boxed()
}

fn call(depth: u32) -> BoxedStrategy<Value> {
    let part = primary(depth);
    let instance = prop_oneof![
        6 => part.clone(),
        1 => (part.clone(), part)
            .prop_map(|(left, right)| value_of(ValueKind::In(Box::new(left), Box::new(right)))),
    ]
    .boxed();
    prop_oneof![
        6 => instance.clone(),
        1 => (instance.clone(), instance)
            .prop_map(|(left, right)| value_of(ValueKind::Arrow(Box::new(left), Box::new(right)))),
    ]
    .boxed()
}

fn attribute(depth: u32) -> BoxedStrategy<Attribute> {
    (any_name(), value(depth), documentation())
        .prop_map(|(name, value, documentation)| Attribute {
            name: named(name),
            value,
            documentation,
            span: NOWHERE,
        })
        .boxed()
}

fn item(depth: u32) -> BoxedStrategy<Item> {
    let attribute = attribute(2).prop_map(Item::Attribute);
    if depth == 0 {
        return attribute.boxed();
    }
    let body = prop::collection::vec(item(depth - 1), 0..4);
    let block = (plain_name(), prop::option::of(any_name()), body, documentation()).prop_map(
        |(kind, label, body, documentation)| {
            let label = label.map(named);
            let interpolated = None;
            let kind = named(kind);
            Item::Block(Block { kind, label, interpolated, body, short: false, documentation, span: NOWHERE })
        },
    );
    let short = (plain_name(), any_name(), value(2), documentation()).prop_map(
        |(kind, label, value, documentation)| {
            let name = named(String::new());
            let principal = Attribute { name, value, documentation: None, span: NOWHERE };
            Item::Block(Block {
                kind: named(kind),
                label: Some(named(label)),
                interpolated: None,
                body: vec![Item::Attribute(principal)],
                short: true,
                documentation,
                span: NOWHERE,
            })
        },
    );
    prop_oneof![4 => attribute, 4 => block, 1 => short, 1 => form(depth - 1)].boxed()
}

/// Items with a word of the language.
fn form(depth: u32) -> BoxedStrategy<Item> {
    let binding = (plain_name(), value(1))
        .prop_map(|(name, value)| FormKind::Let(ast::Let { name: named(name), value }));
    let over = prop::collection::vec(value(1), 0..3).prop_map(|values| value_of(ValueKind::List(values)));
    let body = prop::collection::vec(item(depth), 0..3);
    let repetition = (plain_name(), over, body)
        .prop_map(|(variable, over, body)| FormKind::For(ast::For { variable: named(variable), over, body }));
    let argument = (prop::option::of(plain_name()), value(1)).prop_map(|(name, value)| ast::Argument {
        name: name.map(named),
        value,
        span: NOWHERE,
    });
    let application = (plain_name(), prop::collection::vec(argument, 0..3)).prop_map(|(name, arguments)| {
        let template = Path { segments: vec![named(name)] };
        FormKind::Apply(ast::Apply { template, place: NOWHERE, arguments })
    });
    (prop_oneof![binding, repetition, application], documentation())
        .prop_map(|(kind, documentation)| Item::Form(Box::new(Form { kind, documentation, span: NOWHERE })))
        .boxed()
}

/// Files without comments, as the parser could have read them.
pub(crate) fn file() -> BoxedStrategy<File> {
    (any::<bool>(), prop::collection::vec(item(2), 0..5))
        .prop_map(|(language, items)| File {
            language: language.then_some(Spanned::new(1, NOWHERE)),
            items,
            comments: Vec::new(),
            expands: false,
            span: NOWHERE,
        })
        .boxed()
}
