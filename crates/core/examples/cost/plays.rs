//! The exchanges that are measured.

use std::fmt::Write as _;

use larder_core::http::Headers;

use super::KIB;
use super::worker::End;

fn request(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let lines = [
        (":authority", "api.example.com"),
        (":path", path),
        (":method", "GET"),
        (":scheme", "http"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("x-forwarded-for", "10.1.2.3"),
        ("x-forwarded-proto", "https"),
        ("x-envoy-internal", "true"),
        ("x-request-id", "f3a1c6f0-0f7a-4f0e-9d64-8d4c2e0f6a11"),
    ];
    Headers::from_iter(lines.iter().chain(more).copied()).to_pairs()
}

fn response(body: usize, more: &[(&str, &str)]) -> Vec<u8> {
    let length = body.to_string();
    let lines = [
        (":status", "200"),
        ("date", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ("content-type", "application/json; charset=utf-8"),
        ("content-length", &length),
        ("cache-control", "public, max-age=3600"),
        ("etag", "\"5d41402abc4b2a76b9719d911017c592\""),
        ("last-modified", "Fri, 15 Jan 2027 07:00:00 GMT"),
        ("x-content-type-options", "nosniff"),
        ("server", "origin"),
        ("x-envoy-upstream-service-time", "3"),
    ];
    Headers::from_iter(lines.iter().chain(more).copied()).to_pairs()
}

/// An exchange to measure.
pub(super) struct Play {
    pub(super) name: &'static str,
    pub(super) config: String,
    /// The same request again and again, or each of several in turn.
    pub(super) requests: Vec<Vec<u8>>,
    pub(super) response: Vec<u8>,
    pub(super) body: usize,
    pub(super) expected: End,
    /// How much later each exchange is, in milliseconds.
    pub(super) pace: u64,
    /// What the shared tier may take.
    pub(super) max_bytes: u64,
    /// What the hot tier may take.
    pub(super) hot_bytes: usize,
}

const PLAIN: &str = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":3600}]}"#;

fn hit(name: &'static str, body: usize) -> Play {
    Play {
        name,
        config: PLAIN.to_owned(),
        requests: vec![request("/api/items/42?page=3&sort=name", &[])],
        response: response(body, &[]),
        body,
        expected: End::Replied(200),
        pace: 0,
        max_bytes: 1 << 30,
        hot_bytes: 0,
    }
}

/// A rule with a regular expression, behind 49 others.
fn fifty_rules() -> String {
    last_of_fifty(
        r#"{"name":"items","match":{"path":"/api/items/(?P<id>[^/]+)(/.*)?"},"ttl_seconds":3600}"#,
    )
}

/// One whose key is made of what its path takes.
fn profile_rule() -> String {
    last_of_fifty(
        r#"{"name":"p","match":{"path":"/user/(?P<id>[^/]+)/profile"},"ttl_seconds":3600,"key":{"template":"p:{id}"}}"#,
    )
}

fn last_of_fifty(last: &str) -> String {
    let mut rules = String::from(r#"{"rules":["#);
    for index in 0..49 {
        let _ = write!(
            rules,
            r#"{{"name":"r{index}","match":{{"path":"/other{index}/(?P<id>[^/]+)/.*"}},"ttl_seconds":60}},"#
        );
    }
    rules.push_str(last);
    rules.push_str("]}");
    rules
}

fn misses(name: &'static str, body: usize) -> Play {
    let paths = (0..2000).map(|n| format!("/api/items/{n}?page=3&sort=name"));
    Play {
        requests: paths.map(|path| request(&path, &[])).collect(),
        expected: End::Stored,
        pace: 10_000,
        ..hit(name, body)
    }
}

pub(super) fn plays() -> Vec<Play> {
    let never = r#"{"rules":[{"name":"never","match":{"path":"/api/.*"},"cache":false}]}"#;
    let conditional = [("if-none-match", "\"5d41402abc4b2a76b9719d911017c592\"")];
    vec![
        Play {
            hot_bytes: 1 << 24,
            ..hit("hot hit 1 KiB", KIB)
        },
        hit("hit 1 KiB", KIB),
        hit("hit 10 KiB", 10 * KIB),
        hit("hit 100 KiB", 100 * KIB),
        Play {
            config: fifty_rules(),
            ..hit("hit, 50th rule", KIB)
        },
        Play {
            config: profile_rule(),
            requests: vec![request("/user/4711/profile", &[])],
            ..hit("hit, 50th rule, template", KIB)
        },
        Play {
            response: response(KIB, &[("vary", "accept-encoding")]),
            ..hit("hit, Vary", KIB)
        },
        Play {
            requests: vec![request("/api/items/42?page=3&sort=name", &conditional)],
            expected: End::Replied(304),
            ..hit("304", KIB)
        },
        misses("miss and store 1 KiB", KIB),
        misses("miss and store 10 KiB", 10 * KIB),
        Play {
            max_bytes: 4 << 20,
            pace: 4_000,
            ..misses("miss, store and evict", 10 * KIB)
        },
        Play {
            response: response(KIB, &[("set-cookie", "a=1")]),
            expected: End::Passed,
            ..hit("miss, not stored", KIB)
        },
        Play {
            config: never.to_owned(),
            expected: End::Passed,
            ..hit("bypass by rule", KIB)
        },
        Play {
            requests: vec![request("/a", &[("cache-control", "no-store")])],
            expected: End::Passed,
            ..hit("bypass by request", KIB)
        },
    ]
}
