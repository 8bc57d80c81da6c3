//! Typed Envoy messages on their way to YAML.
//!
//! envoy-types gives structs without serde, so names of fields, enum values and types packed into `Any` come from
//! a descriptor set (see `descriptors/README.md`). A message is encoded and its bytes are walked along a table
//! made from those descriptors, which is several times faster than a dynamic message and needs no reflection
//! library at run time; a test walks the same messages through prost-reflect and compares.

mod roots;
mod schema;
mod walk;
mod well_known;
mod wire;

use envoy_types::pb::google::protobuf::Any;
use meshc_yaml::Writer;

pub(crate) use roots::Root;
pub use roots::roots;
pub(crate) use walk::Unknown;

/// The message as a YAML document in protobuf's JSON mapping, with the field names of Envoy's documentation: fields
/// by number, map keys sorted, `@type` first in an `Any`.
///
/// # Errors
/// If the descriptors lack a type, field or value in it.
pub(crate) fn to_yaml<M: Root>(message: &M) -> Result<String, Unknown> {
    written(schema::get(), message)
}

fn written<M: prost::Name>(schema: &schema::Schema, message: &M) -> Result<String, Unknown> {
    let mut writer = Writer::new();
    walk::message(schema, &M::full_name(), &message.encode_to_vec(), &mut writer)?;
    Ok(writer.finish())
}

/// Packs a message for a field that takes any type.
pub(crate) fn any<M: Root>(message: &M) -> Any {
    Any { type_url: M::type_url(), value: message.encode_to_vec() }
}

#[cfg(test)]
mod tests;
