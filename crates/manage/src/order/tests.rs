use super::*;
use larder_core::http::Headers;
use proptest::prelude::*;

fn head() -> RequestHead {
    RequestHead::parse(Headers::from_iter([
        (":method", "POST"),
        (":authority", "Api.example.com"),
        (":path", "/api/cache/invalidate"),
    ]))
    .unwrap()
}

fn invalidations(json: &str) -> Result<Vec<Invalidation>, String> {
    let config = Config::parse(br#"{"rules": [{"name": "a", "match": {"path": "/a"}}]}"#);
    Order::parse(json.as_bytes())?.invalidations(&head(), &config.unwrap())
}

#[test]
fn all_that_is_named_is_covered_at_once() {
    let all = invalidations(
        r#"{"keys": ["GET:a/b", "c"], "tags": ["t"], "urls": ["/a", "https://b/c"],
            "groups": ["g", {"host": "b", "name": "g"}], "prefixes": ["/x/"], "patterns": ["/y/*"], "mode": "soft"}"#,
    )
    .unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|one| one.mode == Mode::Soft));
    let Coverage::Stamps(stamps) = &all[0].coverage else {
        panic!("{all:?}");
    };
    let group = |origin, name: &'static str| Scope::Group {
        origin,
        name: name.as_bytes(),
    };
    for stamp in [
        Scope::Tag(b"t").stamp(),
        Scope::Name(b"GET:a/b").stamp(),
        Scope::Name(b"c").stamp(),
        group("api.example.com", "g").stamp(),
        group("b", "g").stamp(),
    ] {
        assert!(stamps.contains(&stamp));
    }
    let everything = invalidations(r#"{"all": true, "tags": ["a"]}"#).unwrap();
    assert_eq!(everything[0].coverage, Coverage::All);
}

#[test]
fn what_templates_make_is_covered_where_nobody_can_tell_its_url() {
    let config = Config::parse(
        br#"{"rules": [
            {"name": "a", "match": {"path": "/u/(?P<id>.*)"}, "key": {"template": "user.profile:{id}:x"}},
            {"name": "b", "match": {"path": "/b"}, "cache": false}]}"#,
    );
    let mut order = Order::new(Mode::Hard);
    order.patterns.push("regex:[A-Z]+:.*".to_owned());
    order.templates = Everything::Covered;
    let all = order.invalidations(&head(), &config.unwrap()).unwrap();
    let pattern = r"regex:(?:user\.profile\:.*\:x)(?:\?.*)?";
    let expected = Coverage::Names(NamePattern::parse(pattern).unwrap());
    assert_eq!(all.len(), 2);
    assert_eq!(all[1].coverage, expected);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (json, problem) in [
        ("", "needs a body"),
        (" \n", "needs a body"),
        ("{}", "names nothing"),
        (r#"{"all": false, "tags": []}"#, "names nothing"),
        ("[]", "must be an object, not an array"),
        ("{", "EOF while parsing"),
        (r#"{"tags": "a"}"#, "tags: must be an array, not a string"),
        (
            r#"{"tags": [1]}"#,
            "tags[0]: must be a string, not a number",
        ),
        (r#"{"tag": ["a"]}"#, "tag: is unknown; did you mean `tags`?"),
        (r#"{"tags": ["a"], "tags": ["b"]}"#, "tags: stands twice"),
        (
            r#"{"tags": ["a"], "mode": "x"}"#,
            "mode: must be one of `hard`, `soft`",
        ),
        (r#"{"urls": ["mailto:a"]}"#, "`mailto:a` is no URL"),
        (r#"{"urls": ["http://a b/"]}"#, "`http://a b/` is no URL"),
        (
            r#"{"groups": [{"name": "a", "host": "/"}]}"#,
            "a group's `host` must be",
        ),
        (r#"{"groups": [{}]}"#, "groups[0].name: is missing"),
        (r#"{"patterns": ["regex:("]}"#, "pattern `regex:(` "),
    ] {
        let error = invalidations(json).unwrap_err();
        assert!(error.starts_with(problem), "{json}: {error}");
    }
    let long = format!(r#"{{"tags": ["{}"]}}"#, "a".repeat(257));
    assert_eq!(
        invalidations(&long).unwrap_err(),
        "tags[0]: must be at most 256 bytes long"
    );
    let many = format!(r#"{{"tags": [{}"a"]}}"#, r#""a","#.repeat(1000));
    assert_eq!(
        invalidations(&many).unwrap_err(),
        "tags: must have at most 1000 elements"
    );
}

proptest! {
    #![proptest_config(crate::property::cases())]

    #[test]
    fn any_body_is_an_order_or_a_problem(body in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Err(problem) = Order::parse(&body) {
            prop_assert!(!problem.is_empty());
        }
    }

    #[test]
    fn a_damaged_body_is_an_order_or_a_problem(at in 0..160_usize, cut in 0..9_usize, instead in "[\\x00-\\x7f]{0,4}") {
        let mut body = br#"{"urls": ["/a"], "keys": ["b"], "tags": ["c"], "prefixes": ["/d"], "patterns": ["/e*"], "groups": [{"name": "f"}], "all": false, "mode": "soft", "dry_run": true}"#.to_vec();
        let start = at.min(body.len());
        let end = at.saturating_add(cut).min(body.len());
        body.splice(start..end, instead.bytes());
        let config = Config::parse(b"").unwrap();
        if let Ok(order) = Order::parse(&body) {
            let _ = order.invalidations(&head(), &config);
        }
    }
}
