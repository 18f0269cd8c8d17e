//! How it looks, as far as that can be computed.

use serde_json::json;

use crate::stage::{Instance, Stage, picture};

/// Each text that is shown with less contrast to what is behind it than WCAG 2.2 AA asks for (1.4.3).
const FAINT: &str = r#"(() => {
  const channels = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if ((color[3] ?? 1) === 1) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const [one, other] = [luminance(channels(style.color)), luminance(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const size = parseFloat(style.fontSize);
    if (ratio < (size >= 24 ? 3 : 4.5)) faint.push(`${element.tagName} ${element.className} ${ratio.toFixed(2)}`);
  }
  return faint;
})()"#;

/// What sticks out to the right of the window.
const WIDE: &str = "document.documentElement.scrollWidth > innerWidth";

#[tokio::test]
async fn in_light_and_dark_every_text_can_be_read() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let _west = Instance::join(&stage, 2, "edge-west", 0, 0).await;
    let mut east = Instance::join(&stage, 1, "edge-east", 750, 250).await;
    let performance = json!({ "not_stored": { "private": 3 }, "recommendation_details": [
        { "text": "Increase TTL for /a", "why": "ttl-too-short", "numbers": {}, "patch": { "a": 1 } },
    ] });
    east.tell(|state| state.performance = performance).await;
    east.invalidate("a").await;
    let page = stage.open().await;
    page.until_shown("#headline", "catching up").await;
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        .await;
    for scheme in ["light", "dark"] {
        page.prefer(scheme).await;
        assert_eq!(page.evaluate(FAINT).await, json!([]), "{scheme}");
        picture(&page, scheme).await;
    }
    let dark = page
        .evaluate("getComputedStyle(document.body).backgroundColor")
        .await;
    page.prefer("light").await;
    assert_ne!(
        page.evaluate("getComputedStyle(document.body).backgroundColor")
            .await,
        dark
    );
    stage.is_content(&page);
}

#[tokio::test]
async fn on_a_phone_nothing_sticks_out() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let node = "long-name-without-any-gap".repeat(6);
    let mut instance = Instance::join(&stage, 1, &node, 750, 250).await;
    instance.invalidate(&"a-very-long-tag".repeat(12)).await;
    let page = stage.open().await;
    page.until_shown("#invalidations-list", "a-very-long-tag")
        .await;
    for width in [320, 390, 768, 1024, 1360, 2000] {
        page.resize(width, 800).await;
        assert_eq!(page.evaluate(WIDE).await, false, "{width}");
        picture(&page, &format!("width-{width}")).await;
    }
}

#[tokio::test]
async fn whoever_uses_no_eyes_or_no_mouse_finds_the_way() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let _instance = Instance::join(&stage, 1, "edge", 0, 0).await;
    let page = stage.open().await;
    let nameless = "Array.from(document.querySelectorAll('input, textarea, button'))
        .filter((one) => !(one.labels?.length || one.textContent.trim() || one.getAttribute('aria-label'))).map((one) => one.id)";
    assert_eq!(page.evaluate(nameless).await, json!([]));
    let landmarks = "['header', 'nav', 'main', 'footer', 'h1'].map((name) => document.querySelectorAll(`body > ${name}, body > * ${name}`).length > 0)";
    assert_eq!(
        page.evaluate(landmarks).await,
        json!([true, true, true, true, true])
    );
    // The first stop leads past everything above, and is seen when it is there.
    page.evaluate("document.activeElement.blur()").await;
    page.tab_to(".skip").await;
    assert_eq!(
        page.evaluate("document.querySelector('.skip').getBoundingClientRect().top >= 0")
            .await,
        true
    );
    page.press(larder_harness::browser::Key::Enter).await;
    page.until("document.activeElement.id === 'main'").await;
    // Where the focus is, there is a line around it.
    page.tab_to("#purge-value").await;
    assert_eq!(
        page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            .await,
        "solid"
    );
    stage.is_content(&page);
}
