//! Bytes of any kind, in chunks of any size.

use larder_compose::{Composed, Language, Page};
use larder_core::http::Headers;
use proptest::prelude::*;

use crate::stage::{At, Stage, part};

fn stage() -> Stage {
    Stage::new()
        .with("/a", "A")
        .with_template(
            "/t",
            "<esi:include src='/t'/><esi:include src='/a'/>$(HTTP_HOST)",
        )
        .with_template("/json", "[1]")
        .with_json("/1", "1")
        .without("/gone")
        .at("/late", At::Late)
        .asking("referer", "<esi:include src='/a'/>$(HTTP_HOST)\"")
}

/// What a template may be made of.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    #[rustfmt::skip]
    let known = prop::sample::select(vec![
        "<", ">", "/", "\"", "'", "=", " ", "-", "!", "[", "]]>", "&", "$", "(", ")", "{", "}", "|", ":", ",",
        "<esi:", "</esi:", "/>", "<!--", "-->", "<!--esi", "<!--esi ", "<![CDATA[", "esi:", "<e", "</", "<!-",
        "<esi:include src='/a'/>", "<esi:include src='/t'/>", "<esi:include src='/gone' alt='/a'/>", "<esi:include src='/late'/>",
        "<esi:include src='/gone'/>", "<esi:include src='$(QUERY_STRING{lang})'/>", "<esi:include src=\"", " src=", " alt='/a'", " onerror='continue'",
        "<esi:remove>", "</esi:remove>", "</esi:remove", "<esi:text>", "</esi:text >", "<esi:comment text='a'/>", "<esi:comment>", "</esi:comment>",
        "<esi:try>", "<esi:attempt>", "</esi:attempt>", "<esi:except>", "</esi:except>", "</esi:try>",
        "<esi:choose>", "<esi:when test='1==1'>", "<esi:when test=\"$(HTTP_HOST)=='x'\">", "</esi:when>", "<esi:otherwise>", "</esi:otherwise>", "</esi:choose>",
        "<esi:vars>", "</esi:vars>", "$(HTTP_HOST)", "$(HTTP_REFERER)", "$(HTTP_COOKIE{user}|x)", "$(", "$(A|'",
        "{\"$include\": \"/1\"}", "{\"$include\"", ": \"/1\"", "\"$default\"", "\"a\"", "\"\\", "1", "null", "[", "]", "\u{e4}",
    ]);
    let known = known.prop_map(|piece| piece.as_bytes().to_vec());
    let piece = prop_oneof![8 => known, 1 => prop::collection::vec(any::<u8>(), 0..4)];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn language() -> impl Strategy<Value = Language> {
    prop_oneof![3 => Just(Language::Esi), 1 => Just(Language::Json)]
}

/// What does not depend on which of two fragments has failed first.
fn seen(page: Composed) -> (Vec<u8>, Headers, usize) {
    (page.body, page.headers, page.missing.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_page_is_the_same_in_whatever_chunks_its_template_comes(
        template in pieces(), cuts in prop::collection::vec(0..400_usize, 0..8), language in language(),
    ) {
        let stage = Stage { language, ..stage() };
        let whole = stage.play(&template);
        let single = stage.play_in_chunks(template.chunks(1));
        prop_assert_eq!(seen(single.page), seen(whole.page.clone()));
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(template.len())).collect();
        cuts.extend([0, template.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|cut| &template[cut[0]..cut[1]]);
        prop_assert_eq!(seen(stage.play_in_chunks(chunks).page), seen(whole.page));
    }

    #[test]
    fn a_page_is_the_same_in_whatever_order_its_fragments_come(
        template in pieces(), order in prop::collection::vec(0..9_usize, 1..20), language in language(),
    ) {
        let stage = Stage { language, ..stage() };
        let mut order = order.into_iter().cycle();
        let shuffled = stage.play_out_of_order(&template, |_| order.next().unwrap());
        prop_assert_eq!(seen(shuffled.page), seen(stage.play(&template).page));
    }

    #[test]
    fn no_page_is_larger_than_its_template_and_the_bound(
        template in pieces(), max_bytes in 0..200_usize, max_fragments in 0..5_usize, language in language(),
    ) {
        let mut stage = Stage { language, ..stage() };
        stage.bounds.max_bytes = max_bytes;
        stage.bounds.max_fragments = max_fragments;
        let played = stage.play(&template);
        prop_assert!(played.page.body.len() <= template.len() + max_bytes);
        prop_assert!(played.asked.len() <= max_fragments);
    }

    #[test]
    fn what_has_no_beginning_of_esi_in_it_is_not_touched(text in "[ -~\n<>/!e\u{e4}-]{0,60}") {
        let is_plain = !text.to_ascii_lowercase().contains("<esi:") && !text.to_ascii_lowercase().contains("</esi:")
            && !text.to_ascii_lowercase().contains("<!--esi");
        prop_assume!(is_plain);
        prop_assert_eq!(stage().text(&text), text);
    }

    #[test]
    fn a_page_of_json_is_json(values in prop::collection::vec((0..6_usize, "[a-z$\"\\\\{}]{0,4}"), 0..8)) {
        let member = |(kind, text): &(usize, String)| match kind {
            0 => serde_json::json!({"$include": "/1"}),
            1 => serde_json::json!({"$include": "/gone", "$default": [text]}),
            2 => serde_json::json!({"$include": text}),
            3 => serde_json::json!({"a": {"$include": "/late"}, "b": text}),
            4 => serde_json::json!({"$include": "/1", "x": [{"$include": "/1"}]}),
            _ => serde_json::json!(text),
        };
        let template = serde_json::Value::Array(values.iter().map(member).collect()).to_string();
        let stage = Stage { language: Language::Json, ..stage() };
        let played = stage.play(&template);
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&played.page.body).is_ok(), "{}", played.text());
    }
}

/// A megabyte of it, at once and in small chunks, in time that grows with it alone: a reader that looks again at everything it has
/// passed would be at it for an hour.
fn endure(piece: &str, chunk: usize) -> Vec<u8> {
    let template = piece.repeat(1_000_000 / piece.len());
    let mut stage = stage();
    if piece.starts_with(['[', '{']) {
        stage.language = Language::Json;
    }
    stage.bounds.max_bytes = 32 << 20;
    let mut page: Page = stage.page();
    for chunk in template.as_bytes().chunks(chunk) {
        page.push(chunk);
    }
    page.end();
    while let Some(wanted) = page.next_wanted() {
        page.arrived(wanted.number, part("A"), None);
    }
    let body = page.finish().body;
    assert!(body.len() <= template.len() + stage.bounds.max_bytes);
    body
}

#[test]
fn nothing_takes_longer_than_it_is_long() {
    #[rustfmt::skip]
    let pieces = [
        "<esi:", "<", "<!--", "<!--esi", "<!-", "-", "--", "-->", "</esi:", "<esi:x>", "<esi:x ", "<esi:include src=\"", "<esi:x a='", "<esi:x a='<esi:x a=\"",
        "<esi:x a=b ", "<esi:try>", "<esi:try><esi:attempt>", "<esi:choose><esi:when test='1==1'>", "<esi:vars>", "</esi:try>", "<esi:try></esi:try>",
        "<esi:include src='/a'/>", "<esi:include src='/a' onerror='continue'/>", "<esi:try><esi:attempt><esi:include/></esi:attempt></esi:try>",
        "<esi:remove>", "<esi:remove></esi:remove", "<esi:remove></esi:remove ", "<esi:text>a</esi:text>", "<![CDATA[", "<![CDATA[]]>", "]]>", ">",
        "<esi:vars>$(", "<esi:vars>$(A|", "<esi:vars>$(A|'", "<esi:vars>$(A{", "<esi:vars>$(HTTP_HOST)</esi:vars>", "<!--esi-->", "<!--esi --", "\0", "\u{ff}",
        "[", "{", "[{\"a\":", "{\"$include\":", "[{\"$include\":\"/a\"},", "[\"\\u", "[1,", "[\"",
    ];
    for piece in pieces {
        endure(piece, usize::MAX);
        endure(piece, 97);
    }
}

#[test]
fn ten_megabytes_of_beginnings_are_text() {
    let template = "<esi:".repeat(2_000_000);
    assert_eq!(stage().play(&template).page.body, template.as_bytes());
}

#[test]
fn elements_stand_in_each_other_only_so_deep() {
    for (open, close) in [
        ("<esi:try><esi:attempt>", "</esi:attempt></esi:try>"),
        ("<esi:vars>", "</esi:vars>"),
        (
            "<esi:choose><esi:when test='1==1'>",
            "</esi:when></esi:choose>",
        ),
    ] {
        let nested = |depth: usize| format!("1{}2{}3", open.repeat(depth), close.repeat(depth));
        assert_eq!(stage().text(&nested(16)), "123");
        let played = stage().play(nested(10_000));
        assert_eq!(played.text(), "13");
        assert_eq!(played.page.missing, [larder_compose::Failure::Bound]);
    }
}

#[test]
fn a_tag_is_only_so_long() {
    let tag = |length: usize| format!("<esi:include x='{}' src='/a'/>", " ".repeat(length));
    assert_eq!(stage().text(&tag(8000)), "A");
    assert_eq!(stage().text(&tag(9000)), tag(9000));
}
