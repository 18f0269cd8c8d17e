//! The same stories over HTTP/1.1 and HTTP/2, on the client's side and on the origin's: what a cache may do does not depend on
//! how messages are framed.
//!
//! Each combination has one Envoy, on which every story has a path of its own.

use larder_harness::client::{Answer, Client, ClientError, Protocol, Request};
use larder_harness::envoy::{Cluster, Envoy};
use larder_harness::origin::{Gate, Origin, Received, Reply, Step};
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{BY_ORIGIN, MAIN, Stage, assert_seen, cache_status, larder, pattern, x_cache};

#[tokio::test]
async fn http_1_before_http_1() {
    Wire::start(Protocol::Http1, Protocol::Http1)
        .await
        .play()
        .await;
}

#[tokio::test]
async fn http_1_before_http_2() {
    Wire::start(Protocol::Http1, Protocol::Http2)
        .await
        .play()
        .await;
}

#[tokio::test]
async fn http_2_before_http_1() {
    Wire::start(Protocol::Http2, Protocol::Http1)
        .await
        .play()
        .await;
}

#[tokio::test]
async fn http_2_before_http_2() {
    Wire::start(Protocol::Http2, Protocol::Http2)
        .await
        .play()
        .await;
}

/// A stage, and what is spoken on both sides of it.
struct Wire {
    stage: Stage,
    downstream: Protocol,
    upstream: Protocol,
}

impl Wire {
    async fn start(downstream: Protocol, upstream: Protocol) -> Self {
        let origin = Origin::start().await.unwrap();
        let cluster = Cluster::new("origin", origin.address());
        let cluster = match upstream {
            Protocol::Http1 => cluster,
            Protocol::Http2 => cluster.http2(),
        };
        let envoy = Envoy::builder()
            .cluster(cluster)
            .listener(larder(BY_ORIGIN))
            .start()
            .await
            .unwrap();
        Self {
            stage: Stage { origin, envoy },
            downstream,
            upstream,
        }
    }

    async fn play(self) {
        self.a_miss_and_a_hit().await;
        self.a_client_that_has_it().await;
        self.an_origin_that_confirms().await;
        self.a_condition_about_nothing_stored().await;
        self.variants().await;
        self.cookies_in_crumbs().await;
        self.two_names_of_the_host().await;
        self.parts().await;
        self.head().await;
        self.trailers().await;
        self.an_origin_that_breaks_off().await;
        self.a_length_that_is_not_kept().await;
        self.a_client_that_leaves().await;
        self.a_mebibyte().await;
        self.writes().await;
        self.a_targeted_field().await;
        let spoken = match self.upstream {
            Protocol::Http1 => "cluster.origin.upstream_cx_http1_total",
            Protocol::Http2 => "cluster.origin.upstream_cx_http2_total",
        };
        assert!(self.stage.envoy.stat(spoken).await.unwrap() > 0, "{spoken}");
        self.stage.assert_unharmed().await;
    }

    fn on(&self, path: &str, reply: Reply) {
        self.stage.origin.on(path, reply);
    }

    async fn client(&self) -> Client {
        let address = self.stage.envoy.address(MAIN);
        Client::connect(address, self.downstream).await.unwrap()
    }

    async fn try_send(&self, request: Request) -> Result<Answer, ClientError> {
        let request = request.authority("api.example.com");
        self.client().await.send(request).await
    }

    async fn send(&self, request: Request) -> Answer {
        self.try_send(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path)).await
    }

    async fn a_miss_and_a_hit(&self) {
        let mut reply = Reply::ok("text")
            .header("cache-control", "max-age=60")
            .header("link", "</a>")
            .header("x-single", "1")
            .header("link", "</b>")
            .without_date();
        if self.upstream == Protocol::Http1 {
            // HTTP/2 has no such fields (RFC 9113 section 8.2.2).
            reply = reply.header("connection", "x-hop").header("x-hop", "1");
        }
        self.on("/plain", reply);
        let miss = self.get("/plain").await;
        assert_seen(&miss, "MISS", "larder; fwd=uri-miss; stored");
        let hit = self.get("/plain").await;
        assert_eq!(x_cache(&hit), "HIT");
        for answer in [&miss, &hit] {
            assert_eq!((answer.status, answer.text().as_str()), (200, "text"));
            let links: Vec<_> = answer.headers.all("link").collect();
            assert_eq!(links, [b"</a>", b"</b>"]);
            assert!(answer.header("date").is_some(), "{answer:?}");
        }
        assert!(hit.header("age").is_some());
        assert_eq!(
            (hit.header("x-hop"), hit.header("connection")),
            (None, None)
        );
        assert_eq!(hit.header("transfer-encoding"), None);
        assert_eq!(hit.header("content-length"), Some("4"));
        assert_eq!(self.stage.origin.count("/plain"), 1);
    }

    async fn a_client_that_has_it(&self) {
        let reply = Reply::ok("text")
            .header("cache-control", "max-age=60")
            .header("etag", "\"v1\"");
        self.on("/tagged", reply);
        self.get("/tagged").await;
        let has_it = Request::get("/tagged").header("if-none-match", "W/\"v1\"");
        let answer = self.send(has_it).await;
        assert_eq!((answer.status, x_cache(&answer)), (304, "HIT"));
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), Some("\"v1\""));
    }

    async fn an_origin_that_confirms(&self) {
        self.stage.origin.on_call("/confirmed", confirm);
        self.get("/confirmed").await;
        let confirmed = self.get("/confirmed").await;
        let status = "larder; fwd=stale; fwd-status=304; stored; detail=no-cache";
        assert_seen(&confirmed, "REVALIDATED", status);
        assert_eq!((confirmed.status, confirmed.text().as_str()), (200, "text"));
        let has_it = Request::get("/confirmed").header("if-none-match", "\"v1\"");
        let answer = self.send(has_it).await;
        assert_eq!((answer.status, x_cache(&answer)), (304, "REVALIDATED"));
        assert!(answer.body.is_empty());
        assert_eq!(self.stage.origin.count("/confirmed"), 3);
    }

    async fn a_condition_about_nothing_stored(&self) {
        self.stage.origin.on_call("/cold", confirm);
        let has_it = || Request::get("/cold").header("if-none-match", "\"v1\"");
        for _ in 0..2 {
            let answer = self.send(has_it()).await;
            assert_eq!((answer.status, answer.body.len()), (304, 0));
            assert_seen(&answer, "MISS", "larder; fwd=uri-miss; detail=status");
        }
        let whole = self.get("/cold").await;
        assert_eq!((whole.status, whole.text().as_str()), (200, "text"));
        let asked = self.stage.origin.requests().into_iter();
        let asked: Vec<_> = asked.filter(|seen| seen.path == "/cold").collect();
        assert_eq!(asked[1].header("if-none-match"), Some("\"v1\""));
    }

    async fn variants(&self) {
        self.stage.origin.on_call("/varies", |request: &Received| {
            let wish = request.header("x-wish").unwrap_or("none").to_owned();
            Reply::ok(wish)
                .header("cache-control", "max-age=60")
                .header("vary", "x-wish")
        });
        let ask = |wish: Option<&str>| {
            let request = Request::get("/varies");
            match wish {
                Some(wish) => request.header("x-wish", wish),
                None => request,
            }
        };
        for word in ["MISS", "HIT"] {
            for (wish, expected) in [(Some("a"), "a"), (Some("b"), "b"), (None, "none")] {
                let answer = self.send(ask(wish)).await;
                assert_eq!((x_cache(&answer), answer.text().as_str()), (word, expected));
            }
        }
    }

    /// "the Cookie header field MAY be split into separate header fields, each with one or more cookie-pairs" RFC 9113
    /// section 8.2.3. However it is split, it is one field.
    async fn cookies_in_crumbs(&self) {
        let reply = Reply::ok("for a=1 and b=2")
            .header("cache-control", "max-age=60")
            .header("vary", "cookie");
        self.on("/cookies", reply);
        let whole = Request::get("/cookies").header("cookie", "a=1; b=2");
        let crumbs = match self.downstream {
            Protocol::Http1 => whole.clone(),
            Protocol::Http2 => Request::get("/cookies")
                .header("cookie", "a=1")
                .header("cookie", "b=2"),
        };
        assert_eq!(x_cache(&self.send(crumbs).await), "MISS");
        assert_eq!(x_cache(&self.send(whole).await), "HIT");
        let first_alone = Request::get("/cookies").header("cookie", "a=1");
        assert_eq!(x_cache(&self.send(first_alone).await), "MISS");
    }

    /// HTTP/2 can name the host twice: what is stored is what the origin was asked for.
    async fn two_names_of_the_host(&self) {
        if self.downstream == Protocol::Http1 {
            return; // refused by the proxy
        }
        self.stage.origin.on_call("/host", |request: &Received| {
            let host = request.headers.all("host").next().unwrap_or_default();
            Reply::ok(host.to_vec()).header("cache-control", "max-age=60")
        });
        // An origin behind HTTP/2 is told in `:authority`, which is not among the fields it hands on.
        let honest = match self.upstream {
            Protocol::Http1 => "api.example.com",
            Protocol::Http2 => "",
        };
        let two = Request::get("/host").header("host", "evil.example.com");
        let told = self.try_send(two).await;
        let answer = self.get("/host").await;
        assert_eq!(answer.text(), honest, "after {told:?}");
    }

    async fn parts(&self) {
        let body = pattern(5_000);
        let reply = Reply::ok(body.clone()).header("cache-control", "max-age=60");
        self.on("/parts", reply);
        self.get("/parts").await;
        let ask = |range: &str| Request::get("/parts").header("range", range);
        let part = self.send(ask("bytes=10-19")).await;
        assert_eq!((part.status, x_cache(&part)), (206, "HIT"));
        assert_eq!(part.header("content-range"), Some("bytes 10-19/5000"));
        assert!(part.body == body[10..20]);
        let several = self.send(ask("bytes=0-9,-10")).await;
        assert_eq!(several.status, 206);
        let media_type = several.header("content-type").unwrap();
        assert!(media_type.starts_with("multipart/byteranges; boundary="));
        let beyond = self.send(ask("bytes=5000-")).await;
        assert_eq!((beyond.status, beyond.body.len()), (416, 0));
        assert_eq!(beyond.header("content-range"), Some("bytes */5000"));
        assert_eq!(self.stage.origin.count("/parts"), 1);
    }

    async fn head(&self) {
        self.on(
            "/head",
            Reply::ok("text").header("cache-control", "max-age=60"),
        );
        self.get("/head").await;
        let answer = self.send(Request::new("HEAD", "/head")).await;
        assert_eq!((answer.status, x_cache(&answer)), (200, "HIT"));
        assert_eq!(answer.header("content-length"), Some("4"));
        assert!(answer.body.is_empty());
        assert_eq!(self.stage.origin.count("/head"), 1);
    }

    async fn trailers(&self) {
        let trailers = Step::Trailers(vec![("x-sum".to_owned(), "9".to_owned())]);
        let reply = Reply::steps([Step::Chunk("te".into()), Step::Chunk("xt".into()), trailers])
            .header("cache-control", "max-age=60");
        self.on("/trailers", reply);
        let ask = || Request::get("/trailers").header("te", "trailers");
        assert_eq!(self.send(ask()).await.text(), "text");
        let hit = self.send(ask()).await;
        assert_eq!((x_cache(&hit), hit.text().as_str()), ("HIT", "text"));
        // "Caches MUST NOT combine trailer fields with header fields." RFC 9111 section 3.1.
        assert_eq!(
            (hit.header("x-sum"), hit.trailers.one("x-sum")),
            (None, None)
        );
        assert_eq!(hit.header("trailer"), None);
    }

    async fn an_origin_that_breaks_off(&self) {
        let breaking = Reply::steps([Step::Chunk("half".into()), Step::Die]);
        self.on("/dies", breaking.header("cache-control", "max-age=60"));
        let answer = self.try_send(Request::get("/dies")).await;
        let release = self.stage.envoy.release().await.unwrap();
        let is_told = release.tells_what_broke_off(self.downstream);
        assert_eq!(answer.is_err(), is_told);
        self.on(
            "/dies",
            Reply::ok("whole").header("cache-control", "max-age=60"),
        );
        let next = self.get("/dies").await;
        assert_eq!((x_cache(&next), next.text().as_str()), ("MISS", "whole"));
    }

    /// "the sum of the DATA frame payload lengths" has to be the Content-Length (RFC 9113 section 8.1.1); in HTTP/1.1 the
    /// connection ends too early.
    async fn a_length_that_is_not_kept(&self) {
        let short = Reply::steps([Step::Chunk("half".into())]).header("content-length", "8");
        self.on("/short", short.header("cache-control", "max-age=60"));
        for _ in 0..2 {
            if let Ok(answer) = self.try_send(Request::get("/short")).await {
                let release = self.stage.envoy.release().await.unwrap();
                let may_be_short = !release.tells_what_broke_off(self.downstream);
                assert!(may_be_short || answer.status >= 500, "{answer:?}");
                assert_ne!(x_cache(&answer), "HIT");
            }
        }
        assert_eq!(self.stage.origin.count("/short"), 2);
    }

    async fn a_client_that_leaves(&self) {
        let gate = Gate::closed();
        let steps = [
            Step::Chunk("first".into()),
            Step::Wait(gate.clone()),
            Step::Chunk("last".into()),
        ];
        let reply = Reply::steps(steps).header("cache-control", "max-age=60");
        self.on("/left", reply);
        let incomplete = "larder_not_stored_total.reason.incomplete";
        let before = self.stage.counter(incomplete).await;
        let request = Request::get("/left").authority("api.example.com");
        self.client().await.abort_after(request, 5).await.unwrap();
        eventually("the capture is given up", PATIENCE, async || {
            self.stage.counter(incomplete).await == before + 1
        })
        .await;
        gate.open();
        assert_eq!(x_cache(&self.get("/left").await), "MISS");
        assert_eq!(self.get("/left").await.text(), "firstlast");
        assert_eq!(self.stage.origin.count("/left"), 2);
    }

    async fn a_mebibyte(&self) {
        let body = pattern(1024 * 1024);
        let reply = Reply::chunked(&body, 50).header("cache-control", "max-age=60");
        self.on("/large", reply);
        for word in ["MISS", "HIT"] {
            let answer = self.get("/large").await;
            assert_eq!(x_cache(&answer), word);
            assert!(answer.body == body, "{word}");
        }
    }

    async fn writes(&self) {
        self.on(
            "/doc",
            Reply::ok("text").header("cache-control", "max-age=60"),
        );
        self.get("/doc").await;
        for method in ["PUT", "POST", "DELETE"] {
            let sent = pattern(70_000);
            let request = Request::new(method, "/doc").body(sent.clone());
            let answer = self.send(request).await;
            assert_seen(&answer, "BYPASS", "larder; fwd=method");
            let received = self.stage.origin.requests().pop().unwrap();
            assert_eq!(received.method, method);
            assert!(received.body == sent, "{method}");
            assert_eq!(x_cache(&self.get("/doc").await), "MISS", "{method}");
            assert_eq!(x_cache(&self.get("/doc").await), "HIT", "{method}");
        }
    }

    async fn a_targeted_field(&self) {
        let reply = Reply::ok("text")
            .header("cache-control", "no-store")
            .header("cdn-cache-control", "max-age=60");
        self.on("/targeted", reply);
        let miss = self.get("/targeted").await;
        assert_eq!(cache_status(&miss), "larder; fwd=uri-miss; stored");
        let hit = self.get("/targeted").await;
        assert_eq!(
            (x_cache(&hit), hit.header("cache-control")),
            ("HIT", Some("no-store"))
        );
    }
}

/// Says no to a condition and nothing else.
fn confirm(request: &Received) -> Reply {
    let reply = match request.header("if-none-match") {
        Some("\"v1\"") => Reply::new(304, ""),
        Some(_) | None => Reply::ok("text"),
    };
    reply
        .header("cache-control", "no-cache")
        .header("etag", "\"v1\"")
}
