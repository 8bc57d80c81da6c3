//! What the headers of a message say about its connection and its length.

use crate::{Fault, Limits};
use http::HeaderValue;

/// What is noted while the headers of one message are read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// The one length that is stated.
    pub(super) length: Option<u64>,
    /// Whether a transfer coding is named; if so, whether the last one is `chunked`.
    pub(super) coding: Option<bool>,
    /// Whether the connection is to be closed.
    pub(super) close: bool,
    /// Whether an HTTP/1.0 connection is to stay.
    pub(super) keep_alive: bool,
    /// Whether the client waits for leave to send its body.
    pub(super) expects_continue: bool,
}

impl Fields {
    /// Notes a `content-length`; whether it says something new.
    pub(super) fn length(&mut self, value: &HeaderValue) -> Result<bool, Fault> {
        let length =
            number(value.as_bytes()).filter(|length| *length <= Limits::BODY).ok_or(Fault::Length)?;
        match self.length.replace(length) {
            None => Ok(true),
            Some(before) if before == length => Ok(false),
            Some(_) => Err(Fault::Length),
        }
    }

    /// Notes a `transfer-encoding`.
    pub(super) fn coding(&mut self, value: &HeaderValue) {
        let last = value.as_bytes().rsplit(|byte| *byte == b',').next().unwrap_or_default();
        // What is no text names no coding, whatever stands behind it.
        let is_text = value.as_bytes().is_ascii();
        self.coding = Some(is_text && last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
    }

    /// Notes a `connection`.
    pub(super) fn connection(&mut self, value: &HeaderValue) {
        // What is no text may end a connection, but does not keep it.
        let is_text = value.as_bytes().is_ascii();
        for option in value.as_bytes().split(|byte| *byte == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= is_text && option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    /// Whether the connection may carry another message after this one.
    pub(super) fn stays(&self, is_old: bool) -> bool {
        !self.close && (!is_old || self.keep_alive)
    }
}

/// A number in digits alone.
pub(super) fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_digits_and_say_the_same() {
        for (text, expected) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("+1", None),
            ("1, 1", None),
            ("1 ", None),
            ("0x1", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text:?}");
        }
        let mut fields = Fields::default();
        assert_eq!(fields.length(&HeaderValue::from_static("5")), Ok(true));
        assert_eq!(fields.length(&HeaderValue::from_static("05")), Ok(false));
        assert_eq!(fields.length(&HeaderValue::from_static("6")), Err(Fault::Length));
        let most = HeaderValue::from_static("18446744073709551615");
        assert_eq!(Fields::default().length(&most), Err(Fault::Length));
    }

    #[test]
    fn options_of_a_connection_are_words_in_a_list() {
        for (value, is_old, stays) in [
            ("", false, true),
            ("close", false, false),
            ("x, CLOSE ", false, false),
            ("closed", false, true),
            ("keep-alive", true, true),
            ("keep-alive, close", true, false),
            ("", true, false),
        ] {
            let mut fields = Fields::default();
            fields.connection(&HeaderValue::from_static(value));
            assert_eq!(fields.stays(is_old), stays, "{value:?}");
        }
        for (value, is_old) in [(&b"\xff, close"[..], false), (b"keep-alive, \xff", true)] {
            let mut fields = Fields::default();
            fields.connection(&HeaderValue::from_bytes(value).unwrap());
            assert!(!fields.stays(is_old), "{value:?}");
        }
    }

    #[test]
    fn only_the_last_coding_says_where_a_body_ends() {
        for (value, expected) in
            [("chunked", true), ("gzip, Chunked", true), ("chunked, gzip", false), ("", false)]
        {
            let mut fields = Fields::default();
            fields.coding(&HeaderValue::from_static(value));
            assert_eq!(fields.coding, Some(expected), "{value:?}");
        }
        let mut fields = Fields::default();
        fields.coding(&HeaderValue::from_bytes(b"gzi\xf0, chunked").unwrap());
        assert_eq!(fields.coding, Some(false));
    }
}
