//! Parts of a stored response (RFC 9110 section 14), over both versions of HTTP.

use larder_harness::client::{Answer, Protocol, Request};
use larder_harness::origin::Reply;

use crate::stage::{BY_ORIGIN, CACHE_ALL, MAIN, Stage, assert_seen, pattern, x_cache};

const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

/// A stage on which `/doc`, of so many bytes, is stored, and those bytes.
async fn stocked(bytes: usize) -> (Stage, Vec<u8>) {
    let stage = Stage::start(CACHE_ALL).await;
    let body = pattern(bytes);
    let reply = Reply::ok(body.clone())
        .header("etag", "\"v1\"")
        .header("last-modified", MODIFIED)
        .header("content-type", "text/plain");
    stage.origin.on("/doc", reply);
    stage.get("/doc").await;
    (stage, body)
}

async fn ask(stage: &Stage, fields: &[(&str, &str)]) -> Answer {
    let request = fields
        .iter()
        .fold(Request::get("/doc"), |request, (name, value)| {
            request.header(name, value)
        });
    stage.send(request).await
}

#[tokio::test]
async fn one_range_over_both_versions_of_http() {
    let (stage, body) = stocked(100_000).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = stage
            .envoy
            .connect_to_worker(MAIN, 0, protocol)
            .await
            .unwrap();
        for (range, first, last) in [
            ("bytes=0-499", 0, 499),
            ("bytes=500-999", 500, 999),
            ("bytes=99990-", 99_990, 99_999),
            ("bytes=-10", 99_990, 99_999),
            ("bytes=99990-200000", 99_990, 99_999),
            ("bytes=0-", 0, 99_999),
            ("Bytes= 7-7", 7, 7),
        ] {
            let request = Request::get("/doc")
                .authority("api.example.com")
                .header("range", range);
            let part = client.send(request).await.unwrap();
            assert_eq!(
                (part.status, x_cache(&part)),
                (206, "HIT"),
                "{protocol:?} {range}"
            );
            let content_range = format!("bytes {first}-{last}/100000");
            assert_eq!(part.header("content-range"), Some(content_range.as_str()));
            assert_eq!(
                part.header("content-length"),
                Some((last - first + 1).to_string().as_str())
            );
            assert_eq!(part.header("content-type"), Some("text/plain"));
            assert_eq!(part.header("etag"), Some("\"v1\""));
            assert!(part.header("age").is_some() && part.header("date").is_some());
            assert!(part.body == body[first..=last], "{protocol:?} {range}");
        }
    }
    assert_eq!(stage.origin.count("/doc"), 1);
}

#[tokio::test]
async fn several_ranges_are_a_multipart_over_both_versions_of_http() {
    let (stage, body) = stocked(5_000).await;
    let part = |first: usize, last: usize| {
        let head =
            format!("content-type: text/plain\r\ncontent-range: bytes {first}-{last}/5000\r\n\r\n");
        [
            b"--larder0\r\n",
            head.as_bytes(),
            &body[first..=last],
            b"\r\n",
        ]
        .concat()
    };
    let expected = [
        part(4_000, 4_099),
        part(0, 99),
        part(4_990, 4_999),
        b"--larder0--\r\n".to_vec(),
    ]
    .concat();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = stage
            .envoy
            .connect_to_worker(MAIN, 0, protocol)
            .await
            .unwrap();
        let request = Request::get("/doc")
            .authority("api.example.com")
            .header("range", "bytes=4000-4099, 0-49, 50-99, 9000-, -10");
        let answer = client.send(request).await.unwrap();
        assert_eq!((answer.status, x_cache(&answer)), (206, "HIT"));
        assert_eq!(
            answer.header("content-type"),
            Some("multipart/byteranges; boundary=larder0")
        );
        assert_eq!(answer.header("content-range"), None);
        assert_eq!(
            answer.header("content-length"),
            Some(expected.len().to_string().as_str())
        );
        assert!(answer.body == expected, "{protocol:?}");
    }
}

#[tokio::test]
async fn ranges_that_cost_more_than_the_whole_get_the_whole() {
    let (stage, body) = stocked(4_000).await;
    let many = format!("bytes={}", "0-0,2-2,".repeat(40));
    let small = (0..60)
        .map(|at| format!("{}-{}", 2 * at, 2 * at))
        .collect::<Vec<_>>();
    for range in [
        many,
        format!("bytes={}", small.join(",")),
        "bytes=0-,0-,0-".to_owned(),
    ] {
        let whole = ask(&stage, &[("range", &range)]).await;
        assert_eq!((whole.status, x_cache(&whole)), (200, "HIT"), "{range}");
        assert!(whole.body == body);
    }
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_range_behind_the_end_is_416() {
    let (stage, _) = stocked(1_000).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = stage
            .envoy
            .connect_to_worker(MAIN, 0, protocol)
            .await
            .unwrap();
        let request = Request::get("/doc")
            .authority("api.example.com")
            .header("range", "bytes=1000-");
        let refused = client.send(request).await.unwrap();
        assert_eq!((refused.status, x_cache(&refused)), (416, "HIT"));
        assert_eq!(refused.header("content-range"), Some("bytes */1000"));
        assert_eq!(
            (refused.header("content-type"), refused.header("etag")),
            (None, None)
        );
        assert!(refused.header("age").is_some() && refused.body.is_empty());
    }
    assert_eq!(stage.origin.count("/doc"), 1);
}

#[tokio::test]
async fn if_range_decides_between_the_part_and_the_whole() {
    let (stage, body) = stocked(1_000).await;
    let rows = [
        ("the tag", "\"v1\"", 206),
        ("another tag", "\"v0\"", 200),
        ("a weak tag", "W/\"v1\"", 200),
        ("the date", MODIFIED, 206),
        ("another date", "Mon, 07 Nov 1994 08:49:37 GMT", 200),
        ("nothing of the kind", "v1", 200),
    ];
    for (name, validator, status) in rows {
        let answer = ask(&stage, &[("range", "bytes=10-19"), ("if-range", validator)]).await;
        assert_eq!((answer.status, x_cache(&answer)), (status, "HIT"), "{name}");
        let expected = if status == 206 {
            &body[10..20]
        } else {
            &body[..]
        };
        assert!(answer.body == expected, "{name}");
        assert_eq!(answer.header("content-type"), Some("text/plain"));
    }
    assert_eq!(stage.origin.count("/doc"), 1);
}

#[tokio::test]
async fn preconditions_come_before_ranges() {
    let (stage, _) = stocked(1_000).await;
    let range = ("range", "bytes=0-9");
    let same = ask(&stage, &[range, ("if-none-match", "\"v1\"")]).await;
    assert_eq!((same.status, same.header("content-range")), (304, None));
    let other = ask(&stage, &[range, ("if-none-match", "\"v0\"")]).await;
    assert_eq!((other.status, other.body.len()), (206, 10));
    let head = stage
        .send(Request::new("HEAD", "/doc").header("range", "bytes=0-9"))
        .await;
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("1000"))
    );
}

#[tokio::test]
async fn on_a_miss_the_range_goes_to_the_origin_and_only_a_whole_answer_stays() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage
        .origin
        .on_call("/doc", |request| match request.header("range") {
            Some(_) => Reply::new(206, "cde")
                .header("content-range", "bytes 2-4/26")
                .header("cache-control", "max-age=60"),
            None => Reply::ok("abcdefghijklmnopqrstuvwxyz").header("cache-control", "max-age=60"),
        });
    let fields = [("range", "bytes=2-4"), ("if-range", "\"v1\"")];
    let part = ask(&stage, &fields).await;
    assert_eq!((part.status, part.text().as_str()), (206, "cde"));
    assert_seen(
        &part,
        "MISS",
        "larder; fwd=uri-miss; detail=partial-content",
    );
    let received = stage.origin.requests();
    for (name, value) in fields {
        assert_eq!(received[0].header(name), Some(value));
    }
    assert_eq!(
        x_cache(&stage.get("/doc").await),
        "MISS",
        "the part is not the whole"
    );
    let part = ask(&stage, &fields[..1]).await;
    assert_eq!(
        (part.status, x_cache(&part), part.text().as_str()),
        (206, "HIT", "cde")
    );
    assert_eq!(stage.origin.count("/doc"), 2);
}

#[tokio::test]
async fn an_origin_that_knows_no_ranges_gets_them_from_the_cache() {
    let stage = Stage::start(CACHE_ALL).await;
    stage
        .origin
        .on("/doc", Reply::ok("abcdefghijklmnopqrstuvwxyz"));
    let whole = ask(&stage, &[("range", "bytes=2-4")]).await;
    assert_eq!((whole.status, x_cache(&whole)), (200, "MISS"));
    assert_eq!(whole.header("accept-ranges"), None);
    let part = ask(&stage, &[("range", "bytes=2-4")]).await;
    assert_eq!((part.status, part.text().as_str()), (206, "cde"));
    assert_eq!(stage.origin.count("/doc"), 1);
}

#[tokio::test]
async fn an_error_about_a_range_is_for_nobody_else() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage
        .origin
        .on_call("/doc", |request| match request.header("range") {
            Some(_) => Reply::new(416, "no").header("cache-control", "max-age=60"),
            None => Reply::ok("text").header("cache-control", "max-age=60"),
        });
    let refused = ask(&stage, &[("range", "bytes=99-")]).await;
    assert_eq!(refused.status, 416);
    assert_seen(&refused, "MISS", "larder; fwd=uri-miss; detail=range");
    assert_eq!(stage.get("/doc").await.status, 200);
}

#[tokio::test]
async fn a_part_of_what_the_origin_has_just_confirmed() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on_call("/doc", |request| {
        let reply = match request.header("if-none-match") {
            Some(_) => Reply::new(304, ""),
            None => Reply::ok("abcdefghijklmnopqrstuvwxyz"),
        };
        reply
            .header("etag", "\"v1\"")
            .header("cache-control", "no-cache")
    });
    stage.get("/doc").await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut client = stage
            .envoy
            .connect_to_worker(MAIN, 0, protocol)
            .await
            .unwrap();
        for (range, status, content_range, text) in [
            ("bytes=2-4", 206, Some("bytes 2-4/26"), "cde"),
            ("bytes=-1", 206, Some("bytes 25-25/26"), "z"),
            ("bytes=26-", 416, Some("bytes */26"), ""),
            ("bytes=0-0,25-25", 200, None, "abcdefghijklmnopqrstuvwxyz"),
        ] {
            let request = Request::get("/doc")
                .authority("api.example.com")
                .header("range", range);
            let answer = client.send(request).await.unwrap();
            assert_eq!((answer.status, x_cache(&answer)), (status, "REVALIDATED"));
            assert_eq!(answer.header("content-range"), content_range);
            assert_eq!(answer.text(), text, "{protocol:?} {range}");
        }
    }
}
