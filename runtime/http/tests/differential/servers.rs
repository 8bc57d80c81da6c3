//! Both servers on the same connection: hyper's and ours.

use crate::cases::Case;
use crate::compare::{BodyEnd, First, Run, Seen};
use crate::stream::{End, Script, outcome};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::MapErr;
use http_body_util::{BodyExt, Full};
use meshd_http::{BodyError, Error, Fault, Limits};
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

type Log = Rc<RefCell<Vec<Seen>>>;

/// Notes a request, and answers it once it is read, or at once.
async fn serve<B>(request: Request<B>, log: Log, is_early: bool) -> (StatusCode, Option<Fault>)
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: FaultOf,
{
    let (head, mut body) = request.into_parts();
    let status =
        if head.method == http::Method::CONNECT { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::OK };
    let number = log.borrow().len();
    let first = First::Request(head.method, head.uri);
    log.borrow_mut().push(Seen::new(first, head.version, head.headers));
    if is_early {
        return (status, None);
    }
    let mut fault = None;
    loop {
        let frame = body.frame().await;
        let mut log = log.borrow_mut();
        let Some(seen) = log.get_mut(number) else { break };
        match frame {
            Some(Ok(frame)) => seen.frame(frame),
            Some(Err(error)) => {
                seen.end = BodyEnd::Broken;
                fault = error.fault();
                break;
            }
            None => {
                seen.end = BodyEnd::Complete;
                break;
            }
        }
    }
    (status, fault)
}

/// What is wrong with a body, where its source says so.
pub(crate) trait FaultOf {
    fn fault(&self) -> Option<Fault>;
}

impl FaultOf for hyper::Error {
    fn fault(&self) -> Option<Fault> {
        None
    }
}

impl FaultOf for Error {
    fn fault(&self) -> Option<Fault> {
        match self {
            Error::Fault(fault) => Some(*fault),
            Error::Stream(_) | Error::Body(_) | Error::Ended | Error::GivenUp => None,
        }
    }
}

pub(crate) fn script(case: &Case) -> Rc<RefCell<Script>> {
    let released = if case.is_server { case.input.len() } else { 0 };
    Rc::new(RefCell::new(Script::new(case, released)))
}

pub(crate) fn hyper(case: &Case) -> Run {
    let (script, log) = (script(case), Log::default());
    let is_early = case.is_early;
    let service = hyper::service::service_fn(|request| {
        let log = Rc::clone(&log);
        async move {
            let (status, _) = serve(request, log, is_early).await;
            let mut response = Response::new(Full::new(Bytes::from_static(b"ok")));
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(End(script.clone()), service);
    let stays = outcome(connection, &script, case.closes).is_none();
    Run::new(log.take(), None, stays, &script.borrow().out)
}

type Answer = MapErr<Full<Bytes>, fn(Infallible) -> BodyError>;

pub(crate) fn ours(case: &Case) -> Run {
    let (script, log) = (script(case), Log::default());
    let is_early = case.is_early;
    let fault = Rc::new(RefCell::new(None));
    let service = |request| {
        let (log, fault) = (Rc::clone(&log), Rc::clone(&fault));
        async move {
            let (status, found) = serve(request, log, is_early).await;
            *fault.borrow_mut() = found;
            let never: fn(Infallible) -> BodyError = |never| match never {};
            let mut response: Response<Answer> =
                Response::new(Full::new(Bytes::from_static(b"ok")).map_err(never));
            *response.status_mut() = status;
            response
        }
    };
    let connection = meshd_http::server::Connection::new(End(script.clone()), service, Limits::default());
    let end = outcome(connection, &script, case.closes);
    let stays = end.is_none();
    let in_head = end.and_then(Result::err).and_then(|error| error.fault());
    let in_body = fault.take();
    Run::new(log.take(), in_body.or(in_head), stays, &script.borrow().out)
}
