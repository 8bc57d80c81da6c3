//! The mesh itself, its trust and its namespaces.

use std::time::Duration;

use lang_diagnostics::{Origin, Spanned};

use super::{Cluster, Id};

/// The `mesh` block.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// The SPIFFE trust domain of clusters that name none of their own.
    pub trust_domain: String,
    /// The data plane of clusters that name none of their own.
    pub data_plane: DataPlane,
    /// The Kubernetes namespace of gateways, trust bundle and rate-limit service. Default `mesh-system`.
    pub namespace: String,
    /// How outbound connections reach the sidecar, unless a service declares another way.
    pub capture: CaptureChoice,
    /// How often one request may arrive at a service at most, unless the service has a bound of its own.
    pub max_amplification: Option<Spanned<u32>>,
    /// The cluster whose rate-limit service counts for the whole mesh.
    pub rate_limits: Option<Spanned<Id<Cluster>>>,
}

/// Which proxy carries the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DataPlane {
    /// Envoy 1.40.
    Envoy,
    /// The bundled proxy.
    Meshd,
}

impl DataPlane {
    /// The word in the language and in file names.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Envoy => "envoy",
            Self::Meshd => "meshd",
        }
    }
}

/// What is said about how outbound connections reach the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CaptureChoice {
    /// Without privileges where the kernel allows that for a workload, else redirected. The default.
    Auto,
    /// On loopback.
    Loopback,
    /// Redirected.
    Redirect,
}

/// How outbound connections reach the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capture {
    /// Virtual addresses in 127.64.0.0/10; the sidecar listens on each at the service's port.
    Loopback,
    /// Virtual addresses in 240.240.0.0/16, or in 100::/64 where pods have IPv6 addresses alone, redirected to one
    /// outbound port by an init container.
    Redirect,
}

/// The `trust` block.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// Who makes the certificates.
    pub issuer: Issuer,
    /// The common name of the root.
    pub root_common_name: String,
    /// How long the root lives.
    pub root_lifetime: Spanned<Duration>,
    /// How long each cluster's intermediate lives.
    pub intermediate_lifetime: Spanned<Duration>,
    /// How long workload certificates live.
    pub workload_lifetime: Spanned<Duration>,
}

/// Who makes the certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// meshc itself.
    Builtin,
    /// The user brings intermediates; meshc verifies and uses them.
    Files(IssuerFiles),
    /// meshc makes root and intermediates, cert-manager signs workload certificates.
    CertManager,
}

/// Where the user's certificates lie, relative to the entry file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerFiles {
    /// A directory with `roots.pem` and, for each cluster, `<cluster>/cert.pem`, `key.pem` and `chain.pem`.
    pub directory: Spanned<String>,
}

/// A namespace. It may be opened several times; the first place counts as its origin.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Where it is first declared.
    pub origin: Origin,
    /// Its name.
    pub name: String,
}
