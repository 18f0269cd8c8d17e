//! What is nobody else's is waited for once, by its head, and then by nobody.

use std::sync::atomic::{AtomicUsize, Ordering};

use larder_harness::client::Protocol;
use larder_harness::origin::{Gate, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};

use super::{LONG, assert_all, assert_calm, crowd, fetches, first_then, get, in_hand, seen, stage};
use crate::stage::Stage;

const CLIENTS: usize = 60;

/// All that those who wait are held up for is the head of the first answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_turns_out_private_delays_others_by_no_more_than_its_head() {
    let stage = stage(2, LONG).await;
    for (path, fields) in [
        ("/private", &[("cache-control", "private, max-age=60")][..]),
        ("/never", &[("cache-control", "no-store")]),
        (
            "/cookie",
            &[("cache-control", "max-age=60"), ("set-cookie", "a=b")],
        ),
        ("/star", &[("cache-control", "max-age=60"), ("vary", "*")]),
        ("/silent", &[]),
    ] {
        let (head, body) = (Gate::closed(), Gate::closed());
        let with = |reply: Reply| {
            let add = |reply: Reply, (name, value): &(&str, &str)| reply.header(name, value);
            fields.iter().fold(reply, add)
        };
        let steps = [
            Step::Chunk("mi".into()),
            Step::Wait(body.clone()),
            Step::Chunk("ne".into()),
        ];
        let first = with(Reply::steps(steps)).behind(&head);
        let play = first_then(first, with(Reply::ok("mine")));
        stage.origin.on_call(path, play);
        let leader = crowd(&stage, Protocol::Http1, 1).await.begin(|_| get(path));
        seen(&stage, path, 1).await;
        let asking = crowd(&stage, Protocol::Http1, CLIENTS).await;
        let asking = asking.begin(|_| get(path));
        in_hand(&stage, CLIENTS + 1).await;
        assert_eq!(stage.origin.count(path), 1);
        head.open();
        // The first answer's body is still to come.
        let (others, told) = asking.told().await;
        assert_all(&told, "mine");
        assert_eq!(fetches(&told), CLIENTS, "{path}");
        assert_eq!(stage.origin.count(path), CLIENTS + 1);
        // Nobody waits for the second of its kind.
        let (_, told) = others.ask(|_| get(path)).await;
        assert_eq!(fetches(&told), CLIENTS, "{path}");
        body.open();
        let (_, told) = leader.told().await;
        assert_all(&told, "mine");
    }
    let others = crowd(&stage, Protocol::Http1, CLIENTS).await;
    assert_calm(&stage, others, "/next").await;
}

const MANY: usize = 1_000;

/// Everybody is at the origin at once but the one that asked first.
async fn at_once(stage: &Stage, path: &str, requests: usize) {
    eventually("all are in the origin's hand", PATIENCE, async || {
        stage.origin.in_hand(path) == requests
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_for_what_is_not_stored_stand_in_no_line() {
    for workers in [1, 2] {
        let stage = stage(workers, LONG).await;
        let path = "/account";
        let rounds = [Gate::closed(), Gate::closed()];
        let gates = rounds.clone();
        let asked = AtomicUsize::new(0);
        stage.origin.on_call(path, move |_| {
            let reply = Reply::ok("yours").header("cache-control", "no-store");
            match asked.fetch_add(1, Ordering::Relaxed) {
                0 => reply, // of this one the others learn
                number if number < MANY => reply.behind(&gates[0]),
                _ => reply.behind(&gates[1]),
            }
        });
        let clients = crowd(&stage, Protocol::Http1, MANY).await;
        let asking = clients.begin(|_| get(path));
        at_once(&stage, path, MANY - 1).await;
        rounds[0].open();
        let (clients, told) = asking.told().await;
        assert_eq!((told.len(), fetches(&told)), (MANY, MANY));
        // Now it is known, and the very first does not wait for anybody.
        let asking = clients.begin(|_| get(path));
        at_once(&stage, path, MANY).await;
        rounds[1].open();
        let (clients, told) = asking.told().await;
        assert_eq!(fetches(&told), MANY);
        assert_eq!(stage.origin.count(path), 2 * MANY);
        assert_calm(&stage, clients, "/next").await;
    }
}
