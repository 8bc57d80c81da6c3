//! Certificates that gateways show to clients outside the mesh: made for the occasion, since the declared ones are in the
//! clusters. A client trusts them by the file that `curl --cacert` takes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use meshc_driver::system_time;
use meshc_pki::{ClientFiles, client_certificate, server_certificate};
use meshc_plan::{
    Deployment, HttpListener, ListenerKind, Placement, ProxyPlan, ServerCertificate, TcpListener, paths,
};

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
    /// Cluster, gateway and Secret → roots of clients' certificates, with one client's.
    clients: BTreeMap<(String, String, String), ClientFiles>,
}

/// The files with which a client shows a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientPaths {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl ServerTls {
    /// None yet; the public ones go below the mesh's directory.
    pub(crate) fn new(home: &Path) -> Self {
        Self { directory: home.join("server-tls"), made: BTreeMap::new(), clients: BTreeMap::new() }
    }

    /// The certificate that clients of a gateway's port trust, by the name of its Secret.
    pub(crate) fn public(&self, cluster: &str, gateway: &str, secret: &str) -> PathBuf {
        self.directory.join(format!("{cluster}.{gateway}.{secret}.pem"))
    }

    /// What a client of a gateway's port shows, by the name of the Secret with the roots of clients' certificates. The root
    /// and its key are beside it, to make more of them.
    pub(crate) fn client(&self, cluster: &str, gateway: &str, secret: &str) -> ClientPaths {
        let file = |end: &str| self.directory.join(format!("{cluster}.{gateway}.{secret}.{end}"));
        ClientPaths { certificate: file("client.pem"), key: file("client.key") }
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
            self.write(&public, &certificate)?;
            let roots =
                if gateway.client_ca_secrets.contains(secret) { Some(self.roots(&key)?) } else { None };
            let files = [("tls.crt", Some(certificate)), ("tls.key", Some(private)), ("ca.crt", roots)];
            self.mount(proxy, placement, secret, files)?;
            self.made.insert(key, hosts);
        }
        for secret in &gateway.client_ca_secrets {
            let key = (proxy.name.cluster.clone(), gateway.name.clone(), secret.clone());
            if !self.clients.contains_key(&key) {
                let roots = self.roots(&key)?;
                self.mount(proxy, placement, secret, [("ca.crt", Some(roots))])?;
            }
        }
        Ok(())
    }

    /// The roots of clients' certificates, made with the certificate of a client the first time.
    fn roots(&mut self, key: &(String, String, String)) -> Result<String, Failure> {
        if let Some(known) = self.clients.get(key) {
            return Ok(known.root.clone());
        }
        let (cluster, gateway, secret) = key;
        let uri = format!("spiffe://{CLIENT}/{secret}");
        let made = client_certificate(&uri, CLIENT, system_time(&WallClock));
        let made = made.context(|| format!("make the certificate of a client for `{secret}`"))?;
        let ClientPaths { certificate, key: private } = self.client(cluster, gateway, secret);
        let root = certificate.with_extension("root.pem");
        for (path, text) in [
            (&certificate, &made.certificate),
            (&private, &made.key),
            (&root, &made.root),
            (&root.with_extension("key"), &made.root_key),
        ] {
            self.write(path, text)?;
        }
        let roots = made.root.clone();
        self.clients.insert(key.clone(), made);
        Ok(roots)
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        private_directory(&self.directory)
            .and_then(|()| private_file(path, text.as_bytes()))
            .context(|| format!("write `{}`", path.display()))
    }

    /// Puts files where the Secret would be mounted.
    fn mount<const N: usize>(
        &self,
        proxy: &ProxyPlan,
        placement: &Placement,
        secret: &str,
        files: [(&str, Option<String>); N],
    ) -> Result<(), Failure> {
        let files = files.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.into_bytes())));
        put(proxy, placement, &format!("{}/{secret}", paths::SERVER_TLS), &files.collect())?;
        Ok(())
    }
}

/// The name of the client outside the mesh that certificates are made for.
const CLIENT: &str = "client.example";

/// The hosts that this Secret's certificate is for, each once: those that are declared, and those that are routed where it is
/// shown.
fn hosts(proxy: &ProxyPlan, secret: &str) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for listener in &proxy.listeners {
        match &listener.kind {
            ListenerKind::Http(HttpListener { tls: Some(tls), virtual_hosts, .. }) => {
                let shown = |host: &str| {
                    let chosen = tls.chosen(host).and_then(|position| tls.certificates.get(position));
                    chosen.is_some_and(|one| one.secret == secret)
                };
                let routed = virtual_hosts.iter().flat_map(|host| host.hosts.iter());
                let declared =
                    tls.certificates.iter().filter(|one| one.secret == secret).flat_map(|one| &one.hosts);
                let declared = declared.filter(|host| *host != "*");
                hosts.extend(routed.filter(|host| shown(host)).chain(declared).cloned());
            }
            ListenerKind::Tcp(TcpListener { tls: Some(tls), .. }) => {
                let own = tls.certificates.iter().filter(|one| one.secret == secret);
                hosts.extend(own.flat_map(ServerCertificate::hosts_to_ask_for).map(str::to_owned));
            }
            ListenerKind::Http(_)
            | ListenerKind::Tcp(_)
            | ListenerKind::Inbound(_)
            | ListenerKind::PassThrough(_)
            | ListenerKind::Redirected
            | ListenerKind::Readiness(_)
            | ListenerKind::Metrics(_) => {}
        }
    }
    hosts.sort();
    hosts.dedup();
    hosts
}
