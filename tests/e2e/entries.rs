//! The management API: what is stored, one by one, and why.

mod explain;

use larder_harness::client::{Protocol, Request};
use larder_harness::origin::Reply;
use larder_harness::wait;
use serde_json::{Value, json};

use crate::management::{call, json as body, managed, refused, stage_of};
use crate::stage::{MAIN, Stage, x_cache};

const TAGGED: &str = r#"{"rules": [
    {"name": "users", "match": {"path": "/users/(?P<id>[^/]+)"}, "ttl_seconds": 60,
     "key": {"template": "user_profile:{id}"}, "tags": ["users", "user:{id}"]},
    {"name": "mine", "match": {"path": "/mine"}, "ttl_seconds": 60, "identity": {"header": "x-user-id", "trusted": true}},
    {"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 60}], "management": {}}"#;

async fn stage() -> Stage {
    let stage = stage_of(2, managed(TAGGED)).await;
    for path in ["/a", "/b", "/users/42", "/users/7", "/mine"] {
        stage.origin.on(path, Reply::ok(format!("body of {path}")));
    }
    stage
}

async fn fill(stage: &Stage) {
    for path in ["/a", "/b?page=2", "/users/42", "/users/7"] {
        stage.get(path).await;
    }
    let mine = |user: &str| Request::get("/mine").header("x-user-id", user);
    for user in ["alice", "bob"] {
        stage.send(mine(user)).await;
    }
}

async fn listed(stage: &Stage, query: &str) -> Vec<Value> {
    let path = format!("/api/cache/entries{query}");
    let answer = stage.send(call("GET", &path)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut entries = body(&answer)["entries"].as_array().unwrap().clone();
    entries.sort_by_key(|entry| entry["key"].to_string());
    entries
}

fn keys(entries: &[Value]) -> Vec<&str> {
    let names = entries.iter();
    names.map(|entry| entry["key"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_stored_is_listed_and_shown() {
    let stage = stage().await;
    fill(&stage).await;
    let all = listed(&stage, "").await;
    assert_eq!(
        keys(&all),
        [
            "GET:api.example.com/a",
            "GET:api.example.com/b?page=2",
            "GET:api.example.com/mine",
            "GET:api.example.com/mine",
            "user_profile:42",
            "user_profile:7",
        ]
    );
    assert_eq!(all[2]["told_apart_by"], json!(["identity"]), "{:?}", all[2]);
    assert!(!format!("{all:?}").contains("alice"), "{all:?}");
    assert_eq!(all[4]["tags"], json!(["users", "user:42"]));
    assert_eq!(
        (&all[4]["rule"], &all[4]["status"]),
        (&json!("users"), &json!(200))
    );
    assert_eq!(all[4]["body_bytes"], json!("body of /users/42".len()));
    assert_eq!(keys(&listed(&stage, "?prefix=user_").await).len(), 2);
    assert_eq!(
        keys(&listed(&stage, "?prefix=/b").await),
        ["GET:api.example.com/b?page=2"]
    );
    assert_eq!(keys(&listed(&stage, "?prefix=GET:other").await), [""; 0]);
    for path in [
        "/api/cache/entries/user_profile:42",
        "/api/cache/entries/user_profile%3A42",
        "/api/cache/entries/GET:api.example.com/b?page=2",
        "/api/cache/entries/GET%3Aapi.example.com%2Fb%3Fpage%3D2",
        "/api/cache/entries//b?page=2",
    ] {
        let answer = stage.send(call("GET", path)).await;
        assert_eq!(
            body(&answer)["entries"].as_array().unwrap().len(),
            1,
            "{path} {answer:?}"
        );
    }
    let answer = stage.send(call("GET", "/api/cache/entries/nothing")).await;
    assert_eq!(refused(&answer, 404), "not_found");
    for query in ["?limit=0", "?limit=x", "?cursor=-1", "?limit=1001"] {
        let answer = stage
            .send(call("GET", &format!("/api/cache/entries{query}")))
            .await;
        assert_eq!(refused(&answer, 400), "bad_request");
    }
}

#[tokio::test]
async fn a_list_goes_on_where_it_stopped() {
    let stage = stage().await;
    stage.origin.on_call("/page", |_| Reply::ok("body"));
    for number in 0..60 {
        stage.get(&format!("/page?n={number}")).await;
    }
    let (mut found, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let path = format!("/api/cache/entries?prefix=/page&limit=7&cursor={cursor}");
        let answer = body(&stage.send(call("GET", &path)).await);
        let entries = answer["entries"].as_array().unwrap().clone();
        found.extend(entries.iter().map(|entry| entry["key"].to_string()));
        match answer["cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 60);
}

#[tokio::test]
async fn what_is_deleted_is_gone_and_what_is_put_is_found() {
    let stage = stage().await;
    fill(&stage).await;
    let answer = stage
        .send(call("DELETE", "/api/cache/entries/user_profile:42"))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let all = listed(&stage, "?prefix=user_").await;
    assert_eq!(keys(&all), ["user_profile:7"]);
    let put = call("PUT", "/api/cache/entries/GET:api.example.com/users/42")
        .header("content-type", "text/plain")
        .header("cache-control", "max-age=600")
        .header("surrogate-key", "by-hand")
        .header("etag", "\"put\"")
        .body("put by hand");
    let before = stage.origin.total();
    let answer = stage.send(put).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(body(&answer)["keys"], json!(["user_profile:42"]));
    let seen = stage.get("/users/42").await;
    assert_eq!(
        (x_cache(&seen), seen.text().as_str()),
        ("HIT", "put by hand"),
        "{seen:?}"
    );
    assert_eq!(seen.header("content-type"), Some("text/plain"));
    assert_eq!(seen.header("etag"), Some("\"put\""));
    assert_eq!(stage.origin.total(), before);
    let shown = body(
        &stage
            .send(call("GET", "/api/cache/entries/user_profile:42"))
            .await,
    );
    assert_eq!(
        shown["entries"][0]["tags"],
        json!(["users", "user:42", "by-hand"])
    );
    stage
        .send(call("POST", "/api/cache/invalidate/tag/by-hand"))
        .await;
    assert_eq!(x_cache(&stage.get("/users/42").await), "MISS");
    for (path, header, status, code) in [
        ("/api/cache/entries/nobody", ("x", "y"), 400, "bad_request"),
        (
            "/api/cache/entries/POST:api.example.com/a",
            ("x", "y"),
            400,
            "bad_request",
        ),
        (
            "/api/cache/entries//a",
            ("cache-control", "no-store"),
            422,
            "not_stored",
        ),
        (
            "/api/cache/entries//a",
            ("larder-set-set-cookie", "a=b"),
            422,
            "not_stored",
        ),
        ("/api/cache/entries//a/../b", ("x", "y"), 422, "not_stored"),
    ] {
        let put = call("PUT", path).header(header.0, header.1).body("no");
        assert_eq!(
            refused(&stage.send(put).await, status),
            code,
            "{path} {header:?}"
        );
    }
}

/// The receipt is complete when the sweep has been everywhere.
async fn receipt(stage: &Stage, path: &str) -> Value {
    let done = wait::poll(wait::PATIENCE, async || {
        let answer = body(&stage.send(call("GET", path)).await);
        (answer["status"] == "done").then_some(answer)
    });
    done.await.unwrap_or_else(|| panic!("{path} is never done"))
}

#[tokio::test]
async fn a_user_is_forgotten_at_once_and_the_receipt_says_what_that_was() {
    let stage = stage().await;
    let mine = || Request::get("/mine").header("x-user-id", "alice");
    let other = || Request::get("/mine").header("x-user-id", "bob");
    for request in [mine(), other()] {
        stage.send(request).await;
    }
    let answer = stage.send(call("DELETE", "/api/cache/users/alice")).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = body(&answer)["receipt"].as_str().unwrap().to_owned();
    assert_eq!(listed(&stage, "?prefix=/mine").await.len(), 1);
    assert_eq!(x_cache(&stage.send(other()).await), "HIT");
    let done = receipt(&stage, &format!("/api/cache/users/receipts/{id}")).await;
    assert_eq!(done["entries"], 1, "{done}");
    assert_eq!(x_cache(&stage.send(mine()).await), "MISS");
    for id in ["0", "0000000000000000", "x", "zzzzzzzzzzzzzzzz"] {
        let answer = stage
            .send(call("GET", &format!("/api/cache/users/receipts/{id}")))
            .await;
        assert_eq!(refused(&answer, 404), "not_found");
    }
}

#[tokio::test]
async fn a_dry_run_counts_and_leaves_everything() {
    let stage = stage().await;
    fill(&stage).await;
    let dry = call("POST", "/api/cache/invalidate")
        .body(r#"{"tags": ["users"], "patterns": ["/a*"], "dry_run": true}"#);
    let answer = stage.send(dry).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let id = body(&answer)["id"].as_str().unwrap().to_owned();
    let done = receipt(&stage, &format!("/api/cache/invalidations/{id}")).await;
    assert_eq!(done["entries"], 3, "{done}");
    assert_eq!(listed(&stage, "").await.len(), 6);
    assert_eq!(x_cache(&stage.get("/users/42").await), "HIT");
    let real = stage
        .send(call("POST", "/api/cache/invalidate/tag/users"))
        .await;
    let id = body(&real)["id"].as_str().unwrap().to_owned();
    let done = receipt(&stage, &format!("/api/cache/invalidations/{id}")).await;
    assert_eq!(done["entries"], 2, "{done}");
}

/// What another worker has in its own memory, and what stands in front of the URL's own place, is over when an entry is put.
#[tokio::test]
async fn what_is_put_is_what_every_worker_answers_with() {
    let configuration = r#"{"rules": [{"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 60}],
        "no_vary_search": true, "management": {}}"#;
    let stage = stage_of(2, managed(configuration)).await;
    stage.origin.on("/doc", Reply::ok("old"));
    let folded = Reply::ok("old").header("no-vary-search", "params=(\"utm\")");
    stage.origin.on("/search", folded);
    let client = |worker| stage.envoy.connect_to_worker(MAIN, worker, Protocol::Http1);
    let [mut caller, mut reader] = [client(0).await.unwrap(), client(1).await.unwrap()];
    for path in ["/doc", "/search?utm=1"] {
        let get = || Request::get(path).authority("api.example.com");
        for _ in 0..5 {
            assert_eq!(reader.send(get()).await.unwrap().text(), "old");
        }
        let put = call("PUT", &format!("/api/cache/entries/{path}")).body("new");
        let answer = caller.send(put).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let seen = reader.send(get()).await.unwrap();
        assert_eq!(
            (x_cache(&seen), seen.text().as_str()),
            ("HIT", "new"),
            "{path} {seen:?}"
        );
    }
}

/// Fields that are about the call are nobody else's business.
#[tokio::test]
async fn what_is_put_has_no_fields_of_its_call() {
    let stage = stage().await;
    let put = call("PUT", "/api/cache/entries//a")
        .header("x-api-key", "private")
        .header("traceparent", "00-private-01")
        .header("forwarded", "for=private")
        .header("via", "1.1 private")
        .header("larder-set-x-own", "shown")
        .header("content-language", "en")
        .body("put");
    assert_eq!(stage.send(put).await.status, 200);
    let seen = stage.get("/a").await;
    assert_eq!(x_cache(&seen), "HIT");
    assert!(
        !format!("{:?}", seen.headers).contains("private"),
        "{seen:?}"
    );
    for name in ["x-api-key", "traceparent", "forwarded", "via"] {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert_eq!(seen.header("x-own"), Some("shown"));
    assert_eq!(seen.header("content-language"), Some("en"));
}

/// A search in URLs covers what stands under a template, since nobody can tell which URL that was.
#[tokio::test]
async fn a_ban_covers_what_stands_under_a_template() {
    let stage = stage().await;
    for ban in [
        call("BAN", "/")
            .header("x-url", "^/users/")
            .header("x-host", "API.example.com"),
        call("BAN", "/").header("x-ban-url", "/users/.*"),
        call("PURGE", "/users/.*").header("x-purge-method", "regex"),
    ] {
        for path in ["/users/42", "/a"] {
            stage.get(path).await;
            assert_eq!(x_cache(&stage.get(path).await), "HIT");
        }
        assert_eq!(stage.send(ban).await.status, 200);
        assert_eq!(x_cache(&stage.get("/users/42").await), "MISS");
        assert_eq!(x_cache(&stage.get("/a").await), "HIT");
    }
    let ban = call("BAN", "/")
        .header("x-url", "^/a$")
        .header("x-host", "API.example.com");
    assert_eq!(stage.send(ban).await.status, 200);
    assert_eq!(x_cache(&stage.get("/a").await), "MISS");
}

#[tokio::test]
async fn a_dry_run_of_too_much_is_refused_and_costs_nothing() {
    let stage = stage().await;
    let many: Vec<String> = (0..20).map(|number| format!("/{number}/*")).collect();
    let dry = |patterns: &[String]| {
        let body = json!({"patterns": patterns, "dry_run": true}).to_string();
        call("POST", "/api/cache/invalidate").body(body)
    };
    for _ in 0..10 {
        let answer = stage.send(dry(&many)).await;
        assert_eq!(refused(&answer, 400), "bad_request");
    }
    assert_eq!(stage.send(dry(&many[..15])).await.status, 202);
}

#[tokio::test]
async fn one_key_may_be_looked_for_from_a_cursor_on() {
    let stage = stage().await;
    fill(&stage).await;
    let from = |cursor: &str| {
        call("GET", "/api/cache/entries/user_profile:42").header("larder-cursor", cursor)
    };
    assert_eq!(stage.send(from("0")).await.status, 200);
    assert_eq!(
        refused(&stage.send(from("99999999")).await, 404),
        "not_found"
    );
    assert_eq!(refused(&stage.send(from("x")).await, 400), "bad_request");
}

/// As Magento tags its pages, and purges them.
#[tokio::test]
async fn a_shop_purges_by_the_tags_that_it_gave() {
    let stage = stage().await;
    let page = Reply::ok("page").header("x-magento-tags", "cat_c,cat_p_694,cat_c_20");
    stage.origin.on("/hero-hoodie.html", page);
    let get = || stage.get("/hero-hoodie.html");
    for (pattern, word) in [
        ("((^|,)cat_p_695(,|$))|((^|,)cat_p_7(,|$))", "HIT"),
        ("((^|,)cat_p_694(,|$))|((^|,)cat_p_7(,|$))", "MISS"),
        (".*", "MISS"),
    ] {
        get().await;
        let seen = get().await;
        assert_eq!(
            (x_cache(&seen), seen.header("x-magento-tags")),
            ("HIT", None)
        );
        let purge = call("PURGE", "/").header("x-magento-tags-pattern", pattern);
        assert_eq!(stage.send(purge).await.status, 200);
        assert_eq!(x_cache(&get().await), word, "{pattern}");
    }
}
