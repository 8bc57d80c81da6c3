//! The plain types that client and service share: descriptors, limits, and what is left of them.

use std::fmt;
use std::time::Duration;

/// What is counted: an ordered list of keys and values, such as `header_match` = `gold_request`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Descriptor {
    /// The entries, outermost first.
    pub entries: Vec<(String, String)>,
}

impl Descriptor {
    /// A descriptor of one entry.
    #[must_use]
    pub fn one(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { entries: vec![(key.into(), value.into())] }
    }
}

/// As `key=value` entries with commas between them, for messages and logs.
impl fmt::Display for Descriptor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.entries.iter().enumerate() {
            if index > 0 {
                formatter.write_str(",")?;
            }
            write!(formatter, "{key}={value}")?;
        }
        Ok(())
    }
}

/// The unit of time of a limit. Windows of a unit begin at whole multiples of it since 1970, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// One second.
    Second,
    /// 60 seconds.
    Minute,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
    /// Seven days; weeks begin on Thursdays, as 1970 did.
    Week,
    /// 30 days: fixed windows need a fixed length.
    Month,
    /// 365 days.
    Year,
}

impl Unit {
    /// Its length in seconds.
    #[must_use]
    pub fn seconds(self) -> u64 {
        const DAY: u64 = 86_400;
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
            Self::Year => 365 * DAY,
        }
    }

    /// Its name in configuration files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }
}

/// So many requests per unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit {
    /// How many are admitted in one window.
    pub requests_per_unit: u32,
    /// The length of the window.
    pub unit: Unit,
}

/// A limit and what is left of it in the current window: what the `x-ratelimit-*` headers are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The limit.
    pub limit: Limit,
    /// How many requests the window still admits.
    pub remaining: u32,
    /// How long until the next window begins.
    pub until_reset: Duration,
}
