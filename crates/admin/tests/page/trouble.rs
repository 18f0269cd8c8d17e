//! What the page says when something is wrong, or hostile.

use larder_harness::admin::TOKEN;
use larder_harness::browser::Key;
use larder_harness::client::Request;
use larder_harness::origin::{Origin, Reply};
use larder_harness::valkey::Valkey;
use serde_json::json;

use crate::stage::{Instance, Stage, give_token, picture};

/// What would be markup, and would say so.
const HOSTILE: &str =
    "<img src=x onerror=\"window.was_markup=1\"><script>window.was_markup=1</script>";

#[tokio::test]
async fn hostile_names_stay_text() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let mut instance = Instance::join(&stage, 1, HOSTILE, 1, 1).await;
    let mut performance = json!({ "recommendation_details": [
        { "text": HOSTILE, "why": HOSTILE, "numbers": { "requests": 1 }, "patch": { "rules": HOSTILE } },
    ] });
    performance["not_stored"][HOSTILE] = 7.into();
    instance.tell(|state| state.performance = performance).await;
    instance.invalidate(HOSTILE).await;
    instance.poll().await;
    let page = stage.open().await;
    for place in [
        "#instances-rows",
        "#invalidations-list",
        "#not-stored",
        "#advice-list",
    ] {
        page.until_shown(place, HOSTILE).await;
    }
    page.tab_to("#purge-value").await;
    page.write(HOSTILE).await;
    page.press(Key::Enter).await;
    page.until_shown("#purge-said", HOSTILE).await;
    let markup =
        "[window.was_markup ?? 0, document.querySelectorAll('main img, main script').length]";
    assert_eq!(page.evaluate(markup).await, json!([0, 0]));
    picture(&page, "hostile").await;
    stage.is_content(&page);
}

#[tokio::test]
async fn a_wrong_token_is_said_to_be_wrong_and_the_right_one_still_opens() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let page = stage.closed().await;
    give_token(&page, "wrong").await;
    page.until_shown("#token-problem", "This is not the token.")
        .await;
    assert_eq!(
        page.evaluate("sessionStorage.length + localStorage.length")
            .await,
        0
    );
    assert_eq!(page.evaluate("document.cookie").await, "");
    picture(&page, "wrong-token").await;
    give_token(&page, TOKEN).await;
    page.until_shown("#headline", "").await;
    page.until_shown("#headline", "No instance has reported yet.")
        .await;
    assert_eq!(page.evaluate("localStorage.length").await, 0);
    picture(&page, "nobody").await;
    // Forgotten, it is asked for again.
    page.tab_to("#leave").await;
    page.press(Key::Enter).await;
    page.until("document.activeElement?.id === 'token'").await;
    assert_eq!(page.evaluate("sessionStorage.length").await, 0);
    stage.is_content(&page);
}

#[tokio::test]
async fn who_guesses_at_the_token_is_told_to_wait_and_who_has_it_need_not() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    for _ in 0..10 {
        let guess = Request::get("/api/cache/overview").header("authorization", "Bearer guess");
        assert_eq!(stage.admin.send(guess).await.unwrap().status, 401);
    }
    let page = stage.closed().await;
    give_token(&page, "another guess").await;
    page.until_shown("#token-problem", "Too many wrong tokens came from here.")
        .await;
    give_token(&page, TOKEN).await;
    page.until_shown("#headline", "No instance has reported yet.")
        .await;
    stage.is_content(&page);
}

#[tokio::test]
async fn another_site_neither_frames_it_nor_speaks_for_it() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let page = stage.open().await;
    let target = format!("http://{}", stage.admin.address());
    let order =
        "{ method: 'POST', mode: 'no-cors', credentials: 'include', body: '{\"all\":true}' }";
    let site = format!(
        "<!doctype html><title>loading</title><link rel=icon href=data:,><iframe src='{target}/'></iframe>
         <script>onload = () => fetch('{target}/api/cache/invalidate', {order}).finally(() => document.title = 'done')</script>"
    );
    let origin = Origin::start().await.unwrap();
    origin.on("/", Reply::ok(site).header("content-type", "text/html"));
    // The same window: what it keeps is there.
    page.go_to(&format!("http://{}/", origin.address()))
        .await
        .unwrap();
    page.until("document.title === 'done'").await;
    let refused = |line: &String| line.contains("frame-ancestors");
    assert!(
        page.complaints().iter().any(refused),
        "{:?}",
        page.complaints()
    );
    page.go_to(&format!("{target}/")).await.unwrap();
    page.until_shown("#headline", "No instance has reported yet.")
        .await;
    page.until_shown(
        "#invalidations-note",
        "Nothing has been invalidated lately.",
    )
    .await;
}

#[tokio::test]
async fn the_last_figures_stay_when_the_service_goes() {
    let Some(mut stage) = Stage::set().await else {
        return;
    };
    let instance = Instance::join(&stage, 1, "edge", 3, 1).await;
    let page = stage.open().await;
    page.until_shown("#figures", "75.0\u{202f}%").await;
    drop(instance);
    stage.admin.kill();
    page.until_shown("#trouble", "The service does not answer.")
        .await;
    page.until_shown("#trouble-age", "What stands below is from")
        .await;
    page.until_shown("#figures", "75.0\u{202f}%").await;
    picture(&page, "service-gone").await;
    // Back, with a memory that is empty.
    stage.admin.start_again().await.unwrap();
    page.until("document.querySelector('#trouble').hidden")
        .await;
    page.until_shown("#headline", "No instance has reported yet.")
        .await;
}

#[tokio::test]
async fn a_store_that_is_away_is_said_in_plain_words() {
    let mut valkey = Valkey::start().await.unwrap();
    let Some(stage) = Stage::over(&valkey.url()).await else {
        return;
    };
    let _instance = Instance::join(&stage, 1, "edge", 3, 1).await;
    let page = stage.open().await;
    page.until_shown("#figures", "75.0\u{202f}%").await;
    valkey.kill();
    page.until_shown("#trouble", "The store does not answer.")
        .await;
    page.until_shown("#age", "ago").await;
    page.until_shown("#figures", "75.0\u{202f}%").await;
    // A purge promises nothing then.
    page.tab_to("#purge-value").await;
    page.write("a").await;
    page.press(Key::Enter).await;
    page.until_shown("#purge-said", "Nothing is promised").await;
    picture(&page, "store-away").await;
    valkey.start_again().await.unwrap();
    page.until("document.querySelector('#trouble').hidden")
        .await;
    page.until_shown("#age", "live").await;
}

#[tokio::test]
async fn who_is_behind_is_named() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let mut east = Instance::join(&stage, 1, "edge-east", 0, 0).await;
    let mut west = Instance::join(&stage, 2, "edge-west", 0, 0).await;
    east.invalidate("a").await;
    east.poll().await;
    let page = stage.open().await;
    page.until_shown("#headline", "1 of 2 instances is catching up.")
        .await;
    page.until_shown("#remarks", "edge-west: 1 invalidation still to apply.")
        .await;
    page.until_shown("#instances-rows tr:first-child", "behind by 1")
        .await;
    picture(&page, "behind").await;
    west.poll().await;
    page.until_shown("#headline", "All 2 instances are up to date.")
        .await;
    stage.is_content(&page);
}
