//! A check that can be looked at, and given up, between its stages: what an editor needs while somebody types.
//!
//! Each stage that ran has left its result here, also where a later one found a mistake, so that names, documentation and
//! values are there while the text is wrong.

use std::path::PathBuf;
use std::sync::Arc;

use lang_diagnostics::{Diagnostic, FileId, Severity, Sink, SourceMap, settled};
use lang_expand::{Entry, Given, Host as _, expand};
use lang_syntax::{ast, parse};
use meshc_answers::World;
use meshc_plan::{Extent, Plan, ProxyPlan};
use meshc_resolve::Resolved;
use meshc_topology::Topology;
use meshc_vocabulary::model::DataPlane;
use meshc_vocabulary::{Declared, Model, SCHEMA, Tests};

use crate::consequences;
use crate::levels::Policy;
use crate::modules::{Modules, Trees};
use crate::pipeline::{CheckedMesh, Compiled, Inputs, Spent, explain_absence, sources_of};
use crate::{FileSystem, Levels, Options, Request, Unread};

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Model,
    Checks,
    Plan,
    Backends,
    Done,
}

/// How much is done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// One stage.
    Stage,
    /// All stages that read what was resolved, so that it is resolved once.
    Whole(Keep),
}

/// What is left of a plan in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// All of it.
    Plan,
    /// Nothing: what is found is all that is wanted. Each proxy is forgotten as soon as it was checked, but for its outline.
    Findings,
}

/// A check, as far as it went.
#[derive(Debug)]
pub struct Analysis {
    /// The files that were read, as far as they could be; those of the standard library are not among them.
    pub files: Vec<PathBuf>,
    /// All source files.
    pub sources: SourceMap,
    /// The first file that was named.
    pub entry: FileId,
    /// The trees that were evaluated: everything that stands for something else is expanded in them.
    pub trees: Vec<Arc<ast::File>>,
    /// What they declare.
    pub declared: Declared,
    /// Names resolved, defaults filled in; once that stage was reached.
    pub model: Option<Model>,
    /// What the mesh is expected to do, if it has tests; once that stage was reached.
    pub tests: Option<Arc<Tests>>,
    /// Who reaches whom; once that stage was reached.
    pub topology: Option<Topology>,
    /// What each proxy must do; once that stage was reached.
    pub plan: Option<Plan>,
    /// What backends cannot carry of each proxy, where that was found while it was planned.
    of_proxies: Option<Vec<Sink>>,
    sink: Sink,
    options: Options,
    next: Stage,
}

/// Reads a mesh and what it declares: the first stages of a check.
///
/// # Errors
/// If a file that is named cannot be read or is not UTF-8. Mistakes in it, and modules that cannot be read, are diagnostics.
pub fn analyze(files: &dyn FileSystem, request: &Request) -> Result<Analysis, Unread> {
    analyze_again(files, request, &mut Trees::default())
}

/// As [`analyze`], with the trees of files whose texts are what they were the last time.
///
/// # Errors
/// As [`analyze`].
pub fn analyze_again(
    files: &dyn FileSystem,
    request: &Request,
    trees: &mut Trees,
) -> Result<Analysis, Unread> {
    let (entries, values) = sources_of(files, request)?;
    let levels = Levels::default();
    let inputs = Inputs { entries: &entries, values, definitions: &request.definitions, levels: &levels };
    let mut modules = Modules::new(files, std::mem::take(trees));
    let mut analysis = Analysis::begin(&inputs, request.options, &mut modules);
    let named = inputs.entries.iter().chain(&inputs.values).map(|(path, _)| path.clone());
    let (paths, kept) = modules.into_parts();
    *trees = kept;
    trees.forget_unused();
    analysis.files = named.chain(paths).collect();
    Ok(analysis)
}

/// A file and its text.
pub(crate) type Source = (PathBuf, Arc<str>);

impl Analysis {
    /// Parses, expands and evaluates.
    pub(crate) fn begin(inputs: &Inputs<'_>, options: Options, modules: &mut Modules<'_>) -> Self {
        let mut sources = SourceMap::default();
        let mut sink = Sink::default();
        let mut entries: Vec<Entry> = Vec::with_capacity(inputs.entries.len());
        for (path, text) in inputs.entries {
            let path = path.display().to_string();
            if entries.iter().all(|entry| entry.path != path) {
                let file = sources.add(path.as_str(), Arc::clone(text));
                let tree = modules.parse(file, &path, text, &mut sink);
                entries.push(Entry { path, file, tree });
            }
        }
        let entry = entries.first().map_or(FileId(0), |entry| entry.file);
        let mut given = Vec::new();
        for (path, text) in &inputs.values {
            let file = sources.add(path.display().to_string(), Arc::clone(text));
            let tree = parse(file, text, &mut sink);
            given.extend(Given::in_file(&tree, &mut sink));
        }
        for written in inputs.definitions {
            given.extend(Given::on_command_line(written, &mut sources, &mut sink));
        }
        let trees = expand(entries, &given, SCHEMA, modules, &mut sources, &mut sink);
        let declared = meshc_vocabulary::declare_again(&trees, &mut sources, &mut sink, modules.evaluated());
        Self {
            files: Vec::new(),
            sources,
            entry,
            trees,
            declared,
            model: None,
            tests: None,
            topology: None,
            plan: None,
            of_proxies: None,
            sink,
            options,
            next: Stage::Model,
        }
    }

    /// Runs the next stage, unless one before it reported an error. Says whether there is another one. Only evaluation
    /// follows parsing whatever that found: the parser recovers, so that one mistake does not hide the others.
    pub fn step(&mut self) -> bool {
        self.step_unless(&|| false)
    }

    /// As [`step`](Self::step), unless somebody who is asked now and then no longer wants it. The two last stages, which take
    /// longest, are left then, to begin anew with the next step.
    pub fn step_unless(&mut self, given_up: &dyn Fn() -> bool) -> bool {
        self.advance(Pace::Stage, given_up)
    }

    fn advance(&mut self, pace: Pace, given_up: &dyn Fn() -> bool) -> bool {
        let sink = &mut self.sink;
        // What a stage reported that was given up is not everything.
        let mut own = Sink::default();
        self.next = match self.next {
            Stage::Model => {
                if let Some((model, tests)) = meshc_vocabulary::model(&self.declared, sink) {
                    self.model = Some(with_options(model, self.options));
                    self.tests = tests.map(Arc::new);
                }
                Stage::Checks
            }
            Stage::Checks => {
                if let Some(model) = &self.model {
                    let resolved = meshc_resolve::resolve(model);
                    let topology = meshc_topology::build(&resolved);
                    meshc_check::check(&resolved, &topology, sink);
                    meshc_plan::capability::check(&resolved, sink);
                    match pace {
                        Pace::Whole(keep) if !sink.has_errors() => {
                            let tests = self.tests.as_deref();
                            let whole = whole(&resolved, &topology, tests, sink, keep);
                            (self.plan, self.of_proxies) = whole.unzip();
                        }
                        Pace::Whole(_) | Pace::Stage => {}
                    }
                    self.topology = Some(topology);
                }
                match pace {
                    Pace::Stage => Stage::Plan,
                    Pace::Whole(_) => Stage::Backends,
                }
            }
            Stage::Plan => {
                if let (Some(model), Some(topology)) = (&self.model, &self.topology) {
                    let resolved = meshc_resolve::resolve(model);
                    self.plan = planned(&resolved, topology, self.tests.as_deref(), &mut own, given_up);
                    if self.plan.is_none() {
                        return true;
                    }
                }
                Stage::Backends
            }
            Stage::Backends => {
                if let Some(plan) = &self.plan {
                    match self.of_proxies.take() {
                        Some(found) => found.iter().for_each(|found| add(found, &mut own)),
                        None if !check_proxies(plan, &mut own, given_up) => return true,
                        None => {}
                    }
                    meshc_kubernetes::check(plan, &mut own);
                }
                Stage::Done
            }
            Stage::Done => Stage::Done,
        };
        add(&own, sink);
        if sink.has_errors() {
            self.next = Stage::Done;
        }
        self.next != Stage::Done
    }

    /// Whether the last stage ran, or one reported an error.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.next == Stage::Done
    }

    /// Whether all that is left is to plan what each proxy does, which finds little that was not found before.
    #[must_use]
    pub fn is_checked(&self) -> bool {
        match self.next {
            Stage::Model | Stage::Checks => false,
            Stage::Plan | Stage::Backends | Stage::Done => true,
        }
    }

    /// Everything found so far, by place, with levels as the sources and `levels` set them.
    #[must_use]
    pub fn diagnostics(&self, levels: &Levels) -> Vec<Diagnostic> {
        self.found(levels).0
    }

    fn found(&self, levels: &Levels) -> (Vec<Diagnostic>, Policy) {
        let mut sink = self.sink.clone();
        let complete = self.is_done() && !sink.has_errors();
        if self.is_done() {
            explain_absence(self.plan.is_some(), self.entry, &mut sink);
        }
        // Levels are set where a person reads: in the text itself, not in what was made of it.
        let mut found = settled(sink.into_sorted(), &self.sources);
        consequences::leave_out(&mut found);
        let mut comments = Vec::new();
        let mut policy = Policy::read(levels, self.entry, &self.sources, &mut comments);
        policy.settle(&mut found, &self.sources);
        if complete {
            policy.report_unused(&mut comments);
            policy.settle(&mut comments, &self.sources);
        }
        let mut sink = Sink::default();
        found.into_iter().chain(comments).for_each(|found| sink.push(found));
        (sink.into_sorted(), policy)
    }

    /// The whole result; without a mesh if only findings are kept.
    pub(crate) fn finish(mut self, levels: &Levels, keep: Keep) -> Compiled {
        while self.advance(Pace::Whole(keep), &|| false) {}
        let (diagnostics, policy) = self.found(levels);
        let has_errors = diagnostics.iter().any(|found| found.severity == Severity::Error);
        let tests = self.tests;
        let mut spent = Spent { _declared: self.declared, model: None, topology: None, plan: None };
        let mesh = match (self.model, self.topology, self.plan) {
            (Some(model), Some(topology), Some(plan)) if !has_errors && keep == Keep::Plan => {
                Some(CheckedMesh { model, topology, plan, tests })
            }
            (model, topology, plan) => {
                spent = Spent { model, topology, plan, ..spent };
                None
            }
        };
        Compiled { sources: self.sources, trees: self.trees, diagnostics, mesh, policy, spent }
    }
}

/// What each proxy must do, and mistakes in tests that only the plan shows; nothing if it was given up.
fn planned(
    resolved: &Resolved<'_>,
    topology: &Topology,
    tests: Option<&Tests>,
    sink: &mut Sink,
    given_up: &dyn Fn() -> bool,
) -> Option<Plan> {
    let plan = meshc_plan::lower_unless(resolved, topology, sink, given_up)?;
    check_tests(resolved, topology, &plan, tests, sink);
    check_proofs(resolved, topology, &plan, sink);
    Some(plan)
}

/// As [`planned`], with what backends cannot carry of each proxy.
fn whole(
    resolved: &Resolved<'_>,
    topology: &Topology,
    tests: Option<&Tests>,
    sink: &mut Sink,
    keep: Keep,
) -> Option<(Plan, Vec<Sink>)> {
    // Tests ask the whole plan, and so do proofs.
    let is_asked = tests.is_some() || meshc_proof::has_claims(resolved.model);
    let extent = if keep == Keep::Findings && !is_asked { Extent::Findings } else { Extent::Whole };
    let (plan, found) = meshc_plan::lower_each(resolved, topology, extent, sink, &|| false, &|proxy| {
        let mut found = Sink::default();
        check_proxy(proxy, &mut found);
        match extent {
            Extent::Whole => {}
            Extent::Findings => proxy.outline(),
        }
        found
    })?;
    check_tests(resolved, topology, &plan, tests, sink);
    check_proofs(resolved, topology, &plan, sink);
    Some((plan, found))
}

fn check_tests(
    resolved: &Resolved<'_>,
    topology: &Topology,
    plan: &Plan,
    tests: Option<&Tests>,
    sink: &mut Sink,
) {
    if let Some(tests) = tests.filter(|_| !sink.has_errors()) {
        meshc_answers::check(&World::new(resolved, topology, plan), tests, sink);
    }
}

/// What proofs refute of what is critical.
fn check_proofs(resolved: &Resolved<'_>, topology: &Topology, plan: &Plan, sink: &mut Sink) {
    if !sink.has_errors() {
        meshc_proof::check(&World::new(resolved, topology, plan), sink);
    }
}

/// What the backends cannot carry of proxies and can be seen without rendering. Says whether it was not given up.
fn check_proxies(plan: &Plan, sink: &mut Sink, given_up: &dyn Fn() -> bool) -> bool {
    for proxy in &plan.proxies {
        if given_up() {
            return false;
        }
        check_proxy(proxy, sink);
    }
    true
}

fn check_proxy(proxy: &ProxyPlan, sink: &mut Sink) {
    match proxy.data_plane {
        DataPlane::Envoy => {
            meshc_envoy::check(proxy, sink);
        }
        DataPlane::Meshd => {}
    }
}

fn add(found: &Sink, sink: &mut Sink) {
    found.diagnostics().iter().for_each(|found| sink.push(found.clone()));
}

fn with_options(mut model: Model, options: Options) -> Model {
    if let Some(data_plane) = options.data_plane {
        model.mesh.data_plane = data_plane;
        for cluster in model.clusters.ids() {
            if let Some(cluster) = model.clusters.get_mut(cluster) {
                cluster.data_plane = None;
            }
        }
    }
    model
}
