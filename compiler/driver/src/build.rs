//! From a checked mesh to the files of its tree, proxy by proxy: what the destination has already is not rendered.

use std::collections::BTreeMap;

use lang_diagnostics::{Diagnostic, Sink};
use meshc_kubernetes::Input;
use meshc_plan::{ClusterPlan, Placement, ProxyPlan, RenderedProxy, Rendering, paths};
use meshc_vocabulary::model::{DataPlane, Platform};

use crate::content::Contents;
use crate::in_order::in_order;
use crate::output::{Built, Digest, OutputError, Tree, Writer};
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

/// Where the files of a build go as they are made.
trait Destination {
    /// Whether it has the files that are made of what `key` stands for.
    fn has(&mut self, key: Digest) -> Result<bool, OutputError>;

    /// Takes files. `key` stands for what they are made of, if that is all there is to say about them.
    fn put(&mut self, key: Option<Digest>, files: Vec<Built>) -> Result<(), OutputError>;
}

impl Destination for Tree {
    fn has(&mut self, _key: Digest) -> Result<bool, OutputError> {
        Ok(false)
    }

    fn put(&mut self, _key: Option<Digest>, files: Vec<Built>) -> Result<(), OutputError> {
        self.extend(files.into_iter().map(|file| (file.path, file.bytes)));
        Ok(())
    }
}

impl Destination for Writer<'_> {
    fn has(&mut self, key: Digest) -> Result<bool, OutputError> {
        Writer::has(self, key)
    }

    fn put(&mut self, key: Option<Digest>, files: Vec<Built>) -> Result<(), OutputError> {
        Writer::put(self, key, files)
    }
}

/// Builds the output tree of a compilation. `roots` are the root certificates that every proxy trusts, in PEM; they
/// are public. `None` if there was an error, here or before.
#[must_use]
pub fn build(compilation: &mut Compilation, forms: Forms, roots: &str) -> Option<Tree> {
    let mut tree = Tree::new();
    // A tree in memory refuses nothing.
    matches!(build_to(compilation, forms, roots, &mut tree), Ok(true)).then_some(tree)
}

/// Builds the output tree of a compilation as [`build`] does, into a directory. Says whether there was no error of the mesh:
/// otherwise the writer has to be abandoned.
///
/// # Errors
/// If the file system refuses something.
pub fn build_into(
    compilation: &mut Compilation,
    forms: Forms,
    roots: &str,
    writer: &mut Writer<'_>,
) -> Result<bool, OutputError> {
    build_to(compilation, forms, roots, writer)
}

fn build_to(
    compilation: &mut Compilation,
    forms: Forms,
    roots: &str,
    to: &mut dyn Destination,
) -> Result<bool, OutputError> {
    let Some(mesh) = compilation.mesh.as_ref() else { return Ok(false) };
    let mut sink = Sink::default();
    if roots.is_empty() {
        no_roots(mesh, &mut sink);
    }
    files(mesh, forms, roots, &mut sink, to)?;
    compilation.add(sink);
    Ok(!compilation.has_errors())
}

fn no_roots(mesh: &CheckedMesh, sink: &mut Sink) {
    let message = "there are no root certificates yet, so the tree's trust bundle is empty";
    sink.push(
        Diagnostic::warning(codes::NO_ROOTS, mesh.model.trust.origin.span, message)
            .label("no proxy will trust another one")
            .help("make them with `meshc trust init`, then build again"),
    );
}

fn files(
    mesh: &CheckedMesh,
    forms: Forms,
    roots: &str,
    sink: &mut Sink,
    to: &mut dyn Destination,
) -> Result<(), OutputError> {
    let trust = trust_files(mesh, roots, sink);
    let clusters: BTreeMap<_, _> = mesh.plan.clusters.iter().map(|cluster| (cluster.id, cluster)).collect();
    let mut contents = Contents::new(forms, &trust);
    let mut absent = Vec::new();
    for proxy in &mesh.plan.proxies {
        let Some(cluster) = clusters.get(&proxy.cluster).copied() else { continue };
        let key = contents.key(cluster, proxy);
        if !to.has(key)? {
            absent.push(Part { cluster, proxy, key });
        }
    }
    drop(contents);
    let build = |part: &Part<'_>| part.build(forms, &trust);
    let mut complete = true;
    in_order(&absent, SMALLEST_SHARE, &build, |part, (files, found)| {
        complete &= files.is_some();
        // What was said has to be said again the next time.
        let key = found.diagnostics().is_empty().then_some(part.key);
        found.into_sorted().into_iter().for_each(|diagnostic| sink.push(diagnostic));
        if sink.has_errors() { Ok(()) } else { to.put(key, files.unwrap_or_default()) }
    })?;
    explain_absence(complete, mesh.model.mesh.origin.span.file, sink);
    if sink.has_errors() {
        return Ok(());
    }
    for cluster in &mesh.plan.clusters {
        to.put(None, of_cluster(mesh, cluster, &trust))?;
    }
    let attributes = b"* linguist-generated=true\n".to_vec();
    to.put(None, vec![Built::new(String::from(".gitattributes"), attributes)])
}

/// What a cluster has beside its proxies.
fn of_cluster(mesh: &CheckedMesh, cluster: &ClusterPlan, trust: &BTreeMap<String, String>) -> Vec<Built> {
    match cluster.platform {
        Platform::Machines => return Vec::new(),
        Platform::Kubernetes => {}
    }
    let proxies: Vec<&ProxyPlan> =
        mesh.plan.proxies.iter().filter(|proxy| proxy.cluster == cluster.id).collect();
    let service = mesh.plan.rate_limits.iter().find(|service| service.cluster_name == cluster.name);
    let rate_limit = service.map(rate_limit_files);
    let instances = proxies.iter().map(|proxy| match proxy.data_plane {
        DataPlane::Envoy => meshc_envoy::inotify_instances(proxy, Rendering::Watched),
        DataPlane::Meshd => 0,
    });
    let input = Input {
        cluster,
        proxies: &proxies,
        rate_limit: rate_limit.as_ref(),
        trust,
        inotify_instances: instances.max().unwrap_or_default(),
    };
    meshc_kubernetes::cluster(&input).into_iter().map(|(path, text)| built(path, text)).collect()
}

/// A proxy whose files are to be made.
struct Part<'p> {
    cluster: &'p ClusterPlan,
    proxy: &'p ProxyPlan,
    key: Digest,
}

impl Part<'_> {
    /// The files, and what is to be said about them; no files if the backend made none.
    fn build(&self, forms: Forms, trust: &BTreeMap<String, String>) -> (Option<Vec<Built>>, Sink) {
        let mut sink = Sink::default();
        let files = self.files(forms, trust, &mut sink);
        (files, sink)
    }

    fn files(&self, forms: Forms, trust: &BTreeMap<String, String>, sink: &mut Sink) -> Option<Vec<Built>> {
        let Self { cluster, proxy, key: _ } = self;
        let placement = Placement::declared();
        let rendered = render_proxy(proxy, Rendering::Watched, &placement, sink)?;
        let mut tree = match cluster.platform {
            Platform::Kubernetes => meshc_kubernetes::proxy(cluster, proxy, rendered, sink),
            Platform::Machines => meshc_machines::proxy(cluster, proxy, rendered, trust),
        };
        match forms {
            Forms::Watched => {}
            Forms::WatchedAndStatic => {
                let whole = render_proxy(proxy, Rendering::Static, &placement, sink)?;
                let folder = format!("{}/{STATIC}/{}", proxy.name.cluster, proxy.name.path);
                let files = whole.files.into_iter();
                tree.extend(files.map(|(name, text)| (format!("{folder}/{name}"), text)));
            }
        }
        Some(tree.into_iter().map(|(path, text)| built(path, text)).collect())
    }
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
    let render = |proxy: &ProxyPlan| {
        let mut found = Sink::default();
        (render_proxy(proxy, form, placement, &mut found), found)
    };
    let mut all = Vec::with_capacity(mesh.plan.proxies.len());
    let done: Result<(), std::convert::Infallible> =
        in_order(&mesh.plan.proxies, SMALLEST_SHARE, &render, |_, (rendered, found)| {
            all.extend(rendered);
            found.into_sorted().into_iter().for_each(|diagnostic| sink.push(diagnostic));
            Ok(())
        });
    match done {
        Ok(()) => all,
    }
}

pub(crate) fn render_proxy(
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

fn built(path: String, text: String) -> Built {
    let text = if path.ends_with(".yaml") || path.ends_with(".service") || path.ends_with("/hosts") {
        format!("{HEADER}{text}")
    } else {
        text
    };
    Built::new(path, text.into_bytes())
}

/// What stands on top of each generated file that can hold a comment: no version, no time and no file's name, so that
/// the bytes change only with the mesh.
const HEADER: &str = "# Generated by meshc: edit the mesh's source and run `meshc build`, not this file.\n";
