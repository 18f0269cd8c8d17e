//! Compression takes its time and its memory, and what it works on changes in between.

use larder_core::report::Counter;

use crate::stage::{CACHE_ALL, Stage, get, reply, request};

use super::{page, text, unasked, unzipped};

#[test]
fn a_long_body_takes_many_short_steps() {
    let body = text().repeat(75); // 300,000 bytes
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply(&body));
    let held = stage.budget.held();
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), unasked());
    let mut ticks = 1;
    while stage.tick() {
        ticks += 1;
        assert!(
            stage.budget.held() > 300_000,
            "what is under way is counted"
        );
        let meanwhile = stage.exchange(zipped(), unasked());
        assert_eq!(meanwhile.text(), body);
    }
    assert_eq!(ticks, 5, "64 KiB each");
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!(unzipped(&hit), body.as_bytes());
    assert_eq!(stage.budget.held(), held, "and nothing after it");
}

#[test]
fn an_entry_that_has_been_replaced_meanwhile_is_not_put_back() {
    let body = text().repeat(50);
    let mut stage = Stage::new(CACHE_ALL);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), reply(&body));
    stage.exchange(zipped(), unasked());
    assert!(stage.tick(), "it takes more than one step");
    stage.wait(61);
    stage.exchange(zipped(), reply("newer"));
    stage.compress();
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", "newer"));
    assert_eq!(stage.count(Counter::Compressed), 0);
}

#[test]
fn an_entry_that_has_gone_meanwhile_does_not_come_back() {
    let body = text().repeat(50);
    let mut stage = Stage::new(CACHE_ALL);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), reply(&body));
    stage.exchange(zipped(), unasked());
    assert!(stage.tick(), "it takes more than one step");
    stage.evict_last();
    stage.compress();
    let miss = stage.exchange(zipped(), reply("again"));
    assert_eq!((miss.field("x-cache"), miss.text()), ("MISS", "again"));
    assert_eq!(stage.count(Counter::Compressed), 0);
}

#[test]
fn a_write_meanwhile_ends_what_is_being_compressed() {
    let body = text().repeat(50);
    let mut stage = Stage::new(CACHE_ALL);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), reply(&body));
    stage.exchange(zipped(), unasked());
    assert!(stage.tick(), "it takes more than one step");
    stage.exchange(request("POST", "/a"), reply("done"));
    stage.compress();
    let seen = stage.exchange(zipped(), reply("after the write"));
    assert_eq!(
        seen.cache(),
        ("MISS", "larder; fwd=stale; stored; detail=invalidated")
    );
    assert_eq!(seen.text(), "after the write");
}

#[test]
fn a_full_budget_leaves_it_as_it_came() {
    let small = r#"{"limits":{"max_object_bytes":5000,"capture_bytes":5000},"rules":[
        {"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let mut stage = Stage::new(small);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), page());
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!(hit.field("x-cache"), "HIT");
    stage.compress();
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", &*text()));
    stage.compress();
    assert_eq!(stage.count(Counter::Compressed), 0);
    assert_eq!(stage.budget.held(), 0);
}
