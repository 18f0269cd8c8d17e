//! Eight workers that store in the same few sets at once: nothing is torn, nothing is lost, and the bytes add up.
//!
//! Every body says which URL it is and which fetch it came from, in bytes that no other fetch has, so an answer that
//! is another's, or put together from two, is seen. The workers' own memory is turned off where the play is about what
//! they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_harness::client::{Answer, Client, Protocol, Request};
use larder_harness::origin::{Received, Reply};
use larder_harness::wait::{PATIENCE, eventually};

use crate::chaos::Dice;
use crate::stage::{EVICTED, MAIN, Stage, x_cache};

const WORKERS: usize = 8;

/// So many fetches there were.
type Fetches = Arc<AtomicU64>;

/// What the URL was when it was fetched: 1,000 to 9,999 bytes that nothing else has, and that do not compress.
fn content(path: &str, fetch: u64) -> Vec<u8> {
    let mut bytes = format!("{path} {fetch:010}\n").into_bytes();
    let seed = bytes.iter().fold(0, |seed: u64, byte| {
        seed.wrapping_mul(0x100_0000_01b3) ^ u64::from(*byte)
    });
    let mut dice = Dice::new(seed);
    let length = 1_000 + dice.below(9_000);
    while bytes.len() < length {
        bytes.extend(dice.roll().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn answer(request: &Received, fetches: &AtomicU64) -> Reply {
    let fetch = fetches.fetch_add(1, Ordering::Relaxed);
    Reply::ok(content(&request.path, fetch))
        .header("content-type", "image/png")
        .header("x-fetch", format!("{fetch:010}"))
}

/// Asserts that an answer is one that the origin gave for this URL, whole.
#[track_caller]
fn assert_whole(answer: &Answer, path: &str) {
    let fetch = answer
        .header("x-fetch")
        .and_then(|fetch| fetch.parse().ok());
    let fetch = fetch.unwrap_or_else(|| panic!("not the origin's: {answer:?}"));
    let expected = content(path, fetch);
    assert!(
        answer.status == 200 && answer.body == expected,
        "{path}, fetch {fetch}: {} bytes in place of {}, {answer:?}",
        answer.body.len(),
        expected.len()
    );
}

/// The bytes in which these answers differ: the body, and the number that the origin gives to each.
fn size(answer: &Answer) -> u64 {
    let stamp = answer.header("x-origin-stamp").unwrap();
    (answer.body.len() + stamp.len()) as u64
}

/// A stage with eight workers, and a connection to each of them.
async fn crowd(storage: &str) -> (Stage, Vec<Client>, Fetches) {
    let configuration = format!(
        r#"{{"rules": [{{"name": "all", "match": {{"path": "/.*"}}, "ttl_seconds": 600, "request_cache_control": "honor"}}],
            "limits": {{"max_object_bytes": 20000}}, "storage": {{{storage}}}}}"#
    );
    let stage = Stage::with_workers(WORKERS, &configuration).await;
    let fetches = Fetches::default();
    let counted = Arc::clone(&fetches);
    stage
        .origin
        .on_call("/*", move |request| answer(request, &counted));
    let mut clients = Vec::new();
    for worker in 0..WORKERS {
        let client = stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
        clients.push(client.await.unwrap());
    }
    (stage, clients, fetches)
}

fn get(path: &str) -> Request {
    Request::get(path).authority("api.example.com")
}

fn path(number: usize) -> String {
    format!("/crowd/{number:04}")
}

/// Everybody asks for any of these URLs, one request in four for the origin's present answer.
async fn everybody_asks(clients: Vec<Client>, requests: usize, urls: usize) -> Vec<Client> {
    let mut asking = Vec::new();
    for (number, mut client) in clients.into_iter().enumerate() {
        asking.push(tokio::spawn(async move {
            let mut dice = Dice::new(number as u64);
            for _ in 0..requests {
                let path = path(dice.below(urls));
                let mut request = get(&path);
                if dice.one_in(4) {
                    request = request.header("cache-control", "no-cache");
                }
                assert_whole(&client.send(request).await.unwrap(), &path);
            }
            client
        }));
    }
    let mut clients = Vec::new();
    for client in asking {
        clients.push(client.await.unwrap());
    }
    clients
}

/// What is stored of these URLs, as the client's worker sees it.
async fn stored(client: &mut Client, urls: usize) -> Vec<Answer> {
    let mut there = Vec::new();
    for number in 0..urls {
        let path = path(number);
        let only_cached = get(&path).header("cache-control", "only-if-cached");
        let answer = client.send(only_cached).await.unwrap();
        if x_cache(&answer) == "HIT" {
            assert_whole(&answer, &path);
            there.push(answer);
        }
    }
    there
}

async fn bytes(stage: &Stage) -> u64 {
    stage.counter("larder_bytes.vm_id.larder").await
}

async fn entries(stage: &Stage) -> u64 {
    stage.counter("larder_entries.vm_id.larder").await
}

const NEVER: [&str; 3] = [
    "larder_corrupt_entries_total",
    "larder_host_failures_total",
    "larder_tick_failures_total",
];

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_torn_and_the_bytes_add_up_in_few_sets() {
    let storage = r#""slots": 64, "max_bytes": 200000, "hot_bytes": 0"#;
    let (stage, mut clients, _) = crowd(storage).await;
    // What an entry takes beside its body is the same for all of these URLs; the first sweep makes the count exact.
    let first = clients[0].send(get(&path(0))).await.unwrap();
    eventually("the first entry is counted", PATIENCE, async || {
        entries(&stage).await == 1
    })
    .await;
    let beside = bytes(&stage).await - size(&first);
    let mut clients = everybody_asks(clients, 600, 120).await;
    let refused = stage
        .counter("larder_not_stored_total.reason.not-admitted")
        .await;
    assert!(stage.counter(EVICTED).await + refused > 100);
    let there = stored(&mut clients[3], 120).await;
    let held: u64 = there.iter().map(|answer| size(answer) + beside).sum();
    eventually("the bytes are those of the entries", PATIENCE, async || {
        bytes(&stage).await == held && entries(&stage).await == there.len() as u64
    })
    .await;
    // Eight workers may each be about to store something when they look.
    assert!(held <= 200_000 + 8 * (10_000 + beside), "{held}");
    assert!(held > 100_000, "{held}: the room is used");
    for name in NEVER {
        assert_eq!(stage.counter(name).await, 0, "{name}");
    }
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_that_eight_workers_store_at_once() {
    let storage = r#""slots": 4096, "hot_bytes": 0"#;
    let (stage, clients, fetches) = crowd(storage).await;
    let mut clients = everybody_asks(clients, 400, 200).await;
    assert!(fetches.load(Ordering::Relaxed) > 800);
    for client in &mut clients[..2] {
        assert_eq!(stored(client, 200).await.len(), 200);
    }
    assert_eq!(stage.counter(EVICTED).await, 0);
    for name in NEVER {
        assert_eq!(stage.counter(name).await, 0, "{name}");
    }
    stage.assert_unharmed().await;
}
