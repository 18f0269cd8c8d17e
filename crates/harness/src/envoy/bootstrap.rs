//! Envoy's bootstrap, rendered from types.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::dynamic::Pushes;
use super::listener::Listener;
use crate::client::Protocol;

/// Where the listeners come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A watched file (LDS), which may change.
    Dynamic,
    /// The bootstrap, for good.
    Static,
}

/// One upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    name: String,
    addresses: Vec<SocketAddr>,
    protocol: Protocol,
    members: Value,
}

impl Cluster {
    /// Speaks HTTP/1.1 with `address`.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            addresses: vec![address],
            protocol: Protocol::Http1,
            members: json!({}),
        }
    }

    /// The service of a fleet, as operators have it: who does not answer, or says that it is not ready, is left out. Where
    /// that is so of all of them, Envoy asks them all the same.
    #[must_use]
    pub fn of_fleet(name: &str, replicas: &[SocketAddr]) -> Self {
        Self {
            name: name.to_owned(),
            addresses: replicas.to_vec(),
            protocol: Protocol::Http1,
            members: json!({
                "connect_timeout": "1s",
                "health_checks": [{
                    "timeout": "1s",
                    "interval": "1s",
                    "unhealthy_threshold": 2,
                    "healthy_threshold": 1,
                    "http_health_check": {"path": "/readyz"},
                }],
                "outlier_detection": {
                    "split_external_local_origin_errors": true,
                    "consecutive_local_origin_failure": 2,
                    "interval": "1s",
                    "base_ejection_time": "1s",
                    "max_ejection_percent": 100,
                },
            }),
        }
    }

    /// Speaks HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.protocol = Protocol::Http2;
        self
    }

    /// Sets these members of its configuration, in place of what they would be.
    #[must_use]
    pub fn members(mut self, members: Value) -> Self {
        self.members = members;
        self
    }

    /// Limits are far off: what a test holds back is decided by the test.
    fn render(&self) -> Value {
        let http = match self.protocol {
            Protocol::Http1 => json!({"http_protocol_options": {"enable_trailers": true}}),
            Protocol::Http2 => json!({"http2_protocol_options": {}}),
        };
        let endpoint = |at: &SocketAddr| json!({"endpoint": {"address": address(*at)}});
        let endpoints: Vec<Value> = self.addresses.iter().map(endpoint).collect();
        let far = 100_000;
        let mut cluster = json!({
            "name": self.name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "circuit_breakers": {"thresholds": [{
                "max_connections": far, "max_pending_requests": far, "max_requests": far
            }]},
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "common_http_protocol_options": {"max_headers_count": 10_000},
                    "explicit_http_config": http,
                }
            },
            "load_assignment": {
                "cluster_name": self.name,
                "endpoints": [{"lb_endpoints": endpoints}],
            },
        });
        overlay(&mut cluster, &self.members);
        cluster
    }
}

/// Sets the members of one object in another; null takes one away.
pub(super) fn overlay(object: &mut Value, members: &Value) {
    for (name, value) in members.as_object().into_iter().flatten() {
        match (object.as_object_mut(), value) {
            (Some(object), Value::Null) => drop(object.remove(name)),
            (Some(object), value) => drop(object.insert(name.clone(), value.clone())),
            (None, _) => {}
        }
    }
}

pub(super) fn address(at: SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}})
}

pub(super) fn render(
    node: &str,
    mode: Mode,
    clusters: &[Cluster],
    listeners: &[Listener],
    pushes: &Pushes,
) -> Value {
    let clusters: Vec<Value> = clusters.iter().map(Cluster::render).collect();
    let mut bootstrap = json!({
        "node": {"id": node, "cluster": "larder-harness"},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "static_resources": {"clusters": clusters},
    });
    match mode {
        Mode::Dynamic => {
            bootstrap["dynamic_resources"] = json!({"lds_config": {
                "resource_api_version": "V3",
                "path_config_source": {
                    "path": pushes.file(),
                    "watched_directory": {"path": pushes.directory()},
                },
            }});
        }
        Mode::Static => {
            let listeners: Vec<Value> = listeners.iter().map(Listener::render).collect();
            bootstrap["static_resources"]["listeners"] = listeners.into();
        }
    }
    bootstrap
}
