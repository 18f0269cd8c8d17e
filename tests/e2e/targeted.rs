//! Cache directives that are targeted at caches like this one (RFC 9213).

use larder_harness::client::Answer;
use larder_harness::origin::Reply;

use crate::stage::{BY_ORIGIN, Stage, assert_seen, x_cache};

#[tokio::test]
async fn a_targeted_field_decides_and_the_client_sees_both() {
    let stage = Stage::start(BY_ORIGIN).await;
    let fields = [
        ("cache-control", "no-store"),
        ("cdn-cache-control", "max-age=600"),
        ("expires", "0"),
    ];
    let reply = fields
        .iter()
        .fold(Reply::ok("text"), |reply, (name, value)| {
            reply.header(name, value)
        });
    stage.origin.on("/cdn", reply);
    let first = stage.get("/cdn").await;
    assert_seen(&first, "MISS", "larder; fwd=uri-miss; stored");
    let second = stage.get("/cdn").await;
    assert_eq!((x_cache(&second), second.text().as_str()), ("HIT", "text"));
    for (name, value) in fields {
        for answer in [&first, &second] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
    }
    assert_eq!(stage.origin.count("/cdn"), 1);
}

#[tokio::test]
async fn the_more_targeted_field_decides() {
    let stage = Stage::start(BY_ORIGIN).await;
    let reply = Reply::ok("text")
        .header("cache-control", "public, max-age=600")
        .header("surrogate-control", "max-age=600")
        .header("cdn-cache-control", "max-age=600")
        .header("larder-cache-control", "private");
    stage.origin.on("/own", reply);
    for _ in 0..2 {
        let seen = "larder; fwd=uri-miss; detail=private";
        assert_seen(&stage.get("/own").await, "MISS", seen);
    }
    assert_eq!(stage.origin.count("/own"), 2);
}

#[tokio::test]
async fn an_invalid_targeted_field_is_as_if_it_were_not_there() {
    let stage = Stage::start(BY_ORIGIN).await;
    for (path, field, value) in [
        ("/capitals", "cdn-cache-control", "No-Store"),
        ("/comma", "cdn-cache-control", "no-store,"),
        ("/empty", "larder-cache-control", ""),
        ("/other", "surrogate-control", "content=\"Other/1.0\""),
    ] {
        let reply = Reply::ok("text")
            .header("cache-control", "max-age=600")
            .header(field, value);
        stage.origin.on(path, reply);
        stage.get(path).await;
        let answer = stage.get(path).await;
        assert_eq!(
            (x_cache(&answer), answer.header(field)),
            ("HIT", Some(value)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn surrogate_control_in_its_own_form_decides() {
    let stage = Stage::start(BY_ORIGIN).await;
    let reply = Reply::ok("text")
        .header("cache-control", "no-cache")
        .header("surrogate-control", "max-age=600+60, content=\"ESI/1.0\"");
    stage.origin.on("/surrogate", reply);
    stage.get("/surrogate").await;
    let answer = stage.get("/surrogate").await;
    assert_eq!(
        (x_cache(&answer), answer.header("cache-control")),
        ("HIT", Some("no-cache"))
    );
}

#[tokio::test]
async fn fields_that_are_for_one_user_are_not_stored_and_the_rest_is() {
    let stage = Stage::start(BY_ORIGIN).await;
    let directives = "max-age=600, no-cache=\"Set-Cookie\", private=\"x-user\"";
    let reply = Reply::ok("text")
        .header("cache-control", directives)
        .header("set-cookie", "session=1")
        .header("x-user", "alice")
        .header("x-kept", "1");
    stage.origin.on("/mixed", reply);
    let seen = |answer: &Answer| {
        ["set-cookie", "x-user", "x-kept", "cache-control"]
            .map(|name| answer.header(name).map(str::to_owned))
    };
    let some = |value: &str| Some(value.to_owned());
    assert_eq!(
        seen(&stage.get("/mixed").await),
        [
            some("session=1"),
            some("alice"),
            some("1"),
            some(directives)
        ]
    );
    let second = stage.get("/mixed").await;
    assert_eq!(x_cache(&second), "HIT");
    assert_eq!(seen(&second), [None, None, some("1"), some(directives)]);
}
