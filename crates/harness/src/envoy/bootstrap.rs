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
    address: SocketAddr,
    protocol: Protocol,
    members: Value,
}

impl Cluster {
    /// Speaks HTTP/1.1 with `address`.
    #[must_use]
    pub fn new(name: &str, address: SocketAddr) -> Self {
        Self {
            name: name.to_owned(),
            address,
            protocol: Protocol::Http1,
            members: json!({}),
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
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(self.address)}}]}],
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
    mode: Mode,
    clusters: &[Cluster],
    listeners: &[Listener],
    pushes: &Pushes,
) -> Value {
    let clusters: Vec<Value> = clusters.iter().map(Cluster::render).collect();
    let mut bootstrap = json!({
        "node": {"id": "larder-harness", "cluster": "larder-harness"},
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
