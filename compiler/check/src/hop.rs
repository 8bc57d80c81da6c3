//! The hop where a path breaks, as a place and a sentence.

use lang_diagnostics::Span;
use meshc_topology::BrokenHop;
use meshc_vocabulary::model::{ClusterState, Model};

/// The place to look at, and what is wrong there.
pub(crate) fn place(model: &Model, hop: BrokenHop) -> (Span, String) {
    match hop {
        BrokenHop::NoLink(from, to) => {
            let (from, to) = (model.networks.at(from), model.networks.at(to));
            (to.origin.span, format!("no chain of links leads here from network `{}`", from.name))
        }
        BrokenHop::NoTransit(network) => (
            model.networks.at(network).origin.span,
            String::from("the way leads through here, and no active cluster of it has an east-west gateway"),
        ),
        BrokenHop::NoGateway(cluster) => {
            (model.clusters.at(cluster).origin.span, String::from("this cluster has no east-west gateway"))
        }
        BrokenHop::NoAddress(gateway) => {
            (model.gateways.at(gateway).origin.span, String::from("this gateway has no address"))
        }
        BrokenHop::OtherFamily(gateway, from) => {
            let from = model.clusters.at(from);
            let text = format!(
                "pods of `{}` have {} addresses, and this gateway has none",
                from.name,
                from.ip_family.words()
            );
            (model.gateways.at(gateway).origin.span, text)
        }
        BrokenHop::NotActive(cluster) => {
            let cluster = model.clusters.at(cluster);
            let state = match cluster.state {
                ClusterState::Joining => "joining",
                ClusterState::Active => "active",
                ClusterState::Draining => "draining",
            };
            (cluster.origin.span, format!("this cluster is {state}: it gets no traffic from others"))
        }
        BrokenHop::Hidden { at, answers } => {
            let text = if at == answers {
                String::from("its gateways pass this callee on to its own pods")
            } else {
                format!("its gateways pass this callee on to `{}`", model.clusters.at(answers).name)
            };
            (model.clusters.at(at).origin.span, text)
        }
    }
}

/// The way out.
pub(crate) fn way_out(model: &Model, hop: BrokenHop) -> String {
    match hop {
        BrokenHop::NoLink(from, to) => {
            let (from, to) = (&model.networks.at(from).name, &model.networks.at(to).name);
            format!("declare the way with `link {{ between = [{from}, {to}] }}`, or run the callee nearer")
        }
        BrokenHop::NoTransit(network) => {
            let name = &model.networks.at(network).name;
            format!("give a cluster in `{name}` a gateway with `role = east_west` and an address")
        }
        BrokenHop::NoGateway(cluster) => {
            let name = &model.clusters.at(cluster).name;
            format!("add `gateway eastwest {{ role = east_west, address = … }}` to cluster `{name}`")
        }
        BrokenHop::NoAddress(_) => {
            String::from("add `address = …`, the address or host name at which other clusters reach it")
        }
        BrokenHop::OtherFamily(_, from) => format!(
            "add an {} address or a host name to the gateway: `addresses = [ … ]`",
            model.clusters.at(from).ip_family.words()
        ),
        BrokenHop::NotActive(_) => String::from(
            "run the callee in an active cluster too, or wait with the call until this one is active",
        ),
        BrokenHop::Hidden { .. } => String::from(
            "an SNI names no cluster, so a gateway on the way decides for all: add a link past it, or another way",
        ),
    }
}
