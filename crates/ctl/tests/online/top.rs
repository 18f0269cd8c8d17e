//! How the cache does at this moment, on a screen and without one.

use std::net::SocketAddr;

use larder_harness::Port;
use larder_harness::admin::{SECRET, TOKEN};
use larder_harness::client::{self, Request};
use larder_harness::envoy::{Cluster, Envoy, Listener, Wasm};
use larder_harness::fleet::Fleet;
use larder_harness::origin::{Origin, Reply};
use larder_harness::tools;
use larder_harness::wait::{PATIENCE, eventually};
use rustix::process::Signal;
use tokio::task::JoinHandle;

use crate::stage::{HOST, MAIN, Stage, command, ctl, ended, x_cache};
use crate::terminal::Terminal;

const RULES: &str = r#"[
    {"name": "quiet", "match": {"path": "/quiet/.*"}, "ttl_seconds": 300},
    {"name": "busy", "match": {"path": "/busy/.*"}, "ttl_seconds": 300},
    {"name": "mine", "match": {"path": "/mine"}, "ttl_seconds": 300}]"#;

/// Clients that go on until this is dropped; who does not answer is asked again.
struct Clients(JoinHandle<()>);

impl Clients {
    fn of(address: SocketAddr) -> Self {
        Self(tokio::spawn(async move {
            loop {
                for path in ["/busy/1", "/busy/1", "/busy/1", "/quiet/1", "/mine"] {
                    let request = Request::get(path).authority(HOST);
                    let _ = client::send(address, request).await;
                }
                tokio::task::yield_now().await;
            }
        }))
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn stage() -> Stage {
    let stage = Stage::start(RULES).await;
    prepare(&stage.origin);
    stage
}

fn prepare(origin: &Origin) {
    origin.on("/busy/*", Reply::ok("busy"));
    origin.on("/quiet/*", Reply::ok("quiet"));
    origin.on(
        "/mine",
        Reply::ok("mine").header("cache-control", "private"),
    );
}

/// `top` in a terminal, asking there.
fn top(at: SocketAddr, columns: u16, lines: u16) -> Terminal {
    let at = format!("http://{at}");
    let mut top = command(&["top", "--every", "0.4", "--at", &at, "--host", HOST]);
    Terminal::run(top.as_std_mut(), columns, lines)
}

/// The numbers behind a name at the beginning of a line.
fn row<'a>(shown: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let line = shown
        .lines()
        .find(|line| line.split_whitespace().next() == Some(name))?;
    Some(line.split_whitespace().skip(1).collect())
}

fn number(text: &str) -> f64 {
    text.trim_end_matches('%').parse().unwrap_or(0.0)
}

fn is_running(shown: &str) -> bool {
    row(shown, "busy").is_some_and(|row| number(row[0]) > 0.0) && row(shown, "private").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_screen_shows_rates_by_rule_until_somebody_has_seen_enough() {
    let stage = stage().await;
    let _clients = Clients::of(stage.address());
    let mut top = top(stage.address(), 100, 30);
    let is_whole = |shown: &str| {
        let place = |name: &str| shown.lines().position(|line| line.starts_with(name));
        let rate =
            |name: &str, column: usize| row(shown, name).map_or(0.0, |row| number(row[column]));
        is_running(shown)
            && rate("busy", 0) > rate("quiet", 0)
            && place("busy") < place("quiet")
            && rate("busy", 1) > 90.0
            && rate("mine", 0) > 0.0
            && row(shown, "mine").is_some_and(|row| row[1] == "0.0%")
    };
    let shown = top
        .until("what is busy, and what is not stored", is_whole)
        .await;
    let expected = format!("larder  http://{}  one Envoy  every 0.4 s", stage.address());
    assert!(shown.starts_with(&expected), "{shown}");
    assert!(!top.is_in_order(), "it is a screen");
    top.press("q");
    assert_eq!(top.ended().await.code(), Some(0));
    eventually("the terminal is as it was", PATIENCE, async || {
        top.is_in_order()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_of_another_size_is_drawn_anew() {
    let stage = stage().await;
    let _clients = Clients::of(stage.address());
    let mut top = top(stage.address(), 100, 30);
    top.until("what is busy", is_running).await;
    top.resize(40, 9);
    // Nothing is wrapped, so the first rule still stands in its line.
    let is_small = |shown: &str| {
        let lines: Vec<&str> = shown.lines().collect();
        lines.len() <= 9
            && lines
                .first()
                .is_some_and(|line| line.starts_with("larder  http"))
            && lines.get(8).is_some_and(|line| line.starts_with("busy "))
    };
    top.until("a small screen", is_small).await;
    top.resize(100, 30);
    top.until("a large one", is_running).await;
    top.press("q");
    assert_eq!(top.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_end_leaves_the_terminal_as_it_was() {
    let stage = stage().await;
    let mut top = top(stage.address(), 80, 24);
    top.until("a screen", |shown| shown.contains("one Envoy"))
        .await;
    top.signal(Signal::TERM);
    assert_eq!(top.ended().await.code(), Some(0));
    eventually("the terminal is as it was", PATIENCE, async || {
        top.is_in_order()
    })
    .await;
}

async fn envoy(port: &Port, origin: &Origin) -> Envoy {
    let module = tools::module().unwrap_or_else(|missing| panic!("{missing}"));
    let configuration = format!(r#"{{"management": {{}}, "rules": {RULES}}}"#);
    let filter = Wasm::new(module, &configuration).environment("LARDER_TOKEN", TOKEN);
    let listener = Listener::to_cluster(MAIN, "origin").wasm(filter);
    let envoy = Envoy::builder()
        .cluster(Cluster::new("origin", origin.address()))
        .listener(listener.at(port.address()));
    envoy.start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envoy_that_is_started_anew_is_waited_for_and_counts_from_zero() {
    let (port, origin) = (Port::reserve().unwrap(), Origin::start().await.unwrap());
    prepare(&origin);
    let first = envoy(&port, &origin).await;
    let clients = Clients::of(port.address());
    let mut top = top(port.address(), 120, 30);
    top.until("what is busy", is_running).await;
    // Who counts from zero is known by counting less, so nobody asks the second one for more before that is seen.
    drop((clients, first));
    let is_away = |shown: &str| shown.contains("cannot reach") && shown.contains("trying again");
    top.until("nobody is there", is_away).await;
    let _second = envoy(&port, &origin).await;
    top.until("it counts from zero", |shown| {
        shown.contains("counts from zero")
    })
    .await;
    let _clients = Clients::of(port.address());
    top.until("what is busy", |shown| is_running(shown) && !is_away(shown))
        .await;
    top.press("q");
    assert_eq!(top.ended().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_frames_are_printed_one_after_the_other() {
    let stage = stage().await;
    let _clients = Clients::of(stage.address());
    eventually("something is counted", PATIENCE, async || {
        let shown = stage
            .ctl(&["top", "--once", "--every", "0.6"])
            .await
            .with(0);
        assert!(!shown.out.contains('\u{1b}'), "{}", shown.out);
        is_running(&shown.out)
    })
    .await;
    let frames = ["top", "--count", "3", "--every", "0.3", "-o", "json"];
    let frames = stage.ctl(&frames).await.with(0);
    let frames: Vec<serde_json::Value> = frames
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(frames.len(), 3);
    for frame in frames {
        assert!(frame["by_second"]["hits"].is_number(), "{frame}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_there_it_does_not_begin() {
    let port = Port::reserve().unwrap();
    let at = format!("http://{}", port.address());
    let none = ctl(&["top", "--at", &at]).await.with(3);
    assert!(none.err.contains("cannot reach"), "{}", none.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_fleet_all_instances_are_shown_together_and_what_is_asked_for_most() {
    let rules = format!(r#"{{"rules": {RULES}}}"#);
    let fleet = Fleet::plan(&rules).start().await;
    let fleet = fleet.unwrap_or_else(|error| panic!("{error}"));
    prepare(&fleet.origin);
    let _clients = [Clients::of(fleet.address(0)), Clients::of(fleet.address(1))];
    eventually("it is stored", PATIENCE, async || {
        x_cache(&fleet.get(0, "/busy/1").await) == "HIT"
    })
    .await;
    let at = format!("http://{}", fleet.admins[0].address());
    eventually("both and what is hot are shown", PATIENCE, async || {
        let mut top = command(&["top", "--once", "--every", "1", "--at", &at]);
        top.env("LARDER_ADMIN_SECRET", SECRET);
        let shown = ended(top).await.with(0);
        let is_whole = shown.out.contains("a fleet: 2 current") || shown.out.contains("1 behind");
        is_whole && is_running(&shown.out) && shown.out.contains(&format!("{HOST}/busy/1"))
    })
    .await;
}
