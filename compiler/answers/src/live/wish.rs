//! What is wished of answers, and within which bounds it is asked.

use std::time::Duration;

/// As many requests are sent in a row, and no more.
pub(super) const MOST: usize = 2000;
/// The most requests in a time for which a limit is used up.
const BURST: u64 = 200;
/// A limit of a longer time is not asked for.
const WINDOW: u64 = 60_000;
/// The longest that is waited for a timeout.
const LONGEST: Duration = Duration::from_secs(15);
/// What may come between a timeout and its being seen.
const SLACK: Duration = Duration::from_millis(1500);
/// How early a timeout may be seen, since clocks differ.
const EARLY: Duration = Duration::from_millis(50);

/// What is wished of the answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The callee answers, or, without a name, any application.
    Admitted(Option<String>),
    /// The callee's proxy refuses it, if it is asked itself; a gateway does not let it get to the callee.
    Refused(String),
    /// Some application answers; if a cluster is given, pods of the callee in it do, now and then.
    AnsweredIn(String, Option<String>),
    /// These answer, and no others.
    AnsweredBy(Vec<Place>),
    /// A limit refuses one of so many.
    Limited(usize),
    /// A limit refuses the one after so many, if they come within so many milliseconds.
    Rate(u64, u64),
    /// It ends with a timeout within these bounds.
    Ends(Duration, Duration),
    /// A proxy answers with this status.
    Status(u16),
}

/// Who may answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `namespace.service` or a subset of it, or any service.
    pub service: Option<String>,
    /// The cluster, or any.
    pub cluster: Option<String>,
    /// As it is written.
    pub shown: String,
}

impl Place {
    /// Whether this is meant.
    pub(super) fn is(&self, service: &str, cluster: &str) -> bool {
        self.service.as_deref().is_none_or(|own| is_part(service, own))
            && self.cluster.as_deref().is_none_or(|own| own == cluster)
    }
}

/// Whether a service is another one, or a subset of it.
pub(super) fn is_part(part: &str, whole: &str) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl Wish {
    /// That a limit refuses requests, given the tightest that counts them: so many in so many milliseconds.
    pub(super) fn limited(tightest: Option<(u64, u64)>) -> Result<Self, String> {
        // Where none is known, a hundred are more than most limits for a second.
        let Some((count, per)) = tightest else { return Ok(Self::Limited(100)) };
        bounded(count, per)?;
        Ok(Self::Limited(usize::try_from(count).unwrap_or(MOST) * 2 + 20))
    }

    /// That the tightest limit is this one.
    pub(super) fn rate(count: u64, per: u64) -> Result<Self, String> {
        bounded(count, per)?;
        Ok(Self::Rate(count, per))
    }

    /// That a request ends with a timeout: exactly after this time, or at the latest.
    pub(super) fn ends(bound: Duration, is_exact: bool) -> Result<Self, String> {
        if bound > LONGEST {
            let most = LONGEST.as_secs();
            return Err(format!("it would take {}, and {most}s are waited at most", super::words(bound)));
        }
        let earliest = if is_exact { bound.saturating_sub(EARLY) } else { Duration::ZERO };
        Ok(Self::Ends(earliest, bound + SLACK))
    }

    /// How long the application is asked to wait before it answers.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        match self {
            Self::Ends(_, latest) => Some(*latest * 3 / 2 + SLACK),
            Self::Admitted(_)
            | Self::Refused(_)
            | Self::AnsweredIn(..)
            | Self::AnsweredBy(_)
            | Self::Limited(_)
            | Self::Rate(..)
            | Self::Status(_) => None,
        }
    }

    /// How long nothing may have been sent before it is asked, so that a limit has all of its requests left.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        match self {
            Self::Rate(_, per) if *per <= 1000 => Some(Duration::from_millis(*per + 200)),
            Self::Rate(..)
            | Self::Limited(_)
            | Self::Ends(..)
            | Self::Admitted(_)
            | Self::Refused(_)
            | Self::AnsweredIn(..)
            | Self::AnsweredBy(_)
            | Self::Status(_) => None,
        }
    }

    /// Whether it uses up what others may need, so that it is asked last.
    #[must_use]
    pub fn uses_up(&self) -> bool {
        match self {
            Self::Limited(_) | Self::Rate(..) => true,
            Self::Ends(..)
            | Self::Admitted(_)
            | Self::Refused(_)
            | Self::AnsweredIn(..)
            | Self::AnsweredBy(_)
            | Self::Status(_) => false,
        }
    }
}

fn bounded(count: u64, per: u64) -> Result<(), String> {
    let limit = crate::limits::text(count, per);
    if count > BURST {
        return Err(format!(
            "it takes more than {count} requests to see a limit of {limit}, and {BURST} are sent at most"
        ));
    }
    if per > WINDOW {
        return Err(format!("a limit of {limit} counts what came long before the test"));
    }
    Ok(())
}
