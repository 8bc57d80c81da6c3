//! Encoded bytes and the table of shapes → an ordered value.

use meshc_yaml::Value;

use super::schema::{Content, Field, MessageKind, Schema, Shape};
use super::well_known;
use super::wire::{Fields, Payload, array, varint};

/// The value of an encoded message of the named type.
pub(crate) fn message(schema: &Schema, full_name: &str, bytes: &[u8]) -> Value {
    match schema.index(full_name) {
        Some(index) => indexed(schema, index, bytes),
        None => unknown(full_name),
    }
}

/// A type or field number that the table does not know. The types and the table come from one release, so this
/// does not happen; if it did, a dropped setting would be the worst outcome, and Envoy refuses this name.
fn unknown(what: &str) -> Value {
    Value::Map(vec![(format!("unknown: {what}"), Value::Null)])
}

fn indexed(schema: &Schema, index: usize, bytes: &[u8]) -> Value {
    let Some(shape) = schema.shape(index) else {
        return unknown("message");
    };
    match shape.kind {
        MessageKind::Plain | MessageKind::MapEntry => Value::Map(entries(schema, shape, bytes)),
        MessageKind::Any => any(schema, bytes),
        MessageKind::Duration => well_known::duration(bytes),
        MessageKind::Struct => well_known::object(bytes),
        MessageKind::StructValue => well_known::dynamic(bytes),
        MessageKind::ListValue => well_known::array(bytes),
        MessageKind::Wrapper => wrapped(schema, shape, bytes),
    }
}

/// Fields by number. The encoder writes each oneof at the place of its first member, so they are sorted here.
fn entries(schema: &Schema, shape: &Shape, bytes: &[u8]) -> Vec<(String, Value)> {
    let mut found: Vec<(u32, &Field, Value)> = Vec::new();
    let mut strangers = Vec::new();
    for (number, payload) in Fields::of(bytes) {
        let Some(field) = shape.field(number) else {
            strangers.push((format!("unknown: field {number}"), Value::Null));
            continue;
        };
        let slot = match found.iter().rposition(|(seen, _, _)| *seen == number) {
            Some(position) => position,
            None => {
                let empty = match (field.repeated, map_entry(schema, field)) {
                    (true, Some(_)) => Value::Map(Vec::new()),
                    (true, None) => Value::List(Vec::new()),
                    (false, _) => Value::Null,
                };
                found.push((number, field, empty));
                found.len() - 1
            }
        };
        if let Some((_, _, value)) = found.get_mut(slot) {
            add(schema, field, payload, value);
        }
    }
    found.sort_by_key(|(number, _, _)| *number);
    let mut entries: Vec<(String, Value)> = found
        .into_iter()
        .map(|(_, field, value)| (field.name.clone(), sorted(schema, field, value)))
        .collect();
    entries.extend(strangers);
    entries
}

/// Adds one occurrence of a field to what is known of it.
fn add(schema: &Schema, field: &Field, payload: Payload<'_>, value: &mut Value) {
    match (value, payload) {
        (Value::Map(pairs), Payload::Bytes(bytes)) if field.repeated => {
            if let Some(entry) = map_entry(schema, field) {
                pairs.push(pair(schema, entry, bytes));
            }
        }
        (Value::List(items), Payload::Bytes(bytes)) if field.repeated && packable(field.content) => {
            let mut rest = bytes;
            while let Some(payload) = unpack(field.content, &mut rest) {
                items.push(single(schema, field.content, payload));
            }
        }
        (Value::List(items), payload) if field.repeated => items.push(single(schema, field.content, payload)),
        (value, payload) => *value = single(schema, field.content, payload),
    }
}

fn map_entry<'a>(schema: &'a Schema, field: &Field) -> Option<&'a Shape> {
    match field.content {
        Content::Message(index) => schema.shape(index).filter(|shape| shape.kind == MessageKind::MapEntry),
        Content::Bool
        | Content::Signed
        | Content::Unsigned
        | Content::ZigZag
        | Content::SignedFixed
        | Content::UnsignedFixed
        | Content::Float
        | Content::Text
        | Content::Bytes
        | Content::Enum(_) => None,
    }
}

/// The encoder keeps maps in hash maps, so their order on the wire differs from run to run.
fn sorted(schema: &Schema, field: &Field, value: Value) -> Value {
    match value {
        Value::Map(mut pairs) if field.repeated && map_entry(schema, field).is_some() => {
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Map(pairs)
        }
        value => value,
    }
}

/// A map entry: key is field 1, value is field 2, and either is absent if it is the type's default.
fn pair(schema: &Schema, entry: &Shape, bytes: &[u8]) -> (String, Value) {
    let (mut key, mut value) = (String::new(), None);
    for (number, payload) in Fields::of(bytes) {
        let Some(field) = entry.field(number) else { continue };
        match number {
            1 => key = key_text(single(schema, field.content, payload)),
            _ => value = Some(single(schema, field.content, payload)),
        }
    }
    let default = || entry.field(2).map_or(Value::Null, |field| default(schema, field.content));
    (key, value.unwrap_or_else(default))
}

fn key_text(key: Value) -> String {
    match key {
        Value::String(text) => text,
        other => meshc_yaml::to_string(&other).trim_end().to_owned(),
    }
}

fn wrapped(schema: &Schema, shape: &Shape, bytes: &[u8]) -> Value {
    let Some(field) = shape.field(1) else {
        return unknown("wrapper");
    };
    match Fields::of(bytes).find(|(number, _)| *number == 1) {
        Some((_, payload)) => single(schema, field.content, payload),
        None => default(schema, field.content),
    }
}

/// `@type` first; a type with a JSON form of its own goes below `value`.
fn any(schema: &Schema, bytes: &[u8]) -> Value {
    let (mut url, mut content) = ("", [].as_slice());
    for (number, payload) in Fields::of(bytes) {
        match (number, payload) {
            (1, Payload::Bytes(text)) => url = std::str::from_utf8(text).unwrap_or_default(),
            (2, Payload::Bytes(bytes)) => content = bytes,
            _ => {}
        }
    }
    let name = url.rsplit('/').next().unwrap_or_default();
    let own_form = schema
        .index(name)
        .and_then(|index| schema.shape(index))
        .is_some_and(|shape| shape.kind != MessageKind::Plain);
    let mut entries = vec![("@type".to_owned(), Value::from(url))];
    match message(schema, name, content) {
        Value::Map(fields) if !own_form => entries.extend(fields),
        value => entries.push(("value".to_owned(), value)),
    }
    Value::Map(entries)
}

/// What an absent scalar means. An absent message in a map is an empty one.
fn default(schema: &Schema, content: Content) -> Value {
    let zero = Payload::Varint(0);
    match content {
        Content::Text | Content::Bytes => Value::from(""),
        Content::Float => Value::Float(0.0),
        Content::Message(index) => indexed(schema, index, &[]),
        Content::Bool
        | Content::Signed
        | Content::Unsigned
        | Content::ZigZag
        | Content::SignedFixed
        | Content::UnsignedFixed
        | Content::Enum(_) => single(schema, content, zero),
    }
}

/// One value of a field. Numbers of 64 bits stay numbers: every reader of these files accepts them.
fn single(schema: &Schema, content: Content, payload: Payload<'_>) -> Value {
    match (content, payload) {
        (Content::Bool, Payload::Varint(value)) => Value::Bool(value != 0),
        (Content::Signed, Payload::Varint(value)) => Value::Integer(value.cast_signed()),
        (Content::Unsigned, Payload::Varint(value)) => Value::Unsigned(value),
        (Content::ZigZag, Payload::Varint(value)) => {
            Value::Integer((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
        }
        (Content::Enum(index), Payload::Varint(value)) => {
            // Enum values are 32-bit integers that travel sign-extended.
            let number = i32::try_from(value.cast_signed()).unwrap_or(i32::MAX);
            schema.enum_name(index, number).map_or(Value::Integer(number.into()), Value::from)
        }
        (Content::SignedFixed, Payload::Fixed32(value)) => Value::Integer(value.cast_signed().into()),
        (Content::SignedFixed, Payload::Fixed64(value)) => Value::Integer(value.cast_signed()),
        (Content::UnsignedFixed, Payload::Fixed32(value)) => Value::Unsigned(value.into()),
        (Content::UnsignedFixed, Payload::Fixed64(value)) => Value::Unsigned(value),
        (Content::Float, Payload::Fixed64(value)) => Value::Float(f64::from_bits(value)),
        (Content::Float, Payload::Fixed32(value)) => Value::Float(widen(f32::from_bits(value))),
        (Content::Text, Payload::Bytes(text)) => Value::String(String::from_utf8_lossy(text).into_owned()),
        (Content::Bytes, Payload::Bytes(bytes)) => Value::String(well_known::base64(bytes)),
        (Content::Message(index), Payload::Bytes(bytes)) => indexed(schema, index, bytes),
        (_, _) => unknown("wire type"),
    }
}

/// The double with the shortest digits of the float, so that 0.1 stays 0.1.
fn widen(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| value.into())
}

fn packable(content: Content) -> bool {
    !matches!(content, Content::Text | Content::Bytes | Content::Message(_))
}

/// Takes one packed number off the front.
fn unpack<'a>(content: Content, rest: &mut &'a [u8]) -> Option<Payload<'a>> {
    match content {
        // Envoy has no packed fixed-width or floating-point field but of eight bytes.
        Content::SignedFixed | Content::UnsignedFixed | Content::Float => {
            Some(Payload::Fixed64(u64::from_le_bytes(array(rest)?)))
        }
        Content::Bool | Content::Signed | Content::Unsigned | Content::ZigZag | Content::Enum(_) => {
            Some(Payload::Varint(varint(rest)?))
        }
        Content::Text | Content::Bytes | Content::Message(_) => None,
    }
}
