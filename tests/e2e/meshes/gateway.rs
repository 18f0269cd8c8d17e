//! Envoy Gateway: what it makes of an EnvoyExtensionPolicy (`internal/xds/translator/wasm.go` in envoyproxy/gateway): a filter that
//! is switched off, and on again by the routes the policy is of, in a VM of its own, whose module Envoy fetches. Where it stands
//! among the others is in `httpfilters.go`.

use std::process::Command;

use larder_harness::tools;
use serde_json::{Value, json};

use super::*;

const LARDER: &str = include_str!("../../../envoy/gateway/larder.yaml");
const PATCH: &str = include_str!("../../../envoy/gateway/patch.yaml");
/// Where Envoy Gateway itself hands out modules.
const MODULES: &str = "wasm_cluster";

/// `wasmConfig`: the policy's first module.
fn filter(policy: &Value, sha256: &str, modules: &Origin) -> Value {
    let name = |member: &str| policy["metadata"][member].as_str().unwrap();
    let id = format!(
        "envoyextensionpolicy/{}/{}/wasm/0",
        name("namespace"),
        name("name")
    );
    let wasm = &policy["spec"]["wasm"][0];
    json!({"name": format!("envoy.filters.http.wasm/{id}"), "disabled": true, "typed_config": {
        "@type": format!("{TYPES}.filters.http.wasm.v3.Wasm"),
        "config": {
            "name": wasm["name"],
            "root_id": wasm["rootID"],
            "fail_open": wasm["failOpen"],
            "configuration": {
                "@type": "type.googleapis.com/google.protobuf.StringValue",
                "value": wasm["config"].to_string(),
            },
            "vm_config": {
                "vm_id": id,
                "runtime": "envoy.wasm.runtime.v8",
                "environment_variables": {"host_env_keys": wasm["env"]["hostKeys"]},
                "code": {"remote": {
                    "http_uri": {
                        "uri": format!("http://{}/larder.wasm", modules.address()),
                        "cluster": MODULES,
                        "timeout": "10s",
                    },
                    "sha256": sha256,
                }},
            },
        },
    }})
}

fn sha256(of: &std::path::Path) -> String {
    let output = Command::new("sha256sum").arg(of).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split(' ').next().unwrap().to_owned()
}

/// The EnvoyPatchPolicy, on the filter that it names.
fn patched(mut filter: Value) -> Value {
    let policy = of_kind(PATCH, "EnvoyPatchPolicy");
    // Envoy takes one of the two; the file says so.
    let config = filter["typed_config"]["config"].as_object_mut().unwrap();
    config.remove("fail_open");
    let name = filter["name"].as_str().unwrap().to_owned();
    for patch in policy["spec"]["jsonPatches"].as_array().unwrap() {
        let operation = &patch["operation"];
        let path = operation["jsonPath"].as_str().unwrap();
        assert_eq!(
            path,
            format!("..http_filters[?(@.name=='{name}')].typed_config.config")
        );
        assert_eq!(operation["op"], "add");
        let member = operation["path"].as_str().unwrap();
        filter["typed_config"]["config"][member] = operation["value"].clone();
    }
    filter
}

/// `sortHTTPFilters`: by default modules come first; what the EnvoyProxy says of a type moves all of that type.
fn in_order(filter: &Value, others: &[Value], proxy: &Value) -> Vec<Value> {
    let mut filters = vec![filter.clone()];
    filters.extend_from_slice(others);
    filters.push(router());
    for position in proxy["spec"]["filterOrder"].as_array().unwrap() {
        let of_type = |member: &str| {
            let name = position[member].as_str().unwrap();
            move |one: &Value| one["name"].as_str().unwrap().starts_with(name)
        };
        let (moved, mut rest): (Vec<_>, Vec<_>) =
            filters.iter().cloned().partition(of_type("name"));
        if let Some(at) = rest.iter().rposition(of_type("after")) {
            rest.splice(at + 1..at + 1, moved);
            filters = rest;
        }
    }
    filters
}

/// What the routes of the policy's Gateway become.
fn manager(filter: &Value, filters: &[Value]) -> Value {
    let on =
        json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {}});
    json!({
        "stat_prefix": "http-10080",
        "http_filters": filters,
        "route_config": {"name": "default/eg/http", "virtual_hosts": [{
            "name": "default/eg/http/shop_example_com",
            "domains": [HOST],
            "routes": [{
                "name": "httproute/default/shop/rule/0/match/0/shop_example_com",
                "match": {"prefix": "/"},
                "route": {"cluster": "httproute/default/shop/rule/0"},
                "typed_per_filter_config": {filter["name"].as_str().unwrap(): on},
            }],
        }]},
    })
}

/// The cluster that is made of the first rule of an HTTPRoute.
fn of_route(text: &str) -> String {
    let route = of_kind(text, "HTTPRoute");
    let name = |member: &str| route["metadata"][member].as_str().unwrap();
    format!("httproute/{}/{}/rule/0", name("namespace"), name("name"))
}

async fn proxy(around: &Around, change: impl FnOnce(Value) -> Value, others: &[Value]) -> Envoy {
    let modules = Origin::start().await.unwrap();
    let module = tools::module().unwrap();
    modules.on("/larder.wasm", Reply::ok(std::fs::read(&module).unwrap()));
    let policy = of_kind(LARDER, "EnvoyExtensionPolicy");
    let filter = change(filter(&policy, &sha256(&module), &modules));
    let clusters = [
        cluster("httproute/default/shop/rule/0", around.origin.address()),
        cluster(&of_route(LARDER), around.admin.address()),
        cluster(MODULES, modules.address()),
    ];
    let settings = of_kind(LARDER, "EnvoyProxy");
    let merged = documents(settings["spec"]["bootstrap"]["value"].as_str().unwrap()).remove(0);
    let manager = manager(&filter, &in_order(&filter, others, &settings));
    let envoy = start(&bootstrap(&manager, &clusters, &merged)).await;
    around.meet().await;
    envoy
}

#[tokio::test]
async fn the_extension_policy_works_at_a_gateway() {
    let around = Around::start().await;
    let envoy = proxy(&around, |filter| filter, &[]).await;
    let visitor = Visitor {
        at: envoy.address("mesh"),
        bound_for: None,
    };
    play(&around, &envoy, &visitor).await;
}

#[tokio::test]
async fn the_patch_lets_bodies_come_to_the_management_api() {
    let around = Around::start().await;
    let envoy = proxy(&around, patched, &[]).await;
    let visitor = Visitor {
        at: envoy.address("mesh"),
        bound_for: None,
    };
    play(&around, &envoy, &visitor).await;
    let bulk = Request::new("POST", "/api/cache/invalidate").body(r#"{"tags": ["analytics"]}"#);
    let answer = visitor.send(with_token(bulk)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What a SecurityPolicy's `authorization` becomes.
fn for_staff_only() -> Value {
    json!({"name": "envoy.filters.http.rbac", "typed_config": {
        "@type": format!("{TYPES}.filters.http.rbac.v3.RBAC"),
        "rules": {"action": "ALLOW", "policies": {"staff": {
            "permissions": [{"any": true}],
            "principals": [{"header": {"name": "x-role", "string_match": {"exact": "staff"}}}],
        }}},
    }})
}

#[tokio::test]
async fn a_hit_is_not_for_whom_authorization_refuses() {
    let around = Around::start().await;
    let envoy = proxy(&around, |filter| filter, &[for_staff_only()]).await;
    let visitor = Visitor {
        at: envoy.address("mesh"),
        bound_for: None,
    };
    let staff = || Request::get("/api/analytics/a").header("x-role", "staff");
    assert_eq!(x_cache(&visitor.send(staff()).await), "MISS");
    eventually("staff has a hit", PATIENCE, async || {
        x_cache(&visitor.send(staff()).await) == "HIT"
    })
    .await;
    let answer = visitor.get("/api/analytics/a").await;
    assert_eq!(answer.status, 403, "{answer:?}");
}
