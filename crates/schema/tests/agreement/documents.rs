//! Whole documents, of which some are right.

use std::cell::Cell;

use larder_schema::model::{Absent, Field, Kind, List, Part, Table, Text};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::{difference, problems, validator};

/// An object with some of the fields of a table, most of them as they may be.
fn object(table: &Table) -> BoxedStrategy<Value> {
    let mut fields = Just(json!({})).boxed();
    for field in table.fields() {
        let name = field.name;
        let presence = match field.default {
            Absent::Refused => 0.99,
            Absent::Is(_) | Absent::Nothing | Absent::Says(_) | Absent::Top => 0.12,
        };
        let field = option::weighted(presence, value(field));
        fields = (fields, field)
            .prop_map(move |(mut object, value)| {
                if let Some(value) = value {
                    object[name] = value;
                }
                object
            })
            .boxed();
    }
    let unknown = (fields, option::weighted(0.01, "[a-z_]{1,12}"));
    unknown
        .prop_map(|(mut object, unknown)| {
            if let Some(name) = unknown {
                object[name] = json!(1);
            }
            object
        })
        .boxed()
}

fn value(field: &Field) -> BoxedStrategy<Value> {
    let right = of(&field.kind);
    let right = match field.nullable {
        true => prop_oneof![9 => right, 1 => Just(Value::Null)].boxed(),
        false => right,
    };
    let examples = field.examples.clone();
    let right = match examples.is_empty() {
        true => right,
        false => prop_oneof![2 => right, 1 => proptest::sample::select(examples)].boxed(),
    };
    prop_oneof![98 => right, 2 => anything()].boxed()
}

fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-2.0..2.0).prop_map(Value::from),
        "[ -~é]{0,6}".prop_map(Value::from),
        vec(any::<bool>().prop_map(Value::from), 0..3).prop_map(Value::from),
        Just(json!({})),
    ]
}

fn of(kind: &Kind) -> BoxedStrategy<Value> {
    match kind {
        Kind::Any => anything().boxed(),
        Kind::Flag => any::<bool>().prop_map(Value::from).boxed(),
        Kind::List(elements) => list(elements),
        Kind::Object(table) => object(table),
        Kind::OneOrMore(elements) => prop_oneof![of(&elements.of), list(elements)].boxed(),
        Kind::Part(part) => self::part(*part),
        Kind::Text(text) => self::text(*text),
        Kind::Values => btree_map("[a-zA-Z-]{1,8}", "[ -~]{0,8}", 0..3)
            .prop_map(|fields| json!(fields))
            .boxed(),
        Kind::Whole(whole) => {
            let (least, most, step) = (whole.least, whole.most, whole.step);
            let near = least..most.min(least + 100);
            let any = prop_oneof![near, least..=most];
            any.prop_map(move |number| json!(number / step * step))
                .boxed()
        }
        Kind::Word(words) => proptest::sample::select(*words)
            .prop_map(Value::from)
            .boxed(),
    }
}

fn list(list: &List) -> BoxedStrategy<Value> {
    let most = list.most.min(list.least + 3);
    let elements = vec(of(&list.of), list.least..=most);
    elements.prop_map(Value::from).boxed()
}

fn part(part: Part) -> BoxedStrategy<Value> {
    let most = match part {
        Part::UpTo(most) => most,
        Part::Less | Part::Between => 0.999,
    };
    let thousandths = 1..=(most * 1000.0).round() as u32;
    thousandths
        .prop_map(|number| json!(f64::from(number) / 1000.0))
        .boxed()
}

/// Texts in which something may stand that is a value, a pattern or nothing of the kind.
fn text(text: Text) -> BoxedStrategy<Value> {
    let words = match text.pattern {
        Some(_) => "[a-z]{1,8}|/[a-z]{1,8}|GET|POST|QUERY|[0-9a-f]{64}",
        None => {
            "[a-z]{1,8}|/[a-z]{1,8}(/\\.\\*)?|/(\\(\\?P<id>\\[\\^/\\]\\+\\)|[a-z])/x|[a-z]:\\{id\\}|\\{identity\\}|\\*\\.[a-z]{2,5}|regex:/[a-z]+"
        }
    };
    words.prop_map(Value::from).boxed()
}

/// A schema lets nothing through that the filter refuses, but for what it is known not to tell, and refuses nothing that the filter takes.
#[test]
fn any_document_is_judged_alike() {
    let validator = validator();
    let (taken, refused, passed) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let count = |cell: &Cell<u32>| cell.set(cell.get() + 1);
    let mut runner = TestRunner::new(Config::with_cases(4_000));
    let judged = runner.run(&object(&larder_schema::top()), |document| {
        match (
            validator.is_valid(&document),
            problems(&document).is_empty(),
        ) {
            (true, true) => count(&taken),
            (true, false) => count(&passed),
            (false, _) => count(&refused),
        }
        prop_assert_eq!(difference(&validator, &document), None);
        Ok(())
    });
    judged.unwrap_or_else(|error| panic!("{error}"));
    let seen = [&taken, &refused, &passed].map(Cell::get);
    assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
}
