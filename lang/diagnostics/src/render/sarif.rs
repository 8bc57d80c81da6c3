//! Diagnostics as a SARIF log, which code scanning services and editors read.
//!
//! The format: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use serde_json::{Value, json};

use crate::{Code, CodeInfo, Diagnostic, Fix, Label, Severity, SourceMap, Span};

/// The schema that a log is valid against.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// A log of one run of one tool.
#[derive(Clone, Debug, Default)]
pub struct SarifLog {
    results: Vec<Value>,
    /// The codes of the results.
    codes: Vec<(Code, Severity)>,
    /// What went wrong without a place in a source file.
    notifications: Vec<Value>,
    failed: bool,
}

impl SarifLog {
    /// Adds diagnostics.
    pub fn add(&mut self, diagnostics: &[Diagnostic], sources: &SourceMap) {
        for diagnostic in diagnostics {
            let level = severity(diagnostic.severity);
            self.codes.push((diagnostic.code, diagnostic.severity));
            self.results.push(result(diagnostic, level, sources));
        }
    }

    /// Adds what has no place in a source file; an error means that the run did not do its work.
    pub fn add_failure(&mut self, level: Severity, message: &str, help: Option<&str>) {
        self.failed |= level == Severity::Error;
        let text = help.map_or_else(|| message.to_owned(), |help| format!("{message}; {help}"));
        self.notifications.push(json!({ "level": severity(level), "message": { "text": text } }));
    }

    /// The whole log, with a description of each code that it uses, as far as `codes` has one.
    #[must_use]
    pub fn render(&self, tool: &str, version: &str, codes: &[&CodeInfo]) -> String {
        let mut used = self.codes.clone();
        used.sort_by_key(|(code, _)| *code);
        used.dedup_by_key(|(code, _)| *code);
        let rules: Vec<Value> = used.iter().map(|(code, level)| rule(*code, *level, codes)).collect();
        let invocation = json!({
            "executionSuccessful": !self.failed,
            "toolExecutionNotifications": self.notifications,
        });
        let log = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": { "name": tool, "semanticVersion": version, "rules": rules } },
                "invocations": [invocation],
                "columnKind": "unicodeCodePoints",
                "results": self.results,
            }],
        });
        format!("{log:#}\n")
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn rule(code: Code, level: Severity, codes: &[&CodeInfo]) -> Value {
    let configuration = json!({ "level": severity(level) });
    match codes.iter().find(|info| info.code == code) {
        Some(info) => json!({
            "id": code.0,
            "shortDescription": { "text": info.title },
            "help": { "text": info.explanation, "markdown": info.explanation },
            "defaultConfiguration": configuration,
        }),
        None => json!({ "id": code.0, "defaultConfiguration": configuration }),
    }
}

fn result(diagnostic: &Diagnostic, level: &str, sources: &SourceMap) -> Value {
    let help = diagnostic.help.as_ref().map_or(String::new(), |help| format!("\nhelp: {help}"));
    let mut result = json!({
        "ruleId": diagnostic.code.0,
        "level": level,
        "message": { "text": format!("{}{help}", diagnostic.message) },
        "locations": [location(&diagnostic.primary, sources)],
    });
    let Some(members) = result.as_object_mut() else { return result };
    if !diagnostic.secondary.is_empty() {
        let related = diagnostic.secondary.iter().enumerate().map(|(number, label)| {
            let mut place = location(label, sources);
            if let Some(place) = place.as_object_mut() {
                place.insert(String::from("id"), json!(number + 1));
            }
            place
        });
        members.insert(String::from("relatedLocations"), related.collect());
    }
    if let Some(fix) = &diagnostic.fix {
        members.insert(String::from("fixes"), json!([self::fix(fix, sources)]));
    }
    result
}

fn location(label: &Label, sources: &SourceMap) -> Value {
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": artifact(label.span, sources),
            "region": region(label.span, sources),
        },
    });
    if let Some(members) = location.as_object_mut().filter(|_| !label.text.is_empty()) {
        members.insert(String::from("message"), json!({ "text": label.text }));
    }
    location
}

fn artifact(span: Span, sources: &SourceMap) -> Value {
    let name = sources.get(span.file).map_or("?", |file| file.name());
    json!({ "uri": uri(name) })
}

/// One-based lines and columns; the end is exclusive.
fn region(span: Span, sources: &SourceMap) -> Value {
    let file = sources.get(span.file);
    let place = |offset: u32| {
        file.map_or((1, 1), |file| {
            let place = file.line_column(offset);
            (place.line, place.column)
        })
    };
    let ((line, column), (end_line, end_column)) = (place(span.start), place(span.end));
    json!({ "startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column })
}

fn fix(fix: &Fix, sources: &SourceMap) -> Value {
    let changes = fix.edits.iter().map(|edit| {
        json!({
            "artifactLocation": artifact(edit.span, sources),
            "replacements": [{
                "deletedRegion": region(edit.span, sources),
                "insertedContent": { "text": edit.text },
            }],
        })
    });
    json!({
        "description": { "text": fix.title },
        "artifactChanges": changes.collect::<Vec<_>>(),
        "properties": { "applicability": fix.applicability.text() },
    })
}

/// A path as a reference (RFC 3986, section 2): what is neither unreserved nor a slash is written in percent. An absolute
/// path has a scheme, or it would be one of the server's that the log is read from.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Applicability, Edit};

    #[test]
    fn a_log_has_rules_places_related_places_and_fixes() {
        let mut sources = SourceMap::default();
        let file = sources.add("a b.mesh", "é = 1\nb = 2\n");
        let edit = Edit { span: Span::new(file, 7, 8), text: String::from("c") };
        let found = Diagnostic::error(Code("E0001"), Span::new(file, 7, 8), "odd")
            .label("here")
            .also(Span::new(file, 0, 2), "there")
            .help("help")
            .fix(Fix { title: "rename".into(), applicability: Applicability::Safe, edits: vec![edit] });
        let info = CodeInfo { code: Code("E0001"), title: "odd things", explanation: "More." };
        let mut log = SarifLog::default();
        log.add(&[found], &sources);
        let log: Value = serde_json::from_str(&log.render("meshc", "1.0.0", &[&info])).unwrap();
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"][0]["shortDescription"]["text"], "odd things");
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
        let result = &run["results"][0];
        assert_eq!((&result["ruleId"], &result["level"]), (&json!("E0001"), &json!("error")));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b.mesh");
        let region = json!({ "startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 2 });
        assert_eq!(place["region"], region);
        assert_eq!(result["relatedLocations"][0]["message"]["text"], "there");
        assert_eq!(result["fixes"][0]["properties"]["applicability"], "safe");
        let change = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
        assert_eq!((&change["deletedRegion"], &change["insertedContent"]["text"]), (&region, &json!("c")));
    }

    #[test]
    fn what_has_no_place_is_a_notification_and_absolute_paths_have_a_scheme() {
        let mut log = SarifLog::default();
        log.add_failure(Severity::Error, "cannot read", Some("name it"));
        let log: Value = serde_json::from_str(&log.render("meshc", "1.0.0", &[])).unwrap();
        let invocation = &log["runs"][0]["invocations"][0];
        assert_eq!(invocation["executionSuccessful"], false);
        assert_eq!(invocation["toolExecutionNotifications"][0]["message"]["text"], "cannot read; name it");
        assert_eq!(uri("/a/é#.mesh"), "file:///a/%C3%A9%23.mesh");
    }
}
