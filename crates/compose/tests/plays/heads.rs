//! What a page says of itself is true of all its parts.

use larder_compose::Part;
use larder_core::http::Headers;

use crate::stage::{At, Played, Stage, part};

fn heads(template: &[(&str, &str)], fragments: &[&[(&str, &str)]]) -> Played {
    let mut stage = Stage::new();
    stage.head = template.iter().copied().collect();
    let mut text = String::new();
    for (number, fields) in fragments.iter().enumerate() {
        let part = Part {
            headers: fields.iter().copied().collect(),
            ..part("x")
        };
        stage = stage.at(&format!("/{number}"), At::Here(part, None));
        text.push_str(&format!("<esi:include src='/{number}'/>"));
    }
    stage.play(text)
}

type Fields<'a> = &'a [(&'a str, &'a str)];

/// What is played, the two heads, and the page's Cache-Control and Age.
type Row<'a> = (
    &'a str,
    Fields<'a>,
    Fields<'a>,
    Option<&'a str>,
    Option<&'a str>,
);

#[test]
fn it_is_as_fresh_as_the_part_that_is_least() {
    #[rustfmt::skip]
    let rows: [Row<'_>; 16] = [
        ("the template's is less", &[("cache-control", "max-age=10")], &[("cache-control", "max-age=60")], Some("max-age=10"), None),
        ("the fragment's is less", &[("cache-control", "max-age=60")], &[("cache-control", "max-age=10")], Some("max-age=10"), None),
        ("what is left counts, and the age is the oldest's",
            &[("cache-control", "max-age=60"), ("age", "5")], &[("cache-control", "max-age=100"), ("age", "80")], Some("max-age=100"), Some("80")),
        ("the template is the older one",
            &[("cache-control", "max-age=600"), ("age", "500")], &[("cache-control", "max-age=30")], Some("max-age=530"), Some("500")),
        ("what is stale makes it stale", &[("cache-control", "max-age=60")], &[("cache-control", "max-age=5"), ("age", "9")], Some("max-age=9"), Some("9")),
        ("an age that is none is old", &[("cache-control", "max-age=60")], &[("cache-control", "max-age=60"), ("age", "x")], Some("max-age=2147483648"), Some("2147483648")),
        ("nothing said of a fragment", &[("cache-control", "max-age=60")], &[], None, None),
        ("nothing said of the template", &[], &[("cache-control", "max-age=60")], None, None),
        ("Expires counts", &[("cache-control", "max-age=60")],
            &[("expires", "Sun, 06 Nov 1994 08:49:37 GMT"), ("date", "Sun, 06 Nov 1994 08:49:07 GMT")], Some("max-age=30"), None),
        ("Expires alone is over", &[("cache-control", "max-age=60")], &[("expires", "Sun, 06 Nov 2094 08:49:37 GMT")], Some("max-age=0"), None),
        ("private beats public", &[("cache-control", "public, max-age=60")], &[("cache-control", "private, max-age=60")], Some("private, max-age=60"), None),
        ("public only where all are", &[("cache-control", "public, max-age=60")], &[("cache-control", "max-age=60")], Some("max-age=60"), None),
        ("no-store beats all", &[("cache-control", "public, max-age=60")], &[("cache-control", "private, no-store")], Some("no-store"), None),
        ("no-cache and the like of any", &[("cache-control", "no-cache, max-age=60")], &[("cache-control", "must-revalidate, no-transform, max-age=60")],
            Some("no-cache, must-revalidate, no-transform, max-age=60"), None),
        ("s-maxage of either", &[("cache-control", "max-age=10, s-maxage=100")], &[("cache-control", "max-age=50")], Some("max-age=10, s-maxage=50"), None),
        ("the rest is not promised", &[("cache-control", "max-age=60, immutable, stale-while-revalidate=9")], &[("cache-control", "max-age=60")], Some("max-age=60"), None),
    ];
    for (name, template, fragment, control, age) in rows {
        let played = heads(template, &[fragment]);
        assert_eq!(played.field("cache-control"), control, "{name}");
        assert_eq!(played.field("age"), age, "{name}");
    }
}

#[test]
fn it_varies_as_any_part_does() {
    let played = heads(
        &[("vary", "Cookie, accept")],
        &[
            &[("vary", "ACCEPT")],
            &[("vary", "x-user,"), ("vary", "cookie")],
            &[],
        ],
    );
    assert_eq!(played.field("vary"), Some("cookie, accept, x-user"));
    assert_eq!(heads(&[], &[&[]]).field("vary"), None);
    let by_anything = heads(&[("vary", "accept")], &[&[("vary", "*")]]);
    assert_eq!(by_anything.field("vary"), Some("*"));
}

#[test]
fn what_is_the_templates_own_is_kept_and_what_its_bytes_and_time_are_is_not() {
    let template = [
        ("content-type", "text/html"),
        ("ETag", "\"1\""),
        ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("content-length", "5"),
        ("accept-ranges", "bytes"),
        ("surrogate-control", "content=\"ESI/1.0\""),
        ("cdn-cache-control", "max-age=5"),
        ("Other-CDN-Cache-Control", "max-age=5"),
        ("expires", "Sun, 06 Nov 2094 08:49:37 GMT"),
        ("set-cookie", "template=1"),
        ("link", "</a.css>; rel=preload"),
        ("link", "</b.css>; rel=preload"),
        ("content-digest", "x"),
        ("cache-control", "max-age=60"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
    ];
    let fragment = [
        ("set-cookie", "fragment=1"),
        ("link", "</c.css>"),
        ("cache-control", "max-age=60"),
        ("x-y", "z"),
    ];
    let played = heads(&template, &[&fragment]);
    let tag = played.field("etag").unwrap().to_owned();
    let expected = Headers::from_iter([
        ("content-type", "text/html"),
        ("set-cookie", "template=1"),
        ("link", "</a.css>; rel=preload"),
        ("link", "</b.css>; rel=preload"),
        ("date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("cache-control", "max-age=60"),
        ("etag", &tag),
    ]);
    assert_eq!(played.page.headers, expected);
}

#[test]
fn the_tag_is_the_pages() {
    let tag = |text: &str, fragment: &str| {
        let stage = Stage::new().with("/a", fragment);
        let played = stage.play(format!("{text}<esi:include src='/a'/>"));
        played.field("etag").unwrap().to_owned()
    };
    assert!(tag("", "a").starts_with("W/\"") && tag("", "a").ends_with('"'));
    assert_eq!(tag("a", "bc"), tag("ab", "c"));
    assert_ne!(tag("a", "b"), tag("a", "c"));
    assert_ne!(tag("", "a"), tag("", "aa"));
    assert_ne!(tag("", "\0"), tag("", "\0\0"));
}

#[test]
fn only_what_is_on_the_page_counts() {
    let private = Part {
        headers: Headers::from_iter([("cache-control", "private, max-age=1"), ("vary", "cookie")]),
        ..part("x")
    };
    let stage = Stage::new()
        .at("/private", At::Here(private, None))
        .without("/gone");
    let tried =
        "<esi:try><esi:attempt><esi:include src='/private'/></esi:attempt><esi:except/></esi:try>";
    let played = stage.play(tried);
    assert_eq!(played.field("cache-control"), Some("private, max-age=1"));
    let failed = "<esi:try><esi:attempt><esi:include src='/private'/><esi:include src='/gone'/></esi:attempt><esi:except></esi:except></esi:try>";
    let played = stage.play(failed);
    assert_eq!(
        (played.field("cache-control"), played.field("vary")),
        (Some("no-store"), None)
    );
    let played = stage.play(
        "<esi:choose><esi:when test='0==1'><esi:include src='/private'/></esi:when></esi:choose>",
    );
    assert_eq!(
        (played.field("cache-control"), played.asked.len()),
        (Some("max-age=60"), 0)
    );
}

#[test]
fn a_template_within_a_fragment_counts_like_any() {
    let mut nested = part("<esi:include src='/inner'/>");
    nested.headers.push("vary", "x-nested");
    let inner = Part {
        headers: Headers::from_iter([("cache-control", "max-age=7"), ("vary", "x-inner")]),
        ..part("x")
    };
    let stage = Stage::new()
        .at(
            "/nested",
            At::Here(nested, Some(larder_compose::Language::Esi)),
        )
        .at("/inner", At::Here(inner, None));
    let played = stage.play("<esi:include src='/nested'/>");
    assert_eq!(played.field("cache-control"), Some("max-age=7"));
    assert_eq!(played.field("vary"), Some("x-nested, x-inner"));
}

#[test]
fn what_varies_by_very_much_varies_by_anything() {
    let many: Vec<String> = (0..20_000).map(|number| format!("x-{number}")).collect();
    let played = heads(&[("vary", &many.join(","))], &[]);
    assert_eq!(played.field("vary"), Some("*"));
}
