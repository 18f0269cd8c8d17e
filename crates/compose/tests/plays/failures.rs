//! Fragments that cannot be had, and what stands in their place.

use larder_compose::{Failure, Language, Part};
use larder_core::http::Headers;

use crate::stage::{At, Stage, part};

fn stage() -> Stage {
    Stage::new()
        .without("/gone")
        .at("/late", At::Late)
        .with("/a", "A")
        .with("/b", "B")
}

#[test]
fn the_alternative_is_asked_for_when_the_first_fails() {
    let played = stage().play("<esi:include src='/gone' alt='/b'/>");
    assert_eq!(
        (played.text(), played.asked),
        ("B".to_owned(), vec!["/gone".to_owned(), "/b".to_owned()])
    );
    assert!(played.page.missing.is_empty());
    let played = stage().play("<esi:include src='/a' alt='/b'/>");
    assert_eq!(
        (played.text(), played.asked),
        ("A".to_owned(), vec!["/a".to_owned()])
    );
}

#[test]
fn what_may_fail_leaves_nothing_and_is_not_missed() {
    for template in [
        "[<esi:include src='/gone' onerror='continue'/>]",
        "[<esi:include src='/gone' alt='/gone?2' onerror='Continue'/>]",
        "[<esi:include onerror='continue'/>]",
        "[<esi:include src='http://other.example/' onerror='continue'/>]",
    ] {
        let played = stage().play(template);
        assert_eq!(played.text(), "[]", "{template}");
        assert!(played.page.missing.is_empty(), "{template}");
        assert_eq!(
            played.field("cache-control"),
            Some("no-store"),
            "it is a poorer page"
        );
    }
}

#[test]
fn what_may_not_fail_leaves_nothing_and_is_missed() {
    for (template, why) in [
        ("[<esi:include src='/gone'/>]", Failure::Status),
        (
            "[<esi:include src='/gone' alt='/nobody'/>]",
            Failure::Unreachable,
        ),
        (
            "[<esi:include src='/gone' onerror='stop'/>]",
            Failure::Status,
        ),
        ("[<esi:include src='/late'/>]", Failure::Overdue),
        (
            "[<esi:include src='/late' alt='/late?2'/>]",
            Failure::Overdue,
        ),
        ("[<esi:include/>]", Failure::Address),
        ("[<esi:include src='//other.example/'/>]", Failure::Address),
        (
            "[<esi:include src='http://shop.example/a'/>]",
            Failure::Address,
        ),
    ] {
        let played = stage().play(template);
        assert_eq!(played.text(), "[]", "{template}");
        assert_eq!(played.page.missing, [why], "{template}");
        assert_eq!(
            played.field("cache-control"),
            Some("no-store"),
            "{template}"
        );
        assert_eq!(played.field("etag"), None, "{template}");
    }
}

#[test]
fn an_attempt_that_fails_is_replaced_as_a_whole() {
    let template = "<esi:try> no <esi:attempt>1<esi:include src='/a'/><esi:include src='/gone'/></esi:attempt>\
                    no<esi:except>sorry <esi:include src='/b'/></esi:except></esi:try>";
    let played = stage().play(template);
    assert_eq!(played.text(), "sorry B");
    assert_eq!(played.asked, ["/a", "/gone", "/b"]);
    assert!(played.page.missing.is_empty());
}

#[test]
fn an_attempt_that_succeeds_leaves_the_other_unasked() {
    let template = "<esi:try><esi:except><esi:include src='/b'/></esi:except>\
                    <esi:attempt>1<esi:include src='/a'/><esi:include src='/gone' onerror='continue'/></esi:attempt></esi:try>";
    let played = stage().play(template);
    assert_eq!((played.text().as_str(), played.asked.len()), ("1A", 2));
}

#[test]
fn what_is_late_fails_its_attempt_too() {
    let template = "<esi:try><esi:attempt><esi:include src='/late'/></esi:attempt>\
                    <esi:except>sorry<esi:include src='/late'/></esi:except></esi:try>";
    let played = stage().play(template);
    assert_eq!(played.text(), "sorry");
    assert_eq!(played.page.missing, [Failure::Overdue]);
}

#[test]
fn attempts_stand_in_attempts_and_in_exceptions() {
    let inner = "<esi:try><esi:attempt><esi:include src='/gone'/></esi:attempt><esi:except>inner<esi:include src='/gone?2'/></esi:except></esi:try>";
    let attempt = format!(
        "<esi:try><esi:attempt>{inner}</esi:attempt><esi:except>outer</esi:except></esi:try>"
    );
    assert_eq!(stage().text(&attempt), "outer");
    let except = format!(
        "<esi:try><esi:attempt><esi:include src='/gone'/></esi:attempt><esi:except>[{inner}]</esi:except></esi:try>"
    );
    let played = stage().play(&except);
    assert_eq!(played.text(), "[inner]");
    assert_eq!(played.page.missing, [Failure::Unreachable]);
}

#[test]
fn an_attempt_without_anything_in_its_place_is_missed() {
    let played =
        stage().play("[<esi:try><esi:attempt>1<esi:include src='/gone'/></esi:attempt></esi:try>]");
    assert_eq!(played.text(), "[]");
    assert_eq!(played.page.missing, [Failure::Status]);
}

#[test]
fn elements_in_the_wrong_place_mean_as_much_as_they_can() {
    for (template, text) in [
        ("<esi:attempt>1</esi:attempt>", "1"),
        ("<esi:except>1</esi:except>2", "2"),
        ("<esi:try>1</esi:try>2", "2"),
        ("<esi:try><esi:attempt>1</esi:try>2", "12"),
        ("<esi:try/>1</esi:try></esi:attempt>2", "12"),
        ("<esi:try><esi:attempt>1", "1"),
        (
            "<esi:try><esi:vars><esi:attempt>1</esi:attempt></esi:vars></esi:try>2",
            "2",
        ),
    ] {
        assert_eq!(stage().text(template), text, "{template}");
    }
}

#[test]
fn a_fragment_that_is_awaited_by_nobody_is_not_waited_for() {
    let mut page = stage().page();
    page.push(b"<esi:try><esi:attempt><esi:include src='/late'/><esi:include src='/gone'/></esi:attempt><esi:except>E</esi:except></esi:try>");
    page.end();
    let (_, gone) = (page.next_wanted().unwrap(), page.next_wanted().unwrap());
    assert!(!page.is_complete());
    page.failed(gone.number, Failure::Status);
    assert!(page.is_complete());
    let composed = page.finish();
    assert_eq!((composed.body, composed.missing), (b"E".to_vec(), vec![]));
}

#[test]
fn what_is_no_answer_is_no_fragment() {
    let coded = Part {
        headers: Headers::from_iter([("content-encoding", "gzip")]),
        ..part("\u{1f}")
    };
    let plain = Part {
        headers: Headers::from_iter([("content-encoding", "identity")]),
        ..part("plain")
    };
    for (answer, text, missing) in [
        (
            Part {
                status: 404,
                ..part("no")
            },
            "",
            vec![Failure::Status],
        ),
        (
            Part {
                status: 206,
                ..part("no")
            },
            "",
            vec![Failure::Status],
        ),
        (
            Part {
                status: 302,
                ..part("no")
            },
            "",
            vec![Failure::Status],
        ),
        (
            Part {
                status: 204,
                ..part("")
            },
            "",
            vec![],
        ),
        (coded, "", vec![Failure::Unreadable]),
        (plain, "plain", vec![]),
    ] {
        let played = Stage::new()
            .at("/x", At::Here(answer, None))
            .play("<esi:include src='/x'/>");
        assert_eq!(
            (played.text().as_str(), played.page.missing),
            (text, missing)
        );
    }
}

#[test]
fn templates_stand_in_templates_only_so_deep() {
    let mut stage = Stage::new().with_template("/start", "(<esi:include src='/start'/>)");
    let played = stage.play("(<esi:include src='/start'/>)");
    assert_eq!(played.text(), "((()))", "three templates, as said");
    assert_eq!(played.page.missing, [Failure::Bound]);
    assert_eq!(played.field("cache-control"), Some("no-store"));
    stage.bounds.max_depth = 1;
    assert_eq!(
        stage.play("(<esi:include src='/start'/>)").page.missing,
        [Failure::Bound]
    );
    let plain = stage.with("/plain", "<esi:include src='/x'/>");
    assert_eq!(
        plain.text("<esi:include src='/plain'/>"),
        "<esi:include src='/x'/>"
    );
}

#[test]
fn a_page_has_only_so_many_fragments() {
    let mut stage = stage();
    stage.bounds.max_fragments = 2;
    let played = stage.play("<esi:include src='/a'/><esi:include src='/a'/><esi:include src='/b'/>3<esi:include src='/a'/>");
    assert_eq!(played.text(), "AA3");
    assert_eq!(played.page.missing, [Failure::Bound, Failure::Bound]);
    let played = stage.play("<esi:include src='/gone' alt='/gone?2'/><esi:include src='/a'/>");
    assert_eq!(
        (played.text().as_str(), played.page.missing),
        ("A", vec![Failure::Bound])
    );
    let tried = "<esi:try><esi:attempt><esi:include src='/a'/><esi:include src='/a'/><esi:include src='/b'/></esi:attempt><esi:except>E</esi:except></esi:try>";
    let played = stage.play(tried);
    assert_eq!((played.text().as_str(), played.page.missing), ("E", vec![]));
}

#[test]
fn fragments_that_multiply_are_counted_wherever_they_stand() {
    let mut stage = Stage::new().with("/1", "1");
    stage.bounds.max_depth = 16;
    stage.bounds.max_fragments = 50;
    for depth in 2..=16 {
        let below = depth - 1;
        let twice = format!("<esi:include src='/{below}'/><esi:include src='/{below}'/>");
        stage = stage.with_template(&format!("/{depth}"), &twice);
    }
    let played = stage.play("<esi:include src='/16'/>");
    assert!(played.text().len() <= 50, "{}", played.text().len());
    assert!(played.page.missing.contains(&Failure::Bound));
}

#[test]
fn a_page_has_only_so_many_bytes_but_always_the_templates_own() {
    let mut stage = Stage::new()
        .with("/5", "55555")
        .with_template("/7", "77<esi:include src='/5'/>77");
    stage.bounds.max_bytes = 10;
    let played = stage.play("123<esi:include src='/5'/>456<esi:include src='/5'/>789");
    assert_eq!(played.text(), "12355555456789");
    assert_eq!(played.page.missing, [Failure::Bound]);
    stage.bounds.max_bytes = 40;
    let played = stage.play("<esi:include src='/7'/>");
    assert_eq!(
        (played.text().as_str(), played.page.missing),
        ("775555577", vec![])
    );
    stage.bounds.max_bytes = 8;
    let played = stage.play("<esi:include src='/5' alt='/9'/>");
    assert_eq!(
        (played.text().as_str(), played.page.missing),
        ("55555", vec![])
    );
    stage.bounds.max_bytes = 4;
    let stage = stage.with("/9", "9");
    let played = stage.play("<esi:include src='/5' alt='/9'/>");
    assert_eq!((played.text().as_str(), played.page.missing), ("9", vec![]));
}

#[test]
fn what_is_missing_in_a_fragment_is_missing_on_the_page_unless_that_part_is_not_on_it() {
    let stage = stage().with_template("/t", "T<esi:include src='/gone'/>");
    let played = stage.play("<esi:include src='/t'/>");
    assert_eq!(
        (played.text().as_str(), played.page.missing),
        ("T", vec![Failure::Status])
    );
    let played = stage.play("<esi:try><esi:attempt><esi:include src='/t'/><esi:include src='/nobody'/></esi:attempt><esi:except>E</esi:except></esi:try>");
    assert_eq!((played.text().as_str(), played.page.missing), ("E", vec![]));
}
#[test]
fn a_fragment_that_is_json_with_includes_may_stand_in_html() {
    let json = At::Here(part(r#"{"a": {"$include": "/a"}}"#), Some(Language::Json));
    let played = Stage::new()
        .with_json("/a", "[1]")
        .at("/j", json)
        .play("<script>x = <esi:include src='/j'/></script>");
    assert_eq!(played.text(), r#"<script>x = {"a": [1]}</script>"#);
}
