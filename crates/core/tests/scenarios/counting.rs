//! What is counted: each request once, under its rule, by what became of it.

use larder_core::policy::Reason;
use larder_core::report::{Counter, FetchClass, FetchResult, Outcome, RuleCounter, ServedFrom};

use crate::stage::{Stage, get, reply, request};

const RULES: &str = r#"{"rules":[
    {"name":"never","match":{"path":"/never/.*"},"cache":false},
    {"name":"mine","match":{"path":"/mine"},"identity":{"header":"x-user"},"ttl_seconds":60},
    {"name":"asked","match":{"methods":["POST"],"path":"/asked"},"key":{"body":true},"hold_headers":true,"ttl_seconds":60},
    {"name":"kept","match":{"path":"/kept/.*"},"ttl_seconds":60}]}"#;

/// The rule and the outcome, of all that have any.
fn counted(stage: &Stage) -> Vec<(&'static str, Outcome, u64)> {
    let rules = ["unmatched", "never", "mine", "asked", "kept"];
    let all = rules.into_iter().flat_map(|rule| {
        let outcomes = Outcome::ALL.iter();
        outcomes.map(move |outcome| {
            let count = stage.of_rule(rule, RuleCounter::Requests(*outcome));
            (rule, *outcome, count)
        })
    });
    all.filter(|(_, _, count)| *count > 0).collect()
}

#[test]
fn each_request_counts_once_under_its_rule() {
    let mut stage = Stage::new(RULES);
    for _ in 0..5 {
        stage.exchange(get("/kept/1"), reply("1").with("etag", "\"1\"")); // the last ones from the worker's memory
    }
    stage.exchange(get("/never/1"), reply("never"));
    stage.exchange(get("/mine"), reply("nobody's"));
    stage.exchange(
        get("/mine").with("x-user", "a").with("x-user", "b"),
        reply("two"),
    );
    stage.exchange(get("/other"), reply("other"));
    stage.exchange(get("/a/../b"), reply("ambiguous"));
    stage.exchange(request("PUT", "/kept/2"), reply("written"));
    let question = request("POST", "/asked").body("a");
    stage.exchange(question.clone(), reply("answer"));
    stage.exchange(question, reply("answer"));
    stage.exchange(request("POST", "/asked").unannounced("a"), reply("answer"));
    stage.wait(61);
    let not_modified = reply("").status(304);
    stage.exchange(get("/kept/1"), not_modified);
    let expected = [
        ("unmatched", Outcome::Bypass, 2),
        ("unmatched", Outcome::Miss, 1),
        ("never", Outcome::Bypass, 1),
        ("mine", Outcome::Bypass, 1),
        ("mine", Outcome::Miss, 1),
        ("asked", Outcome::Bypass, 1),
        ("asked", Outcome::Hit, 1),
        ("asked", Outcome::Miss, 1),
        ("kept", Outcome::Hit, 4),
        ("kept", Outcome::Miss, 1),
        ("kept", Outcome::Revalidated, 1),
    ];
    assert_eq!(counted(&stage), expected);
}

#[test]
fn bytes_count_where_they_came_from() {
    let mut stage = Stage::new(RULES);
    let served = |stage: &Stage| {
        let from = |source| stage.count(Counter::Served(source));
        [ServedFrom::Origin, ServedFrom::Shared, ServedFrom::Hot].map(from)
    };
    let page = reply("1234567").with("etag", "\"1\"");
    stage.exchange(get("/kept/1"), page);
    assert_eq!(served(&stage), [7, 0, 0]);
    for _ in 0..3 {
        stage.exchange(get("/kept/1"), reply("1234567"));
    }
    let hot = stage.count(Counter::HotHit);
    assert_eq!(served(&stage), [7, (3 - hot) * 7, hot * 7]);
    assert!(hot > 0);
    for _ in 0..4 {
        stage.exchange(request("HEAD", "/kept/1"), reply(""));
    }
    assert_eq!(
        served(&stage),
        [7, (3 - hot) * 7, hot * 7],
        "a head has no body"
    );
    stage.wait(61);
    stage.exchange(get("/kept/1"), reply("").status(304));
    assert_eq!(
        served(&stage)[1],
        (4 - hot) * 7,
        "what the origin confirmed was here"
    );
    stage.exchange(get("/never/1"), reply("never"));
    assert_eq!(served(&stage)[0], 7 + 5);
}

#[test]
fn what_the_origin_says_counts_by_kind() {
    let mut stage = Stage::new(RULES);
    stage.exchange(get("/kept/1"), reply("1").with("etag", "\"1\""));
    stage.exchange(get("/kept/2"), reply("2").status(503));
    stage.exchange(get("/kept/3"), reply("3").status(504).by_the_proxy());
    stage.exchange(get("/kept/4"), reply("4").status(404));
    stage.exchange(get("/never/1"), reply("not looked up"));
    stage.wait(61);
    stage.exchange(get("/kept/1"), reply("").status(304));
    let results = FetchResult::ALL
        .iter()
        .map(|result| stage.count(Counter::Fetched(FetchClass::Foreground, *result)));
    let [confirmed, error, local, ok] = results.collect::<Vec<_>>()[..] else {
        panic!("four results");
    };
    assert_eq!((confirmed, error, local, ok), (1, 1, 1, 2));
    assert_eq!(stage.count(Counter::NotStored(Reason::LocalReply)), 1);
}
