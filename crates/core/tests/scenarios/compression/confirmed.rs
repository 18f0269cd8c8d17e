//! What the origin says of a response, by a 304 or a HEAD, is said of what was made of it, too.

use larder_core::report::Counter;

use crate::stage::{CACHE_ALL, get, reply, request};

use super::{compressed, text, unasked, unzipped};

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
