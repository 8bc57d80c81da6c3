//! The corpus of wrong meshes, `tests/wrong`: what is found in each, word for word. Its README says what a case consists of.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the corpus lies on the disk, and blessing is asked for in the environment"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use lang_diagnostics::{Applicability, Diagnostic, Fix, Severity, SourceMap, Span};
use meshc_driver::{Levels, MemoryFileSystem, Options, Request, check_request, codes, findings, mend};

/// Codes that a build, a test block or a mistake of meshc raises, with the folder below `tests/golden` that shows them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("E0150", "model"),
    ("E0151", "model"),
    ("E0152", "model"),
    ("E0602", "build"),
    ("W0602", "build"),
    ("E0701", "build"),
    ("E0702", "build"),
    ("E0703", "build"),
    ("E0704", "build"),
    ("E0706", "build"),
    ("W0705", "build"),
    ("W0707", "build"),
    ("E0801", "answers"),
    ("E0802", "answers"),
    ("E0803", "answers"),
    ("E0810", "answers"),
    ("E0811", "answers"),
    ("E0820", "answers"),
    ("E0821", "answers"),
    ("E0822", "answers"),
    ("E0901", "internal"),
    ("E0902", "internal"),
];

/// A case as its file says.
struct Case {
    path: PathBuf,
    /// Everything before the expected findings.
    head: String,
    about: BTreeSet<String>,
    files: Vec<(String, String)>,
    request: Request,
    expected: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/wrong")
}

/// All cases, ordered by name.
fn cases() -> Vec<Case> {
    let mut paths: Vec<PathBuf> = Vec::new();
    let mut open = vec![folder()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wrong") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.into_iter().map(case).collect()
}

fn case(path: PathBuf) -> Case {
    let text = fs::read_to_string(&path).unwrap();
    let (head, expected) = text.split_once("== found\n").unwrap_or((&text, ""));
    let mut sections = head.split("\n== ");
    let header = sections.next().unwrap_or_default();
    let all = |key: &str| -> Vec<String> {
        header
            .lines()
            .filter_map(|line| line.strip_prefix(key))
            .map(|value| value.trim().to_owned())
            .collect()
    };
    let mut files: Vec<(String, String)> = sections
        .map(|section| {
            let (name, text) = section.split_once('\n').unwrap();
            (name.trim().to_owned(), text.strip_suffix('\n').unwrap_or(text).to_owned())
        })
        .collect();
    let mut entries: Vec<PathBuf> = files.iter().take(1).map(|(name, _)| PathBuf::from(name)).collect();
    entries.extend(all("and:").iter().map(PathBuf::from));
    for name in all("with:") {
        let name = format!("{name}.mesh");
        files.push((name.clone(), fs::read_to_string(folder().join(&name)).unwrap()));
        entries.push(PathBuf::from(name));
    }
    let about = all("about:").iter().flat_map(|codes| codes.split_whitespace()).map(str::to_owned).collect();
    let values = all("values:").iter().map(PathBuf::from).collect();
    let request =
        Request { entries, definitions: all("define:"), values, options: Options { data_plane: None } };
    Case { about, files, request, head: head.to_owned(), expected: expected.to_owned(), path }
}

impl Case {
    fn name(&self) -> String {
        self.path.strip_prefix(folder()).unwrap().display().to_string()
    }

    fn files(&self) -> MemoryFileSystem {
        let files: Vec<(&str, &str)> =
            self.files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        MemoryFileSystem::with(&files)
    }

    /// What is found that the case is about: errors, and the warnings that it names.
    fn found(&self) -> (Vec<Diagnostic>, SourceMap) {
        let compilation = check_request(&self.files(), &self.request, &Levels::default()).unwrap();
        let mut found = compilation.diagnostics;
        found.retain(|found| found.severity == Severity::Error || self.about.contains(found.code.0));
        (found, compilation.sources)
    }
}

/// Everything that is said, with all places as lines and columns.
fn report(found: &[Diagnostic], sources: &SourceMap) -> String {
    let mut text = String::new();
    for each in found {
        let severity = match each.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let primary = place(each.primary.span, sources);
        writeln!(text, "{severity} {} {primary}\n  {}", each.code, each.message).unwrap();
        if !each.primary.text.is_empty() {
            writeln!(text, "  here: {}", each.primary.text).unwrap();
        }
        for label in &each.secondary {
            writeln!(text, "  also: {} {}", place(label.span, sources), label.text).unwrap();
        }
        for line in each.help.iter().flat_map(|help| help.lines()) {
            writeln!(text, "  help: {line}").unwrap();
        }
        if let Some(fix) = &each.fix {
            text.push_str(&shown(fix, sources));
        }
    }
    text
}

fn shown(fix: &Fix, sources: &SourceMap) -> String {
    let kind = match fix.applicability {
        Applicability::Safe => "safe",
        Applicability::Suggested => "suggested",
    };
    let mut text = format!("  {kind} fix: {}\n", fix.title);
    for edit in &fix.edits {
        writeln!(text, "    {} becomes `{}`", place(edit.span, sources), edit.text.replace('\n', "\\n"))
            .unwrap();
    }
    text
}

/// `file:line:column-column`, and the text there if it is short.
fn place(span: Span, sources: &SourceMap) -> String {
    let file = sources.get(span.file).unwrap();
    let (start, end) = (file.line_column(span.start), file.line_column(span.end));
    let until = match (end.line == start.line, end.column == start.column) {
        (true, true) => String::new(),
        (true, false) => format!("-{}", end.column),
        (false, _) => format!("-{}:{}", end.line, end.column),
    };
    let text = sources.text(span).unwrap();
    let quoted = if text.is_empty() || text.len() > 50 || text.contains('\n') {
        String::new()
    } else {
        format!(" `{text}`")
    };
    format!("{}:{}:{}{until}{quoted}", file.name(), start.line, start.column)
}

#[test]
fn every_case_gives_its_findings() {
    let bless = env::var_os("MESH_BLESS").is_some();
    let mut wrong = Vec::new();
    for case in cases() {
        let (found, sources) = case.found();
        let report = report(&found, &sources);
        if report == case.expected {
            continue;
        }
        // Other tests read the cases meanwhile, so that only what changes is written.
        if bless {
            fs::write(&case.path, format!("{}== found\n{report}", case.head)).unwrap();
        } else {
            wrong.push(format!("{}\n{report}", case.name()));
        }
    }
    assert!(wrong.is_empty(), "changed; run with MESH_BLESS=1 if it is right:\n{}", wrong.join("\n"));
}

#[test]
fn a_check_that_keeps_no_plan_finds_the_same() {
    for case in cases() {
        let (files, levels) = (case.files(), Levels::default());
        let whole = check_request(&files, &case.request, &levels).unwrap().diagnostics;
        assert_eq!(findings(&files, &case.request, &levels).unwrap().diagnostics, whole, "{}", case.name());
    }
}

#[test]
fn a_case_raises_the_codes_that_it_is_about_and_no_other_error() {
    let mut wrong = Vec::new();
    for case in cases() {
        let raised: BTreeSet<String> = case.found().0.iter().map(|found| found.code.0.to_owned()).collect();
        if raised != case.about || case.about.is_empty() {
            wrong.push(format!("{} is about {:?} and raises {raised:?}", case.name(), case.about));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_is_in_a_case() {
    let cases = cases();
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let about: BTreeSet<&str> = cases.iter().flat_map(|case| case.about.iter().map(String::as_str)).collect();
    let elsewhere: BTreeMap<&str, &str> = ELSEWHERE.iter().copied().collect();
    let silent: Vec<&str> = codes::all()
        .into_iter()
        .map(|info| info.code.0)
        .filter(|code| !about.contains(code) && !elsewhere.contains_key(code))
        .collect();
    assert!(silent.is_empty(), "no case is about {silent:?}");
    let known: BTreeSet<&str> = codes::all().into_iter().map(|info| info.code.0).collect();
    for (code, folder) in elsewhere.into_iter().filter(|(code, _)| known.contains(code)) {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(folder);
        let mut expected =
            fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path().join("expected.txt"));
        let shown = expected.any(|path| fs::read_to_string(path).unwrap_or_default().contains(code));
        assert!(shown && !about.contains(code), "{code} is shown in a folder of {folder}, and nowhere here");
    }
}

/// What a mesh is without its mistakes has none.
#[test]
fn what_the_cases_have_in_common_has_no_mistakes() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "mesh") {
            continue;
        }
        let files = MemoryFileSystem::with(&[("base.mesh", &fs::read_to_string(&path).unwrap())]);
        let request = Request {
            entries: vec![PathBuf::from("base.mesh")],
            definitions: Vec::new(),
            values: Vec::new(),
            options: Options { data_plane: None },
        };
        let found = check_request(&files, &request, &Levels::default()).unwrap();
        assert_eq!(report(&found.diagnostics, &found.sources), "", "{}", path.display());
    }
}

#[test]
fn after_all_safe_fixes_nothing_has_one() {
    let (mut applied, mut wrong) = (0, Vec::new());
    for case in cases() {
        let mended = mend(&case.files(), &case.request, &Levels::default()).unwrap();
        applied += mended.done.len();
        let left =
            mended.compilation.diagnostics.iter().filter(|found| {
                found.fix.as_ref().is_some_and(|fix| fix.applicability == Applicability::Safe)
            });
        if left.count() > 0 {
            wrong.push(case.name());
        }
    }
    assert!(wrong.is_empty(), "a safe fix is left in {wrong:#?}");
    assert!(applied >= 20, "{applied} fixes were applied");
}
