//! Messages whose JSON form is not a map of their fields (<https://protobuf.dev/programming-guides/json>).

use meshc_yaml::Writer;

use super::wire::{Fields, Payload};

/// `15s`, `0.25s`, `-1.5s`: seconds is field 1, nanoseconds field 2, both with the same sign.
pub(crate) fn duration(bytes: &[u8]) -> String {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    for (number, payload) in Fields::of(bytes) {
        match (number, payload) {
            (1, Payload::Varint(value)) => seconds = value.cast_signed(),
            (2, Payload::Varint(value)) => nanos = value.cast_signed(),
            _ => {}
        }
    }
    let sign = if seconds < 0 || nanos < 0 { "-" } else { "" };
    let fraction = format!(".{:09}", nanos.unsigned_abs());
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{sign}{}{fraction}s", seconds.unsigned_abs())
}

/// `google.protobuf.Struct`: entries are field 1, each with key 1 and value 2. They are sorted by key, since the
/// encoder keeps them in a hash map.
pub(crate) fn object(bytes: &[u8], writer: &mut Writer) {
    let mut entries: Vec<(String, &[u8])> = Vec::new();
    for (_, payload) in Fields::of(bytes) {
        let Payload::Bytes(entry) = payload else { continue };
        let (mut key, mut value) = (String::new(), [].as_slice());
        for (number, payload) in Fields::of(entry) {
            match (number, payload) {
                (1, Payload::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
                (2, Payload::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        entries.push((key, value));
    }
    entries.sort();
    writer.begin_map();
    for (key, value) in entries {
        writer.key(&key);
        dynamic(value, writer);
    }
    writer.end();
}

/// `google.protobuf.ListValue`: items are field 1.
pub(crate) fn array(bytes: &[u8], writer: &mut Writer) {
    writer.begin_list();
    for (_, payload) in Fields::of(bytes) {
        if let Payload::Bytes(item) = payload {
            dynamic(item, writer);
        }
    }
    writer.end();
}

/// `google.protobuf.Value`: one of null (1), number (2), string (3), bool (4), struct (5), list (6).
pub(crate) fn dynamic(bytes: &[u8], writer: &mut Writer) {
    match Fields::of(bytes).next() {
        Some((2, Payload::Fixed64(bits))) => number(f64::from_bits(bits), writer),
        Some((3, Payload::Bytes(text))) => writer.string(&String::from_utf8_lossy(text)),
        Some((4, Payload::Varint(value))) => writer.bool(value != 0),
        Some((5, Payload::Bytes(bytes))) => object(bytes, writer),
        Some((6, Payload::Bytes(bytes))) => array(bytes, writer),
        _ => writer.null(),
    }
}

/// Whole numbers without a fraction: `priority: 1` reads better than `1.0`, and means the same here.
fn number(value: f64, writer: &mut Writer) {
    /// Up to here a double holds every whole number exactly.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT && !(value == 0.0 && value.is_sign_negative()) {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53, as just checked")]
        writer.integer(value as i64);
    } else {
        writer.float(value);
    }
}

/// Standard base64 with padding (RFC 4648 §4), protobuf's JSON form of bytes.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for position in 0..4 {
            let digit = group >> (18 - 6 * position) & 0x3f;
            let letter = ALPHABET.get(usize::try_from(digit).unwrap_or(0)).copied().unwrap_or(b'A');
            out.push(if position > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_matches_the_test_vectors_of_rfc_4648() {
        let vectors = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in vectors {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }
}
