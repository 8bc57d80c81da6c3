//! The page: the same Markdown as HTML, with a list of contents, anchors, colours and a search, in one file.

mod contents;
mod highlight;
mod pass;

use serde_json::json;
use tera::{Context, Tera};

/// Why the page cannot be made: a mistake in its template, which tests find.
pub type PageError = tera::Error;

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Makes the page.
pub(crate) fn render(markdown: &str, version: &str) -> Result<String, PageError> {
    let page = pass::run(markdown);
    let index: Vec<_> = page
        .entries
        .iter()
        .map(|entry| json!([entry.id, entry.title, entry.what.word(), entry.place, entry.text]))
        .collect();
    let mut context = Context::new();
    context.insert("version", version);
    context.insert("style", STYLE);
    context.insert("script", SCRIPT);
    context.insert("contents", &contents::render(&page.sections));
    context.insert("body", &page.body);
    // No text of the index may end the element that it is in.
    context.insert("index", &json!(index).to_string().replace('<', "\\u003c"));
    Tera::one_off(TEMPLATE, &context, false)
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_anchors_an_index_and_no_way_out() {
        let markdown =
            "# R\n\n## `a`\n\nSays </script> & more.\n\n| attribute | |\n|---|---|\n| `b` | What. |\n";
        let page = render(markdown, "1.0").unwrap();
        assert!(page.contains(r#"<h2 id="a">"#) && page.contains(r#"<tr id="a.b">"#), "{page}");
        assert!(page.contains(r#"["a.b","b","attribute","a","What."]"#), "{page}");
        let scripts = page.matches("</script>").count();
        assert_eq!((scripts, page.matches("<script").count()), (2, 2), "{page}");
    }
}
