//! What is said in bad faith about ranges, groups, queries and places, and requests that stop half-way.

use larder_harness::client::{Client, Protocol, Request, raw, raw_status};
use larder_harness::origin::{RawOrigin, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stage::{BY_ORIGIN, MAIN, Stage, cache_status, larder, pattern, x_cache};

#[tokio::test]
async fn parts_that_lie_about_themselves_are_passed_on_and_forgotten() {
    let stage = Stage::start(BY_ORIGIN).await;
    let huge = "bytes 0-9/99999999999999999999999999999999";
    for (number, (length, fields)) in [
        (10, vec![("content-range", "bytes 0-8/100")]),
        (10, vec![("content-range", "bytes 0-10/100")]),
        (10, vec![("content-range", huge)]),
        (
            10,
            vec![(
                "content-range",
                "bytes 18446744073709551606-18446744073709551615/*",
            )],
        ),
        (
            10,
            vec![("content-range", "bytes 4294967290-4294967299/4294967300")],
        ),
        (10, vec![("content-range", "bytes 0-9/4294967296")]),
        (10, vec![("content-range", "bytes 9-0/100")]),
        (10, vec![("content-range", "bytes 0-9/9")]),
        (10, vec![("content-range", "bytes -10-0/100")]),
        (
            10,
            vec![
                ("content-range", "bytes 0-9/100"),
                ("content-range", "bytes 10-19/100"),
            ],
        ),
        (
            10,
            vec![("content-range", "bytes 0-9/100, bytes 10-19/100")],
        ),
        (10, vec![("content-range", "bytes */100")]),
        (10, vec![("content-range", "lines 0-9/100")]),
        (10, vec![("content-range", "\u{ff}")]),
        (10, vec![]),
        (0, vec![("content-range", "bytes 0-9/100")]),
        (
            10,
            vec![
                ("content-range", "bytes 0-9/100"),
                ("content-type", "Multipart/Byteranges; boundary=x"),
            ],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/part/{number}");
        let reply = Reply::new(206, pattern(length))
            .header("cache-control", "max-age=60")
            .header("etag", "\"1\"");
        let reply = fields
            .iter()
            .fold(reply, |reply, (name, value)| reply.header(name, value));
        stage.origin.on(&path, reply);
        for turn in 1..=2 {
            let answer = stage
                .send(Request::get(&path).header("range", "bytes=0-9"))
                .await;
            assert_eq!(
                (answer.status, answer.body.len(), x_cache(&answer)),
                (206, length, "MISS"),
                "{fields:?}: {answer:?}"
            );
            assert!(
                !cache_status(&answer).contains("stored"),
                "{fields:?}: {answer:?}"
            );
            assert_eq!(stage.origin.count(&path), turn, "{fields:?}");
        }
    }
    stage.assert_unharmed().await;
}

/// Whatever the parts of a hostile origin say, they are bytes of what they say.
#[tokio::test]
async fn a_part_that_would_make_a_terabyte_takes_no_memory() {
    let stage = Stage::start(BY_ORIGIN).await;
    let reply = |range: &str, bytes: &[u8]| {
        Reply::new(206, bytes.to_vec())
            .header("content-range", range)
            .header("cache-control", "max-age=60")
            .header("etag", "\"1\"")
    };
    let ask = |range: &str| Request::get("/film").header("range", format!("bytes={range}"));
    stage
        .origin
        .on("/film", reply("bytes 0-9/4294967295", &pattern(10)));
    stage.send(ask("0-9")).await;
    stage.origin.on(
        "/film",
        reply("bytes 4294967285-4294967294/4294967295", &pattern(10)),
    );
    let end = stage.send(ask("4294967285-")).await;
    assert_eq!((end.status, x_cache(&end)), (206, "MISS"));
    for range in ["0-1", "3-9", "9-9"] {
        assert_eq!(x_cache(&stage.send(ask(range)).await), "HIT", "{range}");
    }
    let many = vec!["0-0"; 1_000].join(",");
    let answer = stage.send(ask(&many)).await;
    assert!([206, 200].contains(&answer.status), "{answer:?}");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn long_lists_cost_what_they_are_worth() {
    let config =
        r#"{"rules": [{"name": "all", "match": {"path": "/.*"}, "no_vary_search": true}]}"#;
    let stage = Stage::start(config).await;
    let names = |count: usize| {
        let names: Vec<_> = (0..count).map(|number| format!("\"{number}\"")).collect();
        names.join(" ")
    };
    let fresh = |name: &str, value: &str| {
        Reply::ok("body")
            .header("cache-control", "max-age=60")
            .header(name, value)
    };
    let many = names(7_000);
    stage.origin.on(
        "/search",
        fresh("no-vary-search", &format!("params=({many})")),
    );
    stage.origin.on(
        "/except",
        fresh("no-vary-search", &format!("params, except=({many})")),
    );
    stage
        .origin
        .on("/deep", fresh("no-vary-search", &"(".repeat(30_000)));
    stage
        .origin
        .on("/all", fresh("no-vary-search", "params, key-order"));
    stage
        .origin
        .on("/groups", fresh("cache-groups", &many.replace(' ', ",")));
    stage.origin.on("/group", fresh("cache-groups", "\"g\""));
    stage.origin.on(
        "/vary",
        fresh("vary", &many.replace('"', "").replace(' ', ",")),
    );
    let pairs: String = (0..1_000).map(|number| format!("{number}=%zz&&")).collect();
    for path in [
        "/search", "/except", "/deep", "/all", "/groups", "/group", "/vary",
    ] {
        for query in ["", "?", "?&&&", "?1=2&%", &format!("?{pairs}")] {
            for _ in 0..2 {
                let answer = stage.get(&format!("{path}{query}")).await;
                assert_eq!(
                    (answer.status, answer.text().as_str()),
                    (200, "body"),
                    "{path}"
                );
            }
        }
    }
    assert_eq!(
        x_cache(&stage.get("/groups").await),
        "MISS",
        "it could not be invalidated"
    );
    assert_eq!(x_cache(&stage.get("/group").await), "HIT");
    let all = Reply::new(200, "").header("cache-group-invalidation", many.replace(' ', ","));
    stage.origin.on("/write", all);
    stage.send(Request::new("PUT", "/write").body("x")).await;
    assert_eq!(
        x_cache(&stage.get("/group").await),
        "MISS",
        "one of them may have been meant"
    );
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn places_that_nobody_can_go_to_are_nowhere() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on(
        "/doc",
        Reply::ok("old").header("cache-control", "max-age=60"),
    );
    let long = format!("/{}", "a/".repeat(25_000));
    #[rustfmt::skip]
    let places: [&[u8]; 18] = [
        b"", b"/", b"//", b"///doc", b"http:", b"http://", b"http:///doc", b"//[::1/doc", b"//:0/doc",
        b"http://api.example.com:99999999999/doc", b"http://api.example.com:80:80/doc", b"http://u@api.example.com/doc",
        b"\xff\xfe", b"/doc\x80", b"?", b"#", b"../../../../../../doc?", long.as_bytes(),
    ];
    for place in places {
        for name in ["location", "content-location"] {
            let reply = Reply::new(201, "made").header(name, place);
            stage.origin.on("/made", reply);
            let answer = stage.send(Request::new("POST", "/made").body("x")).await;
            assert_eq!(
                answer.status,
                201,
                "{name}: {}",
                String::from_utf8_lossy(place)
            );
        }
    }
    let control = b"HTTP/1.1 201 Created\r\nlocation: /a\x00b\x01\r\ncontent-length: 0\r\n\r\n";
    let origin = RawOrigin::start(control.to_vec()).await.unwrap();
    let envoy = larder_harness::envoy::Envoy::builder()
        .cluster(larder_harness::envoy::Cluster::new(
            "origin",
            origin.address(),
        ))
        .listener(larder(BY_ORIGIN))
        .start()
        .await
        .unwrap();
    let write = b"POST /made HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let reply = raw(envoy.address(MAIN), write, PATIENCE).await.unwrap();
    assert!(raw_status(&reply).is_some());
    stage.assert_unharmed().await;
}

const BY_CONTENT: &str = r#"{"rules": [{"name": "search", "match": {"path": "/.*", "methods": ["GET", "POST", "QUERY"]},
    "ttl_seconds": 60, "key": {"body": true}, "hold_headers": true}]}"#;

#[tokio::test]
async fn questions_that_stop_leave_nothing_behind() {
    let stage = Stage::start(BY_CONTENT).await;
    stage
        .origin
        .on_call("/ask", |request| Reply::ok(request.body.clone()));
    let head =
        |fields: &str| format!("POST /ask HTTP/1.1\r\nhost: api.example.com\r\n{fields}\r\n");
    let mut stalled = Vec::new();
    for bytes in [
        head("content-length: 5\r\n") + "on",
        head("content-length: 5\r\n"),
        head("transfer-encoding: chunked\r\n") + "5\r\non",
        head("transfer-encoding: chunked\r\ncontent-length: 5\r\n") + "5\r\non",
        head("content-length: 5\r\nexpect: 100-continue\r\n"),
        head("content-length: 5\r\nconnection: upgrade\r\nupgrade: websocket\r\n") + "on",
        head(
            "content-length: 5\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n",
        ) + "on",
        head("content-length: 99999999999999999999\r\n") + "on",
        head("content-length: -1\r\n") + "on",
        head("content-length: 5, 5\r\n") + "on",
    ] {
        for _ in 0..20 {
            let mut stream = TcpStream::connect(stage.address()).await.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            stalled.push(stream);
        }
    }
    let ask = |text: &str| {
        Request::new("POST", "/ask")
            .header("content-type", "a/b")
            .body(text.to_owned())
    };
    for word in ["MISS", "HIT"] {
        let answer = stage.send(ask("one")).await;
        assert_eq!((x_cache(&answer), answer.text().as_str()), (word, "one"));
    }
    drop(stalled);
    eventually("all are gone", PATIENCE, async || {
        let active = stage.envoy.stat("http.main.downstream_rq_active").await;
        active.unwrap() == 0
    })
    .await;
    for text in ["on", "", "one"] {
        let answer = stage.send(ask(text)).await;
        assert_eq!(answer.text(), text, "{answer:?}");
    }
    stage.assert_unharmed().await;
}

/// What comes behind the announced length is another request, and it is not the cache that decides so.
#[tokio::test]
async fn a_question_that_overruns_its_length_is_cut_there() {
    let stage = Stage::start(BY_CONTENT).await;
    stage
        .origin
        .on_call("/ask", |request| Reply::ok(request.body.clone()));
    let ask = b"POST /ask HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\noneGET /ask HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for _ in 0..2 {
        let mut stream = TcpStream::connect(stage.address()).await.unwrap();
        stream.write_all(ask).await.unwrap();
        let mut reply = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut reply))
            .await
            .unwrap()
            .unwrap();
        let text = String::from_utf8_lossy(&reply).into_owned();
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2, "{text}");
        assert_eq!(text.matches("\r\n\r\none").count(), 1, "{text}");
    }
    // Over HTTP/2 the codec counts.
    for length in ["2", "4"] {
        let mut client = Client::connect(stage.address(), Protocol::Http2)
            .await
            .unwrap();
        let request = Request::new("POST", "/ask")
            .header("content-length", length)
            .steps([Step::Chunk("one".into())]);
        let answer = tokio::time::timeout(PATIENCE, client.send(request))
            .await
            .unwrap();
        assert!(
            answer.is_err() || answer.is_ok_and(|answer| answer.status == 400),
            "{length}"
        );
    }
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_flood_of_hints_comes_before_one_answer() {
    let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(500);
    let answer = "HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 4\r\n\r\nbody";
    let origin = RawOrigin::start(format!("{hints}{answer}")).await.unwrap();
    let envoy = larder_harness::envoy::Envoy::builder()
        .cluster(larder_harness::envoy::Cluster::new(
            "origin",
            origin.address(),
        ))
        .listener(larder(BY_ORIGIN))
        .start()
        .await
        .unwrap();
    let ask = b"GET /hints HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for word in ["MISS", "HIT"] {
        let reply = raw(envoy.address(MAIN), ask, PATIENCE).await.unwrap();
        let text = String::from_utf8_lossy(&reply).into_owned();
        let count = text.matches("HTTP/1.1 200 OK").count();
        assert_eq!((count, text.ends_with("\r\n\r\nbody")), (1, true), "{text}");
        assert!(
            text.contains(&format!("x-cache: {word}\r\n")),
            "{word}: {text}"
        );
    }
}

/// The host drops all fields of a reply that has more than 1,024 of them.
#[tokio::test]
async fn a_head_of_a_thousand_lines_comes_back_whole_or_from_the_origin() {
    let listener = larder(BY_ORIGIN)
        .adds_response_header("x-route", "1")
        .adds_response_header("link", "</route>");
    let stage = Stage::with_listener(1, listener).await;
    for lines in [990, 997, 998, 1_000, 1_500] {
        let path = format!("/many/{lines}");
        let reply = Reply::ok("body").header("cache-control", "max-age=60");
        let reply = (0..lines).fold(reply, |reply, _| reply.header("x-line", "1"));
        stage.origin.on(&path, reply);
        for field in ["", "", "if-none-match: *\r\n"] {
            let ask = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{field}\r\n");
            let reply = raw(stage.address(), ask.as_bytes(), PATIENCE)
                .await
                .unwrap();
            let text = String::from_utf8_lossy(&reply);
            let count = |name: &str| text.matches(&format!("\r\n{name}: ")).count();
            let counts = ["x-line", "x-route", "link", "x-cache"].map(count);
            assert_eq!(counts, [lines, 1, 1, 1], "{lines} {field}");
        }
    }
    stage.assert_unharmed().await;
}
