//! `issuer = files`: what a user brings, and what can be wrong with it.

use crate::PemProblem;
use crate::table::moment;

/// A file of the user's.
#[derive(Clone, PartialEq, Eq)]
pub struct BroughtFile {
    /// Its path; only repeated in problems.
    pub path: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// Contents may be private keys, so only their length is shown.
impl std::fmt::Debug for BroughtFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "BroughtFile({}, {} bytes)", self.path, self.bytes.len())
    }
}

/// What the user brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtTrust {
    /// Files with one or more roots; all of them go into the bundle that peers accept.
    pub roots: Vec<BroughtFile>,
    /// The intermediates.
    pub clusters: Vec<BroughtCluster>,
}

/// The intermediate of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtCluster {
    /// The cluster's name.
    pub name: String,
    /// The intermediate's certificate; further certificates in it count as part of the chain.
    pub certificate: BroughtFile,
    /// Its private key.
    pub key: BroughtFile,
    /// What stands between it and the root, if anything; the intermediate and the root may be in it, too.
    pub chain: Option<BroughtFile>,
}

/// One thing that is wrong with what the user brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// The file; `None` if the file itself was not named.
    pub path: Option<String>,
    /// The cluster whose intermediate it is about; `None` for roots.
    pub cluster: Option<String>,
    /// What is wrong.
    pub kind: FileProblemKind,
}

/// What can be wrong. Times are seconds since 1970, lifetimes seconds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileProblemKind {
    /// No root at all was brought.
    #[error("no root certificate is given")]
    NoRoots,
    /// A cluster of the mesh has no intermediate.
    #[error("no intermediate is given for the cluster")]
    NoIntermediate,
    /// The file cannot be used as PEM.
    #[error("{0}")]
    Unreadable(PemProblem),
    /// A certificate is not an authority, or its key usage does not let it sign certificates.
    #[error(
        "`{subject}` is not allowed to sign certificates: it needs `CA:TRUE` in its basic constraints and `keyCertSign` in \
         its key usage"
    )]
    NotAnAuthority {
        /// The certificate.
        subject: String,
    },
    /// A root is not signed by itself; some verifiers then look for its issuer in vain.
    #[error("`{subject}` is not signed by itself, so it is no root")]
    NotSelfSigned {
        /// The certificate.
        subject: String,
    },
    /// The key belongs to another certificate.
    #[error("this private key does not belong to the certificate in `{certificate}`")]
    KeyMismatch {
        /// The certificate's file.
        certificate: String,
    },
    /// One of the data planes cannot verify signatures of this key.
    #[error("`{subject}` has {key}, which not every data plane verifies")]
    UnsupportedKey {
        /// The certificate.
        subject: String,
        /// Its key.
        key: String,
    },
    /// No data plane verifies the signature of a certificate.
    #[error(
        "`{subject}` is signed with {digest}, which no data plane verifies: SHA-256, SHA-384 and SHA-512 are"
    )]
    WeakSignature {
        /// The certificate.
        subject: String,
        /// The digest of its signature.
        digest: String,
    },
    /// No chain of signatures leads to a root.
    #[error("no chain of signatures leads from `{subject}` to one of the roots; its issuer is `{issuer}`")]
    NoPathToRoot {
        /// The intermediate.
        subject: String,
        /// The issuer that it names.
        issuer: String,
    },
    /// A path length constraint on the way forbids the chain.
    #[error("`{subject}` allows {allowed} intermediates below it, but {needed} are needed")]
    PathTooLong {
        /// The authority with the constraint.
        subject: String,
        /// Its path length.
        allowed: u32,
        /// How many intermediates stand below it.
        needed: u32,
    },
    /// A certificate's life is over.
    #[error("`{subject}` expired at {}", moment(*.not_after))]
    Expired {
        /// The certificate.
        subject: String,
        /// When it ended.
        not_after: i64,
    },
    /// A certificate's life has not begun.
    #[error("`{subject}` is not valid before {}", moment(*.not_before))]
    NotYetValid {
        /// The certificate.
        subject: String,
        /// When it begins.
        not_before: i64,
    },
    /// A certificate ends after its issuer.
    #[error("`{subject}` outlives its issuer `{issuer}`")]
    OutlivesIssuer {
        /// The certificate.
        subject: String,
        /// Its issuer.
        issuer: String,
    },
    /// The workload certificates that the mesh asks for would end after the intermediate.
    #[error("`{subject}` has {} days left, but workload certificates are to live {} days", .left / 86_400, .workload / 86_400)]
    WorkloadsOutlive {
        /// The intermediate.
        subject: String,
        /// How long it still lives.
        left: i64,
        /// How long workload certificates are to live.
        workload: i64,
    },
    /// An authority says that it belongs to another trust domain.
    #[error("`{subject}` belongs to `{found}`, but the cluster's trust domain is `{expected}`")]
    ForeignTrustDomain {
        /// The certificate.
        subject: String,
        /// Its SPIFFE URI.
        found: String,
        /// The cluster's trust domain.
        expected: String,
    },
    /// An extension of an authority keeps a data plane from accepting any certificate below it.
    #[error("`{subject}` has {extension}")]
    Extension {
        /// The certificate.
        subject: String,
        /// The extension, and which data plane refuses it for what reason.
        extension: String,
    },
    /// The verifier of meshd refuses a workload certificate below an intermediate, for a reason that no other problem
    /// names.
    #[error("meshd would refuse every workload certificate below `{subject}`: {refusal}")]
    Refused {
        /// The intermediate.
        subject: String,
        /// Why.
        refusal: String,
    },
    /// An authority's extended key usage leaves out one end of mutual TLS.
    #[error("`{subject}` is limited to uses that do not include both TLS servers and TLS clients")]
    UsageExcludesTls {
        /// The certificate.
        subject: String,
    },
}
