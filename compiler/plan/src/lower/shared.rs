//! What all callers in a cluster see alike, made once and shared: a plan's size then grows with what proxies do
//! themselves, and backends may render a shared value once.
//!
//! Invariant: what is made depends on its key only, so it does not matter which proxy, and which thread, asks for it first.

use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, PoisonError};

use lang_diagnostics::{Diagnostic, Sink};
use meshc_topology::Reach;
use meshc_vocabulary::model::{Callee, Cluster, Id, Port, Route};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::context::Context;
use super::outbound::Called;
use super::{outbound, upstream};
use crate::{Upstream, VirtualHost};

/// Whether a caller lives in the callee's namespace, and so may leave the namespace out of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Vicinity {
    SameNamespace,
    OtherNamespace,
}

/// In how many parts each kind of value is kept, so that threads seldom wait for each other.
const PARTS: usize = 16;

/// Values that are made when first asked for.
struct Memo<Key, Value>([Mutex<FxHashMap<Key, Value>>; PARTS]);

impl<Key, Value> Default for Memo<Key, Value> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl<Key: Hash + Eq, Value: Clone> Memo<Key, Value> {
    /// The value of this key. Two threads may make it at once; then both take the one that was there first.
    fn get(&self, key: Key, make: impl FnOnce() -> Value) -> Value {
        let hash = usize::try_from(FxBuildHasher.hash_one(&key) >> 48).unwrap_or_default();
        let Some(part) = self.0.get(hash % PARTS) else { return make() };
        // Nothing is half done when a thread panics: a value is there or is not.
        let known = part.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let made = make();
            part.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(made).clone()
        })
    }
}

/// A callee and the position of one of its ports.
type CalleePort = (Callee, usize);

/// The caller's cluster, what is called, the route that takes the calls, and who calls if the route tells that.
type RoutedPort = (Id<Cluster>, CalleePort, Option<Id<Route>>, Option<String>);

/// A callee port as upstreams.
type Upstreams = Arc<[Arc<Upstream>]>;

/// Hosts, and what is to be said about them.
type Hosts = (Arc<[VirtualHost]>, Arc<[Diagnostic]>);

/// Upstreams, names and hosts by the caller's cluster.
#[derive(Default)]
pub(super) struct Shared {
    upstreams: Memo<(Id<Cluster>, CalleePort), Upstreams>,
    names: Memo<(Id<Cluster>, Callee, Vicinity), Arc<[String]>>,
    virtual_hosts: Memo<RoutedPort, Hosts>,
}

impl Shared {
    /// A callee port as every proxy of a cluster sees it: the topology gives them all the same groups.
    pub(super) fn upstreams(
        &self,
        context: &Context<'_>,
        caller: Id<Cluster>,
        reach: &Reach,
        port: &Port,
    ) -> Upstreams {
        self.upstreams.get((caller, (reach.callee, reach.port)), || {
            upstream::callees(context, caller, reach, port).into_iter().map(Arc::new).collect()
        })
    }

    /// The names by which applications of a cluster may know a callee.
    pub(super) fn names(
        &self,
        context: &Context<'_>,
        caller: Id<Cluster>,
        callee: Callee,
        vicinity: Vicinity,
    ) -> Arc<[String]> {
        self.names
            .get((caller, callee, vicinity), || outbound::names(context, caller, callee, vicinity).into())
    }

    /// The hosts of the outbound listener for a callee port. Where a request goes when it is sent again depends on the
    /// groups that the caller's cluster reaches, and where it goes at all on the route that takes the call. Each caller
    /// reports what is wrong with them.
    pub(super) fn virtual_hosts(
        &self,
        context: &Context<'_>,
        call: &Called<'_>,
        sink: &mut Sink,
    ) -> Arc<[VirtualHost]> {
        let Called { cluster, reach, port: _, routed, caller } = *call;
        let key =
            (cluster, (reach.callee, reach.port), routed.map(|(route, _)| route), caller.map(str::to_owned));
        let (hosts, found) = self.virtual_hosts.get(key, || {
            let mut found = Sink::default();
            let host = outbound::virtual_host(context, call, &mut found);
            ([host].into(), found.diagnostics().into())
        });
        found.iter().for_each(|found| sink.push(found.clone()));
        hosts
    }
}
