//! Stopping: what is in flight finishes, what is new goes elsewhere.

use std::net::SocketAddr;

use meshd_rate_limit::Decision;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::support::{Redis, Running, ask, eventually, get};

/// A way to a Redis that lets nothing through until it is opened, and says when somebody is waiting.
async fn gate(target: SocketAddr) -> (SocketAddr, oneshot::Receiver<()>, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (waiting, somebody_waits) = oneshot::channel();
    let (open, opened) = oneshot::channel();
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        waiting.send(()).unwrap();
        let _ = opened.await;
        let mut far = TcpStream::connect(target).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    (address, somebody_waits, open)
}

#[tokio::test]
async fn a_question_in_flight_is_answered_after_the_stop() {
    let redis = Redis::start().await;
    let (address, somebody_waits, open) = gate(redis.address()).await;
    let mut server = Running::start(Some(format!("redis://{address}/0"))).await;
    let client = server.client();
    let asking = tokio::spawn(async move { ask(&client, "header_match", "gold_request").await });
    somebody_waits.await.unwrap();
    server.stop();
    let grpc = server.addresses.grpc;
    eventually("the refusal of new connections", async || TcpStream::connect(grpc).await.is_err()).await;
    assert_eq!(get(server.addresses.http, "/healthcheck").await, (503, "draining\n".to_owned()));
    open.send(()).unwrap();
    let answer = asking.await.unwrap();
    assert!(matches!(answer, Decision::Ok { .. }), "{answer:?}");
    server.ended().await;
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let mut server = Running::in_memory().await;
    let client = server.client();
    assert!(matches!(ask(&client, "header_match", "gold_request").await, Decision::Ok { .. }));
    let http = server.addresses.http;
    server.stop();
    server.ended().await;
    assert!(TcpStream::connect(http).await.is_err());
    assert!(matches!(ask(&client, "header_match", "gold_request").await, Decision::Error(_)));
}
