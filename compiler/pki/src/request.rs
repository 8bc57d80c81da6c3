//! What the caller wants: authorities, clusters, identities and their lifetimes, in plain types of this crate.

use std::time::Duration;

/// The shortest lifetime that makes sense for any certificate: below it clocks that differ a little refuse it.
pub const MIN_LIFETIME: Duration = Duration::from_secs(60);

/// The longest common name that X.509 allows (RFC 5280, appendix A.1, `ub-common-name`), in characters.
pub const MAX_COMMON_NAME: usize = 64;

/// Who makes the intermediates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// This crate: the root and the intermediates live in the key directory.
    Builtin,
    /// The user: [`crate::adopt_files`] copied verified intermediates into the key directory, and they are used
    /// as they are.
    Files,
}

/// Everything a key directory should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustRequest {
    /// Who makes the intermediates.
    pub issuer: Issuer,
    /// The root certificate; only used by [`Issuer::Builtin`].
    pub root: RootRequest,
    /// How long an intermediate lives; only used by [`Issuer::Builtin`].
    pub intermediate_lifetime: Duration,
    /// How long a workload certificate lives.
    pub workload_lifetime: Duration,
    /// The clusters, each with an intermediate of its own.
    pub clusters: Vec<ClusterRequest>,
}

/// The root certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootRequest {
    /// Its common name, at most [`MAX_COMMON_NAME`] characters.
    pub common_name: String,
    /// How long it lives.
    pub lifetime: Duration,
}

/// One cluster: an intermediate and the identities of its workloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterRequest {
    /// The cluster's name, which is also the name of its folder in the key directory.
    pub name: String,
    /// Its trust domain, such as `cluster.local`.
    pub trust_domain: String,
    /// The identities that workloads of this cluster need.
    pub identities: Vec<Identity>,
}

/// The identity of a workload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// The namespace whose Secret carries the certificate.
    pub namespace: String,
    /// The service account.
    pub account: String,
    /// The whole URI, such as `spiffe://cluster.local/ns/shop/sa/webapp`.
    pub spiffe: String,
}

impl Identity {
    /// The identity of a service account: `spiffe://<trust domain>/ns/<namespace>/sa/<account>`.
    #[must_use]
    pub fn new(trust_domain: &str, namespace: &str, account: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            account: account.to_owned(),
            spiffe: format!("spiffe://{trust_domain}/ns/{namespace}/sa/{account}"),
        }
    }
}

/// A level of the hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The root.
    Root,
    /// The intermediate of a cluster.
    Intermediate,
    /// A workload's certificate.
    Workload,
}

/// Lifetimes that cannot work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifetimeProblem {
    /// A certificate would live as long as its issuer or longer.
    NotNested {
        /// The issuer.
        outer: Level,
        /// The issuer's lifetime.
        outer_lifetime: Duration,
        /// The certificate.
        inner: Level,
        /// The certificate's lifetime.
        inner_lifetime: Duration,
    },
    /// A lifetime is below [`MIN_LIFETIME`].
    TooShort {
        /// Whose lifetime it is.
        level: Level,
        /// The lifetime.
        lifetime: Duration,
    },
}

impl TrustRequest {
    /// Checks that root, intermediate and workload lifetimes nest strictly and that none is too short to be used.
    /// With [`Issuer::Files`] only the workload's own length can be judged here: [`crate::verify_files`] compares
    /// it with the intermediates that were brought.
    #[must_use]
    pub fn lifetime_problems(&self) -> Vec<LifetimeProblem> {
        let root = (Level::Root, self.root.lifetime);
        let intermediate = (Level::Intermediate, self.intermediate_lifetime);
        let workload = (Level::Workload, self.workload_lifetime);
        let levels: &[(Level, Duration)] = match self.issuer {
            Issuer::Builtin => &[root, intermediate, workload],
            Issuer::Files => &[workload],
        };
        let mut problems: Vec<LifetimeProblem> = levels
            .iter()
            .filter(|(_, lifetime)| *lifetime < MIN_LIFETIME)
            .map(|&(level, lifetime)| LifetimeProblem::TooShort { level, lifetime })
            .collect();
        for (&(outer, outer_lifetime), &(inner, inner_lifetime)) in levels.iter().zip(levels.iter().skip(1)) {
            if inner_lifetime >= outer_lifetime {
                problems.push(LifetimeProblem::NotNested { outer, outer_lifetime, inner, inner_lifetime });
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn request(root: Duration, intermediate: Duration, workload: Duration) -> TrustRequest {
        TrustRequest {
            issuer: Issuer::Builtin,
            root: RootRequest { common_name: "root".to_owned(), lifetime: root },
            intermediate_lifetime: intermediate,
            workload_lifetime: workload,
            clusters: Vec::new(),
        }
    }

    #[test]
    fn nested_lifetimes_pass() {
        assert_eq!(request(DAY * 3650, DAY * 365, DAY * 90).lifetime_problems(), []);
    }

    #[test]
    fn each_level_must_be_shorter_than_its_issuer() {
        let problems = request(DAY * 365, DAY * 365, DAY * 400).lifetime_problems();
        let pairs: Vec<(Level, Level)> = problems
            .iter()
            .filter_map(|problem| match problem {
                LifetimeProblem::NotNested { outer, inner, .. } => Some((*outer, *inner)),
                LifetimeProblem::TooShort { .. } => None,
            })
            .collect();
        assert_eq!(pairs, [(Level::Root, Level::Intermediate), (Level::Intermediate, Level::Workload)]);
    }

    #[test]
    fn a_lifetime_of_seconds_is_too_short() {
        let problems = request(DAY * 3650, DAY * 365, Duration::from_secs(5)).lifetime_problems();
        assert_eq!(
            problems,
            [LifetimeProblem::TooShort { level: Level::Workload, lifetime: Duration::from_secs(5) }]
        );
    }

    #[test]
    fn authorities_of_the_user_are_not_judged_by_unused_settings() {
        let mut request = request(DAY, DAY, DAY * 90);
        request.issuer = Issuer::Files;
        assert_eq!(request.lifetime_problems(), []);
    }
}
