//! Responses that vary.

use crate::stage::{CACHE_ALL, Stage, get, reply};

#[test]
fn each_variant_has_its_place() {
    let mut stage = Stage::new(CACHE_ALL);
    let ask = |language| get("/a").with("accept-language", language);
    let answer = |text| reply(text).with("vary", "accept-language");
    stage.exchange(ask("de"), answer("hallo"));
    assert_eq!(
        stage.exchange(ask("fr"), answer("salut")).cache(),
        ("MISS", "larder; fwd=vary-miss; stored")
    );
    assert_eq!(stage.exchange(ask("de"), answer("other")).text(), "hallo");
    assert_eq!(stage.exchange(ask("fr"), answer("other")).text(), "salut");
    assert_eq!(stage.origin_requests, 2);
}

#[test]
fn an_origin_that_varies_on_more_is_asked_again_and_not_mixed_up() {
    let mut stage = Stage::new(CACHE_ALL);
    let ask = |language, device| {
        get("/a")
            .with("accept-language", language)
            .with("x-device", device)
    };
    stage.exchange(
        ask("de", "phone"),
        reply("de").with("vary", "accept-language"),
    );
    stage.exchange(
        ask("fr", "phone"),
        reply("fr phone").with("vary", "Accept-Language, X-Device"),
    );
    assert_eq!(
        stage
            .exchange(ask("fr", "desk"), reply("fr desk").with("vary", "x-device"))
            .field("x-cache"),
        "MISS"
    );
    assert_eq!(
        stage.exchange(ask("fr", "phone"), reply("?")).text(),
        "fr phone"
    );
    assert_eq!(
        stage.exchange(ask("fr", "desk"), reply("?")).text(),
        "fr desk"
    );
}

#[test]
fn too_many_variants_are_refused_until_the_first_are_over() {
    let configuration = r#"{"limits":{"max_variants":2},"rules":[{"name":"all","match":{"path":"/.*"},"ttl_seconds":60}]}"#;
    let mut stage = Stage::new(configuration);
    let ask = |agent: &str| get("/a").with("user-agent", agent);
    let answer = || reply("x").with("vary", "user-agent");
    stage.exchange(ask("1"), answer());
    stage.exchange(ask("2"), answer());
    assert_eq!(
        stage.exchange(ask("3"), answer()).cache(),
        ("MISS", "larder; fwd=vary-miss; detail=vary-limit")
    );
    stage.wait(60);
    assert_eq!(stage.exchange(ask("3"), answer()).field("x-cache"), "MISS");
    assert_eq!(stage.exchange(ask("3"), answer()).field("x-cache"), "HIT");
}

#[test]
fn a_list_with_odd_spacing_is_the_same_list() {
    let mut stage = Stage::new(CACHE_ALL);
    let ask = || get("/a").with("accept", "a").with("accept-language", "de");
    stage.exchange(
        ask(),
        reply("x")
            .with("vary", " Accept ,, accept-language,")
            .with("vary", "ACCEPT"),
    );
    assert_eq!(stage.exchange(ask(), reply("y")).text(), "x");
}

#[test]
fn the_newest_response_decides_whether_a_url_varies() {
    let mut stage = Stage::new(CACHE_ALL);
    let ask = |language| get("/a").with("accept-language", language);
    let varies = |text| reply(text).with("vary", "accept-language");
    stage.exchange(ask("de"), varies("hallo"));
    stage.exchange(ask("fr"), reply("the same for all"));
    for language in ["de", "fr", "en"] {
        let answer = stage.exchange(ask(language), reply("other"));
        assert_eq!(answer.text(), "the same for all", "{language}");
    }
    stage.wait(60);
    stage.exchange(ask("de"), varies("hallo"));
    assert_eq!(stage.exchange(ask("fr"), varies("salut")).text(), "salut");
}
