//! The text of a mesh as a tree, so that parts of it can be left out.

/// A part of a mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A line as it stands.
    Line(String),
    /// A list: what is before the bracket, and its entries.
    List(String, Vec<String>),
    /// A block: what is before the brace, and what is in it.
    Block(String, Vec<Item>),
}

impl Item {
    pub(crate) fn line(text: impl Into<String>) -> Self {
        Item::Line(text.into())
    }

    pub(crate) fn list(name: &str, entries: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Item::List(name.to_owned(), entries.into_iter().map(Into::into).collect())
    }

    pub(crate) fn block(head: impl Into<String>, items: Vec<Item>) -> Self {
        Item::Block(head.into(), items)
    }
}

/// As `meshc` reads it.
pub(crate) fn written(items: &[Item]) -> String {
    let mut text = String::new();
    write(items, 0, &mut text);
    text
}

fn write(items: &[Item], depth: usize, text: &mut String) {
    for item in items {
        text.push_str(&"  ".repeat(depth));
        match item {
            Item::Line(line) => text.push_str(line),
            Item::List(name, entries) => text.push_str(&format!("{name} = [{}]", entries.join(", "))),
            Item::Block(head, items) if items.is_empty() => text.push_str(&format!("{head} {{}}")),
            Item::Block(head, items) => {
                text.push_str(&format!("{head} {{\n"));
                write(items, depth + 1, text);
                text.push_str(&"  ".repeat(depth));
                text.push('}');
            }
        }
        text.push('\n');
    }
}

/// The same without one of its parts, for each part: the larger ones first, so that few steps lead far.
pub(crate) fn without_one(items: &[Item]) -> Vec<Vec<Item>> {
    let mut variants = Vec::new();
    for place in 0..items.len() {
        let mut without = items.to_vec();
        without.remove(place);
        variants.push(without);
    }
    for (place, item) in items.iter().enumerate() {
        let smaller: Vec<Item> = match item {
            Item::Line(_) => Vec::new(),
            Item::List(name, entries) if entries.len() > 1 => (0..entries.len())
                .map(|entry| {
                    let mut left = entries.clone();
                    left.remove(entry);
                    Item::List(name.clone(), left)
                })
                .collect(),
            Item::List(..) => Vec::new(),
            Item::Block(head, inner) => {
                without_one(inner).into_iter().map(|inner| Item::Block(head.clone(), inner)).collect()
            }
        };
        for one in smaller {
            let mut changed = items.to_vec();
            changed[place] = one;
            variants.push(changed);
        }
    }
    variants
}

#[test]
fn each_part_can_be_left_out() {
    let items = vec![Item::line("a"), Item::block("b", vec![Item::list("c", ["d", "e"])])];
    assert_eq!(written(&items), "a\nb {\n  c = [d, e]\n}\n");
    let without: Vec<String> = without_one(&items).iter().map(|items| written(items)).collect();
    assert_eq!(
        without,
        ["b {\n  c = [d, e]\n}\n", "a\n", "a\nb {}\n", "a\nb {\n  c = [e]\n}\n", "a\nb {\n  c = [d]\n}\n"]
    );
}
