//! `grpc.reflection.v1.ServerReflection`, and the same under its earlier name: which services there are, and their
//! messages, so that clients such as grpcurl can call them.

use futures_util::stream;
use prost::Message;
use tonic::{Code, Request, Status, Streaming};

use super::Answers;
use super::descriptors::{self, File};
use super::messages::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, Question, Reflected,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};

/// Answers each question as it comes.
pub(super) async fn describe(
    asked: Request<Streaming<ServerReflectionRequest>>,
) -> Result<Answers<ServerReflectionResponse>, Status> {
    let answers = stream::try_unfold(asked.into_inner(), |mut asked| async move {
        let Some(request) = asked.message().await? else { return Ok(None) };
        Ok(Some((answer(request), asked)))
    });
    Ok(Box::pin(answers))
}

fn answer(request: ServerReflectionRequest) -> ServerReflectionResponse {
    let reflected = match &request.message_request {
        Some(Question::ListServices(_)) => {
            let service = descriptors::services().map(|name| ServiceResponse { name }).collect();
            Reflected::Services(ListServiceResponse { service })
        }
        Some(Question::FileByFilename(name)) => file(name, |file| file.name() == name),
        Some(Question::FileContainingSymbol(symbol)) => {
            file(symbol, |file| descriptors::symbols(file).any(|known| known == *symbol))
        }
        Some(Question::FileContainingExtension(extension)) => {
            let message = format!(
                "no extension {} of `{}` is known here",
                extension.extension_number, extension.containing_type
            );
            error(Code::NotFound, message)
        }
        Some(Question::AllExtensionNumbersOfType(name)) => {
            let known =
                descriptors::files().iter().any(|file| descriptors::messages(file).any(|it| it == *name));
            if known {
                let base_type_name = name.clone();
                let extension_number = Vec::new();
                let none = ExtensionNumberResponse { base_type_name, extension_number };
                Reflected::Extensions(none)
            } else {
                unknown(name)
            }
        }
        None => error(Code::InvalidArgument, String::from("the request has no question that is known here")),
    };
    ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: Some(request),
        message_response: Some(reflected),
    }
}

/// The first such file. None of them imports another.
fn file(wanted: &str, fits: impl Fn(&File) -> bool) -> Reflected {
    match descriptors::files().iter().find(|file| fits(file)) {
        Some(file) => {
            let file_descriptor_proto = vec![file.encode_to_vec()];
            Reflected::Files(FileDescriptorResponse { file_descriptor_proto })
        }
        None => unknown(wanted),
    }
}

fn unknown(name: &str) -> Reflected {
    error(Code::NotFound, format!("`{name}` is not known here"))
}

fn error(code: Code, error_message: String) -> Reflected {
    Reflected::Error(ErrorResponse { error_code: code.into(), error_message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::stand_in::grpc::messages::ExtensionRequest;

    fn ask(question: Option<Question>) -> Reflected {
        let request = ServerReflectionRequest { host: String::from("web"), message_request: question };
        let said = answer(request.clone());
        assert_eq!((said.valid_host.as_str(), said.original_request), ("web", Some(request)));
        said.message_response.unwrap()
    }

    fn files(reflected: Reflected) -> Vec<String> {
        let Reflected::Files(files) = reflected else { panic!("{reflected:?}") };
        let name = |bytes: &Vec<u8>| File::decode(bytes.as_slice()).unwrap().name().to_owned();
        files.file_descriptor_proto.iter().map(name).collect()
    }

    #[test]
    fn a_file_is_found_by_its_name_and_by_all_that_it_has() {
        let symbol = |name: &str| files(ask(Some(Question::FileContainingSymbol(name.to_owned()))));
        for name in ["meshc.v1.Echo", "meshc.v1.Echo.Talk", "meshc.v1.EchoAnswer"] {
            assert_eq!(symbol(name), ["meshc/v1/echo.proto"], "{name}");
        }
        assert_eq!(
            symbol("grpc.health.v1.HealthCheckResponse.ServingStatus"),
            ["grpc/health/v1/health.proto"]
        );
        let name = Question::FileByFilename(String::from("grpc/reflection/v1alpha/reflection.proto"));
        assert_eq!(files(ask(Some(name))), ["grpc/reflection/v1alpha/reflection.proto"]);
    }

    #[test]
    fn what_is_not_there_is_an_error_of_its_own() {
        let code = |question| match ask(question) {
            Reflected::Error(error) => Code::from_i32(error.error_code),
            other @ (Reflected::Files(_) | Reflected::Extensions(_) | Reflected::Services(_)) => {
                panic!("{other:?}")
            }
        };
        assert_eq!(code(Some(Question::FileContainingSymbol(String::from("shop.Api")))), Code::NotFound);
        assert_eq!(code(Some(Question::FileByFilename(String::from("a.proto")))), Code::NotFound);
        assert_eq!(code(Some(Question::AllExtensionNumbersOfType(String::from("a")))), Code::NotFound);
        let containing_type = String::from("meshc.v1.EchoAnswer");
        let extension = ExtensionRequest { containing_type: containing_type.clone(), extension_number: 7 };
        assert_eq!(code(Some(Question::FileContainingExtension(extension))), Code::NotFound);
        assert_eq!(code(None), Code::InvalidArgument);
        let Reflected::Extensions(none) =
            ask(Some(Question::AllExtensionNumbersOfType(containing_type.clone())))
        else {
            panic!("it is a message")
        };
        assert_eq!((none.base_type_name, none.extension_number), (containing_type, Vec::new()));
    }
}
