//! Listeners and their filter chains, rendered from types.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::bootstrap::{address, overlay};

const LONGEST_DIRECT_BODY: u32 = 1 << 20;
const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// The filter under test and how it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wasm {
    module: PathBuf,
    configuration: String,
    vm_id: String,
    environment: Vec<(String, String)>,
    held_head: HeldHead,
}

/// What a filter stops that holds a request's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeldHead {
    /// The head alone.
    Head,
    /// All that comes behind it, too: Envoy's default.
    Everything,
}

impl Wasm {
    /// Loads `module` with the plugin configuration `configuration` (JSON, passed on as it is) in
    /// the VM `larder`. A crashed VM is reloaded, and held headers do not stop the body, as in the
    /// sample configurations.
    #[must_use]
    pub fn new(module: impl AsRef<Path>, configuration: &str) -> Self {
        Self {
            module: module.as_ref().to_owned(),
            configuration: configuration.to_owned(),
            vm_id: "larder".to_owned(),
            environment: Vec::new(),
            held_head: HeldHead::Head,
        }
    }

    /// Leaves `allow_on_headers_stop_iteration` out: who holds a head gets no body.
    #[must_use]
    pub fn held_heads_stop_bodies(mut self) -> Self {
        self.held_head = HeldHead::Everything;
        self
    }

    /// Another `vm_id`: what does not share one shares no data.
    #[must_use]
    pub fn vm_id(mut self, vm_id: &str) -> Self {
        self.vm_id = vm_id.to_owned();
        self
    }

    /// Sets an environment variable inside the VM.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn render(&self) -> Value {
        let environment = self.environment.iter();
        let variables: serde_json::Map<String, Value> = environment
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        json!({"name": "larder", "typed_config": {
            "@type": format!("{TYPES}.filters.http.wasm.v3.Wasm"),
            "config": {
                "name": "larder",
                "root_id": "larder",
                "vm_config": {
                    "vm_id": self.vm_id,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": self.module}},
                    "environment_variables": {"key_values": variables},
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": self.configuration,
                },
                "failure_policy": "FAIL_RELOAD",
                "allow_on_headers_stop_iteration": self.held_head == HeldHead::Head,
            },
        }})
    }
}

/// A filter in front of the router.
#[derive(Clone, Debug, PartialEq)]
pub enum HttpFilter {
    /// Any filter, as its JSON.
    Json(Value),
    /// Envoy's own cache with the simple store. Nothing varies: a response whose `Vary` is on its
    /// list crashes the process (envoyproxy/envoy#40469).
    NativeCache,
    /// The second version of Envoy's own cache, with the simple store. It stores nothing that varies.
    NativeCacheV2,
    /// A proxy-wasm filter.
    Wasm(Wasm),
}

impl HttpFilter {
    fn render(&self) -> Value {
        match self {
            Self::Json(filter) => filter.clone(),
            Self::NativeCache => json!({"name": "envoy.filters.http.cache", "typed_config": {
                "@type": format!("{TYPES}.filters.http.cache.v3.CacheConfig"),
                "typed_config": {
                    "@type": format!("{TYPES}.http.cache.simple_http_cache.v3.SimpleHttpCacheConfig"),
                },
            }}),
            Self::NativeCacheV2 => json!({"name": "envoy.filters.http.cache_v2", "typed_config": {
                "@type": format!("{TYPES}.filters.http.cache_v2.v3.CacheV2Config"),
                "typed_config": {
                    "@type": format!(
                        "{TYPES}.http.cache_v2.simple_http_cache.v3.SimpleHttpCacheV2Config"
                    ),
                },
            }}),
            Self::Wasm(wasm) => wasm.render(),
        }
    }
}

/// What answers behind the filters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The cluster of this name.
    Cluster(String),
    /// Envoy itself.
    Direct {
        /// The status code.
        status: u16,
        /// The body.
        body: String,
    },
}

/// One port with its filter chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Listener {
    name: String,
    target: Target,
    filters: Vec<HttpFilter>,
    response_headers: Vec<(String, String)>,
    buffer_limit: Option<u32>,
    host_response_headers: Vec<(String, String)>,
    local_reply_config: Value,
    route_metadata: Value,
    rewrites: Vec<(String, String)>,
    route_action: Value,
    at: SocketAddr,
}

impl Listener {
    /// A listener on a port of the kernel's choice. `name` also names its statistics.
    #[must_use]
    pub fn new(name: &str, target: Target) -> Self {
        Self {
            name: name.to_owned(),
            target,
            filters: Vec::new(),
            response_headers: Vec::new(),
            buffer_limit: None,
            host_response_headers: Vec::new(),
            local_reply_config: json!({}),
            route_metadata: json!({}),
            rewrites: Vec::new(),
            route_action: json!({}),
            at: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        }
    }

    /// How many bytes Envoy keeps for a connection, in place of its 1 MiB.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: u32) -> Self {
        self.buffer_limit = Some(bytes);
        self
    }

    /// Passes everything to a cluster.
    #[must_use]
    pub fn to_cluster(name: &str, cluster: &str) -> Self {
        Self::new(name, Target::Cluster(cluster.to_owned()))
    }

    /// Adds a filter after those added before.
    #[must_use]
    pub fn filter(mut self, filter: HttpFilter) -> Self {
        self.filters.push(filter);
        self
    }

    /// Adds a proxy-wasm filter.
    #[must_use]
    pub fn wasm(self, wasm: Wasm) -> Self {
        self.filter(HttpFilter::Wasm(wasm))
    }

    /// Lets the route add a response header, as operators do.
    #[must_use]
    pub fn adds_response_header(mut self, name: &str, value: &str) -> Self {
        self.response_headers
            .push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets the virtual host add a response header, behind those of the route.
    #[must_use]
    pub fn host_adds_response_header(mut self, name: &str, value: &str) -> Self {
        self.host_response_headers
            .push((name.to_owned(), value.to_owned()));
        self
    }

    /// Rewrites what filters and Envoy itself reply, by this `local_reply_config`.
    #[must_use]
    pub fn local_reply_config(mut self, config: Value) -> Self {
        self.local_reply_config = config;
        self
    }

    /// Lets the route carry metadata for filters: an object by their names.
    #[must_use]
    pub fn route_metadata(mut self, by_filter: Value) -> Self {
        self.route_metadata = by_filter;
        self
    }

    /// Adds a route for what begins with `prefix`, which the target sees beginning with `rewritten` in its place.
    #[must_use]
    pub fn rewrites(mut self, prefix: &str, rewritten: &str) -> Self {
        self.rewrites
            .push((prefix.to_owned(), rewritten.to_owned()));
        self
    }

    /// Has the route to the cluster do this too, or otherwise: members of its `route`.
    #[must_use]
    pub fn route_action(mut self, members: Value) -> Self {
        self.route_action = members;
        self
    }

    /// Listens there, where a cluster has to know it before the proxy starts.
    #[must_use]
    pub fn at(mut self, address: SocketAddr) -> Self {
        self.at = address;
        self
    }

    pub(super) fn render(&self) -> Value {
        let router = HttpFilter::Json(
            json!({"name": "envoy.filters.http.router", "typed_config": {
                "@type": format!("{TYPES}.filters.http.router.v3.Router"),
            }}),
        );
        let filters = self.filters.iter().chain([&router]);
        let filters: Vec<Value> = filters.map(HttpFilter::render).collect();
        let host = json!({
            "name": "all",
            "domains": ["*"],
            "routes": self.routes(),
            "response_headers_to_add": additions(&self.host_response_headers),
        });
        let manager = json!({
            "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
            "stat_prefix": self.name,
            "codec_type": "AUTO",
            "proxy_100_continue": true,
            "http_protocol_options": {"allow_custom_methods": true, "enable_trailers": true},
            "http_filters": filters,
            "local_reply_config": self.local_reply_config,
            "route_config": {
                "name": self.name,
                "virtual_hosts": [host],
                // 4096 by default.
                "max_direct_response_body_size_bytes": LONGEST_DIRECT_BODY,
            },
        });
        let mut listener = json!({
            "name": self.name,
            "stat_prefix": self.name,
            "address": address(self.at),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }]}],
        });
        if let Some(bytes) = self.buffer_limit {
            listener["per_connection_buffer_limit_bytes"] = bytes.into();
        }
        listener
    }

    fn routes(&self) -> Vec<Value> {
        let mut routes: Vec<Value> = Vec::new();
        for (prefix, rewritten) in &self.rewrites {
            let mut route = self.route();
            route["match"] = json!({"prefix": prefix});
            route["name"] = format!("rewrites {prefix}").into();
            route["route"]["prefix_rewrite"] = rewritten.as_str().into();
            routes.push(route);
        }
        routes.push(self.route());
        routes
    }

    fn route(&self) -> Value {
        let mut route = json!({
            "match": {"prefix": "/"},
            "name": "all",
            "metadata": {"filter_metadata": self.route_metadata},
            "response_headers_to_add": additions(&self.response_headers),
        });
        match &self.target {
            // Tests hold responses back for as long as they like.
            Target::Cluster(cluster) => {
                route["route"] = json!({"cluster": cluster, "timeout": "0s"});
                overlay(&mut route["route"], &self.route_action);
            }
            Target::Direct { status, body } => {
                route["direct_response"] =
                    json!({"status": status, "body": {"inline_string": body}});
            }
        }
        route
    }
}

/// As Envoy adds them by default: behind what stands there.
fn additions(headers: &[(String, String)]) -> Vec<Value> {
    let added = headers.iter();
    added
        .map(|(key, value)| json!({"header": {"key": key, "value": value}}))
        .collect()
}
