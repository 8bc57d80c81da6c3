//! Where everything of a running mesh is, for whoever asks it requests: `meshc test --live`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use meshc_local::{CallAddress, GatewayAddress, HostAddress, ProxyAddress};
use meshc_plan::{Plan, paths};
use serde::{Deserialize, Serialize};

use super::running::Running;
use super::server_tls::ClientPaths;
use super::stand_in::{Behaviour, Instance};
use crate::compile::DataPlaneWord;

/// What runs, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Places {
    /// What runs, in short: equal for equal plans.
    pub(crate) plan: String,
    /// The data plane that was asked for on the command line.
    pub(crate) data_plane: Option<DataPlaneWord>,
    /// Whether processes of the user's own take the place of applications.
    pub(crate) processes: bool,
    /// The ports of gateways.
    pub(crate) gateways: Vec<GatewayPlace>,
    /// Where applications reach their callees.
    pub(crate) calls: Vec<CallPlace>,
    /// The proxies with identities.
    pub(crate) proxies: Vec<ProxyPlace>,
    /// The applications that are told to fail.
    pub(crate) failing: Vec<(Instance, Behaviour)>,
}

/// A port of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GatewayPlace {
    pub(crate) cluster: String,
    pub(crate) gateway: String,
    pub(crate) port: String,
    pub(crate) address: SocketAddr,
    /// Where TLS ends at the gateway: what its clients trust.
    pub(crate) trusted: Vec<PathBuf>,
    /// What a client shows there, if it has to: its certificate and key.
    pub(crate) shown: Option<(PathBuf, PathBuf)>,
    /// Whether connections begin with the PROXY protocol's header.
    pub(crate) proxy_protocol: bool,
}

/// Where an application reaches a port of a callee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CallPlace {
    pub(crate) cluster: String,
    pub(crate) caller: String,
    pub(crate) callee: String,
    pub(crate) port: u16,
    pub(crate) address: SocketAddr,
    /// The name by which requests call it.
    pub(crate) host: Option<String>,
}

/// A proxy with an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProxyPlace {
    pub(crate) name: String,
    /// Where it takes mTLS.
    pub(crate) inbound: Option<SocketAddr>,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A plan in short.
pub(crate) fn short(plan: &Plan) -> String {
    let text = meshc_plan::dump(plan);
    STANDARD_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
}

/// The places of a running mesh. Who fails is for the switchboard to say.
pub(crate) fn places(running: &Running) -> Places {
    let layout = &running.layout;
    let proxy = |proxy: &ProxyAddress| {
        let path = |file| PathBuf::from(running.placement.path(&proxy.proxy, file));
        ProxyPlace {
            name: proxy.proxy.to_string(),
            inbound: proxy.inbound,
            certificate: path(paths::CERTIFICATE),
            key: path(paths::PRIVATE_KEY),
        }
    };
    let call = |call: &CallAddress| {
        let CallAddress { cluster, caller, callee, port, address, host, server_name: _ } = call.clone();
        CallPlace { cluster, caller, callee, port, address, host }
    };
    Places {
        plan: short(&running.mesh.plan),
        data_plane: running.data_plane,
        processes: running.processes,
        gateways: layout.gateways.iter().map(|one| gateway(running, one)).collect(),
        calls: layout.calls.iter().map(call).collect(),
        proxies: layout.proxies.iter().map(proxy).collect(),
        failing: Vec::new(),
    }
}

fn gateway(running: &Running, gateway: &GatewayAddress) -> GatewayPlace {
    let GatewayAddress { cluster, gateway: name, port, address, hosts, clients, proxy_protocol, .. } =
        gateway;
    let secrets: BTreeSet<&String> =
        hosts.iter().filter_map(|HostAddress { name: _, secret }| secret.as_ref()).collect();
    let shown = clients.as_ref().map(|secret| {
        let ClientPaths { certificate, key } = running.server_tls.client(cluster, name, secret);
        (certificate, key)
    });
    GatewayPlace {
        cluster: cluster.clone(),
        gateway: name.clone(),
        port: port.clone(),
        address: *address,
        trusted: secrets.iter().map(|secret| running.server_tls.public(cluster, name, secret)).collect(),
        shown,
        proxy_protocol: *proxy_protocol,
    }
}
