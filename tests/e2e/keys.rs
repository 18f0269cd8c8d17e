//! What makes two requests the same.

use larder_harness::client::{Request, raw};
use larder_harness::origin::{Received, Reply};
use larder_harness::wait::PATIENCE;

use crate::stage::{CACHE_ALL, Stage, x_cache};

/// Answers with what it was asked.
fn echo(request: &Received) -> Reply {
    Reply::ok(format!("{} {}", request.method, request.path))
}

#[tokio::test]
async fn the_order_of_parameters_does_not_matter() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/list", echo);
    let first = stage.get("/list?b=2&a=1").await;
    let second = stage.get("/list?a=1&b=2").await;
    assert_eq!((x_cache(&first), x_cache(&second)), ("MISS", "HIT"));
    assert_eq!(first.body, second.body);
    assert_eq!(x_cache(&stage.get("/list?a=1&b=3").await), "MISS");
}

#[tokio::test]
async fn tracking_parameters_are_left_out() {
    let configuration = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,
        "key":{"query":{"exclude":["utm_*","gclid"]}}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/page", echo);
    assert_eq!(
        x_cache(&stage.get("/page?id=1&utm_source=mail&gclid=x").await),
        "MISS"
    );
    assert_eq!(
        x_cache(&stage.get("/page?utm_campaign=y&id=1").await),
        "HIT"
    );
    assert_eq!(x_cache(&stage.get("/page?id=2").await), "MISS");
}

#[tokio::test]
async fn only_the_parameters_that_count() {
    let configuration = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,
        "key":{"query":{"include":["page"]}}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/page", echo);
    assert_eq!(x_cache(&stage.get("/page?page=1&session=a").await), "MISS");
    assert_eq!(x_cache(&stage.get("/page?session=b&page=1").await), "HIT");
    assert_eq!(x_cache(&stage.get("/page?page=2").await), "MISS");
}

#[tokio::test]
async fn hosts_and_schemes_and_escapes_are_told_apart_where_they_mean_different_things() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/*", echo);
    assert_eq!(x_cache(&stage.get("/a%7eb").await), "MISS");
    assert_eq!(
        x_cache(&stage.get("/a~b").await),
        "HIT",
        "an escaped unreserved character is that character"
    );
    assert_eq!(x_cache(&stage.get("/a%2Fb").await), "MISS");
    assert_eq!(
        x_cache(&stage.get("/a%2fb").await),
        "HIT",
        "the case of an escape says nothing"
    );
    assert_eq!(
        x_cache(&stage.get("/a/b").await),
        "MISS",
        "an escaped slash is no slash"
    );
    let other = larder_harness::client::send(
        stage.address(),
        Request::get("/a~b").authority("other.example.com"),
    );
    assert_eq!(x_cache(&other.await.unwrap()), "MISS");
    let same = larder_harness::client::send(
        stage.address(),
        Request::get("/a~b").authority("API.example.com:80"),
    );
    assert_eq!(x_cache(&same.await.unwrap()), "HIT");
}

#[tokio::test]
async fn chosen_headers_and_cookies_are_part_of_the_key() {
    let configuration = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,
        "key":{"headers":["accept-language"],"cookies":["tenant"]}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/page", echo);
    let german = || {
        Request::get("/page")
            .header("accept-language", "de")
            .header("cookie", "sid=1; tenant=red")
    };
    assert_eq!(x_cache(&stage.send(german()).await), "MISS");
    assert_eq!(x_cache(&stage.send(german()).await), "HIT");
    let rows = [
        (
            "another language",
            Request::get("/page")
                .header("accept-language", "fr")
                .header("cookie", "tenant=red"),
        ),
        (
            "another tenant",
            Request::get("/page")
                .header("accept-language", "de")
                .header("cookie", "tenant=blue"),
        ),
        (
            "no tenant",
            Request::get("/page").header("accept-language", "de"),
        ),
    ];
    for (name, request) in rows {
        assert_eq!(x_cache(&stage.send(request).await), "MISS", "{name}");
    }
    let other_session = Request::get("/page")
        .header("accept-language", "de")
        .header("cookie", "tenant=red; sid=2");
    assert_eq!(x_cache(&stage.send(other_session).await), "HIT");
}

#[tokio::test]
async fn a_template_stands_for_path_and_query() {
    let configuration = r#"{"rules":[{"name":"profile","match":{"path":"/user/(?P<user_id>[^/]+)/profile(/full)?"},
        "ttl_seconds":60,"key":{"template":"user_profile:{user_id}"}}]}"#;
    let stage = Stage::start(configuration).await;
    stage.origin.on_call("/user/*", echo);
    assert_eq!(x_cache(&stage.get("/user/7/profile?x=1").await), "MISS");
    assert_eq!(x_cache(&stage.get("/user/7/profile/full").await), "HIT");
    assert_eq!(x_cache(&stage.get("/user/8/profile").await), "MISS");
}

#[tokio::test]
async fn responses_that_vary_have_a_place_for_each_variant() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/greeting", |request| {
        let language = request.header("accept-language").unwrap_or("none");
        Reply::ok(format!("hello in {language}")).header("vary", "Accept-Language")
    });
    let ask = |language: &str| Request::get("/greeting").header("accept-language", language);
    for language in ["de", "fr"] {
        assert_eq!(
            x_cache(&stage.send(ask(language)).await),
            "MISS",
            "{language}"
        );
    }
    for language in ["fr", "de"] {
        let answer = stage.send(ask(language)).await;
        assert_eq!(
            (x_cache(&answer), answer.text()),
            ("HIT", format!("hello in {language}"))
        );
    }
    assert_eq!(
        x_cache(&stage.get("/greeting").await),
        "MISS",
        "no field is a variant of its own"
    );
    assert_eq!(stage.origin.count("/greeting"), 3);
}

#[tokio::test]
async fn a_response_that_varies_on_everything_is_not_stored() {
    let stage = Stage::start(CACHE_ALL).await;
    stage
        .origin
        .on("/any", Reply::ok("x").header("vary", "accept, *"));
    for _ in 0..2 {
        let answer = stage.get("/any").await;
        assert_eq!(
            answer.header("cache-status"),
            Some("larder; fwd=uri-miss; detail=vary-star")
        );
    }
}

#[tokio::test]
async fn a_parameter_behind_a_semicolon_is_not_left_out_with_the_one_before_it() {
    let configuration = r#"{"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60,
        "key":{"query":{"exclude":["utm_*"]}}}]}"#;
    let stage = Stage::start(configuration).await;
    stage
        .origin
        .on_call("/list", |request| Reply::ok(request.path.clone()));
    assert_eq!(x_cache(&stage.get("/list?utm_x=1;page=2").await), "MISS");
    let plain = stage.get("/list").await;
    assert_eq!((x_cache(&plain), plain.text().as_str()), ("MISS", "/list"));
}

#[tokio::test]
async fn a_client_cannot_fetch_for_another_scheme_than_the_origin_is_told() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/page", |request| {
        Reply::ok(request.header("x-forwarded-proto").unwrap_or("").to_owned())
    });
    // An absolute target sets `:scheme`; Envoy goes on telling the origin what the connection was.
    let absolute =
        b"GET https://api.example.com/page HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let poison = raw(stage.address(), absolute, PATIENCE).await.unwrap();
    assert!(poison.ends_with(b"\r\n\r\nhttp"));
    let over_tls = Request::get("/page").header("x-forwarded-proto", "https");
    let honest = stage.send(over_tls).await;
    assert_eq!(
        (x_cache(&honest), honest.text().as_str()),
        ("MISS", "https")
    );
}

#[tokio::test]
async fn spellings_of_one_wish_share_a_variant() {
    let stage = Stage::start(CACHE_ALL).await;
    stage.origin.on_call("/coded", |request| {
        let wish = request.header("accept-encoding").unwrap_or("none");
        Reply::ok(format!("for {wish}")).header("vary", "Accept-Encoding")
    });
    let ask = |wish: &'static str| Request::get("/coded").header("accept-encoding", wish);
    stage.send(ask("gzip, br")).await;
    for wish in ["br,gzip", "GZIP;q=1.0, br", "x-gzip, br, deflate;q=0"] {
        let answer = stage.send(ask(wish)).await;
        assert_eq!(
            (x_cache(&answer), answer.text().as_str()),
            ("HIT", "for gzip, br"),
            "{wish}"
        );
    }
    for wish in [
        "gzip",
        "gzip, br, zstd",
        "gzip, br;q=0.5",
        "gzip, br, identity;q=0",
    ] {
        let answer = stage.send(ask(wish)).await;
        assert_eq!(
            (x_cache(&answer), answer.text()),
            ("MISS", format!("for {wish}"))
        );
    }
    assert_eq!(stage.origin.count("/coded"), 5);
}
