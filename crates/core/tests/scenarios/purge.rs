//! What a purge leaves of what is stored: nothing if it is hard, something stale if it is soft.

use larder_core::epoch::{Mode, Scope};
use larder_core::report::{Counter, Outcome};

use crate::stage::{Request, Response, Seen, Stage, get, reply, request};

const HONOR: &str = r#"{"request_cache_control": "honor"}"#;

/// Fresh for a minute, with a validator, under the tag `t`.
fn stored(body: &str) -> Response {
    let fresh = reply(body).with("cache-control", "max-age=60");
    fresh.with("etag", "\"1\"").with("xkey", "t")
}

fn part(bytes: &str, range: &str) -> Response {
    let part = stored(bytes).status(206);
    part.with("content-range", range)
}

fn purge(stage: &Stage, mode: Mode) {
    stage.invalidate(&[Scope::Tag(b"t")], mode);
}

/// A stage on which `old` is stored under `/a`, and has been purged since.
fn purged(mode: Mode) -> Stage {
    let mut stage = Stage::new(HONOR);
    stage.exchange(get("/a"), stored("old"));
    stage.wait(2);
    purge(&stage, mode);
    stage
}

/// Whether the origin was asked in the cache's own words.
fn was_asked(stage: &Stage) -> bool {
    let asked = &stage.asked;
    asked.only("if-none-match") == Some(b"\"1\"")
}

fn seen(seen: &Seen) -> (u16, &str, &str) {
    (seen.status, seen.text(), seen.field("x-cache"))
}

#[test]
fn of_a_hard_purge_nothing_is_left_in_any_way_of_asking() {
    let taking = |request: Request| request.with("cache-control", "max-stale");
    let asks = [
        get("/a"),
        taking(get("/a")),
        request("HEAD", "/a"),
        taking(request("HEAD", "/a")),
        get("/a").with("range", "bytes=1-1"),
        taking(get("/a").with("range", "bytes=1-1")).with("if-range", "\"1\""),
        get("/a").with("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    for (row, ask) in asks.into_iter().enumerate() {
        for late in [0, 90] {
            let mut stage = purged(Mode::Hard);
            stage.wait(late);
            let answer = stage.exchange(ask.clone(), stored("new"));
            assert_eq!(
                (answer.text(), was_asked(&stage)),
                ("new", false),
                "{row} {late}"
            );
            assert_eq!(stage.outcomes(Outcome::Miss), 2, "{row} {late}");
        }
    }
    let mut stage = purged(Mode::Hard);
    let answer = stage.exchange(get("/a"), stored("new"));
    assert_eq!(
        answer.cache(),
        ("MISS", "larder; fwd=stale; stored; detail=invalidated")
    );
    let mut stage = purged(Mode::Hard);
    let only = get("/a").with("cache-control", "only-if-cached, max-stale");
    assert_eq!(stage.exchange(only, stored("new")).status, 504);
    let mut stage = purged(Mode::Hard);
    let own = get("/a").with("if-none-match", "\"1\"");
    let answer = stage.exchange(own, reply("").status(304));
    assert_eq!(
        seen(&answer),
        (304, "", "MISS"),
        "the client's own question is the client's"
    );
}

#[test]
fn of_a_hard_purge_no_part_is_left() {
    let ask = |range| {
        get("/p")
            .with("range", range)
            .with("cache-control", "max-stale")
    };
    let mut stage = Stage::new(HONOR);
    stage.exchange(ask("bytes=0-1"), part("ab", "bytes 0-1/4"));
    purge(&stage, Mode::Hard);
    let answer = stage.exchange(ask("bytes=0-0"), part("A", "bytes 0-0/4"));
    assert_eq!(answer.text(), "A");
    stage.exchange(ask("bytes=1-3"), part("BCD", "bytes 1-3/4"));
    let whole = stage.exchange(get("/p"), stored("?"));
    assert_eq!(
        whole.text(),
        "ABCD",
        "grown of what came after the purge alone"
    );
}

#[test]
fn what_was_purged_softly_is_asked_about() {
    let mut stage = purged(Mode::Soft);
    let answer = stage.exchange(get("/a"), stored("").status(304));
    assert_eq!(seen(&answer), (200, "old", "REVALIDATED"));
    assert_eq!(
        answer.cache().1,
        "larder; fwd=stale; fwd-status=304; stored; detail=soft-purged"
    );
    assert!(was_asked(&stage));
    assert_eq!(
        stage.exchange(get("/a"), reply("?")).field("x-cache"),
        "HIT"
    );
    let mut stage = purged(Mode::Soft);
    let answer = stage.exchange(get("/a"), stored("new"));
    assert_eq!(
        answer.cache(),
        ("MISS", "larder; fwd=stale; stored; detail=soft-purged")
    );
    let mut stage = purged(Mode::Soft);
    stage.exchange(
        request("HEAD", "/a"),
        stored("").with("content-length", "3"),
    );
    let answer = stage.exchange(get("/a"), reply("?"));
    assert_eq!(
        seen(&answer),
        (200, "old", "HIT"),
        "a HEAD freshens what is stale"
    );
}

/// A modification date is whole seconds: it may be the same before and after what was purged for.
#[test]
fn a_head_without_a_strong_tag_brings_nothing_back() {
    let dated = |body: &str| {
        let dated = reply(body).with("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT");
        dated.with("cache-control", "max-age=60").with("xkey", "t")
    };
    let weak = |body: &str| dated(body).with("etag", "W/\"1\"");
    let strong = |body: &str| dated(body).with("etag", "\"1\"");
    for (stored, head) in [
        (dated("old"), dated("")),
        (weak("old"), weak("")),
        (strong("old"), dated("")),
    ] {
        let mut stage = Stage::new(HONOR);
        stage.exchange(get("/a"), stored);
        purge(&stage, Mode::Soft);
        stage.exchange(request("HEAD", "/a"), head);
        let seen = stage.exchange(get("/a"), dated("new").with("etag", "\"2\""));
        assert_eq!(seen.text(), "new");
    }
}

#[test]
fn what_was_purged_softly_is_stale_for_who_takes_it() {
    let taking = |directives| get("/a").with("cache-control", directives);
    for (directives, word) in [
        ("max-stale", "STALE"),
        ("max-stale=3", "STALE"),
        ("max-stale=2", "MISS"),
    ] {
        let mut stage = purged(Mode::Soft);
        stage.wait(3); // it is stale since the purge, not since its request
        let answer = stage.exchange(taking(directives), reply("new"));
        assert_eq!(answer.field("x-cache"), word, "{directives}");
    }
    let mut stage = purged(Mode::Soft);
    stage.wait(3);
    let answer = stage.exchange(taking("max-stale"), reply("new"));
    assert_eq!(answer.cache().1, "larder; hit; ttl=-3; detail=max-stale");
    let mut stage = purged(Mode::Soft);
    stage.wait(3);
    purge(&stage, Mode::Soft);
    stage.wait(3);
    let answer = stage.exchange(taking("max-stale"), reply("new"));
    assert_eq!(answer.cache().1, "larder; hit; ttl=-6; detail=max-stale");
    let mut stage = purged(Mode::Soft);
    stage.wait(7);
    purge(&stage, Mode::Soft);
    stage.wait(3);
    let answer = stage.exchange(taking("max-stale"), reply("new"));
    let detail = "larder; hit; ttl=-12; detail=max-stale";
    assert_eq!(
        answer.cache().1,
        detail,
        "stale since its request for all that is known"
    );
    let mut stage = Stage::new(HONOR);
    let strict = reply("old").with("cache-control", "max-age=60, must-revalidate");
    stage.exchange(get("/a"), strict.with("xkey", "t"));
    purge(&stage, Mode::Soft);
    let answer = stage.exchange(taking("max-stale"), reply("new"));
    assert_eq!(answer.text(), "new", "the origin forbids it");
}

#[test]
fn a_part_that_was_purged_softly_is_a_stale_part() {
    let ask = |range| get("/p").with("range", range);
    let mut stage = Stage::new(HONOR);
    stage.exchange(ask("bytes=0-1"), part("ab", "bytes 0-1/4"));
    purge(&stage, Mode::Soft);
    let taking = ask("bytes=1-1").with("cache-control", "max-stale");
    assert_eq!(
        seen(&stage.exchange(taking, reply("?"))),
        (206, "b", "STALE")
    );
    let answer = stage.exchange(ask("bytes=2-3"), part("cd", "bytes 2-3/4"));
    assert_eq!(
        answer.cache().1,
        "larder; fwd=stale; stored; detail=soft-purged"
    );
    assert_eq!(stage.exchange(get("/p"), reply("?")).text(), "abcd");
}

#[test]
fn what_workers_keep_for_themselves_is_met_too() {
    for (mode, detail) in [(Mode::Hard, "invalidated"), (Mode::Soft, "soft-purged")] {
        let mut stage = Stage::new(HONOR);
        let mut other = stage.another_worker(HONOR);
        stage.exchange(get("/a"), stored("old"));
        for worker in [&mut stage, &mut other] {
            for _ in 0..4 {
                assert_eq!(worker.exchange(get("/a"), reply("?")).text(), "old");
            }
            assert!(worker.count(Counter::HotHit) > 0);
        }
        purge(&stage, mode);
        for worker in [&mut stage, &mut other] {
            let answer = worker.exchange(get("/a"), stored("new").status(500));
            let expected = format!("larder; fwd=stale; stored; detail={detail}");
            assert_eq!(answer.cache(), ("MISS", expected.as_str()));
            purge(worker, mode);
        }
    }
}

/// Who asked before the purge may be told what was before it; nobody else is.
#[test]
fn a_confirmation_that_was_asked_for_before_the_purge_brings_nothing_back() {
    for (mode, reused) in [
        (Mode::Hard, false),
        (Mode::Invalid, true),
        (Mode::Soft, true),
    ] {
        let mut stage = Stage::new(HONOR);
        stage.exchange(get("/a"), stored("old"));
        stage.wait(90);
        let question = stage.begin(get("/a"));
        assert!(was_asked(&stage));
        purge(&stage, mode);
        let asker = stage.finish(question, stored("").status(304));
        assert_eq!(seen(&asker), (200, "old", "REVALIDATED"));
        let next = stage.exchange(get("/a"), stored("new"));
        assert_eq!(
            (next.text(), was_asked(&stage)),
            ("new", reused),
            "{mode:?}"
        );
    }
}

#[test]
fn so_is_it_with_a_head_and_with_a_part() {
    let mut stage = Stage::new(HONOR);
    stage.exchange(get("/a"), stored("old"));
    stage.wait(90);
    let question = stage.begin(request("HEAD", "/a"));
    purge(&stage, Mode::Hard);
    stage.finish(question, stored("").with("content-length", "3"));
    let next = stage.exchange(get("/a"), stored("new"));
    assert_eq!((next.text(), was_asked(&stage)), ("new", false));

    let ask = |range| get("/p").with("range", range);
    stage.exchange(ask("bytes=0-1"), part("ab", "bytes 0-1/4"));
    let rest = stage.begin(ask("bytes=2-3"));
    purge(&stage, Mode::Hard);
    stage.finish(rest, part("cd", "bytes 2-3/4"));
    let next = stage.exchange(get("/p"), stored("new"));
    assert_eq!(next.text(), "new");
}

#[test]
fn a_body_that_was_on_its_way_during_the_purge_is_not_served_after_it() {
    for mode in [Mode::Hard, Mode::Invalid, Mode::Soft] {
        let mut stage = Stage::new(HONOR);
        let fetch = stage.begin(get("/a"));
        purge(&stage, mode);
        let asker = stage.finish(fetch, stored("old"));
        assert_eq!(asker.text(), "old");
        // What is soft is stale at once, and may be asked about; of the others nothing is written down.
        let found = stage.finds_last();
        assert_eq!(found, mode == Mode::Soft, "{mode:?}");
        let next = stage.exchange(get("/a"), stored("new"));
        assert_eq!(next.text(), "new", "{mode:?}");
        let after = stage.exchange(get("/a"), reply("?"));
        assert_eq!(seen(&after), (200, "new", "HIT"));
    }
}

#[test]
fn what_is_compressed_after_a_purge_stays_purged() {
    let zipped = || get("/z").with("accept-encoding", "gzip");
    let mut stage = Stage::new(HONOR);
    let text = "a line of a text\n".repeat(100);
    stage.exchange(zipped(), stored(&text));
    stage.exchange(zipped(), reply("?"));
    purge(&stage, Mode::Hard);
    stage.compress();
    let next = stage.exchange(zipped(), stored("new"));
    assert_eq!((next.text(), was_asked(&stage)), ("new", false));
}

/// Nobody would be given it, but it would stay in memory.
#[test]
fn a_workers_own_memory_lets_go_of_what_was_purged() {
    let mut stage = Stage::new(HONOR);
    let other = || reply("other").with("cache-control", "max-age=60");
    for _ in 0..4 {
        stage.exchange(get("/a"), stored("old"));
        stage.exchange(get("/b"), other());
    }
    let both = stage.hot.bytes();
    stage.weed();
    assert_eq!(stage.hot.bytes(), both);
    purge(&stage, Mode::Hard);
    stage.weed();
    let one = stage.hot.bytes();
    assert!(0 < one && one < both, "{one} of {both}");
    let next = stage.exchange(get("/b"), reply("?"));
    assert_eq!(seen(&next), (200, "other", "HIT"));
}
