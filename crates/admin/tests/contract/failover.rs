//! A Sentinel that makes a replica the primary, with everything or without the end.

use std::time::Duration;

use larder_admin::store::{Loss, Reading, Store};
use larder_harness::valkey::{Reply, Valkey};
use larder_harness::wait::eventually;

use crate::stage::{append, open, records, said, word};

/// A Sentinel takes its time.
const FAILOVER: Duration = Duration::from_secs(60);

/// A primary, its replica, and the Sentinel that watches both.
async fn three() -> (Valkey, Valkey, Valkey) {
    let primary = Valkey::start().await.unwrap();
    let replica = Valkey::builder().replica_of(&primary).start().await;
    let replica = replica.unwrap();
    let sentinel = Valkey::builder().sentinel_of(&primary, "larder");
    let sentinel = sentinel.start().await.unwrap();
    eventually("the Sentinel knows both", FAILOVER, async || {
        let command = ["SENTINEL", "REPLICAS", "larder"];
        let known = sentinel.command(&command).await.unwrap();
        matches!(known, Reply::List(known) if known.len() == 1)
    })
    .await;
    (primary, replica, sentinel)
}

/// So many are known by the replica to have been written.
async fn replicated(primary: &Valkey) {
    eventually("the replica has everything", FAILOVER, async || {
        let offset = async |name: &str| {
            let reply = primary.command(&["INFO", "replication"]).await.unwrap();
            let text = reply.text().unwrap().to_owned();
            let after = text.split_once(name).map(|(_, after)| after.to_owned());
            after.map(|after| {
                after
                    .chars()
                    .take_while(char::is_ascii_digit)
                    .collect::<String>()
            })
        };
        let (there, here) = (
            offset(",offset=").await,
            offset("master_repl_offset:").await,
        );
        there.is_some() && there == here
    })
    .await;
}

async fn until_it_can_be_written(store: &Store) {
    eventually("there is a primary again", FAILOVER, async || {
        store.ping().await.is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_takes_over_and_the_log_goes_on() {
    let (mut primary, _replica, sentinel) = three().await;
    let store = open(&sentinel.url()).await;
    let ids = said(&store, 5).await;
    replicated(&primary).await;
    primary.kill();
    until_it_can_be_written(&store).await;
    let end = append(&store, &[word(1, 5), word(1, 6)]).await.end;
    assert_eq!((end.log, end.position), (ids[4].log, 6));
    let (found, cursor, _) = records(store.read(ids[3], 10).await);
    assert_eq!((found.len(), cursor), (2, end));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_has_lost_is_found_out() {
    let (mut primary, mut replica, sentinel) = three().await;
    let store = open(&sentinel.url()).await;
    let ids = said(&store, 5).await;
    replicated(&primary).await;
    // The replica hears no more, and what comes now is acknowledged all the same.
    replica.pause().await.unwrap();
    let cut = primary
        .command(&["CLIENT", "KILL", "TYPE", "replica"])
        .await;
    assert_eq!(cut.unwrap(), Reply::Number(1));
    let lost = append(&store, &[word(1, 6), word(1, 7)]).await.ids;
    primary.kill();
    replica.resume().await.unwrap();
    until_it_can_be_written(&store).await;

    // Who has followed that far is told, however far the new log has got.
    let end = store.extent().await.unwrap().end;
    assert_eq!(end, ids[4]);
    for turn in 0..3 {
        for cursor in lost.iter().flatten() {
            let reading = store.read(*cursor, 10).await.unwrap();
            assert!(
                matches!(
                    reading,
                    Reading::Reset {
                        loss: Loss::Rewritten,
                        ..
                    }
                ),
                "{turn}: {reading:?}"
            );
            assert_eq!(store.record(*cursor).await.unwrap(), None);
        }
        append(&store, &[word(2, turn + 1)]).await;
    }
    // And who speaks again of what was lost is heard.
    let again = append(&store, &[word(1, 6)]).await;
    assert_eq!(again.end.position, 9);
    let (found, ..) = records(store.read(ids[4], 10).await);
    assert_eq!(found.len(), 4);
}
