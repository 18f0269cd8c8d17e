//! Purging and explaining from the page.

use larder_harness::browser::Key;

use crate::stage::{Instance, Stage, picture};

#[tokio::test]
async fn a_tag_is_purged_by_keyboard_alone_and_seen_going_round() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let mut east = Instance::join(&stage, 1, "edge-east", 0, 0).await;
    let mut west = Instance::join(&stage, 2, "edge-west", 0, 0).await;
    let page = stage.open().await;
    page.tab_to("#purge-value").await;
    page.write("user:42").await;
    page.press(Key::Enter).await;
    page.until_shown("#purge-said", "0 of 2 instances have applied it")
        .await;
    east.poll().await;
    page.until_shown("#purge-said", "1 of 2 instances have applied it")
        .await;
    page.until_shown("#purge-nodes", "not yet\nedge-west").await;
    picture(&page, "purge-on-its-way").await;
    west.poll().await;
    page.until_shown("#purge-said", "All 2 instances have applied it")
        .await;
    page.until_shown("#invalidations-list li:first-child", "user:42")
        .await;
    page.until_shown("#invalidations-list li:first-child", "all 2")
        .await;
    picture(&page, "purge-everywhere").await;
    // Who sees nothing was told.
    let role = page.evaluate("document.querySelector('#purge-said').getAttribute('role')");
    assert_eq!(role.await, "status");
    stage.is_content(&page);
}

#[tokio::test]
async fn everything_is_purged_only_by_who_says_so_twice() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let _instance = Instance::join(&stage, 1, "edge", 0, 0).await;
    let page = stage.open().await;
    page.tab_to("input[name=kind]").await;
    for _ in 0..3 {
        page.press(Key::Down).await;
    }
    page.tab_to("#purge-all").await;
    page.tab_to("#purge-button").await;
    page.press(Key::Enter).await;
    // The browser itself asks for the tick.
    page.until("document.activeElement.id === 'purge-all'")
        .await;
    page.press(Key::Space).await;
    page.tab_to("#purge-button").await;
    page.press(Key::Enter).await;
    page.until_shown("#invalidations-list", "everything").await;
    assert_eq!(
        page.evaluate("document.querySelector('#purge-all').checked")
            .await,
        false
    );
    stage.is_content(&page);
}

#[tokio::test]
async fn a_pattern_that_is_none_is_refused_in_words() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let page = stage.open().await;
    page.tab_to("input[name=kind]").await;
    page.press(Key::Down).await;
    page.press(Key::Down).await;
    page.tab_to("#purge-value").await;
    page.write("regex:(").await;
    page.press(Key::Enter).await;
    page.until_shown("#purge-said", "Not done:").await;
    page.until_shown("#purge-said", "regex:(").await;
    stage.is_content(&page);
}

#[tokio::test]
async fn a_path_of_no_host_is_asked_about() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let page = stage.open().await;
    page.tab_to("input[name=kind]").await;
    page.press(Key::Down).await;
    page.tab_to("#purge-value").await;
    page.write("/users/42").await;
    page.press(Key::Enter).await;
    page.until_shown("#purge-said", "Of which host? Write https://host/users/42")
        .await;
    let asked = page.asked_for();
    assert!(
        !asked.iter().any(|url| url.contains("invalidate")),
        "{asked:?}"
    );
    stage.is_content(&page);
}

#[tokio::test]
async fn a_request_is_explained_step_by_step() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let _instance = Instance::join(&stage, 1, "edge", 0, 0).await;
    let page = stage.open().await;
    page.tab_to("#explain-request").await;
    page.write("GET https://api.example.com/users/42\naccept: text/html")
        .await;
    page.press(Key::Tab).await;
    page.write("200\ncache-control: max-age=60").await;
    page.press(Key::Tab).await;
    page.press(Key::Enter).await;
    page.until_shown("#explain-said", "It goes to the origin")
        .await;
    page.until_shown("#explain-steps", "GET:api.example.com/users/42")
        .await;
    picture(&page, "explain").await;
    stage.is_content(&page);
}
