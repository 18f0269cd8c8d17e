//! Many clients that ask for the same at once: how often the origin is asked, and that nobody is left to wait.
//!
//! The origin holds its answers behind gates, and these are opened when the proxy has everybody's request in hand: so what
//! is counted does not depend on who is fast. Times are limits for what must end at all, never measures.

mod changes;
mod cold;
mod deadlines;
mod leaks;
mod lost;
mod unshared;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use larder_harness::client::{Answer, Crowd, Protocol, Request, Told};
use larder_harness::origin::{Gate, Received, Reply};
use larder_harness::wait::{PATIENCE, eventually};

use crate::management;
use crate::stage::{MAIN, Stage, cache_status};

pub const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// By the origin's word alone, a request waits for another for so long, and there is a management API.
pub fn waiting(seconds: u32) -> String {
    format!(r#"{{"coalesce": {{"wait_seconds": {seconds}}}, "management": {{}}}}"#)
}

/// So long that in no play somebody's patience is at an end while the machine is busy.
pub const LONG: u32 = 60;

pub async fn stage(workers: usize, wait_seconds: u32) -> Stage {
    management::stage_of(workers, management::managed(&waiting(wait_seconds))).await
}

pub async fn crowd(stage: &Stage, protocol: Protocol, clients: usize) -> Crowd {
    let crowd = Crowd::connect(stage.address(), protocol, clients).await;
    crowd.unwrap()
}

pub fn get(path: &str) -> Request {
    Request::get(path).authority("api.example.com")
}

/// Something that may be kept for a minute.
pub fn page(body: &str) -> Reply {
    Reply::ok(body.to_owned()).header("cache-control", "max-age=60")
}

/// Something that may be kept for a second.
pub fn brief(body: &str) -> Reply {
    Reply::ok(body.to_owned()).header("cache-control", "max-age=1")
}

/// Has it stored, and waits until it is stale.
pub async fn let_expire(stage: &Stage, path: &str, reply: Reply) {
    stage.origin.on(path, reply);
    stage.get(path).await;
    let fresh = || get(path).header("cache-control", "only-if-cached");
    eventually("it has expired", PATIENCE, async || {
        stage.send(fresh()).await.status == 504
    })
    .await;
}

/// The first request is answered by one, all later ones by another.
pub fn first_then(
    first: Reply,
    others: Reply,
) -> impl Fn(&Received) -> Reply + Send + Sync + 'static {
    let asked = AtomicBool::new(false);
    move |_| match asked.swap(true, Ordering::Relaxed) {
        false => first.clone(),
        true => others.clone(),
    }
}

/// Waits until the proxy has so many requests in hand.
pub async fn in_hand(stage: &Stage, requests: usize) {
    let what = format!("{requests} requests are in the proxy's hand");
    eventually(&what, PATIENCE, async || active(stage).await == requests).await;
}

pub async fn active(stage: &Stage) -> usize {
    let active = format!("http.{MAIN}.downstream_rq_active");
    usize::try_from(stage.envoy.stat(&active).await.unwrap()).unwrap()
}

/// Waits until the origin has seen so many requests for a path.
pub async fn seen(stage: &Stage, path: &str, requests: usize) {
    let what = format!("the origin is asked {requests} times for {path}");
    eventually(&what, PATIENCE, async || {
        stage.origin.count(path) >= requests
    })
    .await;
}

/// Everybody asks for `path` while the origin holds its answers; gives what they were told, and how often the origin was
/// asked.
pub async fn stampede(
    stage: &Stage,
    crowd: Crowd,
    path: &str,
    reply: Reply,
) -> (Crowd, Vec<Told>, usize) {
    let gate = Gate::closed();
    stage.origin.on(path, reply.behind(&gate));
    let before = stage.origin.count(path);
    let clients = crowd.len();
    let asking = crowd.begin(|_| get(path));
    in_hand(stage, clients).await;
    gate.open();
    let (crowd, told) = asking.told().await;
    (crowd, told, stage.origin.count(path) - before)
}

/// Everybody's answer.
#[track_caller]
pub fn answers(told: &[Told]) -> Vec<&Answer> {
    let mut answers = Vec::with_capacity(told.len());
    for told in told {
        match &told.answer {
            Ok(answer) => answers.push(answer),
            Err(error) => panic!("unanswered after {:?}: {error}", told.took),
        }
    }
    answers
}

/// Everybody has been given this.
#[track_caller]
pub fn assert_all(told: &[Told], body: &str) {
    for answer in answers(told) {
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, body),
            "{answer:?}"
        );
    }
}

/// How many were answered by what another had fetched.
pub fn collapsed(told: &[Told]) -> usize {
    let answers = answers(told);
    let waited = answers
        .iter()
        .filter(|answer| cache_status(answer).contains("; collapsed"));
    waited.count()
}

/// From how many fetches the answers are.
pub fn fetches(told: &[Told]) -> usize {
    let stamps = answers(told);
    let stamps = stamps.iter().map(|answer| answer.header("x-origin-stamp"));
    stamps.collect::<BTreeSet<_>>().len()
}

/// The longest time anybody was without an answer.
pub fn longest(told: &[Told]) -> Duration {
    told.iter().map(|told| told.took).max().unwrap_or_default()
}

/// Nobody is waiting, nothing has gone wrong, and the next crowd makes one request to the origin.
pub async fn assert_calm(stage: &Stage, crowd: Crowd, path: &str) {
    let (_, told, asked) = stampede(stage, crowd, path, page("calm")).await;
    assert_eq!(asked, 1, "{path}");
    assert_all(&told, "calm");
    in_hand(stage, 0).await;
    for name in [
        "larder_corrupt_entries_total",
        "larder_host_failures_total",
        "larder_tick_failures_total",
    ] {
        assert_eq!(stage.counter(name).await, 0, "{name}");
    }
    stage.assert_unharmed().await;
}
