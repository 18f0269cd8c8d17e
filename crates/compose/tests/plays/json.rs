//! Pages of JSON.

use larder_compose::{Failure, Language, Part};

use crate::stage::{At, Stage, part};

fn stage() -> Stage {
    Stage::json()
        .with_json("/user", "{ \"name\": \"ann\" }")
        .with_json("/n", "1.50")
        .without("/gone")
}

#[test]
fn an_include_stands_for_what_is_at_its_path() {
    for (template, text) in [
        (
            r#"{"a": {"$include": "/n"}, "b": 1}"#,
            r#"{"a": 1.50, "b": 1}"#,
        ),
        (
            r#"[{"$include":"/n"},{"$include":"/user"}]"#,
            r#"[1.50,{ "name": "ann" }]"#,
        ),
        (r#"{"$include": "/n"}"#, "1.50"),
        (" \t{\r\n\"$include\" : \"n\" } \n", " \t1.50 \n"),
        (r#"{"a": {"$include": "\/n"}}"#, r#"{"a": 1.50}"#),
        (r#"{"a": {"$include": "/\u006e"}}"#, r#"{"a": 1.50}"#),
        (
            r#"{"a": {"b": [[{"$include": "/n"}]]}}"#,
            r#"{"a": {"b": [[1.50]]}}"#,
        ),
        (
            r#"{"a": {"$include": "/n", "$default": 2}}"#,
            r#"{"a": 1.50}"#,
        ),
        (
            r#"{"a": {"$default": {"b": []}, "$include": "/n"}}"#,
            r#"{"a": 1.50}"#,
        ),
    ] {
        let played = stage().play(template);
        assert_eq!(played.text(), text, "{template}");
        assert!(played.page.missing.is_empty());
        assert_eq!(played.field("cache-control"), Some("max-age=60"));
    }
}

#[test]
fn what_is_no_include_stays_as_it_is() {
    for template in [
        r#"{"a": "{\"$include\": \"/n\"}", "$include": 1}"#,
        r#"{"$include": ["/n"]}"#,
        r#"{"$include": null, "b": "/n"}"#,
        r#"{"$include": "/n", "b": 1}"#,
        r#"{"b": 1, "$include": "/n"}"#,
        r#"{"$include": "/n", "$include": "/n"}"#,
        r#"{"$default": 1, "$default": 2, "$include": "/n"}"#,
        r#"{"$default": {"$include": "/n"}}"#,
        r#"{"\u0024include": "/n"}"#,
        r#"{"$include": "/n""#,
        r#"["$include", "/n"]"#,
        r#"{"a": 01, "b": {"$include": "/n"}}"#,
        r#"{} {"$include": "/n"}"#,
        "{\"$include\": \"/n\n\"}",
        "",
        "no JSON {\"$include\": \"/n\"}",
        "{ \"a\" :1.0e5 ,\t\"a\":\"\\u00e4\u{e4}\" }\n",
    ] {
        let played = stage().play(template);
        assert_eq!(played.text(), template);
        assert_eq!(played.asked.len(), 0, "{template}");
    }
}

#[test]
fn an_object_that_is_no_include_may_have_some() {
    let template = r#"{"$include": {"$include": "/n"}, "x": {"$include": "/n"}}"#;
    assert_eq!(stage().text(template), r#"{"$include": 1.50, "x": 1.50}"#);
}

#[test]
fn what_fails_is_its_default_or_null() {
    for (template, text, missing) in [
        (
            r#"[{"$include": "/gone"}]"#,
            "[null]",
            vec![Failure::Status],
        ),
        (
            r#"[{"$include": "/gone", "$default": {"a": [1]}}]"#,
            r#"[{"a": [1]}]"#,
            vec![],
        ),
        (
            r#"[{"$default": "x y", "$include": "/gone"}]"#,
            r#"["x y"]"#,
            vec![],
        ),
        (
            r#"[{"$include": "http://other.example/"}]"#,
            "[null]",
            vec![Failure::Address],
        ),
        (
            r#"[{"$include": "/\u0000"}]"#,
            "[null]",
            vec![Failure::Address],
        ),
        (r#"[{"$include": "/ä"}]"#, "[null]", vec![Failure::Address]),
        (r#"[{"$include": ""}]"#, "[null]", vec![Failure::Address]),
    ] {
        let played = stage().play(template);
        assert_eq!(
            (played.text().as_str(), &played.page.missing),
            (text, &missing),
            "{template}"
        );
        assert_eq!(played.field("cache-control"), Some("no-store"));
    }
}

#[test]
fn what_is_no_json_is_no_fragment() {
    let typed = |body: &str, media: &str| {
        let mut part = part(body);
        part.headers.push("content-type", media);
        At::Here(part, None)
    };
    for (answer, text) in [
        (typed("1", "application/problem+json; charset=utf-8"), "[1]"),
        (typed(" [ ] ", "Application/JSON"), "[ [ ] ]"),
        (typed("1", "text/html"), "[null]"),
        (typed("1, 2", "application/json"), "[null]"),
        (typed("", "application/json"), "[null]"),
        (typed("1]", "application/json"), "[null]"),
        (At::Here(part("1"), None), "[null]"),
    ] {
        let stage = Stage::json().at("/x", answer);
        assert_eq!(stage.text(r#"[{"$include": "/x"}]"#), text);
    }
    let bytes = Part {
        body: b"\"\xff\"".to_vec(),
        ..part("")
    };
    let stage = Stage::json().at("/x", At::Here(bytes, None));
    assert_eq!(stage.text(r#"[{"$include": "/x"}]"#), "[null]");
}

#[test]
fn fragments_may_have_includes_but_have_to_be_json_as_a_whole() {
    let stage = stage()
        .with_template("/a", r#"{"n": {"$include": "/n"}}"#)
        .with_template("/broken", r#"{"n": {"$include": "/never"}"#)
        .at("/esi", At::Here(part("1"), Some(Language::Esi)));
    assert_eq!(stage.text(r#"[{"$include": "/a"}]"#), r#"[{"n": 1.50}]"#);
    let played = stage.play(r#"[{"$include": "/broken"}, {"$include": "/esi"}]"#);
    assert_eq!(
        (played.text().as_str(), played.asked.len()),
        ("[null, null]", 2)
    );
    assert_eq!(
        played.page.missing,
        [Failure::Unreadable, Failure::Unreadable]
    );
}

#[test]
fn nothing_of_the_request_gets_into_json() {
    let template = r#"{"a": "$(HTTP_COOKIE{user})", "b": "<esi:include src='/n'/>"}"#;
    assert_eq!(stage().text(template), template);
}

#[test]
fn what_is_too_much_is_null() {
    let mut stage = stage();
    stage.bounds.max_fragments = 1;
    let template =
        r#"[{"$include": "/n"}, {"$include": "/n"}, {"$include": "/user", "$default": 0}]"#;
    let played = stage.play(template);
    assert_eq!(played.text(), "[1.50, null, 0]");
    assert_eq!(played.page.missing, [Failure::Bound]);
}
