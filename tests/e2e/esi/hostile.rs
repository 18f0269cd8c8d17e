//! Templates, fragments and clients that mean harm.

use super::{ESI, assert_page, html, include, managed};
use crate::management::call;
use crate::stage::Stage;
use larder_harness::client::Request;

/// What a value of the request may be made to look like.
const VALUES: [&str; 12] = [
    "..%2f..%2fadmin",
    "%2e%2e/admin",
    "//evil/x",
    "http://evil/x",
    "a%0d%0ax:y",
    "%3cesi:include%20src=/admin/%3e",
    "$(HTTP_COOKIE{c})",
    "a%2523",
    "%ff%fe",
    "%00",
    "a?b#c",
    "a;b=c&x=/admin",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_one_users_fragment_is_private() {
    let rules = ESI.replacen(
        '[',
        r#"[{"name": "cart", "match": {"path": "/cart"}, "identity": {"cookie": "session"}}, "#,
        1,
    );
    let stage = Stage::start(&rules).await;
    stage.origin.on("/page", html(&include("/cart")));
    stage.origin.on("/plain", html(&include("/part")));
    stage.origin.on("/part", html("a part"));
    stage.origin.on_call("/cart", |request| {
        let whose = request.header("cookie").unwrap_or("nobody");
        html(&format!("cart of {whose}")) // and says nothing of private
    });
    for user in ["ann", "bob", "ann", "bob"] {
        let asked = Request::get("/page").header("cookie", format!("session={user}"));
        let page = stage.send(asked).await;
        assert_eq!(page.text(), format!("cart of session={user}"));
        let control = page.header("cache-control").unwrap_or_default();
        assert!(control.contains("private"), "{page:?}");
    }
    stage.get("/plain").await;
    let plain = stage.get("/plain").await;
    let control = plain.header("cache-control").unwrap_or_default();
    assert!(!control.contains("private"), "{plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_has_a_call_of_the_management_api_on_it() {
    let stage = managed(1).await;
    let paths = [
        "/api/cache/stats",
        "/api/cache",
        "/api//cache/stats",
        "/api/%63ache/stats",
        "/api/./cache/stats",
        "/x/../api/cache/config",
        "//api/cache/stats",
        "http://api.example.com/api/cache/stats",
        "http://user@api.example.com/f",
        "http://127.0.0.1/f",
        "//evil/f",
        "/f\nx: y",
    ];
    let parts: String = paths.iter().map(|path| include(path)).collect();
    stage.origin.on("/page", html(&parts));
    stage.origin.on("/f", html("f"));
    for _ in 0..2 {
        // Whoever asks may call the API, but that is no reason to have it on a page.
        let page = stage.send(call("GET", "/page")).await;
        assert_page(&page, "");
    }
    assert_eq!(stage.origin.count("/f"), 0);
    assert_eq!(stage.origin.count("/api/cache/stats"), 0);
    stage.assert_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_leads_to_no_other_path_and_is_no_markup() {
    let stage = Stage::start(ESI).await;
    let template = [
        &include("/f/$(QUERY_STRING{x})"),
        &include("$(QUERY_STRING{x})"),
        &include("/h?$(QUERY_STRING)"),
        &include("/i/$(HTTP_COOKIE{c})"),
        "<esi:vars>$(QUERY_STRING{x}) $(HTTP_X_Y)</esi:vars>",
    ]
    .concat();
    stage.origin.on("/page", html(&template));
    for path in ["/f/*", "/h", "/i/*"] {
        stage.origin.on(path, html("."));
    }
    stage.origin.on("/admin", html("secret"));
    for value in VALUES {
        let asked = Request::get(&format!("/page?x={value}"))
            .header("cookie", "c=../../admin; c=%2e%2e")
            .header("x-y", "<script>'\"");
        let page = stage.send(asked).await;
        assert_eq!(page.status, 200, "{value}: {page:?}");
        let text = page.text();
        for wrong in ["secret", "<script", "<esi"] {
            assert!(!text.contains(wrong), "{value}: {text}");
        }
    }
    assert_eq!(stage.origin.count("/admin"), 0);
    stage.assert_unharmed().await;
}
