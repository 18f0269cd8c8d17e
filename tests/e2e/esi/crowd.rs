//! Many clients, and clients that leave.

use larder_harness::client::Protocol;
use larder_harness::origin::Gate;

use super::{ESI, assert_asked, assert_page, html, include};
use crate::herd::{self, answers, in_hand};
use crate::stage::Stage;

const CLIENTS: usize = 500;
const FRAGMENTS: [&str; 5] = ["/a", "/b", "/c", "/d", "/e"];

async fn cold(workers: usize, protocol: Protocol) {
    let configuration = ESI.replacen(
        '{',
        r#"{"coalesce": {"wait_seconds": 60}, "composition": {"timeout_ms": 60000}, "#,
        1,
    );
    let stage = Stage::with_workers(workers, &configuration).await;
    let gate = Gate::closed();
    let template: String = FRAGMENTS.iter().map(|path| include(path)).collect();
    stage.origin.on("/page", html(&template).behind(&gate));
    let fragments = Gate::closed();
    for path in FRAGMENTS {
        stage.origin.on(path, html(path).behind(&fragments));
    }
    let crowd = herd::crowd(&stage, protocol, CLIENTS).await;
    let asking = crowd.begin(|_| herd::get("/page"));
    in_hand(&stage, CLIENTS).await;
    gate.open();
    herd::seen(&stage, "/e", 1).await;
    fragments.open();
    let (_crowd, told) = asking.told().await;
    for answer in answers(&told) {
        assert_page(answer, "/a/b/c/d/e");
    }
    assert_asked(
        &stage,
        &[
            ("/page", 1),
            ("/a", 1),
            ("/b", 1),
            ("/c", 1),
            ("/d", 1),
            ("/e", 1),
        ],
    );
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_page_is_fetched_once_for_five_hundred() {
    cold(1, Protocol::Http1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_page_is_fetched_once_for_five_hundred_of_two_workers() {
    cold(2, Protocol::Http1).await;
    cold(2, Protocol::Http2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_who_have_waited_for_as_long_as_they_may_are_all_answered() {
    let configuration = ESI.replacen('{', r#"{"composition": {"timeout_ms": 2000}, "#, 1);
    let stage = Stage::start(&configuration).await;
    stage
        .origin
        .on("/page", html(&["<", &include("/never"), ">"].concat()));
    let gate = Gate::closed();
    stage.origin.on("/never", html("late").behind(&gate));
    let crowd = herd::crowd(&stage, Protocol::Http1, CLIENTS).await;
    let (_crowd, told) = crowd.begin(|_| herd::get("/page")).told().await;
    for answer in answers(&told) {
        assert_page(answer, "<>");
    }
    gate.open();
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_take_nothing_with_them() {
    let stage = Stage::start(ESI).await;
    let gate = Gate::closed();
    stage
        .origin
        .on("/page", html(&["<", &include("/a"), ">"].concat()));
    stage.origin.on("/a", html("A").behind(&gate));
    let mut asking = herd::crowd(&stage, Protocol::Http1, 20)
        .await
        .begin(|_| herd::get("/page"));
    herd::seen(&stage, "/a", 1).await;
    asking.leave(0..20);
    in_hand(&stage, 0).await;
    gate.open();
    assert_page(&stage.get("/page").await, "<A>");
    assert_eq!(stage.origin.count("/page"), 1);
    stage.assert_unharmed().await;
}
