//! Tests of the parser: the shape of trees, and that one mistake costs one error.

use lang_diagnostics::{FileId, Sink};

use super::parse;
use crate::ast::{Attribute, Block, File, FormKind, Item, Literal, StringPart, Value, ValueKind};
use crate::print;

fn parsed(text: &str) -> (File, Vec<String>) {
    let mut sink = Sink::default();
    let file = parse(FileId(0), text, &mut sink);
    let reports = sink.diagnostics().iter();
    (file, reports.map(|d| format!("{} {}", d.code, d.message)).collect())
}

fn clean(text: &str) -> File {
    let (file, reports) = parsed(text);
    assert_eq!(reports, [] as [&str; 0], "{text}");
    file
}

/// A compact notation of a tree, for comparisons.
fn shape(items: &[Item]) -> String {
    items.iter().map(shape_of_item).collect::<Vec<_>>().join("; ")
}

fn shape_of_item(item: &Item) -> String {
    match item {
        Item::Attribute(attribute) => shape_of_attribute(attribute),
        Item::Form(form) => match &form.kind {
            FormKind::Assert(assert) => {
                let message =
                    assert.message.as_ref().map(|message| format!(" else {}", shape_of_value(message)));
                format!("assert {}{}", shape_of_value(&assert.condition), message.unwrap_or_default())
            }
            kind => format!("@{kind:?}"),
        },
        Item::Block(Block { kind, label, body, short, .. }) => {
            let label = label.as_ref().map_or(String::new(), |label| format!(" {}", label.value));
            if *short {
                return format!("{}{label} {}", kind.value, shape(body).trim_start());
            }
            format!("{}{label} {{{}}}", kind.value, shape(body))
        }
    }
}

fn shape_of_attribute(attribute: &Attribute) -> String {
    format!("{}={}", attribute.name.value, shape_of_value(&attribute.value))
}

fn shape_of_value(value: &Value) -> String {
    let joined = |shapes: Vec<String>| shapes.join(" ");
    match &value.kind {
        ValueKind::Boolean(value) => value.to_string(),
        ValueKind::String(parts) => {
            let parts = parts.iter().map(|part| match part {
                StringPart::Text(text) => text.clone(),
                StringPart::Interpolation(value) => format!("<{}>", shape_of_value(value)),
            });
            format!("'{}'", parts.collect::<String>())
        }
        ValueKind::Literal(Literal::Integer(number)) => number.to_string(),
        ValueKind::Literal(literal) => format!("{literal:?}"),
        ValueKind::Path(path) => {
            path.segments.iter().map(|segment| segment.value.as_str()).collect::<Vec<_>>().join(".")
        }
        ValueKind::List(values) => format!("[{}]", joined(values.iter().map(shape_of_value).collect())),
        ValueKind::Record(entries) => {
            format!("{{{}}}", joined(entries.iter().map(shape_of_attribute).collect()))
        }
        ValueKind::Tagged(tag, entries) => {
            format!("{}{{{}}}", tag.value, joined(entries.iter().map(shape_of_attribute).collect()))
        }
        ValueKind::In(left, right) => format!("({} in {})", shape_of_value(left), shape_of_value(right)),
        ValueKind::Arrow(left, right) => format!("({} -> {})", shape_of_value(left), shape_of_value(right)),
        ValueKind::Group(inner) => format!("({})", shape_of_value(inner)),
        ValueKind::If(choice) => format!(
            "if({} {} {})",
            shape_of_value(&choice.condition),
            shape_of_value(&choice.then),
            shape_of_value(&choice.otherwise)
        ),
        ValueKind::Logic(connective, operands) => {
            format!("{}({})", connective.text(), joined(operands.iter().map(shape_of_value).collect()))
        }
        ValueKind::Not(inner) => format!("not({})", shape_of_value(inner)),
        ValueKind::Compare(comparison, sides) => {
            format!("({} {} {})", shape_of_value(&sides.0), comparison.text(), shape_of_value(&sides.1))
        }
        ValueKind::Spread(inner) => format!("...{}", shape_of_value(inner)),
        ValueKind::Invalid => String::from("?"),
    }
}

#[track_caller]
fn check(text: &str, tree: &str, reports: &[&str]) {
    let (file, found) = parsed(text);
    assert_eq!(
        (shape(&file.items).as_str(), found),
        (tree, reports.iter().map(ToString::to_string).collect())
    );
}

#[test]
fn every_form_of_value() {
    check("x = true, y = 10", "x=true; y=10", &[]);
    check("x = a.\"odd name\".c", "x=a.odd name.c", &[]);
    check("x = \"odd\".c", "x=odd.c", &[]);
    check("x = [a, [1], { b = 2 }, files { c = 3 },]", "x=[a [1] {b=2} files{c=3}]", &[]);
    check("x = a in b -> c in d", "x=((a in b) -> (c in d))", &[]);
    check(r#"x = "a${b.c}d${"e${f}"}$${g}""#, "x='a<b.c>d<'e<f>'>${g}'", &[]);
    check("x = \"\"\"\n  a ${b}\n   c\n  \"\"\"", "x='a ${b}\n c\n'", &[]);
    check("x = \"\"", "x=''", &[]);
}

#[test]
fn lines_end_items_except_inside_lists_and_after_operators() {
    check("a =\n  1\nb = c ->\n  d\ne = [\n f\n ,\n g\n -> h\n]", "a=1; b=(c -> d); e=[f (g -> h)]", &[]);
    check("a = { b = 1\n c = 2, d = 3,\n }", "a={b=1 c=2 d=3}", &[]);
    check("in east { replicas = 3 }", "in east {replicas=3}", &[]);
    check("service test {}\nx { true = 1 }", "service test {}; x {true=1}", &[]);
}

#[test]
fn documentation_belongs_to_the_next_item() {
    let file = clean("/// one\n// between\n///  two \nservice a {}\n// end\n");
    let Some(Item::Block(block)) = file.items.first() else { panic!("a block") };
    assert_eq!(block.documentation.as_ref().unwrap().value, "one\n two");
    assert_eq!(file.comments.iter().map(|c| c.text.as_str()).collect::<Vec<_>>(), [" between", " end"]);
}

#[test]
fn language_line() {
    assert_eq!(clean("// c\nlanguage 1\na = 1").language.unwrap().value, 1);
    check("language = 2", "language=2", &[]);
    check("language 7\na = 1", "a=1", &["E0012 `7` is no language version that this compiler accepts"]);
    check("a = 1\nlanguage 1", "a=1", &["E0012 `language` belongs before everything else in the file"]);
}

#[test]
fn assertions() {
    check("assert a.b != none", "assert (a.b != none)", &[]);
    check("assert a or b else \"no ${a}\"\nx = 1", "assert or(a b) else 'no <a>'; x=1", &[]);
    check("t a { assert if a then b else c else \"m\" }", "t a {assert if(a b c) else 'm'}", &[]);
    check("assert = 1\ny = 2", "assert ?; y=2", &["E0005 expected a value, found `=`"]);
}

#[test]
fn every_form_of_condition() {
    check("x = if a then b else if c then d else e", "x=if(a b if(c d e))", &[]);
    check("x = a and b or not c and d", "x=or(and(a b) and(not(c) d))", &[]);
    check("x = (a or b) and c == d.e", "x=and((or(a b)) (c == d.e))", &[]);
    check("x = a -> b != c -> d", "x=((a -> b) != (c -> d))", &[]);
    check("x = [if\n a\n then b\n else c, ...d]", "x=[if(a b c) ...d]", &[]);
    check("x = \"${if a < 1 then \"b\" else \"c\"}\"", "x='<if((a < 1) 'b' 'c')>'", &[]);
    check("x = { ...a, b = 1 }\n...c", "x={=...a b=1}; =...c", &[]);
    check("x = and.or, not = 1, y = [then, else]", "x=and.or; not=1; y=[then else]", &[]);
}

#[test]
fn a_text_says_whether_it_stands_for_something_else() {
    for plain in ["a = [x, y]", "service \"$${x}\" { b = \"${c}\" }", "a = b -> c"] {
        assert!(!clean(plain).expands, "{plain}");
    }
    for other in ["let a = 1", "a = [...b]", "a = (b)", "s \"${a}\" {}", "m { defaults {} }", "a = b == c"] {
        assert!(clean(other).expands, "{other}");
    }
}

#[test]
fn one_mistake_costs_one_error() {
    let separator = "E0006 expected a newline or `,` before `b`";
    check("a = 1 b = 2", "a=1; b=2", &[separator]);
    check("a = 1 b c\nd = 2", "a=1; d=2", &[separator]);
    check("a = [x y]", "a=[x y]", &["E0006 expected `,` before `y`"]);
    check("a = [x\n y\n z]", "a=[x y z]", &["E0006 expected `,` before `y`"]);
    check("a = )\nb = 1", "a=?; b=1", &["E0015 expected a value, found `)`"]);
    check("a =\nb = 1", "a=?; b=1", &["E0015 expected a value, found `b`"]);
    check("a = 10sec\nb = 1", "a=?; b=1", &["E0004 `10sec` has the unknown unit `sec`"]);
    check("a [1]\nb = 1", "a=[1]; b=1", &["E0005 expected `=` after `a`, found `[`"]);
    // The brace on the line closes what is opened on it.
    check("m { h x-role = 1, n = 2 }\nb = 1", "m {h x-role =1; n=2}; b=1", &[]);
    check("p x-role = 1 }\nb = 1", "p {x-role=1}; b=1", &["E0010 expected `{` after `p`"]);
    check("a: 1\nb = 1", "a=1; b=1", &["E0001 unexpected `:`"]);
    check("a\nb = 1", "b=1", &["E0010 `a` is neither an attribute nor a block"]);
    check("network west\nb = 1", "network west {}; b=1", &["E0010 expected `{` after `network west`"]);
    check("a = \"x\nb = 1", "a='x'; b=1", &["E0002 this string is not closed on its line"]);
    check("a = \"x${y\nb = 1", "a='x<y>'; b=1", &["E0002 this interpolation is not closed on its line"]);
    check("a = x -> y -> z\nb = 1", "a=?; b=1", &["E0016 a value has at most one `->`"]);
    check("s {\n a = 1 }}\nb = 1", "s {a=1}; b=1", &["E0008 this `}` has no opening bracket"]);
    check(
        "a = { b c { d = 1 }, e { f = 2 } }",
        "a={b=? e={f=2}}",
        &[
            "E0014 `b` is a block, and a record has attributes only",
            "E0014 `e` is a block, and a record has attributes only",
        ],
    );
    check("a = for x in y\nb = 1", "a=?; b=1", &["E0005 expected a value, found `for`"]);
    check("a = if b then c\nb = 1", "a=?; b=1", &["E0005 expected `else`, found the end of the line"]);
    let line = "E0005 expected `then`, found the end of the line";
    check("a = if b\n  then 1\n  else 2\nb = 1", "a=?; b=1", &[line]);
    check("s {\n a = if b\n  then 1 else 2\n}\nb = 1", "s {a=?}; b=1", &[line]);
    check(
        "a = if b then 1\n  else 2\nelse = 1",
        "a=?; else=1",
        &["E0005 expected `else`, found the end of the line"],
    );
    check("let x y\nb = 1", "b=1", &["E0005 expected `=`, found `y`"]);
    check("input = 3\nb = 1", "b=1", &["E0005 expected a name, found `=`"]);
    check("for c in { a = 1 } { d = 2 }\nb = 1", "b=1", &["E0005 expected a list, found `{`"]);
    check("template t(a) {\n c = 1\n}\nb = 1", "b=1", &["E0005 expected `:` and a type, found `)`"]);
    assert_eq!(parsed("apply t(a = 1\nb = 1\n").1, ["E0007 this `(` is not closed"]);
    check("override\nb = 1", "b=1", &["E0005 expected a block or an attribute after `override`"]);
    check("a = # x\nb = 1", "a=?; b=1", &["E0001 unexpected `#`"]);
}

#[test]
fn a_missing_opening_bracket_is_one_error() {
    let expected = |header| format!("E0010 expected `{{` after `{header}`");
    check("s t\n  a = 1\n}\nu {}", "s t {a=1}; u {}", &[&expected("s t")]);
    check("s\n  a = 1\n}\nu {}", "s {a=1}; u {}", &[&expected("s")]);
    check("s {\n p q a = 1, b = 2 }\n r = 3\n}\nu {}", "s {p q {a=1; b=2}; r=3}; u {}", &[&expected("p q")]);
    check("s t = {\n  p {}\n}\nu {}", "s t {p {}}; u {}", &["E0005 expected `{`, found `=`"]);
    check("s t = {\n  a = 1\n}\nu {}", "s t ={a=1}; u {}", &[]);
    check("a = x, y]\nu {}", "a=x; u {}", &["E0010 `y` is neither an attribute nor a block"]);
}

#[test]
fn an_unclosed_bracket_stops_at_the_next_item() {
    let list = "E0007 this `[` is not closed";
    check("a = [x, y\nb = 1", "a=[x y]; b=1", &[list]);
    check("a = [x,\nport http { c = 1 }\nd = 2", "a=[x]; port http {c=1}; d=2", &[list]);
    check("s {\n a = [x\n retry { n = 1 }\n}\nt {}", "s {a=[x]; retry {n=1}}; t {}", &[list]);
    check("s {\n a = [x }\nt {}", "s {a=[x]}; t {}", &[list]);
    check("s {\n a = { b = [1\n", "s {a={b=[1]}}", &[list]);
    let brace = "E0007 this `{` is not closed";
    check("s {\n  t u {\n    a = 1\n", "s {t u {a=1}}", &[brace]);
    check("s {\n  t u {\n    a = 1\n  v {}\n}\nw {}", "s {t u {a=1}; v {}}; w {}", &[brace]);
    check("s {\n  t u {\n    a = 1\n}\nw {}", "s {t u {a=1}}; w {}", &[brace]);
    check("s {\n  a = { b = 1\n}\nw {}", "s {a={b=1}}; w {}", &[brace]);
}

#[test]
fn deep_nesting_is_one_error_and_no_overflow() {
    for (open, close) in [
        ("[", "]"),
        ("{a=", "}"),
        ("a{a=", "}"),
        ("\"${", "}\""),
        ("(", ")"),
        ("a in [", "]"),
        ("not ", ""),
        ("if a then b else ", ""),
    ] {
        for closed in [true, false] {
            let text = format!(
                "x = {}1{}\n",
                open.repeat(10_000),
                if closed { close.repeat(10_000) } else { String::new() }
            );
            let (file, reports) = parsed(&text);
            assert_eq!(reports.len(), 1, "{open} {closed} {reports:?}");
            assert!(
                format!("{file:?}").len() < 100_000,
                "the tree is bounded, and so is everything that walks it"
            );
            assert!(print(&file).len() < 100_000);
        }
    }
    let blocks = format!("{}{}", "a b {\n".repeat(10_000), "}\n".repeat(10_000));
    assert_eq!(parsed(&blocks).1, ["E0009 brackets are nested more than 64 deep"]);
    assert_eq!(parsed(&"a b {\n".repeat(10_000)).1, ["E0009 brackets are nested more than 64 deep"]);
}
