//! Thousands of fills, writes and purges of every kind at once at two workers, and one rule: what is asked for after a purge was
//! answered was made by the origin after that purge had begun.
//!
//! The origin's body is the next number of its clock. Who purges reads the clock first; when the purge is answered, that is
//! the least number that may be seen of what it covers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use larder_harness::client::{self, Answer, Client, Protocol, Request};
use larder_harness::envoy::Listener;
use larder_harness::origin::{Gate, Received, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};

use crate::chaos::Dice;
use crate::management::{call, json, managed};
use crate::stage::{MAIN, Stage, x_cache};

const MANAGED: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":600}],
    "storage": {"slots": 1024, "log_records": 256}, "management":{}}"#;

const GROUPS: usize = 8;
const PAGES: usize = 12;
const HAMMERS: usize = 8;
const BLOWS: usize = 1_250;

/// What a URL of the play is about: `/p/<group>/<page>`, tagged `all`, `g:<group>` and `n<page>`.
#[derive(Clone, Copy, Debug)]
struct Page(usize, usize);

impl Page {
    fn any(dice: &mut Dice) -> Self {
        Self(dice.below(GROUPS), dice.below(PAGES))
    }

    fn path(self) -> String {
        format!("/p/{}/{}", self.0, self.1)
    }
}

/// The origin's clock, and what may not be seen any more.
#[derive(Debug)]
struct World {
    clock: AtomicU64,
    floors: Vec<AtomicU64>,
    hits: AtomicUsize,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: AtomicU64::new(1),
            floors: (0..GROUPS * PAGES).map(|_| AtomicU64::new(0)).collect(),
            hits: AtomicUsize::new(0),
        })
    }

    fn reply(&self, request: &Received) -> Reply {
        let now = self.clock.fetch_add(1, Ordering::SeqCst);
        let mut parts = request.path_only().split('/').skip(2);
        let (group, page) = (parts.next().unwrap(), parts.next().unwrap());
        let tags = format!("all g:{group} n{page}");
        Reply::ok(now.to_string()).header("surrogate-key", tags)
    }

    fn floor(&self, Page(group, page): Page) -> &AtomicU64 {
        &self.floors[group * PAGES + page]
    }

    fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    /// What this covers is over that was made before.
    fn raise(&self, covers: impl Fn(Page) -> bool, began: u64) {
        for group in 0..GROUPS {
            for page in (0..PAGES).map(|page| Page(group, page)) {
                if covers(page) {
                    self.floor(page).fetch_max(began, Ordering::SeqCst);
                }
            }
        }
    }

    fn see(&self, page: Page, least: u64, answer: &Answer) {
        let made: u64 = answer
            .text()
            .parse()
            .unwrap_or_else(|_| panic!("{answer:?}"));
        assert!(made >= least, "{made} after {least}: {page:?} {answer:?}");
        if x_cache(answer) == "HIT" {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
    }
}

type Covers = Box<dyn Fn(Page) -> bool + Send>;

/// A purge, and what it covers.
fn purge(dice: &mut Dice) -> (Request, Covers) {
    let page = Page::any(dice);
    let Page(group, number) = page;
    let mode = dice.any(&["", "mode=soft"]);
    let one: Covers = Box::new(move |Page(g, n)| (g, n) == (group, number));
    let of_group: Covers = Box::new(move |Page(g, _)| g == group);
    let of_number: Covers = Box::new(move |Page(_, n)| n == number);
    let invalidate = |what: &str| call("POST", &format!("/api/cache/invalidate{what}"));
    let (mark, host) = (if mode.is_empty() { "" } else { "?" }, "api.example.com");
    match dice.below(100) {
        0 => (invalidate("").body(r#"{"all": true}"#), Box::new(|_| true)),
        1 => (
            invalidate(&format!("/tag/all{mark}{mode}")),
            Box::new(|_| true),
        ),
        2..15 => (call("PURGE", &page.path()), one),
        15..25 => (invalidate(&format!("/key/GET:{host}{}", page.path())), one),
        25..35 => (invalidate(&format!("/tag/g:{group}{mark}{mode}")), of_group),
        35..45 => (
            invalidate(&format!("/tag/n{number}{mark}{mode}")),
            of_number,
        ),
        45..55 => (
            call("PURGE", "/").header("surrogate-key", format!("n{number} none")),
            of_number,
        ),
        55..65 => {
            let pattern = format!("/pattern?pattern=/p/{group}/*&{mode}");
            (invalidate(pattern.trim_end_matches('&')), of_group)
        }
        65..75 => {
            let pattern = format!("/pattern?pattern=regex:/p/%5B^/%5D%2B/{number}&{mode}");
            (invalidate(pattern.trim_end_matches('&')), of_number)
        }
        75..90 => {
            let body =
                format!(r#"{{"prefixes": ["GET:{host}/p/{group}/"], "tags": ["n{number}"]}}"#);
            let both: Covers = Box::new(move |Page(g, n)| g == group || n == number);
            (invalidate("").body(body), both)
        }
        _ => (
            call("BAN", "/").header("x-ban-url", format!("/p/{group}/.*")),
            of_group,
        ),
    }
}

async fn hammer(mut client: Client, world: Arc<World>, seed: u64) {
    let mut dice = Dice::new(seed);
    for _ in 0..BLOWS {
        let page = Page::any(&mut dice);
        let least = world.floor(page).load(Ordering::SeqCst);
        let began = world.now();
        match dice.below(10) {
            0 => {
                let write = Request::new("POST", &page.path()).authority("api.example.com");
                let answer = client.send(write.body("x")).await.unwrap();
                assert_eq!(answer.status, 200, "{answer:?}");
                world.floor(page).fetch_max(began, Ordering::SeqCst);
            }
            1 | 2 => {
                let (request, covers) = purge(&mut dice);
                let shown = format!("{request:?}");
                let answer = client.send(request).await.unwrap();
                assert!(matches!(answer.status, 200 | 202), "{shown} {answer:?}");
                world.raise(covers, began);
            }
            _ => {
                let request = Request::get(&page.path()).authority("api.example.com");
                let answer = client.send(request).await.unwrap();
                world.see(page, least, &answer);
            }
        }
    }
}

async fn stage() -> Stage {
    let listener = Listener::to_cluster(MAIN, "origin").wasm(managed(MANAGED));
    Stage::with_listener(2, listener).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_after_a_purge_is_younger_than_the_purge() {
    let (stage, world) = (stage().await, World::new());
    let answers = Arc::clone(&world);
    stage
        .origin
        .on_call("/p/*", move |request| answers.reply(request));
    let mut clients = Vec::new();
    for number in 0..HAMMERS {
        let connect = |worker| stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
        clients.push(connect(number % 2).await.unwrap());
    }
    let hammers = clients
        .into_iter()
        .zip(0..)
        .map(|(client, seed)| tokio::spawn(hammer(client, Arc::clone(&world), seed)));
    for hammer in hammers.collect::<Vec<_>>() {
        hammer.await.unwrap();
    }
    // Else the play is about nothing.
    let hits = world.hits.load(Ordering::Relaxed);
    assert!(hits > 500, "{hits} hits");
    eventually("the sweep frees what was purged", PATIENCE, async || {
        stage
            .sum("larder_evictions_total", ".cause.invalidated")
            .await
            > 0
    })
    .await;
    for name in [
        "larder_corrupt_entries_total",
        "larder_host_failures_total",
        "larder_invalidations_failed_total",
    ] {
        assert_eq!(stage.counter(name).await, 0, "{name}");
    }
    stage.assert_unharmed().await;
}

/// The origin has sent a head and half of a body when the purge comes, and the rest only when the sweep has carried the
/// purge out.
#[tokio::test]
async fn a_fill_that_a_purge_and_its_sweep_overtake_is_not_served_after() {
    let stage = stage().await;
    let connect = |worker| stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
    let [mut one, mut other] = [connect(0).await.unwrap(), connect(1).await.unwrap()];
    let invalidate = |what: &str| call("POST", &format!("/api/cache/invalidate{what}"));
    for (row, purge) in [
        invalidate("/tag/g"),
        invalidate("/pattern?pattern=/p/1/*"),
        invalidate("/pattern?pattern=regex:/p/2/.%2B"),
        invalidate("").body(r#"{"prefixes": ["GET:api.example.com/p/3"]}"#),
        invalidate("").body(r#"{"all": true}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let get =
            |name: &str| Request::get(&format!("/p/{row}/{name}")).authority("api.example.com");
        let tagged = |reply: Reply| reply.header("surrogate-key", "g");
        let gate = Gate::closed();
        let chunk = |text: &'static str| Step::Chunk(text.as_bytes().into());
        let slow = Reply::steps([chunk("o"), Step::Wait(gate.clone()), chunk("ld")]);
        let slow_path = format!("/p/{row}/slow");
        stage.origin.on(&slow_path, tagged(slow));
        stage
            .origin
            .on(&format!("/p/{row}/swept"), tagged(Reply::ok("swept")));
        assert_eq!(one.send(get("swept")).await.unwrap().text(), "swept");
        let address = stage.address();
        let fill = tokio::spawn(client::send(address, get("slow")));
        eventually("the origin is asked", PATIENCE, async || {
            stage.origin.count(&slow_path) == 1
        })
        .await;
        let swept = || stage.sum("larder_evictions_total", ".cause.invalidated");
        let before = swept().await;
        assert_eq!(other.send(purge).await.unwrap().status, 200, "{row}");
        eventually("the sweep", PATIENCE, async || swept().await > before).await;
        stage.origin.on(&slow_path, tagged(Reply::ok("new")));
        gate.open();
        assert_eq!(fill.await.unwrap().unwrap().text(), "old");
        for client in [&mut one, &mut other] {
            assert_eq!(
                client.send(get("slow")).await.unwrap().text(),
                "new",
                "{row}"
            );
        }
    }
    stage.assert_unharmed().await;
}

/// What a worker keeps of a deleted user goes by itself, without another request, and the receipt says so when it has.
#[tokio::test]
async fn a_deleted_user_leaves_every_workers_own_memory() {
    const USERS: &str = r#"{"rules":[{"name":"users","match":{"path":"/users/(?P<id>[^/]+)"},
        "ttl_seconds":600,"tags":["user:{id}"]}],"storage":{"slots":64},"management":{}}"#;
    const LENGTH: u64 = 50_000;
    let listener = Listener::to_cluster(MAIN, "origin").wasm(managed(USERS));
    let stage = Stage::with_listener(2, listener).await;
    stage
        .origin
        .on("/users/*", Reply::ok(vec![b'x'; LENGTH as usize]));
    for worker in 0..2 {
        let client = stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
        let mut client = client.await.unwrap();
        for path in ["/users/7", "/users/8"].repeat(4) {
            let request = Request::get(path).authority("api.example.com");
            assert_eq!(client.send(request).await.unwrap().status, 200);
        }
    }
    let kept = || stage.counter("larder_hot_bytes.vm_id.larder");
    eventually("both workers keep both", PATIENCE, async || {
        kept().await > 4 * LENGTH
    })
    .await;
    let answer = stage.send(call("DELETE", "/api/cache/users/7")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = json(&answer)["receipt"].as_str().unwrap().to_owned();
    eventually("the receipt", PATIENCE, async || {
        let path = format!("/api/cache/users/receipts/{id}");
        let receipt = stage.send(call("GET", &path)).await;
        json(&receipt)["status"] == "done"
    })
    .await;
    eventually("their memory", PATIENCE, async || {
        (2 * LENGTH..3 * LENGTH).contains(&kept().await)
    })
    .await;
}
