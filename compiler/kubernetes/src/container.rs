//! The proxy's container and the volumes it mounts, the same in gateways and beside applications.

use meshc_plan::paths;
use meshc_plan::paths::{LIVE_PATH, READINESS_PORT, READY_PATH};
use meshc_plan::{ClusterPlan, ProxyPlan, RenderedProxy, VirtualRange};
use meshc_vocabulary::model::{Capture, DataPlane, Resources};
use meshc_yaml::{Map, Value, list, map};

use crate::metadata::{labels, object};

/// The image of Envoy, and of meshd. Replace them with kustomize's `images` where a cluster pulls from elsewhere.
pub(crate) const ENVOY_IMAGE: &str = "envoyproxy/envoy:distroless-v1.40.0";
/// See [`ENVOY_IMAGE`]; `runtime/meshd/Containerfile` makes it.
pub(crate) const MESHD_IMAGE: &str = concat!("meshd:", env!("CARGO_PKG_VERSION"));
/// The user that distroless images run as; it owns nothing.
pub(crate) const USER: i32 = 65532;
/// The users of proxies: from the first one on, so many. All are below 65,536, where a pod's own user namespace ends.
const PROXY_USERS: (i32, u64) = (20_000, 40_000);
/// How long a proxy keeps serving after its end was asked for, in seconds: as long as other resolvers may remember
/// the pod.
pub(crate) const DRAIN_SECONDS: u32 = 15;
/// How long a gateway that drains by itself waits before it is told to, in seconds.
const GATEWAY_PAUSE_SECONDS: u32 = 5;
/// How long a gateway may take for all of that, in seconds: more than the longest drain of either data plane.
pub(crate) const GATEWAY_GRACE_SECONDS: u32 = 60;
/// Where Envoy's images have the program.
const ENVOY_PROGRAM: &str = "/usr/local/bin/envoy";
/// How many threads serve in an Envoy. Its own choice is one for each core of the node, each with connections of its
/// own to every endpoint: on a large node more than pools admit, and requests that no longer spread evenly.
const WORKERS: &str = "2";
/// The first minor version (of major 1) whose `preStop` knows `sleep` without a feature gate.
const SLEEP_SINCE: u16 = 30;

/// Processor time that is reserved for a proxy, in thousandths of a core.
const PROXY_CPU: u64 = 20;

/// What a proxy's container mounts: (volume, path).
const CONFIG_VOLUME: &str = "mesh-config";
const IDENTITY_VOLUME: &str = "mesh-identity";
const TRUST_VOLUME: &str = "mesh-trust";
const RUN_VOLUME: &str = "mesh-run";

/// Whether `preStop: sleep` exists there.
pub(crate) fn knows_sleep(cluster: &ClusterPlan) -> bool {
    (cluster.kubernetes.major, cluster.kubernetes.minor) >= (1, SLEEP_SINCE)
}

/// The proxy's container without what differs between gateways and sidecars.
pub(crate) fn proxy(
    proxy: &ProxyPlan,
    rendered: &RenderedProxy,
    ports: Value,
    (resources, memory): (&Resources, u64),
) -> Map {
    let entry = format!("{}/{}", paths::CONFIG, rendered.entry);
    let (image, arguments) = match proxy.data_plane {
        DataPlane::Envoy => {
            // What an edit replaces drains for Envoy's own ten minutes: a shorter time cuts connections on which a
            // request may be on its way. Hot restart listens on an abstract socket, which everybody in the pod reaches:
            // through it the application could end its proxy.
            let start = list![
                "-c",
                entry.as_str(),
                "--concurrency",
                WORKERS,
                "--disable-hot-restart",
                "--log-level",
                "warning",
            ];
            (ENVOY_IMAGE, start)
        }
        DataPlane::Meshd => {
            let drain = DRAIN_SECONDS.to_string();
            (MESHD_IMAGE, list!["run", "--config", entry.as_str(), "--drain-seconds", drain.as_str()])
        }
    };
    let probe = map! { "httpGet" => map! { "path" => READY_PATH, "port" => READINESS_PORT } };
    Map::new()
        .with("name", "mesh-proxy")
        .with("image", image)
        .with("args", arguments)
        .with("ports", ports)
        .with(
            "startupProbe",
            map! {
                "httpGet" => map! { "path" => READY_PATH, "port" => READINESS_PORT },
                "periodSeconds" => 1,
                "failureThreshold" => 60,
            },
        )
        .with("readinessProbe", probe)
        .with("livenessProbe", liveness(map! { "path" => LIVE_PATH, "port" => READINESS_PORT }))
        .with("resources", self::resources(resources, memory, proxy.memory))
        .with("securityContext", locked_down(user(&proxy.name.path)))
        .with("volumeMounts", mounts(proxy))
}

/// What a proxy reserves and may use at most; `memory` is reserved where nothing is said.
fn resources(resources: &Resources, memory: u64, most: u64) -> Value {
    let Resources { cpu, cpu_limit, memory: reserved, memory_limit: _ } = resources;
    let mut limits = Map::new();
    if let Some(limit) = cpu_limit {
        limits.insert("cpu", format!("{limit}m"));
    }
    let reserved = bytes(reserved.unwrap_or(memory.min(most)));
    map! {
        "requests" => map! { "cpu" => format!("{}m", cpu.unwrap_or(PROXY_CPU)), "memory" => reserved },
        "limits" => Value::from(limits.with("memory", bytes(most))),
    }
}

/// A number of bytes as Kubernetes writes it.
fn bytes(number: u64) -> String {
    if number.is_multiple_of(1 << 20) { format!("{}Mi", number >> 20) } else { number.to_string() }
}

/// Restarts a container that is stuck: nothing that it waits for takes half a minute.
pub(crate) fn liveness(get: Value) -> Value {
    map! { "httpGet" => get, "periodSeconds" => 10, "timeoutSeconds" => 5, "failureThreshold" => 3 }
}

/// The user that a proxy runs as: one for each gateway and for the sidecars of each service. Linux counts a user's
/// inotify instances over a whole node, and images of applications that run as [`USER`] too would have the same rights
/// where a pod shares its processes. Two proxies with one user only share that count. FNV-1a (64 bit) over the name.
fn user(name: &str) -> i32 {
    let (first, many) = PROXY_USERS;
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    first + i32::try_from((hash ^ (hash >> 32)) % many).unwrap_or_default()
}

/// What redirects the application's outbound connections before anything of the pod sends one. Packet-filter rules need
/// a capability, and a capability needs root: this container has both, alone in its pod, and ends before the
/// application starts.
pub(crate) fn redirection(cluster: &ClusterPlan) -> Value {
    let range = VirtualRange::of(Capture::Redirect, cluster.ip_family).text();
    let port = paths::OUTBOUND_PORT.to_string();
    map! {
        "name" => "mesh-redirect",
        "image" => MESHD_IMAGE,
        "args" => list!["redirect", "--range", range, "--to-port", port.as_str()],
        "resources" => map! {
            "requests" => map! { "cpu" => "10m", "memory" => "16Mi" },
            "limits" => map! { "memory" => "64Mi" },
        },
        "securityContext" => map! {
            "allowPrivilegeEscalation" => false,
            "capabilities" => map! { "drop" => list!["ALL"], "add" => list!["NET_ADMIN"] },
            "readOnlyRootFilesystem" => true,
            "runAsNonRoot" => false,
            "runAsUser" => 0,
            "runAsGroup" => 0,
            "seccompProfile" => map! { "type" => "RuntimeDefault" },
        },
    }
}

/// A container that may do nothing but serve, as a user that owns nothing.
pub(crate) fn locked_down(user: i32) -> Value {
    map! {
        "allowPrivilegeEscalation" => false,
        "capabilities" => map! { "drop" => list!["ALL"] },
        "readOnlyRootFilesystem" => true,
        "runAsNonRoot" => true,
        "runAsUser" => user,
        "seccompProfile" => map! { "type" => "RuntimeDefault" },
    }
}

/// What happens in a gateway after its end was asked for and before it is told. meshd drains by itself and only waits
/// until the load balancer has stopped sending; Envoy would end at once, so all its draining is here: the same program
/// with another file, which ends when nothing is in flight any more.
pub(crate) fn before_the_end(cluster: &ClusterPlan, rendered: &RenderedProxy) -> Option<Value> {
    if let Some(drain) = &rendered.drain {
        let file = format!("{}/{drain}", paths::CONFIG);
        let command = list![
            ENVOY_PROGRAM,
            "-c",
            file.as_str(),
            "--concurrency",
            "1",
            "--disable-hot-restart",
            "--log-level",
            "warning",
        ];
        return Some(map! { "exec" => map! { "command" => command } });
    }
    knows_sleep(cluster).then(|| map! { "sleep" => map! { "seconds" => GATEWAY_PAUSE_SECONDS } })
}

/// A port of a container. Its name, other than a Service's, may have 15 characters and needs a letter
/// (IANA_SVC_NAME, RFC 6335, section 5.1), and `mesh-` begins our own; a port without a name is as good.
pub(crate) fn port(name: &str, number: u16) -> Value {
    let good = name.len() <= 15
        && !name.starts_with("mesh-")
        && !name.contains("--")
        && name.contains(|c: char| c.is_ascii_alphabetic());
    let named = if good { Map::new().with("name", name) } else { Map::new() };
    Value::from(named.with("containerPort", number))
}

/// The ports that every proxy has.
pub(crate) fn status_ports() -> Vec<Value> {
    vec![
        map! { "name" => "mesh-ready", "containerPort" => READINESS_PORT },
        map! { "name" => "mesh-metrics", "containerPort" => paths::METRICS_PORT },
    ]
}

fn mounts(proxy: &ProxyPlan) -> Value {
    let mount = |name: &str, path: &str| map! { "name" => name, "mountPath" => path, "readOnly" => true };
    let mut mounts = vec![mount(CONFIG_VOLUME, paths::CONFIG)];
    if proxy.identity.is_some() {
        mounts.push(mount(IDENTITY_VOLUME, paths::IDENTITY));
    }
    mounts.push(mount(TRUST_VOLUME, paths::TRUST));
    for (position, secret) in proxy.outside_secrets().all().into_iter().enumerate() {
        mounts.push(mount(&outside_volume(position), &format!("{}/{secret}", paths::OUTSIDE_TLS)));
    }
    mounts.push(map! { "name" => RUN_VOLUME, "mountPath" => paths::RUN });
    Value::List(mounts)
}

/// The volumes behind the mounts.
pub(crate) fn volumes(proxy: &ProxyPlan, config_map: &str) -> Vec<Value> {
    let mut volumes = vec![map! { "name" => CONFIG_VOLUME, "configMap" => map! { "name" => config_map } }];
    if let Some(identity) = &proxy.identity {
        // Never optional: a proxy that starts without its identity must not look alive.
        let secret = map! { "secretName" => identity.secret.as_str() };
        volumes.push(map! { "name" => IDENTITY_VOLUME, "secret" => secret });
    }
    volumes.push(map! { "name" => TRUST_VOLUME, "configMap" => map! { "name" => paths::TRUST_CONFIG_MAP } });
    for (position, secret) in proxy.outside_secrets().all().into_iter().enumerate() {
        let source = map! { "secretName" => secret };
        volumes.push(map! { "name" => outside_volume(position), "secret" => source });
    }
    volumes.push(
        map! { "name" => RUN_VOLUME, "emptyDir" => map! { "medium" => "Memory", "sizeLimit" => "16Mi" } },
    );
    volumes
}

/// The volume of a Secret for TLS towards hosts outside: a number, as for server certificates.
fn outside_volume(position: usize) -> String {
    format!("mesh-outside-tls-{position}")
}

/// Mounts and volumes of server certificates, each below the name of its Secret. The volumes have numbers: their names
/// may have 63 characters and no dot, those of Secrets 253 and dots.
pub(crate) fn server_certificates(secrets: &[String]) -> (Vec<Value>, Vec<Value>) {
    let name = |position: usize| format!("mesh-server-tls-{position}");
    let mounts = secrets.iter().enumerate().map(|(position, secret)| {
        let path = format!("{}/{secret}", paths::SERVER_TLS);
        map! { "name" => name(position), "mountPath" => path, "readOnly" => true }
    });
    let volumes = secrets.iter().enumerate().map(|(position, secret)| {
        map! { "name" => name(position), "secret" => map! { "secretName" => secret.as_str() } }
    });
    (mounts.collect(), volumes.collect())
}

/// Replicas go to different nodes where there are enough.
pub(crate) fn apart(selector: &[(&str, &str)]) -> Value {
    map! {
        "maxSkew" => 1,
        "topologyKey" => "kubernetes.io/hostname",
        "whenUnsatisfiable" => "ScheduleAnyway",
        "labelSelector" => map! { "matchLabels" => labels(selector) },
    }
}

/// A node that is emptied leaves one replica running.
pub(crate) fn budget(metadata: Value, selector: &[(&str, &str)]) -> Value {
    let spec = map! { "minAvailable" => 1, "selector" => map! { "matchLabels" => labels(selector) } };
    Value::from(object("policy/v1", "PodDisruptionBudget", metadata).with("spec", spec))
}

/// Adds entries to a list under `key`.
pub(crate) fn extend(map: &mut Map, key: &str, more: Vec<Value>) {
    let mut items = map.get(key).and_then(Value::as_list).map(<[Value]>::to_vec).unwrap_or_default();
    items.extend(more);
    map.insert(key, Value::List(items));
}
