//! What is admitted and what is told, with counters in memory.

use std::time::Duration;

use meshd_rate_limit::{Decision, Descriptor, Failure, Limit, Quota, Unit};

use crate::support::{Running, admitted, ask};

fn quota(requests_per_unit: u32, unit: Unit, remaining: u32, seconds: u64) -> Option<Quota> {
    let limit = Limit { requests_per_unit, unit };
    Some(Quota { limit, remaining, until_reset: Duration::from_secs(seconds) })
}

#[tokio::test]
async fn exactly_the_limit_is_admitted_per_window() {
    let server = Running::in_memory().await;
    let client = server.client();
    assert_eq!(admitted(&client, "gold_request", 20).await, 10);
    assert_eq!(admitted(&client, "bronze_request", 20).await, 3);
    assert_eq!(admitted(&client, "otherwise", 20).await, 1);
    // The last moment of the window, and the first one of the next.
    server.clock.advance(Duration::from_millis(59_999));
    assert_eq!(admitted(&client, "gold_request", 1).await, 0);
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(admitted(&client, "gold_request", 20).await, 10);
}

#[tokio::test]
async fn the_answer_tells_limit_remainder_and_reset() {
    let server = Running::in_memory().await;
    let client = server.client();
    server.clock.advance(Duration::from_millis(14_500));
    let first = ask(&client, "header_match", "bronze_request").await;
    // 45.5 s are left, told in whole seconds and never too few.
    assert_eq!(first, Decision::Ok { quota: quota(3, Unit::Minute, 2, 46) });
    admitted(&client, "bronze_request", 2).await;
    let over = ask(&client, "header_match", "bronze_request").await;
    assert_eq!(over, Decision::OverLimit { quota: quota(3, Unit::Minute, 0, 46) });
}

#[tokio::test]
async fn several_hits_count_at_once_and_none_counts_as_one() {
    let server = Running::in_memory().await;
    let client = server.client();
    let gold = [Descriptor::one("header_match", "gold_request")];
    let left = async |hits: u32| client.should_limit("catalog", &gold, hits).await;
    assert_eq!(left(7).await, Decision::Ok { quota: quota(10, Unit::Minute, 3, 60) });
    assert_eq!(left(0).await, Decision::Ok { quota: quota(10, Unit::Minute, 2, 60) });
    assert_eq!(left(3).await, Decision::OverLimit { quota: quota(10, Unit::Minute, 0, 60) });
    assert_eq!(left(u32::MAX).await, Decision::OverLimit { quota: quota(10, Unit::Minute, 0, 60) });
}

#[tokio::test]
async fn unknown_descriptors_and_domains_have_no_limit() {
    let server = Running::in_memory().await;
    let client = server.client();
    let none = Decision::Ok { quota: None };
    assert_eq!(ask(&client, "header_match", "platinum_request").await, none);
    assert_eq!(ask(&client, "free", "x").await, none);
    let elsewhere =
        client.should_limit("elsewhere", &[Descriptor::one("header_match", "gold_request")], 1).await;
    assert_eq!(elsewhere, none);
    assert_eq!(server.metric("meshd_rate_limit_unknown_descriptors_total").await, 2);
}

#[tokio::test]
async fn all_descriptors_of_a_question_count_and_any_of_them_refuses() {
    let server = Running::in_memory().await;
    let client = server.client();
    let both =
        [Descriptor::one("header_match", "gold_request"), Descriptor::one("header_match", "otherwise")];
    let first = client.should_limit("catalog", &both, 1).await;
    assert_eq!(first, Decision::Ok { quota: quota(1, Unit::Minute, 0, 60) }, "the tightest limit is told");
    let second = client.should_limit("catalog", &both, 1).await;
    assert_eq!(second, Decision::OverLimit { quota: quota(1, Unit::Minute, 0, 60) });
    assert_eq!(admitted(&client, "gold_request", 20).await, 8, "gold was counted both times");
}

#[tokio::test]
async fn each_value_of_a_key_alone_is_counted_for_itself() {
    let server = Running::in_memory().await;
    let client = server.client();
    for value in ["a", "b"] {
        let one = ask(&client, "hourly", value).await;
        assert_eq!(one, Decision::Ok { quota: quota(2, Unit::Hour, 1, 3600) });
    }
}

#[tokio::test]
async fn a_shadow_limit_is_counted_but_not_enforced() {
    let server = Running::in_memory().await;
    let client = server.client();
    assert!(matches!(ask(&client, "shadow", "x").await, Decision::Ok { .. }));
    let line =
        "meshd_rate_limit_requests_total{domain=\"catalog\",descriptor=\"shadow\",code=\"over_limit\"}";
    assert_eq!(server.metric(line).await, 1);
}

#[tokio::test]
async fn senseless_questions_are_refused_and_counted() {
    let server = Running::in_memory().await;
    let client = server.client();
    let gold = Descriptor::one("header_match", "gold_request");
    let questions: [(&str, &[Descriptor]); 3] =
        [("", &[gold]), ("catalog", &[]), ("catalog", &[Descriptor { entries: Vec::new() }])];
    for (domain, descriptors) in questions {
        let Decision::Error(Failure::Unavailable(reason)) = client.should_limit(domain, descriptors, 1).await
        else {
            panic!("{domain:?} {descriptors:?} was answered")
        };
        assert!(reason.starts_with("InvalidArgument: "), "{reason}");
    }
    assert_eq!(server.metric("meshd_rate_limit_invalid_questions_total").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_questions_are_admitted_exactly() {
    let server = Running::in_memory().await;
    assert_eq!(crate::redis::admitted_by_many(&[server.client(), server.client()], 200).await, 10);
}
