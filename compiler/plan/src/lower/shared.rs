//! What all callers in a cluster see alike, made once and shared: a plan's size then grows with what proxies do
//! themselves, and backends may render a shared value once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use lang_diagnostics::Sink;
use meshc_topology::Reach;
use meshc_vocabulary::model::{Callee, Cluster, Id, Port, Route};

use super::context::Context;
use super::outbound::Called;
use super::{outbound, upstream};
use crate::{Upstream, VirtualHost};

/// Whether a caller lives in the callee's namespace, and so may leave the namespace out of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Vicinity {
    SameNamespace,
    OtherNamespace,
}

/// Values that are made when first asked for.
type Memo<Key, Value> = RefCell<BTreeMap<Key, Arc<Value>>>;

/// A callee and the position of one of its ports.
type CalleePort = (Callee, usize);

/// The caller's cluster, what is called, the route that takes the calls, and who calls if the route tells that.
type RoutedPort = (Id<Cluster>, CalleePort, Option<Id<Route>>, Option<String>);

/// Upstreams, names and hosts by the caller's cluster.
#[derive(Default)]
pub(super) struct Shared {
    upstreams: Memo<(Id<Cluster>, CalleePort), [Arc<Upstream>]>,
    names: Memo<(Id<Cluster>, Callee, Vicinity), [String]>,
    virtual_hosts: Memo<RoutedPort, [VirtualHost]>,
}

impl Shared {
    /// A callee port as every proxy of a cluster sees it: the topology gives them all the same groups.
    pub(super) fn upstreams(
        &self,
        context: &Context<'_>,
        caller: Id<Cluster>,
        reach: &Reach,
        port: &Port,
    ) -> Arc<[Arc<Upstream>]> {
        let mut known = self.upstreams.borrow_mut();
        let made = known.entry((caller, (reach.callee, reach.port))).or_insert_with(|| {
            upstream::callees(context, caller, reach, port).into_iter().map(Arc::new).collect()
        });
        Arc::clone(made)
    }

    /// The names by which applications of a cluster may know a callee.
    pub(super) fn names(
        &self,
        context: &Context<'_>,
        caller: Id<Cluster>,
        callee: Callee,
        vicinity: Vicinity,
    ) -> Arc<[String]> {
        let mut known = self.names.borrow_mut();
        let made = known
            .entry((caller, callee, vicinity))
            .or_insert_with(|| outbound::names(context, caller, callee, vicinity).into());
        Arc::clone(made)
    }

    /// The hosts of the outbound listener for a callee port. Where a request goes when it is sent again depends on the
    /// groups that the caller's cluster reaches, and where it goes at all on the route that takes the call.
    pub(super) fn virtual_hosts(
        &self,
        context: &Context<'_>,
        call: &Called<'_>,
        sink: &mut Sink,
    ) -> Arc<[VirtualHost]> {
        let Called { cluster, reach, port: _, routed, caller } = *call;
        let mut known = self.virtual_hosts.borrow_mut();
        let made = known
            .entry((
                cluster,
                (reach.callee, reach.port),
                routed.map(|(route, _)| route),
                caller.map(str::to_owned),
            ))
            .or_insert_with(|| [outbound::virtual_host(context, call, sink)].into());
        Arc::clone(made)
    }
}
