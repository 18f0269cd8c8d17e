//! What is named is not used any more.

use larder_harness::client::Request;
use larder_harness::origin::Reply;
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::{HOST, Stage, x_cache};

const RULES: &str = r#"[
    {"name": "profile", "match": {"path": "/profile"}, "ttl_seconds": 300,
     "identity": {"header": "x-user-id", "trusted": true}},
    {"name": "docs", "match": {"path": "/doc/.*"}, "ttl_seconds": 300, "tags": ["docs"]},
    {"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 300}]"#;

async fn stage() -> Stage {
    let stage = Stage::start(RULES).await;
    stage.origin.on_call("/*", |request| {
        let reply = match request.header("if-none-match") {
            Some(_) => Reply::new(304, ""),
            None => Reply::ok("body"),
        };
        reply.header("etag", "\"1\"")
    });
    stage
}

/// Asks until it is stored.
async fn stored(stage: &Stage, path: &str) {
    eventually("it is stored", PATIENCE, async || {
        x_cache(&stage.get(path).await) == "HIT"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_name_covers_what_it_names() {
    let stage = stage().await;
    let key = format!("GET:{HOST}/doc/a?b=c");
    let url = format!("http://{HOST}/doc/a?b=c");
    for names in [
        ["--url", "/doc/a?b=c"],
        ["--url", &url],
        ["--key", &key],
        ["--tag", "docs"],
        ["--pattern", "/doc/*"],
        ["--pattern", r"regex:/d.c/\w\?b=."],
        ["--prefix", "/doc"],
        ["--all", "--yes"],
    ] {
        stored(&stage, "/doc/a?b=c").await;
        stored(&stage, "/other").await;
        let ended = stage.ctl(&[&["purge"], &names[..]].concat()).await.with(0);
        assert!(
            ended.out.starts_with("purged (hard): "),
            "{names:?} {}",
            ended.out
        );
        assert_eq!(x_cache(&stage.get("/doc/a?b=c").await), "MISS", "{names:?}");
        let other = match names[0] {
            "--all" => "MISS",
            _ => "HIT",
        };
        assert_eq!(x_cache(&stage.get("/other").await), other, "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_names_are_one_call_and_soft_ones_are_confirmed() {
    let stage = stage().await;
    for path in ["/doc/a", "/x", "/y"] {
        stored(&stage, path).await;
    }
    let purge = ["purge", "--soft", "--tag", "docs", "--url", "/x"];
    let ended = stage.ctl(&purge).await.with(0);
    assert!(ended.out.starts_with("purged (soft): "), "{}", ended.out);
    for (path, seen) in [
        ("/doc/a", "REVALIDATED"),
        ("/x", "REVALIDATED"),
        ("/y", "HIT"),
    ] {
        let answer = stage.get(path).await;
        assert_eq!(x_cache(&answer), seen, "{path} {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_counts_and_leaves_all_of_it() {
    let stage = stage().await;
    for path in ["/doc/a", "/doc/b", "/x"] {
        stored(&stage, path).await;
    }
    for (names, met) in [
        (&["--tag", "docs"][..], 2),
        (&["--url", "/x"], 1),
        (&["--tag", "docs", "--url", "/x"], 3),
        (&["--tag", "nobody"], 0),
        (&["--all"], 3),
    ] {
        let trial = [&["purge", "--dry-run"], names].concat();
        let ended = stage.ctl(&trial).await.with(0);
        let expected = format!("would meet {met} entries");
        assert!(ended.out.contains(&expected), "{names:?} {}", ended.out);
    }
    for path in ["/doc/a", "/doc/b", "/x"] {
        assert_eq!(x_cache(&stage.get(path).await), "HIT", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_how_much_it_was() {
    let stage = stage().await;
    for path in ["/doc/a", "/doc/b", "/x"] {
        stored(&stage, path).await;
    }
    let ended = stage
        .ctl(&["purge", "--tag", "docs", "--wait"])
        .await
        .with(0);
    assert!(ended.out.contains("met 2 entries"), "{}", ended.out);
    assert!(ended.out.contains(": done"), "{}", ended.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_data_go_with_a_receipt() {
    let stage = stage().await;
    let profile = |user: &str| Request::get("/profile").header("x-user-id", user);
    for user in ["u/1", "u2"] {
        eventually("it is stored", PATIENCE, async || {
            x_cache(&stage.send(profile(user)).await) == "HIT"
        })
        .await;
    }
    let trial = ["purge", "--user", "u/1", "--dry-run"];
    let trial = stage.ctl(&trial).await.with(0);
    assert!(trial.out.contains("would meet 1 entries"), "{}", trial.out);
    let wait = ["purge", "--user", "u/1", "--wait", "-o", "json"];
    let done = stage.ctl(&wait).await.with(0).json();
    let waited = &done["done"][0]["waited_for"];
    assert_eq!(waited["status"], "done", "{done}");
    assert_eq!(waited["entries"], 1, "{done}");
    assert_eq!(x_cache(&stage.send(profile("u/1")).await), "MISS");
    assert_eq!(x_cache(&stage.send(profile("u2")).await), "HIT");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_before_anything_is_purged() {
    let stage = stage().await;
    stored(&stage, "/x").await;
    for (arguments, said) in [
        (&[][..], "names nothing to purge"),
        (&["--all"], "say --yes"),
        (&["--pattern", "*"], "say --yes"),
        (&["--pattern", "regex:.*"], "say --yes"),
        (&["--prefix", "/"], "say --yes"),
        (&["--user", "u", "--soft"], "not for a user's data"),
    ] {
        let ended = stage.ctl(&[&["purge"], arguments].concat()).await.with(2);
        assert!(ended.err.contains(said), "{arguments:?} {}", ended.err);
    }
    assert_eq!(x_cache(&stage.get("/x").await), "HIT");
    let bad = stage.ctl(&["purge", "--pattern", "regex:("]).await.with(3);
    assert!(bad.err.contains("regex:("), "{}", bad.err);
}
