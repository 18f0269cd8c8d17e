//! What `make run` starts, as its user meets it: needs Envoy (`make tools`) and the module (`make wasm`).
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Lines};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use larder_harness::client::{Client, Protocol, Request};
use larder_harness::wait::{self, PATIENCE};

struct Demo {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Demo {
    fn start(port: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_larder-demo"))
            .env("LARDER_PORT", port)
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

    /// The URLs of the `curl` lines it prints.
    fn suggestions(&mut self) -> Vec<String> {
        let welcome = self.output.by_ref().map(Result::unwrap);
        let welcome = welcome.take_while(|line| !line.contains("Requests:"));
        let quoted = |line: String| line.split('\'').nth(1).map(str::to_owned);
        welcome
            .filter(|line| line.contains("curl"))
            .filter_map(quoted)
            .collect()
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
    let urls = demo.suggestions();
    assert_eq!(urls.len(), 6, "{urls:?}");
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
    let stats = opened(Request::get(&split(&urls[5]).1));
    let stats = client.send(stats).await.unwrap();
    assert!(stats.text().contains(r#""hit_rate":""#), "{}", stats.text());
    demo.interrupt();
    assert!(demo.end().await.success());
    let rest: Vec<String> = demo.output.by_ref().map(Result::unwrap).collect();
    let requests = rest.iter().filter(|line| line.contains("  GET "));
    assert_eq!(requests.count(), 7, "a line for each request: {rest:?}");
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
