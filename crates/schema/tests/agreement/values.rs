//! What may stand in a field: every bound from both sides.

use larder_schema::model::{Field, Kind, List, Part, Text};
use serde_json::{Value, json};

use crate::places::{Place, sample};
use crate::{difference, problems, validator};

#[test]
fn what_is_given_as_an_example_is_taken() {
    let validator = validator();
    for place in Place::all() {
        for field in place.table.fields() {
            for example in &field.examples {
                let document = place.with(&[(field.name, example.clone())]);
                let path = place.path_of(field.name);
                assert!(validator.is_valid(&document), "{path}: {document}");
                let problems = problems(&document);
                let about = |at: &str| at == path || at.starts_with(&format!("{path}["));
                // A text with values needs a path that has them, and a body a listener that lets it come.
                let is_alone = |problem: &str| {
                    problem.contains("no group of that name") || problem.contains("key.body")
                };
                let real: Vec<_> = problems
                    .iter()
                    .filter(|problem| about(&problem.path) && !is_alone(&problem.problem))
                    .collect();
                assert!(real.is_empty(), "{path}: {real:?}");
            }
        }
    }
}

#[test]
fn every_value_is_judged_alike() {
    let validator = validator();
    let (mut taken, mut refused) = (0, 0);
    for place in Place::all() {
        for field in place.table.fields() {
            for value in probes(field) {
                let document = place.with(&[(field.name, value)]);
                assert_eq!(difference(&validator, &document), None);
                match validator.is_valid(&document) {
                    true => taken += 1,
                    false => refused += 1,
                }
            }
        }
    }
    assert!(taken > 500 && refused > 1000, "{taken}, {refused}");
}

/// Values for a field: of every kind, and about its bounds.
fn probes(field: &Field) -> Vec<Value> {
    let mut probes = vec![
        json!(null),
        json!(true),
        json!(false),
        json!(-1),
        json!(0),
        json!(1),
        json!(9.0),
        json!(0.5),
        json!(1e30),
        json!(""),
        json!("a"),
        json!("a b"),
        json!("/a"),
        json!("ä"),
        json!([]),
        json!(["a"]),
        json!([1]),
        json!([{}]),
        json!({}),
        json!({ "a": 1 }),
    ];
    probes.extend(field.examples.iter().cloned());
    probes.extend(about(&field.kind));
    probes
}

fn about(kind: &Kind) -> Vec<Value> {
    match kind {
        Kind::Any | Kind::Flag | Kind::Object(_) => Vec::new(),
        Kind::List(list) => lists(list),
        Kind::OneOrMore(list) => [about(&list.of), lists(list)].concat(),
        Kind::Part(part) => parts(*part),
        Kind::Text(text) => texts(*text),
        Kind::Values => values(),
        Kind::Whole(whole) => vec![
            json!(whole.least.saturating_sub(1)),
            json!(whole.least),
            json!(whole.least + 1),
            json!(whole.most - 1),
            json!(whole.most),
            json!(whole.most + 1),
        ],
        Kind::Word(words) => words
            .iter()
            .flat_map(|word| [json!(word), json!(word.to_uppercase()), json!([word])])
            // Those that are not described too.
            .chain(crate::fields::words().into_iter().map(Value::from))
            .collect(),
    }
}

fn lists(list: &List) -> Vec<Value> {
    let element = element(&list.of);
    let of = |count: usize| Value::from(vec![element.clone(); count]);
    let mut lists = vec![
        of(list.least.saturating_sub(1)),
        of(list.least),
        of(list.most),
        of(list.most + 1),
    ];
    let mixed = about(&list.of).into_iter();
    lists.extend(mixed.map(|other| json!([element, other, element])));
    lists
}

/// Something that may stand in a list.
fn element(kind: &Kind) -> Value {
    match kind {
        Kind::Object(table) => {
            let needed = table
                .fields()
                .filter(|field| matches!(field.default, larder_schema::model::Absent::Refused));
            needed
                .map(|field| (field.name.to_owned(), sample(field)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Kind::Text(_) => json!("a"),
        Kind::Whole(whole) => json!(whole.least),
        Kind::Any
        | Kind::Flag
        | Kind::List(_)
        | Kind::OneOrMore(_)
        | Kind::Part(_)
        | Kind::Values
        | Kind::Word(_) => panic!("no list has such elements"),
    }
}

fn parts(part: Part) -> Vec<Value> {
    let bounds: &[f64] = match part {
        Part::UpTo(most) => &[0.0, 0.001, most - 0.001, most, most + 0.001, 1.0],
        Part::Less | Part::Between => &[0.0, 0.001, 0.999, 1.0, 1.001],
    };
    let digits = [0.1234, -0.001];
    bounds
        .iter()
        .chain(&digits)
        .map(|part| json!(part))
        .collect()
}

fn texts(text: Text) -> Vec<Value> {
    let mut texts = Vec::new();
    for start in ["", "/", "*.", "a/", "-_.~"] {
        for length in [text.most - 1, text.most, text.most + 1] {
            let rest = length - start.len();
            texts.push(json!([start, &"a".repeat(rest)].concat()));
        }
    }
    // As many letters as are allowed, and more bytes.
    texts.push(json!("ä".repeat(text.most)));
    let forms = [
        "a\n",
        "\n",
        "A-b_c",
        "a.b",
        "a:1",
        "a/b",
        "/a/",
        "/a//b",
        "/a/../b",
        "/..",
        "/.a",
        "/a b",
        "~",
        "/~",
        "/~0",
        "/~2",
        "a~1",
        "é/",
        "{a}",
        "{",
        "}",
        "{{a}}",
        "regex:",
        "regex:(",
        "(",
        "!#$%&'*+.^_`|~",
        "(comment)",
        "a,b",
        "a=b",
        "[::1]",
        "*.example.com",
        "example.com:80",
        "identity",
        "{identity}",
        "{header.x-a}",
    ];
    texts.extend(forms.map(Value::from));
    texts
}

fn values() -> Vec<Value> {
    let many = |count: usize| -> Value {
        let fields = (0..count).map(|number| (format!("x-{number}"), json!("a")));
        Value::Object(fields.collect())
    };
    let one = |name: String, value: Value| json!({ name: value });
    vec![
        many(64),
        many(65),
        one("a".repeat(128), json!("a")),
        one("a".repeat(129), json!("a")),
        one(String::new(), json!("a")),
        one("a b".to_owned(), json!("a")),
        one("a".to_owned(), json!("")),
        one("a".to_owned(), json!("a".repeat(1024))),
        one("a".to_owned(), json!("a".repeat(1025))),
        one("a".to_owned(), json!(["a"])),
        json!({ "X-A": "1", "x-a": "1" }),
    ]
}
