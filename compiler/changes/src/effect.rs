//! What a comparison comes to, as plain data.

use meshc_vocabulary::testing::Request;

/// What kind of effect, the worst to be surprised by first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Who may newly call.
    WidenedAccess,
    /// What clients outside reach.
    Exposure,
    /// Whether callers must prove who they are.
    Mtls,
    /// Who is believed, for how long.
    Trust,
    /// Who may no longer call.
    NarrowedAccess,
    /// Where traffic goes.
    Routing,
    /// How many requests are admitted.
    Limits,
    /// How long requests may take.
    Timeouts,
    /// Which requests are sent again.
    Retries,
    /// How failures are noticed and what is held back.
    Resilience,
    /// What is changed about requests and answers on their way.
    Requests,
    /// How proxies and applications are deployed.
    Deployment,
}

impl Risk {
    /// All, in order.
    pub const ALL: [Self; 12] = [
        Self::WidenedAccess,
        Self::Exposure,
        Self::Mtls,
        Self::Trust,
        Self::NarrowedAccess,
        Self::Routing,
        Self::Limits,
        Self::Timeouts,
        Self::Retries,
        Self::Resilience,
        Self::Requests,
        Self::Deployment,
    ];

    /// The word for it on a command line and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WidenedAccess => "widened-access",
            Self::Exposure => "exposure",
            Self::Mtls => "mtls",
            Self::Trust => "trust",
            Self::NarrowedAccess => "narrowed-access",
            Self::Routing => "routing",
            Self::Limits => "limits",
            Self::Timeouts => "timeouts",
            Self::Retries => "retries",
            Self::Resilience => "resilience",
            Self::Requests => "requests",
            Self::Deployment => "deployment",
        }
    }

    /// The heading above its effects.
    #[must_use]
    pub const fn heading(self) -> &'static str {
        match self {
            Self::WidenedAccess => "widened access",
            Self::Exposure => "exposure to the outside",
            Self::Mtls => "mutual TLS",
            Self::Trust => "identities and trust",
            Self::NarrowedAccess => "narrowed access",
            Self::Routing => "where traffic goes",
            Self::Limits => "limits",
            Self::Timeouts => "timeouts",
            Self::Retries => "retries",
            Self::Resilience => "failure handling",
            Self::Requests => "requests and answers",
            Self::Deployment => "deployment",
        }
    }
}

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// What kind.
    pub risk: Risk,
    /// What it is about: `timeout`, `may call`.
    pub aspect: String,
    /// Whom or what it is about, in order; never empty.
    pub subjects: Vec<String>,
    /// What was so before; `None`: there was none.
    pub before: Option<String>,
    /// What is so after; `None`: there is none.
    pub after: Option<String>,
    /// A request that shows it, if one was found.
    pub witness: Option<Witness>,
}

/// Which requests may show an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// None: it is not about single requests.
    None,
    /// Calls between two names.
    Call {
        /// Who calls, any of these.
        from: Vec<String>,
        /// What is called.
        to: String,
        /// What is sent; empty: connections.
        requests: Vec<Request>,
    },
    /// Requests of clients outside, at a port of a gateway.
    Arrival {
        /// The port, such as `west.ingress.http`.
        at: String,
        /// What is sent.
        requests: Vec<Request>,
    },
}

/// A request that is decided differently before and after, as both meshes were asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// As a question to `meshc ask`.
    pub question: String,
    /// What becomes of it before.
    pub before: String,
    /// What becomes of it after.
    pub after: String,
}

/// What becomes of pods and proxies. Names are `west/sidecars/shop/web`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// Proxies that were not there.
    pub added: Vec<String>,
    /// Proxies that are gone.
    pub removed: Vec<String>,
    /// Proxies whose pods are replaced.
    pub restarted: Vec<String>,
    /// Proxies of which a part of the configuration is read only when they start, and whose pods are not replaced.
    pub stale: Vec<String>,
    /// Proxies that read their configuration again while they run.
    pub reloaded: Vec<String>,
    /// How many stay as they are.
    pub untouched: usize,
}

/// In which order clusters are applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// No cluster waits for another one.
    Any,
    /// One after the other, each with the reason why it comes before a later one, if it has to.
    Steps(Vec<Step>),
    /// Each would have to come before another one: the reasons.
    Circle(Vec<String>),
}

/// A cluster and why it comes before another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The cluster.
    pub cluster: String,
    /// Why, if it has to.
    pub why: Option<String>,
}

/// What differs between two meshes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// What it comes to, in order of risk.
    pub effects: Vec<Effect>,
    /// Pods and proxies.
    pub rollout: Rollout,
    /// Clusters.
    pub order: Order,
}

impl Comparison {
    /// Whether neither an effect nor a proxy differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { effects, rollout, order: _ } = self;
        let Rollout { added, removed, restarted, stale, reloaded, untouched: _ } = rollout;
        effects.is_empty() && [added, removed, restarted, stale, reloaded].iter().all(|list| list.is_empty())
    }
}
