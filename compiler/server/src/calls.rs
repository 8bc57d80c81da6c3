//! Who calls a service, and what it calls.

use std::collections::BTreeMap;

use lang_diagnostics::Span;
use lang_evaluate::EntityId;
use ls_types::{CallHierarchyIncomingCall, CallHierarchyItem, CallHierarchyOutgoingCall, Range};
use meshc_driver::Analysis;
use meshc_resolve::resolve;

use crate::names::{self, Symbol};
use crate::symbols;
use crate::view::View;

/// A call: the caller, the callee, and where it is written.
struct Call {
    caller: String,
    callee: String,
    at: Span,
}

/// The service at a place.
pub(crate) fn prepare(view: &View<'_>, offset: usize) -> Vec<CallHierarchyItem> {
    let Some((_, Symbol::Entities(entities))) = names::at(view, offset) else { return Vec::new() };
    entities.into_iter().filter_map(|entity| item(view, entity)).collect()
}

fn item(view: &View<'_>, id: EntityId) -> Option<CallHierarchyItem> {
    let declarations = view.declarations()?;
    let entity = declarations.entity(id);
    if !["service", "client", "subset", "gateway", "external"].contains(&entity.kind.word) {
        return None;
    }
    let name = declarations.qualified(id);
    let location = view.world.location(view.sources()?, entity.span)?;
    Some(CallHierarchyItem {
        name: name.clone(),
        kind: symbols::kind(entity.kind.word),
        tags: None,
        detail: Some(entity.kind.word.to_owned()),
        uri: location.uri,
        range: location.range,
        selection_range: location.range,
        data: Some(name.into()),
    })
}

/// The item of a caller or callee by the name that messages call it by.
fn named(view: &View<'_>, name: &str) -> Option<CallHierarchyItem> {
    let declarations = view.declarations()?;
    let all = declarations.entities().filter(|(id, _)| declarations.qualified(*id) == name);
    all.into_iter().find_map(|(id, _)| item(view, id))
}

fn calls(analysis: &Analysis) -> Vec<Call> {
    let Some(model) = &analysis.model else { return Vec::new() };
    let resolved = resolve(model);
    let mut found = Vec::new();
    for callee in model.services.ids() {
        for edge in resolved.incoming(callee) {
            found.push(Call {
                caller: edge.caller.name(model),
                callee: model.service_name(callee),
                at: analysis.sources.original(edge.origin.span),
            });
        }
    }
    found
}

/// The calls by the other end of each, in the order of names.
fn grouped<'c>(
    calls: impl Iterator<Item = (&'c str, Span)>,
    view: &View<'_>,
) -> Vec<(CallHierarchyItem, Vec<Range>)> {
    let mut by_name: BTreeMap<&str, Vec<Range>> = BTreeMap::new();
    for (name, span) in calls {
        let range = view.sources().and_then(|sources| view.world.location(sources, span));
        let ranges = by_name.entry(name).or_default();
        if let Some(range) = range.map(|location| location.range).filter(|range| !ranges.contains(range)) {
            ranges.push(range);
        }
    }
    by_name.into_iter().filter_map(|(name, ranges)| Some((named(view, name)?, ranges))).collect()
}

/// Who calls something.
pub(crate) fn incoming(view: &View<'_>, name: &str) -> Vec<CallHierarchyIncomingCall> {
    let Some(analysis) = view.analysis() else { return Vec::new() };
    let calls = calls(analysis);
    let own = calls.iter().filter(|call| call.callee == name).map(|call| (call.caller.as_str(), call.at));
    grouped(own, view)
        .into_iter()
        .map(|(from, from_ranges)| CallHierarchyIncomingCall { from, from_ranges })
        .collect()
}

/// What something calls.
pub(crate) fn outgoing(view: &View<'_>, name: &str) -> Vec<CallHierarchyOutgoingCall> {
    let Some(analysis) = view.analysis() else { return Vec::new() };
    let calls = calls(analysis);
    let own = calls.iter().filter(|call| call.caller == name).map(|call| (call.callee.as_str(), call.at));
    grouped(own, view)
        .into_iter()
        .map(|(to, from_ranges)| CallHierarchyOutgoingCall { to, from_ranges })
        .collect()
}
