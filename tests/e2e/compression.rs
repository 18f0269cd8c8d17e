//! What is stored in gzip, as real clients read it from the wire.

use std::io::Write;
use std::process::{Command, Stdio};

use larder_harness::client::{Answer, Client, Protocol, Request};
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{CACHE_ALL, Stage, pattern, x_cache};

/// Text of so many bytes, which compresses well.
fn text(bytes: usize) -> Vec<u8> {
    let lines = (0..).flat_map(|number| format!("line {number} of a long text\n").into_bytes());
    lines.take(bytes).collect()
}

fn zipped(path: &str) -> Request {
    Request::get(path).header("accept-encoding", "gzip, deflate, br")
}

/// What gzip(1) makes of a body.
fn unzipped(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let body = answer.body.clone();
    let writer = std::thread::spawn(move || input.write_all(&body));
    let output = gzip.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "gzip does not read it");
    output.stdout
}

/// Asks until the answer comes in gzip.
async fn compress(stage: &Stage, path: &str) {
    eventually("it is compressed", PATIENCE, async || {
        let answer = stage.send(zipped(path)).await;
        answer.header("content-encoding") == Some("gzip")
    })
    .await;
}

#[tokio::test]
async fn a_client_that_takes_gzip_gets_it_and_others_get_it_as_it_came() {
    let stage = Stage::start(CACHE_ALL).await;
    for bytes in [1_024, 10_000, 1_000_000] {
        let (path, body) = (format!("/{bytes}"), text(bytes));
        let reply = Reply::ok(body.clone())
            .header("etag", "\"v1\"")
            .header("content-type", "text/plain");
        stage.origin.on(&path, reply);
        let first = stage.send(zipped(&path)).await;
        assert_eq!((x_cache(&first), &first.body[..]), ("MISS", &body[..]));
        assert_eq!(first.header("content-encoding"), None);
        compress(&stage, &path).await;

        let answer = stage.send(zipped(&path)).await;
        assert_eq!((answer.status, x_cache(&answer)), (200, "HIT"));
        assert!(unzipped(&answer) == body, "{bytes}");
        assert!(answer.body.len() * 2 < bytes, "{}", answer.body.len());
        let length = answer.body.len().to_string();
        assert_eq!(answer.header("content-length"), Some(&*length));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        assert_eq!(answer.header("etag"), Some("W/\"v1\""));
        assert_eq!(answer.header("vary"), Some("accept-encoding"));

        let plain = stage.get(&path).await;
        assert_eq!(x_cache(&plain), "HIT");
        assert!(plain.body == body, "{bytes}");
        assert_eq!(plain.header("content-encoding"), None);
        assert_eq!(plain.header("etag"), Some("\"v1\""));
        assert_eq!(plain.header("vary"), Some("accept-encoding"));
        assert_eq!(stage.origin.count(&path), 1);
    }
    assert_eq!(stage.counter("larder_compressed_total").await, 3);
    assert!(stage.counter("larder_compression_saved_bytes_total").await > 500_000);
    assert_eq!(stage.counter("larder_inspected_replies_total").await, 0);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn the_answer_that_fills_the_cache_waits_for_nothing() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on("/*", Reply::ok(text(1_000_000)));
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    // One after the other on one worker: were any of them compressed on its way, the next would find it done.
    for n in 0..20 {
        let request = zipped(&format!("/{n}")).authority("api.example.com");
        let answer = client.send(request).await.unwrap();
        assert_eq!((x_cache(&answer), answer.body.len()), ("MISS", 1_000_000));
        assert_eq!(answer.header("content-encoding"), None);
    }
    assert_eq!(stage.counter("larder_compressed_total").await, 0);
}

#[tokio::test]
async fn conditions_parts_and_heads_agree_with_the_form() {
    let stage = Stage::start(CACHE_ALL).await;
    let body = text(20_000);
    stage
        .origin
        .on("/doc", Reply::ok(body.clone()).header("etag", "\"v1\""));
    stage.get("/doc").await;
    compress(&stage, "/doc").await;
    for known in ["\"v1\"", "W/\"v1\""] {
        let answer = stage
            .send(zipped("/doc").header("if-none-match", known))
            .await;
        assert_eq!((answer.status, x_cache(&answer)), (304, "HIT"));
        assert_eq!(answer.header("etag"), Some("W/\"v1\""));
        let plain = Request::get("/doc").header("if-none-match", known);
        let answer = stage.send(plain).await;
        assert_eq!(
            (answer.status, answer.header("etag")),
            (304, Some("\"v1\""))
        );
        assert_eq!(answer.header("vary"), Some("accept-encoding"));
    }
    let part = stage
        .send(zipped("/doc").header("range", "bytes=100-199"))
        .await;
    assert_eq!((part.status, &part.body[..]), (206, &body[100..200]));
    assert_eq!(part.header("content-encoding"), None);
    let head = Request::new("HEAD", "/doc").header("accept-encoding", "gzip");
    let (head, get) = (stage.send(head).await, stage.send(zipped("/doc")).await);
    assert_eq!(head.header("content-length"), get.header("content-length"));
    assert_eq!(head.header("content-encoding"), Some("gzip"));
    assert_eq!(stage.origin.count("/doc"), 1);
}

#[tokio::test]
async fn what_does_not_shrink_is_tried_once() {
    let stage = Stage::start(CACHE_ALL).await;
    let noise = pattern(50_000);
    stage.origin.on("/doc", Reply::ok(noise.clone()));
    stage.get("/doc").await;
    eventually("it has been tried", PATIENCE, async || {
        let answer = stage.send(zipped("/doc")).await;
        assert!(answer.body == noise);
        stage.counter("larder_compression_wasted_total").await == 1
    })
    .await;
    let answer = stage.send(zipped("/doc")).await;
    assert_eq!(x_cache(&answer), "HIT");
    assert!(answer.body == noise);
    assert_eq!(stage.counter("larder_compressed_total").await, 0);
}

#[tokio::test]
async fn several_workers_may_do_the_same_and_none_is_answered_wrongly() {
    let stage = Stage::with_workers(4, CACHE_ALL).await;
    let body = text(200_000);
    stage.origin.on("/*", Reply::ok(body.clone()));
    for n in 0..3 {
        let path = format!("/{n}");
        eventually("it is compressed", PATIENCE, async || {
            let mut is_zipped = true;
            for _ in 0..8 {
                let answer = stage.send(zipped(&path)).await;
                is_zipped &= answer.header("content-encoding").is_some();
                let body_seen = match answer.header("content-encoding") {
                    Some(_) => unzipped(&answer),
                    None => answer.body.to_vec(),
                };
                assert!(body_seen == body, "{path}");
            }
            is_zipped
        })
        .await;
    }
    assert_eq!(stage.origin.total(), 3);
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_a_worker_answers_often_it_unzips_no_more() {
    let stage = Stage::start(CACHE_ALL).await;
    let body = text(100_000);
    stage.origin.on("/doc", Reply::ok(body.clone()));
    stage.get("/doc").await;
    compress(&stage, "/doc").await;
    let mut asked = 0;
    // Long enough that what the worker keeps has been asked for again, more than once.
    eventually("some seconds have passed", PATIENCE, async || {
        let answer = stage.get("/doc").await;
        assert!(answer.body == body);
        asked += 1;
        answer.header("age").unwrap().parse::<u64>().unwrap() >= 4
    })
    .await;
    let unzipped = stage.counter("larder_unzipped_replies_total").await;
    assert!(asked > 20, "{asked}");
    assert!((1..=3).contains(&unzipped), "{unzipped} of {asked}");
}
