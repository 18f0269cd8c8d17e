//! Nobody there, somebody else there, no way in.

use std::process::Stdio;

use larder_harness::Port;
use larder_harness::origin::{Origin, Reply};
use serde_json::{Value, json};

use crate::stage::{Stage, command, ctl, ended};

const RULES: &str = r#"[{"name": "all", "match": {"path": "/.*"}, "ttl_seconds": 300}]"#;

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_it_says_so() {
    let port = Port::reserve().unwrap();
    let at = format!("http://{}", port.address());
    for arguments in [
        &["stats"][..],
        &["entries"],
        &["purge", "--tag", "a"],
        &["purge", "--user", "a", "--wait"],
    ] {
        let ended = ctl(&[arguments, &["--at", &at]].concat()).await.with(3);
        let expected = format!("larderctl: cannot reach {at}: connection refused; is the listener");
        assert!(
            ended.err.starts_with(&expected),
            "{arguments:?} {}",
            ended.err
        );
        assert_eq!(ended.out, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_an_address_is_told_from_a_port_without_a_listener() {
    let ended = ctl(&["stats", "--at", "http://nobody.invalid"])
        .await
        .with(3);
    assert!(
        ended.err.contains("cannot reach http://nobody.invalid"),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_token_is_told_where_to_put_it() {
    let stage = Stage::start(RULES).await;
    let at = format!("http://{}", stage.address());
    let mut none = command(&["stats", "--at", &at]);
    none.env_remove("LARDER_TOKEN");
    let none = ended(none).await.with(3);
    assert!(
        none.err.contains("put it into LARDER_TOKEN"),
        "{}",
        none.err
    );
    let mut wrong = command(&["stats", "--at", &at]);
    wrong.env("LARDER_TOKEN", "wrong");
    let wrong = ended(wrong).await.with(3);
    assert!(
        wrong.err.contains("does not take this token"),
        "{}",
        wrong.err
    );
    assert!(
        !wrong.err.contains("wrong"),
        "the token is not shown: {}",
        wrong.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_larder_is_told_from_one() {
    let origin = Origin::start().await.unwrap();
    let at = format!("http://{}", origin.address());
    for reply in [
        Reply::new(404, ""),
        Reply::ok("<html>"),
        Reply::ok("[]").header("content-type", "application/json"),
    ] {
        origin.on("/*", reply);
        let ended = ctl(&["stats", "--at", &at]).await.with(3);
        assert!(ended.err.contains("is no management API"), "{}", ended.err);
        assert!(ended.err.contains("docs/management.md"), "{}", ended.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_is_waited_for_as_long_as_was_said() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let ended = ctl(&["stats", "--at", &at, "--timeout", "0.2"])
        .await
        .with(3);
    assert!(
        ended
            .err
            .contains("did not answer within 0.2 seconds (--timeout)"),
        "{}",
        ended.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_no_more_than_a_line_is_no_trouble() {
    let stage = Stage::start(RULES).await;
    let at = format!("http://{}", stage.address());
    let mut stats = command(&["stats", "--at", &at]);
    let mut stats = stats
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(stats.stdout.take());
    let output = stats.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

/// Every command that shows what the other side says.
const COMMANDS: [&[&str]; 12] = [
    &["stats"],
    &["top", "--once"],
    &["entries"],
    &["entries", "get", "GET:a/"],
    &["entries", "delete", "GET:a/"],
    &["explain", "--url", "http://a/", "--response-status", "200"],
    &["purge", "--tag", "a"],
    &["purge", "--tag", "a", "--dry-run", "--patience", "0"],
    &["purge", "--tag", "a", "--wait", "--patience", "0"],
    &["purge", "--user", "a", "--wait", "--patience", "0"],
    &["warm", "-"],
    &["warm", "-", "--by-larder"],
];

/// What an API would say, with this in the place of every word.
fn answer_with(word: &Value) -> Value {
    let one = json!({
        "key": word, "url": word, "name": word, "text": word, "why": word, "id": word, "node": word, "instance": word,
        "state": word, "status": word, "rule": word, "tags": [word], "found": word, "told_apart_by": [word],
        "reason": word, "count": word, "body_bytes": word, "age_seconds": word, "hit_rate": word,
    });
    json!({
        "entries": [one], "instances": [one], "variants": [one], "not_stored": {"a": word}, "bypassed": [one],
        "rules": [one], "recommendation_details": [one], "hot": [one], "lookups": [one], "cursor": word,
        "rule": {"name": word, "action": word, "not_matched": [word], "why_not": {"a": word}},
        "outcome": {"is": "answered", "headers": [[word, word]], "because": word, "reason": word},
        "response": {"is": "stored", "keys": [word], "tags": [word], "headers_added": [[word, word]], "lifetime_source": word},
        "id": word, "receipt": word, "status": word, "state": word, "cluster": word, "mode": word, "named": {"a": word},
        "total_entries": word, "total_size_mb": word, "service_metrics": {"hit_rate": word}, "key": word,
        "error": {"code": word, "message": word},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_the_other_side_says_moves_the_cursor_or_makes_a_line() {
    let origin = Origin::start().await.unwrap();
    let at = format!("http://{}", origin.address());
    let list = std::env::temp_dir().join(format!("larderctl-urls-{}", std::process::id()));
    std::fs::write(&list, "/a\n").unwrap();
    let list = list.to_str().unwrap();
    let word = Value::String("\u{1b}[2J\u{9b}1m\u{202e}\n::error::evil\r".to_owned());
    for status in [200, 500] {
        let said = answer_with(&word).to_string();
        let reply = Reply::new(status, said).header("content-type", "application/json");
        origin.on("/*", reply.header("x-cache", "\u{202e}evil"));
        for arguments in COMMANDS {
            let arguments = arguments
                .iter()
                .map(|one| if *one == "-" { list } else { one });
            let arguments: Vec<_> = arguments.chain(["--at", &at]).collect();
            let ended = ctl(&arguments).await;
            assert!((0..=3).contains(&ended.code), "{arguments:?} {ended:?}");
            let shown = [ended.out, ended.err].concat();
            let is_seen =
                |letter: char| letter == '\n' || !letter.is_control() && letter != '\u{202e}';
            assert!(shown.chars().all(is_seen), "{arguments:?} {shown:?}");
            assert!(!shown.contains("\n::error"), "{arguments:?} {shown:?}");
        }
    }
    std::fs::remove_file(list).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_of_the_other_side_is_no_crash() {
    let origin = Origin::start().await.unwrap();
    let at = format!("http://{}", origin.address());
    let list = std::env::temp_dir().join(format!("larderctl-list-{}", std::process::id()));
    std::fs::write(&list, "/a\n").unwrap();
    let list = list.to_str().unwrap();
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let words = [
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(null),
        json!([[]]),
        json!({"a": {}}),
    ];
    let said = words.iter().map(|word| answer_with(word).to_string());
    for said in said.chain([deep, String::new(), "{".to_owned(), "null".to_owned()]) {
        origin.on("/*", Reply::ok(said));
        for arguments in COMMANDS {
            let arguments = arguments
                .iter()
                .map(|one| if *one == "-" { list } else { one });
            let arguments: Vec<_> = arguments.chain(["--at", &at]).collect();
            let ended = ctl(&arguments).await;
            assert!((0..=3).contains(&ended.code), "{arguments:?} {ended:?}");
            assert!(!ended.err.contains("panicked"), "{arguments:?} {ended:?}");
        }
    }
    std::fs::remove_file(list).unwrap();
}
