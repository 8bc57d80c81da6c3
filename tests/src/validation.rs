//! Every static configuration of a built mesh, given to a real Envoy that only says what it thinks of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use crate::build::{Built, tree};
use crate::process;

/// What an Envoy wrote about each proxy's static configuration, by the proxy's name; `Err` if it refused it. `built` was built
/// with `--static` for Envoy.
///
/// # Panics
/// If a file cannot be written or the program cannot be run.
#[must_use]
pub fn of_static(built: &Built, envoy: &Path) -> BTreeMap<String, Result<String, String>> {
    // Envoy wants certificates and the files that name them to exist even to validate, and they lie at a pod's
    // paths: everything is read below another root.
    let root = built.path().join("root");
    prepare(&root, built);
    let all = tree(&built.out());
    let bootstraps = all.keys().filter_map(|name| {
        let folder = name.strip_suffix("bootstrap.yaml").filter(|_| name.contains("/static/"))?;
        Some((folder.replace("/static/", "/").trim_end_matches('/').to_owned(), folder))
    });
    let validated = bootstraps.map(|(proxy, folder)| {
        let configuration = root.join("etc/mesh/config");
        for (file, bytes) in all.iter().filter_map(|(name, bytes)| Some((name.strip_prefix(folder)?, bytes)))
        {
            let text =
                String::from_utf8_lossy(bytes).replace("/etc/mesh", &format!("{}/etc/mesh", root.display()));
            std::fs::write(configuration.join(file), text).expect("writable");
        }
        let placed = configuration.join("bootstrap.yaml");
        let output = process::run(
            Command::new(envoy).args(["--mode", "validate", "-l", "warning", "-c"]).arg(&placed),
        );
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (proxy, if output.status.success() { Ok(said) } else { Err(said) })
    });
    validated.collect()
}

/// Any identity and the trust bundle, where a pod would have them.
fn prepare(root: &Path, built: &Built) {
    let (identity, trust) = (root.join("etc/mesh/identity"), root.join("etc/mesh/trust"));
    if identity.exists() {
        return;
    }
    std::fs::create_dir_all(&identity).expect("writable");
    std::fs::create_dir_all(&trust).expect("writable");
    std::fs::create_dir_all(root.join("etc/mesh/config")).expect("writable");
    let certificates = tree(&built.path().join("keys"));
    let (name, _) =
        certificates.iter().find(|(name, _)| name.ends_with("tls.crt")).expect("an identity was issued");
    let folder = built.path().join("keys").join(name).parent().expect("a folder").to_path_buf();
    for file in ["tls.crt", "tls.key"] {
        std::fs::copy(folder.join(file), identity.join(file)).expect("copied");
    }
    // Secrets that the user makes, by the paths at which Envoy is told to find them.
    let all = tree(&built.out());
    let texts = all.values().map(|bytes| String::from_utf8_lossy(bytes));
    for text in texts {
        for kind in ["server-tls", "outside-tls"] {
            for rest in text.split(&format!("/etc/mesh/{kind}/")).skip(1) {
                let end = rest.find(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '-'));
                let secret = root.join("etc/mesh").join(kind).join(&rest[..end.unwrap_or(rest.len())]);
                std::fs::create_dir_all(&secret).expect("writable");
                for (from, to) in [("tls.crt", "tls.crt"), ("tls.key", "tls.key"), ("tls.crt", "ca.crt")] {
                    std::fs::copy(folder.join(from), secret.join(to)).expect("copied");
                }
            }
        }
    }
    let roots = certificates.get("roots.pem").expect("a bundle");
    std::fs::write(trust.join("roots.pem"), roots).expect("writable");
    // All clusters have the same bundle.
    let secret = all.iter().find(|(name, _)| name.ends_with("/trust/envoy.yaml"));
    std::fs::write(trust.join("envoy.yaml"), secret.expect("the bundle as Envoy reads it").1)
        .expect("writable");
}
