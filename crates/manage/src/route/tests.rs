use super::*;
use larder_core::config::Config;
use larder_core::http::Headers;
use proptest::prelude::*;

fn find(method: &str, target: &str) -> Result<(Verb, Place), Astray> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    Place::find(method.as_bytes(), path, query)
}

fn addressed(method: &str, host: &str, target: &str) -> Option<Addressed> {
    let config = Config::parse(br#"{"management": {"host": "cache.internal"}}"#).unwrap();
    let head = RequestHead::parse(Headers::from_iter([
        (":method", method),
        (":authority", host),
        (":path", target),
    ]));
    Addressed::of(&head.unwrap(), &config.management.unwrap())
}

#[test]
fn only_paths_of_the_api_are_calls() {
    let api = |path: &str, query: Option<&str>| {
        let path = path.to_owned();
        let query = query.map(str::to_owned);
        Some(Addressed::Api { path, query })
    };
    for (target, expected) in [
        ("/api/cache/stats", api("/stats", None)),
        ("/api/cache", api("", None)),
        ("/api/cache/", api("/", None)),
        ("/api/cache/a?b?c", api("/a", Some("b?c"))),
        ("/api/cache/../x", api("/../x", None)),
        ("/api/%63ache/stats", Some(Addressed::Nearly)),
        ("//api//cache/stats", Some(Addressed::Nearly)),
        ("/api;x/cache", Some(Addressed::Nearly)),
        ("/api%2fcache/stats", Some(Addressed::Nearly)),
        ("/api/cached", None),
        ("/API/cache", None),
        ("/", None),
        ("/a/../api/cache", None),
        ("/?/api/cache", None),
    ] {
        assert_eq!(
            addressed("GET", "cache.internal", target),
            expected,
            "{target}"
        );
        assert_eq!(
            addressed("GET", "www.example.com", target),
            None,
            "{target}"
        );
    }
    let head = |target: &[u8]| {
        let mut headers = Headers::from_iter([(":method", "GET"), (":authority", "a")]);
        headers.push(":path", target);
        RequestHead::parse(headers).unwrap()
    };
    let management = Config::parse(br#"{"management": {}}"#)
        .unwrap()
        .management
        .unwrap();
    for target in [
        &b"/api/cache/tag/\xff"[..],
        b"/api/cache/stats?\xc3",
        b"/api/cache\xff",
    ] {
        let expected = match target.ends_with(b"cache\xff") {
            true => None,
            false => Some(Addressed::Nearly),
        };
        assert_eq!(
            Addressed::of(&head(target), &management),
            expected,
            "{target:?}"
        );
    }
}

#[test]
fn a_purging_method_is_a_call_on_every_host() {
    for (method, expected) in [
        ("PURGE", Some(Addressed::Purge(PurgeMethod::Purge))),
        ("BAN", Some(Addressed::Purge(PurgeMethod::Ban))),
        ("purge", None),
        ("GET", None),
    ] {
        assert_eq!(
            addressed(method, "www.example.com", "/a"),
            expected,
            "{method}"
        );
    }
}

#[test]
fn each_path_has_its_methods() {
    for (path, allowed) in [
        ("/stats", "GET"),
        ("/performance", "GET"),
        ("/config", "GET, PUT, DELETE"),
        ("/invalidate", "POST"),
        ("/invalidate/key/a", "POST"),
        ("/invalidate/tag/a", "POST"),
        ("/invalidate/pattern?pattern=a", "POST"),
        ("/invalidations/a", "GET"),
        ("/entries", "GET"),
        ("/entries/a", "GET, PUT, DELETE"),
        ("/users/a", "DELETE"),
        ("/users/receipts/a", "GET"),
        ("/warm", "POST"),
        ("/warm/a", "GET"),
        ("/explain", "POST"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "get", ""] {
            match find(method, path) {
                Ok(_) => assert!(allowed.split(", ").any(|name| name == method), "{path}"),
                Err(error) => assert_eq!(error, Astray::Method(allowed.to_owned())),
            }
        }
    }
}

#[test]
fn other_paths_are_none() {
    for path in [
        "",
        "/",
        "/stats/",
        "/Stats",
        "/stats/a",
        "/invalidate/",
        "/invalidate/key",
        "/invalidate/key/",
        "/invalidate/tag/",
        "/invalidate/tag/a/b",
        "/invalidations/",
        "/users/",
        "/users/receipts/",
        "/users/a/b",
        "/warm/",
        "/entries/",
        "/a/../stats",
        "/invalidate/tag/%ff",
    ] {
        assert_eq!(find("GET", path), Err(Astray::Path), "{path}");
    }
}

#[test]
fn parameters_that_nobody_knows_are_refused() {
    for target in [
        "/stats?a=b",
        "/invalidate/tag/a?pattern=b",
        "/entries?mode=soft",
        "/users/a?x",
    ] {
        let Err(Astray::Parameter(_)) = find("GET", target) else {
            panic!("{target}");
        };
    }
    let Ok((_, Place::InvalidatePattern(parameters))) = find(
        "POST",
        "/invalidate/pattern?mode=soft&pattern=%2Fa%2F*&pattern=b",
    ) else {
        panic!("it is one");
    };
    assert_eq!(parameters.get("pattern").as_deref(), Some("/a/*"));
    assert_eq!(parameters.get("mode").as_deref(), Some("soft"));
    assert_eq!(parameters.get("dry_run"), None);
}

#[test]
fn a_key_is_all_that_follows_escaped_or_not() {
    for (target, readings) in [
        ("/a/b?c=d", &["/a/b?c=d"][..]),
        ("GET:example.com/a", &["GET:example.com/a"]),
        (
            "GET%3Aexample.com%2Fa%3Fb",
            &["GET%3Aexample.com%2Fa%3Fb", "GET:example.com/a?b"],
        ),
        ("a%2fb", &["a%2Fb", "a/b"]),
        ("a+b", &["a+b"]),
        ("a%20b", &["a%20b", "a b"]),
        ("100%", &["100%"]),
        ("?a", &["?a"]),
        ("user_profile:42", &["user_profile:42"]),
    ] {
        for before in ["/invalidate/key/", "/entries/"] {
            let target = [before, target].concat();
            let (Ok((_, Place::InvalidateKey(key))) | Ok((_, Place::Entry(key)))) =
                find("POST", &target).or(find("GET", &target))
            else {
                panic!("{target}");
            };
            let expected: Vec<_> = readings.iter().map(|key| key.as_bytes().to_vec()).collect();
            assert_eq!(key.readings(), expected, "{target}");
        }
    }
}

proptest! {
    #![proptest_config(crate::property::cases())]

    #[test]
    fn any_path_is_a_place_or_none(method in "GET|PUT|POST|DELETE|[A-Z]{0,4}", target in "(/|stats|invalidate|key|tag|entries|users|%|2f|[\\x00-\\xff]|\\?){0,12}") {
        let _ = find(&method, &target);
    }
}
