//! From a plan to Envoy v3 configuration.
//!
//! [`render`] turns the plan of one proxy into the files that its Envoy reads, in one of two forms: watched files
//! behind a small constant bootstrap, or one static bootstrap. This is the only crate that knows Envoy's
//! configuration types. It reads nothing but the plan and the placement, and decides nothing about meaning; what it
//! does decide is how Envoy is made to do what the plan says, and each such decision carries its reason.

mod access_log;
mod bootstrap;
mod cluster;
pub mod codes;
mod drain;
mod files;
mod http;
mod inside;
mod keepalive;
mod limits;
mod listener;
mod overload;
mod pb;
mod placed;
mod proto;
mod ranges;
pub mod releases;
mod shares;
mod support;
mod tls;

pub use bootstrap::hash_start;
pub use codes::CODES;
pub use proto::roots;
pub use support::check;

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_plan::{Placement, ProxyPlan, RenderedProxy, Rendering};

use crate::placed::Placed;
use crate::proto::Unknown;

/// The files of one proxy in the form asked for.
///
/// What Envoy cannot do is reported into `sink` at the place that asked for it, and there are no files then.
#[must_use]
pub fn render(
    plan: &ProxyPlan,
    form: Rendering,
    placement: &Placement,
    sink: &mut Sink,
) -> Option<RenderedProxy> {
    if !support::check(plan, sink) {
        return None;
    }
    match files::write(&Placed::new(plan, placement), form) {
        Ok(rendered) => Some(rendered),
        Err(unknown) => {
            sink.push(not_described(&unknown, &plan.origin));
            None
        }
    }
}

/// How many inotify instances the Envoy of a plan opens in the form asked for, whether or not it is rendered.
#[must_use]
pub fn inotify_instances(plan: &ProxyPlan, form: Rendering) -> u32 {
    files::inotify_instances(plan, form)
}

/// The trust bundle in the form in which every Envoy of the mesh follows it: the contents of
/// [`meshc_plan::paths::TRUST_SECRET`]. `roots` are the root certificates, in PEM.
///
/// What goes wrong is reported into `sink` at `origin`.
#[must_use]
pub fn trust(roots: &str, origin: &Origin, sink: &mut Sink) -> Option<String> {
    match files::trust(roots) {
        Ok(contents) => Some(contents),
        Err(unknown) => {
            sink.push(not_described(&unknown, origin));
            None
        }
    }
}

/// The report that the committed descriptors lack something: a mistake of meshc, never of a mesh.
fn not_described(Unknown(what): &Unknown, origin: &Origin) -> Diagnostic {
    Diagnostic::error(
        codes::NOT_DESCRIBED,
        origin.span,
        format!("internal error: the descriptors of Envoy's configuration lack the {what}"),
    )
    .label("in the configuration for this")
    .help("nothing was written; this is a mistake in meshc, please report it with the mesh")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use lang_diagnostics::{RenderOptions, SourceMap, Span, render_text};

    use super::*;

    /// No mesh raises it, so its fixture holds what the report looks like.
    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "the fixture lies on the disk, and blessing is asked for by environment"
    )]
    fn what_the_descriptors_lack_is_reported_where_the_proxy_comes_from() {
        let mut sources = SourceMap::default();
        let file = sources.add("mesh.mesh", "namespace shop {\n  service catalog {}\n}\n");
        let origin = Origin::new(Span::new(file, 27, 34), "service `catalog`");
        let report = not_described(&Unknown(String::from("type `envoy.example.v3.Example`")), &origin);
        let said = render_text(&[report], &sources, RenderOptions { width: 100, color: false });
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/internal/E0901-not-described");
        let expected = folder.join("expected.txt");
        if std::env::var_os("MESH_BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&expected, &said).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&expected).unwrap_or_default(), said);
    }
}
