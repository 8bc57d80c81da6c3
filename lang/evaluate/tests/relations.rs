//! What must hold between parts of a block, with a block that keeps each rule and blocks that break it.

use lang_diagnostics::{Code, Sink, SourceMap};
use lang_evaluate::evaluate;
use lang_evaluate::schema::{
    ANY_TEXT, Attribute, Constant, Count, Kind, Label, Name, Nested, Part, Relation, Rule, Schema, Symbol,
    Tag, Type,
};

const A: Name = Name::new("alpha");
const B: Name = Name::new("bravo");
const C: Name = Name::new("charlie");
const MODE: Name = Name::new("mode");
const FLAG: Name = Name::new("flag");
const LEAST: Name = Name::new("lowest");
const MOST: Name = Name::new("topmost");
const MAP: Name = Name::new("table");
const SHAPE: Name = Name::new("shape");

const MODES: &[Symbol] = &[Symbol::new("fast", "f"), Symbol::new("slow", "s")];
const SHAPES: &[Tag] = &[
    Tag { word: "round", documentation: "r", attributes: &[Attribute::optional(A, Type::Duration, "")] },
    Tag { word: "square", documentation: "s", attributes: &[] },
];
static ATTRIBUTES: &[Attribute] = &[
    Attribute::optional(A, Type::Duration, ""),
    Attribute::optional(B, Type::Duration, ""),
    Attribute::optional(C, Type::Duration, ""),
    Attribute::defaulted(MODE, Type::Symbol(MODES), Constant::Symbol("fast"), ""),
    Attribute::inherited(FLAG, Type::Boolean, ""),
    Attribute::optional(LEAST, Type::Duration, ""),
    Attribute::optional(MOST, Type::Duration, ""),
    Attribute::optional(MAP, Type::Map { key: &ANY_TEXT, of: &Type::Duration }, ""),
    Attribute::optional(SHAPE, Type::Tagged(SHAPES), ""),
];

const fn kind(word: &'static str, blocks: &'static [Nested], relations: &'static [Relation]) -> Kind {
    Kind {
        word,
        documentation: "",
        label: Label::None,
        space: None,
        reopen: false,
        principal: None,
        relations,
        attributes: ATTRIBUTES,
        blocks,
    }
}

const fn relation(rule: Rule) -> Relation {
    Relation { rule, code: Code("E9999"), reason: "because", help: "do otherwise" }
}

static INNER: Kind = kind("inner", &[], &[]);
const INNERS: &[Nested] = &[Nested { kind: &INNER, count: Count::Many }];
static REQUIRES: Kind = kind(
    "requires",
    INNERS,
    &[
        relation(Rule::Requires(Part::Attribute(A), &[Part::Attribute(B), Part::Block("inner")])),
        relation(Rule::Requires(Part::Attribute(C), &[Part::Is(MODE, "slow")])),
        relation(Rule::Requires(Part::Flag(FLAG, true), &[Part::Attribute(MAP)])),
        relation(Rule::Requires(Part::Attribute(LEAST), &[Part::Is(SHAPE, "round")])),
    ],
);
static EXCLUDES: Kind = kind(
    "excludes",
    INNERS,
    &[
        relation(Rule::Excludes(Part::Attribute(A), &[Part::Attribute(B), Part::Flag(FLAG, false)])),
        relation(Rule::Excludes(Part::Block("inner"), &[Part::Is(SHAPE, "round")])),
    ],
);
const THREE: &[Part] = &[Part::Attribute(A), Part::Attribute(B), Part::Attribute(C)];
static SOME: Kind = kind("some", &[], &[relation(Rule::AtLeastOne(THREE))]);
static ONE: Kind = kind("one", &[], &[relation(Rule::ExactlyOne(THREE))]);
static FEW: Kind = kind("few", &[], &[relation(Rule::AtMostOne(THREE))]);
static ORDERED: Kind = kind(
    "ordered",
    &[],
    &[relation(Rule::NotGreater { least: LEAST, otherwise: Some(Constant::Milliseconds(5000)), most: MOST })],
);
static FILE: Kind = kind(
    "",
    &[
        Nested { kind: &REQUIRES, count: Count::Many },
        Nested { kind: &EXCLUDES, count: Count::Many },
        Nested { kind: &SOME, count: Count::Many },
        Nested { kind: &ONE, count: Count::Many },
        Nested { kind: &FEW, count: Count::Many },
        Nested { kind: &ORDERED, count: Count::Many },
    ],
    &[],
);

/// The relations that a block breaks: each message with the text of all its places.
fn broken(text: &str) -> Vec<String> {
    let (mut sink, mut sources) = (Sink::default(), SourceMap::default());
    let file = lang_syntax::parse(sources.add("x", text), text, &mut sink);
    let evaluation = evaluate(&[file], Schema { file: &FILE }, &sources, &mut sink);
    let shown = |diagnostic: &lang_diagnostics::Diagnostic| {
        assert_eq!((diagnostic.code.0, diagnostic.help.as_deref()), ("E9999", Some("do otherwise")));
        assert_eq!(diagnostic.primary.text, "because");
        let places = diagnostic.secondary.iter().map(|label| label.span);
        let places = std::iter::once(diagnostic.primary.span).chain(places);
        let places: Vec<_> = places.map(|span| sources.text(span).unwrap_or_default()).collect();
        format!("{}: {}", diagnostic.message, places.join(", "))
    };
    evaluation.broken.iter().map(shown).collect()
}

#[test]
fn what_requires_something() {
    let none: [&str; 0] = [];
    for good in [
        "requires {}",
        "requires { alpha = 1s, bravo = 1s }",
        "requires { alpha = 1s, inner {} }",
        "requires { bravo = 1s, inner {} }",
        "requires { charlie = 1s, mode = slow }",
        "requires { flag = false }",
        "requires { flag = true, table = { x = 1s } }",
        "requires { lowest = 1s, shape = round { alpha = 1s } }",
        // What it is where it is not written, other places say.
        "requires { lowest = 1s }",
        // What was reported may be what is missing, or does not count.
        "requires { alpha = 1s, brvo = 1s }",
        "requires { alpha = 1s, bravo = 7 }",
        "requires { alpha = 7 }",
        "requires { charlie = 1s, mode = slw }",
    ] {
        assert_eq!(broken(good), none, "{good}");
    }
    assert_eq!(broken("requires { alpha = 1s }"), ["`alpha` requires `bravo` or `inner`: alpha"]);
    assert_eq!(
        broken("requires { charlie = 1s, mode = fast }"),
        ["`charlie` requires `mode = slow`: charlie, fast"]
    );
    assert_eq!(broken("requires { charlie = 1s }"), ["`charlie` requires `mode = slow`: charlie, requires"]);
    assert_eq!(broken("requires { flag = true }"), ["`flag = true` requires `table`: true"]);
    assert_eq!(broken("requires { flag = true, table = {} }"), ["`flag = true` requires `table`: true"]);
    assert_eq!(
        broken("requires { lowest = 1s, shape = square }"),
        ["`lowest` requires `shape = round`: lowest, square"]
    );
}

#[test]
fn what_excludes_something() {
    let none: [&str; 0] = [];
    for good in [
        "excludes { alpha = 1s, flag = true }",
        "excludes { bravo = 1s, flag = false }",
        "excludes { inner {} }",
    ] {
        assert_eq!(broken(good), none, "{good}");
    }
    assert_eq!(
        broken("excludes { alpha = 1s, bravo = 2s, flag = false }"),
        [
            "`bravo` and `alpha` exclude each other: bravo, alpha",
            "`flag = false` and `alpha` exclude each other: false, alpha"
        ]
    );
    assert_eq!(
        broken("excludes { inner {}, shape = round {} }"),
        ["`shape = round` and `inner` exclude each other: round {}, inner"]
    );
}

#[test]
fn how_many_of_several() {
    let none: [&str; 0] = [];
    let missing = "requires `alpha`, `bravo` or `charlie`";
    let two = "`charlie` and `alpha` exclude each other: charlie, alpha";
    assert_eq!(broken("some {}"), [format!("`some` {missing}: some")]);
    assert_eq!(broken("one {}"), [format!("`one` {missing}: one")]);
    assert_eq!(broken("few {}"), none);
    for word in ["some", "one", "few"] {
        assert_eq!(broken(&format!("{word} {{ bravo = 1s }}")), none);
        assert_eq!(broken(&format!("{word} {{ brvo = 1s }}")), none);
    }
    assert_eq!(broken("some { alpha = 1s, charlie = 1s }"), none);
    assert_eq!(broken("one { alpha = 1s, charlie = 1s }"), [two]);
    assert_eq!(broken("few { alpha = 1s, charlie = 1s }"), [two]);
    assert_eq!(broken("few { alpha = 1s, bravo = 1s, charlie = 1s }").len(), 2);
}

#[test]
fn what_is_at_most_something() {
    let none: [&str; 0] = [];
    for good in ["lowest = 1s", "lowest = 1s, topmost = 1000ms", "topmost = 5s", "lowest = 2h, topmost = 3"] {
        assert_eq!(broken(&format!("ordered {{ {good} }}")), none, "{good}");
    }
    let message = "`lowest` is greater than `topmost`";
    assert_eq!(broken("ordered { lowest = 2m, topmost = 119s }"), [format!("{message}: 119s, 2m")]);
    assert_eq!(broken("ordered { topmost = 4s }"), [format!("{message}: 4s")]);
}

#[test]
fn rules_in_words() {
    let words: Vec<String> = [&REQUIRES, &EXCLUDES, &SOME, &ONE, &FEW, &ORDERED]
        .into_iter()
        .flat_map(|kind| kind.relations)
        .map(|relation| relation.rule.describe())
        .collect();
    assert_eq!(
        words,
        [
            "`alpha` requires `bravo` or `inner`",
            "`charlie` requires `mode = slow`",
            "`flag = true` requires `table`",
            "`lowest` requires `shape = round`",
            "`alpha` excludes `bravo` and `flag = false`",
            "`inner` excludes `shape = round`",
            "at least one of `alpha`, `bravo` and `charlie` is required",
            "exactly one of `alpha`, `bravo` and `charlie` is required",
            "at most one of `alpha`, `bravo` and `charlie` is accepted",
            "`lowest` is at most `topmost`",
        ]
    );
}
