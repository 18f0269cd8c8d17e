//! Parts of a representation that is not stored whole, and how they become it (RFC 9111 sections 3.3 and 3.4).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_harness::client::{Answer, Protocol, Request};
use larder_harness::origin::{Received, Reply, Step};

use crate::stage::{CACHE_ALL, MAIN, Stage, assert_seen, cache_status, pattern, x_cache};

const LENGTH: usize = 100_000;

/// A film on an origin that knows ranges, and that may be cut anew.
#[derive(Clone)]
struct Film(Arc<AtomicUsize>);

impl Film {
    /// A stage with a film at `/film`.
    async fn on(workers: usize) -> (Stage, Self) {
        let stage = Stage::with_workers(workers, CACHE_ALL).await;
        let film = Self(Arc::new(AtomicUsize::new(1)));
        let shown = film.clone();
        stage
            .origin
            .on_call("/film", move |request| shown.answer(request));
        (stage, film)
    }

    fn version(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn cut_anew(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// The bytes of a version; no two have a byte in common at any place.
    fn bytes(version: usize) -> Vec<u8> {
        let shift = u8::try_from(version).unwrap();
        let shifted = pattern(LENGTH).into_iter();
        shifted.map(|byte| byte.wrapping_add(shift)).collect()
    }

    fn tag(version: usize) -> String {
        format!("\"cut-{version}\"")
    }

    fn answer(&self, request: &Received) -> Reply {
        let (bytes, tag) = (Self::bytes(self.version()), Self::tag(self.version()));
        let range = request.header("range").and_then(asked_for);
        let matches = request.header("if-range").is_none_or(|known| known == tag);
        let reply = match range.filter(|_| matches) {
            None => Reply::ok(bytes),
            Some((first, last)) => {
                let part = bytes[first..=last].to_vec();
                let content_range = format!("bytes {first}-{last}/{LENGTH}");
                Reply::new(206, part).header("content-range", content_range)
            }
        };
        reply
            .header("etag", tag)
            .header("content-type", "video/mp4")
            .header("accept-ranges", "bytes")
    }
}

fn asked_for(range: &str) -> Option<(usize, usize)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let last = last.parse().unwrap_or(LENGTH - 1).min(LENGTH - 1);
    Some((first.parse().ok()?, last))
}

fn ask(range: &str) -> Request {
    Request::get("/film")
        .authority("api.example.com")
        .header("range", format!("bytes={range}"))
}

/// Asserts that this is the 206 with that part of that version.
#[track_caller]
fn assert_part(answer: &Answer, version: usize, first: usize, last: usize) {
    assert_eq!(answer.status, 206, "{answer:?}");
    let content_range = format!("bytes {first}-{last}/{LENGTH}");
    assert_eq!(answer.header("content-range"), Some(content_range.as_str()));
    assert_eq!(answer.header("etag"), Some(Film::tag(version).as_str()));
    assert_eq!(answer.header("content-type"), Some("video/mp4"));
    let length = (last - first + 1).to_string();
    assert_eq!(answer.header("content-length"), Some(length.as_str()));
    assert!(answer.body == Film::bytes(version)[first..=last]);
}

#[tokio::test]
async fn a_film_is_watched_twice_and_fetched_once() {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let (stage, _) = Film::on(1).await;
        let mut client = stage
            .envoy
            .connect_to_worker(MAIN, 0, protocol)
            .await
            .unwrap();
        let scenes = [(0, 29_999), (30_000, 59_999), (55_000, 79_999)];
        for (first, last) in scenes {
            let seen = client.send(ask(&format!("{first}-{last}"))).await.unwrap();
            assert_part(&seen, 1, first, last);
            let expected = if first == 0 {
                "larder; fwd=uri-miss; stored"
            } else {
                "larder; fwd=partial; stored"
            };
            assert_seen(&seen, "MISS", expected);
        }
        for (first, last) in scenes.into_iter().chain([(7, 79_998)]) {
            let seen = client.send(ask(&format!("{first}-{last}"))).await.unwrap();
            assert_part(&seen, 1, first, last);
            assert_eq!(x_cache(&seen), "HIT", "{protocol:?} {first}-{last}");
            assert!(seen.header("age").is_some() && cache_status(&seen).contains("hit; ttl="));
        }
        assert_eq!(stage.origin.count("/film"), 3);

        let last = client.send(ask("80000-")).await.unwrap();
        assert_part(&last, 1, 80_000, LENGTH - 1);
        let whole = client
            .send(Request::get("/film").authority("api.example.com"))
            .await
            .unwrap();
        assert_eq!((whole.status, x_cache(&whole)), (200, "HIT"));
        assert_eq!(whole.header("content-range"), None);
        assert_eq!(whole.header("content-length"), Some("100000"));
        assert!(whole.body == Film::bytes(1), "{protocol:?}");
        assert_eq!(stage.origin.count("/film"), 4);
    }
}

#[tokio::test]
async fn what_a_part_does_not_answer_reaches_the_origin_as_it_came() {
    let (stage, _) = Film::on(1).await;
    stage.send(ask("1000-1999")).await;
    let rows = [
        ("more", ask("1500-2500").header("if-range", "\"cut-1\"")),
        (
            "the head",
            Request::new("HEAD", "/film").header("range", "bytes=1000-1001"),
        ),
        (
            "whether it changed",
            Request::get("/film").header("if-none-match", "\"cut-0\""),
        ),
    ];
    for (name, request) in rows {
        let seen = stage.send(request).await;
        assert!(
            cache_status(&seen).starts_with("larder; fwd=partial"),
            "{name}: {seen:?}"
        );
    }
    let received = stage.origin.requests();
    let fields = ["range", "if-range", "if-none-match"];
    let asked = |at: usize| fields.map(|name| received[at].header(name));
    assert_eq!(asked(1), [Some("bytes=1500-2500"), Some("\"cut-1\""), None]);
    assert_eq!(asked(2), [Some("bytes=1000-1001"), None, None]);
    assert_eq!(asked(3), [None, None, Some("\"cut-0\"")]);
    assert_eq!(received.len(), 4, "the third answer was the whole");
    assert_eq!(x_cache(&stage.get("/film").await), "HIT");
}

#[tokio::test]
async fn a_film_cut_anew_is_never_shown_in_two_cuts_at_once() {
    let (stage, film) = Film::on(1).await;
    stage.send(ask("0-9999")).await;
    film.cut_anew();
    let seen = stage.send(ask("10000-19999")).await;
    assert_part(&seen, 2, 10_000, 19_999);
    let seen = stage.send(ask("0-9999")).await;
    assert_part(&seen, 2, 0, 9_999);
    assert_seen(&seen, "MISS", "larder; fwd=partial; stored");
    let seen = stage.send(ask("5000-14999")).await;
    assert_part(&seen, 2, 5_000, 14_999);
    assert_eq!(x_cache(&seen), "HIT");

    film.cut_anew();
    let seen = stage
        .send(ask("20000-29999").header("if-range", "\"cut-2\""))
        .await;
    assert_eq!((seen.status, x_cache(&seen)), (200, "MISS"));
    assert!(seen.body == Film::bytes(3));
    let seen = stage.send(ask("0-9999")).await;
    assert_part(&seen, 3, 0, 9_999);
    assert_eq!(x_cache(&seen), "HIT");
}

#[tokio::test]
async fn parts_without_a_strong_name_and_several_at_once_are_not_stored() {
    let stage = Stage::start(CACHE_ALL).await;
    let part = || Reply::new(206, "cde").header("content-range", "bytes 2-4/26");
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let several = Reply::new(206, "--x--")
        .header("content-type", "multipart/byteranges; boundary=x")
        .header("etag", "\"v1\"");
    for (path, reply, range) in [
        ("/weak", part().header("etag", "W/\"v1\""), "bytes=2-4"),
        ("/dated", part().header("last-modified", date), "bytes=2-4"),
        ("/several", several, "bytes=0-0,2-2"),
    ] {
        stage.origin.on(path, reply);
        for count in 1..=2 {
            let request = Request::get(path).header("range", range);
            let seen = stage.send(request).await;
            assert_eq!(seen.status, 206);
            assert_seen(
                &seen,
                "MISS",
                "larder; fwd=uri-miss; detail=partial-content",
            );
            assert_eq!(stage.origin.count(path), count, "{path}");
        }
    }
}

#[tokio::test]
async fn a_part_that_breaks_off_leaves_what_was_stored() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/film", |request| {
        let tagged = |reply: Reply| reply.header("etag", "\"v1\"");
        match request.header("range") {
            Some("bytes=0-2") => {
                tagged(Reply::new(206, "abc").header("content-range", "bytes 0-2/26"))
            }
            Some("bytes=3-5") => {
                let body = [Step::Chunk("de".into()), Step::Die];
                let reply = Reply::steps(body).status(206);
                tagged(reply.header("content-range", "bytes 3-5/26"))
            }
            // Its Content-Range says more than there is.
            _ => {
                let body = [Step::Chunk("d".into()), Step::Chunk("e".into())];
                let reply = Reply::steps(body).status(206);
                tagged(reply.header("content-range", "bytes 3-6/26"))
            }
        }
    });
    assert_eq!(stage.send(ask("0-2")).await.text(), "abc");
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = stage
            .envoy
            .connect_to_worker(MAIN, 0, protocol)
            .await
            .unwrap();
        let answer = client.send(ask("3-5")).await;
        let release = stage.envoy.release().await.unwrap();
        let is_told = release.tells_what_broke_off(protocol);
        assert_eq!(answer.is_err(), is_told, "{protocol:?}");
    }
    assert_eq!(stage.send(ask("3-6")).await.text(), "de");
    let incomplete = stage
        .counter("larder_not_stored_total.reason.incomplete")
        .await;
    assert_eq!(incomplete, 3);
    let seen = stage.send(ask("1-2")).await;
    assert_eq!((x_cache(&seen), seen.text().as_str()), ("HIT", "bc"));
    assert_eq!(x_cache(&stage.send(ask("2-3")).await), "MISS");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_one_worker_began_another_continues() {
    let (stage, _) = Film::on(2).await;
    let mut clients = Vec::new();
    for worker in 0..2 {
        let client = stage
            .envoy
            .connect_to_worker(MAIN, worker, Protocol::Http1)
            .await
            .unwrap();
        clients.push(client);
    }
    for at in 0..10 {
        let (first, last) = (at * 10_000, at * 10_000 + 9_999);
        let range = format!("{first}-{last}");
        let seen = clients[at % 2].send(ask(&range)).await.unwrap();
        assert_part(&seen, 1, first, last);
        assert_eq!(x_cache(&seen), "MISS");
        let seen = clients[(at + 1) % 2].send(ask(&range)).await.unwrap();
        assert_part(&seen, 1, first, last);
        assert_eq!(x_cache(&seen), "HIT");
    }
    let whole = stage.get("/film").await;
    assert_eq!((whole.status, x_cache(&whole)), (200, "HIT"));
    assert!(whole.body == Film::bytes(1));
    assert_eq!(stage.origin.count("/film"), 10);
}

#[tokio::test]
async fn a_stream_of_random_ranges_over_changing_cuts_never_shows_a_wrong_byte() {
    let (stage, film) = Film::on(2).await;
    let mut client = stage
        .envoy
        .connect_to_worker(MAIN, 0, Protocol::Http2)
        .await
        .unwrap();
    let mut random = pattern(4_000).into_iter().map(usize::from);
    let mut hits = 0;
    for turn in 0..300 {
        if turn % 75 == 74 {
            film.cut_anew();
        }
        let mut next = || random.next().unwrap();
        let first = next() * 256 + next();
        let last = (first + next() * 128).min(LENGTH - 1);
        let seen = client.send(ask(&format!("{first}-{last}"))).await.unwrap();
        let shown = (1..=film.version())
            .find(|version| seen.header("etag") == Some(Film::tag(*version).as_str()));
        assert_part(&seen, shown.unwrap(), first, last);
        hits += usize::from(x_cache(&seen) == "HIT");
    }
    assert!(hits > 50, "{hits}");
    stage.assert_unharmed().await;
}
