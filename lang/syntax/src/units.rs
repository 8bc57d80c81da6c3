//! Units of literals: what they are, which one is meant by a wrong one, and which one a number is printed in.

use crate::ast::RateUnit;

/// Decimals are kept in units of 10⁻⁹.
pub(crate) const NANOS: u64 = 1_000_000_000;

/// Units of durations and their milliseconds, largest first. A year is 365 days.
pub(crate) const DURATION_UNITS: [(&str, u64); 6] = [
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Units of sizes and their bytes, powers of 1024 before powers of 1000, largest first.
pub(crate) const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// Units of rates.
pub(crate) const RATE_UNITS: [(&str, RateUnit); 7] = [
    ("s", RateUnit::Second),
    ("min", RateUnit::Minute),
    ("h", RateUnit::Hour),
    ("d", RateUnit::Day),
    ("w", RateUnit::Week),
    ("mo", RateUnit::Month),
    ("y", RateUnit::Year),
];

/// A number in the largest unit that divides it. The last unit of `units` must have the scale 1.
pub(crate) fn in_largest_unit(number: u64, units: &[(&str, u64)]) -> String {
    let smallest = units.last();
    let fitting = units.iter().find(|(_, scale)| number != 0 && number.is_multiple_of(*scale)).or(smallest);
    fitting.map_or_else(|| number.to_string(), |(name, scale)| format!("{}{name}", number / scale))
}

/// The unit that people mean when they write another one, and by how much to multiply the number.
pub(crate) fn nearest(unit: &str) -> Option<(&'static str, u64)> {
    let nearest = match unit.to_ascii_lowercase().as_str() {
        "ms" | "msec" | "msecs" | "millis" | "milliseconds" => ("ms", 1),
        "s" | "sec" | "secs" | "second" | "seconds" => ("s", 1),
        "m" | "min" | "mins" | "minute" | "minutes" => ("m", 1),
        "h" | "hr" | "hrs" | "hour" | "hours" => ("h", 1),
        "d" | "day" | "days" => ("d", 1),
        "w" | "week" | "weeks" => ("d", 7),
        "mo" | "month" | "months" => ("d", 30),
        "y" | "yr" | "yrs" | "year" | "years" => ("y", 1),
        "b" | "byte" | "bytes" => ("B", 1),
        "k" | "kb" => ("kB", 1),
        "mb" => ("MB", 1),
        "g" | "gb" => ("GB", 1),
        "t" | "tb" => ("TB", 1),
        "ki" | "kib" => ("KiB", 1),
        "mi" | "mib" => ("MiB", 1),
        "gi" | "gib" => ("GiB", 1),
        "ti" | "tib" => ("TiB", 1),
        "pct" | "percent" => ("%", 1),
        "rps" | "qps" => ("/s", 1),
        "rpm" => ("/min", 1),
        _ if unit.eq_ignore_ascii_case("xx") => ("xx", 1),
        _ => return None,
    };
    Some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_in_the_largest_unit_that_divides_them() {
        assert_eq!(in_largest_unit(90_000, &DURATION_UNITS), "90s");
        assert_eq!(in_largest_unit(365 * 86_400_000, &DURATION_UNITS), "1y");
        assert_eq!(in_largest_unit(0, &DURATION_UNITS), "0ms");
        assert_eq!(in_largest_unit(1_000_000, &SIZE_UNITS), "1MB");
        assert_eq!(in_largest_unit(65536, &SIZE_UNITS), "64KiB");
        assert_eq!(in_largest_unit(1001, &SIZE_UNITS), "1001B");
    }
}
