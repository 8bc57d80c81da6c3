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
mod files;
mod http;
mod keepalive;
mod limits;
mod listener;
mod pb;
mod placed;
mod proto;
mod support;
mod tls;

pub use codes::CODES;
pub use support::check;

use lang_diagnostics::Sink;
use meshc_plan::{Placement, ProxyPlan, RenderedProxy, Rendering};

use crate::placed::Placed;

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
    support::check(plan, sink).then(|| files::write(&Placed::new(plan, placement), form))
}
