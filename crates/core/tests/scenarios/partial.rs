//! Parts that are stored: which, and what they answer.

use larder_core::report::Outcome;

use crate::stage::{CACHE_ALL, Request, Response, Stage, get, reply, request};

pub const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz";

/// Leaves the decision to the origin's headers.
pub const BY_ORIGIN: &str = "{}";

pub fn ask(range: &str) -> Request {
    get("/a").with("range", &format!("bytes={range}"))
}

/// A part of the alphabet under this tag.
pub fn tagged(tag: &str, range: &str) -> Response {
    let (first, last) = range.split_once('-').unwrap();
    let bytes = first.parse::<usize>().unwrap()..=last.parse::<usize>().unwrap();
    reply(ALPHABET.get(bytes).unwrap())
        .status(206)
        .with("content-range", &format!("bytes {range}/26"))
        .with("etag", tag)
}

pub fn part(range: &str) -> Response {
    tagged("\"v1\"", range)
}

/// A stage that has this part of the alphabet stored under `/a`.
pub fn stocked(range: &str) -> Stage {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(ask(range), part(range));
    assert_eq!(stage.outcomes(Outcome::Miss), 1);
    stage
}

/// What of the alphabet is answered without the origin; asks for every byte, and changes nothing.
pub fn held(stage: &mut Stage) -> String {
    let origin_requests = stage.origin_requests;
    let refusal = || reply("no").status(503);
    let held = (0..26).map(|at| {
        let seen = stage.exchange(ask(&format!("{at}-{at}")), refusal());
        match seen.field("x-cache") {
            "HIT" => seen.text().to_owned(),
            _ => ".".to_owned(),
        }
    });
    let held = held.collect();
    stage.origin_requests = origin_requests;
    assert_eq!(stage.budget.held(), 0);
    held
}

#[test]
fn a_part_answers_what_lies_within_it() {
    let mut stage = Stage::new(CACHE_ALL);
    let typed = part("20-25").with("content-type", "text/plain");
    let first = stage.exchange(ask("20-25"), typed);
    assert_eq!((first.status, first.text()), (206, "uvwxyz"));
    assert_eq!(first.cache(), ("MISS", "larder; fwd=uri-miss; stored"));
    stage.wait(5);
    for (range, content_range, text) in [
        ("20-25", "bytes 20-25/26", "uvwxyz"),
        ("21-22", "bytes 21-22/26", "vw"),
        ("24-", "bytes 24-25/26", "yz"),
        ("-1", "bytes 25-25/26", "z"),
        ("20-20,21-22", "bytes 20-22/26", "uvw"),
    ] {
        let seen = stage.exchange(ask(range), reply("other"));
        assert_eq!((seen.status, seen.text()), (206, text), "{range}");
        assert_eq!(seen.field("content-range"), content_range);
        assert_eq!(
            (seen.field("etag"), seen.field("content-type")),
            ("\"v1\"", "text/plain")
        );
        assert_eq!(seen.cache(), ("HIT", "larder; hit; ttl=55"));
        assert_eq!((seen.field("age"), seen.field("x-cache-age")), ("5", "5"));
    }
    assert_eq!(
        (stage.origin_requests, stage.outcomes(Outcome::Hit)),
        (1, 5)
    );
}

#[test]
fn a_part_answers_nothing_else_and_the_origin_is_asked_as_the_client_asked() {
    let rows = [
        ("the whole", get("/a")),
        ("the head", request("HEAD", "/a").with("range", "bytes=3-4")),
        ("what it ends before", ask("3-10")),
        ("what it begins behind", ask("0-4")),
        ("the end", ask("-1")),
        ("what does not exist", ask("26-")),
        ("another part too", ask("3-4,20-21")),
        (
            "whether the whole has changed",
            get("/a").with("if-none-match", "\"v1\""),
        ),
        (
            "what of another representation",
            ask("3-4").with("if-range", "\"v0\""),
        ),
        ("no range", get("/a").with("range", "bytes=4-3")),
    ];
    for (name, asked) in rows {
        let mut stage = stocked("2-9");
        let seen = stage.exchange(asked.clone(), reply("other").status(404));
        assert_eq!((seen.status, seen.text()), (404, "other"), "{name}");
        assert!(
            seen.cache().1.starts_with("larder; fwd=partial; detail="),
            "{name}: {:?}",
            seen.cache()
        );
        assert_eq!(stage.asked, asked.headers(), "{name}");
        assert_eq!(held(&mut stage), "..cdefghij................", "{name}");
    }
}

#[test]
fn what_the_client_has_already_comes_before_the_part() {
    let mut stage = stocked("2-9");
    let same = stage.exchange(ask("3-4").with("if-none-match", "\"v1\""), reply("other"));
    assert_eq!((same.status, same.text()), (304, ""));
    assert_eq!(same.field("content-range"), "");
    let other = stage.exchange(ask("3-4").with("if-none-match", "\"v0\""), reply("other"));
    assert_eq!((other.status, other.text()), (206, "de"));
    let still = stage.exchange(ask("3-4").with("if-range", "\"v1\""), reply("other"));
    assert_eq!((still.status, still.text()), (206, "de"));
    assert_eq!(stage.origin_requests, 1);
}

#[test]
fn from_the_cache_or_not_at_all_holds_for_parts_too() {
    let mut stage = stocked("2-9");
    let only = |request: Request| request.with("cache-control", "only-if-cached");
    assert_eq!(stage.exchange(only(ask("3-4")), reply("other")).status, 206);
    for missing in [ask("3-10"), get("/a")] {
        assert_eq!(stage.exchange(only(missing), reply("other")).status, 504);
    }
    assert_eq!(stage.origin_requests, 1);
}

#[test]
fn a_part_that_is_all_of_it_is_the_whole() {
    let mut stage = Stage::new(CACHE_ALL);
    let all = reply(ALPHABET)
        .status(206)
        .with("content-range", "bytes 0-25/26");
    let first = stage.exchange(ask("0-"), all);
    assert_eq!((first.status, first.text()), (206, ALPHABET));
    let whole = stage.exchange(get("/a"), reply("other"));
    assert_eq!((whole.status, whole.text()), (200, ALPHABET));
    assert_eq!(whole.field("content-range"), "");
}

#[test]
fn what_no_other_part_could_belong_to_is_not_stored() {
    let untagged = reply("cde")
        .status(206)
        .with("content-range", "bytes 2-4/26");
    let dated = untagged
        .clone()
        .with("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let several = reply("--x--")
        .status(206)
        .with("etag", "\"v1\"")
        .with("content-type", "multipart/byteranges; boundary=x");
    let endless = reply("cde")
        .status(206)
        .with("etag", "\"v1\"")
        .with("content-range", "bytes 2-4/*");
    for (name, asked, sent) in [
        ("weak", ask("2-4"), tagged("W/\"v1\"", "2-4")),
        ("without a tag", ask("2-4"), untagged),
        ("with a date", ask("2-4"), dated),
        ("several", ask("2-2,4-4"), several),
        ("of unknown length", ask("2-4"), endless),
        ("not asked for", get("/a"), part("2-4")),
        (
            "with fields left out",
            ask("2-4").with("if-range", "\"v1\""),
            part("2-4"),
        ),
    ] {
        let mut stage = Stage::new(CACHE_ALL);
        let seen = stage.exchange(asked, sent);
        assert_eq!(
            seen.cache(),
            ("MISS", "larder; fwd=uri-miss; detail=partial-content"),
            "{name}"
        );
        assert!(stage.stored.is_empty(), "{name}");
    }
}

#[test]
fn a_part_is_stored_only_where_the_whole_would_be() {
    let stored = |configuration: &str, asked: Request, sent: Response| {
        let mut stage = Stage::new(configuration);
        let seen = stage.exchange(asked, sent);
        assert_eq!(seen.text(), "cde");
        let word = seen.cache().1.to_owned();
        assert_eq!(word.ends_with("; stored"), !stage.stored.is_empty());
        word.rsplit_once("; ").unwrap().1.to_owned()
    };
    let by_origin = |field, value| stored(BY_ORIGIN, ask("2-4"), part("2-4").with(field, value));
    for (expected, value) in [
        ("stored", "max-age=60"),
        ("detail=no-store", "max-age=60, no-store"),
        ("detail=private", "max-age=60, private"),
        ("detail=no-cache", "max-age=60, no-cache"),
    ] {
        assert_eq!(by_origin("cache-control", value), expected, "{value}");
    }
    assert_eq!(by_origin("x-nothing", "1"), "detail=no-freshness");
    let all = |sent| stored(CACHE_ALL, ask("2-4"), sent);
    assert_eq!(
        all(part("2-4").with("set-cookie", "a=1")),
        "detail=set-cookie"
    );
    assert_eq!(all(part("2-4").with("vary", "*")), "detail=vary-star");
    assert_eq!(all(part("2-4").by_the_proxy()), "detail=local-reply");
    let mine = ask("2-4").with("authorization", "Bearer x");
    assert_eq!(stored(CACHE_ALL, mine, part("2-4")), "detail=authorization");

    let rule = |condition: &str| {
        format!(
            r#"{{"rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":60,"store_if":{condition}}}]}}"#
        )
    };
    for (condition, expected) in [
        (r#"{"status":[200]}"#, "stored"),
        (r#"{"status":[206]}"#, "detail=store-if"),
        (r#"{"json":{"pointer":"/a","equals":1}}"#, "detail=store-if"),
    ] {
        let found = stored(&rule(condition), ask("2-4"), part("2-4"));
        assert_eq!(found, expected, "{condition}");
    }
}

#[test]
fn a_json_condition_is_judged_on_a_part_that_is_all() {
    let rule = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,"store_if":{"json":{"pointer":"/a","equals":1}}}]}"#;
    for (body, word) in [(r#"{"a":1}"#, "HIT"), (r#"{"a":2}"#, "MISS")] {
        let mut stage = Stage::new(rule);
        let all = reply(body).status(206).with("content-range", "bytes 0-6/7");
        stage.exchange(ask("0-"), all);
        let seen = stage.exchange(get("/a"), reply("other"));
        assert_eq!(seen.field("x-cache"), word, "{body}");
    }
}

#[test]
fn a_whole_answer_takes_the_place_of_a_part() {
    let mut stage = stocked("0-9");
    let whole = reply(ALPHABET).with("etag", "\"v2\"");
    let seen = stage.exchange(ask("5-14"), whole);
    assert_eq!((seen.status, seen.text()), (200, ALPHABET));
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=partial; stored"));
    assert_eq!(held(&mut stage), ALPHABET);
}

#[test]
fn a_part_does_not_take_the_place_of_a_whole_that_is_fresh() {
    let honor = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,"request_cache_control":"honor"}]}"#;
    let mut stage = Stage::new(honor);
    stage.exchange(get("/a"), reply(ALPHABET));
    let reload = || ask("2-4").with("cache-control", "no-cache");
    let seen = stage.exchange(reload(), part("2-4"));
    assert_eq!(
        seen.cache(),
        ("MISS", "larder; fwd=request; detail=partial-content")
    );
    assert_eq!(held(&mut stage), ALPHABET);
    stage.exchange(reload(), reply("another whole"));
    let seen = stage.exchange(get("/a"), reply("other"));
    assert_eq!(seen.text(), "another whole");
}
