//! Encoded bytes and the table of shapes → YAML, in one pass and without a value in between.
//!
//! What the table lacks ends the walk with its name: a file without that setting must never be written.

use meshc_yaml::Writer;

use super::schema::{Content, Field, MessageKind, Schema, Shape};
use super::well_known;
use super::wire::{Fields, Payload, array, varint};

/// A type, field or value of Envoy's that the table does not have: the descriptor file and the types come from different
/// releases, or the type is no root of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown(pub(crate) String);

/// The end of a part of the walk.
type Walked = Result<(), Unknown>;

/// Writes an encoded message of the named type.
pub(crate) fn message(schema: &Schema, full_name: &str, bytes: &[u8], writer: &mut Writer) -> Walked {
    match schema.index(full_name) {
        Some(index) => indexed(schema, index, bytes, writer),
        None => Err(Unknown(format!("type `{full_name}`"))),
    }
}

fn indexed(schema: &Schema, index: usize, bytes: &[u8], writer: &mut Writer) -> Walked {
    let Some(shape) = schema.shape(index) else {
        return Err(Unknown(String::from("type of a field")));
    };
    match shape.kind {
        MessageKind::Plain | MessageKind::MapEntry => {
            writer.begin_map();
            entries(schema, shape, bytes, writer)?;
            writer.end();
        }
        MessageKind::Any => any(schema, bytes, writer)?,
        MessageKind::Duration => writer.string(&well_known::duration(bytes)),
        MessageKind::Struct => well_known::object(bytes, writer),
        MessageKind::StructValue => well_known::dynamic(bytes, writer),
        MessageKind::ListValue => well_known::array(bytes, writer),
        MessageKind::Wrapper => wrapped(schema, shape, bytes, writer)?,
    }
    Ok(())
}

/// Writes the fields by number into the map that is open.
fn entries(schema: &Schema, shape: &Shape, bytes: &[u8], writer: &mut Writer) -> Walked {
    // The encoder writes each oneof at the place of its first member; everything else is in order already. Sorting is
    // stable, so occurrences of one field keep theirs.
    let mut occurrences: Vec<(u32, Payload<'_>)> = Fields::of(bytes).collect();
    occurrences.sort_by_key(|(number, _)| *number);
    for group in occurrences.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((number, last)) = group.last() else { continue };
        let Some(field) = shape.field(*number) else {
            return Err(Unknown(format!("field {number} of a message")));
        };
        writer.key(&field.name);
        match (field.repeated, map_entry(schema, field)) {
            (false, _) => single(schema, field.content, *last, writer)?,
            (true, None) => list(schema, field, group, writer)?,
            (true, Some(entry)) => map(schema, entry, group, writer)?,
        }
    }
    Ok(())
}

fn list(schema: &Schema, field: &Field, occurrences: &[(u32, Payload<'_>)], writer: &mut Writer) -> Walked {
    writer.begin_list();
    for (_, payload) in occurrences {
        match payload {
            Payload::Bytes(bytes) if packable(field.content) => {
                let mut rest = *bytes;
                while let Some(payload) = unpack(field.content, &mut rest) {
                    single(schema, field.content, payload, writer)?;
                }
            }
            Payload::Bytes(_) | Payload::Varint(_) | Payload::Fixed32(_) | Payload::Fixed64(_) => {
                single(schema, field.content, *payload, writer)?;
            }
        }
    }
    writer.end();
    Ok(())
}

/// The encoder keeps maps in hash maps, so their order on the wire differs from run to run.
fn map(schema: &Schema, entry: &Shape, occurrences: &[(u32, Payload<'_>)], writer: &mut Writer) -> Walked {
    let mut pairs: Vec<(String, &[u8])> = Vec::with_capacity(occurrences.len());
    for (_, payload) in occurrences {
        match payload {
            Payload::Bytes(bytes) => pairs.push((key_of(schema, entry, bytes)?, bytes)),
            Payload::Varint(_) | Payload::Fixed32(_) | Payload::Fixed64(_) => {}
        }
    }
    pairs.sort();
    writer.begin_map();
    for (key, bytes) in pairs {
        writer.key(&key);
        field_or_default(schema, entry, 2, bytes, writer)?;
    }
    writer.end();
    Ok(())
}

/// The key of a map entry is its field 1.
fn key_of(schema: &Schema, entry: &Shape, bytes: &[u8]) -> Result<String, Unknown> {
    if let Some((_, Payload::Bytes(text))) = Fields::of(bytes).find(|(number, _)| *number == 1) {
        return Ok(String::from_utf8_lossy(text).into_owned());
    }
    match entry.field(1).map(|field| field.content) {
        Some(Content::Text) | None => Ok(String::new()),
        Some(_) => {
            // Numbers and truth values are keys too; as a document of their own they are written as a key would be.
            let mut writer = Writer::new();
            field_or_default(schema, entry, 1, bytes, &mut writer)?;
            Ok(writer.finish().trim_end().to_owned())
        }
    }
}

fn wrapped(schema: &Schema, shape: &Shape, bytes: &[u8], writer: &mut Writer) -> Walked {
    field_or_default(schema, shape, 1, bytes, writer)
}

/// The value of one field, also if it is absent because it is the type's default.
fn field_or_default(
    schema: &Schema,
    shape: &Shape,
    number: u32,
    bytes: &[u8],
    writer: &mut Writer,
) -> Walked {
    let Some(field) = shape.field(number) else {
        return Err(Unknown(format!("field {number} of a wrapper")));
    };
    match Fields::of(bytes).find(|(found, _)| *found == number) {
        Some((_, payload)) => single(schema, field.content, payload, writer),
        None => default(schema, field.content, writer),
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

/// `@type` first; a type with a JSON form of its own goes below `value`.
fn any(schema: &Schema, bytes: &[u8], writer: &mut Writer) -> Walked {
    let (mut url, mut content) = ("", [].as_slice());
    for (number, payload) in Fields::of(bytes) {
        match (number, payload) {
            (1, Payload::Bytes(text)) => url = std::str::from_utf8(text).unwrap_or_default(),
            (2, Payload::Bytes(bytes)) => content = bytes,
            _ => {}
        }
    }
    writer.begin_map();
    writer.key("@type");
    writer.string(url);
    let name = url.rsplit('/').next().unwrap_or_default();
    match schema.index(name).and_then(|index| schema.shape(index)) {
        Some(shape) if shape.kind == MessageKind::Plain => entries(schema, shape, content, writer)?,
        Some(_) | None => {
            writer.key("value");
            message(schema, name, content, writer)?;
        }
    }
    writer.end();
    Ok(())
}

/// What an absent scalar means. An absent message in a map is an empty one.
fn default(schema: &Schema, content: Content, writer: &mut Writer) -> Walked {
    match content {
        Content::Text | Content::Bytes => writer.string(""),
        Content::Float => writer.float(0.0),
        Content::Message(index) => indexed(schema, index, &[], writer)?,
        Content::SignedFixed | Content::UnsignedFixed => writer.unsigned(0),
        Content::Bool | Content::Signed | Content::Unsigned | Content::ZigZag | Content::Enum(_) => {
            single(schema, content, Payload::Varint(0), writer)?;
        }
    }
    Ok(())
}

/// One value of a field. Numbers of 64 bits stay numbers: every reader of these files accepts them.
fn single(schema: &Schema, content: Content, payload: Payload<'_>, writer: &mut Writer) -> Walked {
    match (content, payload) {
        (Content::Bool, Payload::Varint(value)) => writer.bool(value != 0),
        (Content::Signed, Payload::Varint(value)) => writer.integer(value.cast_signed()),
        (Content::Unsigned, Payload::Varint(value)) => writer.unsigned(value),
        (Content::ZigZag, Payload::Varint(value)) => {
            writer.integer((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
        }
        (Content::Enum(index), Payload::Varint(value)) => {
            // Enum values are 32-bit integers that travel sign-extended.
            let number = i32::try_from(value.cast_signed()).unwrap_or(i32::MAX);
            match schema.enum_name(index, number) {
                Some(name) => writer.string(name),
                None => return Err(Unknown(format!("value {number} of an enumeration"))),
            }
        }
        (Content::SignedFixed, Payload::Fixed32(value)) => writer.integer(value.cast_signed().into()),
        (Content::SignedFixed, Payload::Fixed64(value)) => writer.integer(value.cast_signed()),
        (Content::UnsignedFixed, Payload::Fixed32(value)) => writer.unsigned(value.into()),
        (Content::UnsignedFixed, Payload::Fixed64(value)) => writer.unsigned(value),
        (Content::Float, Payload::Fixed64(value)) => writer.float(f64::from_bits(value)),
        (Content::Float, Payload::Fixed32(value)) => writer.float(widen(f32::from_bits(value))),
        (Content::Text, Payload::Bytes(text)) => writer.string(&String::from_utf8_lossy(text)),
        (Content::Bytes, Payload::Bytes(bytes)) => writer.string(&well_known::base64(bytes)),
        (Content::Message(index), Payload::Bytes(bytes)) => indexed(schema, index, bytes, writer)?,
        (_, _) => return Err(Unknown(String::from("encoding of a field"))),
    }
    Ok(())
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
