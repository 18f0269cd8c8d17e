//! What `make run` and `make fleet` start, as their user meets it: needs Envoy and Valkey (`make tools`), the module (`make
//! wasm`) and the service (`make admin`).
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use larder_harness::client::{self, Client, Protocol, Request};
use larder_harness::wait::{self, PATIENCE};

struct Demo {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    fn start(port: &str) -> Self {
        Self::of(env!("CARGO_BIN_EXE_larder-demo"), port)
    }

    fn fleet(port: &str) -> Self {
        Self::of(env!("CARGO_BIN_EXE_larder-fleet"), port)
    }

    fn of(program: &str, port: &str) -> Self {
        let mut child = Command::new(program)
            .env("LARDER_PORT", port)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output }
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
    }

    async fn end(&mut self) -> ExitStatus {
        wait::poll(PATIENCE, async || self.child.try_wait().unwrap())
            .await
            .unwrap()
    }

    /// The `curl` lines it prints.
    fn lines(&mut self) -> Vec<String> {
        let welcome = self.output.by_ref().map(Result::unwrap);
        let welcome = welcome.take_while(|line| !line.contains("Requests:"));
        welcome.filter(|line| line.contains("curl")).collect()
    }

    /// Their URLs.
    fn suggestions(&mut self) -> Vec<String> {
        self.lines().iter().map(|line| quoted(line, 0)).collect()
    }
}

/// What stands in the so many-th single quotes of a line, counted from 0.
fn quoted(line: &str, number: usize) -> String {
    let mut quoted = line.split('\'').skip(1).step_by(2);
    quoted.nth(number).unwrap().to_owned()
}

impl Demo {
    /// The URL of the next `curl` line.
    fn suggestion(&mut self) -> String {
        let lines = self.output.by_ref().map(Result::unwrap);
        let mut suggested = lines.filter(|line| line.contains("curl"));
        quoted(&suggested.next().unwrap(), 0)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn split(url: &str) -> (SocketAddr, String) {
    let (address, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    (address.parse().unwrap(), format!("/{path}"))
}

#[tokio::test]
async fn the_printed_lines_show_what_they_say() {
    let mut demo = Demo::start("0");
    let lines = demo.lines();
    let urls: Vec<String> = lines.iter().map(|line| quoted(line, 0)).collect();
    assert_eq!(urls.len(), 9, "{urls:?}");
    let (address, never) = split(&urls[3]);
    let mut client = Client::connect(address, Protocol::Http1).await.unwrap();
    let miss = client.get(&split(&urls[0]).1).await.unwrap();
    assert_eq!((miss.status, miss.header("x-cache")), (200, Some("MISS")));
    let hit = client.get(&split(&urls[1]).1).await.unwrap();
    assert_eq!((hit.status, hit.header("x-cache")), (200, Some("HIT")));
    assert!(hit.header("x-cache-age").is_some() && hit.body == miss.body);
    let conditional = Request::get(&split(&urls[2]).1);
    let conditional = conditional.header("if-none-match", hit.header("etag").unwrap());
    assert_eq!(client.send(conditional).await.unwrap().status, 304);
    for _ in 0..2 {
        let bypass = client.get(&never).await.unwrap();
        assert_eq!(
            (bypass.status, bypass.header("x-cache")),
            (200, Some("BYPASS"))
        );
    }
    let opened = |request: Request| request.header("authorization", "Bearer demo");
    let purge = opened(Request::new("PURGE", &split(&urls[4]).1));
    assert_eq!(client.send(purge).await.unwrap().status, 200);
    let purged = client.get(&split(&urls[0]).1).await.unwrap();
    assert_eq!(purged.header("x-cache"), Some("MISS"));
    let own = split(&urls[5]).1;
    let unruled = client.get(&own).await.unwrap();
    let because = unruled.header("cache-status").unwrap();
    assert!(because.contains("no-freshness"), "{because}");
    let rule = quoted(&lines[6], 1);
    let change = Request::new("PUT", &split(&urls[6]).1).body(rule);
    assert_eq!(client.send(opened(change)).await.unwrap().status, 200);
    let purge = || opened(Request::new("POST", &split(&urls[7]).1));
    for _ in 0..2 {
        let words = [client.get(&own).await, client.get(&own).await];
        let words = words.map(|answer| answer.unwrap().header("x-cache").unwrap().to_owned());
        assert_eq!(words, ["MISS", "HIT"]);
        assert_eq!(client.send(purge()).await.unwrap().status, 200);
    }
    let stats = opened(Request::get(&split(&urls[8]).1));
    let stats = client.send(stats).await.unwrap();
    assert!(stats.text().contains(r#""hit_rate":""#), "{}", stats.text());
    demo.interrupt();
    assert!(demo.end().await.success());
    let rest: Vec<String> = demo.output.by_ref().map(Result::unwrap).collect();
    let requests = rest.iter().filter(|line| line.contains("  GET "));
    assert_eq!(requests.count(), 12, "a line for each request: {rest:?}");
    TcpListener::bind(address).unwrap();
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut demo = Demo::start(&taken.local_addr().unwrap().port().to_string());
    assert!(!demo.end().await.success());
    let error = std::io::read_to_string(demo.child.stderr.take().unwrap()).unwrap();
    assert!(
        error.contains("taken") && error.contains("LARDER_PORT="),
        "{error}"
    );
}

#[tokio::test]
async fn mistakes_in_the_rules_are_named_with_their_file_and_nothing_else() {
    let file = std::env::temp_dir().join(format!("larder-run-{}.json", std::process::id()));
    let rules =
        r#"{"rules": [{"name": "a", "match": {}, "ttl_secnds": 1}, {"name": "a", "match": {}}]}"#;
    std::fs::write(&file, rules).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_larder-demo"))
        .env("LARDER_PORT", "0")
        .env("LARDER_CONFIG", &file)
        .output()
        .unwrap();
    std::fs::remove_file(&file).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{error}");
    let of_file = |line: &&str| line.contains(&*file.to_string_lossy());
    assert_eq!(error.lines().filter(of_file).count(), 2, "{error}");
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(error.contains("did you mean `ttl_seconds`?"), "{error}");
}

/// What one has fetched the other has when it is asked for the first time. On a machine with other things to do that may take a
/// few pages: an Envoy waits for the service no longer than `envoy/fleet.json` says, and then asks for itself.
async fn shares(one: &str, other: &str) {
    let mut numbers = 1..;
    wait::eventually("the other one has it", PATIENCE, async || {
        let number: u32 = numbers.next().unwrap();
        let mut answers = Vec::new();
        for url in [one, other] {
            let (address, path) = split(url);
            let page = Request::get(&format!("{path}&of={other}&number={number}"));
            answers.push(client::send(address, page).await.unwrap());
        }
        let words = [0, 1].map(|place: usize| answers[place].header("x-cache"));
        let is_shared = words == [Some("MISS"), Some("HIT")];
        assert!(!is_shared || answers[0].body == answers[1].body);
        is_shared
    })
    .await;
}

#[tokio::test]
async fn the_printed_lines_show_a_fleet() {
    let mut demo = Demo::fleet("0");
    let urls = demo.suggestions();
    assert_eq!(urls.len(), 8, "{urls:?}");
    let first = split(&urls[0]).0;
    let ask = async |url: &str, request: Request| {
        let answer = client::send(split(url).0, request).await.unwrap();
        assert_eq!(answer.status, 200, "{url}: {answer:?}");
        answer
    };
    let get = |url: &str| Request::get(&split(url).1);
    let opened = |request: Request| request.header("authorization", "Bearer demo");
    let miss = ask(&urls[0], get(&urls[0])).await;
    assert_eq!(miss.header("x-cache"), Some("MISS"));
    wait::eventually("the other one has it", PATIENCE, async || {
        ask(&urls[1], get(&urls[1])).await.header("x-cache") == Some("HIT")
    })
    .await;
    shares(&urls[0], &urls[1]).await;
    let purge = Request::new("PURGE", &split(&urls[2]).1);
    let purged = ask(&urls[2], opened(purge)).await;
    assert!(purged.text().contains("\"durable\":true"), "{purged:?}");
    wait::eventually("it is purged there", PATIENCE, async || {
        ask(&urls[3], get(&urls[3])).await.header("x-cache") == Some("MISS")
    })
    .await;
    let before = ask(&urls[4], get(&urls[4])).await;
    let update = Request::new("POST", &split(&urls[5]).1);
    let written = ask(&urls[5], update).await;
    let token = written.header("larder-token").unwrap();
    let read = ask(&urls[6], get(&urls[6]).header("larder-token", token)).await;
    assert_ne!(read.body, before.body);
    let stats = ask(&urls[7], opened(get(&urls[7]))).await;
    assert!(stats.text().contains("hit_rate"), "{stats:?}");

    // One more, by Enter.
    let input = demo.child.stdin.as_mut().unwrap();
    input.write_all(b"\n").unwrap();
    let late = demo.suggestion();
    wait::eventually("the fleet has heard of it", PATIENCE, async || {
        let stats = ask(&urls[7], opened(get(&urls[7]))).await;
        stats.text().contains("\"envoy-4\"")
    })
    .await;
    ask(&late, get(&late)).await;
    shares(&urls[0], &late).await;

    demo.interrupt();
    assert!(demo.end().await.success());
    TcpListener::bind(first).unwrap();
}

#[tokio::test]
async fn a_taken_port_of_a_fleet_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut demo = Demo::fleet(&taken.local_addr().unwrap().port().to_string());
    assert!(!demo.end().await.success());
    let error = std::io::read_to_string(demo.child.stderr.take().unwrap()).unwrap();
    assert!(
        error.contains("taken") && error.contains("LARDER_PORT="),
        "{error}"
    );
}
