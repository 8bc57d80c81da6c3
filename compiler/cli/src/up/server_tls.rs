//! Certificates that gateways show to clients outside the mesh: made for the occasion, since the declared ones are in the
//! clusters. A client trusts them by the file that `curl --cacert` takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshc_driver::system_time;
use meshc_pki::server_certificate;
use meshc_plan::{Deployment, ListenerKind, Placement, ProxyPlan, paths};

use super::files::put;
use super::mount::{private_directory, private_file};
use crate::disk::WallClock;
use crate::exit::{Context, Failure};

/// The certificates in place.
#[derive(Debug)]
pub(crate) struct ServerTls {
    directory: PathBuf,
    /// Cluster, gateway and Secret → the hosts that its certificate is for.
    made: BTreeMap<(String, String, String), Vec<String>>,
}

impl ServerTls {
    /// None yet; the public ones go below the mesh's directory.
    pub(crate) fn new(home: &Path) -> Self {
        Self { directory: home.join("server-tls"), made: BTreeMap::new() }
    }

    /// The certificate that clients of a gateway's port trust, by the name of its Secret.
    pub(crate) fn public(&self, cluster: &str, gateway: &str, secret: &str) -> PathBuf {
        self.directory.join(format!("{cluster}.{gateway}.{secret}.pem"))
    }

    /// Makes what a gateway needs for the hosts that it routes now. What is there for the same hosts stays.
    pub(crate) fn furnish(&mut self, proxy: &ProxyPlan, placement: &Placement) -> Result<(), Failure> {
        let gateway = match &proxy.deployment {
            Deployment::Gateway(gateway) => gateway,
            Deployment::Sidecar(_) => return Ok(()),
        };
        for secret in &gateway.server_tls_secrets {
            let key = (proxy.name.cluster.clone(), gateway.name.clone(), secret.clone());
            let hosts = hosts(proxy, secret);
            if self.made.get(&key) == Some(&hosts) {
                continue;
            }
            let made = server_certificate(&hosts, system_time(&WallClock));
            let (certificate, private) = made.context(|| format!("make a certificate for `{secret}`"))?;
            let public = self.public(&key.0, &key.1, secret);
            private_directory(&self.directory)
                .and_then(|()| private_file(&public, certificate.as_bytes()))
                .context(|| format!("write `{}`", public.display()))?;
            let files = [("tls.crt", certificate), ("tls.key", private)];
            let files = files.map(|(name, text)| (name.to_owned(), text.into_bytes()));
            put(proxy, placement, &format!("{}/{secret}", paths::SERVER_TLS), &files.into())?;
            self.made.insert(key, hosts);
        }
        Ok(())
    }
}

/// The hosts that this Secret's certificate is for, each once: those that are declared, and those that are routed where it is
/// shown.
fn hosts(proxy: &ProxyPlan, secret: &str) -> Vec<String> {
    let listeners = proxy.listeners.iter().filter_map(|listener| match &listener.kind {
        ListenerKind::Http(http) => http.tls.as_ref().map(|tls| (tls, http)),
        ListenerKind::Tcp(_)
        | ListenerKind::Inbound(_)
        | ListenerKind::PassThrough(_)
        | ListenerKind::Redirected
        | ListenerKind::Readiness(_)
        | ListenerKind::Metrics(_) => None,
    });
    let mut hosts: Vec<String> = Vec::new();
    for (tls, http) in listeners {
        let shown = |host: &str| {
            let chosen = tls.chosen(host).and_then(|position| tls.certificates.get(position));
            chosen.is_some_and(|one| one.secret == secret)
        };
        let routed = http.virtual_hosts.iter().flat_map(|host| host.hosts.iter());
        let declared = tls.certificates.iter().filter(|one| one.secret == secret).flat_map(|one| &one.hosts);
        hosts.extend(routed.filter(|host| shown(host)).chain(declared.filter(|host| *host != "*")).cloned());
    }
    hosts.sort();
    hosts.dedup();
    hosts
}
