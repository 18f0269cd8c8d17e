//! What is expected, and whether it is so.

use serde_json::{Value, json};

use super::fields::{flag, number, one_or_many, refuse, status, text};
use super::{Expected, Subject};
use crate::document::{Broken, Field, Kind, Node};
use crate::stage::{Seen, line};

/// What there is to compare with.
pub(super) struct Saw<'a> {
    pub(super) seen: &'a Seen,
    /// The name of the rule that holds.
    pub(super) rule: Option<String>,
    /// What the origin was asked meanwhile, the last one last.
    pub(super) asked: &'a [larder_core::http::Headers],
}

/// The expectations of a step.
pub(super) fn expected(node: &Node) -> Result<Vec<Expected>, Broken> {
    let mut expected = Vec::new();
    if node.fields().is_empty() {
        return refuse(node, "must be an object of what is expected");
    }
    for field in node.fields() {
        match field.name.as_str() {
            "headers" => expected.extend(of_fields(&field.value, Subject::Header)?),
            "origin_headers" => expected.extend(of_fields(&field.value, Subject::OriginHeader)?),
            _ => expected.push(one(field)?),
        }
    }
    Ok(expected)
}

fn of_fields(node: &Node, subject: fn(String) -> Subject) -> Result<Vec<Expected>, Broken> {
    let fields = node.fields().iter();
    let expected = fields.map(|Field { name, value, .. }| {
        Ok(Expected {
            place: value.place,
            subject: subject(name.to_ascii_lowercase()),
            wanted: text_or_nothing(value)?,
        })
    });
    expected.collect()
}

fn one(field: &Field) -> Result<Expected, Broken> {
    let Field { name, place, value } = field;
    let (subject, wanted) = match name.as_str() {
        "body" => (Subject::Body, json!(text(value)?)),
        "body_contains" => (Subject::BodyContains, json!(text(value)?)),
        "cache_status" => (
            Subject::Header("cache-status".to_owned()),
            text_or_nothing(value)?,
        ),
        "key" => (Subject::Key, text_or_nothing(value)?),
        "origin_requests" => (Subject::OriginRequests, json!(number(value)?)),
        "reason" => (Subject::Reason, text_or_nothing(value)?),
        "rule" => (Subject::Rule, text_or_nothing(value)?),
        "status" => (Subject::Status, json!(status(value)?)),
        "stored" => (Subject::Stored, json!(flag(value)?)),
        "tags" => (Subject::Tags, sorted(tags(value)?)),
        "ttl" => (Subject::Ttl, json!(number(value)?)),
        "x_cache" => (
            Subject::Header("x-cache".to_owned()),
            text_or_nothing(value)?,
        ),
        other => {
            return Err(Broken {
                place: *place,
                problem: format!(
                    "`{other}` is unknown; expected can be `status`, `x_cache`, `cache_status`, `reason`, `rule`, `headers`, \
                     `body`, `body_contains`, `stored`, `key`, `tags`, `ttl`, `origin_requests`, `origin_headers`"
                ),
            });
        }
    };
    Ok(Expected {
        place: value.place,
        subject,
        wanted,
    })
}

/// `[]` is a list, too.
fn tags(node: &Node) -> Result<Vec<String>, Broken> {
    match &node.kind {
        Kind::List(items) if items.is_empty() => Ok(Vec::new()),
        Kind::List(_)
        | Kind::Null
        | Kind::Flag(_)
        | Kind::Number(_)
        | Kind::Text(..)
        | Kind::Object(_) => one_or_many(node, text),
    }
}

fn text_or_nothing(node: &Node) -> Result<Value, Broken> {
    match node.kind {
        Kind::Null => Ok(Value::Null),
        Kind::Flag(_) | Kind::Number(_) | Kind::Text(..) | Kind::List(_) | Kind::Object(_) => {
            Ok(Value::String(text(node)?))
        }
    }
}

fn sorted(mut words: Vec<String>) -> Value {
    words.sort();
    words.dedup();
    json!(words)
}

impl Expected {
    /// What there is in its place; `None` where it is as it should be.
    pub(super) fn unmet(&self, saw: &Saw<'_>) -> Option<Value> {
        let got = saw.of(&self.subject);
        let met = match (&self.subject, &self.wanted, &got) {
            (Subject::BodyContains, Value::String(part), Value::String(body)) => {
                body.contains(part)
            }
            (_, wanted, got) => wanted == got,
        };
        (!met).then_some(got)
    }
}

impl Saw<'_> {
    fn of(&self, subject: &Subject) -> Value {
        let seen = self.seen;
        let stored = seen.stored.first();
        match subject {
            Subject::Body | Subject::BodyContains => json!(String::from_utf8_lossy(&seen.body)),
            Subject::Header(name) => json!(line(&seen.headers, name)),
            Subject::Key => json!(seen.keys.first().or(stored.map(|stored| &stored.key))),
            Subject::OriginHeader(name) => {
                json!(self.asked.last().and_then(|asked| line(asked, name)))
            }
            Subject::OriginRequests => json!(self.asked.len()),
            Subject::Reason => json!(self.reason()),
            Subject::Rule => json!(self.rule),
            Subject::Status => json!(seen.status),
            Subject::Stored => json!(stored.is_some()),
            Subject::Tags => sorted(stored.map(|stored| stored.tags.clone()).unwrap_or_default()),
            Subject::Ttl => json!(stored.map(|stored| stored.lifetime)),
        }
    }

    /// The detail in what Larder says of itself, which stands last.
    fn reason(&self) -> Option<String> {
        let status = line(&self.seen.headers, "cache-status")?;
        let (_, own) = status.rsplit_once("larder;")?;
        let mut parameters = own.split(';');
        let detail = parameters.find_map(|parameter| parameter.trim().strip_prefix("detail="));
        detail.map(str::to_owned)
    }
}
