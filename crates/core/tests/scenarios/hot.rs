//! A worker's own memory: the same answers, without the tiers being asked.

use larder_core::report::{Counter, Outcome};
use proptest::prelude::*;

use crate::stage::{CACHE_ALL, Request, Response, Seen, Stage, get, reply, request};

const TINY: &str = r#"{"storage":{"hot_bytes":20000},
    "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;

const HONOURING: &str = r#"{"request_cache_control":"honor",
    "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;

fn never_asked() -> Response {
    reply("never asked")
}

/// Stores this, and asks for it until it is given from the worker's own memory.
fn warm(stage: &mut Stage, request: &Request, response: Response) {
    stage.exchange(request.clone(), response);
    for _ in 0..2 {
        stage.exchange(request.clone(), never_asked());
    }
}

/// The answer, and how often it came from the worker's own memory.
fn ask(stage: &mut Stage, request: &Request) -> (Seen, u64) {
    let before = stage.count(Counter::HotHit);
    let seen = stage.exchange(request.clone(), reply("new"));
    (seen, stage.count(Counter::HotHit) - before)
}

#[test]
fn what_is_asked_for_again_is_answered_without_the_tiers() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply("a"));
    let first = ask(&mut stage, &get("/a"));
    let second = ask(&mut stage, &get("/a"));
    stage.damage_slots(1);
    let third = ask(&mut stage, &get("/a"));
    assert_eq!([first.1, second.1, third.1], [0, 0, 1]);
    assert_eq!(first.0, third.0, "word for word");
    assert_eq!(stage.outcomes(Outcome::Hit), 3);
}

#[test]
fn its_age_is_that_of_the_moment() {
    let mut stage =
        Stage::new(r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":2000}]}"#);
    warm(&mut stage, &get("/a"), reply("a"));
    for second in [1, 2, 9, 10, 11, 99, 100, 999, 1000, 1500, 1999] {
        stage.wait(second - stage.now_in_play());
        // The tiers are asked first, because a second has passed, and then no more.
        for _ in 0..2 {
            let (seen, _) = ask(&mut stage, &get("/a"));
            let age = second.to_string();
            assert_eq!(
                (seen.field("age"), seen.field("x-cache-age")),
                (&*age, &*age)
            );
            let left = format!("larder; hit; ttl={}", 2000 - second);
            assert_eq!(seen.cache(), ("HIT", &*left));
        }
    }
    stage.wait(1);
    assert_eq!(ask(&mut stage, &get("/a")).0.text(), "new");
}

#[test]
fn an_invalidation_is_noticed_at_once_whoever_made_it() {
    let mut stage = Stage::new(CACHE_ALL);
    warm(&mut stage, &get("/a"), reply("a"));
    warm(&mut stage, &get("/b"), reply("b"));
    stage
        .another_worker(CACHE_ALL)
        .exchange(request("POST", "/a"), reply(""));
    assert_eq!(ask(&mut stage, &get("/a")).0.text(), "new");
    let (other, hot) = ask(&mut stage, &get("/b"));
    assert_eq!((other.text(), hot), ("b", 1), "its stamps were not named");
    warm(&mut stage, &get("/a"), reply("new"));
    stage.exchange(request("POST", "/a"), reply(""));
    assert_eq!(ask(&mut stage, &get("/a")).0.text(), "new");
    assert_eq!(stage.origin_requests, 5);
}

#[test]
fn what_this_worker_stores_is_what_it_answers() {
    let mut stage = Stage::new(HONOURING);
    warm(&mut stage, &get("/a"), reply("old"));
    stage.wait(1);
    warm(&mut stage, &get("/a"), never_asked());
    stage.exchange(get("/a").with("cache-control", "no-cache"), reply("newer"));
    assert_eq!(ask(&mut stage, &get("/a")).0.text(), "newer");
}

#[test]
fn what_another_worker_stores_is_seen_a_second_later() {
    let mut stage = Stage::new(CACHE_ALL);
    warm(&mut stage, &get("/a"), reply("old"));
    let reload = get("/a").with("cache-control", "no-cache");
    stage
        .another_worker(HONOURING)
        .exchange(reload, reply("newer"));
    assert_eq!(ask(&mut stage, &get("/a")).0.text(), "old");
    stage.wait(1);
    assert_eq!(ask(&mut stage, &get("/a")).0.text(), "newer");
}

#[test]
fn when_the_cells_are_wiped_what_is_kept_is_asked_for_again() {
    let mut stage = Stage::new(CACHE_ALL);
    warm(&mut stage, &get("/a"), reply("old"));
    stage.kv.wipe();
    stage.wait(1);
    assert_eq!(ask(&mut stage, &get("/a")).0.text(), "new");
}

#[test]
fn each_client_gets_its_own() {
    let mut stage = Stage::new(CACHE_ALL);
    let vary = |text: &str| {
        reply(text)
            .with("vary", "accept-language")
            .with("etag", "\"1\"")
    };
    let speaks = |language| get("/a").with("accept-language", language);
    warm(&mut stage, &speaks("de"), vary("hallo"));
    warm(&mut stage, &speaks("fr"), vary("salut"));
    warm(&mut stage, &speaks("de"), never_asked()); // the list of variants is another now
    let (german, hot) = ask(&mut stage, &speaks("de"));
    assert_eq!((german.text(), hot), ("hallo", 1));
    assert_eq!(ask(&mut stage, &speaks("fr")).0.text(), "salut");
    let knows = speaks("de").with("if-none-match", "\"1\"");
    warm(&mut stage, &knows, never_asked());
    let (known, hot) = ask(&mut stage, &knows);
    assert_eq!((known.status, known.text(), hot), (304, "", 1));
    assert_eq!(stage.count(Counter::NotModified), 4, "each of them counts");
    let head = request("HEAD", "/a").with("accept-language", "de");
    assert_eq!(ask(&mut stage, &head).0.field("content-length"), "5");
}

#[test]
fn another_configuration_has_its_own_answers() {
    let mut stage = Stage::new(CACHE_ALL);
    warm(&mut stage, &get("/a"), reply("old"));
    stage.reconfigure(r#"{"rules":[{"name":"none","match":{"path":"/.*"},"cache":false}]}"#);
    let (seen, hot) = ask(&mut stage, &get("/a"));
    assert_eq!(
        (seen.text(), seen.field("x-cache"), hot),
        ("new", "BYPASS", 0)
    );
}

#[test]
fn one_pass_over_many_urls_takes_nobodys_place() {
    let mut stage = Stage::new(TINY);
    let popular: Vec<Request> = (0..5).map(|n| get(&format!("/popular/{n}"))).collect();
    for request in &popular {
        warm(&mut stage, request, reply("popular"));
    }
    for n in 0..200 {
        let once = get(&format!("/once/{n}"));
        stage.exchange(once.clone(), reply("once"));
        stage.exchange(once, never_asked());
        for request in &popular {
            stage.exchange(request.clone(), never_asked());
        }
    }
    assert!(stage.count(Counter::HotHit) > 950, "of 1,000");
    assert!(stage.hot.bytes() <= 20_000);
}

#[test]
fn it_can_be_turned_off() {
    let configuration = r#"{"storage":{"hot_bytes":0},
        "rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let mut stage = Stage::new(configuration);
    warm(&mut stage, &get("/a"), reply("a"));
    assert_eq!(ask(&mut stage, &get("/a")).1, 0);
    assert_eq!(stage.hot.bytes(), 0);
}

#[test]
fn what_the_route_adds_is_taken_away_again() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.route_adds("link", "<route>");
    stage.route_adds("etag", "\"route\"");
    let cold = {
        stage.exchange(get("/a"), reply("a").with("link", "<own>"));
        stage.exchange(get("/a"), never_asked())
    };
    warm(&mut stage, &get("/a"), never_asked());
    let (hot, times) = ask(&mut stage, &get("/a"));
    assert_eq!((hot, times), (cold, 1));
}

#[test]
fn nobody_is_taken_in_for_another() {
    let mut stage = Stage::new(CACHE_ALL);
    warm(&mut stage, &get("/a"), reply("a"));
    stage.wait(61);
    stage.exchange(get("/a"), reply("a")); // it was wanted, and has expired: nothing is kept any more
    stage.exchange(get("/b"), reply("b"));
    let (_, first) = ask(&mut stage, &get("/b"));
    let (_, second) = ask(&mut stage, &get("/b"));
    assert_eq!([first, second], [0, 0], "one hit is not enough");
    assert_eq!(ask(&mut stage, &get("/b")).1, 1);
}

const PATHS: [&str; 9] = [
    "/plain",
    "/vary",
    "/checked",
    "/short",
    "/text",
    "/search",
    "/me",
    "/nvs?a=1",
    "/nvs?a=1&b=1",
];

/// One thing that happens to two workers, one of which has a memory of its own.
#[derive(Clone, Debug)]
struct Act {
    method: &'static str,
    path: &'static str,
    fields: Vec<(&'static str, &'static str)>,
    wait: u64,
}

fn act() -> impl Strategy<Value = Act> {
    let field = prop_oneof![
        4 => prop::sample::select(vec![
            ("accept-language", "de"),
            ("accept-language", "fr"),
            ("accept-encoding", "gzip"),
            ("accept-encoding", "gzip;q=0.5, identity"),
            ("cache-control", "no-transform"),
            ("if-none-match", "\"1\""),
            ("if-none-match", "W/\"1\""),
            ("if-none-match", "\"2\""),
            ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("cookie", "tenant=1"),
            ("cookie", "tenant=2; other=3"),
            ("x-api", "v2"),
            ("x-tier", "gold"),
            ("authorization", "Bearer x"),
            ("range", "bytes=0-1"),
            ("cache-control", "max-age=1"),
            ("cache-control", "no-cache"),
            ("cache-control", "only-if-cached"),
            ("cache-control", "no-store"),
            ("pragma", "no-cache"),
            ("x-forwarded-proto", "https"),
            ("upgrade", "websocket"),
            ("if-match", "\"1\""),
            ("content-type", "application/grpc"),
            ("content-type", "text/plain"),
            ("content-language", "de"),
            ("content-encoding", "gzip"),
            ("content-location", "/q"),
            ("if-range", "\"1\""),
            ("x-user-id", "ann"),
            ("x-user-id", "bob"),
            ("accept-encoding", "identity"),
            ("origin", "https://a.example"),
            ("x-forwarded-host", "a"),
            ("forwarded", "for=1;host=a"),
            ("x-original-url", "/me"),
            ("x-http-method-override", "DELETE"),
            ("x-method-override", "get"),
        ]),
        2 => prop::sample::select(vec![
            ("user-agent", "one"),
            ("user-agent", "other"),
            ("accept", "text/html"),
            ("x-request-id", "7"),
            ("te", "trailers"),
            ("forwarded", "for=1"),
        ]),
    ];
    let fields = prop_oneof![
        3 => Just(Vec::new()),
        2 => prop::collection::vec(field, 1..3),
    ];
    let method =
        prop_oneof![12 => Just("GET"), 2 => Just("HEAD"), 1 => Just("POST"), 1 => Just("QUERY")];
    let wait = prop_oneof![12 => Just(0u64), 2 => Just(1), 1 => 2..12u64];
    (method, prop::sample::select(&PATHS[..]), fields, wait).prop_map(
        |(method, path, fields, wait)| Act {
            method,
            path,
            fields,
            wait,
        },
    )
}

fn worker(hot_bytes: usize) -> Stage {
    Stage::new(&format!(
        r#"{{"storage":{{"hot_bytes":{hot_bytes}}},"request_cache_control":"honor","no_vary_search":true,"rules":[
            {{"name":"search","match":{{"path":"/search","methods":["GET","POST","QUERY"]}},"ttl_seconds":20,
              "key":{{"body":true}},"hold_headers":true}},
            {{"name":"me","match":{{"path":"/me"}},"ttl_seconds":20,
              "identity":{{"header":"x-user-id","trusted":true,"store_private":true}}}},
            {{"name":"gold","match":{{"path":"/plain","headers":{{"x-tier":"gold"}}}},"cache":false}},
            {{"name":"plain","match":{{"path":"/plain"}},"ttl_seconds":20,"key":{{"headers":["x-api"],"cookies":["tenant"]}}}},
            {{"name":"other","match":{{"path":"/.*"}}}}
        ]}}"#
    ))
}

fn origin(act: &Act, version: usize) -> Response {
    let response = reply(&format!("{} {version}", act.path)).with("etag", "\"1\"");
    match act.path {
        "/plain" | "/search" => response,
        "/me" => response.with("cache-control", "private, max-age=20"),
        "/nvs?a=1" | "/nvs?a=1&b=1" => response
            .with("no-vary-search", "params=(\"b\")")
            .with("vary", "origin")
            .with("cache-control", "max-age=20"),
        "/vary" => response
            .with("vary", "accept-language, x-tier")
            .with("cache-control", "max-age=30"),
        "/text" => reply(&format!("{version} ").repeat(600))
            .with("etag", "\"1\"")
            .with("cache-control", "max-age=20"),
        "/checked" => response.with("cache-control", "max-age=5"),
        _ => response
            .with("cache-control", "max-age=2")
            .with("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nobody_can_tell_that_it_is_there(acts in prop::collection::vec(act(), 1..60), hot_bytes in 4_000usize..40_000) {
        let (mut with, mut without) = (worker(hot_bytes), worker(0));
        for (version, act) in acts.iter().enumerate() {
            let fields = act.fields.iter();
            let asked = fields.fold(request(act.method, act.path), |request, (name, value)| request.with(name, value));
            let seen = [&mut with, &mut without].map(|stage| {
                stage.wait(act.wait);
                let seen = stage.exchange(asked.clone(), origin(act, version));
                stage.compress();
                seen
            });
            prop_assert_eq!(&seen[0], &seen[1], "{:?}", act);
            prop_assert!(with.hot.bytes() <= hot_bytes);
        }
        prop_assert_eq!(with.origin_requests, without.origin_requests);
        prop_assert_eq!(with.outcomes(Outcome::Hit), without.outcomes(Outcome::Hit));
        let compressed = Counter::Compressed;
        prop_assert_eq!(with.count(compressed), without.count(compressed));
    }
}

#[test]
fn the_two_workers_above_really_differ() {
    let mut stage = worker(40_000);
    let plain = Act {
        method: "GET",
        path: "/vary",
        fields: Vec::new(),
        wait: 0,
    };
    warm(&mut stage, &get(plain.path), origin(&plain, 0));
    assert_eq!(ask(&mut stage, &get(plain.path)).1, 1);
    let zipped = get("/text").with("accept-encoding", "gzip");
    let text = Act {
        path: "/text",
        ..plain
    };
    warm(&mut stage, &zipped, origin(&text, 0));
    stage.compress();
    assert_eq!(stage.count(Counter::Compressed), 1);
}

/// RFC 10008 section 2.7 and `key::content`: a question without content is told from others by what says how it is read.
#[test]
fn a_question_without_content_is_told_by_its_metadata() {
    const BY_CONTENT: &str = r#"{"rules":[{"name":"search","ttl_seconds":60,
        "match":{"path":"/.*","methods":["POST","QUERY"]},"key":{"body":true},"hold_headers":true}]}"#;
    for method in ["POST", "QUERY"] {
        for field in [
            "content-type",
            "content-language",
            "content-encoding",
            "content-location",
        ] {
            let mut stage = Stage::new(BY_CONTENT);
            let ask = |value| request(method, "/q").with(field, value);
            warm(&mut stage, &ask("a"), reply("of a"));
            let seen = stage.exchange(ask("b"), reply("of b"));
            assert_eq!(seen.text(), "of b", "{method} {field}");
        }
    }
}

#[test]
fn what_is_given_most_is_known() {
    let mut stage = Stage::new(CACHE_ALL);
    for (path, times) in [("/a", 3), ("/b", 9), ("/c", 5)] {
        warm(&mut stage, &get(path), reply(path));
        for _ in 0..times {
            ask(&mut stage, &get(path));
        }
    }
    stage.wait(2); // its place is taken by what is found anew
    ask(&mut stage, &get("/b"));
    let name = |path: &str| ["GET:api.example.com", path].concat();
    let hottest = stage.hottest(2);
    assert_eq!(hottest, [(name("/b"), 10), (name("/c"), 5)]);
    // Half of it is forgotten each time.
    assert_eq!(
        stage.hottest(9),
        [(name("/b"), 5), (name("/c"), 2), (name("/a"), 1)]
    );
}

#[test]
fn what_is_somebodys_own_is_not_told_as_what_is_given_most() {
    let mut stage = Stage::new(
        r#"{"rules":[{"name":"own","match":{"path":"/.*"},"ttl_seconds":60,"key":{"headers":["x-user"]}}]}"#,
    );
    let own = get("/a").with("x-user", "7");
    warm(&mut stage, &own, reply("a"));
    assert_eq!(ask(&mut stage, &own).1, 1);
    assert_eq!(stage.hottest(9), []);
}
