//! What holds where a field is absent.

use larder_core::config::Config;
use larder_schema::model::{Absent, Field, Kind, Part};
use serde_json::{Value, json};

use crate::places::Place;

/// What the reader makes of a document, in words, with the name that is not among them.
fn understood(document: &Value) -> String {
    let read = Config::parse(document.to_string().as_bytes());
    let admin = read.as_ref().ok().and_then(|config| config.admin.as_ref());
    let secret = admin.map(|admin| &admin.secret_env);
    format!("{read:?} {secret:?}")
}

/// Something else than the default that may stand in a field.
fn other(field: &Field, default: &Value) -> Value {
    if let Some(example) = field.examples.iter().find(|example| *example != default) {
        return example.clone();
    }
    match &field.kind {
        Kind::Flag => json!(default != &json!(true)),
        Kind::Part(Part::Between | Part::Less | Part::UpTo(_)) => json!(0.25),
        Kind::Text(_) => json!("other"),
        Kind::Whole(whole) if default.as_u64() == Some(whole.least) => json!(whole.most),
        Kind::Whole(whole) => json!(whole.least),
        Kind::Word(words) => {
            let mut words = words.iter().map(|word| json!(word));
            words.find(|word| word != default).unwrap()
        }
        Kind::List(list) => match &list.of {
            Kind::Object(_) => json!([{ "name": "a", "match": {} }]),
            Kind::Whole(whole) => json!([whole.least]),
            Kind::Any
            | Kind::Flag
            | Kind::List(_)
            | Kind::OneOrMore(_)
            | Kind::Part(_)
            | Kind::Text(_)
            | Kind::Values
            | Kind::Word(_) => panic!("`{}` has a default", field.name),
        },
        Kind::Any | Kind::Object(_) | Kind::OneOrMore(_) | Kind::Values => {
            panic!("`{}` has a default", field.name)
        }
    }
}

#[test]
fn a_default_is_what_holds_where_nothing_stands() {
    let mut seen = 0;
    // Some settings at the top show in rules alone.
    let rule = ("rules", json!([{ "name": "a", "match": {} }]));
    for place in Place::all() {
        for field in place.table.fields() {
            let Absent::Is(default) = &field.default else {
                continue;
            };
            let beside = match place.path().is_empty() && field.name != rule.0 {
                true => vec![rule.clone()],
                false => Vec::new(),
            };
            let nothing = understood(&place.with(&beside));
            assert!(nothing.starts_with("Ok("), "{nothing}");
            let said = |value: Value| {
                let fields = [beside.as_slice(), &[(field.name, value)]].concat();
                understood(&place.with(&fields))
            };
            let path = place.path_of(field.name);
            assert_eq!(said(default.clone()), nothing, "{path}");
            // Else it would say nothing that both are understood alike.
            assert_ne!(said(other(field, default)), nothing, "{path}");
            seen += 1;
        }
    }
    assert!(seen > 50, "{seen}");
}

/// A setting at the top is one of every rule that does not have it.
#[test]
fn what_a_rule_does_not_say_is_said_at_the_top() {
    let top = larder_schema::top();
    let rule = top
        .fields()
        .find_map(|field| field.table().filter(|table| table.name == "rule"));
    let mut seen = 0;
    let mut compare = |of_top: &Field, wrap: &dyn Fn(Value) -> (String, Value)| {
        let Absent::Is(default) = &of_top.default else {
            panic!("`{}` has no default", of_top.name);
        };
        let (name, value) = wrap(other(of_top, default));
        let (_, usual) = wrap(default.clone());
        let document = |above: &Value, own: Option<&Value>| {
            let mut rule = json!({ "name": "a", "match": {} });
            if let Some(own) = own {
                rule[&name] = own.clone();
            }
            understood(&json!({ &name: above, "rules": [rule] }))
        };
        let inherited = document(&value, None);
        assert!(inherited.starts_with("Ok("), "{inherited}");
        assert_eq!(inherited, document(&value, Some(&value)), "{name}");
        assert_ne!(inherited, document(&value, Some(&usual)), "{name}");
        seen += 1;
    };
    for field in rule.unwrap().fields() {
        let at_top = || top.fields().find(|other| other.name == field.name).unwrap();
        if matches!(field.default, Absent::Top) {
            compare(at_top(), &|value| (field.name.to_owned(), value));
        }
        let Kind::Object(table) = &field.kind else {
            continue;
        };
        let below = table
            .fields()
            .filter(|below| matches!(below.default, Absent::Top));
        for below in below {
            let above = at_top().table().unwrap();
            let above = above
                .fields()
                .find(|other| other.name == below.name)
                .unwrap();
            compare(above, &|value| {
                (field.name.to_owned(), json!({ below.name: value }))
            });
        }
    }
    assert!(seen > 12, "{seen}");
}
