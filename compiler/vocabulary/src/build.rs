//! Checked declarations become the model.
//!
//! Every table is filled in the order of names, whatever the order of the source, so that ids and everything made from
//! them are the same for shuffled declarations. Tables are filled before whatever points into them; only calls, which
//! may go in circles, are added at the end.

use std::collections::BTreeMap;

use lang_diagnostics::Sink;
use lang_evaluate::schema::Kind;
use lang_evaluate::{Block, Declarations, EntityId};
use rustc_hash::FxHashMap;

use crate::counting::Counting;
use crate::kind::{
    client, cluster, external, gateway, link, mesh, namespace, network, policy, route, service, subset, test,
    trust,
};
use crate::model::policy::Defaults;
use crate::model::{
    Cluster, ExternalHost, Gateway, Id, Model, Namespace, Network, Policy, Route, Service, Table,
};
use crate::policy::Context;
use crate::testing::Test;

/// The kinds that are looked up in namespaces.
const CALLERS: &[&Kind] = &[&service::KIND, &client::KIND];
const EXTERNALS: &[&Kind] = &[&external::KIND];
const ROUTES: &[&Kind] = &[&route::KIND];
const POLICIES: &[&Kind] = &[&policy::KIND];

/// How many services are worth a second thread.
const MANY: usize = 32;

/// Where each declared entity stands in the tables of the model.
#[derive(Debug, Default)]
pub(crate) struct Ids {
    pub(crate) networks: BTreeMap<EntityId, Id<Network>>,
    pub(crate) clusters: BTreeMap<EntityId, Id<Cluster>>,
    pub(crate) gateways: BTreeMap<EntityId, Id<Gateway>>,
    pub(crate) namespaces: BTreeMap<EntityId, Id<Namespace>>,
    pub(crate) services: FxHashMap<EntityId, Id<Service>>,
    pub(crate) externals: FxHashMap<EntityId, Id<ExternalHost>>,
    pub(crate) routes: BTreeMap<EntityId, Id<Route>>,
}

/// The model and where things are in it, or nothing if a declaration cannot be converted (which was reported).
pub(crate) fn build(
    declarations: &Declarations,
    defaults: Defaults,
    sink: &mut Sink,
) -> Option<(Model, Ids)> {
    let top =
        |kind: &'static Kind| declarations.blocks.iter().filter(move |block| block.kind.word == kind.word);
    let trust = match top(&trust::KIND).next() {
        Some(block) => trust::convert(block)?,
        None => trust::without(top(&mesh::KIND).next()?),
    };
    let mut ids = Ids::default();

    let mut networks = Table::default();
    for block in by_name(top(&network::KIND)) {
        ids.networks.insert(block.entity?, networks.push(network::convert(block)));
    }
    let mut clusters = Table::default();
    let mut gateways = Table::default();
    for block in by_name(top(&cluster::KIND)) {
        let cluster = clusters.push(cluster::convert(block, &ids)?);
        ids.clusters.insert(block.entity?, cluster);
        for inner in by_name(block.blocks(&gateway::KIND)) {
            ids.gateways.insert(inner.entity?, gateways.push(gateway::convert(inner, cluster, sink)?));
        }
    }
    let mesh = mesh::convert(top(&mesh::KIND).next()?, &ids)?;
    let mut links: Vec<_> =
        top(&link::KIND).map(|block| link::convert(block, &ids, sink)).collect::<Option<_>>()?;
    links.sort_by_key(|link| (link.from, link.to, link.latency, link.cost));

    let mut namespaces = Table::default();
    let opened = by_name(top(&namespace::KIND));
    let mut contents: Vec<(Id<Namespace>, Vec<&Block>)> = Vec::new();
    let mut counting = Counting::of(&mesh);
    for block in opened {
        let entity = block.entity?;
        counting.namespace(&mesh, Some(block.name()), &mut namespaces);
        match contents.last_mut() {
            Some((id, blocks)) if ids.namespaces.get(&entity) == Some(id) => blocks.push(block),
            _ => {
                let id = namespaces.push(namespace::convert(block));
                ids.namespaces.insert(entity, id);
                contents.push((id, vec![block]));
            }
        }
    }
    counting.namespace(&mesh, None, &mut namespaces);
    let inside = |kinds: &'static [&'static Kind]| {
        contents.iter().flat_map(move |(id, blocks)| {
            let inner =
                blocks.iter().flat_map(move |block| kinds.iter().flat_map(move |kind| block.blocks(kind)));
            by_name(inner).into_iter().map(move |block| (*id, block))
        })
    };

    let callers: Vec<_> = inside(CALLERS).collect();
    // One more may count for the whole mesh; subsets are few.
    let mut services = Table::with_capacity(callers.len() + 1);
    let converted = apart(&callers, |(namespace, block), sink| {
        service::convert(block, *namespace, mesh.capture, &ids, sink)
    });
    for (&(namespace, block), (converted, found)) in callers.iter().zip(converted) {
        counting.service(&mesh, Some((namespace, block.name())), &mut services);
        found.diagnostics().iter().for_each(|found| sink.push(found.clone()));
        let id = services.push(converted?);
        ids.services.insert(block.entity?, id);
        for inner in by_name(block.blocks(&subset::KIND)) {
            let converted = subset::convert(inner, block, (id, services.at(id)), &ids, sink)?;
            ids.services.insert(inner.entity?, services.push(converted));
        }
        subset::join(id, &mut services, block, sink);
    }
    counting.service(&mesh, None, &mut services);
    let mut externals = Table::default();
    for (namespace, block) in inside(EXTERNALS) {
        ids.externals.insert(
            block.entity?,
            externals.push(external::convert(block, namespace, &gateways, &ids, sink)?),
        );
    }
    let calls = apart(&callers, |(_, block), sink| service::calls(block, &ids, sink));
    for ((_, block), (calls, found)) in callers.iter().zip(calls) {
        found.diagnostics().iter().for_each(|found| sink.push(found.clone()));
        services.get_mut(*ids.services.get(&block.entity?)?)?.calls = calls?;
    }
    let mut routes = Table::default();
    for (namespace, block) in inside(ROUTES) {
        ids.routes
            .insert(block.entity?, routes.push(route::convert(block, namespace, &gateways, &ids, sink)?));
    }

    let context = Context { ids: &ids, gateways: &gateways, defaults: &defaults };
    let mut policies: Table<Policy> = Table::default();
    for block in by_name(top(&policy::KIND)) {
        policies.push(policy::convert(block, None, context, sink)?);
    }
    for (namespace, block) in inside(POLICIES) {
        policies.push(policy::convert(block, Some(namespace), context, sink)?);
    }
    let model = Model {
        mesh,
        trust,
        networks,
        clusters,
        gateways,
        links,
        namespaces,
        services,
        limiter: counting.service,
        externals,
        routes,
        policies,
        defaults,
    };
    Some((model, ids))
}

/// What each block becomes by itself, on all cores, with what is to be said of it.
fn apart<'b, T: Send>(
    blocks: &[(Id<Namespace>, &'b Block)],
    convert: impl Fn(&(Id<Namespace>, &'b Block), &mut Sink) -> Option<T> + Sync,
) -> Vec<(Option<T>, Sink)> {
    lang_parallel::map(blocks, MANY, |block| {
        let mut found = Sink::default();
        (convert(block, &mut found), found)
    })
}

/// The tests, in the order of their places.
pub(crate) fn tests(declarations: &Declarations, model: &Model, ids: &Ids, sink: &mut Sink) -> Vec<Test> {
    let blocks = declarations.blocks.iter().filter(|block| block.kind.word == test::KIND.word);
    let mut tests: Vec<Test> = blocks.filter_map(|block| test::convert(block, ids, model, sink)).collect();
    tests.sort_by_key(|test| test.origin.span);
    tests
}

/// Blocks in the order of their names; a namespace that is opened twice in the order of its places.
fn by_name<'a>(blocks: impl Iterator<Item = &'a Block>) -> Vec<&'a Block> {
    let mut blocks: Vec<_> = blocks.collect();
    blocks.sort_by_key(|block| (block.name(), block.span));
    blocks
}
