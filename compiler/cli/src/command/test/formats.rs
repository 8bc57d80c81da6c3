//! Results of tests for programs.

use std::fmt::Write;

use lang_diagnostics::{Diagnostic, RenderOptions, SourceMap, render_json, render_text, settled};
use serde_json::{Value, json};

use super::{Outcome, count};
use crate::live::{Answered, Open};

/// One object: how many tests there are, and each of them.
pub(super) fn json(reports: &[Answered], is_live: bool, sources: &SourceMap) -> String {
    let tests = reports.iter().map(|report| {
        let open = report.open.iter().map(|Open { span, what, why }| {
            json!({ "place": sources.place(*span), "expected": what, "reason": why })
        });
        let findings = report.findings.iter().map(|finding| render_json(&alone(finding, sources), sources));
        let findings: Vec<Value> =
            findings.filter_map(|record| serde_json::from_str(record.trim_end()).ok()).collect();
        json!({
            "name": report.name,
            "place": sources.place(report.span),
            "passed": Outcome::of(report) == Outcome::Passed,
            "expectations": report.expectations,
            "findings": findings,
            "not_asked": open.collect::<Vec<_>>(),
        })
    });
    let all = json!({
        "live": is_live,
        "passed": count(reports, Outcome::Passed),
        "failed": count(reports, Outcome::Failed),
        "not_asked": count(reports, Outcome::NotAsked),
        "tests": tests.collect::<Vec<_>>(),
    });
    format!("{all:#}\n")
}

/// JUnit's XML: one suite, one case for each test, one failure with everything that is not as expected.
pub(super) fn junit(entry: &str, reports: &[Answered], sources: &SourceMap) -> String {
    let (tests, failures) = (reports.len(), count(reports, Outcome::Failed));
    let skipped = count(reports, Outcome::NotAsked);
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "<testsuites tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">");
    let name = escaped(entry);
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">"
    );
    for report in reports {
        let (test, place) = (escaped(&report.name), escaped(&sources.place(report.span)));
        let (file, line) = place.rsplit_once(':').unwrap_or((&place, "0"));
        let case =
            format!("    <testcase classname=\"{name}\" name=\"{test}\" file=\"{file}\" line=\"{line}\"");
        let open: String = report.open.iter().map(not_asked).collect();
        let out = if open.is_empty() {
            String::new()
        } else {
            format!("      <system-out>{}</system-out>\n", escaped(&open))
        };
        let Some(first) = report.findings.first() else {
            let _ = match (Outcome::of(report), out.is_empty()) {
                (Outcome::NotAsked, _) => {
                    writeln!(
                        text,
                        "{case}>\n      <skipped message=\"{}\"/>\n    </testcase>",
                        escaped(open.trim_end())
                    )
                }
                (Outcome::Passed | Outcome::Failed, true) => writeln!(text, "{case}/>"),
                (Outcome::Passed | Outcome::Failed, false) => writeln!(text, "{case}>\n{out}    </testcase>"),
            };
            continue;
        };
        let (message, kind) = (escaped(&first.message), first.code.0);
        let _ = writeln!(text, "{case}>");
        let shown = escaped(&shown(&report.findings, sources));
        let _ = writeln!(text, "      <failure message=\"{message}\" type=\"{kind}\">{shown}</failure>");
        text.push_str(&out);
        text.push_str("    </testcase>\n");
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// TAP, version 13: what is not as expected is in YAML behind each test.
pub(super) fn tap(reports: &[Answered], sources: &SourceMap) -> String {
    let mut text = format!("TAP version 13\n1..{}\n", reports.len());
    for (number, report) in (1..).zip(reports) {
        let word = if report.findings.is_empty() { "ok" } else { "not ok" };
        // Behind a hash stand directives.
        let name = report.name.replace('\\', "\\\\").replace('#', "\\#");
        let skipped = if Outcome::of(report) == Outcome::NotAsked { " # SKIP not asked live" } else { "" };
        let _ = writeln!(text, "{word} {number} - {name}{skipped}");
        for line in report.open.iter().map(not_asked) {
            let _ = write!(text, "# {line}");
        }
        if report.findings.is_empty() {
            continue;
        }
        // A JSON string is a YAML string.
        let _ = writeln!(text, "  ---\n  place: {}\n  findings:", json!(sources.place(report.span)));
        for finding in &report.findings {
            let shown = shown(std::slice::from_ref(finding), sources);
            let _ = writeln!(text, "    - code: {}", finding.code.0);
            let _ = writeln!(text, "      message: {}", json!(finding.message));
            let _ = writeln!(text, "      shown: {}", json!(shown));
        }
        text.push_str("  ...\n");
    }
    text
}

/// A line about something that was not asked.
fn not_asked(Open { span: _, what, why }: &Open) -> String {
    format!("not asked live: {what}: {why}\n")
}

fn shown(findings: &[Diagnostic], sources: &SourceMap) -> String {
    let options = RenderOptions { width: 100, color: false };
    findings.iter().map(|finding| render_text(&alone(finding, sources), sources, options)).collect()
}

/// One finding in its place in the source. Those of several turns of a loop have one place, and each is about another thing.
fn alone(finding: &Diagnostic, sources: &SourceMap) -> Vec<Diagnostic> {
    settled(vec![finding.clone()], sources)
}

/// Text of XML. Characters that XML has no place for are left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            other if other.is_control() => {}
            '\u{fffe}' | '\u{ffff}' => {}
            other => escaped.push(other),
        }
    }
    escaped
}
