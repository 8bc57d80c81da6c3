//! Literals: classifies a token that begins with a digit, or proposes what may have been meant.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::ast::{Decimal, DurationLiteral, Literal, Rate};
use crate::units::{self, DURATION_UNITS, NANOS, RATE_UNITS, SIZE_UNITS};

/// Why a token is no literal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// What is wrong, to follow the quoted token in a message: "has an unknown unit `sec`".
    pub(crate) problem: String,
    /// The nearest correct form, if one is near.
    pub(crate) suggestion: Option<String>,
}

impl Malformed {
    fn new(problem: impl Into<String>, suggestion: Option<String>) -> Self {
        Self { problem: problem.into(), suggestion }
    }
}

/// Classifies a token.
pub(crate) fn classify(text: &str) -> Result<Literal, Malformed> {
    // Most literals are short plain numbers.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return integer(text).map(Literal::Integer);
    }
    match text.bytes().filter(|byte| *byte == b':').count() {
        0 => {}
        1 => return socket_address(text),
        _ => return ipv6(text),
    }
    if let Some((left, right)) = text.split_once('/') {
        return if left.contains('.') { cidr(text, left, right) } else { rate(text, left, right) };
    }
    if let Some(number) = text.strip_suffix('%') {
        return percentage(text, number);
    }
    if let Some((left, right)) = text.split_once('-') {
        return port_range(text, left, right);
    }
    if let Some(class) = text.strip_suffix("xx") {
        return status_class(text, class);
    }
    if text.bytes().filter(|byte| *byte == b'.').count() > 1 {
        return ipv4(text).map(|address| Literal::Ip(IpAddr::V4(address)));
    }
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    match text.split_at_checked(unit_at) {
        Some((number, "")) if number.contains('.') => decimal(number).map(Literal::Decimal),
        Some((number, "")) => integer(number).map(Literal::Integer),
        Some((number, unit)) => with_unit(text, number, unit),
        None => Err(quoted(text)),
    }
}

/// Nothing that a digit may begin: it can only be a quoted string.
fn quoted(text: &str) -> Malformed {
    Malformed::new(
        "is no number, duration, rate, size, percentage, address or range",
        Some(format!("\"{text}\"")),
    )
}

fn integer(text: &str) -> Result<u64, Malformed> {
    let digits = text.replace('_', "");
    if digits.len() > 1 && digits.starts_with('0') {
        let bare = digits.trim_start_matches('0');
        let bare = if bare.is_empty() { "0" } else { bare };
        return Err(Malformed::new("has a leading zero", Some(bare.to_owned())));
    }
    if text.ends_with('_') || text.contains("__") {
        return Err(Malformed::new("has a `_` that is not between two digits", Some(digits)));
    }
    digits.parse().map_err(|_| Malformed::new("is too large", None))
}

fn decimal(text: &str) -> Result<Decimal, Malformed> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if fraction.is_empty() {
        return Err(Malformed::new("ends in a point", Some(whole.to_owned())));
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(quoted(text));
    }
    let significant = fraction.trim_end_matches('0');
    if significant.len() > 9 {
        let kept = significant.get(..9).unwrap_or_default();
        return Err(Malformed::new("has more than nine decimals", Some(format!("{whole}.{kept}"))));
    }
    let fraction: u64 = format!("{significant:0<9}").parse().unwrap_or(0);
    let nanos = integer(whole)?.checked_mul(NANOS).and_then(|whole| whole.checked_add(fraction));
    nanos.map(|nanos| Decimal { nanos }).ok_or_else(|| Malformed::new("is too large", None))
}

fn percentage(text: &str, number: &str) -> Result<Literal, Malformed> {
    if !number.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'_')) {
        return Err(quoted(text));
    }
    decimal(number).map(Literal::Percentage).map_err(|error| Malformed {
        problem: error.problem,
        suggestion: error.suggestion.map(|number| format!("{number}%")),
    })
}

fn rate(text: &str, count: &str, per: &str) -> Result<Literal, Malformed> {
    if !count.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return Err(quoted(text));
    }
    let unit = RATE_UNITS.iter().find(|(name, _)| *name == per);
    if let Some((_, unit)) = unit {
        return Ok(Literal::Rate(Rate { count: integer(count)?, unit: *unit }));
    }
    let nearest = match per.to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => Some("s"),
        "m" | "min" | "mins" | "minute" | "minutes" => Some("min"),
        "h" | "hr" | "hour" | "hours" => Some("h"),
        "d" | "day" | "days" => Some("d"),
        "w" | "wk" | "week" | "weeks" => Some("w"),
        "mo" | "mon" | "month" | "months" => Some("mo"),
        "y" | "yr" | "year" | "years" => Some("y"),
        _ => None,
    };
    Err(Malformed::new(
        format!("has the unknown unit `/{per}`: a rate is per `/s`, `/min`, `/h`, `/d`, `/w`, `/mo` or `/y`"),
        nearest.map(|unit| format!("{count}/{unit}")),
    ))
}

fn status_class(text: &str, class: &str) -> Result<Literal, Malformed> {
    match class.parse::<u8>() {
        Ok(class @ 1..=5) => Ok(Literal::StatusClass(class)),
        _ if class.len() == 1 => Err(Malformed::new("is no status class: they are `1xx` to `5xx`", None)),
        _ => Err(quoted(text)),
    }
}

fn port_range(text: &str, low: &str, high: &str) -> Result<Literal, Malformed> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(low) || !is_number(high) {
        return Err(quoted(text));
    }
    match (low.parse::<u16>(), high.parse::<u16>()) {
        (Ok(low), Ok(high)) if low <= high => Ok(Literal::PortRange(low, high)),
        (Ok(low), Ok(high)) => {
            Err(Malformed::new("is a range that runs backwards", Some(format!("{high}-{low}"))))
        }
        _ => Err(Malformed::new("is no port range: ports end at 65535", None)),
    }
}

fn ipv4(text: &str) -> Result<Ipv4Addr, Malformed> {
    text.parse().map_err(|_| {
        let is_address = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if is_address {
            Malformed::new(
                "is no IPv4 address: that is four numbers from 0 to 255 without leading zeros",
                None,
            )
        } else {
            quoted(text)
        }
    })
}

fn ipv6(text: &str) -> Result<Literal, Malformed> {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let Ok(address) = address.parse::<Ipv6Addr>() else {
        return Err(Malformed::new("is no IPv6 address", None));
    };
    match prefix {
        None => Ok(Literal::Ip(IpAddr::V6(address))),
        Some(prefix) => Ok(Literal::Cidr(IpAddr::V6(address), prefix_length(prefix, 128)?)),
    }
}

fn cidr(text: &str, address: &str, prefix: &str) -> Result<Literal, Malformed> {
    if !address.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(quoted(text));
    }
    Ok(Literal::Cidr(IpAddr::V4(ipv4(address)?), prefix_length(prefix, 32)?))
}

fn prefix_length(text: &str, most: u8) -> Result<u8, Malformed> {
    match text.parse::<u8>() {
        Ok(length) if length <= most && (text == "0" || !text.starts_with('0')) => Ok(length),
        _ => Err(Malformed::new(format!("has no prefix length from 0 to {most} after `/`"), None)),
    }
}

fn socket_address(text: &str) -> Result<Literal, Malformed> {
    text.parse::<SocketAddr>().map(Literal::SocketAddress).map_err(|_| {
        Malformed::new("is no `address:port`: that is an IPv4 address and a port up to 65535", None)
    })
}

/// A number with a unit of time or size.
fn with_unit(text: &str, number: &str, unit: &str) -> Result<Literal, Malformed> {
    if let Some((_, scale)) = DURATION_UNITS.iter().find(|(name, _)| *name == unit) {
        let milliseconds = scaled(number, *scale).map_err(|error| again(error, unit, "a millisecond"))?;
        return Ok(Literal::Duration(DurationLiteral { milliseconds }));
    }
    if let Some((_, scale)) = SIZE_UNITS.iter().find(|(name, _)| *name == unit) {
        return Ok(Literal::Size(scaled(number, *scale).map_err(|error| again(error, unit, "a byte"))?));
    }
    if let Some(total) = compound_duration(text) {
        let problem = "has several units: a duration is one number and one unit";
        return Err(Malformed::new(problem, Some(units::in_largest_unit(total, &DURATION_UNITS))));
    }
    if let Some(hexadecimal) = text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok())
    {
        return Err(Malformed::new("is hexadecimal: numbers are decimal", Some(hexadecimal.to_string())));
    }
    if matches!(unit, "us" | "µs" | "μs" | "ns") {
        return Err(Malformed::new(format!("has the unit `{unit}`, and `ms` is the smallest"), None));
    }
    match units::nearest(unit) {
        Some((nearest, factor)) => {
            let number = match (factor, number.parse::<u64>()) {
                (1, _) | (_, Err(_)) => number.to_owned(),
                (factor, Ok(number)) => number.saturating_mul(factor).to_string(),
            };
            Err(Malformed::new(format!("has the unknown unit `{unit}`"), Some(format!("{number}{nearest}"))))
        }
        None => Err(quoted(text)),
    }
}

/// Why a number could not be scaled to whole units.
enum Unscaled {
    Number(Malformed),
    TooLarge,
    Fraction,
}

fn again(error: Unscaled, unit: &str, smallest: &str) -> Malformed {
    match error {
        Unscaled::Number(error) => Malformed {
            problem: error.problem,
            suggestion: error.suggestion.map(|number| format!("{number}{unit}")),
        },
        Unscaled::TooLarge => Malformed::new("is too large", None),
        Unscaled::Fraction => Malformed::new(format!("is no whole multiple of {smallest}"), None),
    }
}

/// `number` (integer or decimal) times `scale`, exactly.
fn scaled(number: &str, scale: u64) -> Result<u64, Unscaled> {
    if !number.contains('.') {
        let number = integer(number).map_err(Unscaled::Number)?;
        return number.checked_mul(scale).ok_or(Unscaled::TooLarge);
    }
    let nanos = u128::from(decimal(number).map_err(Unscaled::Number)?.nanos) * u128::from(scale);
    if !nanos.is_multiple_of(u128::from(NANOS)) {
        return Err(Unscaled::Fraction);
    }
    u64::try_from(nanos / u128::from(NANOS)).map_err(|_| Unscaled::TooLarge)
}

/// The sum of `1h30m`, in milliseconds.
fn compound_duration(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (unit, after) =
            after.split_at_checked(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()))?;
        let (_, scale) = DURATION_UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*scale)?)?;
        rest = after;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::RateUnit;

    fn suggestion(text: &str) -> Option<String> {
        classify(text).expect_err(text).suggestion
    }

    #[test]
    fn every_class() {
        let decimal = |nanos| Decimal { nanos };
        let duration = |milliseconds| Literal::Duration(DurationLiteral { milliseconds });
        let cases = [
            ("0", Literal::Integer(0)),
            ("10_000", Literal::Integer(10_000)),
            ("0.5", Literal::Decimal(decimal(500_000_000))),
            ("1.000000001", Literal::Decimal(decimal(1_000_000_001))),
            ("250ms", duration(250)),
            ("1.5s", duration(1500)),
            ("2m", duration(120_000)),
            ("90d", duration(90 * 86_400_000)),
            ("1y", duration(365 * 86_400_000)),
            ("10/min", Literal::Rate(Rate { count: 10, unit: RateUnit::Minute })),
            ("64KiB", Literal::Size(65536)),
            ("0.5kB", Literal::Size(500)),
            ("0.1%", Literal::Percentage(decimal(100_000_000))),
            ("172.18.255.200", Literal::Ip("172.18.255.200".parse().unwrap())),
            ("fd00::1", Literal::Ip("fd00::1".parse().unwrap())),
            ("10.10.0.0/16", Literal::Cidr("10.10.0.0".parse().unwrap(), 16)),
            ("::/0", Literal::Cidr("::".parse().unwrap(), 0)),
            ("10.0.0.1:80", Literal::SocketAddress("10.0.0.1:80".parse().unwrap())),
            ("8000-8080", Literal::PortRange(8000, 8080)),
            ("5xx", Literal::StatusClass(5)),
        ];
        for (text, expected) in cases {
            assert_eq!(classify(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_nearest_form_is_suggested_and_is_itself_correct() {
        let cases = [
            ("10sec", "10s"),
            ("2weeks", "14d"),
            ("5XX", "5xx"),
            ("10/minute", "10/min"),
            ("10/m", "10/min"),
            ("10/month", "10/mo"),
            ("10/week", "10/w"),
            ("64kb", "64kB"),
            ("64Ki", "64KiB"),
            ("50percent", "50%"),
            ("1h30m", "90m"),
            ("007", "7"),
            ("0x1f", "31"),
            ("8080-8000", "8000-8080"),
            ("10.", "10"),
            ("010s", "10s"),
            ("100rps", "100/s"),
        ];
        for (text, expected) in cases {
            assert_eq!(suggestion(text).as_deref(), Some(expected), "{text}");
            assert!(classify(expected).is_ok(), "{expected}");
        }
        assert_eq!(suggestion("2nd-cluster").as_deref(), Some("\"2nd-cluster\""));
        assert_eq!(suggestion("1.2.3.256"), None);
        assert_eq!(suggestion("99999-1"), None);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        for text in
            ["18446744073709551616", "999999999999y", "99999999999.5", "0.5ms", "1.0000000001", "1.5/s"]
        {
            assert!(classify(text).is_err(), "{text}");
        }
    }
}
