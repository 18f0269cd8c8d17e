//! Envoy itself under the harness: needs the binary (`make tools`), not the module.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use larder_harness::client::{self, Protocol};
use larder_harness::envoy::{
    Cluster, Envoy, HttpFilter, Listener, StartError, Target, Update, Wasm,
};
use larder_harness::origin::{Origin, Reply};
use larder_harness::wait::{self, PATIENCE};

fn direct(name: &str, body: &str) -> Listener {
    let body = body.to_owned();
    Listener::new(name, Target::Direct { status: 200, body })
}

fn without_module() -> HttpFilter {
    HttpFilter::Wasm(Wasm::new("/no/such/module.wasm", "{}"))
}

#[tokio::test]
async fn every_listener_answers_in_its_own_way() {
    let origin = Origin::start().await.unwrap();
    origin.on(
        "/a",
        Reply::ok("from the origin").header("cache-control", "max-age=60"),
    );
    let mut envoy = Envoy::builder()
        .cluster(Cluster::new("one", origin.address()))
        .cluster(Cluster::new("two", origin.address()).http2())
        .listener(Listener::to_cluster("plain", "one"))
        .listener(Listener::to_cluster("h2", "two").adds_response_header("x-added", "1"))
        .listener(Listener::to_cluster("native", "one").filter(HttpFilter::NativeCache))
        .listener(Listener::to_cluster("native-v2", "one").filter(HttpFilter::NativeCacheV2))
        .listener(direct("direct", "from Envoy"))
        .start()
        .await
        .unwrap();
    for (name, body) in [
        ("plain", "from the origin"),
        ("h2", "from the origin"),
        ("direct", "from Envoy"),
    ] {
        assert_eq!(
            client::get(envoy.address(name), "/a").await.unwrap().text(),
            body,
            "{name}"
        );
    }
    let added = client::get(envoy.address("h2"), "/a").await.unwrap();
    assert_eq!(added.header("x-added"), Some("1"));
    for native in ["native", "native-v2"] {
        let before = origin.count("/a");
        wait::eventually("the native cache hits", PATIENCE, async || {
            let answer = client::get(envoy.address(native), "/a").await.unwrap();
            answer.header("age").is_some()
        })
        .await;
        assert!(origin.count("/a") > before, "{native}");
    }
    assert!(envoy.is_alive() && envoy.memory().unwrap() > 1 << 20);
    assert!(envoy.cpu_time().unwrap().as_nanos() > 0);
    assert!(envoy.stop().await.unwrap().success());
}

#[tokio::test]
async fn a_connection_can_be_had_on_each_worker() {
    let start = Envoy::builder().workers(2).listener(direct("main", "x"));
    let envoy = start.start().await.unwrap();
    for worker in [0, 1] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let connecting = envoy.connect_to_worker("main", worker, protocol);
            let mut client = connecting.await.unwrap();
            assert_eq!(client.get("/").await.unwrap().text(), "x");
            wait::eventually("it alone is open, and there", PATIENCE, async || {
                let active = |worker| format!("listener.main.worker_{worker}.downstream_cx_active");
                let here = envoy.stat(&active(worker)).await.unwrap();
                let there = envoy.stat(&active(1 - worker)).await.unwrap();
                (here, there) == (1, 0)
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_refused_configuration_ends_a_static_envoy_with_its_log() {
    let started = Envoy::builder()
        .listener(direct("main", "x").filter(without_module()))
        .start()
        .await;
    let Err(StartError::Ended { status, log }) = started else {
        panic!("{started:?}");
    };
    assert!(
        !status.success() && log.contains("/no/such/module.wasm"),
        "{log}"
    );
}

#[tokio::test]
async fn an_update_is_accepted_or_rejected_and_the_old_one_serves_on() {
    let start = Envoy::builder().dynamic().listener(direct("main", "old"));
    let mut envoy = start.start().await.unwrap();
    let bad = [direct("main", "bad").filter(without_module())];
    assert_eq!(envoy.update(&bad).await.unwrap(), Update::Rejected);
    assert_eq!(
        client::get(envoy.address("main"), "/")
            .await
            .unwrap()
            .text(),
        "old"
    );
    assert_eq!(
        envoy.update(&[direct("main", "new")]).await.unwrap(),
        Update::Accepted
    );
    wait::eventually("the new one serves", PATIENCE, async || {
        client::get(envoy.address("main"), "/")
            .await
            .unwrap()
            .text()
            == "new"
    })
    .await;
}
