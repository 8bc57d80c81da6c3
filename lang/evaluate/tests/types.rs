//! Every type of the schema with a value that fits and values that do not, on a language that is no mesh.
#![expect(clippy::expect_used, reason = "a helper of tests stops where something is not what it expects")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use lang_diagnostics::{Diagnostic, Sink, SourceMap, Spanned};
use lang_evaluate::schema::{
    ANY_TEXT, Attribute, Constant, Count, Kind, Label, Name, Nested, Pattern, Reference, Schema, Symbol, Tag,
    Type,
};
use lang_evaluate::{Block, Declarations, Evaluation, FromValue, Target, Value, evaluate};
use lang_syntax::ast::{Decimal, Rate};

const ANIMAL: Reference = Reference {
    kinds: &["cat", "dog"],
    part: Some("toy"),
    inner: &[],
    refused: &[("house", "houses do not purr")],
};
const HOUSE: Reference = Reference::to(&["house"]);
const MOODS: &[Symbol] = &[Symbol::new("happy", "tail up"), Symbol::new("hungry", "always")];
const RECORD: &[Attribute] = &[
    Attribute::required(Name::new("x"), Type::Integer(0, 9), ""),
    Attribute::defaulted(Name::new("y"), Type::Integer(0, 9), Constant::Integer(7), ""),
];
const TAGS: &[Tag] = &[
    Tag { word: "plain", documentation: "", attributes: &[] },
    Tag {
        word: "painted",
        documentation: "",
        attributes: &[Attribute::required(Name::new("mood"), Type::Symbol(MOODS), "")],
    },
];
static SHOUTED: Pattern = Pattern {
    name: "a word in capitals",
    check: |text| text.chars().any(|c| !c.is_ascii_uppercase()).then(|| String::from("not in capitals")),
};

const fn leaf(
    word: &'static str,
    label: Label,
    space: Option<&'static str>,
    attributes: &'static [Attribute],
) -> Kind {
    Kind {
        word,
        documentation: "",
        label,
        space,
        reopen: false,
        principal: None,
        relations: &[],
        attributes,
        blocks: &[],
    }
}

static TOY: Kind = leaf("toy", Label::Required(&ANY_TEXT), Some("toy"), &[]);
static CAT: Kind = Kind {
    blocks: &[Nested { kind: &TOY, count: Count::Many }],
    ..leaf(
        "cat",
        Label::Required(&ANY_TEXT),
        Some("animal"),
        &[
            Attribute::defaulted(Name::new("lives"), Type::Integer(1, 9), Constant::Integer(9), ""),
            Attribute::optional(Name::new("cry"), Type::Text(&ANY_TEXT), ""),
        ],
    )
};
static DOG: Kind = leaf("dog", Label::Required(&ANY_TEXT), Some("animal"), &[]);
static HOUSE_KIND: Kind = Kind {
    blocks: &[Nested { kind: &CAT, count: Count::Many }, Nested { kind: &DOG, count: Count::Many }],
    ..leaf("house", Label::Required(&ANY_TEXT), Some("house"), &[])
};
static THING: Kind = leaf(
    "thing",
    Label::None,
    None,
    &[
        Attribute::optional(Name::new("boolean"), Type::Boolean, ""),
        Attribute::optional(Name::new("integer"), Type::Integer(2, 8), ""),
        Attribute::optional(Name::new("decimal"), Type::Decimal, ""),
        Attribute::optional(Name::new("duration"), Type::Duration, ""),
        Attribute::optional(Name::new("rate"), Type::Rate, ""),
        Attribute::optional(Name::new("size"), Type::Size, ""),
        Attribute::optional(Name::new("percentage"), Type::Percentage, ""),
        Attribute::optional(Name::new("whole"), Type::WholePercentage, ""),
        Attribute::optional(Name::new("ip"), Type::Ip, ""),
        Attribute::optional(Name::new("ipv4"), Type::Ipv4, ""),
        Attribute::optional(Name::new("host"), Type::Host(&SHOUTED), ""),
        Attribute::optional(Name::new("cidr"), Type::Cidr, ""),
        Attribute::optional(Name::new("socket"), Type::SocketAddress, ""),
        Attribute::optional(Name::new("class"), Type::StatusClass, ""),
        Attribute::optional(Name::new("text"), Type::Text(&SHOUTED), ""),
        Attribute::optional(Name::new("any"), Type::Text(&ANY_TEXT), ""),
        Attribute::optional(Name::new("symbol"), Type::Symbol(MOODS), ""),
        Attribute::optional(Name::new("animal"), Type::Reference(&ANIMAL), ""),
        Attribute::optional(Name::new("list"), Type::List { of: &Type::Integer(0, 9), min: 1, max: 3 }, ""),
        Attribute::optional(Name::new("record"), Type::Record(RECORD), ""),
        Attribute::optional(Name::new("map"), Type::Map { key: &SHOUTED, of: &Type::Rate }, ""),
        Attribute::optional(Name::new("tagged"), Type::Tagged(TAGS), ""),
        Attribute::optional(
            Name::new("union"),
            Type::Union(&[Type::StatusClass, Type::Integer(100, 599), Type::Symbol(MOODS)]),
            "",
        ),
        Attribute::optional(Name::new("call"), Type::Call(&ANIMAL, &HOUSE), ""),
        Attribute::optional(Name::new("instance"), Type::Instance(&ANIMAL, &HOUSE), ""),
    ],
);
static FILE: Kind = Kind {
    blocks: &[
        Nested { kind: &HOUSE_KIND, count: Count::Many },
        Nested { kind: &CAT, count: Count::Many },
        Nested { kind: &THING, count: Count::Many },
    ],
    ..leaf("", Label::None, None, &[])
};

/// What stands before every value of these tests.
const WORLD: &str = r#"
house red {
  cat tom { lives = 7, cry = "meow ${tom} ${tom.lives}", toy mouse {} }
  dog rex {}
}
cat stray {}
"#;

fn read(text: &str) -> (Option<Declarations>, Vec<Diagnostic>) {
    let mut sink = Sink::default();
    let mut sources = SourceMap::default();
    let file = lang_syntax::parse(sources.add("zoo", text), text, &mut sink);
    assert_eq!(sink.diagnostics(), [], "{text}");
    let Evaluation { declarations, broken: _, sound } =
        evaluate(&[file], Schema { file: &FILE }, &sources, &mut sink);
    (sound.then_some(declarations), sink.into_sorted())
}

fn codes(text: &str) -> Vec<&'static str> {
    read(text).1.iter().map(|diagnostic| diagnostic.code.0).collect()
}

fn good<T: FromValue>(name: &'static str, value: &str) -> T {
    let text = format!("{WORLD}thing {{ {name} = {value} }}\n");
    let (declarations, diagnostics) = read(&text);
    assert_eq!(diagnostics, [], "{text}");
    let declarations = declarations.expect("no diagnostics");
    let thing: &Block = declarations.blocks.last().expect("the thing");
    thing.get::<T>(Name::new(name)).expect("the value has the type that the schema promises").value
}

/// The one code and message that a wrong value costs.
fn bad(name: &str, value: &str) -> (&'static str, String) {
    let text = format!("{WORLD}thing {{ {name} = {value} }}\n");
    let (declarations, diagnostics) = read(&text);
    assert!(declarations.is_none());
    let [only] = diagnostics.as_slice() else { unreachable!("{text} costs {diagnostics:#?}") };
    (only.code.0, only.message.clone())
}

#[test]
fn scalars() {
    assert!(good::<bool>("boolean", "true"));
    assert_eq!(good::<u16>("integer", "8"), 8);
    assert_eq!(good::<Decimal>("decimal", "2.5").nanos, 2_500_000_000);
    assert_eq!(good::<Decimal>("decimal", "2").nanos, 2_000_000_000);
    assert_eq!(good::<Duration>("duration", "1500ms"), Duration::from_millis(1500));
    assert_eq!(good::<Rate>("rate", "10/min").count, 10);
    assert_eq!(good::<Rate>("rate", "0/min").count, 0);
    assert_eq!(good::<u64>("size", "64KiB"), 65536);
    assert_eq!(good::<Decimal>("percentage", "0.5%").nanos, 500_000_000);
    assert_eq!(good::<IpAddr>("ip", "fd00::1"), "fd00::1".parse::<IpAddr>().unwrap());
    assert_eq!(good::<Ipv4Addr>("ipv4", "10.0.0.1"), Ipv4Addr::new(10, 0, 0, 1));
    assert_eq!(good::<Value>("host", "10.0.0.1"), Value::Ip("10.0.0.1".parse().unwrap()));
    assert_eq!(good::<String>("host", "\"ABC\""), "ABC");
    assert_eq!(good::<Value>("cidr", "10.10.0.0/16"), Value::Cidr("10.10.0.0".parse().unwrap(), 16));
    assert_eq!(good::<SocketAddr>("socket", "10.0.0.1:80"), "10.0.0.1:80".parse::<SocketAddr>().unwrap());
    assert_eq!(good::<Value>("class", "5xx"), Value::StatusClass(5));
    assert_eq!(good::<Value>("symbol", "hungry"), Value::Symbol("hungry"));
}

#[test]
fn wrong_scalars_name_both_sides() {
    let message = |name, value| bad(name, value).1;
    assert_eq!(message("duration", "10/min"), "expected a duration such as `20s`, found a rate");
    assert_eq!(message("size", "5s"), "expected a size such as `64KiB`, found a duration");
    assert_eq!(message("boolean", "1"), "expected `true` or `false`, found a whole number");
    assert_eq!(message("symbol", "\"happy\""), "`happy` is a word and not a string");
    for (name, value, code) in [
        ("duration", "10/min", "E0105"),
        ("size", "5s", "E0105"),
        ("integer", "2.5", "E0105"),
        ("boolean", "1", "E0104"),
        ("ipv4", "fd00::1", "E0104"),
        ("cidr", "10.0.0.1", "E0104"),
        ("host", "abc", "E0104"),
        ("symbol", "\"happy\"", "E0104"),
        ("symbol", "angry", "E0121"),
        ("integer", "9", "E0106"),
        ("duration", "0s", "E0106"),
        ("duration", "1001y", "E0106"),
        ("percentage", "101%", "E0106"),
        ("whole", "0.5%", "E0106"),
        ("text", "\"abc\"", "E0115"),
    ] {
        assert_eq!(bad(name, value).0, code, "{name} = {value}");
    }
}

#[test]
fn collections() {
    assert_eq!(good::<Vec<Spanned<u64>>>("list", "[1, 2]").len(), 2);
    let record = good::<Vec<(Spanned<String>, Spanned<u64>)>>("record", "{ x = 1 }");
    let record: Vec<_> = record.iter().map(|(name, value)| (name.value.as_str(), value.value)).collect();
    assert_eq!(record, [("x", 1), ("y", 7)]);
    assert_eq!(good::<Vec<(Spanned<String>, Spanned<Rate>)>>("map", "{ GOLD = 10/min }").len(), 1);
    for (name, value, code) in [
        ("list", "[]", "E0106"),
        ("list", "[1, 2, 3, 4]", "E0106"),
        ("list", "1", "E0104"),
        ("list", "[1, a]", "E0104"),
        ("record", "{ y = 1 }", "E0107"),
        ("record", "{ x = 1, z = 1 }", "E0102"),
        ("map", "{ gold = 10/min }", "E0115"),
        ("map", "{ GOLD = 10 }", "E0105"),
        ("map", "{ GOLD = 1/s, GOLD = 2/s }", "E0108"),
    ] {
        assert_eq!(bad(name, value).0, code, "{name} = {value}");
    }
}

#[test]
fn tags_and_unions() {
    assert_eq!(good::<Value>("tagged", "plain"), Value::Tagged("plain", Vec::new()));
    let painted = good::<Value>("tagged", "painted { mood = happy }");
    assert!(matches!(painted, Value::Tagged("painted", record) if record.len() == 1));
    assert_eq!(good::<Value>("union", "4xx"), Value::StatusClass(4));
    assert_eq!(good::<Value>("union", "503"), Value::Integer(503));
    assert_eq!(good::<Value>("union", "happy"), Value::Symbol("happy"));
    for (name, value, code) in [
        ("tagged", "painted", "E0107"),
        ("tagged", "carved", "E0121"),
        ("tagged", "7", "E0104"),
        ("union", "700", "E0106"),
        ("union", "angry", "E0121"),
        ("union", "\"x\"", "E0104"),
    ] {
        assert_eq!(bad(name, value).0, code, "{name} = {value}");
    }
}

#[test]
fn references_with_parts_calls_and_instances() {
    assert_eq!(good::<Target>("animal", "red.tom").part, None);
    let toy = good::<Target>("animal", "red.tom.mouse").part.map(|part| part.value);
    assert_eq!(toy.as_deref(), Some("mouse"));
    assert!(matches!(good::<Value>("call", "stray -> red.rex"), Value::Call(..)));
    let Value::Call(from, to) = good::<Value>("call", "red.tom in red -> red.rex in red") else {
        unreachable!("a call")
    };
    assert!(matches!((&from.value, &to.value), (Value::Instance(..), Value::Instance(..))));
    assert!(matches!(good::<Value>("instance", "red.tom in red"), Value::Instance(..)));
    assert_eq!(bad("animal", "red.tom.ball").1, "the cat `red.tom` has no toy `ball`");
    for (name, value, code) in [
        ("animal", "tom", "E0103"),
        ("animal", "red.tom.ball", "E0103"),
        ("animal", "red", "E0116"),
        ("instance", "red.tom", "E0104"),
        ("instance", "red.tom in blue", "E0103"),
    ] {
        assert_eq!(bad(name, value).0, code, "{name} = {value}");
    }
}

#[test]
fn strings_take_names_and_attributes() {
    let text = good::<String>("any", "\"${red.tom} has ${red.tom.lives} and ${stray.lives}\"");
    assert_eq!(text, "tom has 7 and 9");
    let text = good::<String>("any", "\"${red.tom.cry}, ${80}, ${10.0.0.1}\"");
    assert_eq!(text, "meow tom 7, 80, 10.0.0.1");
    for (value, code) in [
        ("\"${red.tom.colour}\"", "E0102"),
        ("\"${stray.cry}\"", "E0117"),
        ("\"${[1]}\"", "E0117"),
        ("\"${nobody}\"", "E0103"),
    ] {
        assert_eq!(bad("any", value).0, code, "{value}");
    }
}

/// What a fix would leave in the place of a wrong value, or the advice if there is no fix.
fn way_out(name: &str, value: &str) -> String {
    let line = format!("{name} = {value}");
    let text = format!("{WORLD}thing {{ {line} }}\n");
    let (_, diagnostics) = read(&text);
    let [only] = diagnostics.as_slice() else { unreachable!("{text} costs {diagnostics:#?}") };
    let Some(fix) = &only.fix else { return only.help.clone().unwrap_or_default() };
    let mut fixed = text.clone();
    for edit in fix.edits.iter().rev() {
        fixed.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
    }
    let start = fixed.find(name).expect("the attribute is still there");
    fixed[start..].trim_start_matches(name).trim_start_matches(" = ").trim_end_matches(" }\n").to_owned()
}

#[test]
fn a_value_in_another_form_shows_its_way_out() {
    for (name, value, fixed) in [
        ("animal", "\"red.tom\"", "red.tom"),
        ("animal", "[stray]", "stray"),
        ("duration", "\"20s\"", "20s"),
        ("integer", "\"3\"", "3"),
        ("boolean", "\"true\"", "true"),
        ("boolean", "yes", "true"),
        ("boolean", "off", "false"),
        ("union", "\"5xx\"", "5xx"),
        ("list", "\"1, 2\"", "[1, 2]"),
        ("list", "7", "[7]"),
        ("any", "10.0.0.1", "\"10.0.0.1\""),
        ("any", "0", "\"0\""),
        ("any", "api.example", "\"api.example\""),
        ("duration", "null", "leave the attribute out: its default applies then"),
        ("duration", "5", "give it a unit, such as `5s`: one of `ms`, `s`, `m`, `h`, `d` or `y`"),
        ("percentage", "5", "write `5%`"),
        ("ip", "10.0.0.1:80", "leave `:80` out: a port is declared on its own"),
        ("animal", "[stray, red.tom]", "only one fits here: keep one of them, without brackets"),
        (
            "animal",
            "\"2nd\"",
            "a name has no quotes; one of another form is quoted behind the name around it, such as \
             `shop.\"2nd\"`",
        ),
    ] {
        assert_eq!(way_out(name, value), fixed, "{name} = {value}");
    }
    assert_eq!(way_out("duration", "\"soon\""), "", "no advice is better than a wrong one");
}

#[test]
fn an_unknown_name_offers_what_is_spelled_or_ends_alike() {
    assert_eq!(way_out("animal", "red.tmo"), "red.tom");
    assert_eq!(way_out("symbol", "hungri"), "hungry");
    assert_eq!(way_out("any", "\"${stray.lifes}\""), "\"${stray.lives}\"");
    assert_eq!(way_out("animal", "tom"), "red.tom");
    assert_eq!(way_out("animal", "blue.rex"), "red.rex");
    assert_eq!(way_out("animal", "parrot"), "declare it, or name a `cat` or a `dog` that is declared");
}

#[test]
fn a_word_in_the_wrong_place_is_told_its_own() {
    let help = |text: &str| {
        let (_, diagnostics) = read(text);
        let [only] = diagnostics.as_slice() else { unreachable!("{text} costs {diagnostics:#?}") };
        only.help.clone().unwrap_or_default()
    };
    assert_eq!(help("toy ball {}\n"), "`toy` belongs in `cat`");
    assert_eq!(help("house red { thing {} }\n"), "`thing` belongs at the top level of a file");
    assert_eq!(
        help("house red { lives = 3 }\n"),
        "`lives` belongs in `cat`; house `red` accepts only blocks"
    );
    assert_eq!(help("cat tom { toy = 1 }\n"), "write `toy name { … }`");
    assert_eq!(
        help("cat tom { cry = \"a\\nb\", host = 3 }\n"),
        "`host` belongs in `thing`; cat `tom` accepts `lives`, `cry`"
    );
    assert_eq!(bad("text", "\"A\\nB\"").1, "`A\\nB` is not a word in capitals");
}

/// Safe fixes are applied without asking, so that what they leave must be right.
#[test]
fn safe_fixes_leave_a_text_without_mistakes() {
    for line in [
        "list = 3",
        "symbol = \"happy\"",
        "integer = \"3\"",
        "integer = [3]",
        "record { x = 1 }",
        "map { GOLD = 1/s }",
        "tagged painted { mood = happy }",
    ] {
        let text = format!("{WORLD}thing {{ {line} }}\n");
        let (_, diagnostics) = read(&text);
        let fixes: Vec<_> = diagnostics.iter().filter_map(|diagnostic| diagnostic.fix.as_ref()).collect();
        assert_eq!((fixes.len(), diagnostics.len()), (1, 1), "{line}");
        let mut fixed = text.clone();
        for edit in fixes.iter().flat_map(|fix| fix.edits.iter().rev()) {
            fixed.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.text);
        }
        assert_eq!(read(&fixed).1, [], "{fixed}");
    }
}

/// An inner name does not hide an outer one, and a block whose name is taken causes nothing else.
#[test]
fn names_that_clash() {
    let taken =
        "house tom { cat tom { toy ball {} }, cat tom { toy ball {} } }\nthing { animal = tom.tom }\n";
    assert_eq!(codes(taken), ["E0109"]);
    let both = "house tom { cat tom {} }\ncat tom { toy tom {} }\nthing { animal = tom.tom }\n";
    assert_eq!(codes(both), ["E0112"]);
}

/// Without bounds the first would fill the memory and the second the stack.
#[test]
fn values_that_are_put_into_each_other_are_bounded() {
    let chain = |length: usize, first: &str, value: fn(usize) -> String| {
        let mut cats = vec![format!("cat c0 {{ cry = \"{first}\" }}\n")];
        cats.extend(
            (1..=length).map(|number| format!("cat c{number} {{ cry = \"{}\" }}\n", value(number - 1))),
        );
        cats
    };
    let doubling = |before: usize| format!("${{c{before}.cry}}${{c{before}.cry}}");
    let copying = |before: usize| format!("${{c{before}.cry}}");
    for (cats, expected) in [
        (chain(200, "meow", doubling), vec!["E0122"]),
        (chain(60, "", doubling), vec![]),
        (chain(64, "meow", copying), vec![]),
        (chain(65, "meow", copying), vec!["E0122"]),
        (chain(20_000, "meow", copying), vec!["E0122"]),
    ] {
        assert_eq!(codes(&cats.concat()), expected, "{} cats", cats.len());
        let reversed: Vec<_> = cats.into_iter().rev().collect();
        assert_eq!(codes(&reversed.concat()), expected, "{} cats, in reverse", reversed.len());
    }
}

#[test]
fn a_cycle_is_reported_once() {
    let cycle = "cat a { cry = \"${b.cry}\" }\ncat b { cry = \"${c.cry}\" }\ncat c { cry = \"${a.cry}\" }\n";
    assert_eq!(codes(cycle), ["E0118"]);
    assert_eq!(codes("cat a { cry = \"${a.cry}\" }\n"), ["E0118"]);
}
