//! A configuration is taken whole or not at all.

use larder_harness::client::{self, Request};
use larder_harness::envoy::{Cluster, Envoy, StartError, Update};
use larder_harness::origin::{Origin, Reply};
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{CACHE_ALL, MAIN, Stage, larder, x_cache};

/// Wrong in four places.
const BAD: &str = r#"{"rules":[
    {"name":"a","match":{"path":"/(unclosed"},"ttl_seconds":60},
    {"name":"a","match":{"path":"/.*"},"ttl_second":60},
    {"name":"b","match":{"path":"/.*"},"ttl_seconds":"60"}]}"#;

#[tokio::test]
async fn envoy_does_not_start_with_a_bad_configuration_and_says_everything_that_is_wrong() {
    let started = Envoy::builder()
        .cluster(Cluster::new("origin", ([127, 0, 0, 1], 1).into()))
        .listener(larder(BAD))
        .start()
        .await;
    let log = match started {
        Err(StartError::Ended { log, .. }) => log,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    };
    for path in [
        "rules[0].match.path",
        "rules[1].name",
        "rules[1].ttl_second",
        "rules[2].ttl_seconds",
    ] {
        assert!(
            log.contains(&format!("configuration refused: {path}")),
            "{path} is not named in:\n{log}"
        );
    }
}

#[tokio::test]
async fn a_bad_update_is_refused_and_the_old_configuration_goes_on() {
    let origin = Origin::start().await.unwrap();
    origin.on("/doc", Reply::ok("text"));
    let cluster = Cluster::new("origin", origin.address());
    let mut envoy = Envoy::builder()
        .cluster(cluster)
        .listener(larder(CACHE_ALL))
        .dynamic()
        .start()
        .await
        .unwrap();
    assert_eq!(
        x_cache(&client::get(envoy.address(MAIN), "/doc").await.unwrap()),
        "MISS"
    );

    assert_eq!(
        envoy.update(&[larder(BAD)]).await.unwrap(),
        Update::Rejected
    );
    let refused = "wasmcustom.larder_config_reloads_total.result.refused";
    assert_eq!(envoy.stat(refused).await.unwrap(), 1);
    assert_eq!(
        x_cache(&client::get(envoy.address(MAIN), "/doc").await.unwrap()),
        "HIT"
    );
    assert_eq!(
        x_cache(&client::get(envoy.address(MAIN), "/other").await.unwrap()),
        "MISS"
    );
}

#[tokio::test]
async fn a_good_update_takes_over_with_what_is_stored() {
    let origin = Origin::start().await.unwrap();
    origin.on(
        "/doc",
        Reply::ok("text").header("cache-control", "max-age=60"),
    );
    origin.on(
        "/never",
        Reply::ok("text").header("cache-control", "max-age=60"),
    );
    let cluster = Cluster::new("origin", origin.address());
    let mut envoy = Envoy::builder()
        .cluster(cluster)
        .listener(larder("{}"))
        .dynamic()
        .start()
        .await
        .unwrap();
    for path in ["/doc", "/never"] {
        client::get(envoy.address(MAIN), path).await.unwrap();
        assert_eq!(
            x_cache(&client::get(envoy.address(MAIN), path).await.unwrap()),
            "HIT"
        );
    }
    let with_rule = r#"{"rules":[{"name":"never","match":{"path":"/never"},"cache":false}]}"#;
    assert_eq!(
        envoy.update(&[larder(with_rule)]).await.unwrap(),
        Update::Accepted
    );
    eventually("the new rule holds", PATIENCE, async || {
        let answer = client::send(envoy.address(MAIN), Request::get("/never")).await;
        answer.is_ok_and(|answer| x_cache(&answer) == "BYPASS")
    })
    .await;
    assert_eq!(
        x_cache(&client::get(envoy.address(MAIN), "/doc").await.unwrap()),
        "HIT"
    );
    assert_eq!(origin.count("/doc"), 1);
}

#[tokio::test]
async fn what_is_switched_off_is_not_sent() {
    let configuration = r#"{"headers":{"x_cache":false,"cache_status":false,"cache_control":false},
        "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on("/doc", Reply::ok("text"));
    for _ in 0..2 {
        let answer = stage.get("/doc").await;
        for field in ["x-cache", "x-cache-age", "cache-status", "cache-control"] {
            assert_eq!(answer.header(field), None, "{field}");
        }
    }
    assert_eq!(stage.origin.count("/doc"), 1);
}

#[tokio::test]
async fn unmatched_requests_can_be_left_alone() {
    let stage = Stage::start(r#"{"unmatched":"bypass"}"#).await;
    stage.origin.on(
        "/doc",
        Reply::ok("text").header("cache-control", "max-age=60"),
    );
    for _ in 0..2 {
        let answer = stage.get("/doc").await;
        assert_eq!(
            (answer.header("x-cache"), answer.header("cache-status")),
            (None, None)
        );
    }
    assert_eq!(stage.origin.count("/doc"), 2);
}

#[tokio::test]
async fn a_rules_ttl_can_take_the_place_of_the_origins() {
    let configuration = r#"{"rules":[
        {"name":"over","match":{"path":"/over"},"ttl_seconds":60,"ttl_mode":"override"},
        {"name":"under","match":{"path":"/under"},"ttl_seconds":60}]}"#;
    let stage = Stage::start(configuration).await;
    for path in ["/over", "/under"] {
        stage
            .origin
            .on(path, Reply::ok("text").header("cache-control", "max-age=0"));
        stage.get(path).await;
    }
    let over = stage.get("/over").await;
    assert_eq!(
        (x_cache(&over), over.header("cache-control")),
        ("HIT", Some("max-age=0"))
    );
    assert_eq!(x_cache(&stage.get("/under").await), "MISS");
}

#[tokio::test]
async fn slots_that_cannot_be_changed_while_running_are_told_of() {
    let origin = Origin::start().await.unwrap();
    let slots = |slots: u32| format!(r#"{{"storage":{{"slots":{slots}}}}}"#);
    let cluster = Cluster::new("origin", origin.address());
    let mut envoy = Envoy::builder()
        .cluster(cluster)
        .listener(larder(&slots(1024)))
        .dynamic()
        .start()
        .await
        .unwrap();
    origin.on(
        "/kept",
        Reply::ok("x").header("cache-control", "max-age=60"),
    );
    client::get(envoy.address(MAIN), "/kept").await.unwrap();
    assert_eq!(
        envoy.update(&[larder(&slots(2048))]).await.unwrap(),
        Update::Accepted
    );
    eventually("the log says so", PATIENCE, async || {
        std::fs::read_to_string(envoy.log())
            .is_ok_and(|log| log.contains("storage.slots is 2048, but 1024 are in use"))
    })
    .await;
}
