//! What Envoy is started with.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::hash::{Hash, Hasher};

use envoy_types::pb::envoy::config::bootstrap::v3::bootstrap::{DynamicResources, StaticResources};
use envoy_types::pb::envoy::config::bootstrap::v3::{
    Admin, Bootstrap, LayeredRuntime, RuntimeLayer, Watchdog, Watchdogs, runtime_layer::LayerSpecifier,
};
use envoy_types::pb::google::protobuf;
use meshc_plan::{ProxyName, ProxyPlan, Role, paths};

use crate::cluster::dns;
use crate::pb::base::{Address, Locality, Node};
use crate::pb::{cluster::Cluster, duration, listener::Listener, pipe};
use crate::placed::Placed;
use crate::{inside, limits, overload, tls};

/// File with the listeners, if they are watched.
pub(crate) const LISTENERS_FILE: &str = "listeners.yaml";
/// File with the clusters, if they are watched.
pub(crate) const CLUSTERS_FILE: &str = "clusters.yaml";

/// Small and constant: everything that a change of the mesh touches is in files that Envoy watches. A ConfigMap's
/// update moves one link in the mounted directory, so that directory is what is watched.
pub(crate) fn watching(placed: &Placed<'_>) -> Bootstrap {
    let directory = placed.path(paths::CONFIG);
    let source = |file| Some(tls::path_source(placed.config_file(file), directory.clone()));
    Bootstrap {
        dynamic_resources: Some(DynamicResources {
            lds_config: source(LISTENERS_FILE),
            cds_config: source(CLUSTERS_FILE),
            ..Default::default()
        }),
        overload_manager: Some(if placed.in_pod() {
            overload::of_container(placed.plan.memory)
        } else {
            overload::of_heap(placed.plan.memory)
        }),
        ..common(placed)
    }
}

/// Feeds what an Envoy with watched files reads only once, when it starts.
pub fn hash_start<H: Hasher>(plan: &ProxyPlan, state: &mut H) {
    let meshc_plan::Locality { region, zone, cluster: _ } = &plan.locality;
    (&plan.name, plan.memory, region, zone, std::mem::discriminant(&plan.role)).hash(state);
}

/// Everything in one, apart from certificates.
pub(crate) fn complete(placed: &Placed<'_>, listeners: Vec<Listener>, clusters: Vec<Cluster>) -> Bootstrap {
    Bootstrap {
        static_resources: Some(StaticResources { listeners, clusters, ..Default::default() }),
        // Wherever that is started, it need not be a container.
        overload_manager: Some(overload::of_heap(placed.plan.memory)),
        ..common(placed)
    }
}

fn common(placed: &Placed<'_>) -> Bootstrap {
    let name = &placed.plan.name;
    let ProxyName { cluster: _, path } = name;
    let meshc_plan::Locality { region, zone, cluster: _ } = &placed.plan.locality;
    Bootstrap {
        node: Some(Node {
            id: name.to_string(),
            cluster: path.clone(),
            locality: Some(Locality { region: region.clone(), zone: zone.clone(), sub_zone: String::new() }),
            ..Default::default()
        }),
        // A socket in a directory that the application does not mount: whoever reaches the admin interface rules the
        // proxy.
        admin: Some(admin(pipe(placed.path(paths::ADMIN_SOCKET), 0o600))),
        typed_dns_resolver_config: Some(dns::resolver()),
        watchdogs: Some(Watchdogs {
            main_thread_watchdog: Some(watchdog()),
            worker_watchdog: Some(watchdog()),
        }),
        bootstrap_extensions: inside::of_process(placed.plan.role),
        layered_runtime: Some(LayeredRuntime { layers: vec![runtime(placed)] }),
        ..Default::default()
    }
}

/// The admin interface at an address, open however many clients there are.
pub(crate) fn admin(address: Address) -> Admin {
    Admin { address: Some(address), ignore_global_conn_limit: true, ..Default::default() }
}

/// Ends a process of which a thread is stuck, so that it is started again. Whoever is asked whether it lives may be
/// another thread.
fn watchdog() -> Watchdog {
    Watchdog { kill_timeout: duration(limits::STUCK), ..Default::default() }
}

/// Whether nobody but proxies and this pod's own application connects to it.
fn peers_only(placed: &Placed<'_>) -> bool {
    match placed.plan.role {
        Role::IngressGateway(_) | Role::EastWestGateway(_) => false,
        Role::Sidecar(_) | Role::EgressGateway(_) => true,
    }
}

/// Settings that Envoy has no field for.
fn runtime(placed: &Placed<'_>) -> RuntimeLayer {
    // By default Envoy refuses a listener with an expression of more than a hundred instructions, which a dozen methods or
    // tiers need. How long one may be is bounded when the mesh is checked, and RE2 bounds its memory itself.
    let number = protobuf::value::Kind::NumberValue;
    let mut fields = vec![
        ("re2.max_program_size.error_level", number(1_000_000.0)),
        // The values by which limits count are formats. Without this they would be texts, and all requests counted together.
        (
            "envoy.reloadable_features.enable_formatter_for_ratelimit_action_descriptor_value",
            protobuf::value::Kind::BoolValue(true),
        ),
    ];
    if peers_only(placed) {
        // Envoy closes a connection when half of its streams were reset within a second: with a peer's connection it would
        // end the requests of everybody who shares it, for what one client does. Strangers' connections are their own, so
        // at an edge the rule stays.
        fields.push((
            "overload.premature_reset_total_stream_count",
            number(limits::STREAMS_BEFORE_RESETS_COUNT.into()),
        ));
    }
    let value = |kind| protobuf::Value { kind: Some(kind) };
    let fields = fields.into_iter().map(|(name, kind)| (name.to_owned(), value(kind))).collect();
    RuntimeLayer {
        name: "mesh".to_owned(),
        layer_specifier: Some(LayerSpecifier::StaticLayer(protobuf::Struct { fields })),
    }
}
