//! What is stored in gzip is unzipped for who does not take it: if it can be, and not each time.

use larder_core::entry::{Coding, StoredResponse, encode_response};
use larder_core::report::Counter;

use crate::stage::{CACHE_ALL, get, reply};

use super::{compressed, page, text, unasked};

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

/// "the identity form of hot entries kept so that a hit never inflates twice". A part of ten bytes costs as much
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
