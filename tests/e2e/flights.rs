//! Requests that wait for another one's response: what becomes of them when something else happens meanwhile.

use larder_harness::client::{self, Client, Protocol, Request};
use larder_harness::envoy::{Cluster, Envoy, Listener, Update};
use larder_harness::origin::{Gate, Origin, Received, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::stage::{MAIN, Stage, assert_seen, filter, larder, pattern, x_cache};

/// Caches everything, and nobody's patience is at an end before the play is over.
const LONG: &str = r#"{"coalesce": {"wait_seconds": 60},
    "rules": [{"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 60}]}"#;
const COLLAPSED: &str = "larder; fwd=uri-miss; collapsed";

fn ask(path: &str) -> Request {
    Request::get(path).authority("api.example.com")
}

/// So many requests have come to wait.
async fn wait_for_waiting(envoy: &Envoy, count: u64) {
    let waited = "wasmcustom.larder_coalesced_total";
    eventually(&format!("{count} wait"), PATIENCE, async || {
        envoy.stat(waited).await.unwrap() == count
    })
    .await;
}

/// The origin has so many requests in its hands.
async fn wait_for_origin(origin: &Origin, path: &str, count: usize) {
    eventually(&format!("{count} at the origin"), PATIENCE, async || {
        origin.count(path) == count
    })
    .await;
}

/// A request on a connection of its own to this worker.
async fn send(envoy: &Envoy, worker: usize, request: Request) -> JoinHandle<client::Answer> {
    let client = envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
    let mut client = client.await.unwrap();
    tokio::spawn(async move { client.send(request).await.unwrap() })
}

/// A request that waits at the origin, and others behind it on both workers in turn.
async fn herd(stage: &Stage, path: &str, followers: u64) -> Vec<JoinHandle<client::Answer>> {
    let mut asked = vec![send(&stage.envoy, 0, ask(path)).await];
    wait_for_origin(&stage.origin, path, 1).await;
    for n in 1..=followers {
        asked.push(send(&stage.envoy, (n % 2) as usize, ask(path)).await);
        wait_for_waiting(&stage.envoy, n).await;
    }
    asked
}

#[tokio::test]
async fn those_on_other_workers_are_answered_too() {
    let stage = Stage::with_workers(2, LONG).await;
    let gate = Gate::closed();
    stage.origin.on("/doc", Reply::ok("once").behind(&gate));
    let mut asked = herd(&stage, "/doc", 4).await.into_iter();
    gate.open();
    let first = asked.next().unwrap().await.unwrap();
    assert_seen(&first, "MISS", "larder; fwd=uri-miss; stored");
    for other in asked {
        let answer = other.await.unwrap();
        assert_seen(&answer, "HIT", COLLAPSED);
        assert_eq!(answer.text(), "once");
    }
    assert_eq!(stage.origin.count("/doc"), 1);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn who_leaves_while_it_waits_is_missed_by_nobody() {
    let stage = Stage::with_workers(2, LONG).await;
    let gate = Gate::closed();
    stage.origin.on("/doc", Reply::ok("once").behind(&gate));
    let mut asked = herd(&stage, "/doc", 40).await;
    for gone in asked.drain(1..=20) {
        gone.abort();
    }
    let active = "http.main.downstream_rq_active";
    eventually("they have left", PATIENCE, async || {
        stage.envoy.stat(active).await.unwrap() == 21
    })
    .await;
    gate.open();
    for other in asked {
        assert_eq!(other.await.unwrap().text(), "once");
    }
    assert_eq!(stage.origin.count("/doc"), 1);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn when_the_one_that_asks_leaves_another_one_asks() {
    let stage = Stage::with_workers(2, LONG).await;
    let gate = Gate::closed();
    stage.origin.on("/doc", Reply::ok("late").behind(&gate));
    let mut asked = herd(&stage, "/doc", 20).await;
    asked.remove(0).abort();
    wait_for_origin(&stage.origin, "/doc", 2).await;
    gate.open();
    let mut words = Vec::new();
    for other in asked {
        let answer = other.await.unwrap();
        assert_eq!(answer.text(), "late");
        words.push(x_cache(&answer).to_owned());
    }
    let misses = words.iter().filter(|word| *word == "MISS").count();
    assert_eq!((misses, stage.origin.count("/doc")), (1, 2));
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_turns_out_to_be_nobody_elses_lets_all_others_go() {
    let stage = Stage::with_workers(2, LONG).await;
    let gate = Gate::closed();
    let private = Reply::ok("mine").header("cache-control", "private");
    stage.origin.on("/doc", private.clone().behind(&gate));
    let asked = herd(&stage, "/doc", 20).await;
    gate.open();
    for other in asked {
        assert_seen(
            &other.await.unwrap(),
            "MISS",
            "larder; fwd=uri-miss; detail=private",
        );
    }
    assert_eq!(stage.origin.count("/doc"), 21);
    let gate = Gate::closed();
    stage.origin.on("/doc", private.behind(&gate));
    let mut asked = Vec::new();
    for n in 0..20 {
        asked.push(send(&stage.envoy, n % 2, ask("/doc")).await);
    }
    wait_for_origin(&stage.origin, "/doc", 41).await;
    wait_for_waiting(&stage.envoy, 20).await;
    gate.open();
    for other in asked {
        assert_eq!(other.await.unwrap().text(), "mine");
    }
}

const BY_CONTENT: &str = r#"{"coalesce": {"wait_seconds": 60},
    "rules": [{"name": "search", "match": {"path": "/search", "methods": ["POST"]}, "ttl_seconds": 60,
               "key": {"body": true}, "hold_headers": true}],
    "limits": {"max_key_bytes": 16384}
}"#;

#[tokio::test]
async fn a_question_that_waits_keeps_its_body() {
    let stage = Stage::with_workers(2, BY_CONTENT).await;
    let gate = Gate::closed();
    let held = gate.clone();
    stage.origin.on_call("/search", move |request: &Received| {
        Reply::ok(request.body.clone())
            .header("cache-control", "private")
            .behind(&held)
    });
    let question = pattern(12_000);
    let post = || {
        Request::new("POST", "/search")
            .authority("api.example.com")
            .body(question.clone())
    };
    let mut asked = vec![send(&stage.envoy, 0, post()).await];
    wait_for_origin(&stage.origin, "/search", 1).await;
    for n in 1..=6 {
        asked.push(send(&stage.envoy, (n % 2) as usize, post()).await);
        wait_for_waiting(&stage.envoy, n).await;
    }
    gate.open();
    for other in asked {
        assert!(other.await.unwrap().body == question);
    }
    let received = stage.origin.requests();
    assert_eq!(received.len(), 7);
    assert!(received.iter().all(|request| request.body == question));
    stage.assert_unharmed().await;
}

/// What is held last then are the trailers.
#[tokio::test]
async fn a_question_with_trailers_that_waits_is_answered_or_goes_on_whole() {
    for (directive, at_origin) in [("max-age=60", 1), ("private", 4)] {
        let stage = Stage::with_workers(2, BY_CONTENT).await;
        let gate = Gate::closed();
        let held = gate.clone();
        stage.origin.on_call("/search", move |request: &Received| {
            Reply::ok(request.body.clone())
                .header("cache-control", directive)
                .behind(&held)
        });
        let mut asked = Vec::new();
        for n in 0..4 {
            let trailers = Step::Trailers(vec![("x-sum".to_owned(), "1".to_owned())]);
            let question = Request::new("POST", "/search")
                .authority("api.example.com")
                .header("content-length", "8")
                .steps([Step::Chunk("question".into()), trailers]);
            let client = stage.envoy.connect_to_worker(MAIN, n % 2, Protocol::Http2);
            let mut client = client.await.unwrap();
            asked.push(tokio::spawn(
                async move { client.send(question).await.unwrap() },
            ));
            match n {
                0 => wait_for_origin(&stage.origin, "/search", 1).await,
                n => wait_for_waiting(&stage.envoy, n as u64).await,
            }
        }
        gate.open();
        for other in asked {
            assert_eq!(other.await.unwrap().text(), "question");
        }
        let received = stage.origin.requests();
        assert_eq!(received.len(), at_origin, "{directive}");
        assert!(received.iter().all(|request| request.body == "question"));
        stage.assert_unharmed().await;
    }
}

#[tokio::test]
async fn requests_behind_each_other_on_a_connection_keep_their_order() {
    let stage = Stage::with_workers(2, LONG).await;
    let gate = Gate::closed();
    stage.origin.on("/doc", Reply::ok("first").behind(&gate));
    stage.origin.on("/other", Reply::ok("second"));
    let leader = send(&stage.envoy, 0, ask("/doc")).await;
    wait_for_origin(&stage.origin, "/doc", 1).await;
    let mut connection = TcpStream::connect(stage.address()).await.unwrap();
    let requests = "GET /doc HTTP/1.1\r\nhost: api.example.com\r\n\r\n\
        GET /other HTTP/1.1\r\nhost: api.example.com\r\nconnection: close\r\n\r\n";
    connection.write_all(requests.as_bytes()).await.unwrap();
    wait_for_waiting(&stage.envoy, 1).await;
    gate.open();
    let mut answers = String::new();
    connection.read_to_string(&mut answers).await.unwrap();
    let (first, second) = (answers.find("first"), answers.find("second"));
    assert!(first.is_some() && first < second, "{answers}");
    assert_eq!(leader.await.unwrap().text(), "first");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_hundred_on_one_connection() {
    let stage = Stage::with_workers(2, LONG).await;
    let gate = Gate::closed();
    stage
        .origin
        .on("/doc", Reply::ok(pattern(100_000)).behind(&gate));
    let first = stage.envoy.connect_to_worker(MAIN, 1, Protocol::Http2);
    let first = first.await.unwrap();
    let mut asked = Vec::new();
    for _ in 0..100 {
        let mut client: Client = first.beside().unwrap();
        asked.push(tokio::spawn(async move {
            client.send(ask("/doc")).await.unwrap()
        }));
    }
    wait_for_waiting(&stage.envoy, 99).await;
    gate.open();
    for other in asked {
        assert!(other.await.unwrap().body == pattern(100_000));
    }
    assert_eq!(stage.origin.count("/doc"), 1);
    stage.assert_unharmed().await;
}

/// An Envoy whose listeners can be changed.
async fn changeable(workers: usize, listeners: &[Listener]) -> (Origin, Envoy) {
    let origin = Origin::start().await.unwrap();
    let mut envoy = Envoy::builder()
        .workers(workers)
        .cluster(Cluster::new("origin", origin.address()));
    for listener in listeners {
        envoy = envoy.listener(listener.clone());
    }
    let envoy = envoy.dynamic().start().await.unwrap();
    (origin, envoy)
}

#[tokio::test]
async fn those_that_wait_outlive_the_configuration_they_came_under() {
    let (origin, mut envoy) = changeable(2, &[larder(LONG)]).await;
    let gate = Gate::closed();
    origin.on("/doc", Reply::ok("once").behind(&gate));
    let mut asked = vec![send(&envoy, 0, ask("/doc")).await];
    wait_for_origin(&origin, "/doc", 1).await;
    for n in 1..=20 {
        asked.push(send(&envoy, (n % 2) as usize, ask("/doc")).await);
    }
    wait_for_waiting(&envoy, 20).await;
    let other = r#"{"coalesce": {"wait_seconds": 60},
        "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":61}]}"#;
    assert_eq!(
        envoy.update(&[larder(other)]).await.unwrap(),
        Update::Accepted
    );
    gate.open();
    for other in asked {
        assert_eq!(other.await.unwrap().text(), "once");
    }
    assert_eq!(origin.count("/doc"), 1);
}

#[tokio::test]
async fn listeners_wait_for_each_other_and_outlive_each_other() {
    let listener = |name: &str, more: &str| {
        let rules = r#""coalesce": {"wait_seconds": 60}, "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]"#;
        let configuration = format!("{{{rules}{more}}}");
        Listener::to_cluster(name, "origin").wasm(filter(&configuration))
    };
    let differently = r#","limits":{"max_object_bytes":20000}"#;
    let both = [
        listener(MAIN, ""),
        listener("other", ""),
        listener("third", differently),
    ];
    let (origin, mut envoy) = changeable(1, &both).await;
    let gate = Gate::closed();
    for round in 0..2 {
        let path = format!("/doc{round}");
        origin.on(&path, Reply::ok("once").behind(&gate));
    }
    let mut asked = Vec::new();
    for (n, name) in [MAIN, "other", "third"].into_iter().enumerate() {
        let (address, request) = (envoy.address(name), ask("/doc0"));
        asked.push(tokio::spawn(async move {
            client::send(address, request).await.unwrap()
        }));
        match n {
            0 => wait_for_origin(&origin, "/doc0", 1).await,
            n => wait_for_waiting(&envoy, n as u64).await,
        }
    }
    // The one whose request asks, and the one that was called back, are gone.
    let [_, _, third] = both;
    assert_eq!(envoy.update(&[third]).await.unwrap(), Update::Accepted);
    gate.open();
    for other in asked {
        assert_eq!(other.await.unwrap().text(), "once");
    }
    assert_eq!(origin.count("/doc0"), 1);
    let last = client::send(envoy.address("third"), ask("/doc1")).await;
    assert_eq!(x_cache(&last.unwrap()), "MISS");
}
