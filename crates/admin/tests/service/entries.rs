//! Entries that instances share.

use larder_admin::store::{Bounds, Store};
use larder_harness::client::Request;
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::json as value;

use crate::stage::{Replica, field, frame, frame_for, json, key, pair, place, put};

#[tokio::test]
async fn what_one_brings_the_others_get() {
    let (_store, one, other) = pair().await;
    let end = one.end().await;
    let key = key("/p");
    let frame = frame(&key, &["a"], b"hello");
    assert_eq!(other.get(&place(&key, "")).await.status, 404);
    let brought = one.ask(put(&key, &end, frame.clone())).await;
    assert_eq!(brought.status, 204, "{brought:?}");
    let got = other.get(&place(&key, "")).await;
    assert_eq!(got.status, 200);
    assert!(got.body == frame);
    assert_eq!(field(&got, "larder-cursor"), Some(end.as_str()));
    for name in ["larder-age-ms", "larder-left-ms"] {
        let number: u64 = field(&got, name).unwrap().parse().unwrap();
        assert!(number <= 60_000, "{name}: {number}");
    }
}

#[tokio::test]
async fn nobody_gets_what_was_invalidated_while_or_after_it_was_fetched() {
    for record in [
        value!({"tag": "a"}),
        value!({"tag": "a", "mode": "soft"}),
        value!({"key": "GET:a/p"}),
        value!({"pattern": "/p*"}),
        value!({"prefix": "GET:a/"}),
        value!({"all": true}),
    ] {
        let (_store, one, other) = pair().await;
        let asked = one.end().await;
        let key = key("/p");
        let brings = || put(&key, &asked, frame(&key, &["a"], b"old"));
        assert_eq!(one.ask(brings()).await.status, 204);
        let id = one.invalidate(record.clone()).await;
        follows(&other, &id).await;
        follows(&one, &id).await;
        assert_eq!(other.get(&place(&key, "")).await.status, 404, "{record}");
        // And what was under way meanwhile is not taken.
        let late = one.ask(brings()).await;
        assert_eq!(late.status, 409, "{record}: {late:?}");
        let fresh = put(&key, &id, frame(&key, &["a"], b"new"));
        assert_eq!(one.ask(fresh).await.status, 204);
        let got = other.get(&place(&key, "")).await;
        assert_eq!(got.status, 200, "{record}");
        assert_eq!(field(&got, "larder-cursor"), Some(id.as_str()));
    }
}

/// Waits until a replica has come so far.
async fn follows(replica: &Replica, id: &str) {
    eventually("the replica follows", PATIENCE, async || {
        replica.service.follower.end().unwrap().to_string() == id
    })
    .await;
}

#[tokio::test]
async fn what_something_hard_has_ended_is_gone_and_what_something_soft_has_is_not_given() {
    let (store, one, _other) = pair().await;
    let end = one.end().await;
    let (hard, soft) = (key("/hard"), key("/soft"));
    for key in [&hard, &soft] {
        let tag = &key.name().from_path().unwrap()[1..].to_owned();
        one.ask(put(key, &end, frame(key, &[tag], b"x"))).await;
    }
    one.invalidate(value!({"tag": "hard"})).await;
    let id = one
        .invalidate(value!({"tag": "soft", "mode": "soft"}))
        .await;
    follows(&one, &id).await;
    for key in [&hard, &soft] {
        assert_eq!(one.get(&place(key, "")).await.status, 404);
    }
    assert!(store.entry(hard.digest()).await.unwrap().is_none());
    assert!(store.entry(soft.digest()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_no_entry_is_refused_and_nobody_gets_it() {
    let (store, one, _other) = pair().await;
    let end = one.end().await;
    let key = key("/p");
    let good = frame(&key, &[], b"body");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut newer = good.clone();
    newer[3] = 2;
    for (bytes, problem) in [
        (Vec::new(), "ends too early"),
        (good[..good.len() - 1].to_vec(), "damaged"),
        (flipped.clone(), "damaged"),
        (newer, "another version"),
        (frame(&crate::stage::key("/q"), &[], b""), "another key"),
    ] {
        let answer = one.ask(put(&key, &end, bytes)).await;
        assert_eq!(answer.status, 400, "{problem}: {answer:?}");
        let error = json(&answer)["error"].to_string();
        assert!(error.contains(problem), "{problem}: {error}");
    }
    // It was damaged where it stands.
    let entry = larder_admin::store::NewEntry {
        cursor: larder_core::fleet::Cursor::parse(end.as_bytes()).unwrap(),
        fence: 0,
        keep: std::time::Duration::from_secs(60),
        frame: flipped.into(),
    };
    store.put_entry(key.digest(), &entry).await.unwrap();
    assert_eq!(one.get(&place(&key, "")).await.status, 404);
    assert!(store.entry(key.digest()).await.unwrap().is_none());
    let shown = one.get("/metrics").await;
    let text = String::from_utf8_lossy(&shown.body).into_owned();
    assert!(
        text.contains("larder_admin_entries_got_total{result=\"corrupt\"} 1"),
        "{text}"
    );
}

#[tokio::test]
async fn a_cursor_that_is_no_place_in_the_log_is_of_no_use() {
    let (_store, one, _other) = pair().await;
    one.invalidate(value!({"tag": "x"})).await;
    let end = one.end().await;
    let key = key("/p");
    let other_check = format!("{}{}", &end[..end.len() - 8], "00000000");
    let ahead = format!("{}.99.00000000", &end[..16]);
    for (cursor, status) in [
        (other_check.as_str(), 409),
        (&ahead, 409),
        ("0000000000000001.1.00000000", 409),
        ("nonsense", 400),
        (&end, 204),
    ] {
        let answer = one.ask(put(&key, cursor, frame(&key, &[], b""))).await;
        assert_eq!(answer.status, status, "{cursor}: {answer:?}");
    }
}

#[tokio::test]
async fn one_leads_and_the_others_wait_for_what_it_brings() {
    let (_store, one, other) = pair().await;
    let end = one.end().await;
    let key = key("/p");
    let granted = one.get(&place(&key, "?lease_ms=60000")).await;
    assert_eq!(granted.status, 404);
    let fence = field(&granted, "larder-lease").unwrap().to_owned();
    let held = other.get(&place(&key, "?lease_ms=60000")).await;
    assert_eq!(field(&held, "larder-lease"), Some("held"));
    let path = place(&key, "?lease_ms=60000&wait_ms=30000");
    let waits = other.get(&path);
    let brings = async {
        let waiting = "larder_admin_waiting{for=\"entries\"} 1";
        eventually("one waits", PATIENCE, async || {
            let shown = other.get("/metrics").await;
            String::from_utf8_lossy(&shown.body).contains(waiting)
        })
        .await;
        let request = put(&key, &end, frame(&key, &[], b"led"))
            .header("larder-fence", &fence)
            .header("larder-release", format!("{}.{fence}", key.digest()));
        one.ask(request).await.status
    };
    let (got, brought) = tokio::join!(waits, brings);
    assert_eq!((got.status, brought), (200, 204));
}

#[tokio::test]
async fn all_that_wait_go_when_the_leader_gives_up() {
    let (_store, one, other) = pair().await;
    let key = key("/p");
    let granted = one.get(&place(&key, "?lease_ms=60000")).await;
    let fence = field(&granted, "larder-lease").unwrap().to_owned();
    let path = place(&key, "?lease_ms=60000&wait_ms=30000");
    let gives_up = async {
        let waiting = "larder_admin_waiting{for=\"entries\"} 3";
        eventually("three wait", PATIENCE, async || {
            let shown = other.get("/metrics").await;
            String::from_utf8_lossy(&shown.body).contains(waiting)
        })
        .await;
        let lead = format!("/v1/leases/{}?fence={fence}", key.digest());
        one.ask(Request::new("DELETE", &lead)).await.status
    };
    let all = async { tokio::join!(other.get(&path), other.get(&path), other.get(&path)) };
    let ((first, second, third), gave_up) = tokio::join!(all, gives_up);
    assert_eq!(gave_up, 204);
    for got in [first, second, third] {
        assert_eq!((got.status, field(&got, "larder-lease")), (404, None));
    }
    // Whoever comes now may lead.
    let next = one.get(&place(&key, "?lease_ms=60000")).await;
    assert_ne!(field(&next, "larder-lease"), Some("held"));
}

#[tokio::test]
async fn where_too_many_wait_for_entries_the_others_do_not_wait_and_the_log_is_followed() {
    let store = Store::memory(Bounds::USUAL);
    let one = Replica::start(&store, &["--max-waiting", "1"]).await;
    let end = one.end().await;
    let (first, second) = (key("/1"), key("/2"));
    for key in [&first, &second] {
        one.get(&place(key, "?lease_ms=60000")).await;
    }
    let waits = place(&first, "?lease_ms=60000&wait_ms=60000");
    let others = async {
        let waiting = "larder_admin_waiting{for=\"entries\"} 1";
        eventually("one waits", PATIENCE, async || {
            let shown = one.get("/metrics").await;
            String::from_utf8_lossy(&shown.body).contains(waiting)
        })
        .await;
        let held = one
            .get(&place(&second, "?lease_ms=60000&wait_ms=60000"))
            .await;
        assert_eq!(field(&held, "larder-lease"), Some("held"));
        let path = format!("/v1/invalidations?after={end}&wait_seconds=1");
        assert_eq!(one.get(&path).await.status, 200);
        one.ask(put(&first, &end, frame(&first, &[], b"x"))).await;
    };
    let (got, ()) = tokio::join!(one.get(&waits), others);
    assert_eq!(got.status, 200);
}

#[tokio::test]
async fn a_lead_ends_with_what_cannot_be_stored() {
    let (_store, one, other) = pair().await;
    let end = one.end().await;
    let key = key("/p");
    let granted = one.get(&place(&key, "?lease_ms=60000")).await;
    let fence = field(&granted, "larder-lease").unwrap();
    let request = put(&key, &end, b"no frame".to_vec())
        .header("larder-release", format!("{}.{fence}", key.digest()));
    assert_eq!(one.ask(request).await.status, 400);
    let next = other.get(&place(&key, "?lease_ms=60000")).await;
    assert_ne!(field(&next, "larder-lease"), Some("held"));
}

#[tokio::test]
async fn of_those_who_find_it_stale_one_asks_the_origin() {
    let (_store, one, other) = pair().await;
    let end = one.end().await;
    let key = key("/p");
    let stale = frame_for(&key, &[], b"stale", 1);
    assert_eq!(one.ask(put(&key, &end, stale.clone())).await.status, 204);
    // Who does not want to lead is given what there is.
    assert_eq!(one.get(&place(&key, "")).await.status, 200);
    let leads = one.get(&place(&key, "?lease_ms=60000")).await;
    assert_eq!(leads.status, 200);
    assert!(leads.body == stale);
    let fence = field(&leads, "larder-lease").unwrap().to_owned();
    let held = other.get(&place(&key, "?lease_ms=60000")).await;
    assert_eq!(
        (held.status, field(&held, "larder-lease")),
        (404, Some("held"))
    );
    let wait = place(&key, "?lease_ms=60000&wait_ms=30000");
    let brings = async {
        let waiting = "larder_admin_waiting{for=\"entries\"} 1";
        eventually("one waits", PATIENCE, async || {
            let shown = other.get("/metrics").await;
            String::from_utf8_lossy(&shown.body).contains(waiting)
        })
        .await;
        let fresh = put(&key, &end, frame(&key, &[], b"fresh"))
            .header("larder-fence", &fence)
            .header("larder-release", format!("{}.{fence}", key.digest()));
        one.ask(fresh).await.status
    };
    let (got, brought) = tokio::join!(other.get(&wait), brings);
    assert_eq!((got.status, brought), (200, 204));
    assert!(got.body == frame(&key, &[], b"fresh"));
    let fresh = other.get(&place(&key, "?lease_ms=60000")).await;
    assert_eq!((fresh.status, field(&fresh, "larder-lease")), (200, None));
}
