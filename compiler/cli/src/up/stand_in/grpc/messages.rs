//! The messages of the services that a stand-in application serves over gRPC; `descriptors` describes the same to clients,
//! and a test there compares the two.

use std::collections::BTreeMap;

use prost::{Message, Oneof};

/// What the echo is asked for.
#[derive(Clone, PartialEq, Message)]
pub(super) struct EchoRequest {
    /// What to say.
    #[prost(string, tag = "1")]
    pub(super) text: String,
    /// How long to wait before each answer, in milliseconds; at most a minute.
    #[prost(uint32, tag = "2")]
    pub(super) delay_ms: u32,
    /// The status to fail with; 0: none.
    #[prost(uint32, tag = "3")]
    pub(super) status: u32,
    /// The message of that status.
    #[prost(string, tag = "4")]
    pub(super) message: String,
    /// How many answers `Repeat` gives before it ends; 0: one.
    #[prost(uint32, tag = "5")]
    pub(super) times: u32,
}

/// What it says.
#[derive(Clone, PartialEq, Message)]
pub(super) struct EchoAnswer {
    /// What it was asked to say.
    #[prost(string, tag = "1")]
    pub(super) text: String,
    /// Who answers: `namespace.service`, or `namespace.service.subset`.
    #[prost(string, tag = "2")]
    pub(super) service: String,
    /// In which cluster.
    #[prost(string, tag = "3")]
    pub(super) cluster: String,
    /// Who called, as the sidecar proved it; empty without a sidecar.
    #[prost(string, tag = "4")]
    pub(super) caller: String,
    /// How many messages came so far.
    #[prost(uint32, tag = "5")]
    pub(super) received: u32,
    /// The request's metadata; values of one key are joined with `, `.
    #[prost(btree_map = "string, string", tag = "6")]
    pub(super) metadata: BTreeMap<String, String>,
}

/// Whose health is asked for.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthCheckRequest {
    /// A service of gRPC; empty: the whole server.
    #[prost(string, tag = "1")]
    pub(super) service: String,
}

/// How a service is.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthCheckResponse {
    /// `health::SERVING`, `health::NOT_SERVING`.
    #[prost(int32, tag = "1")]
    pub(super) status: i32,
}

/// The question how all services are.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthListRequest {}

/// How all services are.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HealthListResponse {
    /// By name.
    #[prost(btree_map = "string, message", tag = "1")]
    pub(super) statuses: BTreeMap<String, HealthCheckResponse>,
}

/// What is asked about the services.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ServerReflectionRequest {
    /// The host that the client means.
    #[prost(string, tag = "1")]
    pub(super) host: String,
    /// The question.
    #[prost(oneof = "Question", tags = "3, 4, 5, 6, 7")]
    pub(super) message_request: Option<Question>,
}

/// A question about the services.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Question {
    /// A file by its name.
    #[prost(string, tag = "3")]
    FileByFilename(String),
    /// The file with a service, a method or a message.
    #[prost(string, tag = "4")]
    FileContainingSymbol(String),
    /// The file with an extension.
    #[prost(message, tag = "5")]
    FileContainingExtension(ExtensionRequest),
    /// The extensions of a message.
    #[prost(string, tag = "6")]
    AllExtensionNumbersOfType(String),
    /// All services.
    #[prost(string, tag = "7")]
    ListServices(String),
}

/// An extension.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExtensionRequest {
    /// The message that it extends.
    #[prost(string, tag = "1")]
    pub(super) containing_type: String,
    /// Its number.
    #[prost(int32, tag = "2")]
    pub(super) extension_number: i32,
}

/// What is said about the services.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ServerReflectionResponse {
    /// The host of the request.
    #[prost(string, tag = "1")]
    pub(super) valid_host: String,
    /// The request.
    #[prost(message, optional, tag = "2")]
    pub(super) original_request: Option<ServerReflectionRequest>,
    /// The answer.
    #[prost(oneof = "Reflected", tags = "4, 5, 6, 7")]
    pub(super) message_response: Option<Reflected>,
}

/// An answer about the services.
#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Reflected {
    /// Files.
    #[prost(message, tag = "4")]
    Files(FileDescriptorResponse),
    /// Numbers of extensions.
    #[prost(message, tag = "5")]
    Extensions(ExtensionNumberResponse),
    /// Services.
    #[prost(message, tag = "6")]
    Services(ListServiceResponse),
    /// Why there is no other answer.
    #[prost(message, tag = "7")]
    Error(ErrorResponse),
}

/// Files.
#[derive(Clone, PartialEq, Message)]
pub(super) struct FileDescriptorResponse {
    /// Each a `google.protobuf.FileDescriptorProto`.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) file_descriptor_proto: Vec<Vec<u8>>,
}

/// Numbers of extensions.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ExtensionNumberResponse {
    /// The message that they extend.
    #[prost(string, tag = "1")]
    pub(super) base_type_name: String,
    /// The numbers.
    #[prost(int32, repeated, tag = "2")]
    pub(super) extension_number: Vec<i32>,
}

/// Services.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ListServiceResponse {
    /// Each.
    #[prost(message, repeated, tag = "1")]
    pub(super) service: Vec<ServiceResponse>,
}

/// A service.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ServiceResponse {
    /// Its full name.
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// Why there is no other answer.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ErrorResponse {
    /// A status of gRPC.
    #[prost(int32, tag = "1")]
    pub(super) error_code: i32,
    /// In words.
    #[prost(string, tag = "2")]
    pub(super) error_message: String,
}
