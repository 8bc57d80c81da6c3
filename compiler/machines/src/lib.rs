//! From a plan and rendered proxies to bundles for machines that are not in Kubernetes: a unit for systemd, the
//! configuration, the names of callees, and where everything goes.
//!
//! Invariants: this crate knows systemd and paths on a machine, and no data plane beyond the arguments that start it; it
//! never writes a private key.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use meshc_plan::{ClusterPlan, Deployment, ProxyPlan, RenderedProxy, paths};
use meshc_vocabulary::model::DataPlane;

/// The user that proxies run as.
const USER: &str = "mesh-proxy";
/// How long a proxy may take to end, in seconds: longer than it drains.
const STOP_SECONDS: u32 = 45;
/// How long meshd goes on serving after its end was asked for, in seconds.
const DRAIN_SECONDS: u32 = 15;

/// The bundle of one proxy: path relative to the output folder → contents. `trust` is the trust bundle: file name →
/// contents, public.
#[must_use]
pub fn proxy(
    cluster: &ClusterPlan,
    proxy: &ProxyPlan,
    rendered: RenderedProxy,
    trust: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let folder = format!("{}/{}", cluster.name, proxy.name.path);
    let mut tree = BTreeMap::new();
    for (file, contents) in trust {
        tree.insert(format!("{folder}/trust/{file}"), contents.clone());
    }
    let hosts = hosts(proxy);
    if !hosts.is_empty() {
        tree.insert(format!("{folder}/hosts"), hosts);
    }
    tree.insert(format!("{folder}/mesh-proxy.service"), unit(proxy, &rendered));
    tree.insert(format!("{folder}/README.md"), readme(cluster, proxy));
    tree.extend(rendered.files.into_iter().map(|(file, text)| (format!("{folder}/config/{file}"), text)));
    tree
}

/// Whom or what the proxy is there for.
fn subject(proxy: &ProxyPlan) -> String {
    match &proxy.deployment {
        Deployment::Sidecar(sidecar) => format!("{}/{}", sidecar.namespace, sidecar.called()),
        Deployment::Gateway(gateway) => format!("the gateway {}", gateway.name),
    }
}

/// Lines for `/etc/hosts`: the names by which the application calls others lead to the proxy.
fn hosts(proxy: &ProxyPlan) -> String {
    let mut lines = String::new();
    for (address, names) in &proxy.host_aliases {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "{address} {}", names.join(" "));
    }
    lines
}

/// The unit that runs the proxy, as a user who may do nothing else. Ports below 1024 are the callees' own.
fn unit(proxy: &ProxyPlan, rendered: &RenderedProxy) -> String {
    let entry = format!("{}/{}", paths::CONFIG, rendered.entry);
    let start = match proxy.data_plane {
        DataPlane::Envoy => {
            format!("/usr/local/bin/envoy -c {entry} --disable-hot-restart --log-level warning")
        }
        DataPlane::Meshd => {
            format!("/usr/local/bin/meshd run --config {entry} --drain-seconds {DRAIN_SECONDS}")
        }
    };
    format!(
        "[Unit]
Description=Mesh proxy of {}
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={start}
User={USER}
RuntimeDirectory=mesh
RuntimeDirectoryMode=0700
Restart=always
RestartSec=1
TimeoutStopSec={STOP_SECONDS}
MemoryMax={}
LimitNOFILE=65536
AmbientCapabilities=CAP_NET_BIND_SERVICE
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes

[Install]
WantedBy=multi-user.target
",
        subject(proxy),
        proxy.memory,
    )
}

/// What to put where, and how to see that it works.
fn readme(cluster: &ClusterPlan, proxy: &ProxyPlan) -> String {
    let program = match proxy.data_plane {
        DataPlane::Envoy => "`envoy` (1.40)",
        DataPlane::Meshd => "`meshd`",
    };
    let mut text = format!(
        "# {} on a machine of {}

A machine has one such proxy. Put the files of this folder there, as root:

    install -m 0755 PROGRAM /usr/local/bin/          # {program}
    useradd --system --no-create-home --shell /usr/sbin/nologin {USER}
    mkdir -p {} {}
    cp config/* {}/
    cp trust/* {}/
",
        subject(proxy),
        cluster.name,
        paths::CONFIG,
        paths::TRUST,
        paths::CONFIG,
        paths::TRUST,
    );
    if let Some(identity) = &proxy.identity {
        let spiffe = &identity.spiffe;
        let _ = write!(
            text,
            "
Its identity is `{spiffe}`. Certificate and key are in the key directory of the mesh, below
`{}/identities/{}/{}`, and nobody else may read the key:

    install -d -o {USER} -m 0700 {}
    install -o {USER} -m 0600 tls.crt tls.key {}/

Do this again after each `meshc trust issue`: the proxy reads them anew by itself.
",
            cluster.name,
            spiffe.namespace,
            spiffe.account,
            paths::IDENTITY,
            paths::IDENTITY,
        );
    }
    let secrets = proxy.outside_secrets();
    if !secrets.all().is_empty() {
        let _ = write!(
            text,
            "\nTLS towards hosts outside the mesh needs these files, readable for `{USER}`:\n\n"
        );
        for secret in &secrets.roots {
            let _ = writeln!(text, "- `{}/{secret}/ca.crt`", paths::OUTSIDE_TLS);
        }
        for secret in &secrets.pairs {
            let (folder, key) = (format!("{}/{secret}", paths::OUTSIDE_TLS), "tls.key");
            let _ = writeln!(text, "- `{folder}/tls.crt` and `{folder}/{key}`");
        }
    }
    if !proxy.host_aliases.is_empty() {
        text.push_str(
            "
The application calls others by their names, which `/etc/hosts` leads to the proxy. Add the lines once, and again when
they change:

    cat hosts >> /etc/hosts
",
        );
    }
    let _ = write!(
        text,
        "
Then start it, now and with the machine:

    cp mesh-proxy.service /etc/systemd/system/
    systemctl daemon-reload
    systemctl enable --now mesh-proxy
    curl --fail http://127.0.0.1:{}{}

Proxies that call it connect to port {} of the machine. The ports {} (readiness) and {} (metrics) are for operators, and
the application's own ports for nobody: it listens on 127.0.0.1.
",
        paths::READINESS_PORT,
        paths::READY_PATH,
        entrance(proxy),
        paths::READINESS_PORT,
        paths::METRICS_PORT,
    );
    text
}

/// The port on which other proxies connect.
fn entrance(proxy: &ProxyPlan) -> String {
    match &proxy.deployment {
        Deployment::Sidecar(_) => paths::INBOUND_PORT.to_string(),
        Deployment::Gateway(gateway) => {
            gateway.ports.iter().map(|port| port.listen.to_string()).collect::<Vec<_>>().join(", ")
        }
    }
}
