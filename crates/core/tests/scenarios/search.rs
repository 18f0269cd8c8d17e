//! Responses that say which part of the query they do not vary on.

use std::rc::Rc;

use larder_core::exchange::{Answer, Arrival, Event, Verdict};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Key, Unreadable};
use larder_core::policy::request::RequestBody;
use larder_core::report::Counter;

use crate::stage::{CACHE_ALL, Response, Stage, get, reply, request};

/// Everything for a minute, and No-Vary-Search counts.
const SEARCHING: &str =
    r#"{"no_vary_search":true,"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;

/// The same, and clients may ask past what is stored.
const RELOADING: &str = r#"{"no_vary_search":true,"request_cache_control":"honor",
    "rules":[{"name":"all","match":{},"ttl_seconds":60}]}"#;

const UTM: &str = r#"params=("utm_source" "utm_medium")"#;

fn searched(body: &str, field: &str) -> Response {
    reply(body).with("no-vary-search", field)
}

fn x_cache(stage: &mut Stage, path: &str, response: Response) -> (String, String) {
    let seen = stage.exchange(get(path), response);
    (seen.field("x-cache").to_owned(), seen.text().to_owned())
}

#[track_caller]
fn assert_hit(stage: &mut Stage, path: &str, body: &str) {
    let seen = x_cache(stage, path, reply("asked the origin"));
    assert_eq!(seen, ("HIT".to_owned(), body.to_owned()), "{path}");
}

#[track_caller]
fn assert_miss(stage: &mut Stage, path: &str, response: Response) {
    let (word, _) = x_cache(stage, path, response);
    assert_eq!(word, "MISS", "{path}");
}

#[test]
fn what_campaigns_add_to_a_url_is_one_entry() {
    let mut stage = Stage::new(SEARCHING);
    let first = stage.exchange(get("/a?id=1&utm_source=x"), searched("one", UTM));
    assert_eq!(first.cache(), ("MISS", "larder; fwd=uri-miss; stored"));
    for path in [
        "/a?id=1",
        "/a?utm_medium=mail&id=1",
        "/a?id=1&&utm_source=y&utm_source",
        "/a?%69d=%31&utm%5Fsource=z",
    ] {
        assert_hit(&mut stage, path, "one");
    }
    let seen = stage.exchange(get("/a?id=1"), reply("?"));
    assert_eq!(seen.field("no-vary-search"), UTM);
    assert_eq!(stage.origin_requests, 1);
    // What counts is told apart.
    assert_miss(&mut stage, "/a?id=2&utm_source=x", searched("two", UTM));
    assert_hit(&mut stage, "/a?id=2", "two");
    assert_hit(&mut stage, "/a?id=1", "one");
    assert_miss(&mut stage, "/a?id=1&utm_term=x", searched("three", UTM));
    assert_miss(&mut stage, "/b?id=1", searched("four", UTM));
}

#[test]
fn a_head_and_a_range_are_answered_too() {
    let mut stage = Stage::new(SEARCHING);
    stage.exchange(get("/a?utm_source=x"), searched("body", UTM));
    let head = stage.exchange(request("HEAD", "/a"), reply(""));
    assert_eq!(head.field("x-cache"), "HIT");
    let part = get("/a?utm_source=y").with("range", "bytes=0-1");
    assert_eq!(stage.exchange(part, reply("")).text(), "bo");
    assert_eq!(stage.origin_requests, 1);
}

#[test]
fn the_order_of_names_may_say_nothing() {
    let mut stage = Stage::new(
        r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,"no_vary_search":true,
            "key":{"query":{"sort":false}}}]}"#,
    );
    stage.exchange(get("/a?x=1&y=2&x=3"), searched("one", "key-order"));
    assert_hit(&mut stage, "/a?y=2&x=1&x=3", "one");
    assert_miss(&mut stage, "/a?x=3&y=2&x=1", searched("two", "key-order"));
}

#[test]
fn all_but_some_parameters_may_say_nothing() {
    let mut stage = Stage::new(SEARCHING);
    let field = r#"except=("id" "page")"#;
    stage.exchange(get("/a?id=1&page=2&x=3"), searched("one", field));
    assert_hit(&mut stage, "/a?x=4&id=1&page=2&y", "one");
    assert_miss(&mut stage, "/a?id=1&x=3", searched("two", field));
    stage.exchange(get("/b?a=1"), searched("all", "except=()"));
    assert_hit(&mut stage, "/b", "all");
    assert_hit(&mut stage, "/b?c", "all");
}

#[test]
fn a_query_without_a_rule_is_read_the_same_way() {
    let mut stage = Stage::new(r#"{"no_vary_search":true}"#);
    let answer = |body, field| searched(body, field).with("cache-control", "max-age=60");
    stage.exchange(get("/a?b=1&x"), answer("one", r#"params=("x")"#));
    assert_hit(&mut stage, "/a?x=2&b=1", "one");
    assert_hit(&mut stage, "/a?%62=1", "one");
    assert_miss(&mut stage, "/a?b=2", answer("two", r#"params=("x")"#));
}

#[test]
fn without_the_switch_the_field_is_just_a_field() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a?utm_source=x"), searched("one", UTM));
    assert_miss(&mut stage, "/a", searched("two", UTM));
    assert_hit(&mut stage, "/a?utm_source=x", "one");
    assert_eq!(stage.stored.len(), 2, "an entry for each, and no record");
}

#[test]
fn a_rule_may_leave_it_aside() {
    let mut stage = Stage::new(
        r#"{"no_vary_search":true,"rules":[{"name":"all","match":{},"ttl_seconds":60,"no_vary_search":false}]}"#,
    );
    stage.exchange(get("/a?utm_source=x"), searched("one", UTM));
    assert_miss(&mut stage, "/a", reply("two"));
}

#[test]
fn a_field_that_is_invalid_counts_as_absent() {
    for field in [
        "params",
        r#"params, except=("id")"#,
        r#"params=("utm_source"), except=("id")"#,
        r#"params=(utm_source)"#,
        r#"params=("utm_source""#,
        "params=()",
    ] {
        let mut stage = Stage::new(SEARCHING);
        stage.exchange(get("/a?utm_source=x"), searched("one", field));
        assert_miss(&mut stage, "/a", searched("two", field));
        assert_hit(&mut stage, "/a?utm_source=x", "one");
        assert_eq!(stage.stored.len(), 2, "{field}");
    }
}

#[test]
fn a_field_that_belongs_to_the_connection_is_not_stored_and_does_not_count() {
    let mut stage = Stage::new(SEARCHING);
    let response = searched("one", UTM).with("connection", "no-vary-search");
    stage.exchange(get("/a?utm_source=x"), response);
    assert_miss(&mut stage, "/a", reply("two"));
    assert_hit(&mut stage, "/a?utm_source=x", "one");
}

#[test]
fn what_could_hide_a_parameter_is_compared_as_a_whole() {
    let mut stage = Stage::new(SEARCHING);
    // A server that splits at `;` too sees a second `id`.
    stage.exchange(get("/a?id=1&utm_source=x;id=2"), searched("two", UTM));
    assert_miss(&mut stage, "/a?id=1", searched("one", UTM));
    assert_hit(&mut stage, "/a?id=1&utm_source=x;id=2", "two");
    assert_hit(&mut stage, "/a?utm_source=y&id=1", "one");
}

#[test]
fn variants_stand_under_the_reduced_query() {
    let mut stage = Stage::new(SEARCHING);
    let ask = |path, language| get(path).with("accept-language", language);
    let answer = |body| searched(body, UTM).with("vary", "accept-language");
    stage.exchange(ask("/a?utm_source=x", "de"), answer("hallo"));
    let second = stage.exchange(ask("/a?utm_source=y", "fr"), answer("salut"));
    assert_eq!(second.cache(), ("MISS", "larder; fwd=vary-miss; stored"));
    assert_eq!(stage.exchange(ask("/a", "de"), reply("?")).text(), "hallo");
    assert_eq!(
        stage
            .exchange(ask("/a?utm_medium", "fr"), reply("?"))
            .text(),
        "salut"
    );
    assert_eq!(stage.origin_requests, 2);
}

#[test]
fn a_stale_response_is_confirmed_for_all_its_urls() {
    let mut stage = Stage::new(SEARCHING);
    let tagged = searched("one", UTM).with("etag", "\"1\"");
    stage.exchange(get("/a?utm_source=x"), tagged);
    stage.wait(61);
    let confirmed = stage.exchange(
        get("/a?utm_source=y"),
        reply("").status(304).with("etag", "\"1\""),
    );
    assert_eq!(
        (confirmed.field("x-cache"), confirmed.text()),
        ("REVALIDATED", "one")
    );
    assert_eq!(stage.asked.only("if-none-match"), Some(&b"\"1\""[..]));
    assert_hit(&mut stage, "/a", "one");
    assert_eq!(stage.origin_requests, 2);
}

#[test]
fn another_value_leads_to_another_place() {
    let mut stage = Stage::new(SEARCHING);
    stage.exchange(get("/a?id=1&utm_source=x"), searched("old", UTM));
    // Another URL of the path tells of the new value.
    stage.exchange(get("/a?id=2&x"), searched("two", r#"params=("x")"#));
    assert_hit(&mut stage, "/a?id=2", "two");
    // What was stored by the old one is not found any more, but by its old value it would be right.
    assert_miss(&mut stage, "/a?id=1", searched("new", r#"params=("x")"#));
    assert_hit(&mut stage, "/a?id=1&x", "new");
    stage.exchange(get("/a?id=3"), searched("three", UTM));
    assert_hit(&mut stage, "/a?id=1&utm_source=y", "old");
}

#[test]
fn what_another_value_supersedes_is_not_used_when_the_old_one_is_back() {
    let mut stage = Stage::new(RELOADING);
    stage.exchange(get("/a?id=1"), searched("old", UTM));
    let reload = get("/a?id=1").with("cache-control", "no-cache");
    stage.exchange(reload, searched("new", r#"params=("x")"#));
    stage.exchange(get("/a?id=3"), searched("three", UTM));
    // The record leads to where the old one stood, and its successor cannot be seen from there.
    assert_miss(&mut stage, "/a?id=1&utm_source=y", searched("newest", UTM));
    assert_hit(&mut stage, "/a?id=1", "newest");
}

#[test]
fn a_response_without_the_field_is_found_behind_the_record() {
    let mut stage = Stage::new(SEARCHING);
    stage.exchange(get("/a?id=1"), searched("one", UTM));
    // An error page, say: the same path, another query, no field.
    assert_miss(&mut stage, "/a?id=2&utm_source=x", reply("two"));
    assert_hit(&mut stage, "/a?id=2&utm_source=x", "two");
    assert_miss(&mut stage, "/a?id=2", reply("other"));
    assert_hit(&mut stage, "/a?id=1&utm_source=x", "one");
    // And what was stored before there was a record.
    let mut stage = Stage::new(SEARCHING);
    stage.exchange(get("/a?id=2&utm_source=x"), reply("two"));
    stage.exchange(get("/a?id=1"), searched("one", UTM));
    assert_hit(&mut stage, "/a?id=2&utm_source=x", "two");
}

#[test]
fn a_variant_without_the_field_is_found_behind_the_record() {
    let mut stage = Stage::new(SEARCHING);
    let ask = |language| get("/a?id=2").with("accept-language", language);
    stage.exchange(get("/a?id=1"), searched("one", UTM));
    stage.exchange(ask("de"), reply("hallo").with("vary", "accept-language"));
    stage.exchange(ask("fr"), reply("salut").with("vary", "accept-language"));
    assert_eq!(stage.exchange(ask("de"), reply("?")).text(), "hallo");
    assert_eq!(stage.exchange(ask("fr"), reply("?")).text(), "salut");
}

#[test]
fn an_origin_that_sends_the_field_no_longer_is_believed() {
    let mut stage = Stage::new(SEARCHING);
    stage.exchange(get("/a?utm_source=x"), searched("old", UTM));
    stage.wait(61);
    assert_miss(&mut stage, "/a?utm_source=x", reply("new"));
    assert_hit(&mut stage, "/a?utm_source=x", "new");
    assert_miss(&mut stage, "/a?utm_source=y", reply("other"));
    assert_hit(&mut stage, "/a?utm_source=y", "other");
}

#[test]
fn the_newer_of_two_is_used_where_the_field_comes_and_goes() {
    let mut stage = Stage::new(RELOADING);
    stage.exchange(get("/a?utm_source=x"), searched("old", UTM));
    // A reload while the old one is fresh; the answer goes to another place.
    let reload = get("/a?utm_source=x").with("cache-control", "no-cache");
    stage.exchange(reload.clone(), reply("new"));
    assert_hit(&mut stage, "/a?utm_source=x", "new");
    // The field is back.
    stage.exchange(reload, searched("newest", UTM));
    assert_hit(&mut stage, "/a?utm_source=x", "newest");
    assert_hit(&mut stage, "/a", "newest");
}

#[test]
fn the_record_lasts_as_long_as_what_it_leads_to() {
    let mut stage = Stage::new(SEARCHING);
    let lasting = |body, age: &str| {
        let directives = format!("max-age={age}");
        searched(body, UTM).with("cache-control", &directives)
    };
    stage.exchange(get("/a?id=1"), lasting("long", "1000"));
    assert_eq!(stage.stored.len(), 2);
    stage.exchange(get("/a?id=2"), lasting("short", "10"));
    assert_eq!(stage.stored.len(), 3, "the record will do");
    stage.wait(999);
    assert_hit(&mut stage, "/a?id=1&utm_source=x", "long");
    stage.exchange(get("/a?id=3"), lasting("longer", "1000"));
    assert_eq!(stage.stored.len(), 5);
}

#[test]
fn whose_entry_it_is_stays_part_of_the_key() {
    let mut stage = Stage::new(
        r#"{"no_vary_search":true,"rules":[{"name":"all","match":{},"ttl_seconds":60,
            "identity":{"cookie":"sid"}}]}"#,
    );
    let ask = |path, user: &str| get(path).with("cookie", &format!("sid={user}"));
    stage.exchange(ask("/a?utm_source=x", "1"), searched("one", UTM));
    assert_eq!(
        stage.exchange(ask("/a", "2"), searched("two", UTM)).text(),
        "two"
    );
    assert_eq!(stage.exchange(ask("/a", "1"), reply("?")).text(), "one");
}

#[test]
fn a_template_leaves_only_what_is_asked_for_by_name() {
    let mut stage = Stage::new(
        r#"{"no_vary_search":true,"rules":[{"name":"all","match":{"path":"/(?P<id>.*)"},"ttl_seconds":60,
            "key":{"template":"t:{id}","query":{"include":["page","ref"]}}}]}"#,
    );
    let field = r#"params=("ref")"#;
    stage.exchange(get("/a?page=1&ref=x&other=1"), searched("one", field));
    assert_hit(&mut stage, "/a?other=2&page=1", "one");
    assert_miss(&mut stage, "/a?page=2", searched("two", field));
}

#[test]
fn a_write_invalidates_every_url_that_the_response_stands_for() {
    let mut stage = Stage::new(SEARCHING);
    stage.exchange(get("/a?id=1&utm_source=x"), searched("old", UTM));
    stage.exchange(get("/b?id=1"), searched("b", UTM));
    stage.exchange(request("POST", "/a?utm_medium=y&id=1"), reply("done"));
    assert_miss(&mut stage, "/a?id=1", searched("new", UTM));
    assert_hit(&mut stage, "/a?id=1&utm_source=z", "new");
    assert_hit(&mut stage, "/b?id=1&utm_source=x", "b");
}

#[test]
fn a_head_ends_a_response_that_is_found_by_the_field() {
    let mut stage = Stage::new(RELOADING);
    stage.exchange(
        get("/a?utm_source=x"),
        searched("old", UTM).with("etag", "\"1\""),
    );
    let head = request("HEAD", "/a?utm_source=y").with("cache-control", "no-cache");
    stage.exchange(head, searched("", UTM).with("etag", "\"2\""));
    assert_miss(&mut stage, "/a", searched("new", UTM));
    assert_hit(&mut stage, "/a?utm_medium", "new");
}

#[test]
fn a_record_that_is_damaged_hides_nothing() {
    let mut stage = Stage::new(SEARCHING);
    stage.exchange(get("/a?id=2"), reply("two"));
    stage.exchange(get("/a?id=1"), searched("one", UTM));
    stage.damage_slots(1);
    assert_miss(&mut stage, "/a?id=1", searched("again", UTM));
    assert!(stage.count(Counter::Corrupt) > 0);
    assert_hit(&mut stage, "/a?id=1&utm_source=x", "again");
}

struct NoAttributes;

impl Attributes for NoAttributes {
    fn attribute(&self, _: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
}

/// What the tiers may hold under any key.
fn payloads() -> Vec<Option<Vec<u8>>> {
    let mut stage = Stage::new(RELOADING);
    let reload = |path| get(path).with("cache-control", "no-cache");
    stage.exchange(get("/a?x=1"), searched("one", "except=()"));
    stage.exchange(reload("/a?x=1"), reply("two").with("vary", "accept"));
    let found = stage.stored.into_iter().map(Some);
    found.chain([None, Some(b"no entry".to_vec())]).collect()
}

/// What the tiers are asked for until the request is answered or goes on its way.
fn lookups(stage: &Stage, answers: [&Option<Vec<u8>>; 5]) -> Vec<Rc<Key>> {
    let mut exchange = stage.new_exchange();
    let arrival = Arrival {
        headers: Headers::from_iter([(":method", "GET"), (":authority", "a"), (":path", "/a?x")]),
        body: RequestBody::None,
        attributes: &NoAttributes,
    };
    let mut keys = Vec::new();
    let mut step = exchange.on(Event::Request(arrival), stage.now);
    for answer in answers {
        let Verdict::Lookup(key) = step.verdict else {
            return keys;
        };
        keys.push(key);
        let answer = answer.as_deref().map_or(Answer::Absent, Answer::Found);
        step = exchange.on(Event::Answer(answer), stage.now);
    }
    assert!(!matches!(step.verdict, Verdict::Lookup(_)), "a sixth key");
    keys
}

#[test]
fn the_tiers_are_asked_for_four_keys_at_most_and_for_none_twice() {
    let payloads = payloads();
    assert_eq!(payloads.len(), 7, "{payloads:?}");
    // A worker's own memory would spare it the asking.
    let stage = Stage::new(r#"{"no_vary_search":true,"storage":{"hot_bytes":0}}"#);
    let (mut most, kinds) = (0, payloads.len());
    for number in 0..kinds.pow(5) {
        let answers =
            std::array::from_fn(|place| &payloads[number / kinds.pow(place as u32) % kinds]);
        let mut keys = lookups(&stage, answers);
        most = most.max(keys.len());
        keys.sort_by_key(|key| key.digest().0);
        keys.dedup();
        assert!(keys.len() <= 4 && keys.len() == lookups(&stage, answers).len());
    }
    assert_eq!(most, 4);
}
