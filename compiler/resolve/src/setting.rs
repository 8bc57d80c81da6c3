//! A value that holds somewhere, and who said so.

use lang_diagnostics::Origin;
use meshc_vocabulary::model::{Id, Policy, Route};

/// A value, and who said that it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting<'m, T> {
    /// The value.
    pub value: T,
    /// Who said so.
    pub from: Provenance<'m>,
}

/// Who said something. Two of them are equal only if the same declaration said the same thing: the id decides, since two
/// declarations may share a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provenance<'m> {
    /// A rule of a route, for its own requests.
    Rule {
        /// The route.
        route: Id<Route>,
        /// The rule's position among the route's rules.
        rule: usize,
        /// Where.
        at: &'m Origin,
    },
    /// A policy that names this very service or route.
    Declared {
        /// The policy.
        policy: Id<Policy>,
        /// The block of the setting; of several, the first.
        at: &'m Origin,
    },
    /// A policy of the service's namespace, or of the mesh; for a subset also one that names its service.
    Inherited {
        /// The policy.
        policy: Id<Policy>,
        /// The block of the setting; of several, the first.
        at: &'m Origin,
    },
    /// Nobody, so the table of defaults applies.
    Default,
}

impl<'m> Provenance<'m> {
    /// Where it was said; `None` for the default. Whoever must tell a declared value from an assumed one asks this.
    #[must_use]
    pub const fn place(self) -> Option<&'m Origin> {
        match self {
            Self::Rule { at, .. } | Self::Declared { at, .. } | Self::Inherited { at, .. } => Some(at),
            Self::Default => None,
        }
    }

    /// The policy that said it, if one did.
    #[must_use]
    pub const fn policy(self) -> Option<Id<Policy>> {
        match self {
            Self::Declared { policy, .. } | Self::Inherited { policy, .. } => Some(policy),
            Self::Rule { .. } | Self::Default => None,
        }
    }
}

impl<'m, T> Setting<'m, T> {
    /// A value that nobody declared.
    pub(crate) const fn assumed(value: T) -> Self {
        Self { value, from: Provenance::Default }
    }

    /// The same value a level further in: whoever declared it did not name what is there.
    pub(crate) fn inherited(self) -> Self {
        let from = match self.from {
            Provenance::Declared { policy, at } => Provenance::Inherited { policy, at },
            from @ (Provenance::Rule { .. } | Provenance::Inherited { .. } | Provenance::Default) => from,
        };
        Self { from, ..self }
    }
}
