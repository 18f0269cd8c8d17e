//! The browser that plays drive, tried on a page of a few lines.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failing assertion is the report"
)]

use larder_harness::Scratch;
use larder_harness::browser::{self, Browser, Key};
use larder_harness::origin::{Origin, Reply};

const PAGE: &str = "<!doctype html><title>t</title><link rel=icon href=data:,>
    <form onsubmit='said.textContent = named.value; return false'><input id=named><button>Say</button></form>
    <p id=said></p>
    <style>@media (prefers-color-scheme: dark) { body { color: rgb(1, 2, 3) } }</style>";

async fn origin() -> Origin {
    let origin = Origin::start().await.unwrap();
    let html = |text: &str| Reply::ok(text.to_owned()).header("content-type", "text/html");
    origin.on("/", html(PAGE));
    origin.on(
        "/broken",
        html("<link rel=icon href=data:,><script>console.error('a'); throw 'b'</script>"),
    );
    origin
}

#[tokio::test]
async fn a_page_is_used_by_its_keys_and_read_as_it_is_shown() {
    if !browser::is_there() {
        return;
    }
    let origin = origin().await;
    let browser = Browser::start().await.unwrap();
    let url = format!("http://{}/", origin.address());
    let page = browser.open(&url).await.unwrap();
    page.tab_to("#named").await;
    page.write("<b>&").await;
    page.press(Key::Enter).await;
    page.until_shown("#said", "<b>&").await;
    assert_eq!(page.text("#said").await, "<b>&");
    assert_eq!(page.asked_for(), [url]);
    assert_eq!(page.complaints(), [""; 0]);
}

#[tokio::test]
async fn what_goes_wrong_in_a_page_is_told() {
    if !browser::is_there() {
        return;
    }
    let origin = origin().await;
    let browser = Browser::start().await.unwrap();
    let page = browser
        .open(&format!("http://{}/broken", origin.address()))
        .await
        .unwrap();
    assert_eq!(page.complaints().len(), 2);
    assert!(browser.open("http://127.0.0.1:1/").await.is_err());
}

#[tokio::test]
async fn a_page_is_seen_dark_and_in_any_size() {
    if !browser::is_there() {
        return;
    }
    let origin = origin().await;
    let browser = Browser::start().await.unwrap();
    let page = browser
        .open(&format!("http://{}/", origin.address()))
        .await
        .unwrap();
    page.prefer("dark").await;
    page.resize(390, 844).await;
    let seen = "[getComputedStyle(document.body).color, innerWidth]";
    assert_eq!(
        page.evaluate(seen).await,
        serde_json::json!(["rgb(1, 2, 3)", 390])
    );
    let directory = Scratch::new("picture").unwrap();
    let picture = directory.path().join("page.png");
    page.picture(&picture).await.unwrap();
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}
