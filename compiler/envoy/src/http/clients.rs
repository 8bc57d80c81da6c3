//! Whose requests a connection manager takes.

use meshc_plan::Told;

/// Who the clients of a connection manager are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clients {
    /// The application beside the proxy.
    Application,
    /// Strangers, behind so many proxies that are trusted to have set `x-forwarded-for`.
    Strangers {
        /// How many.
        trusted_hops: u32,
        /// Whether they are asked for certificates, of which callees are told.
        show_certificates: bool,
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
