//! The list of contents beside the page.

use std::fmt::Write as _;

use super::escape;
use super::pass::Section;

/// Each section of the second level, with those below it that can be opened.
pub(crate) fn render(sections: &[Section]) -> String {
    let mut text = String::new();
    let mut rest = sections;
    while let [first, others @ ..] = rest {
        let below = others.iter().take_while(|section| section.level > 2).count();
        let (inner, after) = others.split_at(below);
        group(first, inner, &mut text);
        rest = after;
    }
    text
}

fn group(first: &Section, inner: &[Section], text: &mut String) {
    let own = link(first, "");
    if inner.is_empty() {
        add(text, format_args!("<p>{own}</p>\n"));
        return;
    }
    add(text, format_args!("<details><summary>{own}</summary>\n"));
    for section in inner {
        let depth = section.title.matches(" › ").count().max(usize::from(section.level > 3));
        add(text, format_args!("{}\n", link(section, &format!(" class=\"depth-{}\"", depth.min(4)))));
    }
    text.push_str("</details>\n");
}

fn link(section: &Section, class: &str) -> String {
    let title = section.title.rsplit(" › ").next().unwrap_or_default();
    format!("<a href=\"#{}\"{class}>{}</a>", section.id, escape(title))
}

fn add(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "a string takes everything");
}
