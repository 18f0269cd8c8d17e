//! Nobody there, somebody else there, no way in.

use std::process::Stdio;

use larder_harness::Port;
use larder_harness::origin::{Origin, Reply};

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
