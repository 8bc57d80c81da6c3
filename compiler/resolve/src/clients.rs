//! What policies say about clients outside the mesh, at a gateway or at one of its routes.
//!
//! A seam: every value is taken apart field by field, so that a new field does not build before it is read here.

use lang_diagnostics::Origin;
use meshc_vocabulary::model::policy::{AuthorizationRule, PolicySettings};

use crate::{Obstacle, Provenance, Setting};

/// Which clients may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientRules<'m> {
    /// Who may, all of one policy; empty: everybody.
    pub allow: Setting<'m, &'m [AuthorizationRule]>,
    /// Who may not, whatever `allow` says; all of one policy.
    pub deny: Setting<'m, &'m [AuthorizationRule]>,
    /// An `allow` that is tried, all of one policy; empty: none is.
    pub audited_allow: Setting<'m, &'m [AuthorizationRule]>,
    /// A `deny` that is tried, all of one policy.
    pub audited_deny: Setting<'m, &'m [AuthorizationRule]>,
}

impl<'m> ClientRules<'m> {
    /// Everybody may come in.
    pub(crate) const NONE: Self = Self {
        allow: Setting::assumed(&[]),
        deny: Setting::assumed(&[]),
        audited_allow: Setting::assumed(&[]),
        audited_deny: Setting::assumed(&[]),
    };

    /// Those of a policy with these settings. Rules about callers inside the mesh are refused, by name and place, as is what
    /// `inside` says: that nobody comes from outside here.
    pub(crate) fn with(
        self,
        settings: &'m PolicySettings,
        said: impl Fn(&'m Origin) -> Provenance<'m>,
        inside: Option<Obstacle>,
        callers: Obstacle,
        mut note: impl FnMut(&'static str, &'m Origin, Obstacle),
    ) -> Self {
        let PolicySettings {
            balance: _,
            failover: _,
            health: _,
            outlier: _,
            pool: _,
            retry: _,
            timeout: _,
            allow,
            deny,
            audited_allow,
            audited_deny,
            rate_limits: _,
        } = settings;
        let mut rules = |word: &'static str, before, rules: &'m [AuthorizationRule]| {
            for rule in rules {
                match (rule.is_about_clients(), inside) {
                    (true, None) => {}
                    (true, Some(obstacle)) => note(word, &rule.origin, obstacle),
                    (false, _) => note(word, &rule.origin, callers),
                }
            }
            match rules.first() {
                Some(first) => Setting { value: rules, from: said(&first.origin) },
                None => before,
            }
        };
        Self {
            allow: rules("allow", self.allow, allow),
            deny: rules("deny", self.deny, deny),
            audited_allow: rules("allow", self.audited_allow, audited_allow),
            audited_deny: rules("deny", self.audited_deny, audited_deny),
        }
    }
}
