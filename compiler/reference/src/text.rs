//! Lines and tables of Markdown.

use std::fmt::Write as _;

/// Adds a line; writing into a string cannot fail.
pub(crate) fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(arguments);
    debug_assert!(written.is_ok(), "a string takes everything");
    text.push('\n');
}

/// Adds a row of a table.
pub(crate) fn row(cells: &[&str], text: &mut String) {
    for cell in cells {
        text.push_str("| ");
        // A bar in a cell would end it.
        text.push_str(&cell.replace('|', "\\|"));
        text.push(' ');
    }
    text.push_str("|\n");
}

/// Adds the head of a table.
pub(crate) fn head(cells: &[&str], text: &mut String) {
    text.push('|');
    for cell in cells {
        if cell.is_empty() {
            text.push_str(" |");
        } else {
            line_end(text, cell);
        }
    }
    text.push('\n');
    text.push('|');
    text.push_str(&"---|".repeat(cells.len()));
    text.push('\n');
}

fn line_end(text: &mut String, cell: &str) {
    text.push(' ');
    text.push_str(cell);
    text.push_str(" |");
}

/// Adds a block of source text.
pub(crate) fn code(language: &str, source: &str, text: &mut String) {
    line(text, format_args!("```{language}\n{}\n```\n", source.trim_end()));
}
