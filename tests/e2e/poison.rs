//! Attacks on caches as they were published: what is poisoned, what is lured out, and that it does not work here.

use larder_harness::client::Request;
use larder_harness::origin::{Received, Reply};

use crate::stage::{CACHE_ALL, Stage, cache_status, x_cache};

/// An application that believes what it is told, and writes its links accordingly.
fn gullible(request: &Received) -> Reply {
    let told = [
        "x-forwarded-host",
        "x-host",
        "x-original-host",
        "x-forwarded-server",
        "x-forwarded-scheme",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-ssl",
        "x-url-scheme",
        "front-end-https",
        "x-original-url",
        "x-rewrite-url",
        "forwarded",
    ];
    let told = told.iter().find_map(|name| request.header(name));
    Reply::ok(format!("<a href=//{}>", told.unwrap_or("api.example.com")))
}

/// Kettle, "Practical Web Cache Poisoning" (2018) and "Web Cache Entanglement" (2020).
#[tokio::test]
async fn a_field_that_only_the_origin_reads_poisons_nobody() {
    let stage = Stage::start(CACHE_ALL).await;
    let rows = [
        ("X-Forwarded-Host", "evil.example"),
        ("X-Host", "evil.example"),
        ("X-Original-Host", "evil.example"),
        ("X-Forwarded-Server", "evil.example"),
        ("X-Forwarded-Scheme", "nothttps"),
        ("X-Forwarded-Port", "666"),
        ("X-Forwarded-Prefix", "/evil"),
        ("X-Forwarded-Ssl", "off"),
        ("X-Url-Scheme", "evil"),
        ("Front-End-Https", "off"),
        ("X-Original-Url", "/evil"),
        ("X-Rewrite-Url", "/evil"),
        ("Forwarded", "for=192.0.2.7;host=evil.example"),
    ];
    for (name, value) in rows {
        let path = format!("/{name}");
        stage.origin.on_call(&path, gullible);
        let evil = stage.send(Request::get(&path).header(name, value)).await;
        assert!(
            evil.text().contains(value),
            "{name}: the origin believes it"
        );
        let honest = stage.get(&path).await;
        assert_eq!(
            (x_cache(&honest), honest.text().as_str()),
            ("MISS", "<a href=//api.example.com>"),
            "{name}"
        );
        for _ in 0..3 {
            let hit = stage.get(&path).await;
            assert_eq!(
                (x_cache(&hit), hit.text()),
                ("HIT", honest.text()),
                "{name}"
            );
            let evil = stage.send(Request::get(&path).header(name, value)).await;
            assert!(
                evil.text().contains(value),
                "{name}: nor is one proxy's answer another's"
            );
        }
    }
    // Whose requests they are is nothing that answers are told apart by.
    stage.origin.on("/plain", Reply::ok("plain"));
    stage.get("/plain").await;
    for (name, value) in [
        ("Forwarded", "for=192.0.2.7"),
        ("X-Real-Ip", "192.0.2.7"),
        ("Via", "1.1 a"),
    ] {
        let answer = stage.send(Request::get("/plain").header(name, value)).await;
        assert_eq!(x_cache(&answer), "HIT", "{name}");
    }
}

/// Nguyen, Lo Iacono and Federrath, "Your Cache Has Fallen: Cache-Poisoned Denial-of-Service Attack" (2019).
#[tokio::test]
async fn a_method_in_a_field_keeps_nobody_from_the_page() {
    let stage = Stage::start(CACHE_ALL).await;
    for name in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
    ] {
        let path = format!("/{name}");
        stage.origin.on_call(&path, move |request| {
            match request.header(&name.to_lowercase()) {
                Some(method) => Reply::ok(format!("no {method} here")),
                None => Reply::ok("page"),
            }
        });
        let overridden = Request::get(&path).header(name, "POST");
        let evil = stage.send(overridden).await;
        assert_eq!(
            (cache_status(&evil), evil.text().as_str()),
            ("larder; fwd=method", "no POST here"),
            "{name}"
        );
        assert_eq!(stage.get(&path).await.text(), "page", "{name}");
        assert_eq!(x_cache(&stage.get(&path).await), "HIT", "{name}");
        let deleted = Request::get(&path).header(name, "DELETE");
        assert_eq!(
            stage.send(deleted).await.text(),
            "no DELETE here",
            "not from the cache either"
        );
        assert_eq!(
            x_cache(&stage.get(&path).await),
            "MISS",
            "{name}: it may have been a write"
        );
    }
    // An error that an odd field has caused is not kept by a rule.
    stage
        .origin
        .on_call("/odd", |request| match request.header("x-odd") {
            Some(_) => Reply::new(400, "what?"),
            None => Reply::ok("page"),
        });
    let odd = Request::get("/odd").header("x-odd", "a".repeat(9000));
    assert_eq!(stage.send(odd).await.status, 400);
    assert_eq!(stage.get("/odd").await.text(), "page");
}

/// Kettle, "Web Cache Entanglement" (2020): fat GET and parameter cloaking.
#[tokio::test]
async fn a_parameter_that_the_key_does_not_show_changes_nobodys_page() {
    let configuration = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,
        "key":{"query":{"exclude":["utm_*"]}}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/search", |request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        Reply::ok(format!("{} {body}", request.path))
    });
    let fat = Request::get("/search?q=cats").body("q=evil");
    assert_eq!(x_cache(&stage.send(fat).await), "BYPASS");
    let clean = stage.get("/search?q=cats").await;
    assert_eq!(
        (x_cache(&clean), clean.text().as_str()),
        ("MISS", "/search?q=cats ")
    );
    // Servers that split at `;`, take the last of two or the first, or decode before they split.
    for cloaked in [
        "/search?q=cats&utm_x=1;q=evil",
        "/search?q=cats&q=evil",
        "/search?q=evil&q=cats",
        "/search?q=cats%26q=evil",
        "/search?q=cats&Q=evil",
        "/search?q[]=evil&q=cats",
        "/search?q=cats&utm_x;q=evil",
    ] {
        let evil = stage.get(cloaked).await;
        assert_eq!(
            (x_cache(&evil), evil.text()),
            ("MISS", format!("{cloaked} "))
        );
        let hit = stage.get("/search?q=cats").await;
        assert_eq!(
            (x_cache(&hit), hit.text().as_str()),
            ("HIT", "/search?q=cats "),
            "{cloaked}"
        );
    }
}

const PAGES: &str = r#"{"rules":[
    {"name":"assets","match":{"path":".*\\.(css|js|png)"},"ttl_seconds":3600},
    {"name":"account","match":{"path":"/account.*"},"cache":false}]}"#;

/// Gil, "Web Cache Deception" (2017); Mirheidari and others, "Cached and Confused" (2020).
#[tokio::test]
async fn a_page_under_the_name_of_a_style_sheet_is_not_kept() {
    let stage = Stage::start(PAGES).await;
    stage.origin.on_call("/*", |request| {
        let who = request.header("cookie").unwrap_or("nobody").to_owned();
        Reply::ok(format!("account of {who}")).header("content-type", "text/html")
    });
    for path in [
        "/account/x.css",
        "/account;x.js",
        "/account%2Fx.png",
        "/account%3Bx.css",
        "/account%3Fx.css",
        "/account%23x.css",
        "/account%0Ax.css",
        "/account/..%2Fx.css",
        "/account/x%2ecss",
        "/profile/x.CSS/y.css",
    ] {
        let lured = stage
            .send(Request::get(path).header("cookie", "alice"))
            .await;
        assert_ne!(x_cache(&lured), "HIT", "{path}");
        let thief = stage.get(path).await;
        assert_ne!(x_cache(&thief), "HIT", "{path}: {thief:?}");
        assert!(!thief.text().contains("alice"), "{path}: {thief:?}");
    }
    stage.origin.on(
        "/site.css",
        Reply::ok("a {}").header("content-type", "text/css"),
    );
    stage.get("/site.css").await;
    assert_eq!(x_cache(&stage.get("/site.css").await), "HIT");
    let html = stage.get("/profile/a.css").await;
    assert_eq!(
        cache_status(&html),
        "larder; fwd=uri-miss; detail=media-type"
    );
}

/// Two servers, two readings of one path: what one takes for public is the other's secret.
#[tokio::test]
async fn a_path_that_could_be_read_two_ways_opens_nothing() {
    const RULES: &str = r#"{"rules":[
        {"name":"secret","match":{"path":"/admin/.*"},"cache":false},
        {"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let stage = Stage::start(RULES).await;
    stage.origin.on_call("/*", |request| {
        Reply::ok(format!(
            "for {}",
            request.header("cookie").unwrap_or("nobody")
        ))
    });
    for path in [
        "/static/..%2Fadmin/keys",
        "/static/%2e%2e/admin/keys",
        "/static/..;/admin/keys",
        "//admin/keys",
        "/admin%2Fkeys",
        "/admin;x/keys",
        "/static/..%5Cadmin/keys",
        "/%61dmin/keys",
    ] {
        let admin = stage
            .send(Request::get(path).header("cookie", "root"))
            .await;
        if admin.status == 200 {
            assert_eq!(admin.text(), "for root", "{path}");
        }
        let thief = stage.get(path).await;
        assert_ne!(x_cache(&thief), "HIT", "{path}");
    }
}
