//! Tests of the printer's layout; that it loses nothing is a property test.

use lang_diagnostics::{FileId, Sink};

use super::print;
use crate::parse;

#[track_caller]
fn check(text: &str, expected: &str) {
    let mut sink = Sink::default();
    let printed = print(&parse(FileId(0), text, &mut sink));
    assert_eq!(sink.diagnostics(), []);
    assert_eq!(printed, expected);
    let again = print(&parse(FileId(0), &printed, &mut sink));
    assert_eq!(again, printed, "printing is idempotent");
}

#[test]
fn blocks_and_blank_lines() {
    check(
        "language 1\n\n\nnetwork a{}\nnetwork b { }\ncluster west { network=a,region = \"x\"\ngateway g { role=ingress }\ngateway h { a = 1, b = 2, c = 3, d = 4 }}",
        "\
language 1

network a {}
network b {}

cluster west {
  network = a
  region = \"x\"
  gateway g { role = ingress }

  gateway h {
    a = 1
    b = 2
    c = 3
    d = 4
  }
}
",
    );
}

#[test]
fn comments_stay_where_they_were() {
    check(
        "// top\na = 1 // one\n// between\ns { // open\n  b = [ // list\n 1, // first\n // own\n 2 ]\n // end\n} // after\n// last",
        "\
// top
a = 1 // one

// between
s { // open
  b = [ // list
    1, // first
    // own
    2,
  ]
  // end
} // after
// last
",
    );
}

#[test]
fn documentation_stands_before_its_item() {
    check(
        "a = 1\n///one\n///\n///  two\n// c\nb = 2\nc = { /// x\n}\n"
            .replace("/// x\n", "\n/// x\nd = 1\n")
            .as_str(),
        "\
a = 1

/// one
///
///  two
// c
b = 2

c = {
  /// x
  d = 1
}
",
    );
}

#[test]
fn strings_and_names() {
    check(
        r#"a = "x\ty$${z}\$${w}\u{1}", b = "l1\nl2\n", "for" = c."d e".in, f = "assert".g"#,
        "a = \"x\\ty$${z}\\$${w}\\u{1}\"\nb = \"\"\"\n  l1\n  l2\n  \"\"\"\n\"for\" = c.\"d e\".in\nf = assert.g\n",
    );
}

#[test]
fn long_values_take_several_lines() {
    let name = "a".repeat(60);
    check(
        &format!("x = [{name}, {name}]\ny = {{ a = {name}, b = {name} }}"),
        &format!("x = [\n  {name},\n  {name},\n]\ny = {{\n  a = {name}\n  b = {name}\n}}\n"),
    );
}
