//! An Envoy whose configuration has no `admin` for a while tells the fleet afterwards what was purged at it meanwhile.

use larder_harness::admin::{self, Admin, SECRET, TOKEN};
use larder_harness::client::{self, Answer, Request};
use larder_harness::envoy::{Cluster, Envoy, Listener, Update, Wasm};
use larder_harness::fleet::{CLUSTER, HOST, MAIN};
use larder_harness::origin::Origin;
use larder_harness::tools;
use larder_harness::wait::{PATIENCE, eventually};
use serde_json::{Value, json};

use super::{Version, get, shown};
use crate::management::json;
use crate::stage::x_cache;

/// With an `admin` block, or without.
fn listener(admin: Option<Value>) -> Listener {
    let mut configuration = json!({
        "management": {},
        "rules": [{"name": "docs", "match": {"path": "/doc"}, "ttl_seconds": 600}],
    });
    if let Some(admin) = admin {
        configuration["admin"] = admin;
    }
    let filter = Wasm::new(tools::module().unwrap(), &configuration.to_string())
        .environment("LARDER_ADMIN_SECRET", SECRET)
        .environment("LARDER_TOKEN", TOKEN);
    Listener::to_cluster(MAIN, "origin").wasm(filter)
}

fn of_fleet() -> Listener {
    // A look at the fleet may take its time on a machine with other things to do.
    listener(Some(json!({"cluster": CLUSTER, "timeout_ms": 1000})))
}

async fn send(envoy: &Envoy, request: Request) -> Answer {
    let answer = client::send(envoy.address(MAIN), request.authority(HOST)).await;
    answer.unwrap()
}

/// What the answer to a purge of a path says of the fleet.
async fn purge(envoy: &Envoy, path: &str) -> Value {
    let answer = send(envoy, admin::call("PURGE", path)).await;
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    json(&answer)["durable"].clone()
}

async fn asked(service: &Admin, path: &str) -> Value {
    json(&service.send(admin::wire("GET", path)).await.unwrap())
}

/// Two instances are at the end of the log.
async fn caught_up(service: &Admin) {
    eventually("both have applied all of the log", PATIENCE, async || {
        let end = asked(service, "/v1/invalidations?wait_seconds=0").await["cursor"].clone();
        let instances = asked(service, "/v1/instances").await["instances"].clone();
        let applied = instances.as_array().unwrap().iter();
        applied.filter(|one| one["applied"] == end).count() >= 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_purged_while_there_was_no_admin_block_is_told_when_it_is_back() {
    let origin = Origin::start().await.unwrap();
    let document = Version::at(&origin, "/doc");
    let service = Admin::over("memory").start().await.unwrap();
    let envoy = |node: &str| {
        Envoy::builder()
            .node(node)
            .cluster(Cluster::new("origin", origin.address()))
            .cluster(Cluster::of_fleet(CLUSTER, &[service.address()]))
            .listener(of_fleet())
    };
    let mut leaving = envoy("leaving").dynamic().start().await.unwrap();
    let staying = envoy("staying").start().await.unwrap();
    caught_up(&service).await;
    eventually("the other has it from the fleet", PATIENCE, async || {
        let _ = send(&leaving, get("/doc")).await;
        x_cache(&send(&staying, get("/doc")).await) == "HIT"
    })
    .await;

    let alone = leaving.update(&[listener(None)]).await.unwrap();
    assert_eq!(alone, Update::Accepted);
    // The configuration of before lives for as long as its connections.
    eventually("it is alone", PATIENCE, async || {
        purge(&leaving, "/other").await.is_null()
    })
    .await;
    let new = document.raise();
    purge(&leaving, "/doc").await;

    let back = leaving.update(&[of_fleet()]).await.unwrap();
    assert_eq!(back, Update::Accepted);
    eventually("it is of the fleet again", PATIENCE, async || {
        purge(&leaving, "/other").await == true
    })
    .await;
    caught_up(&service).await;
    for envoy in [&leaving, &staying] {
        assert_eq!(shown(&send(envoy, get("/doc")).await), new);
    }
}
