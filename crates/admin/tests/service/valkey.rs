//! The same over a real Valkey, which stands still, comes back, and loses what it had.

use larder_admin::store::{Bounds, Store};
use larder_harness::client::Request;
use larder_harness::valkey::{Reply, Valkey};
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::{Value, json as value};

use crate::stage::{Replica, field, frame, json, key, place, put};

const A: &str = "00000000000000aa";

/// A Valkey, and two replicas over it that share nothing else.
async fn pair() -> (Valkey, Replica, Replica) {
    let valkey = Valkey::start().await.unwrap();
    let (one, other) = (replica(&valkey).await, replica(&valkey).await);
    (valkey, one, other)
}

async fn replica(valkey: &Valkey) -> Replica {
    let store = Store::open(&valkey.url(), "plays", Bounds::USUAL).await;
    Replica::start(&store.unwrap(), &[]).await
}

fn said(seq: u64) -> Value {
    let tag = format!("{seq:016x}");
    value!({"wire": 1, "instance": A, "records": [{"seq": seq, "stamps": [tag]}]})
}

async fn try_to_say(replica: &Replica, seq: u64) -> u16 {
    let request = Request::new("POST", "/v1/invalidations").body(said(seq).to_string());
    replica.ask(request).await.status
}

async fn is_waiting(replica: &Replica) {
    let waiting = "larder_admin_waiting{for=\"invalidations\"} 1";
    eventually("one waits", PATIENCE, async || {
        let shown = replica.get("/metrics").await;
        String::from_utf8_lossy(&shown.body).contains(waiting)
    })
    .await;
}

async fn answers(replica: &Replica, path: &str, status: u16) {
    let what = format!("{path} answers {status}");
    eventually(&what, PATIENCE, async || {
        replica.get(path).await.status == status
    })
    .await;
}

#[tokio::test]
async fn what_is_said_at_one_wakes_who_waits_at_the_other() {
    let (_valkey, one, other) = pair().await;
    let before = one.end().await;
    let path = format!("/v1/invalidations?after={before}&wait_seconds=60");
    let says = async {
        is_waiting(&other).await;
        one.invalidate(value!({"tag": "a"})).await
    };
    let (heard, id) = tokio::join!(other.get(&path), says);
    assert_eq!(json(&heard)["records"][0]["id"], id);
}

#[tokio::test]
async fn an_entry_goes_from_one_to_the_other_until_it_is_invalidated() {
    let (_valkey, one, other) = pair().await;
    let end = one.end().await;
    let key = key("/p");
    let granted = one.get(&place(&key, "?lease_ms=60000")).await;
    let fence = field(&granted, "larder-lease").unwrap().to_owned();
    let held = other.get(&place(&key, "?lease_ms=60000")).await;
    assert_eq!(field(&held, "larder-lease"), Some("held"));
    let brings = put(&key, &end, frame(&key, &["a"], b"led"))
        .header("larder-fence", &fence)
        .header("larder-release", format!("{}.{fence}", key.digest()));
    let wait = place(&key, "?lease_ms=60000&wait_ms=30000");
    let (got, brought) = tokio::join!(other.get(&wait), one.ask(brings));
    assert_eq!((got.status, brought.status), (200, 204));
    let id = one.invalidate(value!({"tag": "a"})).await;
    let path = format!("/v1/invalidations?after={end}&wait_seconds=60");
    assert_eq!(json(&other.get(&path).await)["records"][0]["id"], id);
    eventually("the other replica follows", PATIENCE, async || {
        other.get(&place(&key, "")).await.status == 404
    })
    .await;
    let late = put(&key, &end, frame(&key, &["a"], b"late"));
    assert_eq!(other.ask(late).await.status, 409);
}

#[tokio::test]
async fn while_the_store_stands_still_nothing_is_promised_and_then_it_goes_on() {
    let (mut valkey, one, other) = pair().await;
    let before = one.end().await;
    let path = format!("/v1/invalidations?after={before}&wait_seconds=60");
    let stops = async {
        is_waiting(&one).await;
        valkey.pause().await.unwrap();
    };
    // Who waits does not wait until the end.
    let (waited, ()) = tokio::join!(one.get(&path), stops);
    assert_eq!(waited.status, 503);
    assert_eq!(try_to_say(&one, 1).await, 503);
    assert_eq!(one.get(&place(&key("/p"), "")).await.status, 503);
    answers(&other, "/readyz", 503).await;
    assert_eq!(one.get("/healthz").await.status, 200);

    valkey.resume().await.unwrap();
    answers(&one, "/readyz", 200).await;
    answers(&other, "/readyz", 200).await;
    // Nobody knows whether the first was heard, so it is said again; it stands there once.
    for seq in [1, 2] {
        assert_eq!(try_to_say(&other, seq).await, 200);
    }
    let heard = json(&one.get(&path).await);
    let seqs: Vec<_> = heard["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["seq"].clone())
        .collect();
    assert_eq!(seqs, [1, 2]);
}

#[tokio::test]
async fn a_store_that_has_lost_everything_begins_anew_and_so_does_everybody() {
    let (valkey, one, other) = pair().await;
    let before = one.invalidate(value!({"tag": "a"})).await;
    let key = key("/p");
    assert_eq!(
        one.ask(put(&key, &before, frame(&key, &[], b"x")))
            .await
            .status,
        204
    );
    valkey.command(&["FLUSHALL"]).await.unwrap();
    let path = format!("/v1/invalidations?after={before}");
    let heard = json(&other.get(&path).await);
    assert_eq!(heard["reset"], true, "{heard}");
    let after = one.invalidate(value!({"tag": "b"})).await;
    assert_ne!(after.split('.').next(), before.split('.').next());
    eventually(
        "the other replica follows the new log",
        PATIENCE,
        async || {
            other
                .service
                .follower
                .end()
                .is_some_and(|end| end.to_string() == after)
        },
    )
    .await;
    // What was fetched before that is of no use.
    let late = other.ask(put(&key, &before, frame(&key, &[], b"x"))).await;
    assert_eq!(late.status, 409);
    let fresh = other.ask(put(&key, &after, frame(&key, &[], b"x"))).await;
    assert_eq!(fresh.status, 204);
}

/// What stands under each key now, to be put back later: as a failover does to what had not yet reached the other.
async fn remember(valkey: &Valkey) {
    for key in keys(valkey).await {
        let copy = format!("{key}#copy");
        valkey.command(&["COPY", &key, &copy]).await.unwrap();
    }
}

async fn put_back(valkey: &Valkey) {
    let copies = keys(valkey).await.into_iter();
    for copy in copies.filter(|key| key.ends_with("#copy")) {
        let key = copy.trim_end_matches("#copy");
        valkey.command(&["RENAME", &copy, key]).await.unwrap();
    }
}

async fn keys(valkey: &Valkey) -> Vec<String> {
    let answer = valkey.command(&["KEYS", "*"]).await.unwrap();
    let Reply::List(keys) = answer else {
        panic!("{answer:?}");
    };
    keys.iter()
        .map(|key| key.text().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn where_the_store_has_lost_what_was_seen_everything_is_over_for_everybody() {
    let (valkey, one, other) = pair().await;
    let kept = one.invalidate(value!({"tag": "kept"})).await;
    remember(&valkey).await;
    let lost = one.invalidate(value!({"tag": "lost"})).await;
    for replica in [&one, &other] {
        eventually("the replica has seen it", PATIENCE, async || {
            replica
                .service
                .follower
                .end()
                .is_some_and(|end| end.to_string() == lost)
        })
        .await;
    }
    put_back(&valkey).await;
    for replica in [&one, &other] {
        eventually("the replica has noticed", PATIENCE, async || {
            let end = replica.service.follower.end();
            end.is_some_and(|end| end.to_string() != lost)
        })
        .await;
    }
    // Who has never seen what is lost drops everything all the same.
    let path = format!("/v1/invalidations?after={kept}&wait_seconds=20");
    let heard = json(&other.get(&path).await);
    let record = &heard["records"][0];
    assert_eq!(
        (&record["all"], &record["mode"]),
        (&value!(true), &value!("hard")),
        "{heard}"
    );
    let heard = json(&other.get(&format!("/v1/invalidations?after={lost}")).await);
    assert_eq!(heard["reset"], true, "{heard}");
}
