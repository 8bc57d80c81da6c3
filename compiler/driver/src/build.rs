//! From a checked mesh to the files of its tree.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use lang_diagnostics::{Diagnostic, Sink};
use meshc_kubernetes::Input;
use meshc_plan::{Placement, ProxyPlan, RenderedProxy, Rendering, paths};
use meshc_vocabulary::model::DataPlane;

use crate::output::Tree;
use crate::pipeline::explain_absence;
use crate::{CheckedMesh, Compilation, codes, rate_limit_files};

/// Folder within a cluster's for configurations in one file, for hosts without Kubernetes.
const STATIC: &str = "static";

/// Fewer proxies than this are not worth a thread.
const SMALLEST_SHARE: usize = 16;

/// Which forms a build writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forms {
    /// Watched files, for Kubernetes.
    Watched,
    /// Those, and one file per proxy with everything in it.
    WatchedAndStatic,
}

/// Builds the output tree of a compilation. `roots` are the root certificates that every proxy trusts, in PEM; they
/// are public. `None` if there was an error, here or before.
#[must_use]
pub fn build(compilation: &mut Compilation, forms: Forms, roots: &str) -> Option<Tree> {
    let mesh = compilation.mesh.as_ref()?;
    let mut sink = Sink::default();
    if roots.is_empty() {
        no_roots(mesh, &mut sink);
    }
    let tree = tree(mesh, forms, roots, &mut sink);
    compilation.add(sink);
    (!compilation.has_errors()).then_some(tree)
}

fn no_roots(mesh: &CheckedMesh, sink: &mut Sink) {
    let message = "there are no root certificates yet, so the tree's trust bundle is empty";
    sink.push(
        Diagnostic::warning(codes::NO_ROOTS, mesh.model.trust.origin.span, message)
            .label("no proxy will trust another one")
            .help("make them with `meshc trust init`, then build again"),
    );
}

fn tree(mesh: &CheckedMesh, forms: Forms, roots: &str, sink: &mut Sink) -> Tree {
    let placement = Placement::declared();
    let watched = render(mesh, Rendering::Watched, &placement, sink);
    explain_absence(watched.len() == mesh.plan.proxies.len(), mesh.model.mesh.origin.span.file, sink);
    let rendered = watched.into_iter().map(|rendered| (rendered.proxy.clone(), rendered)).collect();
    let services = mesh.plan.rate_limits.iter();
    let rate_limits =
        services.map(|service| (service.cluster_name.clone(), rate_limit_files(service))).collect();
    let trust = trust_files(mesh, roots, sink);
    let input = Input { plan: &mesh.plan, rendered: &rendered, rate_limits: &rate_limits, trust: &trust };
    let mut tree = Tree::new();
    for (path, text) in meshc_kubernetes::render(&input, sink) {
        put(&mut tree, path, text);
    }
    let machines = meshc_machines::Input { plan: &mesh.plan, rendered: &rendered, trust: &trust };
    for (path, text) in meshc_machines::render(&machines) {
        put(&mut tree, path, text);
    }
    match forms {
        Forms::Watched => {}
        Forms::WatchedAndStatic => {
            let whole = render(mesh, Rendering::Static, &placement, sink);
            explain_absence(whole.len() == mesh.plan.proxies.len(), mesh.model.mesh.origin.span.file, sink);
            for rendered in whole {
                let folder = format!("{}/{STATIC}/{}", rendered.proxy.cluster, rendered.proxy.path);
                for (name, text) in rendered.files {
                    put(&mut tree, format!("{folder}/{name}"), text);
                }
            }
        }
    }
    tree.insert(String::from(".gitattributes"), b"* linguist-generated=true\n".to_vec());
    tree
}

/// The trust bundle in each form in which a proxy of the mesh reads it: file name below
/// [`meshc_plan::paths::TRUST`] → contents. `roots` are the root certificates, in PEM.
#[must_use]
pub fn trust_files(mesh: &CheckedMesh, roots: &str, sink: &mut Sink) -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([(name_of(paths::TRUST_BUNDLE), roots.to_owned())]);
    let needed = mesh.plan.proxies.iter().any(|proxy| match proxy.data_plane {
        DataPlane::Envoy => true,
        DataPlane::Meshd => false,
    });
    if needed {
        let secret = meshc_envoy::trust(roots, &mesh.model.trust.origin, sink);
        files.extend(secret.map(|contents| (name_of(paths::TRUST_SECRET), contents)));
    }
    files
}

fn name_of(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// Renders every proxy of the mesh with the data plane of its cluster, in the plan's order. Proxies know nothing of
/// each other, so they are rendered on all cores; neither the result nor what is reported depends on how many.
#[must_use]
pub fn render(
    mesh: &CheckedMesh,
    form: Rendering,
    placement: &Placement,
    sink: &mut Sink,
) -> Vec<RenderedProxy> {
    let proxies = mesh.plan.proxies.as_slice();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let share = proxies.len().div_ceil(cores).max(SMALLEST_SHARE);
    let render_share = |share: &[ProxyPlan]| {
        let mut found = Sink::default();
        let rendered = share.iter().filter_map(|proxy| render_proxy(proxy, form, placement, &mut found));
        let rendered: Vec<RenderedProxy> = rendered.collect();
        (rendered, found)
    };
    let mut all = Vec::with_capacity(proxies.len());
    thread::scope(|scope| {
        let shares: Vec<_> =
            proxies.chunks(share).map(|share| scope.spawn(move || render_share(share))).collect();
        for worker in shares {
            // A share that panicked takes this thread along: half a tree is no tree.
            let (rendered, found) = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
            all.extend(rendered);
            for diagnostic in found.into_sorted() {
                sink.push(diagnostic);
            }
        }
    });
    all
}

fn render_proxy(
    proxy: &ProxyPlan,
    form: Rendering,
    placement: &Placement,
    sink: &mut Sink,
) -> Option<RenderedProxy> {
    match proxy.data_plane {
        DataPlane::Envoy => meshc_envoy::render(proxy, form, placement, sink),
        DataPlane::Meshd => meshc_meshd::render(proxy, form, placement, sink),
    }
}

fn put(tree: &mut Tree, path: String, text: String) {
    let text = if path.ends_with(".yaml") || path.ends_with(".service") || path.ends_with("/hosts") {
        format!("{HEADER}{text}")
    } else {
        text
    };
    tree.insert(path, text.into_bytes());
}

/// What stands on top of each generated file that can hold a comment: no version, no time and no file's name, so that
/// the bytes change only with the mesh.
const HEADER: &str = "# Generated by meshc: edit the mesh's source and run `meshc build`, not this file.\n";
