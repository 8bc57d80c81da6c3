//! Whole checks: mesh text in, the stages' results and diagnostics out. The stages are in `analysis`.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lang_diagnostics::{Code, Diagnostic, FileId, Severity, Sink, SourceMap, Span, settled};
use lang_syntax::ast;
use meshc_plan::Plan;
use meshc_topology::Topology;
use meshc_vocabulary::model::DataPlane;
use meshc_vocabulary::{Declared, Model, Tests};

use crate::analysis::{Analysis, Keep, Source};
use crate::levels::Policy;
use crate::modules::{Modules, Trees};
use crate::{FileKind, FileSystem, Levels, codes, fixes};

/// The largest file that is read, in bytes. Ten thousand services come to a few megabytes; each byte of text may cost some
/// dozens of memory while it is parsed.
const LARGEST: usize = 16 << 20;

/// The entry file of a directory.
pub const ENTRY: &str = "mesh.mesh";

/// What is wanted of a compilation beyond what the sources say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The data plane of every cluster, in the place of what the mesh declares.
    pub data_plane: Option<DataPlane>,
}

/// A compilation: what was read, what is to be said about it, and what came out.
#[derive(Debug)]
pub struct Compilation {
    /// The entry file's name, without its directory: what generated files call their source.
    pub name: String,
    /// The files that were read, as far as they could be.
    pub files: Vec<PathBuf>,
    /// All source files, for rendering diagnostics.
    pub sources: SourceMap,
    /// The trees that were evaluated: everything that stands for something else is expanded in them.
    pub trees: Vec<Arc<ast::File>>,
    /// Everything found, by place.
    pub diagnostics: Vec<Diagnostic>,
    /// The results of all stages; `None` if there was an error, or if only findings were wanted.
    pub mesh: Option<CheckedMesh>,
    /// How loud what is found later is.
    pub(crate) policy: Policy,
    /// What hardly anybody asks for any more: whoever ends with the process need not free it.
    pub(crate) spent: Spent,
}

/// What stages made of a mesh that is no part of the result.
#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) _declared: Declared,
    pub(crate) model: Option<Model>,
    pub(crate) topology: Option<Topology>,
    pub(crate) plan: Option<Plan>,
}

impl Compilation {
    /// The parts of a mesh that has no errors but those of proofs, so that what is refuted can be looked at.
    pub(crate) fn but_for_proofs(&self) -> Option<(&Model, &Topology, &Plan)> {
        if let Some(CheckedMesh { model, topology, plan, tests: _ }) = &self.mesh {
            return Some((model, topology, plan));
        }
        let is_proof = |code: Code| meshc_proof::codes::CODES.iter().any(|info| info.code == code);
        let mut errors = self.diagnostics.iter().filter(|found| found.severity == Severity::Error).peekable();
        let Spent { _declared: _, model, topology, plan } = &self.spent;
        // Without any error there is no plan, since only findings were wanted.
        errors.peek()?;
        errors.all(|found| is_proof(found.code)).then_some(())?;
        Some((model.as_ref()?, topology.as_ref()?, plan.as_ref()?))
    }
}

/// A mesh without errors.
#[derive(Clone, Debug)]
pub struct CheckedMesh {
    /// Names resolved, defaults filled in.
    pub model: Model,
    /// Who reaches whom, and how.
    pub topology: Topology,
    /// What each proxy must do.
    pub plan: Plan,
    /// What the mesh is expected to do, if it has tests.
    pub tests: Option<Arc<Tests>>,
}

impl Compilation {
    /// Whether there was an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Adds what was found after the check, and takes the result back if that holds an error.
    pub fn add(&mut self, sink: Sink) {
        let mut found = settled(sink.into_sorted(), &self.sources);
        self.policy.settle(&mut found, &self.sources);
        let mut all = Sink::default();
        self.diagnostics.drain(..).chain(found).for_each(|found| all.push(found));
        self.diagnostics = settled(all.into_sorted(), &self.sources);
        if self.has_errors() {
            self.mesh = None;
        }
    }
}

/// Which mesh is wanted, and what its inputs are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The files that make the mesh together; a directory stands for the `mesh.mesh` in it. The first one gives the mesh
    /// its directory, which no module may lie outside of.
    pub entries: Vec<PathBuf>,
    /// Values of inputs, each `name=value`.
    pub definitions: Vec<String>,
    /// Files with values of inputs.
    pub values: Vec<PathBuf>,
    /// What else is wanted.
    pub options: Options,
}

/// A file that could not be read, or is not UTF-8.
#[derive(Debug, thiserror::Error)]
#[error("cannot read `{}`: {error}", path.display())]
pub struct Unread {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub error: io::Error,
}

/// Checks a mesh of one file and what that uses, from its entry file to the plan of every proxy.
///
/// # Errors
/// If the entry file cannot be read or is not UTF-8. Mistakes in it are diagnostics.
pub fn check(files: &dyn FileSystem, entry: &Path, options: Options) -> io::Result<Compilation> {
    check_with(files, entry, options, &Levels::default())
}

/// Checks a mesh of one file and what that uses, with levels of codes that go before those of the sources.
///
/// # Errors
/// As [`check`].
pub fn check_with(
    files: &dyn FileSystem,
    entry: &Path,
    options: Options,
    levels: &Levels,
) -> io::Result<Compilation> {
    let entries = vec![entry.to_path_buf()];
    let request = Request { entries, definitions: Vec::new(), values: Vec::new(), options };
    check_request(files, &request, levels).map_err(|unread| unread.error)
}

/// Checks a whole mesh, from its files to the plan of every proxy.
///
/// # Errors
/// If a file that is named cannot be read or is not UTF-8. Mistakes in it, and modules that cannot be read, are diagnostics.
pub fn check_request(
    files: &dyn FileSystem,
    request: &Request,
    levels: &Levels,
) -> Result<Compilation, Unread> {
    compilation(files, request, levels, Keep::Plan)
}

/// As [`check_request`], for whoever wants to know what is wrong and builds nothing of it: there is no [`CheckedMesh`], which
/// takes half of the memory of a check.
///
/// # Errors
/// As [`check_request`].
pub fn findings(files: &dyn FileSystem, request: &Request, levels: &Levels) -> Result<Compilation, Unread> {
    compilation(files, request, levels, Keep::Findings)
}

fn compilation(
    files: &dyn FileSystem,
    request: &Request,
    levels: &Levels,
    keep: Keep,
) -> Result<Compilation, Unread> {
    let (entries, values) = sources_of(files, request)?;
    let mut modules = Modules::new(files, Trees::default());
    let inputs = Inputs { entries: &entries, values, definitions: &request.definitions, levels };
    let compiled = compile(&inputs, request.options, &mut modules, keep);
    let Compiled { sources, trees, mut diagnostics, mesh, policy, spent } = compiled;
    let size = inputs.entries.iter().map(|(_, text)| text.len()).sum::<usize>() + modules.size();
    let modules = std::cell::RefCell::new(modules);
    fixes::keep_working(&mut diagnostics, &sources, size, &|changed| {
        let mut modules = modules.borrow_mut();
        modules.change(changed);
        let text = |(path, text): &Source| {
            let changed = changed.get(&path.display().to_string());
            (path.clone(), changed.map_or_else(|| Arc::clone(text), |text| text.as_str().into()))
        };
        let entries: Vec<_> = inputs.entries.iter().map(text).collect();
        let values = inputs.values.iter().map(text).collect();
        let inputs = Inputs { entries: &entries, values, definitions: inputs.definitions, levels };
        let Compiled { diagnostics, sources, .. } =
            compile(&inputs, request.options, &mut modules, Keep::Findings);
        (diagnostics, sources)
    });
    let first = inputs.entries.first().and_then(|(path, _)| path.file_name());
    let name = first.unwrap_or_default().to_string_lossy().into_owned();
    let named = inputs.entries.iter().chain(&inputs.values);
    let files = named.map(|(path, _)| path.clone()).chain(modules.into_inner().into_parts().0).collect();
    Ok(Compilation { name, files, sources, trees, diagnostics, mesh, policy, spent })
}

/// The files that are named, at least one, and the files of values, each with its text.
pub(crate) fn sources_of(
    files: &dyn FileSystem,
    request: &Request,
) -> Result<(Vec<Source>, Vec<Source>), Unread> {
    if request.entries.is_empty() {
        let error = io::Error::new(io::ErrorKind::NotFound, "no file is named");
        return Err(Unread { path: PathBuf::new(), error });
    }
    let entries = request.entries.iter().map(|entry| named(files, entry)).collect::<Result<_, _>>()?;
    let values = request.values.iter().map(|path| text(files, path.clone())).collect::<Result<_, _>>()?;
    Ok((entries, values))
}

/// The text of a file that was named, or of the entry file of a directory.
fn named(files: &dyn FileSystem, path: &Path) -> Result<Source, Unread> {
    let inside = path.join(ENTRY);
    let is_directory = match files.kind(path) {
        Ok(Some(FileKind::Directory)) => true,
        // Perhaps a link to a directory.
        Ok(Some(FileKind::Other)) => matches!(files.kind(&inside), Ok(Some(FileKind::File))),
        Ok(Some(FileKind::File) | None) | Err(_) => false,
    };
    text(files, if is_directory { inside } else { path.to_path_buf() })
}

fn text(files: &dyn FileSystem, path: PathBuf) -> Result<Source, Unread> {
    match read(files, &path) {
        Ok(text) => Ok((path, text.into())),
        Err(error) => Err(Unread { path, error }),
    }
}

/// What a compilation reads besides modules.
pub(crate) struct Inputs<'t> {
    /// The first one is the entry file.
    pub(crate) entries: &'t [Source],
    pub(crate) values: Vec<Source>,
    pub(crate) definitions: &'t [String],
    pub(crate) levels: &'t Levels,
}

/// What came of the texts.
pub(crate) struct Compiled {
    pub(crate) sources: SourceMap,
    pub(crate) trees: Vec<Arc<ast::File>>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) mesh: Option<CheckedMesh>,
    pub(crate) policy: Policy,
    pub(crate) spent: Spent,
}

fn compile(inputs: &Inputs<'_>, options: Options, modules: &mut Modules<'_>, keep: Keep) -> Compiled {
    Analysis::begin(inputs, options, modules).finish(inputs.levels, keep)
}

/// Reports that there is no result although no stage reported an error: whatever a stage dropped would otherwise look like
/// success.
pub(crate) fn explain_absence(has_result: bool, entry: FileId, sink: &mut Sink) {
    if has_result || sink.has_errors() {
        return;
    }
    sink.push(
        Diagnostic::error(
            codes::NO_RESULT,
            Span::new(entry, 0, 0),
            "internal error: the mesh was not compiled, and no error says why",
        )
        .label("in this mesh")
        .help("nothing was written; this is a mistake in meshc, please report it with the mesh"),
    );
}

/// Reads a source file.
///
/// # Errors
/// If it cannot be read, is beyond all sense, or is not UTF-8.
pub fn read(files: &dyn FileSystem, path: &Path) -> io::Result<String> {
    let bytes = files.read(path)?;
    if bytes.len() > LARGEST {
        let problem = format!(
            "it has {} MiB, and a mesh file may have {}",
            bytes.len().div_ceil(1 << 20),
            LARGEST >> 20
        );
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let (before, bytes) = error.as_bytes().split_at_checked(at).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let problem = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] if at == 0 => {
                String::from("it is UTF-16, and has to be UTF-8")
            }
            _ => format!("not UTF-8 text from line {line} (byte {at}) on"),
        };
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use lang_diagnostics::{RenderOptions, render_text};

    use super::*;
    use crate::output::Tree;
    use crate::{Forms, MemoryFileSystem, build};

    const ACME: &str = include_str!("../../../tests/fixtures/acme.mesh");

    fn compiled(text: &str, data_plane: Option<DataPlane>) -> Compilation {
        let files = MemoryFileSystem::with(&[("some/where/mesh.mesh", text)]);
        check(&files, Path::new("some/where/mesh.mesh"), Options { data_plane }).unwrap()
    }

    /// What is found in a text before fixes are tried.
    pub(crate) fn raw(text: &str) -> (Vec<Diagnostic>, SourceMap) {
        let files = MemoryFileSystem::default();
        let entries = [(PathBuf::from("mesh.mesh"), Arc::from(text))];
        let levels = Levels::default();
        let inputs = Inputs { entries: &entries, values: Vec::new(), definitions: &[], levels: &levels };
        let options = Options { data_plane: None };
        let Compiled { diagnostics, sources, .. } =
            compile(&inputs, options, &mut Modules::new(&files, Trees::default()), Keep::Findings);
        (diagnostics, sources)
    }

    fn built(forms: Forms) -> Tree {
        build(&mut compiled(ACME, Some(DataPlane::Envoy)), forms, "roots").unwrap()
    }

    #[test]
    fn the_example_compiles_without_a_word() {
        let compilation = compiled(ACME, None);
        assert_eq!(compilation.diagnostics, []);
        assert_eq!(compilation.mesh.unwrap().plan.proxies.len(), 7);
    }

    #[test]
    fn the_data_plane_can_be_chosen_for_all_clusters() {
        for data_plane in [DataPlane::Envoy, DataPlane::Meshd] {
            let mesh = compiled(ACME, Some(data_plane)).mesh.unwrap();
            assert!(mesh.plan.proxies.iter().all(|proxy| proxy.data_plane == data_plane));
        }
    }

    #[test]
    fn a_mistake_stops_the_pipeline_and_nothing_is_built() {
        let mut compilation = compiled(&ACME.replace("calls    = [catalog]", "calls    = [katalog]"), None);
        assert!(compilation.has_errors() && compilation.mesh.is_none());
        assert_eq!(build(&mut compilation, Forms::Watched, "roots"), None);
    }

    #[test]
    fn a_syntax_error_does_not_hide_other_mistakes() {
        let text = ACME.replace("calls    = [catalog]", "calls    = [katalog]");
        let compilation = compiled(&text.replace("region  = \"eastus\"", "region  = "), None);
        let codes: Vec<_> = compilation.diagnostics.iter().map(|each| each.code.0).collect();
        assert!(codes.iter().any(|code| code.starts_with("E00")), "{codes:?}");
        assert!(codes.iter().any(|code| code.starts_with("E01")), "{codes:?}");
    }

    /// No mesh raises it, so its fixture holds what the report looks like.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the fixture lies on the disk, and blessing is asked for by environment"
    )]
    fn no_result_without_an_error_is_an_error_of_its_own() {
        let mut sources = SourceMap::default();
        let entry = sources.add("mesh.mesh", "mesh usmesh {}\n");
        let mut sink = Sink::default();
        explain_absence(true, entry, &mut sink);
        assert!(!sink.has_errors(), "with a result there is nothing to explain");
        explain_absence(false, entry, &mut sink);
        explain_absence(false, entry, &mut sink);
        assert_eq!(sink.diagnostics().len(), 1, "an error explains the absence");
        let said = render_text(&sink.into_sorted(), &sources, RenderOptions { width: 100, color: false });
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/internal/E0902-no-result");
        let expected = folder.join("expected.txt");
        if std::env::var_os("MESH_BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&expected, &said).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&expected).unwrap_or_default(), said);
    }

    #[test]
    fn what_is_not_supported_is_said_with_everything_else_and_its_advice_ends_it() {
        let codes = |text: &str| -> Vec<&str> { raw(text).0.iter().map(|each| each.code.0).collect() };
        let plain = "  service card { clusters = [west], port sql { number = 5432, mtls = off } }\n";
        let route = "  route webapp {";
        let with = ACME.replace(route, &format!("{plain}{route}"));
        assert_ne!(with, ACME);
        let uncalled = codes(&with);
        assert!(uncalled.contains(&"E0401"), "also if nothing calls it: {uncalled:?}");
        let called = with.replace("calls    = [catalog]", "calls    = [catalog, card]");
        assert_eq!(codes(&called), ["E0401"]);
        let refused = called.replace("allow   { from = [west.ingress] }", "allow { from = [webapp] }");
        assert_ne!(refused, called);
        let both = codes(&refused);
        assert!(both.contains(&"E0401") && both.contains(&"E0301"), "{both:?}");
        // The advice: leave the port out.
        assert_eq!(codes(&called.replace(plain, "").replace("[catalog, card]", "[catalog]")), [""; 0]);
    }

    #[test]
    fn a_file_beyond_all_sense_is_not_read() {
        let files = MemoryFileSystem::with(&[("mesh.mesh", &"{".repeat(LARGEST + 1))]);
        let error = check(&files, Path::new("mesh.mesh"), Options { data_plane: None }).unwrap_err();
        assert_eq!(error.to_string(), "it has 17 MiB, and a mesh file may have 16");
    }

    #[test]
    fn generated_files_say_so_and_name_no_place_of_this_machine() {
        let tree = built(Forms::WatchedAndStatic);
        assert!(tree.len() > 50, "{}", tree.len());
        for (path, bytes) in &tree {
            let text = std::str::from_utf8(bytes).unwrap();
            assert!(
                !text.contains("some/where") && !text.contains("mesh.mesh;") && !text.contains('\r'),
                "{path}"
            );
            if path.ends_with(".yaml") {
                assert!(text.starts_with("# Generated by meshc: edit the mesh's source"), "{path}");
            }
        }
    }

    #[test]
    fn the_static_form_only_adds_files() {
        let (watched, both) = (built(Forms::Watched), built(Forms::WatchedAndStatic));
        assert!(watched.iter().all(|(path, bytes)| both.get(path) == Some(bytes)));
        let added: Vec<_> = both.keys().filter(|path| !watched.contains_key(*path)).collect();
        assert!(added.iter().all(|path| path.split('/').nth(1) == Some("static")), "{added:?}");
        assert!(both.contains_key("west/static/gateways/ingress/bootstrap.yaml"), "{added:?}");
    }
}
