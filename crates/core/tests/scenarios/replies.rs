//! What the proxy makes of our replies, and what the client must see all the same.

use larder_core::http::Headers;
use larder_core::report::Counter;

use crate::stage::{CACHE_ALL, Seen, Stage, get, reply, request};

/// What the cache says of itself, and what only one of two answers can say.
const OURS: [&str; 5] = [
    "age",
    "cache-status",
    "content-length",
    "x-cache",
    "x-cache-age",
];

/// When the plays begin: an origin without a clock would be given one.
const DATE: &str = "Mon, 12 Jan 1970 13:46:40 GMT";

/// Lines by name, in order, without what is the cache's own word.
fn fields(seen: &Seen) -> Headers {
    let mut lines: Vec<_> = seen
        .headers
        .iter()
        .filter(|(name, _)| !OURS.iter().any(|ours| ours.as_bytes() == *name))
        .collect();
    lines.sort_by_key(|(name, _)| *name); // stable: lines of one name keep their order
    lines.into_iter().collect()
}

#[test]
fn a_type_that_the_origin_did_not_name_is_not_named() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("body").with("etag", "\"1\""));
    for ask in [
        get("/a"),
        request("HEAD", "/a"),
        get("/a").with("range", "bytes=0-1"),
        get("/a").with("if-none-match", "\"1\""),
    ] {
        let seen = stage.exchange(ask, reply("another"));
        assert_eq!(seen.cache().0, "HIT");
        assert!(!seen.headers.contains("content-type"), "{seen:?}");
    }
    assert_eq!(
        stage.count(Counter::Inspected),
        0,
        "no head was read for it"
    );
}

#[test]
fn an_empty_body_keeps_its_type() {
    let mut stage = Stage::new(CACHE_ALL);
    for (path, status, length) in [("/ok", 200, "0"), ("/moved", 301, "0"), ("/none", 204, "")] {
        let origin = reply("").status(status).with("content-type", "a/b");
        stage.exchange(get(path), origin);
        for method in ["GET", "HEAD"] {
            let seen = stage.exchange(request(method, path), reply("another"));
            assert_eq!(
                (seen.status, seen.cache().0, seen.field("content-type")),
                (status, "HIT", "a/b")
            );
            assert_eq!(seen.field("content-length"), length, "{path}");
        }
    }
    assert_eq!(stage.count(Counter::Inspected), 0);
}

#[test]
fn answers_without_a_body_name_no_type() {
    let mut stage = Stage::new(CACHE_ALL);
    let origin = reply("0123456789")
        .with("content-type", "a/b")
        .with("etag", "\"1\"");
    stage.exchange(get("/a"), origin);
    for (status, ask) in [
        (304, get("/a").with("if-none-match", "\"1\"")),
        (416, get("/a").with("range", "bytes=20-")),
        (504, get("/other").with("cache-control", "only-if-cached")),
    ] {
        let seen = stage.exchange(ask, reply("another"));
        assert_eq!(seen.status, status);
        assert!(!seen.headers.contains("content-type"), "{seen:?}");
        let length = if status == 304 { "" } else { "0" };
        assert_eq!(seen.field("content-length"), length, "{status}");
    }
}

/// A 416 has few of an entry's fields: where the route adds to it, nothing that was given is altered.
#[test]
fn what_one_answer_was_spared_is_not_taken_for_what_the_next_is() {
    let origin = || reply("0123456789").with("link", "</a>");
    let mut stage = Stage::new(CACHE_ALL);
    stage.route_adds("x-route", "1");
    stage.route_adds("link", "</route>");
    stage.exchange(get("/a"), origin());
    let mut looks = Vec::new();
    for _ in 0..3 {
        for (asked, status, links) in [
            (get("/a").with("range", "bytes=20-"), 416, 1),
            (get("/a"), 200, 2),
        ] {
            let seen = stage.exchange(asked, origin());
            let counts = ["link", "x-route"].map(|name| seen.headers.all(name).count());
            assert_eq!((seen.status, counts), (status, [links, 1]));
        }
        looks.push(stage.count(Counter::Inspected));
    }
    assert_eq!(looks, [1, 1, 1], "what is added is known by then");
}

#[test]
fn what_the_route_adds_stands_once() {
    let origin = || {
        reply("0123456789")
            .with("date", DATE)
            .with("content-type", "a/b")
            .with("etag", "\"1\"")
            .with("cache-control", "max-age=60")
            .with("link", "</a>")
            .with("link", "</b>")
            .with("x-also", "1")
    };
    let mut stage = Stage::new(CACHE_ALL);
    stage.route_adds("x-route", "1");
    stage.route_adds("link", "</route>");
    stage.route_adds("cache-control", "no-transform");
    stage.route_adds("x-also", "1");
    stage.route_adds("x-cache", "theirs");
    stage.route_adds("cache-status", "theirs; hit");
    let miss = stage.exchange(get("/a"), origin());
    assert_eq!(miss.headers.all("x-route").count(), 1);
    assert_eq!(
        miss.headers.all("x-also").count(),
        2,
        "the origin's and the route's"
    );
    for _ in 0..2 {
        let hit = stage.exchange(get("/a"), origin());
        assert_eq!(hit.cache().0, "HIT");
        assert_eq!(fields(&hit), fields(&miss));
        assert_eq!(hit.headers.all("cache-status").count(), 2);
    }
    let part = stage.exchange(get("/a").with("range", "bytes=0-1"), origin());
    assert_eq!(part.status, 206);
    let mut expected = fields(&miss);
    expected.push("content-range", "bytes 0-1/10");
    assert_eq!(part.headers.all("link").count(), 3);
    assert_eq!(fields(&part).len(), expected.len());
    let unchanged = stage.exchange(get("/a").with("if-none-match", "\"1\""), origin());
    assert_eq!(unchanged.status, 304);
    for name in ["x-route", "link", "cache-control", "x-also"] {
        assert!(
            unchanged.headers.all(name).eq(miss.headers.all(name)),
            "{name}: {unchanged:?}"
        );
    }
    assert_eq!(stage.count(Counter::Inspected), 1, "the first time");
}

#[test]
fn what_the_route_adds_since_stays() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("body").with("content-type", "a/b"));
    stage.route_adds("x-new", "1");
    let hit = stage.exchange(get("/a"), reply("another"));
    assert_eq!((hit.cache().0, hit.field("x-new")), ("HIT", "1"));
}

#[test]
fn a_confirmed_answer_without_a_body_is_the_304_itself() {
    let mut stage = Stage::new(r#"{"rules":[]}"#);
    stage.route_adds("x-route", "1");
    stage.route_adds("cache-control", "no-transform");
    let origin = |body: &str| {
        reply(body)
            .with("date", DATE)
            .with("etag", "\"1\"")
            .with("content-type", "a/b")
            .with("cache-control", "no-cache")
    };
    let confirms = || {
        reply("")
            .status(304)
            .with("cache-control", "no-cache")
            .with("x-own", "1")
    };
    for (path, body, status, ask) in [
        ("/empty", "", 200, get("/empty")),
        (
            "/known",
            "body",
            304,
            get("/known").with("if-none-match", "\"1\""),
        ),
    ] {
        let miss = stage.exchange(get(path), origin(body));
        let seen = stage.exchange(ask, confirms());
        assert_eq!(
            (seen.status, seen.cache().0),
            (status, "REVALIDATED"),
            "{path}"
        );
        for name in ["x-route", "cache-control", "etag", "date"] {
            assert!(
                seen.headers.all(name).eq(miss.headers.all(name)),
                "{path} {name}: {seen:?}"
            );
        }
        assert_eq!(
            seen.field("x-own"),
            "1",
            "what the 304 said is part of the answer"
        );
        let media_type = if status == 304 { "" } else { "a/b" };
        assert_eq!(seen.field("content-type"), media_type);
        assert!(seen.body.is_empty());
    }
}
