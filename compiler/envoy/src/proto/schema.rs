//! A table of message shapes, made once from the committed descriptor set.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet};

/// The descriptors of everything this crate may write; `descriptors/README.md` tells where they come from.
const DESCRIPTORS: &[u8] = include_bytes!("../../descriptors/envoy.bin");

/// Shapes of all messages and enums, found by full name once and by index from then on.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    messages: Vec<Shape>,
    enums: Vec<BTreeMap<i32, String>>,
    message_index: BTreeMap<String, usize>,
}

/// What a walk must know of a message.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) kind: MessageKind,
    /// Sorted by number.
    fields: Vec<Field>,
}

/// Messages with a JSON form of their own (https://protobuf.dev/programming-guides/json), and all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageKind {
    Plain,
    MapEntry,
    Any,
    Duration,
    Struct,
    StructValue,
    ListValue,
    /// `google.protobuf.UInt32Value` and its siblings: the value stands for the message.
    Wrapper,
}

#[derive(Debug)]
pub(crate) struct Field {
    number: u32,
    pub(crate) name: String,
    pub(crate) repeated: bool,
    pub(crate) content: Content,
}

/// The type of one field value. Groups are a proto2 relic that Envoy does not use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Bool,
    Signed,
    Unsigned,
    ZigZag,
    SignedFixed,
    UnsignedFixed,
    Float,
    Text,
    Bytes,
    /// Index for [`Schema::enum_name`].
    Enum(usize),
    /// Index for [`Schema::shape`].
    Message(usize),
}

/// The table, built at the first use and shared from then on.
pub(crate) fn get() -> &'static Schema {
    static SCHEMA: OnceLock<Schema> = OnceLock::new();
    SCHEMA.get_or_init(|| Schema::from_bytes(DESCRIPTORS))
}

impl Schema {
    /// Bytes that are no descriptor set give an empty table; the test that regenerates them excludes that.
    fn from_bytes(bytes: &[u8]) -> Schema {
        Schema::from_set(FileDescriptorSet::decode(bytes).unwrap_or_default())
    }

    fn from_set(set: FileDescriptorSet) -> Schema {
        let mut flat = Flat::default();
        for file in &set.file {
            let package = file.package();
            flat.enums.extend(file.enum_type.iter().map(|item| (format!("{package}.{}", item.name()), item)));
            for message in &file.message_type {
                flat.add(format!("{package}.{}", message.name()), message);
            }
        }
        let message_index: BTreeMap<String, usize> =
            flat.messages.iter().enumerate().map(|(index, (name, _))| (name.clone(), index)).collect();
        let enum_index: BTreeMap<&str, usize> =
            flat.enums.iter().enumerate().map(|(index, (name, _))| (name.as_str(), index)).collect();
        let field = |field: &FieldDescriptorProto| Field {
            number: u32::try_from(field.number()).unwrap_or(0),
            name: field.name().to_owned(),
            repeated: field.label() == Label::Repeated,
            content: content(field, &message_index, &enum_index),
        };
        let messages = flat.messages.iter().map(|(name, message)| {
            let mut fields: Vec<Field> = message.field.iter().map(field).collect();
            fields.sort_by_key(|field| field.number);
            Shape { kind: kind(name, message), fields }
        });
        let names = |item: &EnumDescriptorProto| {
            // The first name of a number is the canonical one; aliases come later.
            item.value.iter().rev().map(|value| (value.number(), value.name().to_owned())).collect()
        };
        Schema {
            messages: messages.collect(),
            enums: flat.enums.iter().map(|(_, item)| names(item)).collect(),
            message_index,
        }
    }

    /// The index of a message by its full name.
    pub(crate) fn index(&self, full_name: &str) -> Option<usize> {
        self.message_index.get(full_name).copied()
    }

    pub(crate) fn shape(&self, index: usize) -> Option<&Shape> {
        self.messages.get(index)
    }

    pub(crate) fn enum_name(&self, index: usize, number: i32) -> Option<&str> {
        self.enums.get(index)?.get(&number).map(String::as_str)
    }
}

impl Shape {
    pub(crate) fn field(&self, number: u32) -> Option<&Field> {
        let position = self.fields.binary_search_by_key(&number, |field| field.number).ok()?;
        self.fields.get(position)
    }
}

/// Nested types beside the others, under their full names.
#[derive(Default)]
struct Flat<'a> {
    messages: Vec<(String, &'a DescriptorProto)>,
    enums: Vec<(String, &'a EnumDescriptorProto)>,
}

impl<'a> Flat<'a> {
    fn add(&mut self, name: String, message: &'a DescriptorProto) {
        self.enums.extend(message.enum_type.iter().map(|item| (format!("{name}.{}", item.name()), item)));
        for nested in &message.nested_type {
            self.add(format!("{name}.{}", nested.name()), nested);
        }
        self.messages.push((name, message));
    }
}

fn kind(name: &str, message: &DescriptorProto) -> MessageKind {
    if message.options.as_ref().is_some_and(|options| options.map_entry()) {
        return MessageKind::MapEntry;
    }
    match name {
        "google.protobuf.Any" => MessageKind::Any,
        "google.protobuf.Duration" => MessageKind::Duration,
        "google.protobuf.Struct" => MessageKind::Struct,
        "google.protobuf.Value" => MessageKind::StructValue,
        "google.protobuf.ListValue" => MessageKind::ListValue,
        "google.protobuf.BoolValue"
        | "google.protobuf.BytesValue"
        | "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int32Value"
        | "google.protobuf.Int64Value"
        | "google.protobuf.StringValue"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.UInt64Value" => MessageKind::Wrapper,
        _ => MessageKind::Plain,
    }
}

/// References are complete in the committed set, so the fallback index is never used; a test looks for it.
fn content(
    field: &FieldDescriptorProto,
    messages: &BTreeMap<String, usize>,
    enums: &BTreeMap<&str, usize>,
) -> Content {
    // Fields refer to types by their full names with a leading dot.
    let name = field.type_name().trim_start_matches('.');
    match field.r#type() {
        Type::Bool => Content::Bool,
        Type::Int32 | Type::Int64 => Content::Signed,
        Type::Uint32 | Type::Uint64 => Content::Unsigned,
        Type::Sint32 | Type::Sint64 => Content::ZigZag,
        Type::Sfixed32 | Type::Sfixed64 => Content::SignedFixed,
        Type::Fixed32 | Type::Fixed64 => Content::UnsignedFixed,
        Type::Float | Type::Double => Content::Float,
        Type::String => Content::Text,
        Type::Bytes => Content::Bytes,
        Type::Enum => Content::Enum(enums.get(name).copied().unwrap_or(usize::MAX)),
        Type::Message | Type::Group => Content::Message(messages.get(name).copied().unwrap_or(usize::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_in_the_committed_set_resolves() {
        let schema = get();
        assert!(schema.messages.len() > 200, "{} messages", schema.messages.len());
        for field in schema.messages.iter().flat_map(|shape| &shape.fields) {
            let index = match field.content {
                Content::Enum(index) => schema.enums.get(index).map(|_| index),
                Content::Message(index) => schema.shape(index).map(|_| index),
                Content::Bool
                | Content::Signed
                | Content::Unsigned
                | Content::ZigZag
                | Content::SignedFixed
                | Content::UnsignedFixed
                | Content::Float
                | Content::Text
                | Content::Bytes => Some(0),
            };
            assert!(index.is_some(), "{} points nowhere", field.name);
        }
    }
}
