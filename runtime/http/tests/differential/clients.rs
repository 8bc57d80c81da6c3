//! Both clients on the same connection: hyper's and ours.

use crate::cases::Case;
use crate::compare::{BodyEnd, First, Run, Seen};
use crate::servers::{FaultOf as _, script};
use crate::stream::{End, Script, watch};
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use meshd_http::{BodyError, Fault, Limits, client};
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

fn request<B>(method: &Method, body: B) -> Request<B> {
    let mut request = Request::new(body);
    *request.method_mut() = method.clone();
    let target = if *method == Method::CONNECT { "a.test:80" } else { "/p" };
    *request.uri_mut() = http::Uri::from_static(target);
    request
}

fn sent(method: &Method) -> Bytes {
    if *method == Method::POST { Bytes::from_static(b"abc") } else { Bytes::new() }
}

/// Reads an answer into `seen`; what is wrong with it.
async fn read<B>(mut body: B, seen: &RefCell<Vec<Seen>>) -> Option<B::Error>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = body.frame().await;
        let mut seen = seen.borrow_mut();
        let seen = seen.last_mut()?;
        match frame {
            Some(Ok(frame)) => seen.frame(frame),
            Some(Err(error)) => {
                seen.end = BodyEnd::Broken;
                return Some(error);
            }
            None => {
                seen.end = BodyEnd::Complete;
                return None;
            }
        }
    }
}

/// The other end answers, and closes the connection after the last answer if it is one that does.
fn release(script: &RefCell<Script>, until: usize, case: &Case) {
    let mut script = script.borrow_mut();
    script.released = until;
    script.closes = case.closes;
}

fn note<B>(response: Response<B>, seen: &RefCell<Vec<Seen>>) -> B {
    let (head, body) = response.into_parts();
    seen.borrow_mut().push(Seen::new(First::Answer(head.status), head.version, head.headers));
    body
}

pub(crate) fn hyper(case: &Case) -> Run {
    let script = script(case);
    let seen = RefCell::new(Vec::new());
    let handshake = hyper::client::conn::http1::handshake(End(script.clone()));
    let Some(Ok((mut sender, connection))) = watch(handshake, &script, &mut || {}) else {
        return Run::new(Vec::new(), None, false, &[]);
    };
    let mut connection = Box::pin(connection);
    let mut ended = false;
    let mut besides = || {
        if !ended {
            ended = connection.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        }
    };
    let mut stays = true;
    for (method, until) in case.methods.iter().zip(&case.answers) {
        let is_ready = watch(poll_fn(|cx| sender.poll_ready(cx)), &script, &mut besides);
        stays = matches!(is_ready, Some(Ok(())));
        if !stays {
            break;
        }
        let mut answer = Box::pin(sender.send_request(request(method, Full::new(sent(method)))));
        // The request is written before anything is answered.
        let early = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        besides();
        release(&script, *until, case);
        let answer = match early {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => watch(answer, &script, &mut besides),
        };
        let Some(Ok(answer)) = answer else {
            stays = answer.is_none();
            break;
        };
        let body = note(answer, &seen);
        let read = watch(read(body, &seen), &script, &mut besides);
        stays = matches!(read, None | Some(None));
        if !matches!(read, Some(None)) {
            break;
        }
    }
    if stays && seen.borrow().last().is_some_and(|seen| seen.end == BodyEnd::Complete) {
        let is_ready = watch(poll_fn(|cx| sender.poll_ready(cx)), &script, &mut besides);
        besides();
        stays = matches!(is_ready, Some(Ok(()))) && sender.is_ready();
    }
    Run::new(seen.take(), None, stays, &[])
}

pub(crate) fn ours(case: &Case) -> Run {
    let script = script(case);
    let seen = RefCell::new(Vec::new());
    let connection = client::Connection::new(End(script.clone()), Limits::default());
    let mut fault: Option<Fault> = None;
    let mut stays = true;
    for (method, until) in case.methods.iter().zip(&case.answers) {
        stays = is_ready(&connection, &script);
        if !stays {
            break;
        }
        let never: fn(Infallible) -> BodyError = |never| match never {};
        let mut answer = Box::pin(connection.send(request(method, Full::new(sent(method)).map_err(never))));
        let early = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        release(&script, *until, case);
        let answer = match early {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => watch(answer, &script, &mut || {}),
        };
        let answer = match answer {
            Some(Ok(answer)) => answer,
            Some(Err(unanswered)) => {
                fault = unanswered.error.fault();
                stays = false;
                break;
            }
            None => break,
        };
        let body = note(answer, &seen);
        let read = watch(read(body, &seen), &script, &mut || {});
        fault = read.as_ref().and_then(Option::as_ref).and_then(|error| error.fault());
        stays = matches!(read, None | Some(None));
        if !matches!(read, Some(None)) {
            break;
        }
    }
    if stays && seen.borrow().last().is_some_and(|seen| seen.end == BodyEnd::Complete) {
        stays = is_ready(&connection, &script);
    }
    Run::new(seen.take(), fault, stays, &[])
}

/// Whether it takes another request, after a look at what else came.
fn is_ready(connection: &client::Connection<End>, script: &RefCell<Script>) -> bool {
    let ended = poll_fn(|cx| connection.poll_ended(cx));
    connection.is_ready() && watch(ended, script, &mut || {}).is_none()
}
