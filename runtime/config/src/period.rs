//! A length of time as the file writes it: `250ms`, `15s`, `2m`, `1h`.

use std::time::Duration;

/// A length of time with millisecond resolution, written with exactly one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(Duration);

impl Period {
    /// The period of that many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Period(Duration::from_millis(millis))
    }

    /// The period of that many seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Period(Duration::from_secs(seconds))
    }

    /// The same length of time as the standard library's type.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at_checked(digits)?;
        let number: u64 = number.parse().ok()?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        Some(Period(Duration::from_millis(number.checked_mul(millis)?)))
    }
}

impl From<Duration> for Period {
    /// Rounds down to whole milliseconds.
    fn from(value: Duration) -> Self {
        Period::from_millis(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = self.0.as_millis();
        if millis.is_multiple_of(1_000) { write!(f, "{}s", millis / 1_000) } else { write!(f, "{millis}ms") }
    }
}

impl serde::Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Period {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Period::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a period; write a whole number with ms, s, m or h, as in `250ms`"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written_with_one_unit() {
        for (text, millis, canonical) in [
            ("250ms", 250, "250ms"),
            ("15s", 15_000, "15s"),
            ("2m", 120_000, "120s"),
            ("1h", 3_600_000, "3600s"),
        ] {
            let period = Period::parse(text).unwrap();
            assert_eq!(period, Period::from_millis(millis));
            assert_eq!(period.to_string(), canonical);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["", "15", "s", "1.5s", "-1s", "1 s", "1d", "99999999999999999999s", "18446744073709551615h"]
        {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
