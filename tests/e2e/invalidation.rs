//! Writes, and what they leave of what was stored before them.

use larder_harness::client::{Client, Protocol, Request, raw};
use larder_harness::origin::{Gate, Reply};
use larder_harness::wait;

use crate::stage::{BY_ORIGIN, MAIN, Stage, assert_seen, x_cache};

fn fresh(body: &str) -> Reply {
    Reply::ok(body.to_owned()).header("cache-control", "max-age=60")
}

/// A client on each of the two workers.
async fn clients(stage: &Stage, protocol: Protocol) -> [Client; 2] {
    let client = |worker| stage.envoy.connect_to_worker(MAIN, worker, protocol);
    [client(0).await.unwrap(), client(1).await.unwrap()]
}

fn ask(method: &str, path: &str) -> Request {
    Request::new(method, path).authority("api.example.com")
}

#[tokio::test]
async fn a_write_at_one_worker_is_known_to_all_before_it_is_answered() {
    let stage = Stage::with_workers(2, BY_ORIGIN).await;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let [mut writer, mut reader] = clients(&stage, protocol).await;
        for round in 0..50 {
            stage.origin.on("/doc", fresh(&format!("{round} old")));
            writer.send(ask("GET", "/doc")).await.unwrap();
            assert_eq!(
                x_cache(&reader.send(ask("GET", "/doc")).await.unwrap()),
                "HIT"
            );
            stage.origin.on("/doc", fresh(&format!("{round} new")));
            let write = writer.send(ask("PUT", "/doc").body("new")).await.unwrap();
            assert_seen(&write, "BYPASS", "larder; fwd=method");
            let read = reader.send(ask("GET", "/doc")).await.unwrap();
            assert_eq!(read.text(), format!("{round} new"));
            assert_seen(
                &read,
                "MISS",
                "larder; fwd=stale; stored; detail=invalidated",
            );
            // Over again for the next round.
            writer.send(ask("PUT", "/doc").body("old")).await.unwrap();
        }
    }
    let written = stage.sum("larder_invalidations_total", ".source.write");
    assert_eq!(written.await, 200);
    stage.assert_unharmed().await;
}

/// The word that something has changed is a statistic, and an operator may do without those.
#[tokio::test]
async fn a_write_is_known_to_all_where_the_proxy_keeps_no_statistics() {
    let stage = Stage::without_statistics(2, BY_ORIGIN).await;
    let [mut writer, mut reader] = clients(&stage, Protocol::Http1).await;
    for round in 0..20 {
        stage.origin.on("/doc", fresh(&format!("{round} old")));
        for client in [&mut writer, &mut reader] {
            let read = client.send(ask("GET", "/doc")).await.unwrap();
            assert_eq!(read.text(), format!("{round} old"));
        }
        stage.origin.on("/doc", fresh(&format!("{round} new")));
        writer.send(ask("PUT", "/doc").body("new")).await.unwrap();
        let read = reader.send(ask("GET", "/doc")).await.unwrap();
        assert_eq!(read.text(), format!("{round} new"));
        writer.send(ask("PUT", "/doc").body("old")).await.unwrap();
    }
}

#[tokio::test]
async fn a_write_that_fails_leaves_what_is_stored() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on("/doc", fresh("old"));
    stage.get("/doc").await;
    stage.origin.on("/doc", Reply::new(409, "conflict"));
    let write = stage.send(Request::new("DELETE", "/doc")).await;
    assert_eq!(write.status, 409);
    assert_eq!(x_cache(&stage.get("/doc").await), "HIT");
}

#[tokio::test]
async fn a_fetch_that_a_write_overtakes_is_not_served_again() {
    let stage = Stage::with_workers(2, BY_ORIGIN).await;
    let gate = Gate::closed();
    stage.origin.on("/doc", fresh("old").behind(&gate));
    let [mut slow, mut writer] = clients(&stage, Protocol::Http1).await;
    let fetch = tokio::spawn(async move { slow.send(ask("GET", "/doc")).await.unwrap() });
    wait::poll(wait::PATIENCE, async || {
        (stage.origin.count("/doc") == 1).then_some(())
    })
    .await
    .unwrap();
    stage.origin.on("/doc", fresh("new"));
    writer.send(ask("POST", "/doc").body("new")).await.unwrap();
    gate.open();
    assert_eq!(
        fetch.await.unwrap().text(),
        "old",
        "it asked before the write"
    );
    let read = writer.send(ask("GET", "/doc")).await.unwrap();
    assert_eq!(read.text(), "new");
}

/// The origin has done it, whoever waits for the answer.
#[tokio::test]
async fn a_write_whose_client_goes_away_counts() {
    let stage = Stage::start(BY_ORIGIN).await;
    stage.origin.on("/doc", fresh("old"));
    stage.get("/doc").await;
    let gate = Gate::closed();
    stage.origin.on("/doc", fresh("new").behind(&gate));
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    let write = tokio::spawn(async move { client.send(ask("POST", "/doc").body("new")).await });
    wait::poll(wait::PATIENCE, async || {
        (stage.origin.count("/doc") == 2).then_some(())
    })
    .await
    .unwrap();
    write.abort();
    stage.origin.on("/doc", fresh("new"));
    wait::eventually("the write to be known", wait::PATIENCE, async || {
        stage.get("/doc").await.text() == "new"
    })
    .await;
    gate.open();
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_write_to_an_odd_target_is_one_all_the_same() {
    const RULES: &str = r#"{"rules": [
        {"name": "report", "match": {"path": "/report"}, "ttl_seconds": 60, "tags": ["reports"]},
        {"name": "write", "match": {"path": "/tag/.*"}, "invalidates": {"tags": ["reports"], "patterns": ["{header.x-a}"]}}]}"#;
    let stage = Stage::start(RULES).await;
    stage.origin.on("/*", Reply::ok("done"));
    for target in ["/tag/100%", "/tag/a%5Cb", "/tag/b"] {
        stage.get("/report").await;
        assert_eq!(x_cache(&stage.get("/report").await), "HIT", "{target}");
        let write = format!(
            "POST {target} HTTP/1.1\r\nhost: api.example.com\r\nx-a: regex:(\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        let answer = raw(stage.address(), write.as_bytes(), wait::PATIENCE)
            .await
            .unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{target}");
        assert_eq!(x_cache(&stage.get("/report").await), "MISS", "{target}");
    }
}

#[tokio::test]
async fn location_and_groups_are_met_and_other_origins_are_not() {
    let stage = Stage::start(BY_ORIGIN).await;
    let paths = ["/made/7", "/list", "/other"];
    for path in paths {
        stage
            .origin
            .on(path, fresh("old").header("cache-groups", "\"lists\""));
    }
    stage.origin.on("/other", fresh("old"));
    for path in paths {
        stage.get(path).await;
    }
    let made = Reply::new(201, "")
        .header("location", "/made/7")
        .header("cache-group-invalidation", "\"lists\"");
    stage.origin.on("/made/", made);
    let elsewhere = Request::new("POST", "/made/").authority("other.example.com");
    let mut client = Client::connect(stage.address(), Protocol::Http1)
        .await
        .unwrap();
    client.send(elsewhere).await.unwrap();
    for path in paths {
        assert_eq!(x_cache(&stage.get(path).await), "HIT", "{path}");
    }
    stage.send(Request::new("POST", "/made/").body("{}")).await;
    for (path, word) in [("/made/7", "MISS"), ("/list", "MISS"), ("/other", "HIT")] {
        assert_eq!(x_cache(&stage.get(path).await), word, "{path}");
    }
}
