//! One user's data, gone from the whole fleet.

use larder_core::entry::{Variants, encode_variants};
use larder_core::epoch::Scope;
use larder_core::key::Key;
use larder_core::time::Timestamp;
use larder_core::wire::Frame;
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::{Value, json as value};

use crate::stage::{call, frame, get, json, key, pair, place, put, report};

const A: &str = "00000000000000aa";

/// The same key, of this user.
fn of_user(key: &Key, user: &[u8]) -> Key {
    let mut canonical = key.canonical().to_vec();
    let elements: [&[u8]; 2] = [b"h", user];
    let list: Vec<u8> = elements
        .iter()
        .flat_map(|element| [&(element.len() as u32).to_le_bytes()[..], element].concat())
        .collect();
    canonical.push(9);
    canonical.extend_from_slice(&(list.len() as u32).to_le_bytes());
    canonical.extend_from_slice(&list);
    let key = Key::from_canonical(canonical);
    assert_eq!(key.identity(), Some(user));
    key
}

#[tokio::test]
async fn a_users_data_are_gone_when_the_receipt_says_so() {
    let (store, one, other) = pair().await;
    let end = one.end().await;
    report(&one, A, value!({"applied": end, "erased": end})).await;
    let (mine, others) = (key("/mine"), key("/others"));
    one.ask(put(&mine, &end, frame(&mine, &["user:42"], b"private")))
        .await;
    one.ask(put(&others, &end, frame(&others, &["user:421"], b"others")))
        .await;
    // It has no tags, but it is under his key.
    let owned = of_user(&key("/variants"), b"42");
    let list = Variants::default().with_fields(["accept"]).unwrap();
    let (at, until) = (Timestamp::from_secs(1), Timestamp::from_secs(9));
    let list = Frame::encode(at, &owned, (at, until), &encode_variants(&list)).unwrap();
    assert_eq!(one.ask(put(&owned, &end, list)).await.status, 204);
    let answer = call(&one, "DELETE", "/api/cache/users/42", &Value::Null).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let said = json(&answer);
    let id = said["id"].as_str().unwrap().to_owned();
    let receipt = format!(
        "/api/cache/users/receipts/{}",
        said["receipt"].as_str().unwrap()
    );
    let log = json(&other.get(&format!("/v1/invalidations?after={end}")).await);
    assert_eq!(
        log["records"][0]["stamps"],
        value!([format!("{:016x}", Scope::Tag(b"user:42").stamp().0)])
    );
    assert_eq!(log["records"][0]["value"], "user:*");

    eventually("the store was gone through", PATIENCE, async || {
        get(&other, &receipt).await["store"] == "done"
    })
    .await;
    for key in [&mine, &owned] {
        assert!(store.entry(key.digest()).await.unwrap().is_none());
    }
    let pending = get(&other, &receipt).await;
    assert_eq!(
        (&pending["status"], &pending["entries"]),
        (&value!("pending"), &value!(2))
    );
    assert_eq!(
        pending["missing"],
        value!([{"instance": A, "node": format!("node-{A}"), "silent": false}])
    );
    report(&other, A, value!({"applied": id, "erased": id})).await;
    let done = get(&one, &receipt).await;
    assert_eq!(
        (&done["status"], &done["missing"]),
        (&value!("done"), &value!([]))
    );
    assert_eq!(one.get(&place(&mine, "")).await.status, 404);
    assert_eq!(one.get(&place(&others, "")).await.status, 200);
}

#[tokio::test]
async fn what_an_instance_was_told_about_a_user_has_a_receipt_too() {
    let (store, one, other) = pair().await;
    let end = one.end().await;
    let mine = key("/mine");
    one.ask(put(&mine, &end, frame(&mine, &["user:42"], b"private")))
        .await;
    let stamp = format!("{:016x}", Scope::Tag(b"user:42").stamp().0);
    let record = value!({"seq": 1, "stamps": [stamp], "kind": "tag", "value": "user:*"});
    let said = value!({"wire": 1, "instance": A, "records": [record]});
    let posted = json(&one.post("/v1/invalidations", &said).await);
    let id = posted["ids"][0].as_str().unwrap();
    let receipt = format!("/api/cache/users/receipts/{id}");
    eventually("the store was gone through", PATIENCE, async || {
        get(&other, &receipt).await["store"] == "done"
    })
    .await;
    assert!(store.entry(mine.digest()).await.unwrap().is_none());
    // Nobody was heard of, so nobody can say that it is gone everywhere.
    assert_eq!(get(&one, &receipt).await["status"], "pending");
}
