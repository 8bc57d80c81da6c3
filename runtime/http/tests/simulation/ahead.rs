//! A client that sends all of its requests at once, and then reads their answers.

use crate::plan::Plan;
use crate::world::World;
use http::Request;
use meshd_http::Limits;
use meshd_http::h1::{Client, Part};
use std::rc::Rc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf};

type End = crate::pipe::End;

/// A request as bytes, and who reads its answer.
fn request(number: u64, plan: Plan) -> (Vec<u8>, Client) {
    let (mut client, mut out) = (Client::new(Limits::default()), Vec::new());
    let mut head = Request::new(());
    *head.method_mut() = plan.method.method();
    *head.uri_mut() = format!("/{number}").parse().expect("a path");
    let content = plan.request;
    client.request(&head, content.known(), &mut out);
    for from in (0..content.length).step_by(1_000) {
        let bytes = content.bytes(from, content.length.min(from + 1_000));
        let (length, after) = client.data(bytes.len(), &mut out);
        out.extend_from_slice(&bytes[..length]);
        out.extend_from_slice(after);
    }
    let trailers = content.has_trailers.then(crate::plan::trailers);
    assert!(client.requested(trailers.as_ref(), &mut out));
    (out, client)
}

/// Reads an answer; its body, and whether that is complete.
async fn answer(client: &mut Client, stream: &mut ReadHalf<End>, number: u64) -> Option<(Vec<u8>, bool)> {
    let mut buffer = vec![0; 4_000];
    let mut is_begun = false;
    let (mut body, mut trailers) = (Vec::new(), None);
    loop {
        if !is_begun && let Some((head, _)) = client.answer().ok()? {
            is_begun = true;
            let own = head.headers().get("x-number").and_then(|own| own.to_str().ok()?.parse().ok());
            assert_eq!(own, Some(number), "an answer to something else");
        }
        while is_begun && let Some(part) = client.body().ok()? {
            match part {
                Part::Data(data) => body.extend_from_slice(&data),
                Part::Trailers(found) => trailers = Some(found),
                Part::End => return Some((body, trailers.is_some())),
            }
        }
        match stream.read(&mut buffer).await.ok()? {
            0 => client.ended(),
            count => client.received(&buffer[..count]),
        }
    }
}

/// Asks for all of them.
pub(crate) async fn client(world: Rc<World>, numbers: std::ops::Range<u64>) {
    let (mut stream, mut sink) = tokio::io::split(world.open());
    // What a server leaves unread ends the connection, and with it what was sent ahead.
    let plans = numbers.map(|number| (number, world.plan(number)));
    let plans: Vec<_> = plans.filter(|(_, plan)| plan.is_read() && plan.request.breaks.is_none()).collect();
    let (mut sent, mut clients) = (Vec::new(), Vec::new());
    for (number, plan) in plans {
        let (bytes, client) = request(number, plan);
        sent.extend_from_slice(&bytes);
        clients.push((number, plan, client));
    }
    let reads = async {
        let mut rest = bytes::Bytes::new();
        for (number, plan, mut client) in clients {
            client.received(&rest);
            world.exchange(number, |_| ());
            let Some((body, has_trailers)) = answer(&mut client, &mut stream, number).await else { return };
            if plan.has_body() {
                let content = plan.expected();
                assert!(content.is(&body) && content.breaks.is_none(), "the answer {number} is another");
                assert_eq!(has_trailers, content.has_trailers);
            }
            world.exchange(number, |exchange| exchange.is_answered = true);
            rest = client.take_unread();
        }
    };
    let writes = async {
        let _ = sink.write_all(&sent).await;
    };
    tokio::join!(reads, writes);
}
