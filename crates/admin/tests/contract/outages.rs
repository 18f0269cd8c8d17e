//! A Valkey that is killed, stands still, comes back, or comes back empty.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder_admin::store::{
    Bounds, Lease, Loss, Reading, Record, Replaced, Store, StoreError, Watch,
};
use larder_core::fleet::InstanceId;
use larder_harness::valkey::Valkey;
use larder_harness::wait::{PATIENCE, eventually, poll};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::stage::{append, at, beginning, digest, entry, open, records, said, word};

/// While nobody answers it takes no longer to say so, and nobody looks more often by himself for what others tell him.
const FAST: Duration = Duration::from_secs(1);
/// What a machine that has other things to do may add to that now and then.
const SLACK: Duration = Duration::from_secs(4);
const MINUTE: Duration = Duration::from_secs(60);

/// Most of these took less than that.
#[track_caller]
fn assert_mostly(mut took: Vec<Duration>, bound: Duration) {
    took.sort();
    assert!(took[took.len() / 2] < bound, "{took:?}");
}

/// Every kind of call fails, and soon.
async fn everything_fails(store: &Store) {
    let mut took = Vec::new();
    let mut note = |call: &str, begun: Instant, error: Option<StoreError>| {
        assert!(
            matches!(error, Some(StoreError::Unreachable(_))),
            "{call}: {error:?}"
        );
        let elapsed = begun.elapsed();
        assert!(elapsed < FAST + SLACK, "{call}: {elapsed:?} {error:?}");
        took.push(elapsed);
    };
    macro_rules! fails {
        ($($call:expr),+) => {
            $(
                let begun = Instant::now();
                let outcome = $call.await;
                note(stringify!($call), begun, outcome.err());
            )+
        };
    }
    let (one, new) = (InstanceId(1), entry(at(1), 0, "a"));
    fails!(
        store.ping(),
        store.append(&[word(1, 1)]),
        store.read(at(1), 1),
        store.read_oldest(1),
        store.record(at(1)),
        store.extent(),
        store.last_said(1),
        store.entry(digest(1)),
        store.put_entry(digest(1), &new),
        store.remove_entry(digest(1)),
        store.lease(digest(1), MINUTE),
        store.release(digest(1), 1),
        store.report(one, None, "{}"),
        store.instances(),
        store.acknowledge(one, at(1)),
        store.acknowledged(at(1)),
        store.config(),
        store.put_config(0, "{}"),
        store.document("a"),
        store.put_document("a", "b", MINUTE),
        store.remove_document("a"),
        store.hottest(1)
    );
    let begun = Instant::now();
    let scanned = store.scan().next().await;
    note("scan", begun, scanned.err());
    assert_mostly(took, FAST);
}

async fn until_it_answers(store: &Store) -> Duration {
    let begun = Instant::now();
    eventually("the store answers again", PATIENCE, async || {
        store.ping().await.is_ok() && store.entry(digest(99)).await.is_ok()
    })
    .await;
    begun.elapsed()
}

async fn wakes(watch: &mut Watch) {
    let woken = timeout(PATIENCE, watch.changed()).await;
    woken.expect("woken");
}

/// What the other says is heard of sooner than anybody would look for it.
async fn hears(log: &mut Watch, other: &Store, seqs: RangeInclusive<u64>) {
    let mut took = Vec::new();
    for seq in seqs {
        let begun = Instant::now();
        append(other, &[word(1, seq)]).await;
        wakes(log).await;
        took.push(begun.elapsed());
    }
    assert_mostly(took, FAST / 2);
}

/// Until nothing has woken it for longer than it takes to look whether all is well.
async fn quiet(watch: &mut Watch) {
    while timeout(Duration::from_millis(1500), watch.changed())
        .await
        .is_ok()
    {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn down_for_two_seconds_and_back() {
    let mut valkey = Valkey::builder().persistent().start().await.unwrap();
    let store = open(&valkey.url()).await;
    let ids = said(&store, 3).await;
    let mut watch = store.watch();
    valkey.kill();
    let killed = Instant::now();
    wakes(&mut watch).await;
    while killed.elapsed() < Duration::from_secs(2) {
        everything_fails(&store).await;
    }
    let mut watch = store.watch();
    valkey.start_again().await.unwrap();
    let took = until_it_answers(&store).await;
    println!("back after {took:?}");
    wakes(&mut watch).await;
    // The log goes on where it was.
    let end = append(&store, &[word(1, 3), word(1, 4)]).await.end;
    assert_eq!(end.position, 4);
    let (found, cursor, _) = records(store.read(ids[0], 10).await);
    assert_eq!((found.len(), cursor), (3, end));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn back_empty_begins_another_log() {
    let mut valkey = Valkey::start().await.unwrap();
    let (one, other) = (open(&valkey.url()).await, open(&valkey.url()).await);
    let ids = said(&one, 3).await;
    let Lease::Granted(fence) = one.lease(digest(1), MINUTE).await.unwrap() else {
        panic!("nobody else is there");
    };
    let Replaced::Stored(version) = one.put_config(0, "{}").await.unwrap() else {
        panic!("nobody else is there");
    };
    one.put_entry(digest(1), &entry(ids[2], fence, "a"))
        .await
        .unwrap();
    valkey.kill();
    valkey.start_again().await.unwrap();
    until_it_answers(&one).await;
    until_it_answers(&other).await;
    for store in [&one, &other] {
        let end = store.extent().await.unwrap().end;
        assert_ne!(end.log, ids[2].log);
        for id in &ids {
            let (cursor, loss) = (end, Loss::OtherLog);
            let reset = Reading::Reset { cursor, loss };
            assert_eq!(store.read(*id, 10).await.unwrap(), reset);
        }
        assert_eq!(store.entry(digest(1)).await.unwrap(), None);
    }
    // Both of the same new one, and numbers go on growing in it.
    let ends = (one.extent().await.unwrap(), other.extent().await.unwrap());
    assert_eq!(ends.0, ends.1);
    let next = one.lease(digest(1), MINUTE).await.unwrap();
    assert!(matches!(next, Lease::Granted(next) if next > fence));
    let next = one.put_config(0, "{}").await.unwrap();
    assert!(matches!(next, Replaced::Stored(next) if next > version));
    // What was said before can be said again here, or it would be lost.
    let again = append(&one, &[word(1, 1)]).await;
    assert_eq!(again.end.position, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stands_still_is_not_waited_for() {
    let mut valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    said(&store, 1).await;
    valkey.pause().await.unwrap();
    // These may have reached it, or not: nobody can say.
    for _ in 0..3 {
        let begun = Instant::now();
        let outcome = store.append(&[word(1, 2)]).await;
        assert!(matches!(outcome, Err(StoreError::Unreachable(_))));
        assert!(begun.elapsed() < FAST + SLACK);
    }
    valkey.resume().await.unwrap();
    let took = until_it_answers(&store).await;
    println!("back after {took:?}");
    let end = append(&store, &[word(1, 2)]).await.end;
    assert_eq!(end.position, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_comes_later_is_found() {
    let mut valkey = Valkey::builder().prepare().unwrap();
    let begun = Instant::now();
    let store = open(&valkey.url()).await;
    assert!(begun.elapsed() < larder_admin::store::PATIENCE + SLACK);
    everything_fails(&store).await;
    valkey.start_again().await.unwrap();
    until_it_answers(&store).await;
    said(&store, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_wake_each_other() {
    let valkey = Valkey::start().await.unwrap();
    let (one, other) = (open(&valkey.url()).await, open(&valkey.url()).await);
    quiet(&mut one.watch()).await;
    let (mut log, mut key) = (one.watch(), one.watch_digest(digest(1)));
    let mut elsewhere = one.watch_digest(digest(2));
    hears(&mut log, &other, 1..=20).await;
    let mut took = Vec::new();
    for seq in 1..=20 {
        let begun = Instant::now();
        let entry = entry(at(seq), 0, "a");
        other.put_entry(digest(1), &entry).await.unwrap();
        wakes(&mut key).await;
        took.push(begun.elapsed());
    }
    assert_mostly(took, FAST / 2);
    let idle = timeout(Duration::from_millis(100), elsewhere.changed()).await;
    assert!(idle.is_err(), "woken for what another key was about");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_still_do_after_an_outage() {
    let mut valkey = Valkey::start().await.unwrap();
    let (one, other) = (open(&valkey.url()).await, open(&valkey.url()).await);
    valkey.kill();
    valkey.start_again().await.unwrap();
    until_it_answers(&one).await;
    until_it_answers(&other).await;
    // The listening connection comes back by itself, at its own time; until then the log is found to have grown all the same.
    let mut log = one.watch();
    let start = beginning(&one).await;
    append(&other, &[word(1, 1)]).await;
    poll(PATIENCE, async || {
        wakes(&mut log).await;
        let (found, ..) = records(one.read(start, 10).await);
        (found.len() == 1).then_some(())
    })
    .await
    .expect("woken");
    quiet(&mut log).await;
    hears(&mut log, &other, 2..=8).await;
}

/// Four instances say 2,500 words each over three replicas, and repeat what they have not heard of; in the middle Valkey
/// is killed and started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_records_and_a_restart() {
    const EACH: u64 = 2500;
    let bounds = Bounds {
        log_records: 20_000,
        ..Bounds::USUAL
    };
    let mut valkey = Valkey::builder().persistent().start().await.unwrap();
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let store = Store::open(&valkey.url(), "tests", bounds).await;
        replicas.push(store.unwrap());
    }
    let mut tasks = Vec::new();
    for by in 1..=4_u64 {
        let replicas = replicas.clone();
        tasks.push(tokio::spawn(async move {
            let (mut acknowledged, mut failures) = (0, 0);
            for turn in 0_usize.. {
                let next = (acknowledged + 1)..=(acknowledged + 25).min(EACH);
                let words: Vec<_> = next.map(|seq| word(by, seq)).collect();
                if words.is_empty() {
                    return failures;
                }
                match replicas[turn % 3].append(&words).await {
                    Ok(appended) => {
                        assert!(appended.ids.iter().all(Option::is_some));
                        acknowledged += words.len() as u64;
                    }
                    Err(_) => {
                        failures += 1;
                        tokio::task::yield_now().await;
                        let _ = timeout(FAST, replicas[turn % 3].watch().changed()).await;
                    }
                }
            }
            failures
        }));
    }
    eventually("half of it is there", PATIENCE, async || {
        let extent = replicas[0].extent().await.unwrap();
        extent.end.position >= 5000
    })
    .await;
    valkey.kill();
    valkey.start_again().await.unwrap();
    let mut failures = 0;
    for task in tasks {
        failures += timeout(MINUTE, task).await.expect("in time").unwrap();
    }
    println!("{failures} appends had to be said again");
    let mut found: Vec<Record> = Vec::new();
    let (first, mut cursor, mut more) = records(replicas[1].read_oldest(1000).await);
    found.extend(first);
    while more {
        let (next, at, left) = records(replicas[1].read(cursor, 1000).await);
        (cursor, more) = (at, left);
        found.extend(next);
    }
    let mut seqs: BTreeMap<InstanceId, Vec<u64>> = BTreeMap::new();
    for (index, record) in found.iter().enumerate() {
        assert_eq!(record.at.position, index as u64 + 1);
        seqs.entry(record.said.by)
            .or_default()
            .push(record.said.seq);
    }
    assert_eq!(seqs.len(), 4);
    for (by, seqs) in seqs {
        let strayed = (1..=EACH)
            .zip(&seqs)
            .find(|(expected, seq)| expected != *seq);
        assert_eq!((strayed, seqs.len() as u64), (None, EACH), "{by}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_of_leads_grow_over_a_restart_and_among_many() {
    let mut valkey = Valkey::start().await.unwrap();
    let store = open(&valkey.url()).await;
    let mut last = 0;
    for _ in 0..3 {
        let mut tasks = Vec::new();
        for _ in 0..20 {
            let store = store.clone();
            tasks.push(tokio::spawn(async move {
                store.lease(digest(1), MINUTE).await.unwrap()
            }));
        }
        let mut granted = Vec::new();
        for task in tasks {
            if let Lease::Granted(fence) = task.await.unwrap() {
                granted.push(fence);
            }
        }
        assert_eq!(granted.len(), 1, "one leads: {granted:?}");
        assert!(granted[0] > last);
        last = granted[0];
        valkey.kill();
        valkey.start_again().await.unwrap();
        until_it_answers(&store).await;
    }
}

/// Between a replica and Valkey; from `deafen` on nothing reaches a connection that listens, and nobody is told.
struct Between {
    address: SocketAddr,
    deaf: Arc<AtomicBool>,
}

impl Between {
    async fn of(valkey: &Valkey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, server) = (listener.local_addr().unwrap(), valkey.address());
        let deaf = Arc::new(AtomicBool::new(false));
        let switch = Arc::clone(&deaf);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                tokio::spawn(pass(client, server, Arc::clone(&switch)));
            }
        });
        Self { address, deaf }
    }
}

async fn pass(client: TcpStream, server: TcpStream, deaf: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let listens = Arc::new(AtomicBool::new(false));
    let listening = Arc::clone(&listens);
    let up = tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from_client.read(&mut bytes).await {
            if bytes[..count].windows(9).any(|word| word == b"SUBSCRIBE") {
                listening.store(true, Ordering::SeqCst);
            }
            to_server.write_all(&bytes[..count]).await.unwrap();
        }
    });
    let mut bytes = [0; 4096];
    // A connection that came after it is heard again.
    let born_deaf = deaf.load(Ordering::SeqCst);
    while let Ok(count @ 1..) = from_server.read(&mut bytes).await {
        let drop = listens.load(Ordering::SeqCst) && deaf.load(Ordering::SeqCst) && !born_deaf;
        if !drop && to_client.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    up.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_become_deaf_notices() {
    let valkey = Valkey::start().await.unwrap();
    let between = Between::of(&valkey).await;
    let one = open(&format!("redis://{}", between.address)).await;
    let other = open(&valkey.url()).await;
    let mut log = one.watch();
    quiet(&mut log).await;
    between.deaf.store(true, Ordering::SeqCst);
    append(&other, &[word(1, 1)]).await;
    let begun = Instant::now();
    wakes(&mut log).await;
    println!("noticed after {:?}", begun.elapsed());
    quiet(&mut log).await;
    hears(&mut log, &other, 2..=8).await;
}
