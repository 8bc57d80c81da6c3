//! The layout by example; what holds for every text is in `tests/properties.rs`.

use lang_diagnostics::{FileId, Sink};

use super::format;

#[track_caller]
fn check(text: &str, expected: &str) {
    let formatted = |text: &str| {
        let mut sink = Sink::default();
        format(FileId(0), text, &mut sink).unwrap_or_else(|| panic!("{text}\n{:?}", sink.diagnostics()))
    };
    let once = formatted(text);
    assert_eq!(once, expected);
    assert_eq!(formatted(&once), once, "formatting again changes nothing");
}

#[test]
fn indentation_spaces_and_commas() {
    check("a{b=1,c   =[ x ,y, ]\n\n\n\nd=x->y   }\n\n", "a {\n  b = 1\n  c = [x, y]\n\n  d = x -> y\n}\n");
    check("a { }\nb {\n}\n", "a {}\nb {}\n");
    check("a   b   {c=1, d  {  } , }", "a b { c = 1, d {} }\n");
    check("\u{feff}a = 1\r\nb = 2", "a = 1\nb = 2\n");
    check("", "");
    check("\n\n", "");
    check("// only this  \n", "// only this\n");
}

#[test]
fn braces_keep_the_line_that_their_author_chose() {
    check("a { b = 1, c = 2 }", "a { b = 1, c = 2 }\n");
    check("a { b = 1, c = 2\n}", "a {\n  b = 1\n  c = 2\n}\n");
    check("a = x {\n b = 1 }", "a = x {\n  b = 1\n}\n");
    let long = "x".repeat(60);
    check(&format!("a {{ b = {long}, c = {long} }}"), &format!("a {{\n  b = {long}\n  c = {long}\n}}\n"));
}

#[test]
fn lists_take_as_many_lines_as_they_need() {
    check("a = [\n  b,\n  c\n]", "a = [b, c]\n");
    let name = "n".repeat(60);
    check(&format!("a = [{name}, {name}]"), &format!("a = [\n  {name},\n  {name},\n]\n"));
    check(
        "a = [ // one\n  b, // two\n\n  // three\n  c // four\n  // five\n]",
        "a = [  // one\n  b,  // two\n\n  // three\n  c,  // four\n  // five\n]\n",
    );
    check("a = [{ b = 1 }, {\n c = 2 }]", "a = [\n  { b = 1 },\n  {\n    c = 2\n  },\n]\n");
}

#[test]
fn names_are_aligned_up_to_an_empty_line_or_a_longer_item() {
    check(
        "a {\n  one = 1\n  // why\n  three = 3\n  port http { number = 80 }\n  five { x = 1 }\n\n  sixteen = 6\n}",
        "a {\n  one   = 1\n  // why\n  three = 3\n  port http { number = 80 }\n  five  { x = 1 }\n\n  sixteen = 6\n}\n",
    );
    check("one = 1\nb {\n  c = 1\n}\nseven = 7\n", "one = 1\nb {\n  c = 1\n}\nseven = 7\n");
    check(
        "service a { x = 1 }\nservice long { x = 1 }\nroute longer { x = 1 }\n",
        "service a    { x = 1 }\nservice long { x = 1 }\nroute longer { x = 1 }\n",
    );
}

#[test]
fn comments_at_the_ends_of_lines_are_aligned() {
    check(
        "a = 1 // one\nbcd = 22 // two\ne = 1\nf = 1 // other\n",
        "a   = 1   // one\nbcd = 22  // two\ne   = 1\nf   = 1  // other\n",
    );
    check("a { // why\n\n b = 1 }", "a {  // why\n  b = 1\n}\n");
    check("a = // why\n  1\nb = 2", "a =  // why\n  1\nb = 2\n");
    check("/// doc  \na {\n/// inner\nb = 1\n// end\n}", "/// doc\na {\n  /// inner\n  b = 1\n  // end\n}\n");
}

#[test]
fn strings_stay_and_blocks_of_text_move_with_what_is_around_them() {
    check(r#"a = "x  ${ b }  y""#, "a = \"x  ${ b }  y\"\n");
    check(
        "a {\n      b = \"\"\"\n          one\n            two\n\n          \"\"\"\n}",
        "a {\n  b = \"\"\"\n    one\n      two\n\n    \"\"\"\n}\n",
    );
}

#[test]
fn what_has_mistakes_is_not_formatted() {
    let mut sink = Sink::default();
    assert_eq!(format(FileId(0), "a = = 1", &mut sink), None);
    assert!(sink.has_errors());
}
