//! What is stored is compressed later, and each client gets it in the form it takes.

use larder_core::entry::{Coding, StoredResponse, encode_response};
use larder_core::report::Counter;

use crate::stage::{CACHE_ALL, Response, Seen, Stage, get, reply, request};

/// Text of so many bytes, which compresses well.
fn lines(bytes: usize) -> String {
    let lines = (0..).map(|number| format!("line {number:3} of a text\n"));
    let text: Vec<u8> = lines.flat_map(String::into_bytes).take(bytes).collect();
    String::from_utf8(text).unwrap()
}

fn text() -> String {
    lines(4000)
}

fn page() -> Response {
    reply(&text())
        .with("content-type", "text/plain")
        .with("etag", "\"1\"")
}

/// Never sent: the answer is stored.
fn unasked() -> Response {
    reply("the origin was asked").status(500)
}

/// What gzip clients do with it, by a decoder that knows nothing of ours but the format.
fn unzipped(seen: &Seen) -> Vec<u8> {
    assert_eq!(seen.field("content-encoding"), "gzip");
    assert_eq!(seen.body[..4], [0x1f, 0x8b, 8, 0]);
    let (deflated, tail) = seen.body[10..].split_at(seen.body.len() - 18);
    let body = miniz_oxide::inflate::decompress_to_vec(deflated).unwrap();
    let length = u32::try_from(body.len()).unwrap();
    assert_eq!(tail[4..], length.to_le_bytes());
    body
}

/// A stage on which the page is stored in gzip.
fn compressed(configuration: &str) -> Stage {
    let mut stage = Stage::new(configuration);
    stage.exchange(get("/a"), page());
    stage.exchange(get("/a").with("accept-encoding", "gzip"), unasked());
    stage.compress();
    assert_eq!(stage.count(Counter::Compressed), 1);
    stage
}

#[test]
fn a_hit_wants_it_a_tick_does_it_and_the_next_hit_has_it() {
    let mut stage = Stage::new(CACHE_ALL);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    let first = stage.exchange(zipped(), page());
    assert_eq!((first.field("x-cache"), first.text()), ("MISS", &*text()));
    assert!(
        !stage.tick(),
        "what is stored waits for somebody to ask for it"
    );

    let hit = stage.exchange(zipped(), unasked());
    assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", &*text()));
    assert_eq!((hit.field("content-encoding"), hit.field("vary")), ("", ""));
    stage.compress();

    let hit = stage.exchange(zipped(), unasked());
    assert_eq!(hit.cache(), ("HIT", "larder; hit; ttl=60"));
    assert_eq!(unzipped(&hit), text().as_bytes());
    assert!(hit.body.len() < 1000);
    assert_eq!(hit.field("content-length"), hit.body.len().to_string());
    assert_eq!(hit.field("content-type"), "text/plain");
    assert_eq!(hit.field("vary"), "accept-encoding");
    assert_eq!(hit.field("etag"), "W/\"1\"");
    assert_eq!(stage.origin_requests, 1);
    let saved = text().len() - hit.body.len();
    assert_eq!(stage.count(Counter::CompressionSaved), saved as u64);
}

#[test]
fn who_does_not_take_gzip_gets_it_as_it_came() {
    let mut stage = compressed(CACHE_ALL);
    for (name, value) in [
        ("x", ""),
        ("accept-encoding", "br"),
        ("accept-encoding", "gzip;q=0"),
        ("accept-encoding", "identity, gzip;q=0.5"),
    ] {
        let hit = stage.exchange(get("/a").with(name, value), unasked());
        assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", &*text()));
        assert_eq!(hit.field("content-encoding"), "", "{value}");
        assert_eq!(hit.field("etag"), "\"1\"");
        assert_eq!(hit.field("vary"), "accept-encoding");
        assert_eq!(hit.field("content-length"), "4000");
    }
    assert_eq!(stage.count(Counter::Unzipped), 2);
}

#[test]
fn nobody_who_wants_no_gzip_causes_any() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), page());
    for _ in 0..3 {
        stage.exchange(get("/a"), unasked());
        assert!(!stage.tick());
    }
    assert_eq!(stage.count(Counter::Compressed), 0);
}

#[test]
fn a_long_body_takes_many_short_steps() {
    let body = text().repeat(75); // 300,000 bytes
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply(&body));
    let held = stage.budget.held();
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), unasked());
    let mut ticks = 1;
    while stage.tick() {
        ticks += 1;
        assert!(
            stage.budget.held() > 300_000,
            "what is under way is counted"
        );
        let meanwhile = stage.exchange(zipped(), unasked());
        assert_eq!(meanwhile.text(), body);
    }
    assert_eq!(ticks, 5, "64 KiB each");
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!(unzipped(&hit), body.as_bytes());
    assert_eq!(stage.budget.held(), held, "and nothing after it");
}

#[test]
fn both_tags_are_known_to_either_client() {
    let mut stage = compressed(CACHE_ALL);
    for (accepted, expected) in [("gzip", "W/\"1\""), ("identity", "\"1\"")] {
        for known in ["\"1\"", "W/\"1\"", "\"0\", W/\"1\"", "*"] {
            let asked = get("/a")
                .with("accept-encoding", accepted)
                .with("if-none-match", known);
            let seen = stage.exchange(asked, unasked());
            assert_eq!((seen.status, seen.body.len()), (304, 0), "{known}");
            assert_eq!(seen.field("etag"), expected);
            assert_eq!(seen.field("vary"), "accept-encoding");
            assert_eq!(seen.field("content-encoding"), "");
        }
        let other = get("/a")
            .with("accept-encoding", accepted)
            .with("if-none-match", "\"2\"");
        assert_eq!(stage.exchange(other, unasked()).status, 200);
    }
    assert_eq!(
        stage.count(Counter::Unzipped),
        1,
        "nothing is unzipped to say that the client has it"
    );
}

#[test]
fn a_tag_of_larders_own_serves_both_forms() {
    let mut stage = Stage::new(CACHE_ALL);
    stage.exchange(get("/a"), reply(&text()));
    let plain = stage.exchange(get("/a").with("accept-encoding", "gzip"), unasked());
    stage.compress();
    let zipped = stage.exchange(get("/a").with("accept-encoding", "gzip"), unasked());
    let tag = plain.field("etag");
    assert_eq!(zipped.field("etag"), format!("W/{tag}"));
    let plain = stage.exchange(get("/a"), unasked());
    assert_eq!(plain.field("etag"), tag);
}

#[test]
fn parts_are_cut_from_the_body_as_it_came() {
    let mut stage = compressed(CACHE_ALL);
    let part = |range: &str| {
        get("/a")
            .with("accept-encoding", "gzip")
            .with("range", range)
    };
    let seen = stage.exchange(part("bytes=5-9"), unasked());
    assert_eq!(
        (seen.status, &seen.body[..]),
        (206, &text().as_bytes()[5..10])
    );
    assert_eq!(seen.field("content-range"), "bytes 5-9/4000");
    assert_eq!(seen.field("etag"), "\"1\"");
    assert_eq!(seen.field("content-encoding"), "");

    let same = part("bytes=5-9").with("if-range", "\"1\"");
    assert_eq!(stage.exchange(same, unasked()).status, 206);
    let of_gzip = part("bytes=5-9").with("if-range", "W/\"1\"");
    let seen = stage.exchange(of_gzip, unasked());
    assert_eq!((seen.status, seen.text()), (200, &*text()));
    let behind = stage.exchange(part("bytes=4000-"), unasked());
    assert_eq!(
        (behind.status, behind.field("content-range")),
        (416, "bytes */4000")
    );
}

#[test]
fn a_head_says_what_a_get_would() {
    let mut stage = compressed(CACHE_ALL);
    for accepted in ["gzip", "identity"] {
        let ask = |method| request(method, "/a").with("accept-encoding", accepted);
        let get = stage.exchange(ask("GET"), unasked());
        let head = stage.exchange(ask("HEAD"), unasked());
        assert_eq!(head.headers, get.headers);
    }
}

#[test]
fn who_wants_nothing_transformed_gets_it_as_it_came() {
    let mut stage = compressed(CACHE_ALL);
    let asked = get("/a")
        .with("accept-encoding", "gzip")
        .with("cache-control", "no-transform");
    let seen = stage.exchange(asked, unasked());
    assert_eq!(
        (seen.field("content-encoding"), seen.text()),
        ("", &*text())
    );
}

#[test]
fn what_may_not_be_or_is_not_worth_it_is_left_alone() {
    let noise: String = (0..4000_u32)
        .map(|place| place.wrapping_mul(2_654_435_761) ^ place.wrapping_mul(40_503).rotate_left(7))
        .map(|number| char::from(b'0' + (number >> 26) as u8))
        .collect();
    let half = CACHE_ALL.replace(r#"{"rules"#, r#"{"compression":{"min_saving":0.5},"rules"#);
    for (name, response) in [
        (
            "no-transform",
            page().with("cache-control", "max-age=60, no-transform"),
        ),
        ("coded", page().with("content-encoding", "br")),
        (
            "negotiated by the origin",
            page().with("vary", "accept-encoding"),
        ),
        ("vouched for", page().with("repr-digest", "sha-256=:AAAA:")),
        (
            "an image",
            reply(&text())
                .with("content-type", "image/png")
                .with("etag", "\"1\""),
        ),
        (
            "an error",
            page().status(404).with("cache-control", "max-age=60"),
        ),
        ("short", reply(&lines(1023)).with("etag", "\"1\"")),
        ("hardly shorter", reply(&noise).with("etag", "\"1\"")),
    ] {
        let mut stage = Stage::new(&half);
        let zipped = || get("/a").with("accept-encoding", "gzip");
        let first = stage.exchange(zipped(), response);
        for _ in 0..2 {
            let hit = stage.exchange(zipped(), unasked());
            assert_eq!(hit.field("x-cache"), "HIT", "{name}");
            assert!(hit.body == first.body, "{name}");
            assert_eq!(hit.field("etag"), "\"1\"", "{name}");
            stage.compress();
        }
        assert_eq!(stage.count(Counter::Compressed), 0, "{name}");
        let wasted = u64::from(name == "hardly shorter");
        assert_eq!(
            stage.count(Counter::CompressionWasted),
            wasted,
            "{name}, and no more than once"
        );
    }
}

#[test]
fn a_configuration_that_changes_its_mind_is_obeyed_at_once() {
    let off = r#"{"compression":{"enabled":false},"rules":[
        {"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let zipped = || get("/a").with("accept-encoding", "gzip");
    let mut stage = compressed(CACHE_ALL);
    stage.reconfigure(off);
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", &*text()));
    assert_eq!((hit.field("etag"), hit.field("vary")), ("\"1\"", ""));

    let mut stage = Stage::new(off);
    stage.exchange(zipped(), page());
    stage.exchange(zipped(), unasked());
    assert!(!stage.tick());
    stage.reconfigure(CACHE_ALL);
    stage.exchange(zipped(), unasked());
    stage.compress();
    unzipped(&stage.exchange(zipped(), unasked()));
    assert_eq!(stage.origin_requests, 1);
}

#[test]
fn a_variant_is_compressed_in_its_own_place() {
    let mut stage = Stage::new(CACHE_ALL);
    let ask = |language: &str| {
        get("/a")
            .with("accept-encoding", "gzip")
            .with("accept-language", language)
    };
    let german = text().replace("line", "zeile");
    let vary = |body: &str| reply(body).with("vary", "accept-language");
    stage.exchange(ask("en"), vary(&text()));
    stage.exchange(ask("de"), vary(&german));
    stage.exchange(ask("de"), unasked());
    stage.compress();
    assert_eq!(stage.exchange(ask("en"), unasked()).text(), text());
    let hit = stage.exchange(ask("de"), unasked());
    assert_eq!(unzipped(&hit), german.as_bytes());
    let vary: Vec<_> = hit.headers.all("vary").collect();
    assert_eq!(vary, [&b"accept-language"[..], b"accept-encoding"]);
    assert_eq!(stage.origin_requests, 2);
}

#[test]
fn what_the_origin_confirms_stays_compressed() {
    let confirmed = || {
        reply("")
            .status(304)
            .with("etag", "\"1\"")
            .with("x-new", "1")
    };
    for (accepted, is_zipped) in [("gzip", true), ("identity", false)] {
        let mut stage = compressed(CACHE_ALL);
        stage.wait(61);
        let ask = || get("/a").with("accept-encoding", accepted);
        let seen = stage.exchange(ask(), confirmed());
        assert_eq!(seen.field("x-cache"), "REVALIDATED");
        assert_eq!(
            stage.asked.only("if-none-match"),
            Some(&b"\"1\""[..]),
            "the origin is asked with its own tag"
        );
        let body = if is_zipped {
            unzipped(&seen)
        } else {
            seen.body.clone()
        };
        assert_eq!(body, text().as_bytes());
        assert_eq!(seen.field("vary"), "accept-encoding");

        let hit = stage.exchange(get("/a").with("accept-encoding", "gzip"), unasked());
        assert_eq!((hit.field("x-cache"), hit.field("x-new")), ("HIT", "1"));
        assert_eq!(unzipped(&hit), text().as_bytes());
        let plain = stage.exchange(get("/a"), unasked());
        assert_eq!(plain.text(), text());
        assert_eq!(stage.count(Counter::Compressed), 1, "and no more than once");
    }
}

#[test]
fn a_client_that_has_it_gets_its_304_after_the_question() {
    for accepted in ["gzip", "identity"] {
        let mut stage = compressed(CACHE_ALL);
        stage.wait(61);
        let ask = get("/a")
            .with("accept-encoding", accepted)
            .with("if-none-match", "W/\"1\"");
        let seen = stage.exchange(ask, reply("").status(304).with("etag", "\"1\""));
        assert_eq!((seen.status, seen.text()), (304, ""));
        let tag = if accepted == "gzip" {
            "W/\"1\""
        } else {
            "\"1\""
        };
        assert_eq!(seen.field("etag"), tag);
    }
}

#[test]
fn a_confirmation_that_forbids_transforming_undoes_it() {
    for accepted in ["gzip", "identity"] {
        let mut stage = compressed(CACHE_ALL);
        stage.wait(61);
        let ask = || get("/a").with("accept-encoding", accepted);
        let now_forbidden = reply("")
            .status(304)
            .with("cache-control", "max-age=60, no-transform");
        let seen = stage.exchange(ask(), now_forbidden);
        assert_eq!(
            (seen.field("x-cache"), seen.text()),
            ("REVALIDATED", &*text())
        );
        for accepted in ["gzip", "identity"] {
            let hit = stage.exchange(get("/a").with("accept-encoding", accepted), unasked());
            assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", &*text()));
            assert_eq!((hit.field("etag"), hit.field("vary")), ("\"1\"", ""));
        }
    }
}

#[test]
fn a_head_freshens_what_is_compressed_by_the_length_it_had() {
    let mut stage = compressed(CACHE_ALL);
    stage.wait(61);
    let head = reply("")
        .with("etag", "\"1\"")
        .with("content-length", "4000");
    stage.exchange(request("HEAD", "/a"), head);
    let hit = stage.exchange(get("/a").with("accept-encoding", "gzip"), unasked());
    assert_eq!(hit.field("x-cache"), "HIT");
    assert_eq!(unzipped(&hit), text().as_bytes());
}

#[test]
fn an_entry_that_has_been_replaced_meanwhile_is_not_put_back() {
    let body = text().repeat(50);
    let mut stage = Stage::new(CACHE_ALL);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), reply(&body));
    stage.exchange(zipped(), unasked());
    assert!(stage.tick(), "it takes more than one step");
    stage.wait(61);
    stage.exchange(zipped(), reply("newer"));
    stage.compress();
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", "newer"));
    assert_eq!(stage.count(Counter::Compressed), 0);
}

#[test]
fn an_entry_that_has_gone_meanwhile_does_not_come_back() {
    let body = text().repeat(50);
    let mut stage = Stage::new(CACHE_ALL);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), reply(&body));
    stage.exchange(zipped(), unasked());
    assert!(stage.tick(), "it takes more than one step");
    stage.evict_last();
    stage.compress();
    let miss = stage.exchange(zipped(), reply("again"));
    assert_eq!((miss.field("x-cache"), miss.text()), ("MISS", "again"));
    assert_eq!(stage.count(Counter::Compressed), 0);
}

#[test]
fn a_write_meanwhile_ends_what_is_being_compressed() {
    let body = text().repeat(50);
    let mut stage = Stage::new(CACHE_ALL);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), reply(&body));
    stage.exchange(zipped(), unasked());
    assert!(stage.tick(), "it takes more than one step");
    stage.exchange(request("POST", "/a"), reply("done"));
    stage.compress();
    let seen = stage.exchange(zipped(), reply("after the write"));
    assert_eq!(
        seen.cache(),
        ("MISS", "larder; fwd=stale; stored; detail=invalidated")
    );
    assert_eq!(seen.text(), "after the write");
}

#[test]
fn a_full_budget_leaves_it_as_it_came() {
    let small = r#"{"limits":{"max_object_bytes":5000,"capture_bytes":5000},"rules":[
        {"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let mut stage = Stage::new(small);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    stage.exchange(zipped(), page());
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!(hit.field("x-cache"), "HIT");
    stage.compress();
    let hit = stage.exchange(zipped(), unasked());
    assert_eq!((hit.field("x-cache"), hit.text()), ("HIT", &*text()));
    stage.compress();
    assert_eq!(stage.count(Counter::Compressed), 0);
    assert_eq!(stage.budget.held(), 0);
}

/// What somebody makes of a stored response: another coding, another body.
type Forge = fn(StoredResponse<'_>) -> (Coding, Vec<u8>);

fn forged(response: StoredResponse<'_>, forge: Forge) -> Vec<u8> {
    let (coding, body) = forge(response);
    let forged = StoredResponse {
        coding,
        body: &body,
        ..response
    };
    encode_response(&forged).unwrap()
}

#[test]
fn what_does_not_unzip_to_what_it_should_is_a_miss() {
    let forges: [(&str, Forge); 5] = [
        ("a longer one", |it| {
            (Coding::Gzip { length: 4001 }, it.body.to_vec())
        }),
        ("a shorter one", |it| {
            (Coding::Gzip { length: 3999 }, it.body.to_vec())
        }),
        ("other bytes", |it| {
            let mut body = it.body.to_vec();
            let at = body.len() - 8;
            body[at] ^= 1;
            (it.coding, body)
        }),
        ("a bomb", |it| {
            (
                Coding::Gzip {
                    length: 4_000_000_000,
                },
                it.body.to_vec(),
            )
        }),
        ("no gzip", |it| (it.coding, vec![b'x'; it.body.len()])),
    ];
    for (name, forge) in forges {
        let mut stage = compressed(CACHE_ALL);
        stage.forge_last(|response| forged(response, forge));
        let seen = stage.exchange(get("/a"), page());
        assert_eq!(
            (seen.field("x-cache"), seen.text()),
            ("MISS", &*text()),
            "{name}"
        );
        assert_eq!(stage.count(Counter::Corrupt), 1, "{name}");
        let hit = stage.exchange(get("/a"), unasked());
        assert_eq!(
            hit.text(),
            text(),
            "{name}, and what takes its place is used"
        );

        let mut stage = compressed(CACHE_ALL);
        stage.wait(61);
        stage.forge_last(|response| forged(response, forge));
        let seen = stage.exchange(get("/a"), page());
        assert_eq!(
            (seen.field("x-cache"), seen.text()),
            ("MISS", &*text()),
            "{name}"
        );
        assert_eq!(
            stage.asked.first("if-none-match"),
            None,
            "{name} is not asked about"
        );
    }
}

#[test]
fn what_is_answered_often_is_not_unzipped_again() {
    let mut stage = compressed(&CACHE_ALL.replace("60", "600"));
    for second in 0..20 {
        for _ in 0..3 {
            let hit = stage.exchange(get("/a"), unasked());
            assert_eq!(
                (hit.text(), hit.field("age")),
                (&*text(), &*second.to_string())
            );
        }
        stage.wait(1);
    }
    assert_eq!(
        stage.count(Counter::Unzipped),
        2,
        "before it is kept, at the second time"
    );
    assert!(stage.count(Counter::HotHit) >= 38);

    stage.wait(600);
    stage.exchange(get("/a"), reply("new").with("etag", "\"2\""));
    assert_eq!(stage.exchange(get("/a"), unasked()).text(), "new");
}

/// A date tells the two forms of a response not apart, so it is no strong validator for parts of either (RFC 9110
/// section 8.8.1: "strong validators [...] unique across [...] content codings"): whoever has the beginning of the gzip
/// form must not be given the end of the other.
#[test]
fn a_date_does_not_join_the_parts_of_two_forms() {
    let modified = "Thu, 01 Jan 1970 00:00:01 GMT";
    let mut stage = Stage::new(CACHE_ALL);
    let zipped = || get("/a").with("accept-encoding", "gzip");
    let page = || reply(&text()).with("content-type", "text/plain");
    stage.exchange(get("/a"), page().with("last-modified", modified));
    stage.exchange(zipped(), unasked());
    stage.compress();
    let begun = stage.exchange(zipped(), unasked());
    assert_eq!(begun.field("content-encoding"), "gzip");
    assert_eq!(begun.field("last-modified"), modified);
    let rest = zipped()
        .with("range", "bytes=100-")
        .with("if-range", modified);
    assert_eq!(stage.exchange(rest, unasked()).status, 200);
}

/// "the identity form of hot entries kept so that a hit never inflates twice" (issue 4). A part of ten bytes costs as much
/// as the whole to unzip, and anybody can ask for it again and again.
#[test]
fn parts_of_what_is_stored_in_gzip_do_not_unzip_it_each_time() {
    let mut stage = compressed(CACHE_ALL);
    for first in 0..20 {
        let part = get("/a").with("range", &format!("bytes={first}-{}", first + 9));
        assert_eq!(stage.exchange(part, unasked()).status, 206);
    }
    assert!(
        stage.count(Counter::Unzipped) <= 2,
        "{} times",
        stage.count(Counter::Unzipped)
    );
}
