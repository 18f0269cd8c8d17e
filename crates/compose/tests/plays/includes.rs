//! Fragments where they belong.

use larder_compose::{Failure, Language, Number};
use larder_core::http::Headers;

use crate::stage::{At, Stage, part};

#[test]
fn a_fragment_stands_where_it_is_included() {
    let stage = Stage::new().with("/cart", "2 things");
    for template in [
        r#"<p><esi:include src="/cart"/></p>"#,
        r#"<p><esi:include src='/cart' /></p>"#,
        "<p><esi:include\n src = /cart ></p>",
        r#"<p><ESI:Include SRC="/cart"/></p>"#,
        r#"<p><esi:include src="/cart"></esi:include></p>"#,
        r#"<p><esi:include ttl="3" src="/cart" maxwait="5"/></p>"#,
        r#"<p><esi:include src="https://shop.example/cart"/></p>"#,
        r#"<p><esi:include src="cart"/></p>"#,
    ] {
        let played = stage.play(template);
        assert_eq!(played.text(), "<p>2 things</p>", "{template}");
        assert_eq!(played.asked, ["/cart"]);
        assert!(played.page.missing.is_empty());
    }
}

#[test]
fn what_is_no_esi_stays_as_it_is() {
    let stage = Stage::new();
    for template in [
        "",
        "plain",
        "<",
        "<<<esi",
        "<esi",
        "<esi:",
        "</esi:",
        "<!-",
        "<!--",
        "<!-- <esi:include src='/x'/> --> a",
        "<!---->a<!-->b<!--->c",
        "<![CDATA[ <esi:include src='/x'/> ]]> a",
        "<html xmlns:esi=\"http://www.edge-delivery.org/esi/1.0\">",
        "<esilence/> <e:x/> </e> <!DOCTYPE html> <!--esilent--> $(HTTP_HOST)",
        "<esi:include src='/x",
        "<esi:include src=<b>",
        "a --> b",
    ] {
        assert_eq!(stage.text(template), template);
    }
    let bytes = b"\xff\0<\xfe\r\n<esi\0>";
    assert_eq!(stage.play(bytes).page.body, bytes);
}

#[test]
fn a_page_without_processing_and_one_with_may_differ() {
    let stage = Stage::new().with("/a", "A");
    let template = "1<!--esi <esi:include src='/a'/> -->2<esi:remove>no<esi:include src='/b'/></esi:remove>3\
                    <esi:comment text=\"no > no\"/>4<esi:comment>no</esi:comment >5<esi:text><esi:include src='/b'/></esi:text>6\
                    <esi:inline name=\"/x\" fetchable=\"yes\">no</esi:inline>7<!--esi-->8";
    let played = stage.play(template);
    assert_eq!(played.text(), "1 A 2345<esi:include src='/b'/>678");
    assert_eq!(played.asked, ["/a"]);
}

#[test]
fn what_is_hidden_without_an_end_is_hidden_to_the_end() {
    let stage = Stage::new();
    assert_eq!(stage.text("a<esi:remove>b</esi:remov>c"), "a");
    assert_eq!(stage.text("a<esi:text>b<esi:x>"), "ab<esi:x>");
    assert_eq!(stage.text("a<!--esi b"), "a b");
}

#[test]
fn elements_that_nobody_knows_are_not_there_and_what_is_in_them_is() {
    let stage = Stage::new().with("/a", "A");
    let template = "<esi:assign name='x' value='y'/>1<esi:foreach x>2<esi:include src='/a'/></esi:foreach></esi:include>3";
    assert_eq!(stage.text(template), "12A3");
}

#[test]
fn the_same_is_asked_for_once_however_often_it_stands_there() {
    let stage = Stage::new().with("/a", "A").with("/b", "B");
    let template = "<esi:include src='/a'/><esi:include src='/b'/><esi:include src='/x/../a'/><esi:include src='/a'/>";
    let played = stage.play(template);
    assert_eq!(
        (played.text(), played.asked),
        ("ABAA".to_owned(), vec!["/a".to_owned(), "/b".to_owned()])
    );
}

#[test]
fn a_fragment_may_be_a_template_and_is_at_home_where_it_lies() {
    let stage = Stage::new()
        .with_template(
            "/parts/nav",
            "[<esi:include src='item?1'/><esi:include src='item?2'/>]",
        )
        .with("/parts/item?1", "one")
        .with_template("/parts/item?2", "<esi:include src='../two'/>")
        .with("/two", "two");
    let played = stage.play("<esi:include src='parts/nav'/>");
    assert_eq!(played.text(), "[onetwo]");
    assert_eq!(
        played.asked,
        ["/parts/nav", "/parts/item?1", "/parts/item?2", "/two"]
    );
}

#[test]
fn the_request_for_a_fragment_is_the_clients_for_something_else() {
    let mut stage = Stage::new();
    stage.request = Headers::from_iter([
        (":method", "HEAD"),
        (":scheme", "https"),
        (":authority", "Shop.example"),
        (":path", "/start"),
        (":protocol", "x"),
        ("cookie", "user=ann"),
        ("authorization", "Bearer x"),
        ("accept-language", "de"),
        ("accept-encoding", "gzip"),
        ("if-none-match", "\"1\""),
        ("range", "bytes=0-1"),
        ("content-length", "3"),
        ("content-type", "x/y"),
        ("connection", "close"),
        ("te", "trailers"),
        ("upgrade", "x"),
        ("expect", "100-continue"),
        ("x-http-method-override", "DELETE"),
        ("x-original-url", "/start"),
        ("cache-control", "no-cache"),
    ]);
    let mut page = stage.page();
    page.push(b"<esi:include src='//shop.example/a'/>");
    let wanted = page.next_wanted().unwrap();
    let expected = Headers::from_iter([
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "Shop.example"),
        ("cookie", "user=ann"),
        ("authorization", "Bearer x"),
        ("accept-language", "de"),
        ("cache-control", "no-cache"),
        (":path", "/a"),
    ]);
    assert_eq!(wanted.request, expected);
}

#[test]
fn a_fragment_is_wanted_while_its_template_still_comes() {
    let mut page = Stage::new().page();
    page.push(b"<esi:include src='/a'");
    assert_eq!(page.next_wanted(), None);
    page.push(b"/>...");
    let wanted = page.next_wanted().unwrap();
    assert_eq!((wanted.number, page.next_wanted()), (Number(0), None));
    page.end();
    assert!(!page.is_complete());
    page.arrived(Number(1), part("nobody wants it"), None);
    page.arrived(Number(0), part("A"), None);
    page.arrived(Number(0), part("twice"), None);
    page.failed(Number(0), Failure::Status);
    assert!(page.is_complete());
    let composed = page.finish();
    assert_eq!(
        (composed.body, composed.status, composed.missing),
        (b"A...".to_vec(), 200, vec![])
    );
}

#[test]
fn what_came_before_it_was_wanted_is_ignored() {
    let mut page = Stage::new().page();
    page.push(b"<esi:include src='/a'/>");
    page.arrived(Number(0), part("too early"), Some(Language::Esi));
    assert!(page.next_wanted().is_some());
    assert_eq!(page.finish().missing, [Failure::Overdue]);
}

#[test]
fn what_a_fragment_says_is_not_read_unless_it_is_a_template() {
    let text = "<esi:include src='/b'/>$(HTTP_HOST)<!--esi x-->";
    let stage = Stage::new().at("/a", At::Here(part(text), None));
    assert_eq!(
        stage.text("<esi:vars><esi:include src='/a'/></esi:vars>"),
        text
    );
}

#[test]
fn a_template_of_which_no_page_can_be_made_is_given_back() {
    let mut page = Stage::new().page();
    page.push(b"<esi:include src='/a'/>");
    page.push(b"<esi:");
    assert_eq!(page.into_template(), b"<esi:include src='/a'/><esi:");
}
