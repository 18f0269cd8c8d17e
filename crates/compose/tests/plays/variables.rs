//! What the client says, on the page and in addresses, where it is text and nothing else.

use larder_compose::Failure;
use larder_core::http::Headers;

use crate::stage::{At, Stage, part};

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0";

fn vars(stage: &Stage, text: &str) -> String {
    stage.text(&format!("<esi:vars>{text}</esi:vars>"))
}

#[test]
fn variables_are_known_within_vars_only() {
    let stage = Stage::new();
    assert_eq!(
        stage.text("$(HTTP_HOST)<esi:vars>$(HTTP_HOST)<b>$(HTTP_HOST)</b></esi:vars>$(HTTP_HOST)"),
        "$(HTTP_HOST)shop.example<b>shop.example</b>$(HTTP_HOST)"
    );
    assert_eq!(
        stage.text("<esi:vars name=\"$(HTTP_HOST)\"/>$(HTTP_HOST)"),
        "shop.example$(HTTP_HOST)"
    );
    assert_eq!(stage.text("<esi:vars name='x'/>"), "");
    assert_eq!(
        vars(
            &stage,
            "<!-- $(HTTP_HOST) --><esi:text>$(HTTP_HOST)</esi:text>"
        ),
        "<!-- $(HTTP_HOST) -->$(HTTP_HOST)"
    );
}

#[test]
fn each_stands_for_what_it_says() {
    let stage = Stage::new()
        .asking("cookie", "b=two words; user=late; e=")
        .asking("accept-language", "de-CH, en;q=0.5, fr;q=0")
        .asking("referer", "https://a.example/?x")
        .asking("user-agent", AGENT)
        .asking("x-user-id", "7")
        .asking("authorization", "Bearer secret");
    for (variable, value) in [
        ("$(HTTP_HOST)", "shop.example"),
        ("$(QUERY_STRING)", "lang=de&amp;name=a%26b"),
        ("$(QUERY_STRING{name})", "a&amp;b"),
        ("$(QUERY_STRING{lang})", "de"),
        ("$(QUERY_STRING{none})", ""),
        ("$(REQUEST_PATH)", "/start"),
        ("$(REQUEST_METHOD)", "GET"),
        ("$(HTTP_COOKIE{user})", "ann"),
        ("$(HTTP_COOKIE{b})", "two words"),
        ("$(HTTP_COOKIE{e}|none)", "none"),
        ("$(HTTP_COOKIE)", ""),
        ("$(HTTP_AUTHORIZATION)", ""),
        ("$(HTTP_ACCEPT_LANGUAGE)", "de-CH, en;q=0.5, fr;q=0"),
        ("$(HTTP_ACCEPT_LANGUAGE{de})", "true"),
        ("$(HTTP_ACCEPT_LANGUAGE{DE-ch})", "true"),
        ("$(HTTP_ACCEPT_LANGUAGE{d})", "false"),
        ("$(HTTP_ACCEPT_LANGUAGE{fr})", "false"),
        ("$(HTTP_REFERER)", "https://a.example/?x"),
        ("$(HTTP_USER_AGENT{browser})", "MOZILLA"),
        ("$(HTTP_USER_AGENT{version})", "5.0"),
        ("$(HTTP_USER_AGENT{os})", "UNIX"),
        ("$(HTTP_USER_AGENT{x})", ""),
        ("$(HTTP_X_USER_ID)", "7"),
        ("$(HTTP_X_USER_ID{x}|none)", "none"),
        ("$(HTTP_X_NONE|none)", "none"),
        ("$(HTTP_X_NONE|'it is (none)')", "it is (none)"),
        ("$(HTTP_X_NONE|)", ""),
        ("$(HTTP_)", ""),
        ("$(NOBODY|<b>)", "$(NOBODY|<b>)"),
        ("$(NOBODY|'<b>')", "<b>"),
        (
            "$HTTP_HOST $ $( $() $(A $(A{ $(A{b} $(A| $(A|'b $(A-B)",
            "$HTTP_HOST $ $( $() $(A $(A{ $(A{b} $(A| $(A|'b $(A-B)",
        ),
        ("$$(HTTP_HOST))", "$shop.example)"),
    ] {
        assert_eq!(vars(&stage, variable), value, "{variable}");
    }
}

#[test]
fn what_the_client_says_is_no_markup_and_no_esi() {
    let evil = "<script>'\"&$(HTTP_HOST)<esi:include src=/x>-->";
    let stage = Stage::new().asking("referer", evil);
    let played = stage.play("<!--esi <esi:vars>$(HTTP_REFERER)</esi:vars> -->");
    assert_eq!(
        played.text(),
        " &lt;script&gt;&#39;&quot;&amp;$(HTTP_HOST)&lt;esi:include src=/x&gt;--&gt; "
    );
    assert_eq!(played.asked.len(), 0);
}

#[test]
fn what_is_no_text_or_too_long_is_nothing() {
    let long = "a".repeat(4097);
    let stage = Stage::new()
        .asking("referer", &long)
        .asking("x-tab", "a\tb");
    assert_eq!(
        vars(&stage, "$(HTTP_REFERER|none) $(HTTP_X_TAB|none)"),
        "none none"
    );
    let mut stage = Stage::new();
    stage.request.push("x-latin", b"\xe4");
    assert_eq!(vars(&stage, "$(HTTP_X_LATIN|none)"), "none");
    stage.request = Headers::from_iter([
        (":authority", "shop.example"),
        (":path", "/a?x=%0d%0aset-cookie:%20a&y=%ff"),
    ]);
    assert_eq!(
        vars(&stage, "$(QUERY_STRING{x}|none) $(QUERY_STRING{y}|none)"),
        "none none"
    );
}

#[test]
fn in_an_address_a_value_is_a_value() {
    let stage = |query: &str| {
        let mut stage = Stage::new().asking("x-slash", "a/../b?c#d");
        let path = format!("/dir/start?{query}");
        stage.request.retain(|name, _| name != b":path");
        stage.request.push(":path", path);
        stage
    };
    for (query, src, asked) in [
        ("id=5", "/item/$(QUERY_STRING{id})", "/item/5"),
        (
            "id=a%2Fb%26c%3D",
            "/item?id=$(QUERY_STRING{id})&x=1",
            "/item?id=a%2Fb%26c%3D&x=1",
        ),
        (
            "id=a+b%22%3E",
            "/item?id=$(QUERY_STRING{id})",
            "/item?id=a%20b%22%3E",
        ),
        (
            "id=%24(HTTP_HOST)",
            "/item?id=$(QUERY_STRING{id})",
            "/item?id=%24%28HTTP_HOST%29",
        ),
        ("a=1&b=%2F", "/item?$(QUERY_STRING)", "/item?a=1&b=%2F"),
        ("id=", "/item/$(QUERY_STRING{id}|none)", "/item/none"),
        ("id=..", "/item/$(QUERY_STRING{id})/x", "/item//x"),
        ("id=..%3B", "/item/$(QUERY_STRING{id}|none)", ""),
        ("id=..%2F..", "/item/$(QUERY_STRING{id})", ""),
        ("x=/../../y", "/item/$(QUERY_STRING)", ""),
        ("x", "$(REQUEST_PATH).part", "/dir/start.part"),
        ("x", "/of?page=$(REQUEST_PATH)", "/of?page=%2Fdir%2Fstart"),
        ("x", "https://$(HTTP_HOST)/a", "/a"),
        ("x", "/a?$(HTTP_X_SLASH)", "/a?a%2F..%2Fb%3Fc%23d"),
        ("x", "/a?$(NOBODY", "/a?$(NOBODY"),
        (
            "id=//other.example",
            "$(QUERY_STRING{id})",
            "/dir/%2F%2Fother.example",
        ),
    ] {
        let played = stage(query).play(format!("<esi:include src=\"{src}\"/>"));
        match asked {
            "" => assert_eq!(played.page.missing, [Failure::Address], "{query} {src}"),
            asked => assert_eq!(played.asked, [asked], "{query} {src}"),
        }
    }
}

#[test]
fn a_page_that_says_what_its_client_says_is_that_clients_own() {
    let stage = Stage::new()
        .asking("x-user", "7")
        .with("/a?ann", "A")
        .with("/7", "B");
    let head = |template: &str| {
        let played = stage.play(template);
        let control = played.field("cache-control").unwrap().to_owned();
        (control, played.field("vary").map(str::to_owned))
    };
    let private = |vary: &str| ("private, max-age=60".to_owned(), Some(vary.to_owned()));
    assert_eq!(
        head("<esi:vars>$(HTTP_COOKIE{user})</esi:vars>"),
        private("cookie")
    );
    assert_eq!(
        head("<esi:vars>$(HTTP_COOKIE{none}) $(HTTP_X_NONE)</esi:vars>"),
        private("cookie, x-none")
    );
    assert_eq!(
        head("<esi:include src='/a?$(HTTP_COOKIE{user})'/>"),
        private("cookie")
    );
    assert_eq!(
        head("<esi:include src='/7' alt='/$(HTTP_X_USER)'/>"),
        private("x-user")
    );
    assert_eq!(
        head("<esi:choose><esi:when test=\"$(HTTP_X_USER)=='8'\">a</esi:when></esi:choose>"),
        private("x-user")
    );
    let public = ("max-age=60".to_owned(), None);
    assert_eq!(
        head("<esi:vars>$(QUERY_STRING{lang}) $(HTTP_HOST) $(REQUEST_PATH)</esi:vars>"),
        public
    );
    assert_eq!(
        head("<esi:remove><esi:vars>$(HTTP_COOKIE{user})</esi:vars></esi:remove>"),
        public
    );
    assert_eq!(head("<esi:choose><esi:when test='0'><esi:vars>$(HTTP_COOKIE{user})</esi:vars></esi:when></esi:choose>").0, "private, max-age=60");
}

#[test]
fn values_have_only_so_much_room() {
    let mut stage = Stage::new().asking("x-long", &"a".repeat(100));
    stage.bounds.max_bytes = 250;
    let played = stage.play("<esi:vars>$(HTTP_X_LONG)$(HTTP_X_LONG)$(HTTP_X_LONG)</esi:vars>");
    assert_eq!(played.text().len(), 200);
    assert_eq!(played.page.missing, [Failure::Bound]);
}

#[test]
fn a_fragment_that_is_a_template_has_the_same_client() {
    let stage = Stage::new().with_template(
        "/t",
        "<esi:vars>$(REQUEST_PATH) $(HTTP_COOKIE{user})</esi:vars>",
    );
    let played = stage.play("<esi:include src='/t'/>");
    assert_eq!(
        (played.text().as_str(), played.field("vary")),
        ("/start ann", Some("cookie"))
    );
    let plain = Stage::new().at("/t", At::Here(part("$(HTTP_HOST)"), None));
    assert_eq!(
        plain.text("<esi:vars><esi:include src='/t'/></esi:vars>"),
        "$(HTTP_HOST)"
    );
}

#[test]
fn values_have_only_so_much_room_on_the_whole_page() {
    let mut stage = Stage::new().asking("x-long", &"a".repeat(100));
    stage.bounds.max_bytes = 250;
    let vars = "<esi:vars>$(HTTP_X_LONG)</esi:vars>";
    stage = stage.with_template("/1", vars).with_template("/2", vars);
    let played = stage.play(format!(
        "{vars}<esi:include src='/1'/><esi:include src='/2'/>"
    ));
    assert_eq!(played.text().len(), 200);
    assert_eq!(played.page.missing, [Failure::Bound]);
}

#[test]
fn a_page_has_only_so_many_variables_and_depends_on_anything_after_so_many_fields() {
    let stage = Stage::new();
    let variables = "$(HTTP_HOST|-)".repeat(1025);
    let text = vars(&stage, &variables);
    assert!(
        text.ends_with("shop.example-") && !text.contains("-shop"),
        "{text}"
    );
    let fields: String = (0..33)
        .map(|number| format!("$(HTTP_X_{number})"))
        .collect();
    let played = stage.play(format!("<esi:vars>{fields}</esi:vars>"));
    assert_eq!(played.field("vary"), Some("*"));
    let played = Stage::new().play("<esi:vars>$(HTTP_X_1)$(HTTP_X_2)</esi:vars>");
    assert_eq!(played.field("vary"), Some("x-1, x-2"));
}
