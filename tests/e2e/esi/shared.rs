//! Template and fragments are stored each for itself: own key, time and tags.

use larder_harness::client;
use larder_harness::envoy::{Cluster, Envoy, Update};
use larder_harness::origin::{Gate, Origin, Reply};
use larder_harness::wait::{PATIENCE, eventually};

use super::{ESI, assert_asked, assert_page, get, html, include, managed};
use crate::management::call;
use crate::stage::{MAIN, Stage, larder, x_cache};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_made_from_the_origin_and_again_from_the_cache() {
    let stage = Stage::start(ESI).await;
    let template = ["<p>", &include("/a"), "-", &include("/b?c=1"), "</p>"].concat();
    stage.origin.on("/page", html(&template));
    stage.origin.on("/a", html("A"));
    stage.origin.on("/b", html("B"));
    for _ in 0..4 {
        assert_page(&stage.get("/page").await, "<p>A-B</p>");
    }
    assert_page(&stage.get("/a").await, "A");
    // A client's own route might have led elsewhere.
    assert_asked(&stage, &[("/page", 1), ("/a", 2), ("/b", 1)]);
    assert_eq!(x_cache(&stage.get("/page").await), "HIT");
    assert_eq!(stage.counter("larder_pages_total").await, 6); // A is text, too
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_stand_in_templates() {
    let stage = Stage::start(ESI).await;
    stage
        .origin
        .on("/page", html(&["1", &include("/two")].concat()));
    stage
        .origin
        .on("/two", html(&["2", &include("/three"), "2"].concat()));
    stage.origin.on("/three", html("3"));
    for _ in 0..3 {
        assert_page(&stage.get("/page").await, "1232");
    }
    assert_page(&stage.get("/two").await, "232");
    assert_asked(&stage, &[("/page", 1), ("/two", 2), ("/three", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fragment_that_is_purged_is_fetched_alone() {
    let stage = managed(2).await;
    stage
        .origin
        .on("/page", html(&(include("/a") + &include("/b"))));
    stage.origin.on("/a", html("A").header("cache-tag", "a"));
    stage.origin.on("/b", html("B").header("cache-tag", "b"));
    for _ in 0..3 {
        assert_page(&stage.get("/page").await, "AB");
    }
    stage.origin.on("/a", html("new"));
    let purged = stage
        .send(call("POST", "/api/cache/invalidate/tag/a"))
        .await;
    assert_eq!(purged.status / 100, 2);
    assert_page(&stage.get("/page").await, "newB");
    assert_asked(&stage, &[("/page", 1), ("/a", 2), ("/b", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_one_users_is_on_no_others_page() {
    let stage = Stage::start(ESI).await;
    stage
        .origin
        .on("/page", html(&["for ", &include("/user")].concat()));
    stage.origin.on_call("/user", |asked| {
        let user = asked.header("cookie").unwrap_or("nobody");
        html(user).header("cache-control", "private, max-age=60")
    });
    for user in ["u=ann", "u=bob", "u=ann"] {
        let answer = stage.send(get("/page").header("cookie", user)).await;
        assert_page(&answer, &format!("for {user}"));
        let control = answer.header("cache-control").unwrap();
        assert!(
            control.contains("private") || control.contains("no-store"),
            "{control}"
        );
    }
    assert_asked(&stage, &[("/page", 1), ("/user", 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fragment_varies_as_its_client_does() {
    let stage = Stage::start(ESI).await;
    stage.origin.on("/page", html(&include("/words")));
    stage.origin.on_call("/words", |asked| {
        html(asked.header("accept-language").unwrap_or("none")).header("vary", "accept-language")
    });
    // A head that leaves before the page is made lets nobody keep it.
    assert_page(&stage.get("/page").await, "none");
    for _ in 0..2 {
        for language in ["de", "fr"] {
            let answer = stage
                .send(get("/page").header("accept-language", language))
                .await;
            assert_page(&answer, language);
            assert!(
                answer
                    .header("vary")
                    .is_some_and(|vary| vary.contains("accept-language"))
            );
        }
    }
    assert_asked(&stage, &[("/page", 1), ("/words", 3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origin_alone_can_say_that_it_is_a_template() {
    let stage = Stage::start("{}").await;
    let template = include("/a");
    stage.origin.on(
        "/marked",
        html(&template).header("surrogate-control", "content=\"ESI/1.0\""),
    );
    stage.origin.on("/plain", html(&template));
    stage.origin.on("/a", html("A"));
    for _ in 0..3 {
        let answer = stage.get("/marked").await;
        assert_page(&answer, "A");
        assert_eq!(answer.header("surrogate-control"), None);
        assert_page(&stage.get("/plain").await, &template);
    }
    assert_asked(&stage, &[("/marked", 1), ("/plain", 1), ("/a", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_composed_where_the_rule_says_so() {
    let rule = r#"{"rules": [{"name": "api", "match": {"path": "/.*"}, "ttl_seconds": 60, "json_include": true}]}"#;
    let stage = Stage::start(rule).await;
    let json = |body: &str| Reply::ok(body.to_owned()).header("content-type", "application/json");
    stage
        .origin
        .on("/page", json(r#"{"user": {"$include": "/user"}, "n": 1}"#));
    stage.origin.on("/user", json(r#"{"name": "ann"}"#));
    for _ in 0..3 {
        assert_page(
            &stage.get("/page").await,
            r#"{"user": {"name": "ann"}, "n": 1}"#,
        );
    }
    assert_asked(&stage, &[("/page", 1), ("/user", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fragment_is_given_stale_and_made_fresh() {
    let stage = Stage::start(ESI).await;
    stage.origin.on("/page", html(&include("/a")));
    let brief = "max-age=1, stale-while-revalidate=60";
    stage
        .origin
        .on("/a", html("old").header("cache-control", brief));
    assert_page(&stage.get("/page").await, "old");
    stage.origin.on("/a", html("new"));
    eventually("the fragment is new", PATIENCE, async || {
        stage.get("/page").await.text() == "new"
    })
    .await;
    assert_asked(&stage, &[("/page", 1), ("/a", 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_confirmed_is_a_page_again() {
    let stage = Stage::start(ESI).await;
    let template = html(&include("/a"))
        .header("cache-control", "no-cache")
        .header("etag", "\"1\"");
    stage
        .origin
        .on_call("/page", move |asked| match asked.header("if-none-match") {
            Some("\"1\"") => Reply::new(304, "").header("etag", "\"1\""),
            _ => template.clone(),
        });
    stage.origin.on("/a", html("A"));
    for _ in 0..3 {
        assert_page(&stage.get("/page").await, "A");
    }
    assert_asked(&stage, &[("/page", 3), ("/a", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_through_the_cluster_of_a_page_is_no_answer_to_a_client() {
    let listener = larder(ESI).rewrites("/b/", "/c/");
    let stage = Stage::with_listener(1, listener).await;
    stage.origin.on("/page", html(&include("/b/x")));
    stage.origin.on("/b/x", html("of another service"));
    stage.origin.on("/c/x", html("right"));
    for _ in 0..2 {
        stage.get("/page").await;
    }
    assert_page(&stage.get("/b/x").await, "right");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_the_making_outlives_its_configuration() {
    let origin = Origin::start().await.unwrap();
    let cluster = Cluster::new("origin", origin.address());
    let builder = Envoy::builder().cluster(cluster).listener(larder(ESI));
    let mut envoy = builder.dynamic().start().await.unwrap();
    let gate = Gate::closed();
    origin.on("/page", html(&["<", &include("/slow"), ">"].concat()));
    origin.on("/slow", html("slow").behind(&gate));
    let at = envoy.address(MAIN);
    let asking = tokio::spawn(async move { client::get(at, "/page").await.unwrap() });
    eventually("the fragment is asked for", PATIENCE, async || {
        origin.in_hand("/slow") == 1
    })
    .await;
    let plain = ESI.replace("\"esi\": true", "\"esi\": false");
    let updated = envoy.update(&[larder(&plain)]).await.unwrap();
    assert_eq!(updated, Update::Accepted);
    eventually("templates are text from now on", PATIENCE, async || {
        let now = client::get(envoy.address(MAIN), "/page").await.unwrap();
        now.text().contains("esi:include")
    })
    .await;
    gate.open();
    assert_page(&asking.await.unwrap(), "<slow>");
}
