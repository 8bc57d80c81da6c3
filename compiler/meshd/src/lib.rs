//! From a plan to the configuration of meshd.
//!
//! [`render`] turns the plan of one proxy into the one file that its meshd reads and watches. This is the only crate
//! that sees both sides of that contract. It decides nothing about meaning: the plan's terms and meshd's differ in
//! spelling only, and where meshd's file is allowed to leave something to a default, this writes it out.

mod authorization;
mod filters;
mod limits;
mod listener;
mod matches;
mod placed;
mod proxy;
mod routes;
mod upstream;

use std::collections::BTreeMap;

use lang_diagnostics::Sink;
use meshc_plan::{Placement, ProxyPlan, RenderedProxy, Rendering};

use crate::placed::Placed;

/// The file that meshd is started with, and watches.
pub const CONFIG_FILE: &str = "meshd.json";

/// The files of one proxy. Both forms are the same: meshd watches its one file and the certificates that it names.
///
/// meshd can do whatever the capability tables of the plan admit, so nothing is reported into `sink` today.
#[must_use]
pub fn render(
    plan: &ProxyPlan,
    form: Rendering,
    placement: &Placement,
    _sink: &mut Sink,
) -> Option<RenderedProxy> {
    match form {
        Rendering::Watched | Rendering::Static => {}
    }
    let config = proxy::config(&Placed::new(plan, placement));
    // A structure of strings, numbers and lists always serializes.
    let mut text = serde_json::to_string_pretty(&config).ok()?;
    text.push('\n');
    Some(RenderedProxy {
        proxy: plan.name.clone(),
        files: BTreeMap::from([(CONFIG_FILE.to_owned(), text)]),
        entry: CONFIG_FILE.to_owned(),
        drain: None,
        inotify_instances: 0,
    })
}
