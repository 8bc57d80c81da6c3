//! `"""…"""` over several lines, indented with what is around it.

use super::INDENTATION;

/// The string, whose lines after the first begin at the column of `depth`. What the smallest indentation of all lines
/// leaves of a line stays, so the text is the same once that indentation is taken away; `crate::strings::dedent` does so.
pub(super) fn write(out: &mut String, source: &str, depth: usize) {
    let mut lines = source.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    // White space alone behind the opening quotes is no text.
    out.push_str(if first.get(3..).is_some_and(|text| text.trim_matches([' ', '\t']).is_empty()) {
        "\"\"\""
    } else {
        first
    });
    let lines: Vec<&str> = lines.collect();
    let closing = lines.len().saturating_sub(1);
    let smallest = lines
        .iter()
        .enumerate()
        .filter(|(number, line)| *number == closing || indentation(line) < line.len())
        .map(|(_, line)| indentation(line))
        .min()
        .unwrap_or(0);
    for (number, line) in lines.iter().enumerate() {
        out.push('\n');
        let only_quotes = number == closing && line.get(indentation(line)..) == Some("\"\"\"");
        let rest = line.get(if only_quotes { indentation(line) } else { smallest }..).unwrap_or_default();
        if indentation(line) < line.len() {
            out.extend(std::iter::repeat_n(' ', depth * INDENTATION));
            out.push_str(rest);
        }
    }
}

/// The bytes of white space at the beginning of a line.
fn indentation(line: &str) -> usize {
    line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}
