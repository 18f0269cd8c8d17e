//! The manifests for Istio and Envoy Gateway, as their control planes would have them: what each makes of its resources is written
//! down here, and a real Envoy is started with it, the service behind it.

use std::net::SocketAddr;

use larder_harness::admin::{self, Admin, SECRET, TOKEN};
use larder_harness::client::{self, Answer, Request};
use larder_harness::envoy::Envoy;
use larder_harness::origin::{Origin, Reply};
use larder_harness::valkey::Valkey;
use larder_harness::wait::{PATIENCE, eventually};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Value, json};

use crate::management::json as body;
use crate::stage::x_cache;

mod gateway;
mod istio;
mod replicas;

const TYPES: &str = "type.googleapis.com/envoy.extensions";
const HOST: &str = "shop.example.com";

/// The documents of a manifest.
fn documents(text: &str) -> Vec<Value> {
    let read = Yaml::load_from_str(text).unwrap();
    read.iter().map(value).collect()
}

/// The one of this kind.
fn of_kind(text: &str, kind: &str) -> Value {
    let mut found = documents(text).into_iter();
    found.find(|document| document["kind"] == kind).unwrap()
}

fn value(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(flag)) => json!(flag),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Sequence(items) => items.iter().map(value).collect(),
        Yaml::Mapping(pairs) => {
            let pair = |(name, content): (&Yaml<'_>, &Yaml<'_>)| {
                (name.as_str().unwrap().to_owned(), value(content))
            };
            Value::Object(pairs.iter().map(pair).collect())
        }
        Yaml::Representation(..) | Yaml::Tagged(..) | Yaml::Alias(_) | Yaml::BadValue => {
            panic!("{yaml:?}")
        }
    }
}

/// What is outside of the proxy.
struct Around {
    origin: Origin,
    admin: Admin,
    _valkey: Valkey,
}

impl Around {
    async fn start() -> Self {
        let origin = Origin::start().await.unwrap();
        origin.on("/api/analytics/*", Reply::ok("forty-two"));
        let valkey = Valkey::builder().start().await.unwrap();
        let admin = Admin::over(&valkey.url()).start().await.unwrap();
        Self {
            origin,
            admin,
            _valkey: valkey,
        }
    }

    /// Waits until the proxy follows the log: what it has stored before is over by then.
    async fn meet(&self) {
        eventually("the proxy is heard of", PATIENCE, async || {
            let listing = self.admin.send(admin::wire("GET", "/v1/instances")).await;
            body(&listing.unwrap())["instances"][0]["applied"].is_string()
        })
        .await;
    }
}

fn address(at: SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}})
}

/// A cluster as Istio and Envoy Gateway call it.
fn cluster(name: &str, at: SocketAddr) -> Value {
    json!({"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": {
        "cluster_name": name,
        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(at)}}]}],
    }})
}

/// A whole bootstrap of one listener.
fn bootstrap(manager: &Value, clusters: &[Value], statistics: &Value) -> String {
    let mut manager = manager.clone();
    manager["@type"] = json!(format!(
        "{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"
    ));
    let mut bootstrap = statistics.clone();
    bootstrap["admin"] = json!({"address": address(([127, 0, 0, 1], 0).into())});
    bootstrap["static_resources"] = json!({
        "clusters": clusters,
        "listeners": [{
            "name": "mesh",
            "address": address(([127, 0, 0, 1], 0).into()),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }]}],
        }],
    });
    // JSON is YAML too.
    bootstrap.to_string()
}

fn router() -> Value {
    json!({"name": "envoy.filters.http.router", "typed_config": {
        "@type": format!("{TYPES}.filters.http.router.v3.Router"),
    }})
}

/// Starts it with what the manifests put into its environment.
async fn start(bootstrap: &str) -> Envoy {
    let file = Envoy::of_file(bootstrap, 2)
        .environment("LARDER_ADMIN_SECRET", SECRET)
        .environment("LARDER_TOKEN", TOKEN);
    file.start().await.unwrap().0
}

/// A client of the mesh.
struct Visitor {
    at: SocketAddr,
    /// Where the cluster of a sidecar sends it, in place of what the kernel knows of a connection that was taken.
    bound_for: Option<SocketAddr>,
}

impl Visitor {
    async fn send(&self, request: Request) -> Answer {
        let mut request = request.authority(HOST);
        if let Some(at) = self.bound_for {
            request = request.header("x-envoy-original-dst-host", at.to_string());
        }
        client::send(self.at, request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }
}

fn with_token(request: Request) -> Request {
    request.header("authorization", format!("Bearer {TOKEN}"))
}

/// A miss, hits at every worker, a 304, a purge here, a purge at the service, and the statistics that tell of it.
async fn play(around: &Around, envoy: &Envoy, visitor: &Visitor) {
    const PATH: &str = "/api/analytics/a";
    let settle = async || {
        eventually("every worker has it", PATIENCE, async || {
            for _ in 0..8 {
                if x_cache(&visitor.get(PATH).await) != "HIT" {
                    return false;
                }
            }
            true
        })
        .await;
    };
    assert_eq!(x_cache(&visitor.get(PATH).await), "MISS");
    settle().await;
    let tag = visitor.get(PATH).await.header("etag").unwrap().to_owned();
    let same = visitor
        .send(Request::get(PATH).header("if-none-match", tag))
        .await;
    assert_eq!((same.status, x_cache(&same)), (304, "HIT"));

    let asked = around.origin.count(PATH);
    let purge = Request::new("POST", "/api/cache/invalidate/tag/analytics");
    assert_eq!(visitor.send(purge.clone()).await.status, 401);
    let answer = visitor.send(with_token(purge)).await;
    assert_eq!(
        (answer.status, &body(&answer)["durable"]),
        (200, &json!(true)),
        "{answer:?}"
    );
    assert_eq!(x_cache(&visitor.get(PATH).await), "MISS");
    assert_eq!(around.origin.count(PATH), asked + 1);

    settle().await;
    // With a body, as only the service takes it where a held head stops bodies.
    let purge = Request::new("POST", "/api/cache/invalidate");
    let purge = with_token(purge).body(r#"{"tags": ["analytics"]}"#);
    let answer = client::send(around.admin.address(), purge.authority(HOST))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    eventually("the purge is heard of", PATIENCE, async || {
        visitor.get(PATH).await;
        around.origin.count(PATH) == asked + 2
    })
    .await;

    eventually("statistics with labels", PATIENCE, async || {
        let shown = envoy.ask("GET", "/stats/prometheus").await.unwrap().text();
        let mut lines = shown.lines();
        lines.any(|line| {
            line.starts_with("larder_requests_total{")
                && line.contains("rule=\"analytics\"")
                && line.contains("outcome=\"hit\"")
                && !line.ends_with(" 0")
        })
    })
    .await;
}
