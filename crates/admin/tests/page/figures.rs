//! What the page shows of a fleet, and that it changes by itself.

use larder_harness::browser::Key;
use serde_json::json;

use crate::stage::{Instance, Stage, picture};

#[tokio::test]
async fn the_figures_of_two_instances_are_seen_and_change_live() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let _east = Instance::join(&stage, 1, "edge-east", 750, 250).await;
    let west = Instance::join(&stage, 2, "edge-west", 150, 850).await;
    let page = stage.open().await;
    page.until_shown("#headline", "All 2 instances are up to date.")
        .await;
    page.until_shown("#figures > :nth-child(1)", "45.0\u{202f}%")
        .await;
    page.until_shown("#figures > :nth-child(2)", "90\u{202f}µs")
        .await;
    page.until_shown("#figures > :nth-child(3)", "57\u{202f}ms")
        .await;
    page.until_shown("#figures > :nth-child(4)", "900").await;
    page.until_shown("#figures > :nth-child(6)", "28\u{202f}MiB")
        .await;
    page.until_shown("#instances-rows", "edge-east").await;
    page.until_shown("#instances-rows", "edge-west").await;
    // From now on nothing but hits: what is shown is how it is lately, and since they began.
    west.tell(|state| state.hits += 1000).await;
    page.until_shown("#figures > :nth-child(1) .value", "100.0\u{202f}%")
        .await;
    page.until_shown(
        "#figures > :nth-child(1) .note",
        "63.3\u{202f}% since they began",
    )
    .await;
    let line = "document.querySelector('#figures .line').getAttribute('d').startsWith('M')";
    page.until(line).await;
    // Who does not see the line is told what it says.
    let said = "document.querySelector('#figures title').textContent";
    assert_eq!(
        page.evaluate(said).await,
        "Lately between 100.0\u{202f}% and 100.0\u{202f}%"
    );
    picture(&page, "figures").await;
    stage.is_content(&page);
}

#[tokio::test]
async fn reasons_and_advice_are_shown_in_words() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let instance = Instance::join(&stage, 1, "edge", 10, 10).await;
    let performance = json!({
        "rules": [{ "name": "users", "hits": 10, "misses": 30, "bypasses": 0 }],
        "not_stored": { "no-freshness": 1234 },
        "recommendation_details": [{
            "text": "Add caching to /api/ml/models endpoint", "why": "never-cached",
            "numbers": { "requests": 60 }, "patch": { "rules": [{ "name": "models" }] },
        }],
    });
    instance.tell(|state| state.performance = performance).await;
    let page = stage.open().await;
    page.until_shown("#rules-rows", "users").await;
    page.until_shown("#rules-rows", "25.0\u{202f}%").await;
    page.until_shown("#not-stored", "no-freshness").await;
    page.until_shown("#not-stored", "1,234").await;
    page.until_shown("#advice-list", "Add caching to /api/ml/models endpoint")
        .await;
    let patch = page.evaluate(
        "JSON.parse(document.querySelector('#advice-list pre').textContent).rules[0].name",
    );
    assert_eq!(patch.await, "models");
    page.evaluate("document.querySelector('#advice-list details').open = true")
        .await;
    page.tab_to("#advice-list button").await;
    page.press(Key::Enter).await;
    page.until("['Copied', 'Marked: press Ctrl+C'].includes(document.querySelector('#copied').textContent)").await;
    picture(&page, "advice").await;
    stage.is_content(&page);
}

#[tokio::test]
async fn what_has_the_focus_keeps_it_when_others_come_in_front() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let mut instance = Instance::join(&stage, 1, "edge", 10, 10).await;
    let advice = |first: u64, second: u64| {
        let of = |text, requests| json!({ "text": text, "why": "never-cached", "numbers": { "requests": requests }, "patch": {} });
        json!({ "recommendation_details": [of("first", first), of("second", second)] })
    };
    instance
        .tell(|state| state.performance = advice(2, 1))
        .await;
    instance.invalidate("a").await;
    instance.poll().await;
    let page = stage.open().await;
    page.tab_to("#invalidations-list summary").await;
    instance.invalidate("b").await;
    page.until_shown("#invalidations-list li:first-child", "b")
        .await;
    page.until("document.activeElement.matches('#invalidations-list li:nth-child(2) summary')")
        .await;
    page.tab_to("#advice-list li:nth-child(2) summary").await;
    instance
        .tell(|state| state.performance = advice(1, 2))
        .await;
    page.until_shown("#advice-list li:first-child", "second")
        .await;
    page.until("document.activeElement.matches('#advice-list li:first-child summary')")
        .await;
    stage.is_content(&page);
}

#[tokio::test]
async fn two_hundred_instances_are_one_page_that_can_be_searched() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let mut all = Vec::new();
    for number in 0..200 {
        let node = format!("node-{number:03}");
        all.push(Instance::join(&stage, number + 1, &node, 90, 10).await);
    }
    let page = stage.open().await;
    page.until_shown("#headline", "All 200 instances are up to date.")
        .await;
    page.until("document.querySelectorAll('#instances-rows tr').length === 20")
        .await;
    page.tab_to("#instances-filter").await;
    page.write("node-199").await;
    page.until("document.querySelectorAll('#instances-rows tr').length === 1")
        .await;
    page.until_shown("#instances-rows", "node-199").await;
    page.evaluate("document.querySelector('#instances-filter').select()")
        .await;
    page.write("node").await;
    page.tab_to("#instances-more").await;
    page.press(Key::Enter).await;
    page.until("document.querySelectorAll('#instances-rows tr').length === 200")
        .await;
    stage.is_content(&page);
}
