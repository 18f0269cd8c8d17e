//! The least that a fleet has to do. `make compose-test` has this run against its containers, by `LARDER_SMOKE_ENVOYS` and
//! `LARDER_SMOKE_ADMINS` (addresses, with commas between them); otherwise it starts a fleet of its own.

use std::env;
use std::net::SocketAddr;

use larder_harness::admin::TOKEN;
use larder_harness::client::{self, Answer, Request};
use larder_harness::demo::Demo;
use larder_harness::fleet::Fleet;
use larder_harness::origin::Handler;
use larder_harness::wait::{PATIENCE, eventually, poll};
use serde_json::Value;

use super::start;
use crate::management::json;
use crate::stage::x_cache;

/// The configuration of `envoy/fleet.yaml`.
const SAMPLE: &str = include_str!("../../../envoy/fleet.json");

/// Where to find it, and what keeps it going when it is ours.
struct Place {
    envoys: Vec<SocketAddr>,
    admins: Vec<SocketAddr>,
    token: String,
    _own: Option<Fleet>,
}

fn given(name: &str) -> Option<Vec<SocketAddr>> {
    let text = env::var(name).ok()?;
    let address = |one: &str| one.parse().unwrap_or_else(|_| panic!("{name}: {text}"));
    Some(text.split(',').map(address).collect())
}

impl Place {
    async fn find() -> Self {
        match (given("LARDER_SMOKE_ENVOYS"), given("LARDER_SMOKE_ADMINS")) {
            (Some(envoys), Some(admins)) => Self {
                envoys,
                admins,
                token: env::var("LARDER_TOKEN").unwrap(),
                _own: None,
            },
            (None, None) => Self::start().await,
            (Some(_), None) | (None, Some(_)) => panic!("half of the addresses is missing"),
        }
    }

    async fn start() -> Self {
        let fleet = start(Fleet::plan(SAMPLE)).await;
        let demo = Demo::new(0.0);
        fleet
            .origin
            .on_call("/*", move |request| demo.reply(request));
        Self {
            envoys: vec![fleet.address(0), fleet.address(1)],
            admins: fleet.admins.iter().map(|admin| admin.address()).collect(),
            token: TOKEN.to_owned(),
            _own: Some(fleet),
        }
    }

    async fn get(&self, envoy: usize, path: &str) -> Answer {
        let request = Request::get(path).authority("api.example.com");
        let answer = client::send(self.envoys[envoy], request).await.unwrap();
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer
    }

    /// Calls the management API of an Envoy, or of a replica.
    async fn call(&self, at: SocketAddr, method: &str, path: &str) -> Answer {
        let request = Request::new(method, path)
            .authority("api.example.com")
            .header("authorization", format!("Bearer {}", self.token));
        client::send(at, request).await.unwrap()
    }

    /// Waits until each replica has heard of both Envoys.
    async fn meet(&self) {
        for admin in &self.admins {
            eventually("both Envoys are known", PATIENCE, async || {
                let answer = self.call(*admin, "GET", "/api/cache/overview").await;
                let overview: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                overview["instances"].as_array().map(Vec::len) == Some(2)
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_envoys_are_one_cache() {
    let place = Place::find().await;
    place.meet().await;

    // What one has fetched the other has, unless the service is too slow to say so on a machine under test: then it has its own.
    let mut days = 0;
    let shared = poll(PATIENCE, async || {
        days += 1;
        let path = format!("/api/analytics/aggregate?days={days}");
        let fetched = place.get(0, &path).await;
        let first = place.get(1, &path).await;
        if (x_cache(&fetched), x_cache(&first)) != ("MISS", "HIT") {
            return None;
        }
        assert_eq!(first.text(), fetched.text());
        Some(path)
    });
    let path = &shared.await.expect("what is shared");

    // What is purged at one is gone at the other.
    let purge = place.call(place.envoys[1], "PURGE", path).await;
    assert_eq!(purge.status, 200, "{purge:?}");
    assert_eq!(json(&purge)["durable"], true, "{purge:?}");
    eventually("the purge is known", PATIENCE, async || {
        x_cache(&place.get(0, path).await) == "MISS"
    })
    .await;

    // And at each replica somebody can see it.
    for admin in &place.admins {
        let page = client::get(*admin, "/").await.unwrap();
        assert_eq!(page.status, 200);
        assert!(page.text().contains("<!doctype html>"), "{page:?}");
        let stats = place.call(*admin, "GET", "/api/cache/stats").await;
        assert_eq!(stats.status, 200, "{stats:?}");
        let refused = client::get(*admin, "/api/cache/stats").await.unwrap();
        assert_eq!(refused.status, 401, "{refused:?}");
    }
}
