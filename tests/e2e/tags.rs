//! The fields in which an origin names tags end at the cache.

use larder_harness::client::Request;
use larder_harness::origin::Reply;

use crate::stage::{Stage, x_cache};

const FIELDS: [&str; 5] = [
    "surrogate-key",
    "xkey",
    "cache-tag",
    "edge-cache-tag",
    "x-cache-tags",
];
const RULES: &str = r#"{"rules": [{"name": "never", "match": {"path": "/never"}, "cache": false},
    {"name": "rest", "match": {"path": "/.*"}, "ttl_seconds": 60, "tags": ["rest"]}]}"#;

#[tokio::test]
async fn clients_see_no_tags_unless_they_should() {
    let exposed = RULES.replacen('{', r#"{"headers": {"expose_tags": true}, "#, 1);
    for (configuration, expected) in [(RULES, 0), (exposed.as_str(), 5)] {
        let stage = Stage::start(configuration).await;
        let tagged = |reply: Reply| {
            FIELDS
                .iter()
                .fold(reply, |reply, name| reply.header(name, "t"))
        };
        stage
            .origin
            .on("/a", tagged(Reply::ok("a")).header("etag", "\"1\""));
        stage.origin.on("/never", tagged(Reply::ok("never")));
        let mut seen = vec![(stage.get("/never").await, "BYPASS")];
        seen.push((stage.get("/a").await, "MISS"));
        for _ in 0..3 {
            seen.push((stage.get("/a").await, "HIT"));
        }
        let conditional = Request::get("/a").header("if-none-match", "\"1\"");
        seen.push((stage.send(conditional).await, "HIT"));
        seen.push((
            stage.send(Request::new("POST", "/a").body("x")).await,
            "BYPASS",
        ));
        for (answer, word) in seen {
            let count = FIELDS.iter().filter(|name| answer.header(name).is_some());
            assert_eq!(
                (x_cache(&answer), count.count()),
                (word, expected),
                "{answer:?}"
            );
        }
        stage.assert_unharmed().await;
    }
}
