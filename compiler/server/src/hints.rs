//! Inlay hints and lenses: what is not written and applies all the same, and what a build makes of a declaration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use lang_diagnostics::Span;
use lang_evaluate::schema::{Kind, Presence};
use lang_syntax::ast::{self, FormKind, Item};
use ls_types::{CodeLens, Command, InlayHint, InlayHintKind, InlayHintLabel, InlayHintTooltip};
use meshc_driver::FileSystem;
use meshc_topology::{ProxyKey, Reach};
use meshc_vocabulary::SCHEMA;

use crate::kinds;
use crate::view::View;

/// The command that opens what a build made of something: the entry file, and the qualified name.
pub(crate) const OPEN_GENERATED: &str = "meshc.openGenerated";

/// The command of a client that runs tests: the entry file, and the name of a test.
pub(crate) const RUN_TEST: &str = "meshc.runTest";

/// The hints between two offsets of a document.
pub(crate) fn hints(view: &View<'_>, from: usize, to: usize) -> Vec<InlayHint> {
    let mut found: Vec<(u32, String, &str)> = Vec::new();
    defaults(&view.text.tree().items, SCHEMA.file, &mut found);
    addresses(view, &mut found);
    orders(view, &mut found);
    found.retain(|(at, _, _)| (from..=to).contains(&(*at as usize)));
    found.sort();
    found.dedup();
    found.into_iter().map(|(at, label, tooltip)| hint(view, at, label, tooltip)).collect()
}

fn hint(view: &View<'_>, at: u32, label: String, tooltip: &str) -> InlayHint {
    InlayHint {
        position: view.text.position(at as usize, view.world.encoding),
        label: InlayHintLabel::String(label),
        kind: Some(InlayHintKind::TYPE),
        text_edits: None,
        tooltip: Some(InlayHintTooltip::String(tooltip.to_owned())),
        padding_left: Some(true),
        padding_right: None,
        data: None,
    }
}

/// The constant defaults of the attributes that a block does not give, at its end.
fn defaults(items: &[Item], kind: &'static Kind, found: &mut Vec<(u32, String, &str)>) {
    for item in items {
        match item {
            Item::Block(block) => of_block(block, kind, found),
            Item::Form(form) => match &form.kind {
                FormKind::For(repetition) => defaults(&repetition.body, kind, found),
                FormKind::Use(_)
                | FormKind::Let(_)
                | FormKind::Input(_)
                | FormKind::Template(_)
                | FormKind::Apply(_)
                | FormKind::Assert(_)
                | FormKind::Override(_) => {}
            },
            Item::Attribute(_) => {}
        }
    }
}

fn of_block(block: &ast::Block, around: &'static Kind, found: &mut Vec<(u32, String, &str)>) {
    let Some(nested) = around.block(&block.kind.value) else { return };
    let written = |name: &str| {
        block.body.iter().any(|item| match item {
            Item::Attribute(attribute) => attribute.name.value == name,
            Item::Block(_) | Item::Form(_) => false,
        }) || (block.short && nested.kind.principal.is_some_and(|principal| principal.text() == name))
    };
    let absent: Vec<String> = nested
        .kind
        .attributes
        .iter()
        .filter(|attribute| !written(attribute.name))
        .filter_map(|attribute| match attribute.presence {
            Presence::Default(constant) => {
                Some(format!("{} = {}", attribute.name, kinds::constant_text(constant)))
            }
            Presence::Required | Presence::Optional | Presence::Derived(_) | Presence::Inherited => None,
        })
        .collect();
    if !absent.is_empty() {
        found.push((block.span.end, absent.join(", "), "defaults of what is not given"));
    }
    defaults(&block.body, nested.kind, found);
}

/// The virtual address of each service that is declared here and called by somebody.
fn addresses(view: &View<'_>, found: &mut Vec<(u32, String, &str)>) {
    let (Some(analysis), Some(file)) = (view.analysis(), view.file()) else { return };
    let (Some(plan), Some(model)) = (&analysis.plan, &analysis.model) else { return };
    let mut by_name: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (address, names) in plan.proxies.iter().flat_map(|proxy| &proxy.host_aliases) {
        for name in names.iter() {
            by_name.entry(name.as_str()).or_default().insert(address.to_string());
        }
    }
    for (_, service) in model.services.iter() {
        let span = analysis.sources.original(service.origin.span);
        let name = format!("{}.{}", service.name, model.namespaces.at(service.namespace).name);
        if let Some(addresses) = by_name.get(name.as_str()).filter(|_| span.file == file) {
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
            found.push((
                span.end,
                addresses.join(", "),
                "the virtual address of this service at its callers",
            ));
        }
    }
}

/// For each call the clusters that answer it, in their order, where that is more than the caller's own.
fn orders(view: &View<'_>, found: &mut Vec<(u32, String, &str)>) {
    let (Some(analysis), Some(file)) = (view.analysis(), view.file()) else { return };
    let (Some(topology), Some(model)) = (&analysis.topology, &analysis.model) else { return };
    let mut by_call: BTreeMap<Span, BTreeSet<String>> = BTreeMap::new();
    for (proxy, reaches) in &topology.reaches {
        let own = match proxy {
            ProxyKey::Sidecar { cluster, service: _ } => *cluster,
            ProxyKey::Gateway(gateway) => model.gateways.at(*gateway).cluster,
        };
        for Reach { groups, origins, callee: _, port: _, asked: _ } in reaches {
            if groups.iter().all(|group| group.cluster == own) {
                continue;
            }
            let order: Vec<&str> =
                groups.iter().map(|group| model.clusters.at(group.cluster).name.as_str()).collect();
            let said = format!("{}: {}", model.clusters.at(own).name, order.join(", then "));
            for origin in origins.iter() {
                let span = analysis.sources.original(origin.span);
                if span.file == file {
                    by_call.entry(span).or_default().insert(said.clone());
                }
            }
        }
    }
    for (span, said) in by_call {
        let said: Vec<String> = said.into_iter().collect();
        found.push((
            span.end,
            format!("({})", said.join("; ")),
            "which clusters answer, in order, by the caller's cluster",
        ));
    }
}

/// What can be done with a declaration: open what is generated for it, run a test.
pub(crate) fn lenses(view: &View<'_>) -> Vec<CodeLens> {
    let mut found = Vec::new();
    let (Some(analysis), Some(file)) = (view.analysis(), view.file()) else { return found };
    let declarations = &analysis.declared.declarations;
    let Some(entry) = analysis.files.first().and_then(|entry| entry.to_str()) else { return found };
    let mut seen = BTreeSet::new();
    for (id, entity) in declarations.entities() {
        let span = analysis.sources.original(entity.span);
        if span.file != file || !["service", "gateway"].contains(&entity.kind.word) {
            continue;
        }
        let name = declarations.qualified(id);
        if seen.insert((span, name.clone())) {
            found.push(CodeLens {
                range: view.range(span),
                command: Some(Command {
                    title: format!("generated files of {name}"),
                    command: OPEN_GENERATED.to_owned(),
                    arguments: Some(vec![entry.into(), name.into()]),
                }),
                data: None,
            });
        }
    }
    for (label, span) in tests(&view.text.tree().items) {
        found.push(CodeLens {
            range: view.range(span),
            command: Some(Command {
                title: String::from("run this test"),
                command: RUN_TEST.to_owned(),
                arguments: Some(vec![entry.into(), label.into()]),
            }),
            data: None,
        });
    }
    found
}

/// The tests of a file, with their names.
fn tests(items: &[Item]) -> Vec<(String, Span)> {
    items
        .iter()
        .filter_map(|item| match item {
            Item::Block(block) if block.kind.value == "test" => {
                Some((block.label.as_ref()?.value.clone(), block.kind.span))
            }
            Item::Block(_) | Item::Attribute(_) | Item::Form(_) => None,
        })
        .collect()
}

/// The file that a build made for something: in `out` beside the entry file, for the first cluster that has one.
pub(crate) fn generated(files: &dyn FileSystem, entry: &str, name: &str) -> Option<PathBuf> {
    let out = PathBuf::from(entry).parent()?.join("out");
    let (around, last) = name.rsplit_once('.')?;
    let candidates = |cluster: &str| {
        let cluster = out.join(cluster);
        ["listeners.yaml", "meshd.json"].into_iter().flat_map(move |file| {
            [
                cluster.join("sidecars").join(around).join(last).join("config").join(file),
                cluster.join("gateways").join(last).join("config").join(file),
            ]
        })
    };
    let clusters = files.list(&out).ok()?;
    let mut all = clusters.iter().flat_map(|cluster| candidates(cluster));
    all.find(|path| matches!(files.kind(path), Ok(Some(meshc_driver::FileKind::File))))
}
