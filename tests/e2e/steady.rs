//! Under steady load: nobody waits while something is made fresh, nothing is old, the origin is asked no more than once a
//! second for each entry, and nobody notices that it is gone for a while.
//!
//! The origin's bodies say when they were made, so that a client sees how old what it is given is, whatever the fields say.

mod load;

use std::time::Duration;

use larder_harness::client::{Client, Protocol, Request};
use larder_harness::envoy::Listener;
use larder_harness::origin::{Gate, Reply};
use larder_harness::wait::{PATIENCE, eventually};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::stage::{MAIN, Stage, filter, x_cache};
use load::{Clock, Load, Seen};

const CONFIGURATION: &str = r#"{"rules": [
    {"name": "rule", "match": {"path": "/(rule|old)/.*"}, "ttl_seconds": 1,
     "stale_while_revalidate_seconds": 30, "stale_if_error_seconds": 60}]}"#;

/// What is asked for, and what it is called at the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The origin says for how long it may be given stale.
    ByOrigin,
    /// The rule says so.
    ByRule,
    /// The rule says so, and the route asks the origin for another path.
    Rewritten,
    /// It may be given stale for two seconds, and when the origin fails.
    Brief,
    /// It may be given stale when the origin fails.
    OnError,
}

impl Page {
    pub const ALL: [Self; 5] = [
        Self::ByOrigin,
        Self::ByRule,
        Self::Rewritten,
        Self::Brief,
        Self::OnError,
    ];

    fn path(self) -> &'static str {
        match self {
            Self::ByOrigin => "/origin/page",
            Self::ByRule => "/rule/page",
            Self::Rewritten => "/old/page",
            Self::Brief => "/brief/page",
            Self::OnError => "/error/page",
        }
    }

    fn path_at_origin(self) -> &'static str {
        match self {
            Self::Rewritten => "/new/page",
            Self::ByOrigin | Self::ByRule | Self::Brief | Self::OnError => self.path(),
        }
    }

    fn directives(self) -> Option<&'static str> {
        match self {
            Self::ByOrigin => Some("max-age=1, stale-while-revalidate=30, stale-if-error=60"),
            Self::ByRule | Self::Rewritten => None,
            Self::Brief => Some("max-age=1, stale-while-revalidate=2, stale-if-error=60"),
            Self::OnError => Some("max-age=1, stale-if-error=60"),
        }
    }

    /// Whether it is given while it is made fresh, and that is done behind the clients' backs.
    fn never_waits(self) -> bool {
        match self {
            Self::ByOrigin | Self::ByRule | Self::Brief => true,
            Self::Rewritten | Self::OnError => false,
        }
    }

    pub fn request(self) -> Request {
        Request::get(self.path()).authority("api.example.com")
    }

    fn reply(self, body: String) -> Reply {
        let reply = Reply::ok(body);
        match self.directives() {
            Some(directives) => reply.header("cache-control", directives),
            None => reply,
        }
    }
}

/// An origin whose pages say when they were made.
async fn stage(workers: usize, clock: Clock) -> Stage {
    let listener = Listener::to_cluster(MAIN, "origin")
        .wasm(filter(CONFIGURATION))
        .rewrites("/old/", "/new/");
    let stage = Stage::with_listener(workers, listener).await;
    for page in Page::ALL {
        let made = move |_: &_| page.reply(clock.now().as_micros().to_string());
        stage.origin.on_call(page.path_at_origin(), made);
    }
    stage
}

const CLIENTS: usize = 20;
const REQUESTS: usize = 50;

/// Everybody asks again and again, and is given what is stale each time.
async fn assert_given_stale(stage: &Stage, page: Page) {
    let mut running = JoinSet::new();
    for _ in 0..CLIENTS {
        let client = Client::connect(stage.address(), Protocol::Http1).await;
        let mut client = client.unwrap();
        running.spawn(async move {
            for _ in 0..REQUESTS {
                let answer = client.send(page.request()).await.unwrap();
                let seen = (answer.status, x_cache(&answer));
                assert_eq!(seen, (200, "STALE"), "{answer:?}");
            }
        });
    }
    // Whoever waits for the origin waits until the gate opens, which is later.
    timeout(PATIENCE, running.join_all())
        .await
        .expect("nobody waits");
}

/// Asks until it is given what the origin holds.
async fn ask_until_fresh(mut client: Client, page: Page) {
    while client.send(page.request()).await.unwrap().text() != "fresh" {}
}

async fn while_the_origin_holds_its_answer(workers: usize, page: Page) {
    let (stage, gate) = (stage(workers, Clock::start()).await, Gate::closed());
    let first = stage.send(page.request()).await;
    assert_eq!(x_cache(&first), "MISS", "{first:?}");
    let at_origin = page.path_at_origin();
    let fresh = page.reply("fresh".to_owned()).behind(&gate);
    stage.origin.on(at_origin, fresh);
    // Where the origin is asked by a client's request, that is this one's.
    let client = Client::connect(stage.address(), Protocol::Http1).await;
    let asking = tokio::spawn(ask_until_fresh(client.unwrap(), page));
    eventually("the origin is asked again", PATIENCE, async || {
        stage.origin.in_hand(at_origin) == 1
    })
    .await;
    assert_given_stale(&stage, page).await;
    assert_eq!(stage.origin.count(at_origin), 2, "{page:?}");
    assert!(!asking.is_finished());
    gate.open();
    asking.await.unwrap();
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_an_origin_that_holds_its_answer() {
    for workers in [1, 2] {
        for page in [Page::ByOrigin, Page::ByRule] {
            while_the_origin_holds_its_answer(workers, page).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_route_rewrites_one_waits_and_the_others_do_not() {
    for workers in [1, 2] {
        while_the_origin_holds_its_answer(workers, Page::Rewritten).await;
    }
}

/// What is fresh for a second, and is fetched by a request that may take so long on a busy machine, is no older than this.
const OLDEST: Duration = Duration::from_secs(3);
const STEADY: Duration = Duration::from_secs(5);
const DOWN: Duration = Duration::from_secs(10);

async fn play(workers: usize) {
    let clock = Clock::start();
    let stage = stage(workers, clock).await;
    for page in Page::ALL {
        assert_eq!(x_cache(&stage.send(page.request()).await), "MISS");
    }
    let load = Load::start(stage.address(), clock).await;
    let began = clock.now();
    load.run_for(STEADY).await;
    let went_down = clock.now();
    let asked = Page::ALL.map(|page| stage.origin.count(page.path_at_origin()));
    stage.origin.go_down().await.unwrap();
    load.run_for(DOWN).await;
    let came_back = clock.now();
    stage.origin.come_back().unwrap();
    for page in Page::ALL {
        eventually("it is fresh again", PATIENCE, async || {
            let body = stage.send(page.request()).await.text();
            load::made(&body).is_some_and(|made| made >= came_back)
        })
        .await;
    }
    let seen = load.stop().await;
    for (page, asked) in Page::ALL.into_iter().zip(asked) {
        let of = |from: Duration, to: Duration| {
            let between =
                move |seen: &&Seen| seen.page == page && seen.asked >= from && seen.told < to;
            seen.iter().filter(between)
        };
        let old = of(began, went_down).map(Seen::age).max().unwrap();
        assert!(old < OLDEST, "{page:?} was {old:?} old");
        let seconds = usize::try_from((went_down - began).as_secs()).unwrap();
        assert!(
            asked <= seconds + 2,
            "{page:?}: {asked} requests in {seconds} seconds"
        );
        assert!(
            asked >= seconds / 2,
            "{page:?}: {asked} requests in {seconds} seconds"
        );
        if page.never_waits() {
            for seen in of(began, went_down) {
                assert!(["HIT", "STALE"].contains(&seen.word.as_str()), "{seen:?}");
            }
        }
        let down = of(went_down, came_back).count();
        assert!(down > 50, "{page:?}: {down} answers");
        // Those that were asked for while it came back, too.
        for seen in of(Duration::ZERO, Duration::MAX) {
            assert_eq!(seen.status, 200, "{seen:?}");
        }
    }
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_worker_is_steady_and_does_without_the_origin_for_a_while() {
    play(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_are_steady_and_do_without_the_origin_for_a_while() {
    play(2).await;
}
