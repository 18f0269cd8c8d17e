//! What is stored is compressed later, and each client gets it in the form it takes.

mod confirmed;
mod meanwhile;
mod unzipping;

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
