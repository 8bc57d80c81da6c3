//! `meshc diff`: what differs between two meshes.

use std::collections::BTreeMap;

use lang_diagnostics::Sink;
use meshc_answers::World;
use meshc_changes::Comparison;
use meshc_plan::{Placement, Plan, ProxyPlan, Rendering};
use meshc_resolve::resolve;

use crate::Compilation;
use crate::build::render_proxy;

/// Of how many proxies files are compared, too: that costs more than everything else.
const MOST_RENDERED: usize = 200;

/// Compares two meshes; `None` if one of them has errors.
#[must_use]
pub fn compare(old: &Compilation, new: &Compilation) -> Option<Comparison> {
    let (old, new) = (old.mesh.as_ref()?, new.mesh.as_ref()?);
    let (resolved_old, resolved_new) = (resolve(&old.model), resolve(&new.model));
    let before = World::new(&resolved_old, &old.topology, &old.plan);
    let after = World::new(&resolved_new, &new.topology, &new.plan);
    let mut comparison = meshc_changes::compare(&before, &after);
    settle(&mut comparison, &old.plan, &new.plan);
    Some(comparison)
}

/// Leaves proxies untouched whose plans differ in what none of their files has: those that would only be told the same again.
fn settle(comparison: &mut Comparison, old: &Plan, new: &Plan) {
    let rollout = &mut comparison.rollout;
    let by_name = |plan: &'_ Plan| -> BTreeMap<String, usize> {
        let named = plan.proxies.iter().enumerate();
        named.map(|(position, proxy)| (proxy.name.to_string(), position)).collect()
    };
    if rollout.reloaded.len() > MOST_RENDERED {
        return;
    }
    let (before, after) = (by_name(old), by_name(new));
    let plan = |plan: &'_ Plan,
                names: &BTreeMap<String, usize>,
                name: &String|
     -> Option<BTreeMap<String, String>> {
        let proxy = plan.proxies.get(*names.get(name)?)?;
        files(proxy)
    };
    let (mut reloaded, mut same) = (Vec::new(), 0);
    for name in std::mem::take(&mut rollout.reloaded) {
        match (plan(old, &before, &name), plan(new, &after, &name)) {
            (Some(one), Some(other)) if one == other => same += 1,
            _ => reloaded.push(name),
        }
    }
    rollout.reloaded = reloaded;
    rollout.untouched += same;
}

fn files(proxy: &ProxyPlan) -> Option<BTreeMap<String, String>> {
    let rendered = render_proxy(proxy, Rendering::Watched, &Placement::declared(), &mut Sink::default())?;
    Some(rendered.files)
}
