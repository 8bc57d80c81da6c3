//! Where each file of a key directory lies.
//!
//! ```text
//! .gitignore                                    *
//! roots.pem                                     every root that peers should accept
//! root/cert.pem  root/key.pem
//! <cluster>/intermediate/cert.pem  key.pem  chain.pem
//! <cluster>/identities/<namespace>/<account>/tls.crt  tls.key
//! ```

use crate::{Identity, PkiError};

/// Keeps the whole directory out of git.
pub const GITIGNORE: &str = ".gitignore";

/// The bundle of roots that every proxy accepts.
pub const ROOTS: &str = "roots.pem";

/// The root certificate.
pub const ROOT_CERTIFICATE: &str = "root/cert.pem";

/// The root's private key. It is needed only to make intermediates and may be kept elsewhere.
pub const ROOT_KEY: &str = "root/key.pem";

/// The three files of a cluster's intermediate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntermediatePaths {
    /// The intermediate's certificate alone.
    pub certificate: String,
    /// Its private key.
    pub key: String,
    /// The intermediate and what stands between it and the root, the root left out.
    pub chain: String,
}

/// The two files of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityPaths {
    /// The workload's certificate, then the intermediate's chain.
    pub certificate: String,
    /// The workload's private key.
    pub key: String,
}

/// The files of a cluster's intermediate.
///
/// # Errors
/// [`PkiError::UnusableName`] if the name cannot be a folder.
pub fn intermediate(cluster: &str) -> Result<IntermediatePaths, PkiError> {
    folder_name("cluster", cluster)?;
    let folder = format!("{cluster}/intermediate");
    Ok(IntermediatePaths {
        certificate: format!("{folder}/cert.pem"),
        key: format!("{folder}/key.pem"),
        chain: format!("{folder}/chain.pem"),
    })
}

/// The files of an identity in a cluster.
///
/// # Errors
/// [`PkiError::UnusableName`] if one of the names cannot be a folder.
pub fn identity(cluster: &str, identity: &Identity) -> Result<IdentityPaths, PkiError> {
    folder_name("cluster", cluster)?;
    folder_name("namespace", &identity.namespace)?;
    folder_name("service account", &identity.account)?;
    let folder = format!("{cluster}/identities/{}/{}", identity.namespace, identity.account);
    Ok(IdentityPaths { certificate: format!("{folder}/tls.crt"), key: format!("{folder}/tls.key") })
}

/// Refuses names that would leave the key directory or collide with a file in it. Kubernetes' own names are
/// narrower still; this is the last line before a path is made.
fn folder_name(what: &'static str, name: &str) -> Result<(), PkiError> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty()
        || name.len() > 253
        || name.starts_with('.')
        || name == ROOTS
        || !name.chars().all(harmless)
    {
        return Err(PkiError::UnusableName { what, name: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_escape_are_refused() {
        for name in ["", ".", "..", "../x", "a/b", "a\0b", "roots.pem", "ä"] {
            assert!(intermediate(name).is_err(), "{name:?} was accepted");
        }
        assert!(identity("west", &Identity::new("cluster.local", "..", "a")).is_err());
        assert!(identity("west", &Identity::new("cluster.local", "a", "b/c")).is_err());
        assert!(identity("west", &Identity::new("cluster.local", "a-1", "b.c")).is_ok());
    }

    #[test]
    fn a_cluster_named_root_does_not_collide_with_the_root() {
        let paths = intermediate("root").unwrap();
        assert!(![ROOT_CERTIFICATE, ROOT_KEY].contains(&paths.certificate.as_str()));
        assert!(![ROOT_CERTIFICATE, ROOT_KEY].contains(&paths.key.as_str()));
    }
}
