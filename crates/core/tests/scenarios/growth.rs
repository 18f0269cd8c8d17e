//! Parts that belong together, and how they grow to the whole.

use larder_core::http::ContentRange;
use larder_core::policy::Reason;
use larder_core::report::Counter;
use proptest::prelude::*;

use crate::partial::{ALPHABET, BY_ORIGIN, ask, held, part, stocked, tagged};
use crate::stage::{CACHE_ALL, Response, Stage, get, reply, request};

#[test]
fn parts_that_touch_grow_to_the_whole() {
    let mut stage = stocked("5-9");
    for (range, status, held_then) in [
        (
            "8-12",
            "larder; fwd=partial; stored",
            ".....fghijklm.............",
        ),
        (
            "0-6",
            "larder; fwd=partial; stored",
            "abcdefghijklm.............",
        ),
    ] {
        let seen = stage.exchange(ask(range), part(range));
        assert_eq!((seen.status, seen.cache()), (206, ("MISS", status)));
        assert_eq!(held(&mut stage), held_then);
    }
    let last = stage.exchange(ask("13-"), part("13-25"));
    assert_eq!(last.text(), "nopqrstuvwxyz");

    let whole = stage.exchange(get("/a"), reply("other"));
    assert_eq!((whole.status, whole.text()), (200, ALPHABET));
    assert_eq!(whole.field("x-cache"), "HIT");
    assert_eq!(
        (whole.field("content-range"), whole.field("etag")),
        ("", "\"v1\"")
    );
    assert_eq!(
        stage.exchange(request("HEAD", "/a"), reply("other")).status,
        200
    );
    assert_eq!(stage.exchange(ask("26-"), reply("other")).status, 416);
    assert_eq!(stage.origin_requests, 4);
}

#[test]
fn what_the_new_part_says_replaces_what_the_stored_one_said() {
    let mut stage = Stage::new(BY_ORIGIN);
    let told = |range, age: &str, level: &str| {
        part(range)
            .with("cache-control", age)
            .with("x-level", level)
    };
    let first = told("0-9", "max-age=60", "1").with("x-once", "kept");
    stage.exchange(ask("0-9"), first);
    stage.wait(30);
    let second = told("10-19", "max-age=100", "2").with("age", "10");
    stage.exchange(ask("10-19"), second);
    let joined = stage.exchange(ask("5-14"), reply("other"));
    assert_eq!((joined.status, joined.text()), (206, "fghijklmno"));
    assert_eq!(joined.cache(), ("HIT", "larder; hit; ttl=90"));
    let fields = ["age", "cache-control", "x-level", "x-once"].map(|name| joined.field(name));
    assert_eq!(fields, ["10", "max-age=100", "2", "kept"]);
}

#[test]
fn of_parts_that_do_not_touch_the_larger_one_stays() {
    let mut stage = stocked("0-9");
    let seen = stage.exchange(ask("16-25"), part("16-25"));
    assert_eq!(seen.text(), "qrstuvwxyz");
    assert_eq!(
        seen.cache(),
        ("MISS", "larder; fwd=partial; detail=range-gap")
    );
    assert_eq!(held(&mut stage), "abcdefghij................");
    stage.exchange(ask("15-25"), part("15-25"));
    assert_eq!(held(&mut stage), "...............pqrstuvwxyz");
}

#[test]
fn parts_of_two_representations_are_never_one() {
    let mut stage = stocked("0-9");
    let seen = stage.exchange(ask("10-19"), tagged("\"v2\"", "10-19"));
    assert_eq!(seen.text(), "klmnopqrst");
    assert_eq!(held(&mut stage), "..........klmnopqrst......");
    let seen = stage.exchange(ask("12-13"), reply("other"));
    assert_eq!(seen.field("etag"), "\"v2\"");

    let longer = reply("uvwxyz")
        .status(206)
        .with("etag", "\"v2\"")
        .with("content-range", "bytes 20-25/27");
    stage.exchange(ask("20-25"), longer);
    assert_eq!(held(&mut stage), "....................uvwxyz");
}

#[test]
fn one_tag_for_different_bytes_joins_nothing() {
    let mut stage = stocked("0-9");
    let other = reply("HIJKL")
        .status(206)
        .with("etag", "\"v1\"")
        .with("content-range", "bytes 7-11/26");
    stage.exchange(ask("7-11"), other);
    assert_eq!(held(&mut stage), ".......HIJKL..............");
}

#[test]
fn an_answer_to_if_range_joins_and_lacks_nothing_afterwards() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(ask("0-9"), part("0-9").with("content-type", "video/mp4"));
    let asked = ask("10-25").with("if-range", "\"v1\"");
    stage.exchange(asked, part("10-25"));
    let whole = stage.exchange(get("/a"), reply("other"));
    assert_eq!((whole.status, whole.text()), (200, ALPHABET));
    assert_eq!(whole.field("content-type"), "video/mp4");
}

#[test]
fn a_stale_part_answers_nothing_but_still_grows() {
    let mut stage = stocked("0-9");
    stage.wait(60);
    let seen = stage.exchange(ask("3-4"), reply("other").status(503));
    assert_eq!((seen.status, seen.text()), (503, "other"));
    assert_eq!(seen.cache().1, "larder; fwd=stale; detail=range");

    let seen = stage.exchange(ask("10-19"), part("10-19"));
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=stale; stored"));
    assert_eq!(held(&mut stage), "abcdefghijklmnopqrst......");
    stage.wait(60);
    stage.exchange(ask("24-25"), part("24-25"));
    assert_eq!(
        held(&mut stage),
        "........................yz",
        "stale is worth less"
    );
}

#[test]
fn what_another_rule_kept_joins_nothing() {
    let mut stage = stocked("0-9");
    stage.reconfigure(r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":70}]}"#);
    let seen = stage.exchange(ask("10-19"), part("10-19"));
    assert_eq!(
        seen.cache(),
        ("MISS", "larder; fwd=stale; stored; detail=other-rule")
    );
    assert_eq!(held(&mut stage), "..........klmnopqrst......");
}

#[test]
fn what_a_write_has_made_invalid_joins_nothing() {
    let mut stage = stocked("0-9");
    stage.exchange(request("POST", "/a"), reply("done"));
    let seen = stage.exchange(ask("10-19"), part("10-19"));
    assert_eq!(seen.text(), "klmnopqrst");
    assert_eq!(held(&mut stage), "..........klmnopqrst......");
}

#[test]
fn a_part_confirms_a_whole_of_its_tag_and_replaces_one_of_another() {
    for (tag, word, expected) in [("\"v1\"", "HIT", 26), ("\"v2\"", "MISS", 3)] {
        let mut stage = Stage::new(CACHE_ALL);
        stage.exchange(get("/a"), reply(ALPHABET).with("etag", "\"v1\""));
        stage.wait(60);
        let seen = stage.exchange(ask("2-4"), tagged(tag, "2-4"));
        assert_eq!((seen.status, seen.text()), (206, "cde"));
        assert_eq!(stage.asked.only("if-none-match"), Some(&b"\"v1\""[..]));
        let bytes = held(&mut stage).replace('.', "");
        assert_eq!(bytes.len(), expected, "{tag}");
        let whole = stage.exchange(get("/a"), reply("other").status(503));
        assert_eq!(whole.field("x-cache"), word, "{tag}");
    }
}

#[test]
fn parts_of_one_variant_are_not_those_of_another() {
    let mut stage = Stage::new(CACHE_ALL);
    let varied = |range| part(range).with("vary", "accept-language");
    let asked = |range, language| ask(range).with("accept-language", language);
    stage.exchange(asked("0-9", "en"), varied("0-9"));
    let seen = stage.exchange(asked("10-19", "de"), varied("10-19"));
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=vary-miss; stored"));
    let seen = stage.exchange(asked("10-25", "en"), varied("10-25"));
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=partial; stored"));
    let seen = stage.exchange(get("/a").with("accept-language", "en"), reply("other"));
    assert_eq!((seen.status, seen.text()), (200, ALPHABET));
    let seen = stage.exchange(asked("10-11", "de"), reply("other"));
    assert_eq!((seen.status, seen.text()), (206, "kl"));
}

#[test]
fn what_no_vary_search_finds_for_another_url_answers_but_joins_nothing() {
    let mut stage = Stage::new(
        r#"{"no_vary_search":true,"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#,
    );
    let asked = |path, range: &str| get(path).with("range", &format!("bytes={range}"));
    let told = |range| part(range).with("no-vary-search", r#"params=("utm")"#);
    stage.exchange(asked("/a?id=1&utm=x", "0-9"), told("0-9"));
    let seen = stage.exchange(asked("/a?id=1", "2-4"), reply("other"));
    assert_eq!((seen.status, seen.text()), (206, "cde"));
    assert_eq!(seen.field("x-cache"), "HIT");

    let seen = stage.exchange(asked("/a?id=1", "10-19"), told("10-19"));
    assert_eq!(seen.cache(), ("MISS", "larder; fwd=partial; stored"));
    let seen = stage.exchange(asked("/a?id=1&utm=y", "12-13"), reply("other"));
    assert_eq!((seen.field("x-cache"), seen.text()), ("HIT", "mn"));
    let seen = stage.exchange(asked("/a?id=1", "9-10"), told("9-10").by_the_proxy());
    assert_eq!(seen.field("x-cache"), "MISS");
}

#[test]
fn a_part_that_varies_is_not_joined_to_one_that_does_not() {
    let mut stage = stocked("0-9");
    stage.exchange(ask("10-19"), part("10-19").with("vary", "accept"));
    assert_eq!(held(&mut stage), "..........klmnopqrst......");
}

#[test]
fn a_part_that_breaks_off_or_has_another_length_changes_nothing() {
    for (name, sent) in [
        ("breaks off", part("10-19").breaking_off()),
        (
            "breaks off in the middle",
            part("10-19").in_chunks(&["klm"]).breaking_off(),
        ),
        ("too short", part("10-19").in_chunks(&["klm", "n"])),
        ("too long", part("10-19").in_chunks(&["klmnopqrst", "u"])),
        ("nothing", part("10-19").in_chunks(&[])),
    ] {
        let mut stage = stocked("0-9");
        stage.exchange(ask("10-19"), sent);
        assert_eq!(
            stage.count(Counter::NotStored(Reason::Incomplete)),
            1,
            "{name}"
        );
        assert_eq!(held(&mut stage), "abcdefghij................", "{name}");
    }
}

#[test]
fn limits_count_what_is_stored_and_what_waits() {
    let limits = |limits: &str| {
        format!(
            r#"{{"rules":[{{"name":"all","match":{{"path":"/.*"}},"ttl_seconds":60}}],"limits":{limits}}}"#
        )
    };
    let mut stage = Stage::new(&limits(r#"{"max_object_bytes":15}"#));
    stage.exchange(ask("0-9"), part("0-9"));
    assert_eq!(
        held(&mut stage),
        "abcdefghij................",
        "a part of what is larger"
    );
    stage.exchange(ask("10-14"), part("10-14"));
    assert_eq!(held(&mut stage), "abcdefghijklmno...........");
    let seen = stage.exchange(ask("15-19"), part("15-19"));
    assert_eq!(seen.cache().1, "larder; fwd=partial; detail=too-large");
    let seen = stage.exchange(ask("0-15"), part("0-15"));
    assert_eq!(seen.cache().1, "larder; fwd=partial; detail=too-large");
    assert_eq!(held(&mut stage), "abcdefghijklmno...........");

    let mut stage = Stage::new(CACHE_ALL);
    let big = "x".repeat(50_000);
    let part_of_big = |at: usize| {
        let range = format!("bytes {}-{}/200000", at * 50_000, at * 50_000 + 49_999);
        reply(&big)
            .status(206)
            .with("etag", "\"v1\"")
            .with("content-range", &range)
    };
    stage.exchange(ask("0-49999"), part_of_big(0));
    stage.budget.set_limit(120_000); // for what waits, but not for what it would become
    let seen = stage.exchange(ask("50000-99999"), part_of_big(1));
    assert_eq!(seen.body.len(), 50_000);
    assert_eq!(seen.cache().1, "larder; fwd=partial; detail=busy");
    assert_eq!(stage.budget.held(), 0);
    let seen = stage.exchange(ask("0-49999"), reply("other"));
    assert_eq!(seen.field("x-cache"), "HIT");
}

/// What a client of the property asks for, and what the origin then has.
#[derive(Clone, Debug)]
struct Turn {
    version: usize,
    range: Option<(usize, usize)>,
    if_range: Option<usize>,
    wait: u64,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (
        prop_oneof![4 => Just(0), 1 => 0..3_usize],
        prop_oneof![6 => (0..40_usize, 0..20_usize).prop_map(Some), 1 => Just(None)],
        prop_oneof![3 => Just(None), 1 => (0..3_usize).prop_map(Some)],
        prop_oneof![4 => Just(0), 1 => 0..90_u64],
    );
    let turn = turn.prop_map(|(version, range, if_range, wait)| Turn {
        version,
        range: range.map(|(first, more)| (first, first + more)),
        if_range,
        wait,
    });
    proptest::collection::vec(turn, 1..25)
}

/// The bytes of a version; they differ from those of others everywhere.
fn bytes_of(version: usize) -> String {
    let letter = |at| char::from(b'!' + (at % 30) as u8 + 30 * version as u8);
    (0..40).map(letter).collect()
}

fn tag_of(version: usize) -> String {
    format!("\"v{version}\"")
}

/// What an origin that knows ranges answers.
fn origin(turn: &Turn) -> Response {
    let body = bytes_of(turn.version);
    let matches = turn.if_range.is_none_or(|wanted| wanted == turn.version);
    let tag = tag_of(turn.version);
    match turn.range.filter(|_| matches) {
        None => reply(&body).with("etag", &tag),
        Some((first, _)) if first >= body.len() => reply("").status(416),
        Some((first, last)) => {
            let last = last.min(body.len() - 1);
            reply(body.get(first..=last).unwrap())
                .status(206)
                .with("etag", &tag)
                .with("content-range", &format!("bytes {first}-{last}/40"))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn whatever_is_asked_and_changed_a_client_gets_bytes_of_one_representation(turns in turns()) {
        let mut stage = Stage::new(CACHE_ALL);
        for turn in turns {
            stage.wait(turn.wait);
            let mut asked = match turn.range {
                Some((first, last)) => ask(&format!("{first}-{last}")),
                None => get("/a"),
            };
            if let Some(version) = turn.if_range {
                asked = asked.with("if-range", &tag_of(version));
            }
            let seen = stage.exchange(asked, origin(&turn));
            let version = (0..3).find(|version| tag_of(*version) == seen.field("etag"));
            let body = bytes_of(version.unwrap_or(turn.version));
            match seen.status {
                200 => prop_assert_eq!(seen.text(), &body),
                206 => {
                    let range = ContentRange::parse(seen.field("content-range").as_bytes()).unwrap();
                    prop_assert_eq!(seen.body.as_slice(), range.span().of(body.as_bytes()));
                    let (first, last) = turn.range.unwrap();
                    prop_assert_eq!((range.span().first(), range.span().last()), (first, last.min(39)));
                    prop_assert!(turn.if_range.is_none_or(|wanted| Some(wanted) == version));
                }
                status => prop_assert_eq!(status, 416),
            }
            prop_assert_eq!(stage.budget.held(), 0);
        }
    }
}

#[test]
fn what_one_user_got_joins_no_part_that_all_share() {
    let mut stage = Stage::new(BY_ORIGIN);
    stage.exchange(
        ask("0-9"),
        part("0-9").with("cache-control", "public, max-age=60"),
    );
    let seen = stage.exchange(
        ask("10-19").with("authorization", "Bearer ann"),
        part("10-19"),
    );
    assert_eq!(seen.cache().1, "larder; fwd=partial; detail=authorization");
    assert_eq!(held(&mut stage), "abcdefghij................");
}

#[test]
fn a_part_of_what_is_judged_by_its_body_is_not_kept_where_it_disagrees() {
    let mut stage = Stage::new(
        r#"{"rules":[{"name":"json","match":{"path":"/.*"},"ttl_seconds":60,
            "store_if":{"json":{"pointer":"/ok","equals":true}}}]}"#,
    );
    let whole = r#"{"ok":true,"letters":"abcd"}"#;
    stage.exchange(get("/a"), reply(whole).with("etag", "\"v1\""));
    assert_eq!(whole.len(), 28);
    stage.wait(70);
    let other = reply("false").status(206).with("etag", "\"v1\"");
    let seen = stage.exchange(ask("6-10"), other.with("content-range", "bytes 6-10/28"));
    assert_eq!(seen.status, 206);
    let next = stage.exchange(ask("6-10"), reply("asked").status(503));
    assert_eq!(next.text(), "asked");
}
