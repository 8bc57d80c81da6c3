//! Counters in a real Redis.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use meshd_rate_limit::{Decision, Failure, RateLimitClient};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::{Redis, Running, admitted, ask, eventually, free_port};

/// How many of `questions` gold questions, asked all at once through several clients, are admitted.
pub(crate) async fn admitted_by_many(clients: &[RateLimitClient], questions: usize) -> usize {
    let mut tasks = JoinSet::new();
    for client in clients.iter().cycle().take(questions) {
        let client = client.clone();
        tasks.spawn(async move { admitted(&client, "gold_request", 1).await });
    }
    tasks.join_all().await.into_iter().sum()
}

#[tokio::test]
async fn two_servers_share_their_counters() {
    let redis = Redis::start().await;
    let (one, two) = (Running::start(Some(redis.url())).await, Running::start(Some(redis.url())).await);
    assert_eq!(admitted(&one.client(), "gold_request", 6).await, 6);
    assert_eq!(admitted(&two.client(), "gold_request", 6).await, 4);
    assert_eq!(admitted(&one.client(), "gold_request", 1).await, 0);
    // In the next window both start afresh, together.
    for server in [&one, &two] {
        server.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(admitted(&two.client(), "gold_request", 8).await, 8);
    assert_eq!(admitted(&one.client(), "gold_request", 8).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_questions_to_two_servers_are_admitted_exactly() {
    let redis = Redis::start().await;
    let (one, two) = (Running::start(Some(redis.url())).await, Running::start(Some(redis.url())).await);
    // Both connections exist before the rush, which is about counting and not about connecting.
    for client in [one.client(), two.client()] {
        admitted(&client, "bronze_request", 1).await;
    }
    assert_eq!(admitted_by_many(&[one.client(), two.client()], 200).await, 10);
}

#[tokio::test]
async fn counters_expire_with_their_window() {
    let redis = Redis::start().await;
    let server = Running::start(Some(redis.url())).await;
    let client = server.client();
    admitted(&client, "gold_request", 2).await;
    ask(&client, "hourly", "x").await;
    let key = "meshd-rate-limit:catalog:header_match=gold_request:minute:1798761600";
    let life = async |key: &str| -> i64 {
        let answer = redis.command(&format!("TTL {key}")).await.unwrap();
        answer.trim_start_matches(':').trim_end().parse().unwrap()
    };
    let minute = life(key).await;
    assert!((1..=60).contains(&minute), "{minute}");
    let hour = life("meshd-rate-limit:catalog:hourly=x:hour:1798761600").await;
    assert!((3000..=3600).contains(&hour), "{hour}");
    assert_eq!(redis.command(&format!("GET {key}")).await.unwrap(), "$1\r\n2\r\n");
    assert_eq!(redis.command("DBSIZE").await.unwrap(), ":2\r\n");
}

#[tokio::test]
async fn without_redis_questions_fail_and_are_counted_until_it_is_back() {
    let port = free_port();
    let server = Running::start(Some(format!("redis://127.0.0.1:{port}/0"))).await;
    let client = server.client();
    for _ in 0..3 {
        let Decision::Error(Failure::Unavailable(reason)) =
            ask(&client, "header_match", "gold_request").await
        else {
            panic!("a question was answered without counters")
        };
        assert!(reason.starts_with("Unavailable: Redis"), "{reason}");
    }
    assert_eq!(server.metric("meshd_rate_limit_counter_failures_total").await, 3);
    assert_eq!(
        ask(&client, "free", "x").await,
        Decision::Ok { quota: None },
        "nothing to count, nothing to fail"
    );
    let recovers = async || matches!(ask(&client, "header_match", "gold_request").await, Decision::Ok { .. });
    let redis = Redis::start_on(port).await.expect("the port is still free");
    eventually("recovery after the first start", recovers).await;
    // A restart forgets the script, the connection and the counters.
    drop(redis);
    assert!(matches!(ask(&client, "header_match", "gold_request").await, Decision::Error(_)));
    let _redis = Redis::start_on(port).await.expect("the port is free again");
    eventually("recovery after the restart", recovers).await;
}

/// A way to a Redis that is silent on its first connections and forwards the others.
async fn silent_at_first(silent: u32, target: SocketAddr) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&accepted);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut near, _)) = listener.accept().await {
            if counter.fetch_add(1, Ordering::SeqCst) < silent {
                held.push(near);
                continue;
            }
            tokio::spawn(async move {
                let mut far = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (address, accepted)
}

#[tokio::test]
async fn a_connection_that_went_silent_is_replaced() {
    let redis = Redis::start().await;
    let (address, accepted) = silent_at_first(1, redis.address()).await;
    let patience = Duration::from_millis(100);
    let server = Running::start_with(Some(format!("redis://{address}/0")), patience).await;
    let client = server.client();
    assert!(matches!(ask(&client, "header_match", "gold_request").await, Decision::Error(_)));
    let recovers = async || matches!(ask(&client, "header_match", "gold_request").await, Decision::Ok { .. });
    eventually("a new connection", recovers).await;
    assert!(accepted.load(Ordering::SeqCst) >= 2);
}
