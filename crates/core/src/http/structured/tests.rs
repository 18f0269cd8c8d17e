//! Structured fields against their grammar.

use super::*;
use proptest::prelude::*;
use regex_lite::Regex;
use std::sync::LazyLock;

type Members<'a> = Vec<(&'a str, Value<'a>)>;

fn read(field: &[u8]) -> Option<Vec<(&[u8], Value<'_>)>> {
    dictionary(field).collect::<Result<_, _>>().ok()
}

#[test]
fn a_value_of_every_type() {
    use Value::{Boolean, Integer, Other, String, Token};
    #[rustfmt::skip]
    let rows: [(&str, Value<'_>); 19] = [
        ("0", Integer(0)),
        ("-0", Integer(0)),
        ("007", Integer(7)),
        ("-999999999999999", Integer(-999_999_999_999_999)),
        ("1.5", Other),
        ("-123456789012.123", Other),
        ("\"\"", String(b"")),
        (r#""a \"b\" \\ , ;""#, String(br#"a \"b\" \\ , ;"#)),
        ("a", Token(b"a")),
        ("*a:/!#$%&'*+-.^_`|~", Token(b"*a:/!#$%&'*+-.^_`|~")),
        ("::", Other),
        (":aGVsbG8=:", Other),
        (":aGVsbG8:", Other),
        ("?1", Boolean(true)),
        ("?0", Boolean(false)),
        ("@-1659578233", Other),
        ("%\"caf%c3%a9\"", Other),
        ("1;a", Integer(1)),
        ("1;  a=\"b\";*c=?0", Integer(1)),
    ];
    for (text, expected) in rows {
        let items: Result<Vec<_>, _> = list(text.as_bytes()).collect();
        assert_eq!(items, Ok(vec![expected]), "{text}");
        let member = format!("a={text}");
        assert_eq!(
            read(member.as_bytes()),
            Some(vec![(&b"a"[..], expected)]),
            "{text}"
        );
    }
}

#[test]
fn an_inner_list_gives_its_items_out() {
    use Value::{Boolean, Integer, Other, String, Token};
    #[rustfmt::skip]
    let rows: [(&str, &[Value<'_>]); 7] = [
        ("()", &[]),
        ("(   )", &[]),
        ("(1)", &[Integer(1)]),
        ("(  1 \"a\";b   c )", &[Integer(1), String(b"a"), Token(b"c")]),
        ("(1);a;b=2", &[Integer(1)]),
        (r#"(")" "\")" "(");x=")""#, &[String(b")"), String(br#"\")"#), String(b"(")]),
        ("(?1;x;y=?0 :YQ==: 1.5)", &[Boolean(true), Other, Other]),
    ];
    for (text, expected) in rows {
        let field = format!("{text}, (\"x\")");
        let lists: Vec<_> = list(field.as_bytes()).collect::<Result<_, _>>().unwrap();
        let [Value::InnerList(first), Value::InnerList(second)] = lists[..] else {
            panic!("{lists:?}");
        };
        assert_eq!(first.items().collect::<Vec<_>>(), expected, "{text}");
        assert_eq!(second.items().collect::<Vec<_>>(), [String(b"x")], "{text}");
    }
}

#[test]
fn what_no_type_is_like_makes_the_field_invalid() {
    #[rustfmt::skip]
    let invalid = [
        "", "-", "--1", "+1", "1234567890123456", "1.", ".5", "1.2345", "1234567890123.1", "1.2.3", "\"", "\"a",
        "\"\\\"", "\"\\a\"", "\"\t\"", "\"\u{e9}\"", "'a'", "é", ":", ":a", ":a:", ":a b:", ":=a=:", ":YQ===:",
        "?", "?2", "?true", "@", "@1.5", "@a", "%", "%a", "%\"", "%\"%c3\"", "%\"%C3%A9\"", "%\"%4\"", "%\"\t\"",
        "(", "(1", "(1,2)", "(1\t2)", "((1))", ")", "1;", "1;A", "1; =2", "1 ;a", "1;\ta", "1;a=", "1;a=(1)",
        "1 2", "{}", "\0",
    ];
    for text in invalid {
        let member = format!("a={text}");
        assert_eq!(read(member.as_bytes()), None, "{text}");
    }
}

#[test]
fn members_stand_between_commas() {
    let yes = Value::Boolean(true);
    #[rustfmt::skip]
    let rows: [(&str, Option<Members<'_>>); 16] = [
        ("", Some(vec![])),
        ("   ", Some(vec![])),
        ("\t", None),
        ("a", Some(vec![("a", yes)])),
        ("  a  ", Some(vec![("a", yes)])),
        ("a \t,\t b=1", Some(vec![("a", yes), ("b", Value::Integer(1))])),
        ("a;x=1,b", Some(vec![("a", yes), ("b", yes)])),
        ("a=1, a=b", Some(vec![("a", Value::Integer(1)), ("a", Value::Token(b"b"))])),
        ("*a.b_c-d9", Some(vec![("*a.b_c-d9", yes)])),
        ("a,", None),
        (",a", None),
        ("a,,b", None),
        ("a b", None),
        ("A", None),
        ("a =1", None),
        ("a= 1", None),
    ];
    for (text, expected) in rows {
        let found = read(text.as_bytes());
        let keyed = |members: Members<'static>| {
            let bytes = |(key, value): (&'static str, _)| (key.as_bytes(), value);
            members.into_iter().map(bytes).collect()
        };
        assert_eq!(found, expected.map(keyed), "{text:?}");
    }
}

#[test]
fn lines_are_joined_and_an_error_in_one_is_an_error_in_all() {
    let joined_of = |lines: &[&str]| {
        let headers = Headers::from_iter(lines.iter().map(|line| ("A", *line)));
        joined(&headers, "a").map(Cow::into_owned)
    };
    assert_eq!(joined_of(&[]), None);
    assert_eq!(joined_of(&["a"]), Some(b"a".to_vec()));
    assert_eq!(joined_of(&["a", "b=1", "c"]), Some(b"a, b=1, c".to_vec()));
    let members = dictionary(b"a=1, b=, c");
    assert_eq!(
        members.collect::<Vec<_>>(),
        [Ok((&b"a"[..], Value::Integer(1))), Err(Invalid)]
    );
}

/// The grammar as one expression per rule, without display strings.
fn reference() -> &'static Regex {
    static GRAMMAR: LazyLock<Regex> = LazyLock::new(grammar);
    &GRAMMAR
}

fn grammar() -> Regex {
    let bare = r#"(?:-?[0-9]{1,12}\.[0-9]{1,3}|-?[0-9]{1,15}|"(?:[ !#-\[\]-~]|\\["\\])*"|[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*|:(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2,3})?={0,2}:|\?[01]|@-?[0-9]{1,15})"#;
    let key = "[a-z*][a-z0-9_.*-]*";
    let parameters = format!("(?:; *{key}(?:={bare})?)*");
    let inner = format!(r"\( *(?:{bare}{parameters}(?: +{bare}{parameters})* *)?\){parameters}");
    let member = format!("{key}(?:=(?:{bare}{parameters}|{inner})|{parameters})");
    Regex::new(&format!(
        "^ *(?:{member}(?:[ \\t]*,[ \\t]*{member})*[ \\t]*)?$"
    ))
    .unwrap()
}

fn fragments() -> impl Strategy<Value = String> {
    let parts = [
        "a",
        "max-age",
        "*b",
        "=",
        "=",
        "1",
        "-1",
        "60",
        "1.5",
        "123456789012345",
        "6",
        "\"x, y\"",
        "\"",
        "\\",
        "?1",
        "?0",
        "?",
        ":aGk=:",
        ":",
        "@1",
        ";",
        "(",
        ")",
        " ",
        "\t",
        ",",
        ",",
        ", ",
        "A",
        "é",
        "-",
        ".",
    ];
    let part = proptest::sample::select(parts.to_vec());
    proptest::collection::vec(part, 0..10).prop_map(|parts| parts.concat())
}

fn member() -> impl Strategy<Value = String> {
    let key = "[a-z*][a-z0-9*.-]{0,6}";
    let value = prop_oneof![
        Just(String::new()),
        "=-?[0-9]{1,17}",
        "=-?[0-9]{1,14}\\.[0-9]{0,4}",
        "=\"[ -~]{0,6}\"",
        "=[A-Za-z*][!-~]{0,6}",
        "=\\?[0-2]",
        "=:[a-z+=]{0,6}:",
        "=\\(( |1|a|\"b\"|;c){0,6}\\)",
    ];
    let parameters = "(; {0,1}[a-zA]{1,2}(=1|=\"x\"|=)?){0,2}";
    (key, value, parameters).prop_map(|(key, value, rest)| format!("{key}{value}{rest}"))
}

fn members_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(member(), 0..4).prop_map(|members| members.join(", "))
}

proptest! {
    #![proptest_config(crate::property::cases())]

    #[test]
    fn any_bytes_are_read_or_refused(field in proptest::collection::vec(any::<u8>(), 0..60)) {
        prop_assert!(dictionary(&field).count() <= field.len());
        prop_assert!(list(&field).count() <= field.len());
    }

    #[test]
    fn what_is_read_is_what_the_grammar_has(field in prop_oneof![fragments(), members_text()]) {
        prop_assert_eq!(read(field.as_bytes()).is_some(), reference().is_match(&field), "{}", field);
    }

    #[test]
    fn a_list_is_the_values_of_a_dictionary(values in proptest::collection::vec("[ !#$&-+\\--~]{1,8}", 1..4)) {
        let keyed: Vec<String> = values.iter().map(|value| format!("k={value}")).collect();
        let (keyed, bare) = (keyed.join(","), values.join(","));
        let of_members: Option<Vec<_>> = read(keyed.as_bytes())
            .map(|members| members.into_iter().map(|(_, value)| value).collect());
        let items: Option<Vec<_>> = list(bare.as_bytes()).collect::<Result<_, _>>().ok();
        // Not the other way round: no white space may stand behind `=`.
        if let Some(of_members) = of_members {
            prop_assert_eq!(Some(of_members), items);
        }
    }

    #[test]
    fn the_items_of_an_inner_list_are_those_of_a_list(
        values in proptest::collection::vec("[!#$&-'*+\\-.0-~]{1,8}|\"[ -!#-\\[\\]-~]{0,4}\"", 0..4)
    ) {
        let listed: Option<Vec<_>> = values.iter().map(|value| {
            let mut items = list(value.as_bytes());
            items.next().and_then(Result::ok).filter(|_| items.next().is_none())
        }).collect();
        let field = format!("({})", values.join(" "));
        if let Some(listed) = listed {
            match list(field.as_bytes()).next() {
                Some(Ok(Value::InnerList(inner))) => prop_assert_eq!(inner.items().collect::<Vec<_>>(), listed),
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
