//! Istio: what istiod makes of a WasmPlugin and of EnvoyFilters (`pilot/pkg/model`, `pilot/pkg/networking` in istio/istio), and its
//! agent of the module's address.
//!
//! The extension comes by itself (ECDS) and belongs to no `vm_id`; heads that are held stop bodies; streams have no idle timeout;
//! BAN is a method that the proxy does not know.

use std::fs;

use larder_harness::{Scratch, tools};
use serde_json::{Value, json};

use super::*;

const LARDER: &str = include_str!("../../../envoy/istio/larder.yaml");
const HELD_HEADS: &str = include_str!("../../../envoy/istio/held-heads.yaml");
const SERVICE: &str = "outbound|8090||larder-admin.larder.svc.cluster.local";
const INBOUND: &str = "inbound|8080||";

/// `convertToWasmPluginWrapper`, and the file that the agent puts in the place of the image.
fn extension(plugin: &Value) -> Value {
    let (spec, metadata) = (&plugin["spec"], &plugin["metadata"]);
    let name = |member: &str| metadata[member].as_str().unwrap();
    let name = format!("{}.{}", name("namespace"), name("name"));
    let variables = spec["vmConfig"]["env"].as_array().unwrap().iter();
    let from_host: Vec<&Value> = variables
        .filter(|one| one["valueFrom"] == "HOST")
        .map(|one| &one["name"])
        .collect();
    let policy = match spec["failStrategy"].as_str().unwrap() {
        "FAIL_RELOAD" => "FAIL_RELOAD",
        other => panic!("{other}"),
    };
    json!({"name": name, "typed_config": {
        "@type": format!("{TYPES}.filters.http.wasm.v3.Wasm"),
        "config": {
            "name": name,
            "root_id": spec["pluginName"].as_str().unwrap_or_default(),
            "failure_policy": policy,
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": spec["pluginConfig"].to_string(),
            },
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": tools::module().unwrap()}},
                "environment_variables": {"host_env_keys": from_host},
            },
        },
    }})
}

/// The patch of this kind in the EnvoyFilter of this name.
fn patch(text: &str, name: &str, applies_to: &str) -> Value {
    let found = documents(text).into_iter();
    let filters = found.filter(|one| one["kind"] == "EnvoyFilter");
    let filter = filters
        .into_iter()
        .find(|one| one["metadata"]["name"] == name)
        .unwrap();
    let patches = filter["spec"]["configPatches"].as_array().unwrap();
    let mut patches = patches.iter().filter(|one| one["applyTo"] == applies_to);
    patches.next().unwrap()["patch"]["value"].clone()
}

/// What stands before the extension and behind it, and the route's settings of these.
#[derive(Default)]
struct Others {
    before: Vec<Value>,
    behind: Vec<Value>,
    of_route: Value,
}

/// One proxy whose extension comes from the control plane: here a file, as the harness has no istiod.
async fn proxy(around: &Around, extension: &Value, inbound: &Value) -> (Envoy, Scratch) {
    proxy_among(around, extension, inbound, Others::default()).await
}

async fn proxy_among(
    around: &Around,
    extension: &Value,
    inbound: &Value,
    others: Others,
) -> (Envoy, Scratch) {
    let directory = Scratch::new("istio").unwrap();
    let discovery = directory.path().join("extensions.json");
    let mut resource = extension.clone();
    resource["@type"] = json!("type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig");
    fs::write(&discovery, json!({"resources": [resource]}).to_string()).unwrap();
    let discovered = json!({"name": extension["name"], "config_discovery": {
        "config_source": {
            "path_config_source": {"path": discovery},
            "initial_fetch_timeout": "0s",
            "resource_api_version": "V3",
        },
        "type_urls": [extension["typed_config"]["@type"]],
    }});
    let filters = [
        others.before,
        vec![discovered],
        others.behind,
        vec![router()],
    ]
    .concat();
    let manager = json!({
        "stat_prefix": "inbound_0.0.0.0_8080",
        "stream_idle_timeout": "0s",
        "http_filters": filters,
        "route_config": {"name": INBOUND, "virtual_hosts": [{
            "name": "inbound|http|8080",
            "domains": ["*"],
            "routes": [{
                "name": "default",
                "match": {"prefix": "/"},
                "route": {"cluster": inbound["name"], "timeout": "0s"},
                "typed_per_filter_config": others.of_route,
            }],
        }]},
    });
    let statistics = patch(LARDER, "larder-statistics", "BOOTSTRAP");
    let clusters = [inbound.clone(), cluster(SERVICE, around.admin.address())];
    let envoy = start(&bootstrap(&manager, &clusters, &statistics)).await;
    around.meet().await;
    (envoy, directory)
}

/// The extension of held-heads.yaml, with the file that the agent puts in the place of the image.
fn held_heads() -> Value {
    let mut extension = patch(HELD_HEADS, "larder", "EXTENSION_CONFIG");
    extension["typed_config"]["config"]["vm_config"]["code"] =
        json!({"local": {"filename": tools::module().unwrap()}});
    extension
}

const CORS: &str = "envoy.filters.http.cors";

/// `Cors`, which every proxy has.
fn cors() -> Vec<Value> {
    let settings = json!({"@type": format!("{TYPES}.filters.http.cors.v3.Cors")});
    vec![json!({"name": CORS, "typed_config": settings})]
}

/// What a VirtualService's `corsPolicy` becomes.
fn cors_policy() -> Value {
    json!({CORS: {
        "@type": format!("{TYPES}.filters.http.cors.v3.CorsPolicy"),
        "allow_origin_string_match": [{"safe_regex": {"regex": "https://.*"}}],
    }})
}

async fn of_origin(envoy: &Envoy, origin: &str) -> Answer {
    let visitor = Visitor {
        at: envoy.address("mesh"),
        bound_for: None,
    };
    let request = Request::get("/api/analytics/a").header("origin", origin);
    let answer = visitor.send(request).await;
    let allowed = answer.header("access-control-allow-origin");
    assert_eq!(allowed, Some(origin), "{answer:?}");
    answer
}

/// A sidecar sends what comes in to where the connection was bound for.
fn to_where_it_was_bound() -> Value {
    json!({
        "name": INBOUND, "type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED", "connect_timeout": "10s",
        "original_dst_lb_config": {"use_http_header": true},
    })
}

#[tokio::test]
async fn the_wasm_plugin_works_at_a_gateway() {
    let around = Around::start().await;
    let extension = extension(&of_kind(LARDER, "WasmPlugin"));
    let origin = cluster(
        "outbound|80||shop.default.svc.cluster.local",
        around.origin.address(),
    );
    let (envoy, _directory) = proxy(&around, &extension, &origin).await;
    let visitor = Visitor {
        at: envoy.address("mesh"),
        bound_for: None,
    };
    play(&around, &envoy, &visitor).await;
    // What it cannot do is said, and no request hangs for it.
    let bulk = Request::new("POST", "/api/cache/invalidate").body(r#"{"tags": ["analytics"]}"#);
    let answer = visitor.send(with_token(bulk)).await;
    assert_eq!(answer.status, 501, "{answer:?}");
    assert!(
        answer.text().contains("allow_on_headers_stop_iteration"),
        "{answer:?}"
    );
    // Over HTTP/1.1 the proxy knows PURGE, and no BAN.
    let purge = Request::new("PURGE", "/api/analytics/a");
    assert_eq!(visitor.send(with_token(purge)).await.status, 200);
    let purge = Request::new("BAN", "/").header("x-ban-url", "/api/.*");
    assert_eq!(visitor.send(with_token(purge)).await.status, 400);
}

#[tokio::test]
async fn the_wasm_plugin_works_at_a_sidecar() {
    let around = Around::start().await;
    let extension = extension(&of_kind(LARDER, "WasmPlugin"));
    let (envoy, _directory) = proxy(&around, &extension, &to_where_it_was_bound()).await;
    let visitor = Visitor {
        at: envoy.address("mesh"),
        bound_for: Some(around.origin.address()),
    };
    play(&around, &envoy, &visitor).await;
}

#[tokio::test]
async fn the_envoy_filter_does_what_a_wasm_plugin_cannot() {
    let around = Around::start().await;
    let extension = held_heads();
    // Both patches speak of the same extension.
    let filter = patch(HELD_HEADS, "larder", "HTTP_FILTER");
    assert_eq!(filter["name"], extension["name"]);
    assert_eq!(
        filter["config_discovery"]["type_urls"][0],
        extension["typed_config"]["@type"]
    );
    let origin = cluster(
        "outbound|80||shop.default.svc.cluster.local",
        around.origin.address(),
    );
    let (envoy, _directory) = proxy(&around, &extension, &origin).await;
    let visitor = Visitor {
        at: envoy.address("mesh"),
        bound_for: None,
    };
    play(&around, &envoy, &visitor).await;
    let bulk = Request::new("POST", "/api/cache/invalidate").body(r#"{"tags": ["analytics"]}"#);
    let answer = visitor.send(with_token(bulk)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    around.origin.on("/api/search", Reply::ok("found"));
    let search = |what: &'static str| Request::new("POST", "/api/search").body(what);
    assert_eq!(x_cache(&visitor.send(search("a")).await), "MISS");
    eventually("the same question is a hit", PATIENCE, async || {
        x_cache(&visitor.send(search("a")).await) == "HIT"
    })
    .await;
    assert_eq!(x_cache(&visitor.send(search("b")).await), "MISS");
}

/// A plugin stands in front of CORS (`buildHTTPConnectionManager`), and stores what that has added for one origin.
#[tokio::test]
async fn where_the_origin_is_in_the_key_a_hit_has_what_cors_adds_for_it() {
    let around = Around::start().await;
    let mut plugin = of_kind(LARDER, "WasmPlugin");
    let rules = plugin["spec"]["pluginConfig"]["rules"].as_array_mut();
    let mut rules = rules.unwrap().iter_mut();
    let analytics = rules.find(|rule| rule["name"] == "analytics").unwrap();
    analytics["key"] = json!({"headers": ["origin"]});
    let origin = cluster(
        "outbound|80||shop.default.svc.cluster.local",
        around.origin.address(),
    );
    let others = Others {
        behind: cors(),
        of_route: cors_policy(),
        ..Others::default()
    };
    let (envoy, _directory) = proxy_among(&around, &extension(&plugin), &origin, others).await;
    for site in ["https://a.example", "https://b.example"] {
        eventually("the site has a hit", PATIENCE, async || {
            x_cache(&of_origin(&envoy, site).await) == "HIT"
        })
        .await;
    }
}

/// An EnvoyFilter is put right in front of the router.
#[tokio::test]
async fn behind_cors_one_entry_is_for_all_origins() {
    let around = Around::start().await;
    let origin = cluster(
        "outbound|80||shop.default.svc.cluster.local",
        around.origin.address(),
    );
    let others = Others {
        before: cors(),
        of_route: cors_policy(),
        ..Others::default()
    };
    let (envoy, _directory) = proxy_among(&around, &held_heads(), &origin, others).await;
    eventually("one site has a hit", PATIENCE, async || {
        x_cache(&of_origin(&envoy, "https://a.example").await) == "HIT"
    })
    .await;
    let answer = of_origin(&envoy, "https://b.example").await;
    assert_eq!(x_cache(&answer), "HIT", "{answer:?}");
}
