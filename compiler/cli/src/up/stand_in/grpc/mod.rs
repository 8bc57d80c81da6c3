//! What a stand-in application answers to gRPC: health, reflection, an echo of its own, and any other method with an empty
//! message, which every type of message can be read from.

mod descriptors;
mod echo;
mod health;
mod messages;
mod reflection;

use std::convert::Infallible;
use std::pin::Pin;

use futures_util::{Stream, stream};
use http_body_util::StreamBody;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Request, Response, Version};
use prost::Message;
use tonic::body::Body;
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};
use tonic_prost::ProstCodec;

use super::{Behaviour, Instance, Told, awake, http};

/// gRPC's type of content.
const CONTENT: HeaderValue = HeaderValue::from_static("application/grpc");
/// The message without a field: a byte that says that it is not compressed, and its length (gRPC over HTTP/2, "Data Frames").
const EMPTY: Bytes = Bytes::from_static(&[0; 5]);

/// The messages of an answer.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Whether a request is a call of a method of gRPC, which has HTTP/2, its type of content and a path of two parts. Others
/// of that type, which no client of gRPC makes, are answered as every request is.
pub(super) fn is_asked<B>(request: &Request<B>) -> bool {
    let mut parts = request.uri().path().split('/');
    let method = match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(""), Some(service), Some(method), None) => !service.is_empty() && !method.is_empty(),
        _ => false,
    };
    method && request.version() == Version::HTTP_2 && has_content_of(request.headers())
}

/// Whether these are the headers of a request of gRPC.
pub(super) fn has_content_of(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(CONTENT.as_bytes()))
}

/// What a gRPC server answers when a call fails inside it: INTERNAL, in headers alone.
pub(super) fn failure() -> Response<Body> {
    told_to_fail().into_http()
}

fn told_to_fail() -> Status {
    Status::internal("told to fail")
}

/// Answers one call.
pub(super) async fn answer(request: Request<Incoming>, attempt: Option<u32>, told: Told) -> Response<Body> {
    // The kinds of calls differ in how many messages there are, and not in their form.
    match request.uri().path() {
        "/meshc.v1.Echo/Say" => call(request, |asked| echo::say(asked, told)).await,
        "/meshc.v1.Echo/Collect" => call(request, |asked| echo::collect(asked, told)).await,
        "/meshc.v1.Echo/Repeat" => call(request, |asked| echo::repeat(asked, told)).await,
        "/meshc.v1.Echo/Talk" => call(request, |asked| echo::talk(asked, told)).await,
        "/grpc.health.v1.Health/Check" => call(request, health::check).await,
        "/grpc.health.v1.Health/List" => call(request, health::list).await,
        "/grpc.health.v1.Health/Watch" => call(request, |asked| health::watch(asked, told)).await,
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
        | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
            call(request, reflection::describe).await
        }
        _ => nothing(request, attempt, told.instance),
    }
}

async fn call<Asked, Said, F, Fut>(request: Request<Incoming>, method: F) -> Response<Body>
where
    Asked: Message + Default + Send + 'static,
    Said: Message + Send + 'static,
    F: FnOnce(tonic::Request<Streaming<Asked>>) -> Fut + Send,
    Fut: Future<Output = Result<Answers<Said>, Status>> + Send + 'static,
{
    Grpc::new(ProstCodec::<Said, Asked>::default()).streaming(Method(Some(method)), request).await
}

/// A function as tonic takes one.
struct Method<F>(Option<F>);

impl<Asked, Said, F, Fut> StreamingService<Asked> for Method<F>
where
    F: FnOnce(tonic::Request<Streaming<Asked>>) -> Fut,
    Fut: Future<Output = Result<Answers<Said>, Status>> + Send + 'static,
    Said: 'static,
{
    type Response = Said;
    type ResponseStream = Answers<Said>;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Answers<Said>>, Status>> + Send>>;

    fn call(&mut self, asked: tonic::Request<Streaming<Asked>>) -> Self::Future {
        match self.0.take() {
            Some(method) => {
                let answers = method(asked);
                Box::pin(async { answers.await.map(tonic::Response::new) })
            }
            None => Box::pin(async { Err(Status::internal("this call has been answered")) }),
        }
    }
}

/// The only message of a request.
async fn only<T>(asked: &mut Streaming<T>) -> Result<T, Status> {
    asked.message().await?.ok_or_else(|| Status::internal("this method takes one message, and got none"))
}

/// One answer.
fn once<T: Send + 'static>(answer: T) -> Answers<T> {
    Box::pin(stream::iter([Ok(answer)]))
}

/// Waits while the application hangs; the failure if it is told to fail.
async fn well(told: &mut Told) -> Result<(), Status> {
    match awake(&mut told.behaviour).await {
        Behaviour::Well => Ok(()),
        Behaviour::Error | Behaviour::Hang | Behaviour::Gone => Err(told_to_fail()),
    }
}

/// An answer at once, whose end waits for that of the request: whichever kind of method the client takes it for, it is one.
/// Its trailers say what an answer over HTTP does.
fn nothing(request: Request<Incoming>, attempt: Option<u32>, instance: Instance) -> Response<Body> {
    let begin = (Some(EMPTY), Some((request, instance)));
    let frames = stream::unfold(begin, move |(message, asked)| async move {
        if let Some(message) = message {
            return Some((Ok::<_, Infallible>(Frame::data(message)), (None, asked)));
        }
        let (mut request, instance) = asked?;
        let received = http::read(request.body_mut()).await;
        let mut trailers = HeaderMap::new();
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
        let answer = http::in_header(&http::describe(&request, received, attempt, &instance, None));
        if let Some(answer) = answer {
            trailers.insert(http::ANSWER, answer);
        }
        Some((Ok(Frame::trailers(trailers)), (None, None)))
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    response.headers_mut().insert(CONTENT_TYPE, CONTENT);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_a_service_and_a_method() {
        let asked = |path: &str, version, content: &str| {
            let request = Request::post(path).version(version).header(CONTENT_TYPE, content);
            is_asked(&request.body(()).unwrap())
        };
        assert!(asked("/shop.Api/Get", Version::HTTP_2, "application/grpc"));
        assert!(asked("/shop.Api/Get?delay=5", Version::HTTP_2, "application/grpc+proto"));
        for path in ["/", "/shop.Api", "/shop.Api/", "//Get", "/shop.Api/Get/"] {
            assert!(!asked(path, Version::HTTP_2, "application/grpc"), "{path}");
        }
        assert!(!asked("/shop.Api/Get", Version::HTTP_11, "application/grpc"));
        assert!(!asked("/shop.Api/Get", Version::HTTP_2, "application/json"));
    }
}
