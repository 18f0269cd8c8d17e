//! The real process: how it begins, and how it ends.

use std::net::TcpListener;
use std::process::{Command, Output};

use larder_harness::admin::Admin;
use larder_harness::client::{Client, Protocol, Request};
use larder_harness::wait::{PATIENCE, eventually};

use crate::stage::json;

fn run(arguments: &[&str], secret: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_larder-admin"));
    command.args(arguments).env_clear();
    if let Some(secret) = secret {
        command.env("LARDER_ADMIN_SECRET", secret);
    }
    command.output().unwrap()
}

#[test]
fn it_says_what_is_wrong_with_its_settings_and_does_not_begin() {
    let directory = larder_harness::Scratch::new("settings").unwrap();
    let file = directory.path().join("larder.json");
    std::fs::write(&file, r#"{"listen": 1, "flete": "a"}"#).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, secret, problems) in [
        (&[][..], None, &["LARDER_ADMIN_SECRET"][..]),
        (
            &["--config", file],
            Some("a-secret-of-some-length"),
            &["listen: must be", "flete: is unknown"],
        ),
        (&[], Some("guessed"), &["has 7 bytes"]),
        (
            &["--store", "redsi://a"],
            Some("a-secret-of-some-length"),
            &["store: "],
        ),
        (
            &["--max-waiting", "x"],
            Some("a-secret-of-some-length"),
            &["--max-waiting"],
        ),
        (
            &["--config", "/none.json"],
            Some("a-secret-of-some-length"),
            &["/none.json: "],
        ),
    ] {
        let output = run(arguments, secret);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        for problem in problems {
            assert!(said.contains(problem), "{problem}: {said}");
        }
    }
    let output = run(&["--check"], Some("very-secret-very-secret"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("very-secret"), "{said}");
}

#[test]
fn an_address_that_is_taken_is_said_to_be() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address], Some("a-secret-of-some-length"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&address), "{said}");
}

#[tokio::test]
async fn a_signal_drains_it() {
    let mut admin = Admin::over("memory").start().await.unwrap();
    let wire = larder_harness::admin::wire;
    let begun = admin.send(wire("GET", "/v1/invalidations")).await.unwrap();
    let end = json(&begun)["cursor"].as_str().unwrap().to_owned();
    let path = format!("/v1/invalidations?after={end}&wait_seconds=60");
    let mut client = Client::connect(admin.address(), Protocol::Http1)
        .await
        .unwrap();
    let waits = tokio::spawn(async move { client.send(wire("GET", &path)).await });
    eventually("one waits", PATIENCE, async || {
        let shown = admin.send(Request::get("/metrics")).await.unwrap();
        let waiting = "larder_admin_waiting{for=\"invalidations\"} 1";
        String::from_utf8_lossy(&shown.body).contains(waiting)
    })
    .await;
    let status = admin.stop().await.unwrap();
    assert_eq!(status.code(), Some(0));
    let heard = waits.await.unwrap().unwrap();
    assert_eq!(json(&heard)["cursor"], end);
    let log = admin.log();
    assert!(!log.contains(larder_harness::admin::SECRET), "{log}");
}
