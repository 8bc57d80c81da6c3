//! Whose requests a connection manager takes.

use meshc_plan::Told;
use meshc_vocabulary::model::Http10;

/// Who the clients of a connection manager are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients<'a> {
    /// The application beside the proxy.
    Application,
    /// Strangers, behind so many proxies that are trusted to have set `x-forwarded-for`.
    Strangers {
        /// How many.
        trusted_hops: u32,
        /// Whether they are asked for certificates, of which callees are told.
        show_certificates: bool,
        /// Whether they may speak HTTP/1.0.
        http10: Option<&'a Http10>,
        /// Whether rules about them are tried, of which the log tells.
        tries: bool,
    },
    /// Other proxies of the mesh, who prove their identity.
    Peers {
        /// Whether some of them say what certificates their own clients show.
        vouch: bool,
        /// What is said of them to whom their requests are passed on to.
        told: Told,
    },
    /// Other proxies of the mesh that check whether the application answers.
    Checkers,
    /// Probes and metrics collectors.
    Operators,
}
