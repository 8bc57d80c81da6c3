//! The files of one proxy.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::service::discovery::v3::DiscoveryResponse;
use envoy_types::pb::google::protobuf::Any;
use meshc_plan::{OutsideSecrets, ProxyPlan, RenderedProxy, Rendering, Role, ServerTls};

use crate::bootstrap::{self, CLUSTERS_FILE, LISTENERS_FILE};
use crate::placed::Placed;
use crate::proto::{Unknown, any, to_yaml};
use crate::{cluster, drain, listener, tls};

/// The file that Envoy is started with.
const BOOTSTRAP_FILE: &str = "bootstrap.yaml";

/// Writes everything in the form asked for.
///
/// # Errors
/// If the committed descriptors lack something that is written.
pub(crate) fn write(placed: &Placed<'_>, form: Rendering) -> Result<RenderedProxy, Unknown> {
    let ProxyPlan {
        name,
        role,
        // What the listeners, the clusters, the bootstrap and the secrets are made of.
        listeners: _,
        upstreams: _,
        memory: _,
        trusted_hops: _,
        rate_limit_upstream: _,
        ip_family: _,
        locality: _,
        identity: _,
        // What the manifests are made of.
        cluster: _,
        data_plane: _,
        capture: _,
        host_aliases: _,
        deployment: _,
        origin: _,
    } = placed.plan;
    let (listeners, clusters) = (listener::all(placed), cluster::all(placed));
    let mut files = secrets(placed)?;
    let bootstrap = match form {
        Rendering::Static => bootstrap::complete(placed, listeners, clusters),
        Rendering::Watched => {
            files.insert(LISTENERS_FILE.to_owned(), resources(listeners.iter().map(any))?);
            files.insert(CLUSTERS_FILE.to_owned(), resources(clusters.iter().map(any))?);
            bootstrap::watching(placed)
        }
    };
    files.insert(BOOTSTRAP_FILE.to_owned(), to_yaml(&bootstrap)?);
    let drain = match role {
        Role::IngressGateway(_) | Role::EastWestGateway(_) | Role::EgressGateway(_) => {
            Some(drain::FILE.to_owned())
        }
        // Kubernetes ends a sidecar after its application, with which all that was in flight has ended.
        Role::Sidecar(_) => None,
    };
    if let Some(file) = &drain {
        files.insert(file.clone(), to_yaml(&drain::bootstrap(placed))?);
    }
    Ok(RenderedProxy {
        proxy: name.clone(),
        files,
        entry: BOOTSTRAP_FILE.to_owned(),
        drain,
        inotify_instances: inotify_instances(placed.plan, form),
    })
}

/// How many inotify instances Envoy opens: one for each file of resources that it follows, and one more for each secret
/// whose own files are followed. It never shares them, not even for one directory.
pub(crate) fn inotify_instances(plan: &ProxyPlan, form: Rendering) -> u32 {
    let watched = match form {
        Rendering::Watched => 2,
        Rendering::Static => 0,
    };
    let own = if plan.identity.is_some() { 2 + 1 } else { 0 };
    let outside = plan.outside_secrets();
    let servers = server_certificates(plan).len()
        + client_roots(plan).len()
        + outside.roots.len()
        + outside.pairs.len();
    let servers = u32::try_from(servers).unwrap_or(u32::MAX);
    servers.saturating_mul(2).saturating_add(watched + own)
}

/// The file of the trust bundle that all Envoys of a mesh follow, beside the bundle itself. It holds the roots, and does
/// not name their file: then one directory is followed instead of two.
///
/// # Errors
/// If the committed descriptors lack something that is written.
pub(crate) fn trust(roots: &str) -> Result<String, Unknown> {
    resources([any(&tls::trust_secret(roots))])
}

/// Key pairs come through files of their own in either form: nothing else makes Envoy load them again.
fn secrets(placed: &Placed<'_>) -> Result<BTreeMap<String, String>, Unknown> {
    let mut files = BTreeMap::new();
    if placed.plan.identity.is_some() {
        files.insert(tls::IDENTITY_FILE.to_owned(), resources([any(&tls::identity_secret(placed))])?);
    }
    for secret in server_certificates(placed.plan) {
        files.insert(tls::server_file(secret), resources([any(&tls::server_secret(placed, secret))])?);
    }
    for secret in client_roots(placed.plan) {
        files.insert(tls::clients_file(secret), resources([any(&tls::clients_secret(placed, secret))])?);
    }
    let OutsideSecrets { roots, pairs } = placed.plan.outside_secrets();
    for secret in roots {
        files.insert(tls::roots_file(secret), resources([any(&tls::roots_secret(placed, secret))])?);
    }
    for secret in pairs {
        files.insert(tls::pair_file(secret), resources([any(&tls::pair_secret(placed, secret))])?);
    }
    Ok(files)
}

/// The Secrets with roots of clients' certificates, each once.
fn client_roots(plan: &ProxyPlan) -> BTreeSet<&str> {
    let clients = server_tls(plan).filter_map(|tls| tls.clients.as_ref());
    clients.map(|clients| clients.secret.as_str()).collect()
}

/// The Secrets of all ports that end TLS, each once.
fn server_certificates(plan: &ProxyPlan) -> BTreeSet<&str> {
    server_tls(plan).flat_map(ServerTls::secrets).collect()
}

/// How each port of an ingress ends TLS that does.
fn server_tls(plan: &ProxyPlan) -> impl Iterator<Item = &ServerTls> {
    plan.listeners.iter().filter_map(|listener| listener.kind.server_tls())
}

/// A file as Envoy's file subscriptions read it.
fn resources(resources: impl IntoIterator<Item = Any>) -> Result<String, Unknown> {
    to_yaml(&DiscoveryResponse { resources: resources.into_iter().collect(), ..Default::default() })
}
