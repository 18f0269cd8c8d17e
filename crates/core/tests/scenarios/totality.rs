//! Every event in every state has an answer, whatever bytes it carries.

use std::cell::Cell;
use std::rc::Rc;

use larder_core::config::Config;
use larder_core::exchange::{
    Answer, Arrival, Arriving, CaptureBudget, Event, Exchange, HeadSize, HotTier, ResponseBody,
    Surpluses, Surroundings, Unheld, Wake,
};
use larder_core::fleet::{Consulted, Contact, Fleet, Invitation, Standing};
use larder_core::flight::{Alone, Flights, Joined, Landing, Token, Wish};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Unreadable};
use larder_core::policy::request::RequestBody;
use larder_core::tier::MemoryKv;
use larder_core::time::Timestamp;
use proptest::prelude::*;

use crate::stage::{Log, Stage, get, reply, request};

const CONFIGURATION: &str = r#"{"rules":[
    {"name":"write","match":{"path":"/.*"},"invalidates":{"tags":["{header.cookie}"],"patterns":["*{header.cookie}*"]}},
    {"name":"tried","match":{"path":"/a","headers":{"cookie":"3"}},"ttl_seconds":60,"shadow":true,"tags":["{header.cookie}"]},
    {"name":"asked","match":{"methods":["GET","POST","QUERY"],"path":"/a"},"ttl_seconds":60,
     "no_vary_search":true,"key":{"body":true},"hold_headers":true},
    {"name":"all","match":{"path":"/.*"},"ttl_seconds":60,"no_vary_search":true,"identity":{"cookie":"sid"}}],
    "limits":{"max_key_bytes":256}}"#;

const CONSULTED: [Consulted; 5] = [
    Consulted::Absent,
    Consulted::Found,
    Consulted::Held,
    Consulted::Lent,
    Consulted::Silent,
];

const WAKES: [Wake; 5] = [
    Wake::Failed,
    Wake::Full,
    Wake::LetGo,
    Wake::Look,
    Wake::Overdue,
];

#[derive(Clone, Debug)]
enum Happening {
    Aborted,
    Absent,
    Chunk(Vec<u8>),
    Consulted(Consulted),
    Found(Vec<u8>),
    Request(Vec<(String, Vec<u8>)>, bool),
    RequestBody(Vec<u8>),
    Response(Vec<(String, Vec<u8>)>, bool),
    ResponseEnded,
    Returned(usize, usize),
    ReturnedHead(Vec<(String, Vec<u8>)>),
    Unheld(Unheld),
    Woken(Wake),
}

struct Anything(Option<Vec<u8>>);

/// Flights of which nobody knows who leads.
#[derive(Debug)]
struct Chance(Cell<u32>);

impl Flights for Chance {
    fn join(&self, wish: &Wish<'_>, _: Timestamp) -> Joined {
        self.0.set(self.0.get().wrapping_mul(0x0100_0193) ^ 0x55);
        let token = Token {
            digest: wish.key.digest(),
            holder: 1,
            number: self.0.get(),
        };
        match self.0.get() >> 30 {
            0 => Joined::Lead(token),
            1 => Joined::Resting,
            2 => Joined::Alone(Alone::Unshared),
            _ => Joined::Behind,
        }
    }

    fn land(&self, _: &Token, _: Landing) {}
}

/// A fleet of which nobody knows whether it is there.
#[derive(Debug)]
struct Weather(Cell<u32>);

impl Weather {
    fn is_fine(&self) -> bool {
        self.0.set(self.0.get().wrapping_mul(0x0100_0193) ^ 0x55);
        self.0.get() >> 30 != 0
    }
}

impl Fleet for Weather {
    fn invitation(&self, _: Timestamp) -> Invitation {
        match self.is_fine() {
            true => Invitation::Open,
            false => Invitation::Shut,
        }
    }

    fn contact(&self, _: Timestamp) -> Contact {
        match self.is_fine() {
            true => Contact::Kept,
            false => Contact::Lost,
        }
    }

    fn standing(&self, _: &[u8]) -> Standing {
        match self.is_fine() {
            true => Standing::Applied,
            false => Standing::Behind,
        }
    }
}

impl Attributes for Anything {
    fn attribute(&self, _: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(self.0.clone())
    }
}

/// Names that mean something to a cache, with values that may or may not.
fn fields(pseudo: &'static [&'static str]) -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let names = [
        "cache-control",
        "vary",
        "age",
        "expires",
        "date",
        "etag",
        "if-none-match",
        "authorization",
        "cookie",
        "set-cookie",
        "content-length",
        "content-range",
        "if-range",
        "larder-token",
        "range",
        "connection",
        "no-vary-search",
        "accept",
    ];
    let values = prop_oneof![
        Just(b"max-age=60".to_vec()),
        Just(b"public, max-age=\"60\", private=\"a".to_vec()),
        Just(b"accept, x-b".to_vec()),
        Just(b"key-order, params=(\"b\")".to_vec()),
        Just(b"18446744073709551616".to_vec()),
        Just(b"3".to_vec()),
        Just(b"bytes=0-0,2-".to_vec()),
        Just(b"bytes=0-1".to_vec()),
        Just(b"bytes 0-1/4".to_vec()),
        Just(b"bytes 3-3/4".to_vec()),
        Just(b"\"1\"".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    let plain = proptest::collection::vec((proptest::sample::select(names.to_vec()), values), 0..5);
    let head = proptest::collection::vec(
        prop_oneof![
            Just("GET"),
            Just("QUERY"),
            Just("PUT"),
            Just("200"),
            Just("206"),
            Just("/a?b"),
            Just("\u{80}")
        ],
        pseudo.len(),
    );
    (head, plain).prop_map(move |(head, plain)| {
        let head = pseudo
            .iter()
            .zip(head)
            .map(|(name, value)| ((*name).to_owned(), sensible(name, value)));
        head.chain(
            plain
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        )
        .collect()
    })
}

/// Mostly what belongs there, so that the deeper states are reached.
fn sensible(name: &str, value: &str) -> Vec<u8> {
    let usual = match name {
        ":method" if value == "QUERY" => "QUERY",
        ":method" if value == "PUT" => "PUT",
        ":method" => "GET",
        ":path" => "/a?b",
        ":status" if value == "206" => "206",
        ":status" => "200",
        _ => "example.com",
    };
    if value == "\u{80}" {
        vec![0x80]
    } else {
        usual.as_bytes().to_vec()
    }
}

/// What the tiers really hold after exchanges of every kind.
fn entries() -> Vec<Vec<u8>> {
    let mut stage = Stage::new(CONFIGURATION);
    let origin = |directives: &str| reply("body").with("cache-control", directives);
    let tagged = origin("max-age=60").with("etag", "\"1\"");
    stage.exchange(get("/a?b"), tagged.clone());
    stage.exchange(get("/a?b").with("cookie", "3"), tagged.clone());
    stage.exchange(request("QUERY", "/a").body("q"), tagged.clone());
    stage.exchange(get("/confirmed"), origin("no-cache").with("etag", "\"1\""));
    stage.exchange(get("/varied"), tagged.clone().with("vary", "accept"));
    let searched = tagged.with("no-vary-search", "except=()");
    stage.exchange(get("/searched"), searched);
    stage.wait(60);
    stage.exchange(get("/searched"), origin("max-age=60"));
    stage.exchange(get("/empty"), reply("").status(204));
    let part = reply("od")
        .status(206)
        .with("etag", "\"1\"")
        .with("content-range", "bytes 1-2/4");
    stage.exchange(get("/part").with("range", "bytes=1-2"), part);
    stage.stored
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        1 => Just(Happening::Aborted),
        3 => Just(Happening::Absent),
        2 => proptest::collection::vec(any::<u8>(), 0..50).prop_map(Happening::Chunk),
        2 => proptest::sample::select(CONSULTED.to_vec()).prop_map(Happening::Consulted),
        1 => proptest::collection::vec(any::<u8>(), 0..80).prop_map(Happening::Found),
        3 => proptest::sample::select(entries()).prop_map(Happening::Found),
        4 => (fields(&[":method", ":authority", ":path"]), any::<bool>()).prop_map(|(fields, ends)| Happening::Request(fields, ends)),
        2 => proptest::collection::vec(any::<u8>(), 0..4).prop_map(Happening::RequestBody),
        1 => prop_oneof![Just(Unheld::Full), Just(Unheld::Overdue)].prop_map(Happening::Unheld),
        4 => (fields(&[":status"]), any::<bool>()).prop_map(|(fields, ends)| Happening::Response(fields, ends)),
        2 => Just(Happening::ResponseEnded),
        2 => (0..20_usize, 0..500_usize).prop_map(|(lines, bytes)| Happening::Returned(lines, bytes)),
        2 => fields(&[":status"]).prop_map(Happening::ReturnedHead),
        2 => proptest::sample::select(WAKES.to_vec()).prop_map(Happening::Woken),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_happenings_in_any_order_are_survived(
        happenings in proptest::collection::vec(happening(), 1..12),
        // Any time at all, or one close to when the entries were made.
        clock in proptest::collection::vec(
            prop_oneof![any::<u64>(), 1_000_000_000_000_000u64..1_000_100_000_000_000],
            12,
        ),
        chance in any::<u32>(),
    ) {
        let config = Rc::new(Config::parse(CONFIGURATION.as_bytes()).unwrap());
        let budget = CaptureBudget::new(2_000);
        let attributes = Anything(Some(b"via_upstream".to_vec()));
        {
            let log = Log::new(Rc::new(MemoryKv::new()));
            let surroundings = Surroundings::new(
                config,
                Rc::clone(&budget),
                log,
                Surpluses::new(),
                HotTier::new(1 << 20, 5),
            );
            surroundings.coalesce(Rc::new(Chance(Cell::new(chance))));
            if chance & 1 == 1 {
                surroundings.join(Rc::new(Weather(Cell::new(chance))));
            }
            let mut exchange = Exchange::new(surroundings);
            for (happening, now) in happenings.iter().zip(clock) {
                let event = match happening {
                    Happening::Aborted => Event::Aborted,
                    Happening::Absent => Event::Answer(Answer::Absent),
                    Happening::Chunk(chunk) => Event::Chunk(chunk),
                    Happening::Consulted(consulted) => Event::Consulted(*consulted),
                    Happening::Found(bytes) => Event::Answer(Answer::Found(bytes)),
                    Happening::Request(fields, ends) => Event::Request(Arrival {
                        headers: Headers::from_iter(fields.clone()),
                        body: if *ends { RequestBody::None } else { RequestBody::Follows },
                        attributes: &attributes,
                    }),
                    Happening::RequestBody(body) => Event::RequestBody(body),
                    Happening::Unheld(why) => Event::Unheld(*why),
                    Happening::Woken(wake) => Event::Woken(*wake),
                    Happening::Response(fields, ends) => Event::Response(Arriving {
                        headers: Headers::from_iter(fields.clone()),
                        body: if *ends { ResponseBody::None } else { ResponseBody::Follows },
                        attributes: &attributes,
                    }),
                    Happening::ResponseEnded => Event::ResponseEnded,
                    Happening::Returned(lines, bytes) => {
                        Event::Returned(HeadSize { lines: *lines, bytes: *bytes })
                    }
                    Happening::ReturnedHead(fields) => {
                        Event::ReturnedHead(Headers::from_iter(fields.clone()))
                    }
                };
                let _ = exchange.on(event, Timestamp::from_nanos(now));
                prop_assert!(budget.held() <= 2_000);
            }
        }
        prop_assert_eq!(budget.held(), 0);
    }
}
