//! Memory stays within what the configuration says, whatever is asked.

use larder_harness::client::{self, Client, Protocol, Request};
use larder_harness::envoy::{Cluster, Envoy};
use larder_harness::origin::{Origin, Reply};
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{EVICTED, MAIN, Stage, larder, pattern, x_cache};

const MEBIBYTE: u64 = 1024 * 1024;

/// Has each of these URLs asked for once, by eight clients at a time; how many were hits.
async fn ask_for(stage: &Stage, urls: std::ops::Range<usize>) -> usize {
    let mut asking = Vec::new();
    for number in 0..8 {
        let mut client = Client::connect(stage.address(), Protocol::Http1)
            .await
            .unwrap();
        let urls = urls.clone().skip(number).step_by(8);
        asking.push(tokio::spawn(async move {
            let mut hits = 0;
            for url in urls {
                let request = Request::get(&format!("/{url}")).authority("api.example.com");
                let answer = client.send(request).await.unwrap();
                assert_eq!((answer.status, answer.body.len()), (200, 4_000));
                hits += usize::from(x_cache(&answer) == "HIT");
            }
            hits
        }));
    }
    let mut hits = 0;
    for client in asking {
        hits += client.await.unwrap();
    }
    hits
}

/// What had to go, and what was not let in.
async fn turnover(stage: &Stage) -> u64 {
    let refused = "larder_not_stored_total.reason.not-admitted";
    stage.counter(EVICTED).await + stage.counter(refused).await
}

/// The bytes that `docs/operations.md` says, and no more with every URL that comes.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_thousand_urls_in_sixteen_mebibytes() {
    let configuration = r#"{"storage":{"slots":16384,"max_bytes":16777216,"hot_bytes":1048576},
        "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":600}]}"#;
    let stage = Stage::with_workers(8, configuration).await;
    stage.origin.on("/*", Reply::ok(pattern(4_000)));
    ask_for(&stage, 0..400).await;
    let warm = stage.envoy.memory().unwrap();
    ask_for(&stage, 400..10_000).await;
    let full = stage.envoy.memory().unwrap();
    ask_for(&stage, 10_000..30_000).await;
    let end = stage.envoy.memory().unwrap();
    let stored = 16 * MEBIBYTE + 16_384 * 200;
    let bound = (stored + 8 * MEBIBYTE) * 13 / 10;
    assert!(end < warm + bound, "from {warm} to {end}");
    assert!(end < full + 3 * MEBIBYTE, "from {full} to {end}");
    assert!(turnover(&stage).await > 20_000);
    eventually(
        "the sweep has counted what is there",
        PATIENCE,
        async || {
            let entries = stage.counter("larder_entries.vm_id.larder").await;
            (3_000..=4_000).contains(&entries)
        },
    )
    .await;
    // Each worker may have had something in hand when there was room for one.
    let held = stage.counter("larder_bytes.vm_id.larder").await;
    assert!(held <= 16 * MEBIBYTE + 8 * 5_000, "{held}");
    stage.assert_unharmed().await;
}

/// There is room for about 450 responses.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_popular_survives_a_scan() {
    let configuration = r#"{"storage":{"slots":2048,"max_bytes":2097152,"hot_bytes":0},"limits":{"max_object_bytes":100000},
        "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":600}]}"#;
    let stage = Stage::with_workers(2, configuration).await;
    stage.origin.on("/*", Reply::ok(pattern(4_000)));
    for _ in 0..6 {
        ask_for(&stage, 0..200).await;
    }
    ask_for(&stage, 1_000..4_000).await;
    assert!(turnover(&stage).await > 2_000);
    let hits = ask_for(&stage, 0..200).await;
    assert!(hits > 180, "{hits} of 200 are left");
}

/// More slots than 8 MiB fill with what is stored in these plays.
const PLENTY: &str = r#"{"storage":{"slots":65536,"max_bytes":8388608},
    "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":600}]}"#;

/// Has 500 URLs stored, 50 MB one after the other, and counts how many are there in the end.
async fn kept_of_500(stage: &Stage) -> usize {
    stage.origin.on("/*", Reply::ok(pattern(100_000)));
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    let url = |n| Request::get(&format!("/{n}")).authority("api.example.com");
    for n in 0..500 {
        client.send(url(n)).await.unwrap();
    }
    let mut kept = 0;
    for n in 0..500 {
        let only_cached = url(n).header("cache-control", "only-if-cached");
        kept += usize::from(x_cache(&client.send(only_cached).await.unwrap()) == "HIT");
    }
    kept
}

#[tokio::test]
async fn the_byte_budget_holds_when_slots_are_plenty() {
    let stage = Stage::start(PLENTY).await;
    let kept = kept_of_500(&stage).await;
    assert!(
        (40..=84).contains(&kept),
        "{kept} of 500 are still there; 83 fit"
    );
    assert!(stage.counter("larder_bytes.vm_id.larder").await <= 8_388_608);
}

/// The running total is a statistic.
#[tokio::test]
async fn the_byte_budget_holds_where_the_proxy_keeps_no_statistics() {
    let stage = Stage::without_statistics(1, PLENTY).await;
    let kept = kept_of_500(&stage).await;
    assert!(kept <= 84, "{kept} of 500 are still there; 83 fit");
}

#[tokio::test]
async fn a_url_has_so_many_variants_and_no_more() {
    let configuration = r#"{"limits":{"max_variants":3},"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let stage = Stage::start(configuration).await;
    stage
        .origin
        .on("/page", Reply::ok("x").header("vary", "user-agent"));
    let ask = |agent: usize| Request::get("/page").header("user-agent", format!("agent {agent}"));
    for agent in 0..3 {
        stage.send(ask(agent)).await;
        assert_eq!(x_cache(&stage.send(ask(agent)).await), "HIT", "{agent}");
    }
    let fourth = stage.send(ask(3)).await;
    assert_eq!(
        fourth.header("cache-status"),
        Some("larder; fwd=vary-miss; detail=vary-limit")
    );
    assert_eq!(x_cache(&stage.send(ask(0)).await), "HIT");
}

#[tokio::test]
async fn a_lowered_budget_is_kept_to() {
    let configuration = |bytes: u64| {
        format!(
            r#"{{"storage":{{"max_bytes":{bytes}}},"limits":{{"max_object_bytes":200000}},
            "rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":600}}]}}"#
        )
    };
    let origin = Origin::start().await.unwrap();
    origin.on("/*", Reply::ok(pattern(100_000)));
    let mut envoy = Envoy::builder()
        .dynamic()
        .cluster(Cluster::new("origin", origin.address()))
        .listener(larder(&configuration(40_000_000)))
        .start()
        .await
        .unwrap();
    for n in 0..350 {
        client::get(envoy.address(MAIN), &format!("/{n}"))
            .await
            .unwrap();
    }
    envoy
        .update(&[larder(&configuration(4_000_000))])
        .await
        .unwrap();
    for n in 0..400 {
        let _ = client::get(envoy.address(MAIN), &format!("/new/{n}")).await;
    }
    let held = async || {
        envoy
            .stat("wasmcustom.larder_bytes.vm_id.larder")
            .await
            .unwrap()
    };
    eventually(
        "the bytes are within the new budget",
        PATIENCE,
        async || held().await <= 4_000_000,
    )
    .await;
}
