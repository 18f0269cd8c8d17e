//! All kinds of requests for a few resources that change, in any order and overlapping: whatever the parts of the cache
//! make of them together, a client gets what the origin says, no older than the last write that it may have seen.

use std::collections::HashMap;

use larder_core::exchange::Exchange;
use larder_core::http::Headers;
use proptest::prelude::*;

use crate::stage::{Request, Response, Seen, Stage, reply, request};

const SETTINGS: &str = r#"{"request_cache_control":"honor","no_vary_search":true,
    "compression":{"threshold_bytes":0,"min_saving":0}}"#;
/// Of a body; it says the same five times, so that it can be compressed.
const LENGTH: usize = 130;

/// One thing that a client does.
#[derive(Clone, Debug)]
struct Act {
    method: &'static str,
    path: &'static str,
    language: &'static str,
    user: Option<&'static str>,
    range: Option<(usize, usize)>,
    condition: Condition,
    directive: Option<&'static str>,
    /// What it accepts.
    coding: Option<&'static str>,
    /// Seconds that pass before it.
    wait: u64,
    /// How many acts later the answer comes.
    delay: usize,
    /// What the origin leaves out of a 304, 206 or the head of a HEAD.
    terse: bool,
}

#[derive(Clone, Copy, Debug)]
enum Condition {
    IfNoneMatch,
    IfRange,
    None,
}

/// The versions of resources: what the origin has, and what clients have seen acknowledged.
#[derive(Debug, Default)]
struct World {
    current: HashMap<String, usize>,
    acknowledged: HashMap<String, usize>,
}

/// An answer on its way.
struct Pending {
    exchange: Exchange,
    act: Act,
    least: usize,
    response: Response,
    rest: usize,
}

/// What a URL names. Of `/n` the origin says that `utm` does not count.
fn resource(path: &str) -> String {
    match path.strip_prefix("/n?") {
        Some(query) => format!("n{}", query.replace("utm=1&", "").replace("&utm=1", "")),
        None => path.trim_start_matches('/').replace('?', "."),
    }
}

/// What tells a client's representation from another's, beside the version.
fn aspect(act: &Act) -> String {
    match act.path {
        "/u" => act.user.unwrap_or("anybody").to_owned(),
        _ => act.language.to_owned(),
    }
}

fn body(resource: &str, aspect: &str, version: usize) -> String {
    let mut state = 0x811c_9dc5_u32;
    for byte in format!("{resource} {aspect} {version}").bytes() {
        state = (state ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let letter = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        char::from(b'a' + u8::try_from(state % 26).unwrap())
    };
    (0..LENGTH / 5).map(letter).collect::<String>().repeat(5)
}

/// The body as the client reads it.
fn content(act: &Act, seen: &Seen) -> String {
    let bytes = match seen.field("content-encoding") {
        "gzip" => {
            assert_eq!(
                (act.coding, act.range, seen.status),
                (Some("gzip"), None, 200)
            );
            let deflated = &seen.body[10..seen.body.len() - 8];
            miniz_oxide::inflate::decompress_to_vec(deflated).unwrap()
        }
        _ => seen.body.clone(),
    };
    String::from_utf8(bytes).unwrap()
}

/// Of `/u` it is the same for all users.
fn tag(act: &Act, version: usize) -> String {
    let aspect = if act.path == "/u" { "" } else { act.language };
    format!("\"{}.{aspect}.{version}\"", resource(act.path))
}

impl World {
    fn version(&self, act: &Act) -> usize {
        self.current.get(&resource(act.path)).copied().unwrap_or(0)
    }

    fn least(&self, act: &Act) -> usize {
        let acknowledged = self.acknowledged.get(&resource(act.path));
        acknowledged.copied().unwrap_or(0)
    }

    /// The origin's answer to what comes to it.
    fn answer(&mut self, act: &Act, asked: &Headers) -> Response {
        if act.method == "PUT" {
            *self.current.entry(resource(act.path)).or_default() += 1;
            return reply("").status(204);
        }
        let version = self.version(act);
        let tag = tag(act, version);
        let mut head = reply("").with("etag", &tag);
        if act.path.starts_with("/n") {
            head = head.with("no-vary-search", "params=(\"utm\")");
        }
        if act.path != "/u" {
            head = head.with("vary", "accept-language");
        }
        let lets_share = act.path != "/u" || act.user.is_none();
        let control = match lets_share {
            true => "public, max-age=30",
            false => "max-age=30",
        };
        let with_control = |head: Response| head.with("cache-control", control);
        let is = |name: &str| asked.only(name) == Some(tag.as_bytes());
        if is("if-none-match") {
            let head = head.status(304);
            return if act.terse && lets_share {
                head
            } else {
                with_control(head)
            };
        }
        let body = body(&resource(act.path), &aspect(act), version);
        if act.method == "HEAD" {
            let head = head.with("content-length", &LENGTH.to_string());
            return if act.terse { head } else { with_control(head) };
        }
        let wants_part = !asked.contains("if-range") || is("if-range");
        if let (Some((first, last)), true) = (act.range, wants_part) {
            let range = format!("bytes {first}-{last}/{LENGTH}");
            let head = head.status(206).with("content-range", &range);
            let head = head.in_chunks(&[body.get(first..=last).unwrap()]);
            return if act.terse && !lets_share {
                head
            } else {
                with_control(head)
            };
        }
        with_control(head.in_chunks(&[&body]))
    }

    /// Whether a client may see this, who asked when `least` was acknowledged.
    fn check(&self, act: &Act, least: usize, seen: &Seen) -> Result<(), TestCaseError> {
        let resource = resource(act.path);
        let versions = least..=self.version(act);
        let content = match act.method {
            "GET" => content(act, seen),
            _ => String::new(),
        };
        let mut aspects = vec![aspect(act)];
        if act.path == "/u" && act.user.is_some() {
            aspects.push("anybody".to_owned()); // which is public
        }
        let is_one = |span: std::ops::RangeInclusive<usize>| {
            let mut all = versions.clone().flat_map(|version| {
                let bodies = aspects.iter().map(move |aspect| (aspect, version));
                bodies.map(|(aspect, version)| body(&resource, aspect, version))
            });
            all.any(|body| body.get(span.clone()) == Some(&content))
        };
        match seen.status {
            200 if act.method == "GET" => prop_assert!(is_one(0..=LENGTH - 1), "{act:?} {seen:?}"),
            206 => {
                let range = seen.field("content-range");
                let span = range
                    .strip_prefix("bytes ")
                    .and_then(|range| range.split_once('/'));
                let (first, last) = span.and_then(|(span, _)| span.split_once('-')).unwrap();
                let span = first.parse().unwrap()..=last.parse().unwrap();
                prop_assert_eq!(act.range, Some((*span.start(), *span.end())));
                prop_assert!(is_one(span), "{act:?} {seen:?}");
            }
            200 | 304 => {
                let mut tags = versions.map(|version| tag(act, version));
                let seen_tag = match act.coding {
                    Some(_) => seen.field("etag").trim_start_matches("W/"),
                    None => seen.field("etag"),
                };
                prop_assert!(tags.any(|tag| tag == seen_tag), "{act:?} {seen:?}");
            }
            204 => {}
            status => prop_assert!(status == 504, "{act:?} {seen:?}"),
        }
        Ok(())
    }
}

impl Act {
    fn request(&self, world: &World) -> Request {
        let mut asked = request(self.method, self.path).with("accept-language", self.language);
        if let Some(user) = self.user {
            asked = asked.with("authorization", user);
        }
        if let Some((first, last)) = self.range {
            asked = asked.with("range", &format!("bytes={first}-{last}"));
        }
        let tag = tag(self, world.version(self));
        asked = match self.condition {
            Condition::IfNoneMatch => asked.with("if-none-match", &tag),
            Condition::IfRange => asked.with("if-range", &tag),
            Condition::None => asked,
        };
        if let Some(coding) = self.coding {
            asked = asked.with("accept-encoding", coding);
        }
        match self.directive {
            Some(directive) => asked.with("cache-control", directive),
            None => asked,
        }
    }
}

fn acts() -> impl Strategy<Value = Act> {
    let method = prop_oneof![6 => Just("GET"), 2 => Just("HEAD"), 1 => Just("PUT")];
    let path = prop_oneof![
        proptest::sample::select(vec!["/p?a=1", "/p?a=2"]),
        proptest::sample::select(vec!["/n?a=1", "/n?utm=1&a=1", "/n?a=2", "/n?a=2&utm=1"]),
        Just("/u"),
    ];
    let language = proptest::sample::select(vec!["en", "fr"]);
    let user = proptest::sample::select(vec![None, None, Some("ann"), Some("bob")]);
    let part = proptest::sample::select(vec![(0, 9), (8, 12), (10, 19), (13, LENGTH - 1)]);
    let range = proptest::option::of(part);
    let condition = prop_oneof![
        4 => Just(Condition::None), 1 => Just(Condition::IfNoneMatch), 2 => Just(Condition::IfRange),
    ];
    let directive = prop_oneof![
        6 => Just(None),
        1 => Just(Some("no-cache")),
        1 => Just(Some("only-if-cached")),
        1 => Just(Some("max-age=5")),
        1 => Just(Some("max-stale=10")),
    ];
    let coding = proptest::sample::select(vec![None, Some("gzip")]);
    let rest = (
        coding,
        0..25_u64,
        prop_oneof![3 => Just(0), 1 => 1..4_usize],
        any::<bool>(),
    );
    (
        method, path, language, user, range, condition, directive, rest,
    )
        .prop_map(
            |(method, path, language, user, range, condition, directive, rest)| {
                let (coding, wait, delay, terse) = rest;
                Act {
                    method,
                    path,
                    language,
                    user,
                    range: range.filter(|_| method == "GET"),
                    condition,
                    directive: directive.filter(|_| method != "PUT"),
                    coding,
                    wait,
                    delay,
                    terse,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_client_gets_what_the_origin_says(acts in proptest::collection::vec(acts(), 1..60)) {
        let mut stage = Stage::new(SETTINGS);
        let mut world = World::default();
        let mut pending: Vec<Pending> = Vec::new();
        let idle = std::iter::repeat_n(None, 4);
        for act in acts.into_iter().map(Some).chain(idle) {
            for mut one in std::mem::take(&mut pending) {
                if one.rest > 0 {
                    one.rest -= 1;
                    pending.push(one);
                    continue;
                }
                let seen = stage.finish(one.exchange, one.response);
                world.check(&one.act, one.least, &seen)?;
                if one.act.method == "PUT" {
                    let version = one.least; // that of the write
                    let acknowledged = world.acknowledged.entry(resource(one.act.path)).or_default();
                    *acknowledged = version.max(*acknowledged);
                }
            }
            stage.tick();
            let Some(act) = act else { continue };
            stage.wait(act.wait);
            let asked = act.request(&world);
            let mut least = world.least(&act);
            let mut exchange = stage.new_exchange();
            match stage.ask(&mut exchange, &asked) {
                Some(seen) => world.check(&act, least, &seen)?,
                None => {
                    let response = world.answer(&act, &stage.asked.clone());
                    if act.method == "PUT" {
                        least = world.version(&act);
                    }
                    let rest = act.delay;
                    pending.push(Pending { exchange, act, least, response, rest });
                }
            }
        }
        stage.compress();
        prop_assert_eq!(stage.budget.held(), 0);
    }
}
