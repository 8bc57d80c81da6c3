//! Fixes are applied before they are offered: one that does not end its finding, or leads to the next error, is only
//! advice.
//!
//! Whoever proposes a fix sees one place and cannot know whether the text will be right afterwards. Here the whole
//! compiler answers that, on the texts with the fix. It also decides which fixes need no person: a safe one must bring the mesh
//! nearer to being right, whatever its proposer thought of it.

use std::collections::BTreeMap;

use lang_diagnostics::{Applicability, Code, Diagnostic, Edit, Fix, Severity, SourceMap, Span};

use crate::{FileSystem, Levels, Overlay, Request, Unread, analyze};

/// How many bytes of text are compiled for this in one run. A file of a mesh has some kilobytes; one that is generated, or
/// full of mistakes, must not take minutes.
const BUDGET: usize = 1 << 20;

/// Texts that take the place of files, by the name of the file.
pub(crate) type Texts = BTreeMap<String, String>;

/// What is found in a mesh some of whose files have other texts.
pub(crate) type Compile<'c> = dyn Fn(&Texts) -> (Vec<Diagnostic>, SourceMap) + 'c;

/// A place in a text with fixes: the file, the first byte, and one past the last.
type Place = (String, usize, usize);

/// A mesh before any fix.
struct Before<'a> {
    found: &'a [Diagnostic],
    sources: &'a SourceMap,
    compile: &'a Compile<'a>,
}

/// Whether the fix of a finding works, and how safe it is: the finding is gone with it, and no other error is there instead.
/// `found` is everything that is found.
///
/// # Errors
/// If a file that is named cannot be read.
pub fn works_in(
    files: &dyn FileSystem,
    request: &Request,
    finding: &Diagnostic,
    found: &[Diagnostic],
    sources: &SourceMap,
) -> Result<Option<Applicability>, Unread> {
    let Some(fix) = &finding.fix else { return Ok(None) };
    // Whatever is named can be read, so that what is compiled below can be.
    analyze(files, request)?;
    let compile = |texts: &Texts| {
        let mut overlay = Overlay::new(files);
        texts.iter().for_each(|(name, text)| overlay.put(name, text.as_str()));
        match analyze(&overlay, request) {
            Ok(mut analysis) => {
                while analysis.step() {}
                (analysis.diagnostics(&Levels::default()), analysis.sources)
            }
            Err(_) => (found.to_vec(), SourceMap::default()),
        }
    };
    let before = Before { found, sources, compile: &compile };
    let with_others =
        before.with_others(fix).or_else(|| applied(sources, &fix.edits).filter(|_| unread(finding)));
    Ok(before
        .works(finding, fix)
        .filter(|_| with_others.is_none_or(|(changed, places)| leads_on(&changed, &places, &compile))))
}

/// Leaves only fixes that work, each as safe as it is. `size` is how many bytes of text each compilation reads.
pub(crate) fn keep_working(
    found: &mut [Diagnostic],
    sources: &SourceMap,
    size: usize,
    compile: &Compile<'_>,
) {
    let all = found.to_vec();
    let before = Before { found: &all, sources, compile };
    let mut budget = BUDGET;
    for diagnostic in found.iter_mut() {
        let Some(fix) = diagnostic.fix.take() else { continue };
        let affordable = size <= budget;
        budget = budget.saturating_sub(size);
        let with_others =
            before.with_others(&fix).or_else(|| applied(sources, &fix.edits).filter(|_| unread(diagnostic)));
        let works = if affordable { before.works(diagnostic, &fix) } else { None };
        if let Some(applicability) = works
            && with_others.is_none_or(|(changed, places)| leads_on(&changed, &places, compile))
        {
            diagnostic.fix = Some(Fix { applicability, ..fix });
        }
    }
}

/// Whether a finding is about a text that cannot be read, which hides what is behind it.
fn unread(finding: &Diagnostic) -> bool {
    finding.code.0.starts_with("E00")
}

fn is_error(finding: &&Diagnostic) -> bool {
    finding.severity == Severity::Error
}

impl Before<'_> {
    /// How safe the fix is, if the finding is gone with it and no other error is in its place.
    fn works(&self, diagnostic: &Diagnostic, fix: &Fix) -> Option<Applicability> {
        let (changed, places) = applied(self.sources, &fix.edits)?;
        let (after, sources) = (self.compile)(&changed);
        let same = |other: &&Diagnostic| other.code == diagnostic.code && other.message == diagnostic.message;
        if after.iter().filter(same).count() >= self.found.iter().filter(same).count() {
            return None;
        }
        // What cannot be read hides what is behind it. Without such a mistake there must be fewer errors than before.
        let errors = |list: &[Diagnostic]| list.iter().filter(is_error).count();
        if !self.found.iter().any(unread)
            && diagnostic.severity == Severity::Error
            && errors(&after) >= errors(self.found)
            && !ends_a_stage(self.found, &after)
        {
            return None;
        }
        let lines = lines(&places, &sources);
        let known = |other: &Diagnostic| {
            self.found.iter().any(|it| it.code == other.code && it.message == other.message)
        };
        let ends = after.iter().filter(is_error).filter(|other| on(other, &lines, &sources)).all(known);
        ends.then(|| if improves(self.found, &after) { fix.applicability } else { Applicability::Suggested })
    }

    /// Mistakes that keep the text from being read hide what a fix would lead to, so where there are several the fix is also
    /// looked at together with all others of that kind: the texts, and where this fix is in them.
    fn with_others(&self, fix: &Fix) -> Option<(Texts, Vec<Place>)> {
        let others = self.found.iter().filter(|it| unread(it)).filter_map(|it| it.fix.as_ref());
        let mut edits: Vec<Edit> = fix.edits.clone();
        let mut several = false;
        for other in others.filter(|other| *other != fix) {
            let apart = |edit: &Edit| edits.iter().all(|own| apart(own.span, edit.span));
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
        let (changed, places) = applied(self.sources, &edits)?;
        let own = sorted.iter().zip(places).filter(|(edit, _)| fix.edits.contains(edit));
        Some((changed, own.map(|(_, place)| place).collect()))
    }
}

/// Whether two places neither overlap nor touch.
fn apart(one: Span, other: Span) -> bool {
    one.file != other.file || one.end < other.start || other.end < one.start
}

/// Whether the texts have no error on the lines of these places, as far as they can be read.
fn leads_on(texts: &Texts, places: &[Place], compile: &Compile<'_>) -> bool {
    let (after, sources) = compile(texts);
    let lines = lines(places, &sources);
    let hidden = after.iter().any(unread);
    // Where something else keeps a text from being read, only that can be seen.
    !after.iter().filter(is_error).any(|it| (!hidden || unread(it)) && on(it, &lines, &sources))
}

/// The lines of places in the texts.
fn lines(places: &[Place], sources: &SourceMap) -> Vec<(String, u32)> {
    let mut lines = Vec::new();
    for (name, start, end) in places {
        let Some(file) = sources.file(name) else { continue };
        let line = |offset: usize| file.line_column(u32::try_from(offset).unwrap_or(u32::MAX)).line;
        lines.extend((line(*start)..=line(*end)).map(|line| (name.clone(), line)));
    }
    lines
}

/// Whether a finding is on one of these lines.
fn on(finding: &Diagnostic, lines: &[(String, u32)], sources: &SourceMap) -> bool {
    let span = finding.primary.span;
    let (Some(file), Some(place)) = (sources.get(span.file), sources.line_column(span)) else { return false };
    lines.iter().any(|(name, line)| *line == place.line && name == file.name())
}

/// Whether a mesh is nearer to being right, so that nobody needs to look: there are fewer errors and no new one, or the last
/// error is gone of those that kept the next stage from looking; without errors, fewer findings and no new one. Texts that
/// improve again and again come to an end.
pub(crate) fn improves(before: &[Diagnostic], after: &[Diagnostic]) -> bool {
    let had_errors = before.iter().any(|it| is_error(&it));
    let counted = |list: &[Diagnostic]| {
        let mut counts: BTreeMap<(Code, String), usize> = BTreeMap::new();
        for it in list.iter().filter(|it| !had_errors || is_error(it)) {
            *counts.entry((it.code, it.message.clone())).or_default() += 1;
        }
        counts
    };
    let (had, has) = (counted(before), counted(after));
    let fewer = has.values().sum::<usize>() < had.values().sum::<usize>();
    let known = has.iter().all(|(what, count)| had.get(what).is_some_and(|before| count <= before));
    (fewer && known) || (had_errors && ends_a_stage(before, after))
}

/// Whether the next stage of the compiler was reached, which finds more.
fn ends_a_stage(before: &[Diagnostic], after: &[Diagnostic]) -> bool {
    let first = |list: &[Diagnostic]| {
        list.iter().filter(is_error).map(|it| it.code.0.as_bytes().get(2).copied()).min()
    };
    first(before) < first(after)
}

/// The texts of all files that the edits change, and where these are in them; nothing if they overlap or lie outside of their
/// file.
pub(crate) fn applied(sources: &SourceMap, edits: &[Edit]) -> Option<(Texts, Vec<Place>)> {
    let mut edits: Vec<_> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.span);
    let (mut texts, mut places) = (Texts::new(), Vec::new());
    for edits in edits.chunk_by(|one, other| one.span.file == other.span.file) {
        let file = sources.get(edits.first()?.span.file)?;
        let (name, text) = (file.name(), file.text());
        let (mut changed, mut position) = (String::with_capacity(text.len()), 0);
        for edit in edits {
            changed.push_str(text.get(position..edit.span.start as usize)?);
            let start = changed.len();
            changed.push_str(&edit.text);
            places.push((name.to_owned(), start, changed.len()));
            position = edit.span.end as usize;
        }
        changed.push_str(text.get(position..)?);
        texts.insert(name.to_owned(), changed);
    }
    Some((texts, places))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the corpus of wrong meshes lies on the disk")]
mod tests {
    use std::collections::BTreeMap;
    use std::ffi::OsStr;
    use std::path::{Path, PathBuf};

    use lang_diagnostics::FileId;

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
        let sound = include_str!("../../../tests/fixtures/acme.mesh");
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
            keep_working(&mut kept, &sources, text.len(), &|texts| raw(texts.get("mesh.mesh").unwrap()));
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
                let (changed, _) = applied(&sources, &fix.edits).unwrap();
                let changed = changed.get("mesh.mesh").unwrap();
                let mut sink = lang_diagnostics::Sink::default();
                lang_syntax::parse(FileId(0), changed, &mut sink);
                let syntax = found.iter().any(|it| it.code.0.starts_with("E00"));
                assert!(syntax || !sink.has_errors(), "{name}: {}\n{changed}", fix.title);
                let again = raw(changed).0.into_iter().any(|it| {
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
        let text = "mesh m { trust_domain = cluster.local }\n";
        let (mut found, sources) = raw(text);
        let mut bad = found.first().cloned().unwrap();
        bad.fix = Some(Fix {
            title: String::from("make it worse"),
            applicability: lang_diagnostics::Applicability::Safe,
            edits: vec![Edit { span: bad.primary.span, text: String::from("= = =") }],
        });
        found = vec![bad];
        keep_working(&mut found, &sources, text.len(), &|texts| raw(texts.get("mesh.mesh").unwrap()));
        assert_eq!(found.first().unwrap().fix, None);
    }
}
