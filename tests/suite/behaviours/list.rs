//! `tests/suite/conformance/README.md`: the behaviours, one line each, below the story that shows them.

use std::collections::BTreeMap;

use mesh_tests::tools;

/// Where the list is.
pub(crate) const FILE: &str = "tests/suite/conformance/README.md";

fn text() -> String {
    std::fs::read_to_string(tools::workspace().join(FILE)).expect("the list is there")
}

/// How many lines there are for each story, by its name such as `redirects::a_rule_answers_with_another_address`.
pub(crate) fn read() -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    let mut story = None;
    for line in text().lines() {
        if let Some(name) = line.strip_prefix("**`").and_then(|rest| rest.strip_suffix("`**")) {
            assert!(found.insert(name.to_owned(), 0).is_none(), "`{name}` is listed twice");
            story = Some(name.to_owned());
        } else if line.starts_with("- ") {
            let name = story.as_ref().unwrap_or_else(|| panic!("a line without a story: {line}"));
            *found.entry(name.clone()).or_default() += 1;
        }
    }
    found
}

/// The number of behaviours that the head of the list states.
pub(crate) fn stated() -> usize {
    let text = text();
    let before = text.split(" behaviours").next().unwrap_or_default();
    let number = before.rsplit(|sign: char| !sign.is_ascii_digit()).next().unwrap_or_default();
    number.parse().expect("the head of the list states how many behaviours there are")
}
