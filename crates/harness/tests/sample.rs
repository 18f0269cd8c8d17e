//! What `envoy/envoy.yaml` lets through, as HTTP asks for it, and what it shows Prometheus: needs Envoy (`make tools`) and the module (`make wasm`).
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::net::SocketAddr;

use larder_harness::client::{Client, Protocol, Request, raw};
use larder_harness::envoy::Envoy;
use larder_harness::origin::{Gate, Origin, RawOrigin, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};
use larder_harness::{template, tools};

/// One of the files.
fn read(name: &str) -> String {
    fs::read_to_string(tools::checkout().join("envoy").join(name)).unwrap()
}

/// The sample as it is, in front of this origin.
async fn sample(origin: SocketAddr) -> (Envoy, SocketAddr) {
    sample_with(&read("larder.json"), origin).await
}

/// The sample with other rules.
async fn sample_with(configuration: &str, origin: SocketAddr) -> (Envoy, SocketAddr) {
    let values = [
        ("LARDER_ADMIN_PORT", "0".to_owned()),
        ("LARDER_ADDRESS", "127.0.0.1".to_owned()),
        ("LARDER_PORT", "0".to_owned()),
        (
            "LARDER_WASM",
            tools::module().unwrap().display().to_string(),
        ),
        ("LARDER_CONFIG", configuration.to_owned()),
        ("ORIGIN_ADDRESS", origin.ip().to_string()),
        ("ORIGIN_PORT", origin.port().to_string()),
    ];
    let text = template::render(&read("envoy.yaml"), &values).unwrap();
    let (envoy, _) = Envoy::from_yaml(&text, 1).await.unwrap();
    let address = envoy.address("api");
    (envoy, address)
}

#[tokio::test]
async fn early_hints_reach_the_client() {
    let reply = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let origin = RawOrigin::start(reply).await.unwrap();
    let (_envoy, address) = sample(origin.address()).await;
    let ask = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let reply = raw(address, ask, PATIENCE).await.unwrap();
    assert!(
        reply.starts_with(b"HTTP/1.1 103 "),
        "{}",
        String::from_utf8_lossy(&reply)
    );
}

#[tokio::test]
async fn trailers_reach_the_client() {
    let origin = Origin::start().await.unwrap();
    let trailers = vec![("x-checksum".to_owned(), "1".to_owned())];
    let reply = Reply::steps([Step::Chunk("body".into()), Step::Trailers(trailers)]);
    origin.on("/trailers", reply);
    let (_envoy, address) = sample(origin.address()).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = Client::connect(address, protocol).await.unwrap();
        let ask = Request::get("/trailers").header("te", "trailers");
        let answer = client.send(ask).await.unwrap();
        assert_eq!(answer.trailers.one("x-checksum"), Some("1"), "{protocol:?}");
    }
}

#[tokio::test]
async fn methods_of_every_kind_reach_the_origin() {
    let origin = Origin::start().await.unwrap();
    origin.on("/any", Reply::ok("done"));
    let (_envoy, address) = sample(origin.address()).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for method in [
            "GET", "OPTIONS", "PURGE", "BAN", "QUERY", "PROPFIND", "X-OWN",
        ] {
            let mut client = Client::connect(address, protocol).await.unwrap();
            // Envoy answers a QUERY without content-type 400, as RFC 10008 section 2 asks of servers.
            let ask = Request::new(method, "/any").header("content-type", "text/plain");
            let answer = client.send(ask.body("what")).await.unwrap();
            assert_eq!(answer.status, 200, "{protocol:?} {method}");
            let seen = origin.requests().pop().unwrap();
            assert_eq!(
                (seen.method.as_str(), &seen.body[..]),
                (method, &b"what"[..])
            );
        }
    }
}

/// Names and values.
type Labels<'a> = &'a [(&'a str, &'a str)];

/// What Prometheus is shown under a name with these labels, whatever their order.
fn shown(scraped: &str, name: &str, labels: Labels<'_>) -> Option<u64> {
    let is_it = |line: &&str| {
        let rest = line.strip_prefix(name).unwrap_or_default();
        let given = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let (given, _) = given.unwrap_or_default();
        let wanted = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""));
        let given: Vec<&str> = given.split(',').filter(|label| !label.is_empty()).collect();
        rest.starts_with(['{', ' '])
            && given.len() == labels.len()
            && wanted.into_iter().all(|label| given.contains(&&*label))
    };
    let line = scraped.lines().find(is_it)?;
    line.rsplit(' ').next()?.parse().ok()
}

#[tokio::test]
async fn prometheus_is_shown_larders_numbers_with_labels() {
    const RULES: &str = r#"{"rules":[
        {"name":"user-profile_2","match":{"path":"/user/.*"},"ttl_seconds":60},
        {"name":"never","match":{"path":"/never"},"cache":false},
        {"name":"unused","match":{"path":"/unused"},"ttl_seconds":60}]}"#;
    let origin = Origin::start().await.unwrap();
    origin.on("/user/*", Reply::ok("0123456789"));
    let set_cookie = Reply::ok("cookie").header("set-cookie", "a=b");
    origin.on("/user/cookie", set_cookie);
    origin.on("/plain", Reply::ok("nobody says how long"));
    origin.on("/never", Reply::ok("never"));
    let (envoy, address) = sample_with(RULES, origin.address()).await;
    let mut client = Client::connect(address, Protocol::Http1).await.unwrap();
    for (method, path, times) in [
        ("GET", "/user/1", 20),
        ("GET", "/user/cookie", 2),
        ("GET", "/plain", 3),
        ("GET", "/never", 1),
        ("PUT", "/user/1", 1),
    ] {
        for _ in 0..times {
            let answer = client.send(Request::new(method, path)).await.unwrap();
            assert_eq!(answer.status, 200);
        }
    }
    let scrape = async || {
        let answer = envoy.ask("GET", "/stats/prometheus").await.unwrap();
        answer.text()
    };
    let hits = [("rule", "user-profile_2"), ("outcome", "hit")];
    // The last of these requests: a tick among them counts those before.
    let last = [("rule", "unmatched"), ("outcome", "bypass")];
    eventually("the worker has ticked", PATIENCE, async || {
        let scraped = scrape().await;
        [(hits, 19), (last, 1)]
            .iter()
            .all(|(labels, count)| shown(&scraped, "larder_requests_total", labels) == Some(*count))
    })
    .await;
    let scraped = scrape().await;
    let invalidated = [("kind", "write"), ("mode", "invalid"), ("source", "write")];
    let expected: [(&str, Labels<'_>, u64); 14] = [
        (
            "requests_total",
            &[("rule", "user-profile_2"), ("outcome", "miss")],
            3,
        ),
        (
            "requests_total",
            &[("rule", "never"), ("outcome", "bypass")],
            1,
        ),
        (
            "requests_total",
            &[("rule", "unmatched"), ("outcome", "miss")],
            3,
        ),
        (
            "requests_total",
            &[("rule", "unmatched"), ("outcome", "bypass")],
            1,
        ),
        (
            "requests_total",
            &[("rule", "unused"), ("outcome", "hit")],
            0,
        ),
        ("not_stored_total", &[("reason", "set-cookie")], 2),
        ("not_stored_total", &[("reason", "no-freshness")], 3),
        ("bypassed_total", &[("reason", "rule-bypass")], 1),
        ("invalidations_total", &invalidated, 1),
        (
            "invalidations_total",
            &[("kind", "tag"), ("mode", "hard"), ("source", "api")],
            0,
        ),
        (
            "origin_fetches_total",
            &[("class", "fg"), ("result", "ok")],
            6,
        ),
        ("stored_total", &[], 1),
        ("config_reloads_total", &[("result", "accepted")], 2),
        ("timed_hits_total", &[], 2),
    ];
    for (name, labels, value) in expected {
        let found = shown(&scraped, &format!("larder_{name}"), labels);
        let lines = scraped.lines().filter(|line| line.starts_with("larder_"));
        assert_eq!(
            found,
            Some(value),
            "{name} {labels:?}: {:#?}",
            lines.collect::<Vec<_>>()
        );
    }
    let served = |source| shown(&scraped, "larder_bytes_served_total", &[("source", source)]);
    let [hot, shared] = ["hot", "shared"].map(|source| served(source).unwrap());
    assert_eq!(hot + shared, 190);
    assert_eq!(served("origin"), Some(10 + 10 + 12 + 60 + 5));
    assert!(shown(&scraped, "larder_bytes", &[("vm_id", "larder")]).is_some());
    let fetched = ("larder_fetch_microseconds_count", 6);
    let hit = ("larder_hit_microseconds_count", 2);
    eventually("Envoy has merged its histograms", PATIENCE, async || {
        let scraped = scrape().await;
        [fetched, hit]
            .iter()
            .all(|(name, count)| shown(&scraped, name, &[]) == Some(*count))
    })
    .await;
}

/// The sample with a listener for the management API, in front of this origin; the token is `secret`.
async fn private(text: &str, origin: SocketAddr) -> Envoy {
    let values = [
        ("LARDER_ADMIN_PORT", "0".to_owned()),
        ("LARDER_ADDRESS", "127.0.0.1".to_owned()),
        ("LARDER_PORT", "0".to_owned()),
        ("LARDER_MANAGEMENT_PORT", "0".to_owned()),
        (
            "LARDER_WASM",
            tools::module().unwrap().display().to_string(),
        ),
        ("ORIGIN_ADDRESS", origin.ip().to_string()),
        ("ORIGIN_PORT", origin.port().to_string()),
    ];
    let text = template::render(text, &values).unwrap();
    let (from, to) = (
        "{ host_env_keys: [LARDER_TOKEN] }",
        "{ key_values: { LARDER_TOKEN: secret } }",
    );
    assert_eq!(text.matches(from).count(), 2);
    let text = text.replace(from, to);
    let (envoy, _) = Envoy::from_yaml(&text, 2).await.unwrap();
    envoy
}

#[tokio::test]
async fn the_management_api_may_have_a_listener_of_its_own() {
    let origin = Origin::start().await.unwrap();
    origin.on("/api/health", Reply::ok("well"));
    let envoy = private(&read("management.yaml"), origin.address()).await;
    let (public, own) = (envoy.address("api"), envoy.address("management"));
    let send = async |address, request: Request| {
        let mut client = Client::connect(address, Protocol::Http1).await.unwrap();
        let request = request.authority("api.example.com");
        client.send(request).await.unwrap()
    };
    let purge = || Request::new("PURGE", "/api/health");
    let with_token = |request: Request| request.header("authorization", "Bearer secret");
    for expected in ["MISS", "HIT"] {
        let answer = send(public, Request::get("/api/health")).await;
        assert_eq!(answer.header("x-cache"), Some(expected));
    }
    // The public one has no API: what looks like a call goes on.
    let stats = with_token(Request::get("/api/cache/stats"));
    assert_eq!(send(public, stats.clone()).await.status, 404);
    send(public, with_token(purge())).await;
    assert_eq!(origin.count("/api/cache/stats"), 1);
    let asked = origin.total();
    assert_eq!(send(own, purge()).await.status, 401);
    let stats = send(own, stats).await;
    assert_eq!(stats.status, 200, "{stats:?}");
    let entries = with_token(Request::get("/api/cache/entries"));
    assert!(send(own, entries).await.text().contains("/api/health"));
    assert_eq!(send(own, with_token(purge())).await.status, 200);
    assert_eq!(send(own, Request::get("/else")).await.status, 404);
    assert_eq!(origin.total(), asked);
    let answer = send(public, Request::get("/api/health")).await;
    assert_eq!(answer.header("x-cache"), Some("MISS"));
    // What is changed there holds here, although the public one has no `management` of its own.
    let change = Request::new("PUT", "/api/cache/config");
    let change = change.body(r#"{"rules": {"health": {"cache": false, "ttl_seconds": null}}}"#);
    let answer = send(own, with_token(change)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = send(public, Request::get("/api/health")).await;
    assert_eq!(answer.header("x-cache"), Some("BYPASS"));
    assert_eq!(
        send(public, with_token(Request::get("/api/cache/stats")))
            .await
            .status,
        404
    );
}

/// Its route leaves path and host as they are, so what is stale is made fresh without a client's request.
#[tokio::test]
async fn nobody_waits_while_something_stale_is_made_fresh() {
    let (origin, gate) = (Origin::start().await.unwrap(), Gate::closed());
    origin.on("/api/health", Reply::ok("old"));
    let configuration = read("larder.json");
    let spared = r#""ttl_seconds": 1, "stale_while_revalidate_seconds": 60"#;
    let configuration = configuration.replace(r#""ttl_seconds": 30"#, spared);
    assert!(configuration.contains(spared));
    let (_envoy, address) = sample_with(&configuration, origin.address()).await;
    let mut client = Client::connect(address, Protocol::Http1).await.unwrap();
    let mut ask = async || client.get("/api/health").await.unwrap();
    assert_eq!(ask().await.text(), "old");
    origin.on("/api/health", Reply::ok("new").behind(&gate));
    // One client alone: if it had to wait for the origin, that would be for ever.
    eventually("it is stale", PATIENCE, async || {
        ask().await.header("x-cache") == Some("STALE")
    })
    .await;
    eventually("the origin is asked", PATIENCE, async || {
        origin.in_hand("/api/health") == 1
    })
    .await;
    for _ in 0..20 {
        let answer = ask().await;
        let seen = (answer.header("x-cache"), answer.text());
        assert_eq!(seen, (Some("STALE"), "old".to_owned()));
    }
    assert_eq!(origin.count("/api/health"), 2);
    gate.open();
    eventually("it is fresh", PATIENCE, async || {
        ask().await.text() == "new"
    })
    .await;
}

/// What the sample says in a comment to do for clients that cannot send a token.
#[tokio::test]
async fn a_listener_may_give_each_request_the_token() {
    let origin = Origin::start().await.unwrap();
    let text = read("management.yaml");
    let uncommented: Vec<String> = text
        .lines()
        .map(|line| match line.strip_prefix("          # ") {
            Some(rest) if rest.starts_with("- name: token") || rest.starts_with("  ") => {
                format!("          {rest}")
            }
            Some(_) | None => line.to_owned(),
        })
        .collect();
    let text = uncommented.join("\n");
    assert!(text.contains("\n          - name: token\n"));
    // The test has no environment of Envoy's own.
    let text = text.replace("%ENVIRONMENT(LARDER_TOKEN)%", "secret");
    let envoy = private(&text, origin.address()).await;
    let own = envoy.address("management");
    let mut client = Client::connect(own, Protocol::Http1).await.unwrap();
    let answer = client.send(Request::new("PURGE", "/a")).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(origin.total(), 0);
}
