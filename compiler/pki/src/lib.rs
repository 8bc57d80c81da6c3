//! Roots, intermediates and workload certificates.
//!
//! The crate is pure: it reads no disk and no clock. A key directory comes in and goes out as a [`KeyDirectory`]
//! value, the time is a parameter, and only the keys themselves are random.
//!
//! The hierarchy is a root (path length 1), one intermediate per cluster (path length 0), and workload certificates
//! with one SPIFFE URI, all ECDSA P-256. No name constraints are written, because rustls' verifier refuses SPIFFE
//! leaves below URI constraints.

mod adopt;
mod authority;
mod brought;
mod certificate;
mod chain;
mod directory;
mod error;
mod export;
mod issue;
pub mod layout;
mod mint;
mod outcome;
mod pem;
mod request;
mod show;
mod table;
mod verify_files;

pub use adopt::adopt_files;
pub use authority::init;
pub use brought::{BroughtCluster, BroughtFile, BroughtTrust, FileProblem, FileProblemKind};
pub use certificate::dns_names;
pub use directory::{KeyDirectory, KeyFile, PRIVATE, PUBLIC};
pub use error::PkiError;
pub use export::{SecretManifest, export_cacerts, export_identities, identity_secret_name};
pub use issue::issue;
pub use mint::{BACKDATE, ClientFiles, OutsideRoot, client_certificate, server_certificate};
pub use outcome::{Change, Outcome, Reason};
pub use pem::{PemProblem, public_bundle};
pub use request::{
    ClusterRequest, Identity, Issuer, Level, LifetimeProblem, MAX_COMMON_NAME, MIN_LIFETIME, RootRequest,
    TrustRequest,
};
pub use show::{CertificateDetails, CertificateReport, Problem, Report, show};
pub use verify_files::verify_files;
