//! A service of which one replica is gone: Envoy leaves it out, as the manifests have it, before anybody looks at its health. Of two
//! addresses it leaves out none unless told that it may (`max_ejection_percent`).

use larder_harness::Port;
use serde_json::{Value, json};

use super::*;

const ISTIO: &str = include_str!("../../../envoy/istio/larder.yaml");
const OUTSIDE: &str = include_str!("../../../envoy/istio/service-entry.yaml");
const GATEWAY: &str = include_str!("../../../envoy/gateway/larder.yaml");
const FLEET: &str = include_str!("../../../envoy/fleet.yaml");

/// `applyOutlierDetection` in istio/istio and `buildXdsOutlierDetection` in envoyproxy/gateway: both call things alike.
fn translated(detection: &Value) -> Value {
    let members = detection.as_object().unwrap().iter();
    let envoys = |name: &str| match name {
        "splitExternalLocalOriginErrors" => "split_external_local_origin_errors",
        "consecutiveLocalOriginFailures" => "consecutive_local_origin_failure",
        "interval" => "interval",
        "baseEjectionTime" => "base_ejection_time",
        "maxEjectionPercent" => "max_ejection_percent",
        other => panic!("{other}"),
    };
    members
        .map(|(name, content)| (envoys(name).to_owned(), content.clone()))
        .collect()
}

fn of_rule(text: &str) -> Value {
    let rule = of_kind(text, "DestinationRule");
    translated(&rule["spec"]["trafficPolicy"]["outlierDetection"])
}

async fn leaves_out_who_is_gone(detection: Value) {
    let origin = Origin::start().await.unwrap();
    origin.on("/", Reply::ok("here"));
    // Nobody listens there.
    let gone = Port::reserve().unwrap();
    let mut service = cluster("service", origin.address());
    let dead = json!({"endpoint": {"address": address(gone.address())}});
    let replicas = &mut service["load_assignment"]["endpoints"][0]["lb_endpoints"];
    replicas.as_array_mut().unwrap().push(dead);
    service["outlier_detection"] = detection;
    let manager = json!({"stat_prefix": "replicas", "http_filters": [router()], "route_config": {"virtual_hosts": [{
        "name": "all",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "service"}}],
    }]}});
    let envoy = start(&bootstrap(&manager, &[service], &json!({}))).await;
    let visitor = Visitor {
        at: envoy.address("mesh"),
        bound_for: None,
    };
    eventually("one is left out", PATIENCE, async || {
        visitor.get("/").await;
        let shown = envoy.ask("GET", "/stats?filter=ejections_active").await;
        shown.unwrap().text().contains("ejections_active: 1")
    })
    .await;
}

#[tokio::test]
async fn istio_leaves_out_a_replica_that_is_gone() {
    leaves_out_who_is_gone(of_rule(ISTIO)).await;
    leaves_out_who_is_gone(of_rule(OUTSIDE)).await;
}

#[tokio::test]
async fn envoy_gateway_leaves_out_a_replica_that_is_gone() {
    let policy = of_kind(GATEWAY, "BackendTrafficPolicy");
    leaves_out_who_is_gone(translated(&policy["spec"]["healthCheck"]["passive"])).await;
}

#[tokio::test]
async fn an_envoy_of_its_own_leaves_out_a_replica_that_is_gone() {
    let fleet = documents(FLEET).remove(0);
    let clusters = fleet["static_resources"]["clusters"].as_array().unwrap();
    let service = clusters.iter().find(|one| one["name"] == "larder_admin");
    leaves_out_who_is_gone(service.unwrap()["outlier_detection"].clone()).await;
}
