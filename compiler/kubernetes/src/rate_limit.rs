//! The rate-limit service of a cluster, its descriptors, and the Redis that its replicas count in.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use meshc_plan::paths::{
    RATE_LIMIT_DEBUG_PORT, RATE_LIMIT_GRPC_PORT, RATE_LIMIT_HTTP_PORT, RATE_LIMIT_SERVICE,
};
use meshc_plan::{ClusterPlan, Deployment, Owner, ProxyPlan, app_label, wildcard};
use meshc_yaml::{Map, Stream, Value, list, map};

use crate::Tree;
use crate::companion::{network_policy, rule};
use crate::container::{MESHD_IMAGE, USER, apart, budget, liveness, locked_down};
use crate::families::with_families;
use crate::metadata::{COMPONENT, NAME, generator, labels, managed, metadata, object, texts};

/// Where the service finds its descriptors.
const CONFIG: &str = "/etc/rate-limit";
/// Redis 7.2: the last release line under the BSD licence.
pub(crate) const REDIS_IMAGE: &str = "redis:7.2";
/// The name of its Redis.
pub(crate) const REDIS: &str = "rate-limit-redis";
const REDIS_PORT: u16 = 6379;

/// Writes the folder; returns it.
pub(crate) fn render(
    cluster: &ClusterPlan,
    proxies: &[&ProxyPlan],
    files: &BTreeMap<String, String>,
    tree: &mut Tree,
) -> String {
    let folder = format!("{}/rate-limit", cluster.name);
    for (file, contents) in files {
        tree.insert(format!("{folder}/config/{file}"), contents.clone());
    }
    let documents = [("service.yaml", service_documents(cluster)), ("redis.yaml", redis_documents(cluster))];
    for (file, documents) in documents {
        tree.insert(format!("{folder}/{file}"), Stream::new().documents(documents).emit());
    }
    let configuration = files.keys().map(|file| format!("config/{file}"));
    let generators = list![generator(RATE_LIMIT_SERVICE, &cluster.mesh_namespace, configuration)];
    // What counts for the whole mesh has a sidecar.
    let of_mesh = |proxy: &&&ProxyPlan| match &proxy.deployment {
        Deployment::Sidecar(sidecar) => sidecar.owner == Owner::Mesh,
        Deployment::Gateway(_) => false,
    };
    let sidecars = proxies.iter().filter(of_mesh).map(|proxy| format!("../{}", proxy.name.path));
    let kustomization = Map::new()
        .with("apiVersion", "kustomize.config.k8s.io/v1beta1")
        .with("kind", "Kustomization")
        .with("resources", texts(["redis.yaml", "service.yaml"].map(String::from)))
        .with("configMapGenerator", generators)
        .with_non_empty("components", texts(sidecars));
    tree.insert(
        format!("{folder}/kustomization.yaml"),
        Stream::new().document(Value::from(kustomization)).emit(),
    );
    String::from("rate-limit")
}

fn service_documents(cluster: &ClusterPlan) -> Vec<Value> {
    let own = [(NAME, RATE_LIMIT_SERVICE), (COMPONENT, "rate-limit")];
    let namespace = &cluster.mesh_namespace;
    let redis = format!("redis://{REDIS}.{namespace}.svc.{}.:{REDIS_PORT}", cluster.domain);
    let listen = |port: u16| SocketAddr::new(wildcard(cluster.ip_family), port).to_string();
    let container = map! {
        "name" => "rate-limit",
        "image" => MESHD_IMAGE,
        "args" => texts([
            String::from("rate-limit"),
            String::from("--config"),
            CONFIG.to_owned(),
            String::from("--redis"),
            redis,
            String::from("--listen"),
            listen(RATE_LIMIT_GRPC_PORT),
            String::from("--http-listen"),
            listen(RATE_LIMIT_HTTP_PORT),
            String::from("--debug-listen"),
            listen(RATE_LIMIT_DEBUG_PORT),
        ]),
        "ports" => list![
            map! { "name" => "grpc", "containerPort" => RATE_LIMIT_GRPC_PORT },
            map! { "name" => "http", "containerPort" => RATE_LIMIT_HTTP_PORT },
            map! { "name" => "debug", "containerPort" => RATE_LIMIT_DEBUG_PORT },
        ],
        "readinessProbe" => map! {
            "httpGet" => map! { "path" => "/healthcheck", "port" => RATE_LIMIT_HTTP_PORT },
        },
        "livenessProbe" => liveness(map! { "path" => "/healthcheck", "port" => RATE_LIMIT_HTTP_PORT }),
        "resources" => map! {
            "requests" => map! { "cpu" => "20m", "memory" => "32Mi" },
            "limits" => map! { "memory" => "256Mi" },
        },
        "securityContext" => locked_down(USER),
        "volumeMounts" => list![map! { "name" => "config", "mountPath" => CONFIG, "readOnly" => true }],
    };
    let volume = map! { "name" => "config", "configMap" => map! { "name" => RATE_LIMIT_SERVICE } };
    let (key, _) = app_label("");
    let sidecars = map! {
        "namespaceSelector" => map! {},
        "podSelector" => map! { "matchExpressions" => list![map! { "key" => key, "operator" => "Exists" }] },
    };
    let gateways =
        map! { "podSelector" => map! { "matchLabels" => labels(&[(COMPONENT, "ingress-gateway")]) } };
    vec![
        deployment(cluster, RATE_LIMIT_SERVICE, &own, 2, container, vec![volume]),
        service(
            cluster,
            RATE_LIMIT_SERVICE,
            &own,
            &[
                ("grpc", RATE_LIMIT_GRPC_PORT),
                ("http", RATE_LIMIT_HTTP_PORT),
                ("debug", RATE_LIMIT_DEBUG_PORT),
            ],
        ),
        // Questions come from sidecars and ingress gateways; metrics may be fetched by whoever fetches those of proxies.
        network_policy(
            RATE_LIMIT_SERVICE,
            namespace,
            &own,
            &[
                rule(&[RATE_LIMIT_GRPC_PORT], Some(list![sidecars, gateways])),
                rule(&[RATE_LIMIT_HTTP_PORT], None),
            ],
        ),
        budget(metadata(RATE_LIMIT_SERVICE, namespace, &own), &[(NAME, RATE_LIMIT_SERVICE)]),
    ]
}

fn redis_documents(cluster: &ClusterPlan) -> Vec<Value> {
    let own = [(NAME, REDIS), (COMPONENT, "rate-limit-redis")];
    let container = map! {
        "name" => "redis",
        "image" => REDIS_IMAGE,
        // Counters live until their window ends, and a restart begins it anew: nothing is worth a disk. Protected mode
        // would refuse every other pod; the policy below admits the rate-limit service alone.
        "args" => list![
            "--protected-mode", "no", "--save", "", "--appendonly", "no",
            "--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl",
        ],
        "ports" => list![map! { "name" => "redis", "containerPort" => REDIS_PORT }],
        "readinessProbe" => map! { "tcpSocket" => map! { "port" => REDIS_PORT } },
        // The kernel takes connections for a Redis that is stuck; an answer it cannot give.
        "livenessProbe" => map! {
            "exec" => map! { "command" => list!["redis-cli", "ping"] },
            "periodSeconds" => 10,
            "timeoutSeconds" => 5,
            "failureThreshold" => 3,
        },
        "resources" => map! {
            "requests" => map! { "cpu" => "20m", "memory" => "32Mi" },
            "limits" => map! { "memory" => "192Mi" },
        },
        "securityContext" => locked_down(USER),
    };
    let peers =
        list![map! { "podSelector" => map! { "matchLabels" => labels(&[(NAME, RATE_LIMIT_SERVICE)]) } }];
    vec![
        deployment(cluster, REDIS, &own, 1, container, Vec::new()),
        service(cluster, REDIS, &own, &[("redis", REDIS_PORT)]),
        network_policy(REDIS, &cluster.mesh_namespace, &own, &[rule(&[REDIS_PORT], Some(peers))]),
    ]
}

fn deployment(
    cluster: &ClusterPlan,
    name: &str,
    own: &[(&str, &str)],
    replicas: u32,
    container: Value,
    volumes: Vec<Value>,
) -> Value {
    let spread = if replicas > 1 { vec![apart(&[(NAME, name)])] } else { Vec::new() };
    let pod = Map::new()
        .with("automountServiceAccountToken", false)
        .with_non_empty("topologySpreadConstraints", Value::List(spread))
        .with("containers", list![container])
        .with_non_empty("volumes", Value::List(volumes));
    let spec = map! {
        "replicas" => replicas,
        "selector" => map! { "matchLabels" => labels(&[(NAME, name)]) },
        "template" => map! { "metadata" => map! { "labels" => managed(own) }, "spec" => Value::from(pod) },
    };
    let metadata = metadata(name, &cluster.mesh_namespace, own);
    Value::from(object("apps/v1", "Deployment", metadata).with("spec", spec))
}

fn service(cluster: &ClusterPlan, name: &str, own: &[(&str, &str)], ports: &[(&str, u16)]) -> Value {
    let ports =
        ports.iter().map(|(name, port)| map! { "name" => *name, "port" => *port, "targetPort" => *port });
    let spec =
        Map::new().with("selector", labels(&[(NAME, name)])).with("ports", Value::List(ports.collect()));
    let spec = with_families(spec, cluster);
    Value::from(object("v1", "Service", metadata(name, &cluster.mesh_namespace, own)).with("spec", spec))
}
