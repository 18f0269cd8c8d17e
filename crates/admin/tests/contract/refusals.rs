//! A store that will not, or that holds what nobody has written there: clear errors, and never a wrong answer.

use larder_admin::store::{Bounds, Loss, Reading, Store, StoreError};
use larder_harness::valkey::{Reply, Valkey};
use larder_harness::wait::{PATIENCE, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stage::{append, at, digest, entry, open, records, said, word};

const ENTRY: &str = "larder:tests:{01010101010101010101010101010101}:e";

/// What is said when a record is to be appended.
async fn complaint(store: &Store) -> String {
    store.append(&[word(1, 1)]).await.unwrap_err().to_string()
}

async fn told(valkey: &Valkey, command: &str) -> Reply {
    let words: Vec<&str> = command.split(' ').collect();
    let reply = valkey.command(&words).await.unwrap();
    assert!(!matches!(reply, Reply::Error(_)), "{reply:?}");
    reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_password_or_a_wrong_one_is_told() {
    let valkey = Valkey::builder().password("right").start().await.unwrap();
    let address = valkey.address();
    for url in [
        format!("redis://{address}"),
        format!("redis://:wrong@{address}"),
        format!("redis://nobody:right@{address}"),
    ] {
        let store = open(&url).await;
        let mut said = String::new();
        eventually("it says what is wrong", PATIENCE, async || {
            said = complaint(&store).await;
            said.contains("NOAUTH") || said.contains("WRONGPASS")
        })
        .await;
        assert!(!said.contains("right"), "{said}");
    }
    let store = open(&valkey.url()).await;
    append(&store, &[word(1, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_nothing_and_says_so() {
    let primary = Valkey::start().await.unwrap();
    let replica = Valkey::builder().replica_of(&primary).start().await;
    let replica = replica.unwrap();
    let store = open(&replica.url()).await;
    let said = complaint(&store).await;
    assert!(said.contains("READONLY"), "{said}");
    assert!(store.ping().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_full_says_so_and_takes_again_when_there_is_room() {
    let valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    append(&store, &[word(2, 1)]).await;
    told(&valkey, "CONFIG SET maxmemory 1").await;
    let said = complaint(&store).await;
    assert!(said.contains("OOM"), "{said}");
    let put = store.put_entry(digest(1), &entry(at(1), 0, "a")).await;
    assert!(matches!(put, Err(StoreError::Refused(_))), "{put:?}");
    told(&valkey, "CONFIG SET maxmemory 0").await;
    append(&store, &[word(1, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_somebody_else_are_an_error() {
    let valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    told(&valkey, "SET {larder:tests}:log mine").await;
    let said = complaint(&store).await;
    assert!(said.contains("WRONGTYPE"), "{said}");
    told(&valkey, "DEL {larder:tests}:log").await;
    append(&store, &[word(1, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_redis_is_not_taken_for_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 1024];
            let _ = stream.read(&mut bytes).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let store = open(&url).await;
    assert!(store.ping().await.is_err());
    assert!(store.append(&[word(1, 1)]).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_were_forgotten_are_said_again() {
    let valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    append(&store, &[word(1, 1)]).await;
    told(&valkey, "SCRIPT FLUSH").await;
    let end = append(&store, &[word(1, 2)]).await.end;
    assert_eq!(end.position, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_deleted_is_another_one() {
    let valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    let ids = said(&store, 5).await;
    told(&valkey, "DEL {larder:tests}:log").await;
    let reading = store.read(ids[1], 10).await.unwrap();
    let loss = Loss::OtherLog;
    assert!(matches!(reading, Reading::Reset { loss: found, .. } if found == loss));
    assert_eq!(append(&store, &[word(1, 1)]).await.end.position, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_were_evicted_are_missed() {
    let valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    let ids = said(&store, 5).await;
    told(&valkey, "DEL {larder:tests}:stream").await;
    let reading = store.read(ids[1], 10).await.unwrap();
    let (cursor, loss) = (ids[4], Loss::Trimmed);
    assert_eq!(reading, Reading::Reset { cursor, loss });
    // Nothing came behind its end, so who was there has missed nothing.
    let next = append(&store, &[word(1, 6)]).await.end;
    assert_eq!(next.position, 6);
    let reading = store.read(ids[4], 10).await.unwrap();
    let reset = matches!(
        reading,
        Reading::Reset {
            loss: Loss::Trimmed,
            ..
        }
    );
    assert!(reset, "{reading:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_frames_are_small_in_there() {
    let valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    let frame = "a quick brown fox ".repeat(10_000);
    let large = entry(at(1), 0, &frame);
    store.put_entry(digest(1), &large).await.unwrap();
    let length = told(&valkey, &format!("HSTRLEN {ENTRY} d")).await;
    assert!(matches!(length, Reply::Number(length) if length < 18_000));
    let found = store.entry(digest(1)).await.unwrap().unwrap();
    assert_eq!(found.frame, frame);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_makes_no_sense_is_an_error() {
    let valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    let frame = "a quick brown fox ".repeat(1000);
    for spoilt in [
        "z 9",
        "z 0",
        "n 5",
        "n -1",
        "n x",
        "d x",
        "l g",
        "p x",
        "c 123456789",
        "f x",
    ] {
        let large = entry(at(1), 0, &frame);
        store.remove_entry(digest(1)).await.unwrap();
        store.put_entry(digest(1), &large).await.unwrap();
        told(&valkey, &format!("HSET {ENTRY} {spoilt}")).await;
        let found = store.entry(digest(1)).await;
        let corrupt = matches!(found, Err(StoreError::Corrupt(_)));
        assert!(corrupt, "{spoilt}: {found:?}");
    }
    told(&valkey, &format!("HDEL {ENTRY} d")).await;
    assert!(store.entry(digest(1)).await.is_err());
    // A walk, for which one bad entry must not be the end, goes over it.
    store.remove_entry(digest(1)).await.unwrap();
    let good = entry(at(1), 0, "good");
    store.put_entry(digest(2), &good).await.unwrap();
    store.put_entry(digest(1), &good).await.unwrap();
    told(&valkey, &format!("HSET {ENTRY} z 9")).await;
    let mut scan = store.scan();
    let mut found = Vec::new();
    while let Some(piece) = scan.next().await.unwrap() {
        found.extend(piece.into_iter().map(|(digest, _)| digest));
    }
    assert_eq!(found, [digest(2)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleets_do_not_see_each_other() {
    let valkey = Valkey::start().await.unwrap();
    let one = open(&valkey.url()).await;
    let other = Store::open(&valkey.url(), "tests2", Bounds::USUAL).await;
    let other = other.unwrap();
    said(&one, 3).await;
    let good = entry(at(1), 0, "good");
    one.put_entry(digest(1), &good).await.unwrap();
    assert_eq!(records(other.read_oldest(10).await).0, []);
    assert_eq!(other.entry(digest(1)).await.unwrap(), None);
    let mut scan = other.scan();
    while let Some(piece) = scan.next().await.unwrap() {
        assert_eq!(piece, []);
    }
}

#[tokio::test]
async fn a_name_that_is_none_is_refused() {
    let long = "x".repeat(65);
    for name in ["", "a b", "a{b}", "a*", &long] {
        assert!(Store::open("memory", name, Bounds::USUAL).await.is_err());
        assert!(Store::check("redis://h", name).is_err());
    }
    assert!(Store::check("redis://h", "shop-1.eu_west").is_ok());
    assert!(Store::check("redis//h", "shop").is_err());
}
