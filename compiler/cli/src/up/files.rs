//! The files of every proxy of a running mesh, each proxy's below a directory that stands for `/` to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lang_diagnostics::Sink;
use meshc_driver::{CheckedMesh, system_time, trust_files, trust_request};
use meshc_pki::{Identity, Issuer, KeyDirectory, issue, layout};
use meshc_plan::{Placement, Plan, ProxyPlan, RateLimitService, RenderedProxy, paths};

use super::mount::{mount, private_directory};
use crate::disk::WallClock;
use crate::exit::{Context, Failure};
use crate::keys;

/// Makes a root, intermediates and identities that live as long as the mesh runs, in a key directory of the usual
/// form. The declared issuer does not matter here: nothing of it may be on this machine.
pub(crate) fn make_keys(mesh: &CheckedMesh, directory: &Path) -> Result<KeyDirectory, Failure> {
    let mut request = trust_request(mesh);
    request.issuer = Issuer::Builtin;
    let now = system_time(&WallClock);
    let empty = KeyDirectory::new();
    let made = meshc_pki::init(&request, &empty, now).and_then(|root| issue(&request, &root.directory, now));
    let made = made.context(|| String::from("make certificates"))?.directory;
    let (held, _) = keys::hold(directory)?;
    held.write(&empty, &made)?;
    Ok(made)
}

/// Puts a proxy's identity, trust bundle and run-time directory in place.
pub(crate) fn furnish(
    proxy: &ProxyPlan,
    placement: &Placement,
    keys: &KeyDirectory,
    trust: &BTreeMap<String, Vec<u8>>,
) -> Result<(), Failure> {
    let run = placement.path(&proxy.name, paths::RUN);
    private_directory(Path::new(&run)).context(|| format!("create `{run}`"))?;
    if let Some(identity) = &proxy.identity {
        let spiffe = &identity.spiffe;
        let identity = Identity::new(&spiffe.trust_domain, &spiffe.namespace, &spiffe.account);
        let files = layout::identity(&proxy.name.cluster, &identity)
            .context(|| String::from("find a certificate"))?;
        let pair = [("tls.crt", &files.certificate), ("tls.key", &files.key)];
        let pair = pair.map(|(name, path)| (name.to_owned(), bytes(keys, path)));
        put(proxy, placement, paths::IDENTITY, &pair.into())?;
        put(proxy, placement, paths::TRUST, trust)?;
    }
    Ok(())
}

/// The trust bundle in every form in which a proxy reads it.
pub(crate) fn trust(mesh: &CheckedMesh, keys: &KeyDirectory) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let roots = String::from_utf8_lossy(&bytes(keys, layout::ROOTS)).into_owned();
    let mut sink = Sink::default();
    let files = trust_files(mesh, &roots, &mut sink);
    match sink.into_sorted().into_iter().next() {
        None => Ok(files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()),
        Some(diagnostic) => Err(Failure::new(format!("{}: {}", diagnostic.code, diagnostic.message))),
    }
}

fn bytes(keys: &KeyDirectory, path: &str) -> Vec<u8> {
    keys.bytes(path).unwrap_or_default().to_vec()
}

/// Writes a proxy's configuration as a ConfigMap's update would. Returns whether it changed.
pub(crate) fn configure(
    proxy: &ProxyPlan,
    placement: &Placement,
    rendered: &RenderedProxy,
) -> Result<bool, Failure> {
    let files = rendered.files.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes()));
    put(proxy, placement, paths::CONFIG, &files.collect())
}

/// Puts files where a Secret or ConfigMap would be mounted. Returns whether they changed.
pub(crate) fn put(
    proxy: &ProxyPlan,
    placement: &Placement,
    declared: &str,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<bool, Failure> {
    let directory = placement.path(&proxy.name, declared);
    mount(Path::new(&directory), files).context(|| format!("write `{directory}`"))
}

/// Writes what a cluster's rate-limit service counts. Returns whether it changed.
pub(crate) fn limits(service: &RateLimitService, directory: &Path) -> Result<bool, Failure> {
    let files = meshc_driver::rate_limit_files(service);
    let files = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    mount(directory, &files).context(|| format!("write `{}`", directory.display()))
}

/// Writes a copy of every proxy's rendered files for people to look at.
pub(crate) fn show(rendered: &[RenderedProxy], directory: &Path) -> Result<(), Failure> {
    for proxy in rendered {
        let folder = directory.join(proxy.proxy.to_string());
        fs::create_dir_all(&folder).context(|| format!("create `{}`", folder.display()))?;
        for (name, text) in &proxy.files {
            let path = folder.join(name);
            fs::write(&path, text).context(|| format!("write `{}`", path.display()))?;
        }
    }
    Ok(())
}

/// The plan of a proxy by what was rendered of it.
pub(crate) fn plan_of<'a>(plan: &'a Plan, rendered: &RenderedProxy) -> Option<&'a ProxyPlan> {
    plan.proxies.iter().find(|proxy| proxy.name == rendered.proxy)
}
