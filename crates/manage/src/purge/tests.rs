use super::*;
use larder_core::http::Headers;

fn order(method: &str, target: &str, fields: &[(&str, &str)]) -> Result<Order, String> {
    let mut headers = Headers::from_iter([
        (":method", method),
        (":authority", "www.example.com"),
        (":path", target),
    ]);
    for (name, value) in fields {
        headers.push(name, value);
    }
    let head = RequestHead::parse(headers).unwrap();
    super::order(PurgeMethod::parse(method.as_bytes()).unwrap(), &head)
}

#[test]
fn a_purge_is_about_its_url() {
    let order = order("PURGE", "/a?b", &[]).unwrap();
    assert_eq!(order.urls, ["/a?b"]);
    assert_eq!(order.mode, Mode::Hard);
}

#[test]
fn tags_come_under_the_names_that_others_gave_them() {
    let (hard, soft) = (Mode::Hard, Mode::Soft);
    for (method, name, value, tags, mode) in [
        (
            "PURGE",
            "surrogate-key",
            "a b  c",
            &["a", "b", "c"][..],
            hard,
        ),
        ("PURGE", "cache-tag", "a, b,c d", &["a", "b", "c d"], hard),
        ("PURGE", "xkey-purge", "a b", &["a", "b"], hard),
        ("PURGEKEYS", "xkey-softpurge", "a b", &["a", "b"], soft),
        ("PURGETAGS", "x-cache-tags", "a,b", &["a", "b"], hard),
        (
            "BAN",
            "x-cache-tags",
            r"(a|b\-c)(,.+)?$",
            &["a", "b-c"],
            hard,
        ),
        ("BAN", "x-cache-tags", "(^|,)(a|b)(,|$)", &["a", "b"], hard),
        (
            "BAN",
            "cache-tags",
            "node:1 node_list",
            &["node:1", "node_list"],
            hard,
        ),
        (
            "BAN",
            "cache-tags",
            "node:1|node:2",
            &["node:1", "node:2"],
            hard,
        ),
        (
            "PURGE",
            "x-magento-tags-pattern",
            "((^|,)cat_p_1(,|$))|((^|,)cat_c_2(,|$))",
            &["cat_p_1", "cat_c_2"],
            hard,
        ),
    ] {
        let order = order(method, "/", &[(name, value)]).unwrap();
        assert_eq!(order.tags, tags, "{name}: {value}");
        assert_eq!((order.mode, order.urls.len()), (mode, 0), "{name}");
    }
}

#[test]
fn a_list_that_names_nothing_purges_nothing() {
    for (method, name, value) in [
        ("PURGE", "surrogate-key", ""),
        ("PURGE", "cache-tag", " , "),
        ("PURGETAGS", "x", ""),
        ("BAN", "x", ""),
        ("BAN", "x-cache-tags", "a.*[0-9]"),
        ("PURGE", "x-magento-tags-pattern", r"\w"),
        ("PURGE", "cache-purge-mode", "hart"),
    ] {
        assert!(
            order(method, "/", &[(name, value)]).is_err(),
            "{name}: {value}"
        );
    }
}

#[test]
fn everything_is_purged_where_it_is_said() {
    for (method, fields) in [
        ("PURGE", &[("clear-cache", "true")][..]),
        ("PURGE", &[("x-magento-tags-pattern", ".*")]),
        (
            "BAN",
            &[("x-url", ".*"), ("x-host", ".*"), ("x-content-type", ".*")],
        ),
    ] {
        let order = order(method, "/", fields).unwrap();
        assert_eq!(order.everything, Everything::Covered, "{fields:?}");
    }
}

#[test]
fn a_ban_becomes_a_pattern_of_the_whole_key() {
    for (fields, expected) in [
        (
            &[("x-ban-url", "^/a/.*")][..],
            "regex:[A-Z]+:[^/]*(?:/a/.*).*",
        ),
        (&[("x-url", "^/a$")], "regex:[A-Z]+:[^/]*(?:/a)"),
        (&[("x-url", r"\.png$")], r"regex:[A-Z]+:[^/]*.*(?:\.png)"),
        (&[("x-url", "^/a|/b$")], "regex:[A-Z]+:[^/]*.*(?:/a|/b).*"),
        (
            &[("x-url", "^/a"), ("x-host", "^(a|b)$")],
            "regex:[A-Z]+:(?i:(?:(a|b)))(?::[0-9]+)?(?:/a).*",
        ),
        (
            &[("x-host", "^a$")],
            "regex:[A-Z]+:(?i:(?:a))(?::[0-9]+)?.*(?:.*).*",
        ),
        (&[("x-url", "[$^]a")], "regex:[A-Z]+:[^/]*.*(?:[$^]a).*"),
    ] {
        let order = order("BAN", "/", fields).unwrap();
        assert_eq!(order.patterns, [expected], "{fields:?}");
    }
    for url in ["(^/a|/b)", "a$b", r"^a\$"] {
        assert!(order("BAN", "/", &[("x-url", url)]).is_err(), "{url}");
    }
    let regex = order("PURGE", "/.*", &[("X-Purge-Method", "regex")]).unwrap();
    assert_eq!(regex.patterns, ["regex:[A-Z]+:[^/]*.*(?:/.*).*"]);
}

#[test]
fn headers_say_how_much_is_taken_away() {
    for (name, value, mode) in [
        ("fastly-soft-purge", "1", Mode::Soft),
        ("fastly-soft-purge", "0", Mode::Hard),
        ("cache-purge-mode", "Soft", Mode::Soft),
        ("cache-purge-mode", "hard", Mode::Hard),
    ] {
        assert_eq!(
            order("PURGE", "/", &[(name, value)]).unwrap().mode,
            mode,
            "{name}"
        );
    }
}
