//! Why an operation on a key directory could not be carried out.

use crate::PemProblem;

/// Why an operation on a key directory could not be carried out. Paths are relative to the key directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// There is no root certificate yet.
    #[error("the key directory has no root certificate (`root/cert.pem`); run `meshc trust init` first")]
    NotInitialised,
    /// An intermediate must be made, but the root's key is not there.
    #[error("`root/key.pem` is needed to make the intermediate of cluster `{cluster}`, but it is not there")]
    RootKeyMissing {
        /// The cluster.
        cluster: String,
    },
    /// A file that is needed is missing.
    #[error("`{path}` is missing")]
    Missing {
        /// The file.
        path: String,
    },
    /// A file cannot be understood.
    #[error("`{path}`: {problem}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: PemProblem,
    },
    /// An authority is there but cannot issue.
    #[error("`{path}` cannot issue certificates: {reason}")]
    UnusableAuthority {
        /// The authority's certificate.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A name cannot be a folder of the key directory.
    #[error("the {what} name `{name}` cannot be used as a folder of the key directory")]
    UnusableName {
        /// What it names.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A certificate cannot be made from what was asked for.
    #[error("no certificate can be made for `{what}`: {reason}")]
    Unmakeable {
        /// What it was for.
        what: String,
        /// Why not.
        reason: String,
    },
}
