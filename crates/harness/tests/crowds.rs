//! Crowds against an origin that holds them, goes down and comes back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use larder_harness::client::{self, Client, Crowd, Protocol, Request};
use larder_harness::origin::{Gate, Origin, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

#[tokio::test(flavor = "multi_thread")]
async fn all_are_in_the_origins_hands_until_it_lets_them_go() {
    for protocol in BOTH {
        let (origin, gate) = (Origin::start().await.unwrap(), Gate::closed());
        origin.on("/slow", Reply::ok("body").behind(&gate));
        let crowd = Crowd::connect(origin.address(), protocol, 120);
        let crowd = crowd.await.unwrap();
        let asking =
            crowd.begin(|place| Request::get("/slow").header("x-place", place.to_string()));
        eventually("all have asked", PATIENCE, async || {
            origin.in_hand("/slow") == 120
        })
        .await;
        gate.open();
        let (crowd, told) = asking.told().await;
        let is_answered = |told: &client::Told| told.answer.as_ref().unwrap().text() == "body";
        assert!(told.iter().all(is_answered) && crowd.len() == 120);
        // The kept connections do for another round.
        let (_, told) = crowd.ask(|_| Request::get("/slow")).await;
        assert!(told.iter().all(is_answered));
        assert_eq!(origin.count("/slow"), 240);
        assert_eq!(
            (origin.in_hand("/slow"), origin.most_in_hand("/slow")),
            (0, 120)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_seen_to_leave_and_the_others_stay() {
    for protocol in BOTH {
        let (origin, gate) = (Origin::start().await.unwrap(), Gate::closed());
        let steps = [
            Step::Chunk("half".into()),
            Step::Wait(gate.clone()),
            Step::Chunk(" rest".into()),
        ];
        origin.on("/slow", Reply::steps(steps));
        let crowd = Crowd::connect(origin.address(), protocol, 60);
        let mut asking = crowd.await.unwrap().begin(|_| Request::get("/slow"));
        eventually("all have asked", PATIENCE, async || {
            origin.in_hand("/slow") == 60
        })
        .await;
        asking.leave(10..50);
        eventually("some have left", PATIENCE, async || {
            origin.in_hand("/slow") == 20
        })
        .await;
        gate.open();
        let (_, told) = asking.told().await;
        assert_eq!(told.len(), 20);
        for told in told {
            assert_eq!(told.answer.unwrap().text(), "half rest");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_down_refuses_and_breaks_off_and_comes_back_where_it_was() {
    let (origin, gate) = (Origin::start().await.unwrap(), Gate::closed());
    let steps = [
        Step::Chunk("half".into()),
        Step::Wait(gate),
        Step::Chunk(" rest".into()),
    ];
    origin.on("/a", Reply::ok("up"));
    origin.on("/slow", Reply::steps(steps));
    for _ in 0..3 {
        let client = Client::connect(origin.address(), Protocol::Http1)
            .await
            .unwrap();
        let mut begun = client.begin(Request::get("/slow")).await.unwrap();
        assert_eq!(begun.read(4).await.unwrap(), b"half");
        origin.go_down().await.unwrap();
        origin.go_down().await.unwrap();
        assert!(begun.read(1).await.is_err());
        client::get(origin.address(), "/a").await.unwrap_err();
        eventually("it is in nobody's hands", PATIENCE, async || {
            origin.in_hand("/slow") == 0
        })
        .await;
        origin.come_back().unwrap();
        origin.come_back().unwrap();
        let answer = client::get(origin.address(), "/a").await.unwrap();
        assert_eq!(answer.text(), "up");
    }
}
