//! A client that shows the token of its write is never given anything older, at any Envoy.

use larder_harness::client::{Answer, Request};
use larder_harness::fleet::Fleet;
use larder_harness::origin::Reply;

use super::{DOCS, Version, settle, shown, start};
use crate::stage::x_cache;

/// Two Envoys, each at a replica of its own, and a document that the second has and a write changes.
struct Stage {
    fleet: Fleet,
    version: Version,
}

impl Stage {
    async fn start() -> Self {
        let fleet = start(Fleet::plan(DOCS).each_its_own()).await;
        let version = Version::at(&fleet.origin, "/doc");
        fleet.origin.on("/write", Reply::ok("written"));
        for envoy in 0..2 {
            settle(&mut fleet.client(envoy).await, "/doc").await;
        }
        Self { fleet, version }
    }

    /// Writes at an Envoy; the token.
    async fn write(&self, envoy: usize) -> String {
        self.version.raise();
        let answer = self.fleet.send(envoy, Request::new("POST", "/write")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let token = answer.header("larder-token");
        token.unwrap_or_else(|| panic!("{answer:?}")).to_owned()
    }

    /// Reads at an Envoy with a token.
    async fn read(&self, envoy: usize, token: &str) -> Answer {
        let request = Request::get("/doc").header("larder-token", token);
        self.fleet.send(envoy, request).await
    }

    fn assert_no_token_at_the_origin(&self) {
        for request in self.fleet.origin.requests() {
            assert_eq!(request.header("larder-token"), None, "{request:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_elsewhere_is_on_pages_too() {
    let mut stage = Stage::start().await;
    let page = Reply::ok("<esi:include src=\"/doc\"/>");
    let page = page.header("surrogate-control", "content=\"ESI/1.0\"");
    for (path, control) in [("/page", "max-age=60"), ("/pass", "no-store")] {
        let page = page.clone().header("cache-control", control);
        stage.fleet.origin.on(path, page);
        for _ in 0..2 {
            stage.fleet.get(1, path).await;
        }
    }
    stage.fleet.admins[1].pause().await.unwrap();
    for path in ["/page", "/pass"] {
        for method in ["GET", "POST"] {
            let token = stage.write(0).await;
            let old = stage.fleet.get(1, path).await;
            assert!(shown(&old) < stage.version.now(), "it has not heard of it");
            let read = Request::new(method, path).header("larder-token", &token);
            let read = stage.fleet.send(1, read).await;
            assert_eq!(shown(&read), stage.version.now(), "{method} {path}");
        }
    }
    stage.assert_no_token_at_the_origin();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_at_one_envoy_is_read_at_another_that_has_not_heard_of_it() {
    let mut stage = Stage::start().await;
    stage.fleet.admins[1].pause().await.unwrap();
    for _ in 0..5 {
        let token = stage.write(0).await;
        let old = stage.fleet.get(1, "/doc").await;
        assert!(shown(&old) < stage.version.now(), "it has not heard of it");
        for _ in 0..2 {
            let read = stage.read(1, &token).await;
            assert_eq!(shown(&read), stage.version.now(), "{read:?}");
        }
    }
    stage.fleet.admins[1].resume().await.unwrap();
    let token = stage.write(0).await;
    stage.fleet.catch_up().await.unwrap();
    let mut client = stage.fleet.client(1).await;
    settle(&mut client, "/doc").await;
    let asked = stage.fleet.origin.count("/doc");
    let read = stage.read(1, &token).await;
    assert_eq!((shown(&read), x_cache(&read)), (stage.version.now(), "HIT"));
    assert_eq!(
        stage.fleet.origin.count("/doc"),
        asked,
        "it has heard of it"
    );
    stage.assert_no_token_at_the_origin();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_needs_no_service() {
    let mut stage = Stage::start().await;
    for admin in &mut stage.fleet.admins {
        admin.kill();
    }
    for _ in 0..5 {
        let token = stage.write(0).await;
        for envoy in [1, 0] {
            let read = stage.read(envoy, &token).await;
            assert_eq!(shown(&read), stage.version.now(), "{read:?}");
        }
    }
    stage.assert_no_token_at_the_origin();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_ones_own_costs_nothing() {
    let stage = Stage::start().await;
    let token = stage.write(0).await;
    assert_eq!(shown(&stage.read(0, &token).await), stage.version.now());
    let asked = stage.fleet.origin.count("/doc");
    assert_eq!(x_cache(&stage.read(0, &token).await), "HIT");
    assert_eq!(stage.fleet.origin.count("/doc"), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_up_a_token() {
    let stage = Stage::start().await;
    let token = stage.write(0).await;
    stage.fleet.catch_up().await.unwrap();
    for envoy in 0..2 {
        settle(&mut stage.fleet.client(envoy).await, "/doc").await;
    }
    let asked = stage.fleet.origin.count("/doc");
    let [instance, seq, minutes, mac] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token}");
    };
    let later = seq.parse::<u64>().unwrap() + 1000;
    for forged in [
        format!("{instance}.{later}.{minutes}.{mac}"),
        format!("0123456789abcdef.{later}.{minutes}.{mac}"),
        format!("{instance}.{later}.{minutes}."),
        format!("{instance}.18446744073709551616.{minutes}.{mac}"),
        format!("{instance}.{later}"),
        "x".repeat(10_000),
        String::new(),
    ] {
        for envoy in 0..2 {
            let read = stage.read(envoy, &forged).await;
            assert_eq!(x_cache(&read), "HIT", "{forged}: {read:?}");
        }
    }
    assert_eq!(stage.fleet.origin.count("/doc"), asked);
    stage.assert_no_token_at_the_origin();
}
