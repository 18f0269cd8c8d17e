//! URLs are asked for before clients ask.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use flate2::write::GzEncoder;
use larder_harness::Scratch;
use larder_harness::admin::TOKEN;
use larder_harness::client::Request;
use larder_harness::origin::{Gate, Reply};
use larder_harness::wait::{PATIENCE, eventually};
use tokio::io::AsyncWriteExt;

use crate::stage::{HOST, Stage, command, x_cache};
use crate::terminal::Terminal;

const RULES: &str = r#"[
    {"name": "never", "match": {"path": "/never/.*"}, "cache": false},
    {"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 300}]"#;

async fn stage() -> Stage {
    let stage = Stage::start(RULES).await;
    stage.origin.on("/page/*", Reply::ok("page"));
    stage
}

fn written(scratch: &Scratch, text: &str) -> String {
    let path = scratch.path().join("list");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_names_is_there_for_the_next_client() {
    let stage = stage().await;
    let scratch = Scratch::new("ctl").unwrap();
    let pages = (0..20).map(|page| format!("/page/{page}\n"));
    let list = written(
        &scratch,
        &format!("# pages\n\n{}", pages.collect::<String>()),
    );
    let first = stage.ctl(&["warm", &list]).await.with(0);
    assert!(first.out.contains("20 of 20 URLs in "), "{}", first.out);
    assert!(first.out.contains("20 stored, 0 failed"), "{}", first.out);
    let told = first
        .out
        .lines()
        .filter(|line| line.starts_with("MISS        200"));
    assert_eq!(told.count(), 20, "{}", first.out);
    assert_eq!(stage.origin.total(), 20);
    for page in 0..20 {
        let answer = stage.get(&format!("/page/{page}")).await;
        assert_eq!(x_cache(&answer), "HIT", "{answer:?}");
    }
    let again = stage
        .ctl(&["warm", &list, "-o", "json"])
        .await
        .with(0)
        .json();
    assert_eq!(again["outcomes"]["HIT"], 20, "{again}");
    assert_eq!(stage.origin.total(), 20, "nobody else was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_or_is_of_others_is_named_and_the_rest_is_done() {
    let stage = stage().await;
    stage.origin.on("/broken", Reply::new(500, ""));
    stage.origin.on("/never/a", Reply::ok("never"));
    stage.origin.on(
        "/mine",
        Reply::ok("mine").header("cache-control", "private"),
    );
    let scratch = Scratch::new("ctl").unwrap();
    let list = written(
        &scratch,
        "/broken\n/page/1\n/never/a\n/mine\nhttps://other.example/a\n",
    );
    let told = stage
        .ctl(&["warm", &list, "-o", "json"])
        .await
        .with(1)
        .json();
    assert_eq!(told["done"], 4, "{told}");
    assert_eq!(told["stored"], 1, "{told}");
    assert_eq!(told["failures"][0]["because"], "status 500", "{told}");
    assert_eq!(told["not_stored"]["private"], 1, "{told}");
    assert_eq!(told["not_stored"]["rule-bypass"], 1, "{told}");
    assert_eq!(
        told["refused"][0]["url"], "https://other.example/a",
        "{told}"
    );
    assert_eq!(stage.origin.count("/a"), 0);
    let shown = stage.ctl(&["warm", &list]).await.with(1);
    assert!(shown.out.contains("--host other.example"), "{}", shown.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sitemap_of_sitemaps_is_read_to_its_end() {
    let stage = stage().await;
    let site = format!("https://{HOST}");
    let index = format!(
        "<sitemapindex><sitemap><loc>{site}/maps/1.xml.gz</loc></sitemap>\
         <sitemap><loc>{site}/maps/index.xml</loc></sitemap>\
         <sitemap><loc>https://other.example/2.xml</loc></sitemap></sitemapindex>"
    );
    let pages: String = (0..10)
        .map(|page| format!("<url><loc>{site}/page/{page}?a=1&amp;b=2</loc></url>"))
        .collect();
    let mut packed = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed
        .write_all(format!("<urlset>{pages}</urlset>").as_bytes())
        .unwrap();
    stage.origin.on("/maps/index.xml", Reply::ok(index));
    stage
        .origin
        .on("/maps/1.xml.gz", Reply::ok(packed.finish().unwrap()));
    let sitemap = format!("{site}/maps/index.xml");
    let told = stage
        .ctl(&["warm", &sitemap, "-o", "json"])
        .await
        .with(1)
        .json();
    assert_eq!(told["stored"], 10, "{told}");
    let refused = told["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 1, "itself is not read again: {told}");
    // Clients come by TLS, which has ended in front of this listener.
    let ask = Request::get("/page/7?a=1&b=2").header("x-forwarded-proto", "https");
    assert_eq!(x_cache(&stage.send(ask).await), "HIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_are_asked_for_at_a_time_than_was_said() {
    let stage = stage().await;
    let gate = Gate::closed();
    stage.origin.on("/page/*", Reply::ok("page").behind(&gate));
    let at = format!("http://{}", stage.address());
    let mut warm = command(&[
        "warm",
        "-",
        "--at",
        &at,
        "--host",
        HOST,
        "--concurrency",
        "3",
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let pages: String = (0..9).map(|page| format!("/page/{page}\n")).collect();
    let mut stdin = warm.stdin.take().unwrap();
    stdin.write_all(pages.as_bytes()).await.unwrap();
    drop(stdin);
    eventually("three are asked for", PATIENCE, async || {
        stage.origin.total() == 3
    })
    .await;
    // As long as none of them is answered there are no more, however often the proxy is asked meanwhile.
    for _ in 0..50 {
        let stats = Request::get("/api/cache/stats");
        let stats = stats.header("authorization", format!("Bearer {TOKEN}"));
        assert_eq!(stage.send(stats).await.status, 200);
        assert_eq!(stage.origin.total(), 3);
    }
    gate.open();
    let output = warm.wait_with_output().await.unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.contains("9 stored, 0 failed"), "{out}");
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_shows_how_far_it_is() {
    let stage = stage().await;
    let gate = Gate::closed();
    stage
        .origin
        .on("/page/last", Reply::ok("page").behind(&gate));
    stage.origin.on("/broken", Reply::new(500, ""));
    let scratch = Scratch::new("ctl").unwrap();
    let list = written(&scratch, "/page/1\n/page/2\n/broken\n/page/last\n");
    let at = format!("http://{}", stage.address());
    let mut warm = command(&[
        "warm",
        &list,
        "--at",
        &at,
        "--host",
        HOST,
        "--concurrency",
        "1",
    ]);
    let mut terminal = Terminal::run(warm.as_std_mut(), 100, 12);
    let shown = terminal
        .until("three of four", |shown| shown.contains("] 3/4  75%"))
        .await;
    assert!(shown.contains("[##################------]"), "{shown}");
    assert!(
        shown.contains("500") && shown.contains("/broken"),
        "{shown}"
    );
    gate.open();
    assert_eq!(terminal.ended().await.code(), Some(1));
    let shown = terminal
        .until("the sum", |shown| shown.contains("4 of 4 URLs in"))
        .await;
    assert!(
        shown.contains("[########################] 4/4 100%"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_filter_fetches_by_itself_when_it_is_told_to() {
    let stage = stage().await;
    let scratch = Scratch::new("ctl").unwrap();
    let pages = (0..20).map(|page| format!("http://{HOST}/page/{page}\n"));
    let list = written(&scratch, &pages.collect::<String>());
    let told = stage.ctl(&["warm", &list, "--by-larder"]).await.with(0);
    assert!(
        told.out.contains("20 of 20 through cluster origin, done"),
        "{}",
        told.out
    );
    assert!(told.out.contains("20 stored, 0 failed"), "{}", told.out);
    for page in 0..20 {
        let answer = stage.get(&format!("/page/{page}")).await;
        assert_eq!(x_cache(&answer), "HIT", "{answer:?}");
    }
    assert_eq!(stage.origin.total(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_nothing_to_ask_for_it_says_so() {
    let stage = stage().await;
    let scratch = Scratch::new("ctl").unwrap();
    let empty = written(&scratch, "# nothing\n");
    let ended = stage.ctl(&["warm", &empty]).await.with(1);
    assert!(ended.err.contains("there is no URL in"), "{}", ended.err);
    let broken = written(&scratch, "<urlset><url>");
    let ended = stage.ctl(&["warm", &broken]).await.with(2);
    assert!(ended.err.contains("ends in the middle"), "{}", ended.err);
    let none = stage.ctl(&["warm", "no-such-file"]).await.with(2);
    assert!(
        none.err.contains("no-such-file: cannot be read"),
        "{}",
        none.err
    );
    let missing = format!("https://{HOST}/maps/none.xml");
    let missing = stage.ctl(&["warm", &missing]).await.with(3);
    assert!(
        missing.err.contains("is answered with 404"),
        "{}",
        missing.err
    );
}
