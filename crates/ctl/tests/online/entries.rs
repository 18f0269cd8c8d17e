//! What is stored, one by one.

use larder_harness::origin::Reply;

use crate::stage::{HOST, Stage, x_cache};

const RULES: &str =
    r#"[{"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 300, "tags": ["pages"]}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn they_are_listed_looked_at_and_removed() {
    let stage = Stage::start(RULES).await;
    stage.origin.on("/*", Reply::ok("body"));
    for path in ["/a?x=1", "/a?x=2", "/b/%C3%BC", "/c"] {
        stage.get(path).await;
    }
    let listed = stage.ctl(&["entries", "-o", "json"]).await.with(0).json();
    assert_eq!(listed["entries"].as_array().unwrap().len(), 4, "{listed}");
    let some = ["entries", "--prefix", "/a", "-o", "json"];
    let some = stage.ctl(&some).await.with(0).json();
    assert_eq!(some["entries"].as_array().unwrap().len(), 2, "{some}");

    for path in ["/a?x=1", "/b/%C3%BC"] {
        let key = format!("GET:{HOST}{path}");
        let shown = stage.ctl(&["entries", "get", &key]).await.with(0);
        assert!(shown.out.contains(&key), "{}", shown.out);
        assert!(shown.out.contains("pages"), "{}", shown.out);
        stage.ctl(&["entries", "delete", &key]).await.with(0);
        let gone = stage.ctl(&["entries", "get", &key]).await.with(1);
        assert!(gone.err.contains("nothing is stored under"), "{}", gone.err);
        assert_eq!(x_cache(&stage.get(path).await), "MISS");
    }
    assert_eq!(x_cache(&stage.get("/a?x=2").await), "HIT");
    let table = stage.ctl(&["entries", "--prefix", "/a"]).await.with(0);
    assert!(table.out.starts_with("key "), "{}", table.out);
}

/// Keys are made by clients, and terminals obey.
#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_api_gives_at_once_is_shown_by_going_on() {
    let stage = Stage::start(RULES).await;
    stage.origin.on("/*", Reply::ok("body"));
    for page in 0..30 {
        stage.get(&format!("/page/{page}")).await;
    }
    let few = ["entries", "--limit", "10", "-o", "json"];
    let few = stage.ctl(&few).await.with(0).json();
    let shown = few["entries"].as_array().unwrap().len();
    assert!(
        (10..30).contains(&shown) && few["cursor"].is_string(),
        "{few}"
    );
    let few = stage.ctl(&["entries", "--limit", "10"]).await.with(0);
    assert!(few.out.contains("there is more"), "{}", few.out);
}
