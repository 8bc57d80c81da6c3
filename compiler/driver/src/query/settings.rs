//! The settings that apply at a service, and which policy says so.

use std::sync::Arc;

use lang_diagnostics::{Origin, Sink, SourceMap};
use lang_syntax::ast::{Block, Item};
use meshc_resolve::{Provenance, Resolved, ServicePolicies};
use meshc_vocabulary::model::{Id, Policy, Service};

use super::declared::block_parts;
use super::{Context, Part};

/// The service that a path names, as messages name it.
pub(super) fn service(resolved: &Resolved<'_>, names: &[String]) -> Option<Id<Service>> {
    let name = names.join(".");
    resolved.model.services.ids().find(|id| resolved.model.service_name(*id) == name)
}

/// Every setting that applies at a service.
pub(super) fn parts(context: &Context<'_>, resolved: &Resolved<'_>, service: Id<Service>) -> Vec<Part> {
    let ServicePolicies {
        balance,
        failover,
        health,
        outlier,
        pool,
        retry,
        timeout,
        allow,
        deny,
        // They stand in the blocks of `allow` and `deny`.
        audited_allow,
        audited_deny,
        rate_limits,
    } = *resolved.service(service);
    let settings = [
        ("balance", balance.from),
        ("failover", failover.from),
        ("health", health.from),
        ("outlier", outlier.from),
        ("pool", pool.from),
        ("retry", retry.from),
        ("timeout", timeout.from),
        ("allow", allow.from.max(audited_allow.from)),
        ("deny", deny.from.max(audited_deny.from)),
        ("rate_limit", rate_limits.from),
    ];
    let standard = Standard::new();
    let mut parts = Vec::new();
    for (word, from) in settings {
        let declared =
            from.policy().map(|policy| setting(context, resolved, policy, word)).unwrap_or_default();
        let defaults = standard.parts(word);
        let missing: Vec<Part> =
            defaults.into_iter().filter(|part| declared.iter().all(|own| own.name != part.name)).collect();
        parts.extend(declared);
        parts.extend(missing);
    }
    parts
}

/// A kind of setting as a policy says it.
fn setting(context: &Context<'_>, resolved: &Resolved<'_>, policy: Id<Policy>, word: &str) -> Vec<Part> {
    let policy = resolved.model.policies.at(policy);
    let name = match policy.namespace {
        Some(namespace) => format!("{}.{}", resolved.model.namespaces.at(namespace).name, policy.name),
        None => policy.name.clone(),
    };
    let mut parts = Vec::new();
    if let Some(block) = context.trees.iter().find_map(|tree| declared(&tree.items, &policy.origin)) {
        for inner in block.body.iter().filter_map(as_block).filter(|inner| inner.kind.value == word) {
            block_parts(context, inner, &format!("{word}."), &mut parts);
        }
    }
    for part in &mut parts {
        part.from = match part.from.as_str() {
            "declared" => format!("policy `{name}`"),
            made => format!("policy `{name}`, {made}"),
        };
    }
    parts
}

/// The block that something was made of.
fn declared<'t>(items: &'t [Item], origin: &Origin) -> Option<&'t Block> {
    items.iter().filter_map(as_block).find_map(|block| {
        let span = block.label.as_ref().map_or(block.kind.span, |label| label.span);
        if span == origin.span { Some(block) } else { declared(&block.body, origin) }
    })
}

fn as_block(item: &Item) -> Option<&Block> {
    match item {
        Item::Block(block) => Some(block),
        Item::Attribute(_) | Item::Form(_) => None,
    }
}

/// The table of defaults.
pub(crate) struct Standard {
    sources: SourceMap,
    tree: Arc<lang_syntax::ast::File>,
}

impl Standard {
    pub(crate) fn new() -> Self {
        let mut sources = SourceMap::default();
        let file = sources.add("std/defaults.mesh", meshc_stdlib::DEFAULTS);
        let tree = Arc::new(lang_syntax::parse(file, meshc_stdlib::DEFAULTS, &mut Sink::default()));
        Self { sources, tree }
    }

    /// Where a setting such as `timeout.request` is, or the block of it.
    pub(crate) fn place(&self, name: &str) -> String {
        let word = name.split('.').next().unwrap_or(name);
        let parts = self.parts(word);
        let own = parts.iter().find(|part| part.name == name).or_else(|| parts.first());
        own.map(|part| part.place.clone()).unwrap_or_default()
    }

    fn parts(&self, word: &str) -> Vec<Part> {
        let context = Context { sources: &self.sources, trees: std::slice::from_ref(&self.tree) };
        let mut parts = Vec::new();
        let policies = self.tree.items.iter().filter_map(as_block);
        let blocks = policies.flat_map(|policy| policy.body.iter().filter_map(as_block));
        for block in blocks.filter(|block| block.kind.value == word) {
            block_parts(&context, block, &format!("{word}."), &mut parts);
        }
        for part in &mut parts {
            part.from = String::from("the standard library");
        }
        parts
    }
}

/// Who said something, for people.
pub(super) fn said(context: &Context<'_>, resolved: &Resolved<'_>, from: Provenance<'_>) -> (String, String) {
    let place = from.place().map(|origin| context.place(origin.span)).unwrap_or_default();
    let who = match from {
        Provenance::Rule { route, rule, at: _ } => {
            format!("rule {} of route `{}`", rule + 1, resolved.model.routes.at(route).name)
        }
        Provenance::Declared { policy, at: _ } | Provenance::Inherited { policy, at: _ } => {
            format!("policy `{}`", resolved.model.policies.at(policy).name)
        }
        Provenance::Default => String::from("the standard library"),
    };
    (who, place)
}
