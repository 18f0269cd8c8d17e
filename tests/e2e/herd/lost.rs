//! Who asks the origin is lost: another takes over, and nobody else notices.

use larder_harness::client::{Client, Protocol};
use larder_harness::origin::{Gate, Reply, Step};

use super::{
    BOTH, LONG, answers, assert_all, assert_calm, collapsed, crowd, fetches, first_then, get,
    in_hand, let_expire, page, seen, stage, stampede,
};
use crate::stage::{Stage, x_cache};

const CLIENTS: usize = 200;

/// The first answer is cut in two by a gate and goes on as `then`; all others are whole.
fn first_in_two(stage: &Stage, path: &str, gate: &Gate, then: Step) {
    let steps = [Step::Chunk("half, ".into()), Step::Wait(gate.clone()), then];
    let first = Reply::steps(steps)
        .header("content-length", "12")
        .header("cache-control", "max-age=60");
    let play = first_then(first, page("half, whole!"));
    stage.origin.on_call(path, play);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_in_mid_body_is_followed_by_another() {
    for (workers, protocol) in [(1, BOTH[0]), (2, BOTH[1])] {
        let (stage, gate) = (stage(workers, LONG).await, Gate::closed());
        first_in_two(&stage, "/page", &gate, Step::Chunk("whole!".into()));
        let leader = Client::connect(stage.address(), protocol).await.unwrap();
        let mut leader = leader.begin(get("/page")).await.unwrap();
        assert_eq!(leader.read(6).await.unwrap(), b"half, ");
        let others = crowd(&stage, protocol, CLIENTS).await;
        let asking = others.begin(|_| get("/page"));
        in_hand(&stage, CLIENTS + 1).await;
        assert_eq!(stage.origin.count("/page"), 1);
        drop(leader);
        let (others, told) = asking.told().await;
        assert_all(&told, "half, whole!");
        assert_eq!((stage.origin.count("/page"), fetches(&told)), (2, 1));
        assert_eq!(collapsed(&told), CLIENTS - 1);
        assert_calm(&stage, others, "/next").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_dies_in_mid_body_is_asked_once_more() {
    for (workers, protocol) in [(1, BOTH[0]), (2, BOTH[1])] {
        let (stage, gate) = (stage(workers, LONG).await, Gate::closed());
        first_in_two(&stage, "/page", &gate, Step::Die);
        let leader = Client::connect(stage.address(), protocol).await.unwrap();
        let mut leader = leader.begin(get("/page")).await.unwrap();
        assert_eq!(leader.read(6).await.unwrap(), b"half, ");
        let others = crowd(&stage, protocol, CLIENTS).await;
        let asking = others.begin(|_| get("/page"));
        in_hand(&stage, CLIENTS + 1).await;
        gate.open();
        let release = stage.envoy.release().await.unwrap();
        let read = leader.read(6).await;
        let is_told = release.tells_what_broke_off(protocol);
        assert_eq!(read.is_err(), is_told, "its client sees that: {read:?}");
        let (others, told) = asking.told().await;
        assert_all(&told, "half, whole!");
        assert_eq!((stage.origin.count("/page"), fetches(&told)), (2, 1));
        assert_calm(&stage, others, "/next").await;
    }
}

/// Nobody is answered well, but everybody is, and soon: one asks after the other only as long as they wait.
#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_refuses_everybody_holds_up_nobody() {
    let stage = stage(2, LONG).await;
    stage.origin.go_down().await.unwrap();
    let (others, told) = crowd(&stage, Protocol::Http1, CLIENTS)
        .await
        .ask(|_| get("/page"))
        .await;
    for answer in answers(&told) {
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    stage.origin.come_back().unwrap();
    assert_calm(&stage, others, "/next").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_fails_has_those_who_wait_ask_it_themselves() {
    let (stage, gate) = (stage(2, LONG).await, Gate::closed());
    stage
        .origin
        .on("/page", Reply::new(500, "broken").behind(&gate));
    let asking = crowd(&stage, Protocol::Http1, CLIENTS)
        .await
        .begin(|_| get("/page"));
    in_hand(&stage, CLIENTS).await;
    seen(&stage, "/page", 1).await;
    assert_eq!(stage.origin.count("/page"), 1);
    gate.open();
    let (others, told) = asking.told().await;
    for answer in answers(&told) {
        assert_eq!((answer.status, answer.text().as_str()), (500, "broken"));
    }
    assert_calm(&stage, others, "/next").await;
}

/// The one that asks learns that the origin fails, and all are given what was there before.
#[tokio::test(flavor = "multi_thread")]
async fn behind_an_origin_that_fails_all_are_given_what_is_stale() {
    for workers in [1, 2] {
        let stage = stage(workers, LONG).await;
        let old = Reply::ok("old").header("cache-control", "max-age=1, stale-if-error=600");
        let_expire(&stage, "/page", old).await;
        let broken = Reply::new(503, "broken");
        let others = crowd(&stage, Protocol::Http1, CLIENTS).await;
        let (others, told, asked) = stampede(&stage, others, "/page", broken).await;
        assert_all(&told, "old");
        for answer in answers(&told) {
            assert_eq!(x_cache(answer), "STALE", "{answer:?}");
        }
        assert_eq!(asked, 1);
        assert_calm(&stage, others, "/next").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_waiting_is_missed_by_nobody() {
    for protocol in BOTH {
        let (stage, gate) = (stage(2, LONG).await, Gate::closed());
        stage.origin.on("/page", page("body").behind(&gate));
        let mut leader = crowd(&stage, protocol, 1).await.begin(|_| get("/page"));
        seen(&stage, "/page", 1).await;
        let mut asking = crowd(&stage, protocol, CLIENTS)
            .await
            .begin(|_| get("/page"));
        in_hand(&stage, CLIENTS + 1).await;
        asking.leave(0..CLIENTS / 2);
        in_hand(&stage, CLIENTS / 2 + 1).await;
        // And the one that asks, before the origin has said anything.
        leader.leave(0..1);
        seen(&stage, "/page", 2).await;
        in_hand(&stage, CLIENTS / 2).await;
        gate.open();
        let (others, told) = asking.told().await;
        assert_all(&told, "body");
        assert_eq!((told.len(), stage.origin.count("/page")), (CLIENTS / 2, 2));
        assert_calm(&stage, others, "/next").await;
    }
}
