//! Clients that ask for every page, each many times a second.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use larder_harness::client::{Client, Protocol};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::Page;
use crate::stage::x_cache;

/// Clients of a page.
const CLIENTS: usize = 4;

/// Between two requests of one of them.
const PACE: Duration = Duration::from_millis(20);

/// The time of a play, which the origin writes into its bodies.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// When a body was made.
pub fn made(body: &str) -> Option<Duration> {
    body.parse().ok().map(Duration::from_micros)
}

/// What a client was given.
#[derive(Debug)]
pub struct Seen {
    pub page: Page,
    pub asked: Duration,
    pub told: Duration,
    /// 0 where there was no answer.
    pub status: u16,
    pub word: String,
    made: Option<Duration>,
}

impl Seen {
    /// How old it was when it was asked for.
    pub fn age(&self) -> Duration {
        let made = self.made.expect("a body of the origin's");
        self.asked.saturating_sub(made)
    }
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    running: Vec<JoinHandle<Vec<Seen>>>,
}

impl Load {
    pub async fn start(server: SocketAddr, clock: Clock) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Vec::new();
        for page in Page::ALL {
            for _ in 0..CLIENTS {
                let client = Client::connect(server, Protocol::Http1).await.unwrap();
                running.push(tokio::spawn(ask(client, page, clock, Arc::clone(&stop))));
            }
        }
        Self { stop, running }
    }

    /// Lets them ask for so long: it is the time that the play is about.
    pub async fn run_for(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// Everything they were given.
    pub async fn stop(self) -> Vec<Seen> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in self.running {
            all.extend(client.await.unwrap());
        }
        all
    }
}

async fn ask(mut client: Client, page: Page, clock: Clock, stop: Arc<AtomicBool>) -> Vec<Seen> {
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut all = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let asked = clock.now();
        let answer = client.send(page.request()).await.ok();
        let body = answer.as_ref().map(|answer| answer.text());
        all.push(Seen {
            page,
            asked,
            told: clock.now(),
            status: answer.as_ref().map_or(0, |answer| answer.status),
            word: answer.as_ref().map_or("", x_cache).to_owned(),
            made: body.and_then(|body| made(&body)),
        });
    }
    all
}
