//! The services and messages of `messages`, as protobuf describes them: what reflection tells clients.

use std::sync::OnceLock;

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, MessageOptions,
    MethodDescriptorProto, OneofDescriptorProto, ServiceDescriptorProto,
};

/// A file.
pub(super) type File = prost_types::FileDescriptorProto;

/// All files. None imports another.
pub(super) fn files() -> &'static [File] {
    static FILES: OnceLock<[File; 4]> = OnceLock::new();
    FILES.get_or_init(|| {
        [echo(), health(), reflection("grpc.reflection.v1"), reflection("grpc.reflection.v1alpha")]
    })
}

/// The full names of all services.
pub(super) fn services() -> impl Iterator<Item = String> {
    let names = |file: &'static File| {
        file.service.iter().map(|service| format!("{}.{}", file.package(), service.name()))
    };
    files().iter().flat_map(names)
}

/// The full names of a file's messages.
pub(super) fn messages(file: &File) -> impl Iterator<Item = String> {
    file.message_type.iter().map(|message| format!("{}.{}", file.package(), message.name()))
}

/// The full names of all that a file declares and somebody may ask for.
pub(super) fn symbols(file: &File) -> impl Iterator<Item = String> {
    let service = |service: &ServiceDescriptorProto| {
        let name = format!("{}.{}", file.package(), service.name());
        let methods = service.method.iter().map(|method| format!("{name}.{}", method.name()));
        methods.chain([name.clone()]).collect::<Vec<_>>()
    };
    let inner = |message: &DescriptorProto| {
        let name = format!("{}.{}", file.package(), message.name());
        let messages = message.nested_type.iter().map(DescriptorProto::name);
        let enums = message.enum_type.iter().map(EnumDescriptorProto::name);
        messages.chain(enums).map(|inner| format!("{name}.{inner}")).collect::<Vec<_>>()
    };
    let services = file.service.iter().flat_map(service);
    services.chain(messages(file)).chain(file.message_type.iter().flat_map(inner))
}

fn echo() -> File {
    let request = message(
        "EchoRequest",
        vec![
            field("text", 1, Type::String),
            field("delay_ms", 2, Type::Uint32),
            field("status", 3, Type::Uint32),
            field("message", 4, Type::String),
            field("times", 5, Type::Uint32),
        ],
    );
    let mut answer = message(
        "EchoAnswer",
        vec![
            field("text", 1, Type::String),
            field("service", 2, Type::String),
            field("cluster", 3, Type::String),
            field("caller", 4, Type::String),
            field("received", 5, Type::Uint32),
            repeated(of("metadata", 6, Type::Message, ".meshc.v1.EchoAnswer.MetadataEntry")),
        ],
    );
    answer.nested_type = vec![entry("MetadataEntry", field("value", 2, Type::String))];
    let method = |name: &str, streams| method(name, "EchoRequest", "EchoAnswer", streams);
    let methods = vec![
        method("Say", (false, false)),
        method("Collect", (true, false)),
        method("Repeat", (false, true)),
        method("Talk", (true, true)),
    ];
    file("meshc/v1/echo.proto", "meshc.v1", vec![request, answer], "Echo", methods)
}

fn health() -> File {
    let request = message("HealthCheckRequest", vec![field("service", 1, Type::String)]);
    let status = of("status", 1, Type::Enum, ".grpc.health.v1.HealthCheckResponse.ServingStatus");
    let mut response = message("HealthCheckResponse", vec![status]);
    let values = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"].into_iter().zip(0..);
    response.enum_type = vec![EnumDescriptorProto {
        name: Some(String::from("ServingStatus")),
        value: values
            .map(|(name, number)| EnumValueDescriptorProto {
                name: Some(name.to_owned()),
                number: Some(number),
                options: None,
            })
            .collect(),
        ..EnumDescriptorProto::default()
    }];
    let statuses = of("statuses", 1, Type::Message, ".grpc.health.v1.HealthListResponse.StatusesEntry");
    let mut list = message("HealthListResponse", vec![repeated(statuses)]);
    let value = of("value", 2, Type::Message, ".grpc.health.v1.HealthCheckResponse");
    list.nested_type = vec![entry("StatusesEntry", value)];
    let methods = vec![
        method("Check", "HealthCheckRequest", "HealthCheckResponse", (false, false)),
        method("List", "HealthListRequest", "HealthListResponse", (false, false)),
        method("Watch", "HealthCheckRequest", "HealthCheckResponse", (false, true)),
    ];
    let messages = vec![request, response, message("HealthListRequest", Vec::new()), list];
    file("grpc/health/v1/health.proto", "grpc.health.v1", messages, "Health", methods)
}

fn reflection(package: &str) -> File {
    let own = |name: &str, number, kind: &str| of(name, number, Type::Message, &format!(".{package}.{kind}"));
    let request = message(
        "ServerReflectionRequest",
        vec![
            field("host", 1, Type::String),
            chosen(field("file_by_filename", 3, Type::String)),
            chosen(field("file_containing_symbol", 4, Type::String)),
            chosen(own("file_containing_extension", 5, "ExtensionRequest")),
            chosen(field("all_extension_numbers_of_type", 6, Type::String)),
            chosen(field("list_services", 7, Type::String)),
        ],
    );
    let response = message(
        "ServerReflectionResponse",
        vec![
            field("valid_host", 1, Type::String),
            own("original_request", 2, "ServerReflectionRequest"),
            chosen(own("file_descriptor_response", 4, "FileDescriptorResponse")),
            chosen(own("all_extension_numbers_response", 5, "ExtensionNumberResponse")),
            chosen(own("list_services_response", 6, "ListServiceResponse")),
            chosen(own("error_response", 7, "ErrorResponse")),
        ],
    );
    let extension =
        vec![field("containing_type", 1, Type::String), field("extension_number", 2, Type::Int32)];
    let numbers =
        vec![field("base_type_name", 1, Type::String), repeated(field("extension_number", 2, Type::Int32))];
    let error = vec![field("error_code", 1, Type::Int32), field("error_message", 2, Type::String)];
    let messages = vec![
        with_choice(request, "message_request"),
        message("ExtensionRequest", extension),
        with_choice(response, "message_response"),
        message("FileDescriptorResponse", vec![repeated(field("file_descriptor_proto", 1, Type::Bytes))]),
        message("ExtensionNumberResponse", numbers),
        message("ListServiceResponse", vec![repeated(own("service", 1, "ServiceResponse"))]),
        message("ServiceResponse", vec![field("name", 1, Type::String)]),
        message("ErrorResponse", error),
    ];
    let method =
        method("ServerReflectionInfo", "ServerReflectionRequest", "ServerReflectionResponse", (true, true));
    let name = format!("{}/reflection.proto", package.replace('.', "/"));
    file(&name, package, messages, "ServerReflection", vec![method])
}

/// A file with one service.
fn file(
    name: &str,
    package: &str,
    messages: Vec<DescriptorProto>,
    service: &str,
    mut methods: Vec<MethodDescriptorProto>,
) -> File {
    for method in &mut methods {
        for name in [&mut method.input_type, &mut method.output_type].into_iter().flatten() {
            *name = format!(".{package}.{name}");
        }
    }
    File {
        name: Some(name.to_owned()),
        package: Some(package.to_owned()),
        message_type: messages,
        service: vec![ServiceDescriptorProto {
            name: Some(service.to_owned()),
            method: methods,
            options: None,
        }],
        syntax: Some(String::from("proto3")),
        ..File::default()
    }
}

fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field, ..DescriptorProto::default() }
}

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    let mut field = FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..FieldDescriptorProto::default()
    };
    field.set_type(kind);
    field.set_label(Label::Optional);
    field
}

/// A field of a message or an enum, by its full name.
fn of(name: &str, number: i32, kind: Type, full_name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(full_name.to_owned()), ..field(name, number, kind) }
}

fn repeated(mut field: FieldDescriptorProto) -> FieldDescriptorProto {
    field.set_label(Label::Repeated);
    field
}

/// A field of which a message has one of several.
fn chosen(field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { oneof_index: Some(0), ..field }
}

fn with_choice(message: DescriptorProto, name: &str) -> DescriptorProto {
    let choice = OneofDescriptorProto { name: Some(name.to_owned()), options: None };
    DescriptorProto { oneof_decl: vec![choice], ..message }
}

/// An entry of a map whose keys are texts.
fn entry(name: &str, value: FieldDescriptorProto) -> DescriptorProto {
    let options = MessageOptions { map_entry: Some(true), ..MessageOptions::default() };
    let fields = vec![field("key", 1, Type::String), value];
    DescriptorProto { options: Some(options), ..message(name, fields) }
}

/// A method, of messages of its own package, and whether its requests and its answers are streams.
fn method(name: &str, input: &str, output: &str, (client, server): (bool, bool)) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(input.to_owned()),
        output_type: Some(output.to_owned()),
        options: None,
        client_streaming: Some(client),
        server_streaming: Some(server),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost::Message;
    use prost_reflect::{DescriptorPool, DynamicMessage};
    use serde_json::json;

    use super::*;
    use crate::up::stand_in::grpc::health::SERVING;
    use crate::up::stand_in::grpc::messages::*;

    fn pool() -> DescriptorPool {
        DescriptorPool::from_file_descriptor_set(prost_types::FileDescriptorSet { file: files().to_vec() })
            .unwrap()
    }

    /// A message as its description reads it.
    fn read(name: &str, message: &impl Message) -> serde_json::Value {
        let descriptor = pool().get_message_by_name(name).unwrap();
        let read = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).unwrap();
        assert_eq!(read.unknown_fields().count(), 0, "{name}");
        serde_json::to_value(&read).unwrap()
    }

    #[test]
    fn the_services_are_those_that_are_served() {
        let named: Vec<String> = services().collect();
        let known = [
            "meshc.v1.Echo",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
        ];
        assert_eq!(named, known);
        assert_eq!(pool().services().len(), known.len(), "protobuf accepts the files");
    }

    #[test]
    fn descriptions_are_of_the_messages_that_are_sent() {
        let text = |text: &str| text.to_owned();
        let request = EchoRequest { text: text("a"), delay_ms: 1, status: 2, message: text("b"), times: 3 };
        let expected = json!({ "text": "a", "delayMs": 1, "status": 2, "message": "b", "times": 3 });
        assert_eq!(read("meshc.v1.EchoRequest", &request), expected);
        let answer = EchoAnswer {
            text: text("a"),
            service: text("b"),
            cluster: text("c"),
            caller: text("d"),
            received: 5,
            metadata: BTreeMap::from([(text("k"), text("v"))]),
        };
        let expected = json!({
            "text": "a", "service": "b", "cluster": "c", "caller": "d", "received": 5, "metadata": { "k": "v" }
        });
        assert_eq!(read("meshc.v1.EchoAnswer", &answer), expected);
        let serving = HealthCheckResponse { status: SERVING };
        assert_eq!(read("grpc.health.v1.HealthCheckResponse", &serving), json!({ "status": "SERVING" }));
        let list = HealthListResponse { statuses: BTreeMap::from([(text("s"), serving)]) };
        let expected = json!({ "statuses": { "s": { "status": "SERVING" } } });
        assert_eq!(read("grpc.health.v1.HealthListResponse", &list), expected);
        let extension = ExtensionRequest { containing_type: text("t"), extension_number: 7 };
        let reflected = [
            (
                Reflected::Files(FileDescriptorResponse { file_descriptor_proto: vec![b"f".to_vec()] }),
                json!({ "fileDescriptorResponse": { "fileDescriptorProto": ["Zg=="] } }),
            ),
            (
                Reflected::Extensions(ExtensionNumberResponse {
                    base_type_name: text("t"),
                    extension_number: vec![7, 8],
                }),
                json!({ "allExtensionNumbersResponse": { "baseTypeName": "t", "extensionNumber": [7, 8] } }),
            ),
            (
                Reflected::Services(ListServiceResponse {
                    service: vec![ServiceResponse { name: text("s") }],
                }),
                json!({ "listServicesResponse": { "service": [{ "name": "s" }] } }),
            ),
            (
                Reflected::Error(ErrorResponse { error_code: 5, error_message: text("e") }),
                json!({ "errorResponse": { "errorCode": 5, "errorMessage": "e" } }),
            ),
        ];
        for package in ["grpc.reflection.v1", "grpc.reflection.v1alpha"] {
            for (message_response, mut expected) in reflected.clone() {
                let message_request = Some(Question::FileContainingExtension(extension.clone()));
                let response = ServerReflectionResponse {
                    valid_host: text("h"),
                    original_request: Some(ServerReflectionRequest { host: text("h"), message_request }),
                    message_response: Some(message_response),
                };
                expected["validHost"] = json!("h");
                expected["originalRequest"] = json!({
                    "host": "h", "fileContainingExtension": { "containingType": "t", "extensionNumber": 7 }
                });
                assert_eq!(read(&format!("{package}.ServerReflectionResponse"), &response), expected);
            }
            for (question, name) in [
                (Question::FileByFilename(text("x")), "fileByFilename"),
                (Question::FileContainingSymbol(text("x")), "fileContainingSymbol"),
                (Question::AllExtensionNumbersOfType(text("x")), "allExtensionNumbersOfType"),
                (Question::ListServices(text("x")), "listServices"),
            ] {
                let request = ServerReflectionRequest { host: text("h"), message_request: Some(question) };
                let expected = json!({ "host": "h", name: "x" });
                assert_eq!(read(&format!("{package}.ServerReflectionRequest"), &request), expected);
            }
        }
    }
}
