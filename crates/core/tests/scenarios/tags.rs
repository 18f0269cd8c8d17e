//! Tags: who gives them, who sees them, and what is over by them.

use larder_core::epoch::{Mode, Scope};
use larder_core::policy::Reason;
use larder_core::report::Counter;

use crate::stage::{Request, Response, Stage, get, reply, request};

type Fields<'a> = &'a [(&'a str, &'a str)];

const BY_ORIGIN: &str = "{}";

fn fresh(body: &str) -> Response {
    reply(body).with("cache-control", "max-age=60")
}

/// Whether what was stored by this request is still there after the tag was invalidated.
fn survives(stage: &mut Stage, request: Request, tag: &str) -> bool {
    let hit = stage.exchange(request.clone(), fresh("never asked"));
    assert_eq!(hit.field("x-cache"), "HIT", "{tag}");
    stage.invalidate(&[Scope::Tag(tag.as_bytes())], Mode::Hard);
    let seen = stage.exchange(request, fresh("new"));
    seen.field("x-cache") == "HIT"
}

#[test]
fn a_tag_of_the_rule_covers_what_has_its_values() {
    const RULES: &str = r#"{"rules": [
        {"name": "profile", "match": {"path": "/users/(?P<id>[^/]+)(/.*)?"}, "ttl_seconds": 60,
         "key": {"headers": ["x-tenant"]}, "tags": ["profiles", "user:{id}:profile", "tenant:{header.x-tenant}"]}]}"#;
    let ask = || get("/users/7/posts").with("x-tenant", "acme");
    for (tag, survived) in [
        ("profiles", false),
        ("user:7:profile", false),
        ("user:7", false),
        ("user", false),
        ("tenant:acme", false),
        ("tenant:other", true),
        ("user:8", true),
        ("user:7:posts", true),
        ("user:", true),
        ("Profiles", true),
    ] {
        let mut stage = Stage::new(RULES);
        stage.exchange(ask(), fresh("old"));
        assert_eq!(survives(&mut stage, ask(), tag), survived, "{tag}");
    }
}

#[test]
fn what_is_one_users_has_the_users_tag_by_itself() {
    const RULES: &str = r#"{"rules": [{"name": "mine", "match": {"path": "/.*"}, "ttl_seconds": 60,
        "identity": {"header": "x-user", "trusted": true}}]}"#;
    let mut stage = Stage::new(RULES);
    let by = |user| get("/me").with("x-user", user);
    for user in ["ann", "bob", "carl o"] {
        stage.exchange(by(user), fresh(user));
    }
    stage.exchange(get("/me"), fresh("nobody"));
    assert_eq!(stage.last_tags(), [""; 0]);
    assert!(!survives(&mut stage, by("ann"), "user:ann"));
    assert!(!survives(&mut stage, by("carl o"), "user:carl%20o"));
    assert_eq!(stage.exchange(by("bob"), fresh("new")).text(), "bob");
    assert_eq!(stage.exchange(get("/me"), fresh("new")).text(), "nobody");
}

#[test]
fn every_field_of_the_origin_gives_tags() {
    for (field, value, tags) in [
        ("surrogate-key", "a b:c", &["a", "b:c", "b"][..]),
        ("xkey", "a", &["a"]),
        ("Cache-Tag", "a, b c", &["a", "b%20c"]),
        ("edge-cache-tag", "a,b", &["a", "b"]),
        ("x-cache-tags", "A", &["A"]),
    ] {
        for tag in tags {
            let mut stage = Stage::new(BY_ORIGIN);
            stage.exchange(get("/a"), fresh("old").with(field, value));
            assert!(!survives(&mut stage, get("/a"), tag), "{field} {tag}");
        }
        let mut stage = Stage::new(BY_ORIGIN);
        stage.exchange(get("/a"), fresh("old").with(field, value));
        assert!(survives(&mut stage, get("/a"), "c"), "{field}");
    }
}

#[test]
fn every_variant_and_every_worker_is_met() {
    let mut stage = Stage::new(BY_ORIGIN);
    let mut other = stage.another_worker(BY_ORIGIN);
    let ask = |language| get("/a").with("accept-language", language);
    for language in ["de", "en"] {
        let answer = fresh(language).with("vary", "accept-language");
        stage.exchange(ask(language), answer.with("cache-tag", "a"));
    }
    for _ in 0..3 {
        assert_eq!(other.exchange(ask("en"), fresh("never")).text(), "en");
    }
    stage.invalidate(&[Scope::Tag(b"a")], Mode::Hard);
    assert_eq!(other.exchange(ask("en"), fresh("new")).text(), "new");
    assert_eq!(stage.exchange(ask("de"), fresh("new")).text(), "new");
}

#[test]
fn a_response_that_was_on_its_way_is_over_too() {
    let mut stage = Stage::new(BY_ORIGIN);
    let fetch = stage.begin(get("/a"));
    stage.invalidate(&[Scope::Tag(b"a")], Mode::Hard);
    stage.finish(fetch, fresh("old").with("xkey", "a"));
    assert_eq!(stage.exchange(get("/a"), fresh("new")).text(), "new");
}

#[test]
fn clients_do_not_see_them() {
    const FIELDS: [&str; 5] = [
        "surrogate-key",
        "xkey",
        "cache-tag",
        "edge-cache-tag",
        "x-cache-tags",
    ];
    const RULES: &str =
        r#"{"rules": [{"name": "never", "match": {"path": "/never"}, "cache": false}]}"#;
    let tagged = |answer: Response| {
        FIELDS
            .iter()
            .fold(answer, |answer, name| answer.with(name, "t"))
    };
    let etag = |answer: Response| tagged(answer).with("etag", "\"1\"");
    let with = |exposed| {
        RULES.replacen(
            '{',
            &format!(r#"{{"headers": {{"expose_tags": {exposed}}}, "#),
            1,
        )
    };
    for (configuration, expected) in [(RULES.to_owned(), 0), (with(false), 0), (with(true), 5)] {
        let mut stage = Stage::new(&configuration);
        let check = |stage: &mut Stage, request, answer, word: &str| {
            let seen = stage.exchange(request, answer);
            let count = FIELDS
                .iter()
                .filter(|name| seen.headers.contains(name))
                .count();
            assert_eq!(
                (seen.field("x-cache"), count),
                (word, expected),
                "{configuration}"
            );
        };
        check(&mut stage, get("/a"), etag(fresh("a")), "MISS");
        for _ in 0..3 {
            check(&mut stage, get("/a"), reply("never asked"), "HIT");
        }
        stage.wait(61);
        check(
            &mut stage,
            get("/a"),
            etag(reply("").status(304)),
            "REVALIDATED",
        );
        check(&mut stage, get("/b"), tagged(reply("not stored")), "MISS");
        check(
            &mut stage,
            get("/never"),
            tagged(reply("not looked up")),
            "BYPASS",
        );
        check(
            &mut stage,
            request("POST", "/c"),
            tagged(reply("written")),
            "BYPASS",
        );
        check(
            &mut stage,
            request("POST", "/never"),
            tagged(reply("written")),
            "BYPASS",
        );
    }
}

#[test]
fn what_was_stored_to_be_seen_is_hidden_when_it_should_be() {
    let mut stage = Stage::new(r#"{"headers": {"expose_tags": true}}"#);
    stage.exchange(get("/a"), fresh("a").with("xkey", "t"));
    let seen = stage.exchange(get("/a"), fresh("never asked"));
    assert_eq!(seen.field("xkey"), "t");
    stage.reconfigure(BY_ORIGIN);
    let hidden = stage.exchange(get("/a"), fresh("never asked"));
    assert_eq!((hidden.text(), hidden.field("xkey")), ("a", ""));
}

/// "the cache MUST add each header field in the provided response to the stored response, replacing field values that are
/// already present" (RFC 9111 section 3.2).
#[test]
fn a_confirmation_replaces_the_tags_of_the_fields_it_has() {
    for configuration in [BY_ORIGIN, r#"{"headers": {"expose_tags": true}}"#] {
        let rows: [(Fields<'_>, &[&str]); 4] = [
            (&[], &["a", "b", "c"]),
            (&[("xkey", "d")], &["c", "d"]),
            (&[("surrogate-key", "d")], &["a", "b", "c", "d"]),
            (&[("xkey", ""), ("cache-tag", "")], &[]),
        ];
        for (update, expected) in rows {
            let mut stage = Stage::new(configuration);
            let first = fresh("a").with("etag", "\"1\"").with("xkey", "a b");
            stage.exchange(get("/a"), first.with("cache-tag", "c"));
            stage.wait(61);
            let bare = reply("").status(304).with("etag", "\"1\"");
            let update = update
                .iter()
                .fold(bare, |it, (name, value)| it.with(name, value));
            let seen = stage.exchange(get("/a"), update.with("cache-control", "max-age=60"));
            assert_eq!(seen.field("x-cache"), "REVALIDATED");
            assert_eq!(stage.last_tags(), expected);
        }
    }
}

#[test]
fn so_does_a_head_that_describes_it() {
    let mut stage = Stage::new(BY_ORIGIN);
    let first = fresh("a").with("etag", "\"1\"").with("xkey", "a");
    stage.exchange(get("/a"), first.with("cache-tag", "b"));
    stage.wait(61);
    let head = reply("")
        .with("etag", "\"1\"")
        .with("cache-control", "max-age=60");
    stage.exchange(request("HEAD", "/a"), head.with("xkey", "c"));
    assert_eq!(stage.last_tags(), ["b", "c"]);
    assert!(!survives(&mut stage, get("/a"), "c"));
}

#[test]
fn a_part_that_grows_has_the_tags_of_both() {
    let mut stage = Stage::new(BY_ORIGIN);
    let part = |body, range, field, tag| {
        let part = reply(body)
            .status(206)
            .with("etag", "\"1\"")
            .with(field, tag);
        part.with("cache-control", "max-age=60")
            .with("content-range", range)
    };
    let ask = |range| get("/a").with("range", range);
    stage.exchange(ask("bytes=0-1"), part("ab", "bytes 0-1/4", "xkey", "a"));
    assert_eq!(stage.last_tags(), ["a"]);
    stage.exchange(
        ask("bytes=2-3"),
        part("cd", "bytes 2-3/4", "cache-tag", "b"),
    );
    assert_eq!(stage.last_tags(), ["a", "b"]);
    assert!(!survives(&mut stage, get("/a"), "a"));
}

#[test]
fn what_has_more_tags_than_are_remembered_is_not_stored() {
    let mut stage = Stage::new(r#"{"limits": {"max_tags": 2}}"#);
    stage.exchange(
        get("/a"),
        fresh("a").with("xkey", "a b").with("cache-tag", "a"),
    );
    assert_eq!(stage.exchange(get("/a"), fresh("")).text(), "a");
    let seen = stage.exchange(
        get("/b"),
        fresh("b").with("xkey", "a b").with("cache-tag", "c"),
    );
    assert_eq!(seen.cache().1, "larder; fwd=uri-miss; detail=tag-limit");
    assert_eq!(stage.count(Counter::NotStored(Reason::TagLimit)), 1);
    let deep = |tags| {
        (0..tags)
            .map(|tag| format!("{tag}{}", ":x".repeat(15)))
            .collect::<Vec<_>>()
    };
    let mut stage = Stage::new(BY_ORIGIN);
    let limit = stage.exchange(get("/c"), fresh("c").with("xkey", &deep(64).join(" ")));
    assert_eq!(
        limit.cache().1,
        "larder; fwd=uri-miss; detail=tag-limit",
        "1,024 stamps and its own"
    );
    let seen = stage.exchange(get("/c"), fresh("c").with("xkey", &deep(63).join(" ")));
    assert_eq!(seen.cache().1, "larder; fwd=uri-miss; stored");
}

#[test]
fn another_form_of_the_body_leaves_them_alone() {
    let mut stage = Stage::new(BY_ORIGIN);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    let text = "a line of a text\n".repeat(100);
    stage.exchange(zipped(), fresh(&text).with("xkey", "a"));
    stage.exchange(zipped(), fresh("never asked"));
    stage.compress();
    let mut tags = Vec::new();
    stage.forge_last(|response| {
        tags.extend(response.tags.names().map(<[u8]>::to_vec));
        larder_core::entry::encode_response(&response).unwrap()
    });
    assert_eq!(tags, [b"a"]);
    assert!(!survives(&mut stage, zipped(), "a"));
}
