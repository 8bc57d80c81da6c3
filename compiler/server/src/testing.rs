//! Runs a test for whoever clicks on the lens above it.

use meshc_driver::run_tests_in;
use serde_json::{Value, json};

use crate::view::View;

/// How a test ends: `passed`, how much it expects, and what is not as expected, with the place of each; `null` where the mesh
/// has mistakes, or no such test.
pub(crate) fn run(view: &View<'_>, name: &str) -> Value {
    let Some(analysis) = view.analysis() else { return Value::Null };
    let reports = run_tests_in(analysis, &|each| each == name);
    let Some(report) = reports.into_iter().flatten().next() else { return Value::Null };
    let findings = report.findings.iter().map(|finding| {
        json!({
            "code": finding.code.0,
            "message": finding.message,
            "seen": finding.primary.text,
            "location": view.world.location(&analysis.sources, finding.primary.span),
        })
    });
    json!({
        "passed": report.findings.is_empty(),
        "expectations": report.expectations,
        "findings": findings.collect::<Vec<_>>(),
    })
}

/// Whether it passed, and what is shown of it.
pub(crate) fn shown(name: &str, result: &Value) -> (bool, String) {
    let Some(passed) = result.get("passed").and_then(Value::as_bool) else {
        return (false, format!("`{name}` is not run: the mesh has mistakes, or no such test any more"));
    };
    if passed {
        return (true, format!("passed: {name}"));
    }
    let findings = result.get("findings").and_then(Value::as_array).into_iter().flatten();
    let line = |finding: &Value| {
        let text = |key: &str| finding.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        format!("\n{}: {}", text("message"), text("seen"))
    };
    (false, format!("failed: {name}{}", findings.map(line).collect::<String>()))
}
