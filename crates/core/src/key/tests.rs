//! Whole keys: which requests share one, and which never do.

use std::fmt::Write;

use super::jwt::tests::bearer;
use super::*;
use crate::config::{Config, Selection};
use crate::http::{Headers, RequestHead, Target};

pub(super) struct Nothing;

impl Attributes for Nothing {
    fn attribute(&self, _: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        Ok(None)
    }
}

/// The key of `GET https://host/target` under a configuration, with more field lines.
pub(super) fn try_key(
    config: &Config,
    host: &str,
    target: &str,
    lines: &[(&str, &str)],
) -> Result<BuiltKey, KeyError> {
    let mut headers = Headers::from_iter([
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", host),
        (":path", target),
    ]);
    for (name, value) in lines {
        headers.push(name, value);
    }
    try_key_of(config, &RequestHead::parse(headers).unwrap())
}

/// The key of a request with this head.
pub(super) fn try_key_of(config: &Config, head: &RequestHead) -> Result<BuiltKey, KeyError> {
    let target = Target::parse(head.target()).unwrap();
    let Selection::Cache(selected) = config.select(head, &target) else {
        panic!("not cached");
    };
    Key::build(KeyParts {
        head,
        target: &target,
        policy: selected.policy,
        captures: &selected.captures,
        attributes: &Nothing,
        max_key_bytes: config.limits.max_key_bytes,
    })
}

pub(super) fn key(config: &Config, host: &str, target: &str, lines: &[(&str, &str)]) -> Key {
    try_key(config, host, target, lines).unwrap().key
}

fn unmatched() -> Config {
    Config::parse(b"").unwrap()
}

pub(super) fn rule(settings: &str) -> Config {
    let json = format!(r#"{{"rules": [{{"name": "a", {settings}}}]}}"#);
    Config::parse(json.as_bytes()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn joined(hex: &str) -> String {
    hex.split_whitespace().collect()
}

#[test]
fn the_form_of_a_plain_key_is_frozen() {
    let key = key(&unmatched(), "Example.com:443", "/%61?b=1&&a=%61", &[]);
    let expected = "
        01
        01 05000000 6874747073
        02 0b000000 6578616d706c652e636f6d
        03 02000000 2f61
        05 0a000000 623d312626613d253631
    ";
    assert_eq!(hex(key.canonical()), joined(expected));
    assert_eq!(hex(&key.digest().0), "cd65e388986fedf36ab25080180bc0e3");
}

#[test]
fn the_form_of_a_key_with_every_part_is_frozen() {
    let config = rule(
        r#""match": {"path": "/u/(?P<id>[^/]+)(?P<rest>/.*)?"},
        "key": {"template": "u:{id}{rest}", "headers": ["x-a", "x-b"], "cookies": ["c", "d"],
                "query": {"include": ["p"]}},
        "identity": {"header": "x-user"}"#,
    );
    let lines = [
        ("x-a", "1"),
        ("X-A", ""),
        ("cookie", "c=2; c"),
        ("x-user", "al"),
        ("authorization", "Basic"),
    ];
    let primary = key(&config, "h:8443", "/u/7?q=1&p=2", &lines);
    let request = Headers::from_iter([("accept", "a, b")]);
    let variant = primary.variant(&["Accept"], &request, 4096).unwrap();
    let expected = "
        01
        01 05000000 6874747073
        02 06000000 683a38343433
        04 12000000  03000000 4c753a  02000000 4337  01000000 4e
        06 07000000  03000000 703d32
        07 10000000  03000000 782d61  01000000 31  00000000
        07 07000000  03000000 782d62
        08 0f000000  01000000 63  02000000 3d32  00000000
        08 05000000  01000000 64
        09 0e000000  04000000 74657874  02000000 616c
        0a 09000000  05000000 4261736963
        0b 14000000  06000000 616363657074  01000000 61  01000000 62
    ";
    assert_eq!(hex(variant.canonical()), joined(expected));
    assert_eq!(hex(&variant.digest().0), "73e5240b5779c23854c04dc16522595d");
}

#[test]
fn what_the_origin_is_told_of_the_scheme_is_part_of_the_key() {
    let config = unmatched();
    let told = |scheme| key(&config, "a", "/", &[("x-forwarded-proto", scheme)]);
    assert_eq!(told("HTTPS"), key(&config, "a", "/", &[]));
    assert_ne!(told("http"), told("https"));
    assert_ne!(told("http"), told(""));
    let expected = "01 01 0a000000 68747470732c68747470 02 01000000 61 03 01000000 2f";
    assert_eq!(hex(told("http").canonical()), joined(expected));
}

#[test]
fn spellings_of_one_request_share_a_key() {
    let (unmatched, sorting) = (unmatched(), rule(r#""match": {}"#));
    let tracking = rule(r#""match": {}, "key": {"query": {"exclude": ["utm_*"]}}"#);
    let fixed = rule(r#""match": {}, "key": {"template": "all"}"#);
    for (name, config, one, other) in [
        ("host in capitals", &unmatched, ("A.b", "/"), ("a.B", "/")),
        (
            "the scheme's own port",
            &unmatched,
            ("a:443", "/"),
            ("a", "/"),
        ),
        (
            "escaped unreserved",
            &unmatched,
            ("a", "/%7ea"),
            ("a", "/~%61"),
        ),
        (
            "case of an escape",
            &unmatched,
            ("a", "/%2f"),
            ("a", "/%2F"),
        ),
        (
            "order of names",
            &sorting,
            ("a", "/?b=1&a=2"),
            ("a", "/?a=2&b=1"),
        ),
        ("empty query", &sorting, ("a", "/?"), ("a", "/")),
        (
            "tracking",
            &tracking,
            ("a", "/?utm_a=1&b=2&utm_c"),
            ("a", "/?b=2"),
        ),
        ("only tracking", &tracking, ("a", "/?utm_a=1"), ("a", "/")),
        ("template", &fixed, ("a", "/x?y=1"), ("a", "/z")),
    ] {
        let keys = (
            key(config, one.0, one.1, &[]),
            key(config, other.0, other.1, &[]),
        );
        assert_eq!(keys.0, keys.1, "{name}");
    }
}

#[test]
fn requests_that_may_differ_have_keys_of_their_own() {
    let (unmatched, sorting) = (unmatched(), rule(r#""match": {}"#));
    let capture =
        rule(r#""match": {"path": "/(?P<a>[^/]*)/(?P<b>.*)"}, "key": {"template": "{a}:{b}"}"#);
    for (name, config, one, other) in [
        ("port", &unmatched, ("a:80", "/"), ("a", "/")),
        ("case of the path", &unmatched, ("a", "/A"), ("a", "/a")),
        (
            "escaped reserved",
            &unmatched,
            ("a", "/a%2Fb"),
            ("a", "/a/b"),
        ),
        ("empty segment", &unmatched, ("a", "//a"), ("a", "/a")),
        (
            "order, when nothing is known",
            &unmatched,
            ("a", "/?a&b"),
            ("a", "/?b&a"),
        ),
        (
            "empty query, when nothing is known",
            &unmatched,
            ("a", "/?"),
            ("a", "/"),
        ),
        ("host or path", &unmatched, ("a", "/b/c"), ("a.b", "/c")),
        (
            "order of values",
            &sorting,
            ("a", "/?a=1&a=2"),
            ("a", "/?a=2&a=1"),
        ),
        ("no value", &sorting, ("a", "/?a"), ("a", "/?a=")),
        ("path or query", &sorting, ("a", "/?a"), ("a", "/%3Fa")),
        (
            "one parameter or two",
            &sorting,
            ("a", "/?a=1%26b=2"),
            ("a", "/?a=1&b=2"),
        ),
        (
            "forged separator",
            &capture,
            ("a", "/x:y/z"),
            ("a", "/x/y:z"),
        ),
    ] {
        let keys = (
            key(config, one.0, one.1, &[]),
            key(config, other.0, other.1, &[]),
        );
        assert_ne!(keys.0, keys.1, "{name}");
    }
}

#[test]
fn chosen_fields_and_cookies_are_told_apart() {
    let config = rule(r#""match": {}, "key": {"headers": ["x-a", "x-b"], "cookies": ["c"]}"#);
    let cases: &[&[(&str, &str)]] = &[
        &[],
        &[("x-a", "")],
        &[("x-a", "1")],
        &[("x-b", "1")],
        &[("x-a", "1"), ("x-a", "2")],
        &[("x-a", "2"), ("x-a", "1")],
        &[("x-a", "1,2")],
        &[("x-a", "1"), ("x-b", "2")],
        &[("cookie", "c=1")],
        &[("cookie", "c=")],
        &[("cookie", "c")],
        &[("cookie", "c=1; c=2")],
    ];
    for (index, one) in cases.iter().enumerate() {
        for other in cases.iter().skip(index + 1) {
            let keys = (key(&config, "a", "/", one), key(&config, "a", "/", other));
            assert_ne!(keys.0, keys.1, "{one:?} {other:?}");
        }
    }
    let other = [("x-c", "1"), ("cookie", "d=1")];
    assert_eq!(key(&config, "a", "/", &other), key(&config, "a", "/", &[]));
}

#[test]
fn a_forged_claim_never_opens_the_entry_of_another() {
    let alice = bearer(r#"{"sub": "alice"}"#, "signed");
    let forged = bearer(r#"{"sub": "alice"}"#, "forged");
    let mallory = bearer(r#"{"sub": "mallory"}"#, "signed");
    let token = |token: &str| ("authorization", token.to_owned());
    let user = |user: &str| ("x-user", user.to_owned());
    let cookie = |cookie: &str| ("cookie", cookie.to_owned());
    let victim = [user("alice"), token(&alice), cookie("session=a")];
    for (name, form, attack) in [
        ("no token", "header", vec![user("alice")]),
        ("own token", "header", vec![user("alice"), token(&mallory)]),
        (
            "own cookie",
            "header",
            vec![user("alice"), cookie("session=m")],
        ),
        (
            "two tokens",
            "header",
            vec![user("alice"), token(&mallory), token(&alice)],
        ),
        (
            "two users",
            "header",
            vec![user("mallory"), user("alice"), token(&alice)],
        ),
        ("forged token", "jwt_claim", vec![token(&forged)]),
        ("own token", "jwt_claim", vec![token(&mallory)]),
        (
            "two tokens",
            "jwt_claim",
            vec![token(&mallory), token(&forged)],
        ),
        (
            "other cookie",
            "cookie",
            vec![token(&alice), cookie("session=m")],
        ),
        (
            "cookie in capitals",
            "cookie",
            vec![token(&alice), cookie("Session=a")],
        ),
        (
            "other token",
            "cookie",
            vec![token(&mallory), cookie("session=a")],
        ),
        ("no token", "cookie", vec![cookie("session=a")]),
        (
            "two cookies",
            "cookie",
            vec![token(&alice), cookie("session=m; session=a")],
        ),
    ] {
        let place = match form {
            "header" => "x-user",
            "jwt_claim" => "sub",
            _ => "session",
        };
        let config = rule(&format!(
            r#""match": {{}}, "identity": {{"{form}": "{place}"}}"#
        ));
        let build = |lines: &[(&'static str, String)]| {
            let lines: Vec<_> = lines
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            try_key(&config, "a", "/", &lines)
        };
        let entry = build(&victim).unwrap();
        assert_eq!(entry.principal, Principal::Known, "{form}");
        match build(&attack) {
            Ok(built) => assert_ne!(built.key, entry.key, "{form}: {name}"),
            Err(error) => assert_eq!(error, KeyError::IdentityInvalid, "{form}: {name}"),
        }
    }
}

#[test]
fn nobody_is_not_somebody() {
    let config = rule(r#""match": {}, "identity": {"header": "x-user", "trusted": true}"#);
    let build = |lines: &[(&str, &str)]| try_key(&config, "a", "/", lines).unwrap();
    let (nobody, alice) = (build(&[]), build(&[("x-user", "alice")]));
    assert_eq!(nobody.principal, Principal::Anonymous);
    assert_eq!(alice.principal, Principal::Known);
    assert_ne!(nobody.key, alice.key);
    assert_ne!(nobody.key, build(&[("x-user", "anonymous")]).key);
    // A verified identity is the whole of the credential.
    assert_eq!(
        build(&[("x-user", "alice"), ("authorization", "b")]).key,
        alice.key
    );
    let unasked = try_key(&unmatched(), "a", "/", &[("x-user", "alice")]).unwrap();
    assert_eq!(unasked.principal, Principal::NotAsked);
}

#[test]
fn an_unverified_nobody_keeps_its_credential() {
    let config = rule(r#""match": {}, "identity": {"cookie": "session"}"#);
    let build = |lines: &[(&str, &str)]| try_key(&config, "a", "/", lines).unwrap();
    let (plain, login) = (build(&[]), build(&[("authorization", "Basic YTpi")]));
    assert_eq!(
        (plain.principal, login.principal),
        (Principal::Anonymous, Principal::Anonymous)
    );
    assert_ne!(plain.key, login.key);
}

#[test]
fn an_integer_is_no_text() {
    let config = rule(r#""match": {}, "identity": {"jwt_claim": "sub", "trusted": true}"#);
    let build = |payload: &str| {
        key(
            &config,
            "a",
            "/",
            &[("authorization", &bearer(payload, "x"))],
        )
    };
    assert_ne!(build(r#"{"sub": 7}"#), build(r#"{"sub": "7"}"#));
}

#[test]
fn some_requests_have_no_key() {
    let config = unmatched();
    let build = |host: &str, target: &str| try_key(&config, host, target, &[]).err();
    assert_eq!(build("", "/"), Some(KeyError::Authority));
    assert_eq!(build("user@a", "/"), Some(KeyError::Authority));
    let long = format!("/{}", "a".repeat(config.limits.max_key_bytes));
    assert_eq!(build("a", &long), Some(KeyError::TooLong));
}

#[test]
fn a_digest_has_one_form() {
    let digest = KeyDigest(*b"\x01\x23\x45\x67\x89\xab\xcd\xef\0\0\0\0\0\0\0\xff");
    let text = "0123456789abcdef00000000000000ff";
    assert_eq!(digest.to_string(), text);
    assert_eq!(KeyDigest::parse(text.as_bytes()), Some(digest));
    for other in [
        "",
        "0123456789abcdef",
        "0123456789ABCDEF00000000000000ff",
        "0123456789abcdef00000000000000ff0",
    ] {
        assert_eq!(KeyDigest::parse(other.as_bytes()), None, "{other}");
    }
}
