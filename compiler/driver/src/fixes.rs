//! Fixes are applied before they are offered: one that does not end its finding, or leads to the next error, is only
//! advice.
//!
//! Whoever proposes a fix sees one place and cannot know whether the text will be right afterwards. Here the whole
//! compiler answers that, on the text with the fix.

use lang_diagnostics::{Diagnostic, Edit, FileId, Fix, Severity, SourceMap};

/// How many bytes of text are compiled for this in one run. A file of a mesh has some kilobytes; one that is generated, or
/// full of mistakes, must not take minutes.
const BUDGET: usize = 1 << 20;

/// Leaves only fixes that work. `compile` says what is found in a text in the place of the entry file.
pub(crate) fn keep_working(
    found: &mut [Diagnostic],
    entry: FileId,
    text: &str,
    compile: &dyn Fn(&str) -> (Vec<Diagnostic>, SourceMap),
) {
    let before = found.to_vec();
    let mut budget = BUDGET;
    for diagnostic in found.iter_mut() {
        let Some(fix) = diagnostic.fix.take() else { continue };
        let affordable = text.len() <= budget;
        budget = budget.saturating_sub(text.len());
        let unread = diagnostic.code.0.starts_with("E00");
        let with_others = with_others(&fix, &before, entry, text)
            .or_else(|| applied(text, &fix.edits, entry).filter(|_| unread));
        if affordable
            && works(diagnostic, &fix, &before, entry, text, compile)
            && with_others.is_none_or(|(changed, places)| leads_on(&changed, &places, entry, compile))
        {
            diagnostic.fix = Some(fix);
        }
    }
}

/// Whether the finding is gone with the fix and no other error is in its place.
fn works(
    diagnostic: &Diagnostic,
    fix: &Fix,
    before: &[Diagnostic],
    entry: FileId,
    text: &str,
    compile: &dyn Fn(&str) -> (Vec<Diagnostic>, SourceMap),
) -> bool {
    let Some((changed, places)) = applied(text, &fix.edits, entry) else { return false };
    let (after, sources) = compile(&changed);
    let same = |other: &&Diagnostic| other.code == diagnostic.code && other.message == diagnostic.message;
    if after.iter().filter(same).count() >= before.iter().filter(same).count() {
        return false;
    }
    // What cannot be read hides what is behind it. Without such a mistake there must be fewer errors than before.
    let errors = |list: &[Diagnostic]| list.iter().filter(|it| it.severity == Severity::Error).count();
    let hidden = before.iter().any(|it| it.code.0.starts_with("E00"));
    if !hidden
        && diagnostic.severity == Severity::Error
        && errors(&after) >= errors(before)
        && !ends_a_stage(before, &after)
    {
        return false;
    }
    let lines = lines(&places, entry, &sources);
    let known =
        |other: &Diagnostic| before.iter().any(|it| it.code == other.code && it.message == other.message);
    let errors = after.iter().filter(|other| other.severity == Severity::Error);
    errors.filter(|other| on(other, &lines, entry, &sources)).all(known)
}

/// Mistakes that keep the text from being read hide what a fix would lead to, so where there are several the fix is also
/// looked at together with all others of that kind: the text, and where this fix is in it.
fn with_others(
    fix: &Fix,
    before: &[Diagnostic],
    entry: FileId,
    text: &str,
) -> Option<(String, Vec<(usize, usize)>)> {
    let unread = |it: &&Diagnostic| it.code.0.starts_with("E00");
    let others = before.iter().filter(unread).filter_map(|it| it.fix.as_ref()).filter(|other| *other != fix);
    let mut edits: Vec<Edit> = fix.edits.clone();
    let mut several = false;
    for other in others {
        let apart = |edit: &Edit| {
            edits.iter().all(|own| own.span.end < edit.span.start || edit.span.end < own.span.start)
        };
        if other.edits.iter().all(apart) {
            several = true;
            edits.extend(other.edits.iter().cloned());
        }
    }
    if !several {
        return None;
    }
    let mut sorted: Vec<_> = edits.iter().collect();
    sorted.sort_by_key(|edit| edit.span);
    let (changed, places) = applied(text, &edits, entry)?;
    let own = sorted.iter().zip(places).filter(|(edit, _)| fix.edits.contains(edit));
    Some((changed, own.map(|(_, place)| place).collect()))
}

/// Whether a text has no error on the lines of these places, as far as it can be read.
fn leads_on(
    text: &str,
    places: &[(usize, usize)],
    entry: FileId,
    compile: &dyn Fn(&str) -> (Vec<Diagnostic>, SourceMap),
) -> bool {
    let (after, sources) = compile(text);
    let lines = lines(places, entry, &sources);
    let errors = after.iter().filter(|it| it.severity == Severity::Error);
    let unread = after.iter().any(|it| it.code.0.starts_with("E00"));
    // Where something else keeps the text from being read, only that can be seen.
    !errors.filter(|it| !unread || it.code.0.starts_with("E00")).any(|it| on(it, &lines, entry, &sources))
}

/// The lines of places in the text.
fn lines(places: &[(usize, usize)], entry: FileId, sources: &SourceMap) -> Vec<u32> {
    let line = |offset: usize| {
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        sources.get(entry).map_or(0, |file| file.line_column(offset).line)
    };
    places.iter().flat_map(|(start, end)| line(*start)..=line(*end)).collect()
}

/// Whether a finding is on one of these lines.
fn on(finding: &Diagnostic, lines: &[u32], entry: FileId, sources: &SourceMap) -> bool {
    let span = finding.primary.span;
    let line = sources.line_column(span).map(|place| place.line);
    span.file == entry && line.is_some_and(|line| lines.contains(&line))
}

/// Whether the next stage of the compiler was reached, which finds more.
fn ends_a_stage(before: &[Diagnostic], after: &[Diagnostic]) -> bool {
    let first = |list: &[Diagnostic]| {
        list.iter()
            .filter(|it| it.severity == Severity::Error)
            .map(|it| it.code.0.as_bytes().get(2).copied())
            .min()
    };
    first(before) < first(after)
}

/// The text with the edits, and where they are in it; nothing if they overlap or lie outside of the file.
fn applied(text: &str, edits: &[Edit], entry: FileId) -> Option<(String, Vec<(usize, usize)>)> {
    let mut edits: Vec<_> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.span);
    let (mut changed, mut places, mut position) = (String::with_capacity(text.len()), Vec::new(), 0);
    for edit in edits {
        if edit.span.file != entry {
            return None;
        }
        changed.push_str(text.get(position..edit.span.start as usize)?);
        let start = changed.len();
        changed.push_str(&edit.text);
        places.push((start, changed.len()));
        position = edit.span.end as usize;
    }
    changed.push_str(text.get(position..)?);
    Some((changed, places))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the corpus of wrong meshes lies on the disk")]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::pipeline::tests::raw;

    /// Every mesh of one file below `tests/golden` and in the examples, by name. What others use is not beside them here.
    fn corpus() -> BTreeMap<String, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut open: Vec<PathBuf> = vec![root.join("tests/golden"), root.join("examples")];
        let mut meshes = BTreeMap::new();
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if ["mesh.mesh", "input.mesh"].map(OsStr::new).contains(&path.file_name().unwrap()) {
                    let text = std::fs::read_to_string(&path).unwrap();
                    if !text.contains("use \"") {
                        meshes.insert(folder.strip_prefix(&root).unwrap().display().to_string(), text);
                    }
                }
            }
        }
        meshes
    }

    /// A sound mesh with one change each: what people write who know other languages.
    fn mistaken() -> BTreeMap<String, String> {
        let sound = include_str!("../../../examples/acme/mesh.mesh");
        let changes = [
            ("port http { number = 80, target = 8080 }", "port 80"),
            ("port http { number = 80, target = 8080 }", "ports = [80]"),
            ("port http { number = 80, target = 8080 }", "port: 80"),
            ("port http { number = 80, target = 8080 }", "port http 80"),
            ("port http { number = 80, target = 8080 }", "port http { number 80 }"),
            ("port http { number = 80, target = 8080 }", "port http { number = \"80\" }"),
            ("port http { number = 80, target = 8080 }", "port http { number = 80, protocol = https }"),
            ("port http { number = 80, target = 8080 }", "port http { number = 80, protocol = \"http\" }"),
            ("port http { number = 80, target = 8080 }", "port http { number = 80; target = 8080 }"),
            ("port http { number = 80, target = 8080 }", "port http { number = 80 target = 8080 }"),
            ("port http { number = 80, target = 8080 }", "port http { number = 80, target = 8_080_ }"),
            ("port http { number = 80, target = 8080 }", "port = { number = 80 }"),
            ("port http { number = 80, target = 8080 }", "port http = { number = 80 }"),
            ("port http { number = 80, target = 8080 }", "ports http { number = 80 }"),
            ("network west-net {}", "import \"x\"\nnetwork west-net {}"),
            ("network west-net {}", "include \"x.mesh\"\nnetwork west-net {}"),
            ("network west-net {}", "network west-net"),
            ("network west-net {}", "network: west-net {}"),
            ("network west-net {}", "network \"west-net\" {}"),
            ("172.18.255.202", "10.1.0.11/24"),
            ("172.18.255.202", "\"10.1.0.11\""),
            ("172.18.255.202", "10.1.0.11:15443"),
            ("172.18.255.202", "gw.east.example"),
            ("172.18.255.202", "[10.1.0.11]"),
            ("calls    = [catalog]", "calls    = null"),
            ("calls    = [catalog]", "calls    = none"),
            ("calls    = [catalog]", "calls    = catalog"),
            ("calls    = [catalog]", "calls    = \"catalog\""),
            ("calls    = [catalog]", "calls    = [\"catalog\"]"),
            ("calls    = [catalog]", "calls    = [catlog]"),
            ("calls    = [catalog]", "call     = [catalog]"),
            ("calls    = [catalog]", "call     = catalog"),
            ("calls    = [catalog]", "calls: [catalog]"),
            ("calls    = [catalog]", "calls [catalog]"),
            ("calls    = [catalog]", "calls    = [catalog"),
            ("from = [west.ingress]", "from = [\"*\"]"),
            ("from = [west.ingress]", "from = [west/ingress]"),
            ("from = [west.ingress]", "from = [*]"),
            ("from = [west.ingress]", "from = [west.ingress.http]"),
            ("from = [west.ingress]", "from = [\"west/ingress\"]"),
            ("targets  = [simple-backend]", "targets  = [simple-backend.http]"),
            ("targets  = [simple-backend]", "service  = simple-backend"),
            ("gateway = west.ingress\n    hosts   = [\"webapp", "gateway = ingress\n    hosts   = [\"webapp"),
            ("hosts   = [\"webapp.istioinaction.io\"]", "hosts   = [*]"),
            ("interval = 20s", "interval = 0s"),
            ("interval = 20s", "interval = 0"),
            ("interval = 20s", "intervalSeconds = 20s"),
            ("requests_per_connection = 10", "requests_per_connection = 0"),
            ("consecutive_5xx = 1", "consecutive5xxErrors = 1"),
            ("failover { by", "failover order { by"),
            ("outlier  { consecutive", "outlier_detection { consecutive"),
            ("port http { number = 80, target = 8080 }", "port: 80\n    port: 81"),
            ("from = [west.ingress]", "from = west.ingress"),
            ("from = [west.ingress]", "from = [west.ingres]"),
            ("from = [west.ingress]", "from = [ingress]"),
            ("clusters = [west]", "cluster = [west]"),
            ("clusters = [west]", "cluster = west"),
            ("clusters = [west]", "clusters = west"),
            ("clusters = [west]", "clusters = \"west\""),
            ("hosts   = [\"webapp.istioinaction.io\"]", "host    = \"webapp.istioinaction.io\""),
            ("hosts   = [\"webapp.istioinaction.io\"]", "hosts   = webapp.istioinaction.io"),
            ("hosts   = [\"webapp.istioinaction.io\"]", "hosts   = [webapp.istioinaction.io]"),
            ("region  = \"westus\"", "region  = westus"),
            ("region  = \"westus\"", "region  = 'westus'"),
            ("region  = \"westus\"", "region  : \"westus\""),
            ("region  = \"westus\"", "regin   = \"westus\""),
            ("interval = 20s", "interval = 20"),
            ("interval = 20s", "interval = 20 s"),
            ("interval = 20s", "interval = \"20s\""),
            ("interval = 20s", "interval = 20sec"),
            ("interval = 20s", "interval: 20s"),
            ("otherwise = 1/min", "otherwise = 1"),
            ("otherwise = 1/min", "otherwise = 1 / min"),
            ("otherwise = 1/min", "otherwise = 1/minute"),
            ("otherwise = 1/min", "otherwise = \"1/min\""),
            ("match     { path = \"/items\" }", "match     { path = /items }"),
            ("match     { path = \"/items\" }", "match     { path = \"items\" }"),
            ("match     { path = \"/items\" }", "match     { path = \"/items/*\" }"),
            ("match     { path = \"/items\" }", "match     = { path = \"/items\" }"),
            ("tiers     = {", "tiers     {"),
            ("outlier  {", "outlier  = {"),
            ("outlier  {", "outliers {"),
            ("consecutive_5xx = 1", "consecutive_5x = 1"),
            ("consecutive_5xx = 1", "consecutive_errors = 1"),
            ("max_concurrent_requests = 10", "max_concurrent_requests = 10%"),
            ("max_concurrent_requests = 10", "retry_budget = 0.2"),
            ("role    = ingress", "role    = \"ingress\""),
            ("role    = ingress", "role    = ingres"),
            ("trust_domain = \"cluster.local\"", "trust_domain = cluster.local"),
            ("data_plane   = envoy", "data_plane   = envoi"),
            ("data_plane   = envoy", "data_plane   = \"envoy\""),
        ];
        let mut meshes = BTreeMap::new();
        for (written, changed) in changes {
            if let Some((before, after)) = sound.split_once(written) {
                meshes.insert(format!("`{changed}` for `{written}`"), format!("{before}{changed}{after}"));
            } else {
                panic!("the example does not contain `{written}`");
            }
        }
        meshes
    }

    /// What a line can tell about itself is not always enough, so these are withheld; everything else that is proposed
    /// works as it is.
    const WITHHELD: &[&str] = &[
        // The other name is in the list already.
        "tests/golden/model/E0103-unknown-name: E0103, write `catalog`",
        // No name stands for all.
        "`from = [*]` for `from = [west.ingress]`: E0001, put it in quotes",
        // The parser does not know that `port` is a block.
        "`port 80` for `port http { number = 80, target = 8080 }`: E0005, insert `=`",
        "`port: 80\n    port: 81` for `port http { number = 80, target = 8080 }`: E0001, write ` =`",
        "`port: 80\n    port: 81` for `port http { number = 80, target = 8080 }`: E0001, write ` =`",
        "`port: 80` for `port http { number = 80, target = 8080 }`: E0001, write ` =`",
    ];

    #[test]
    fn every_fix_ends_its_finding_and_leads_to_no_other() {
        let (mut withheld, mut offered) = (Vec::new(), 0);
        for (name, text) in corpus().into_iter().chain(mistaken()) {
            let (found, sources) = raw(&text);
            let mut kept = found.clone();
            keep_working(&mut kept, FileId(0), &text, &raw);
            for (diagnostic, kept) in found.iter().zip(&kept) {
                let Some(fix) = &diagnostic.fix else { continue };
                if kept.fix.is_none() {
                    // Texts that only the parser reads: no mesh has what they consist of.
                    if name.starts_with("tests/golden/syntax/") {
                        continue;
                    }
                    withheld.push(format!("{name}: {}, {}", diagnostic.code, fix.title));
                    continue;
                }
                offered += 1;
                // Once more without the code above: the text parses there, and the same is not said again.
                let (changed, _) = applied(&text, &fix.edits, FileId(0)).unwrap();
                let mut sink = lang_diagnostics::Sink::default();
                lang_syntax::parse(FileId(0), &changed, &mut sink);
                let syntax = found.iter().any(|it| it.code.0.starts_with("E00"));
                assert!(syntax || !sink.has_errors(), "{name}: {}\n{changed}", fix.title);
                let again = raw(&changed).0.into_iter().any(|it| {
                    it.message == diagnostic.message
                        && sources.text(it.primary.span) == sources.text(diagnostic.primary.span)
                        && it.primary.span == diagnostic.primary.span
                });
                assert!(!again, "{name}: {} stays\n{changed}", diagnostic.message);
            }
        }
        assert!(offered > 100, "{offered} fixes were offered");
        assert_eq!(withheld, WITHHELD);
    }

    #[test]
    fn a_fix_that_leads_to_another_error_is_not_offered() {
        let compile = |text: &str| raw(text);
        let text = "mesh m { trust_domain = cluster.local }\n";
        let (mut found, _) = raw(text);
        let mut bad = found.first().cloned().unwrap();
        bad.fix = Some(Fix {
            title: String::from("make it worse"),
            applicability: lang_diagnostics::Applicability::Safe,
            edits: vec![Edit { span: bad.primary.span, text: String::from("= = =") }],
        });
        found = vec![bad];
        keep_working(&mut found, FileId(0), text, &compile);
        assert_eq!(found.first().unwrap().fix, None);
    }
}
