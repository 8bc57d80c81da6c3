//! Objects that would have one name: two of ours, or one of ours and one of the user's own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::hash_map::Entry;

use lang_diagnostics::{Diagnostic, Origin, Sink};
use meshc_plan::paths::{RATE_LIMIT_SERVICE, TRUST_CONFIG_MAP};
use meshc_plan::{ClusterPlan, Deployment, Owner, Plan, SidecarDeployment, companion_service};
use meshc_vocabulary::model::WorkloadKind;
use rustc_hash::FxHashMap;

use crate::{codes, rate_limit, sidecar};

/// Reports every pair of places that want one name, with the first object over which they fall out.
pub(crate) fn check(plan: &Plan, sink: &mut Sink) {
    let mut findings = BTreeMap::new();
    for cluster in &plan.clusters {
        let mut claims = Claims { taken: FxHashMap::default(), findings: &mut findings };
        of_mesh(plan, cluster, &mut claims);
        for proxy in plan.proxies.iter().filter(|proxy| proxy.cluster == cluster.id) {
            match &proxy.deployment {
                Deployment::Gateway(gateway) => {
                    for kind in [Kind::ConfigMap, Kind::Service, DEPLOYMENT] {
                        claims.ours(kind, &cluster.mesh_namespace, &gateway.object, &proxy.origin);
                    }
                }
                Deployment::Sidecar(sidecar) => of_service(sidecar, &proxy.origin, &mut claims),
            }
        }
    }
    for finding in findings.into_values() {
        sink.push(finding);
    }
}

/// What the mesh has for itself in a cluster.
fn of_mesh<'p>(plan: &'p Plan, cluster: &'p ClusterPlan, claims: &mut Claims<'p, '_>) {
    for namespace in &cluster.namespaces {
        claims.ours(Kind::ConfigMap, namespace, TRUST_CONFIG_MAP, &cluster.origin);
    }
    claims.ours(Kind::ConfigMap, &cluster.mesh_namespace, &cluster.mesh_namespace, &cluster.origin);
    let counting = plan.rate_limits.iter().find(|service| service.cluster == cluster.id);
    let Some(limit) = counting.and_then(|service| service.domains.first()) else { return };
    claims.ours(Kind::ConfigMap, &cluster.mesh_namespace, RATE_LIMIT_SERVICE, &limit.origin);
    for name in [RATE_LIMIT_SERVICE, rate_limit::REDIS] {
        for kind in [Kind::Service, DEPLOYMENT] {
            claims.ours(kind, &cluster.mesh_namespace, name, &limit.origin);
        }
    }
}

/// A service's own Service and workloads, which are the user's, and what we put beside them.
fn of_service<'p>(sidecar: &'p SidecarDeployment, origin: &'p Origin, claims: &mut Claims<'p, '_>) {
    let SidecarDeployment { owner, namespace, service, subset, workloads, ports, .. } = sidecar;
    claims.ours(Kind::ConfigMap, namespace, sidecar::config_map(sidecar), origin);
    match owner {
        Owner::User => {}
        // What it stands beside has been claimed.
        Owner::Mesh => {
            claims.ours(Kind::Service, namespace, companion_service(&sidecar.object_name()), origin);
            return;
        }
    }
    if !ports.is_empty() {
        // The subsets of a service share its Service, whose name nothing else can have: services have different names.
        match subset {
            Some(_) => claims.shared(Kind::Service, namespace, service, origin),
            None => claims.users(Kind::Service, namespace, service, origin),
        }
        claims.ours(Kind::Service, namespace, companion_service(&sidecar.object_name()), origin);
    }
    for workload in workloads {
        claims.users(Kind::Workload(workload.kind), namespace, &workload.name, &workload.origin);
    }
}

/// A kind of objects whose names must differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    ConfigMap,
    Service,
    Workload(WorkloadKind),
}

const DEPLOYMENT: Kind = Kind::Workload(WorkloadKind::Deployment);

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Service => "Service",
            Self::Workload(kind) => sidecar::kind_word(kind),
        }
    }
}

/// Who wants which name in one cluster.
struct Claims<'p, 'f> {
    taken: FxHashMap<(Kind, &'p str, Cow<'p, str>), (Owner, &'p Origin)>,
    /// By the two places, so that a service in many clusters is reported once.
    findings: &'f mut BTreeMap<(Origin, Origin), Diagnostic>,
}

impl<'p> Claims<'p, '_> {
    fn ours(&mut self, kind: Kind, namespace: &'p str, name: impl Into<Cow<'p, str>>, origin: &'p Origin) {
        self.take((kind, namespace, name.into()), (Owner::Mesh, origin));
    }

    fn users(&mut self, kind: Kind, namespace: &'p str, name: &'p str, origin: &'p Origin) {
        self.take((kind, namespace, name.into()), (Owner::User, origin));
    }

    /// A name that several of ours have for one thing of the user's; the first of them stands for all.
    fn shared(&mut self, kind: Kind, namespace: &'p str, name: &'p str, origin: &'p Origin) {
        let object = (kind, namespace, Cow::Borrowed(name));
        if self.taken.get(&object).is_none_or(|(owner, _)| *owner == Owner::Mesh) {
            self.take(object, (Owner::User, origin));
        }
    }

    fn take(&mut self, object: (Kind, &'p str, Cow<'p, str>), claim: (Owner, &'p Origin)) {
        let (object, known) = match self.taken.entry(object) {
            Entry::Vacant(free) => {
                free.insert(claim);
                return;
            }
            Entry::Occupied(taken) => (taken.key().clone(), *taken.get()),
        };
        let (first, second) = if known.1 <= claim.1 { (known, claim) } else { (claim, known) };
        let (kind, namespace, name) = object;
        let object = format!("{} `{namespace}/{name}`", kind.word());
        let places = (second.1.clone(), first.1.clone());
        self.findings.entry(places).or_insert_with(|| match (first.0, second.0) {
            (Owner::User, Owner::User) => two_sidecars(&object, first.1, second.1),
            (Owner::Mesh, _) | (_, Owner::Mesh) => one_name(&object, first.1, second.1),
        });
    }
}

fn one_name(object: &str, first: &Origin, second: &Origin) -> Diagnostic {
    let message = format!("the {object} would belong to {} and to {}", first.name, second.name);
    Diagnostic::error(codes::NAME_TAKEN, second.span, message)
        .label("this needs it")
        .also(first.span, "and so does this")
        .help("rename one of the two")
}

fn two_sidecars(object: &str, first: &Origin, second: &Origin) -> Diagnostic {
    let message = format!("the {object} would get two sidecars");
    Diagnostic::error(codes::TWO_SIDECARS, second.span, message)
        .label("one for this")
        .also(first.span, "and one for this")
        .help("give each a workload of its own; what runs in one pod is one service, with several ports, or one subset of it")
}
