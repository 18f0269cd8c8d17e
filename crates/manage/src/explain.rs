//! Why: every step of a decision, by the code that decides.
//!
//! ```json
//! {"method": "GET", "url": "https://api.example.com/a?b", "headers": {"accept": "text/html"},
//!  "response": {"status": 200, "headers": {"cache-control": "max-age=60"}, "body": "..."}}
//! ```
//!
//! The request is asked as one that comes now, and nothing of what comes of it is done. A response that is given is judged
//! as the origin's answer to that request when nothing is stored.

use larder_core::config::reading::{self, Cursor, Fields, Given};
use larder_core::config::{Config, Selection};
use larder_core::entry::{FreshnessSource, Payload, StoredResponse};
use larder_core::epoch::{Currency, Stamped, Whereabouts};
use larder_core::exchange::{Call, Effect};
use larder_core::http::{Headers, RequestHead, Target, Uri};
use larder_core::key::Key;
use larder_core::policy::Reason;
use larder_core::policy::freshness::current_age;
use larder_core::tier::{AbsentReason, Found};
use larder_core::time::Timestamp;

use crate::answer::Desk;
use crate::entries::rule;
use crate::json::{Json, quoted};
use crate::outcome::Outcome;
use crate::play::{Look, Play};

const MOST_FIELDS: usize = 100;
const LONGEST: usize = 64 << 10;

/// What is asked.
struct Question {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    response: Option<Response>,
}

struct Response {
    status: u64,
    headers: Vec<(String, String)>,
    body: String,
}

/// `POST explain`.
pub(crate) fn explain(call: &Call, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let question = match reading::read(&call.content, |cursor| cursor.object(Question::read)) {
        Ok(question) => question,
        Err(errors) => {
            let problems: Vec<_> = errors.iter().map(ToString::to_string).collect();
            return Outcome::bad_request(&problems.join("; "));
        }
    };
    let Some(headers) = question.request(call) else {
        return Outcome::bad_request("url: is none that could be asked for");
    };
    let Ok(head) = RequestHead::parse(headers.clone()) else {
        return Outcome::bad_request("headers: must not name pseudo-fields");
    };
    let play = Play::ask(desk, headers.clone(), Look::IntoTheTiers, now);
    let lookups = play.lookups.iter();
    let lookups = lookups.map(|(key, found)| lookup(key, found, desk, now));
    let mut json = Json::object()
        .nested("rule", selected(&head, desk.config()))
        .list("lookups", lookups)
        .nested("outcome", outcome(&play));
    if let Some(response) = &question.response {
        let mut play = Play::ask(desk, headers, Look::Away, now);
        play.respond(response.fields(), response.body.as_bytes());
        json = json.nested("response", stored(&play, desk));
    }
    Outcome::ok(json)
}

/// Which rule holds, and which were tried before it.
fn selected(head: &RequestHead, config: &Config) -> Json {
    let Ok(target) = Target::parse(head.target()) else {
        return Json::object()
            .raw("name", "null")
            .text("action", "ambiguous-path");
    };
    let (index, action) = match config.select(head, &target) {
        Selection::Ambiguous => (None, "ambiguous-path"),
        Selection::Bypass(index) => (Some(index), "bypass"),
        Selection::Cache(selected) => (selected.id.rule(), "cache"),
        Selection::Refuse(index) => (Some(index), "refused"),
        Selection::Unmatched => (None, "none"),
        Selection::Writes(index) => (Some(index), "write"),
    };
    let rule = index.and_then(|index| config.rule(index));
    let before = config.rules.iter();
    let before = before.take_while(|tried| rule.is_none_or(|rule| tried.name != rule.name));
    let json = match rule {
        Some(rule) => Json::object().text("name", &rule.name),
        None => Json::object().raw("name", "null"),
    };
    json.text("action", action)
        .list("not_matched", before.map(|rule| quoted(&rule.name)))
}

fn lookup(
    key: &Key,
    found: &Result<Found, AbsentReason>,
    desk: &Desk<'_>,
    now: Timestamp,
) -> String {
    let apart = key.distinctions();
    let json = Json::object()
        .text("key", key.name().as_str())
        .text("scheme", key.scheme())
        .list("told_apart_by", apart.iter().map(|kind| quoted(kind)));
    let found = match found {
        Err(reason) => return json.text("found", absent(*reason)).end(),
        Ok(found) => found,
    };
    match Payload::decode(found.payload()) {
        Ok(Payload::Response(response)) => {
            described(json.text("found", "response"), key, &response, desk, now)
        }
        Ok(Payload::Partial(part)) => {
            described(json.text("found", "part"), key, &part.response, desk, now)
        }
        Ok(Payload::Search(_)) => json.text("found", "no-vary-search"),
        Ok(Payload::Variants(_)) => json.text("found", "variants"),
        Err(_) => json.text("found", "unreadable"),
    }
    .end()
}

fn absent(reason: AbsentReason) -> &'static str {
    match reason {
        AbsentReason::CorruptDirectory | AbsentReason::CorruptSlot => "unreadable",
        AbsentReason::Expired => "expired",
        AbsentReason::Distrusted | AbsentReason::Failed => "host-failed",
        AbsentReason::Displaced
        | AbsentReason::NoEntry
        | AbsentReason::OtherKey
        | AbsentReason::Reset
        | AbsentReason::Unfounded => "nothing",
    }
}

fn described(
    json: Json,
    key: &Key,
    response: &StoredResponse<'_>,
    desk: &Desk<'_>,
    now: Timestamp,
) -> Json {
    let meta = &response.meta;
    let stored = Stamped {
        epoch: meta.epoch,
        stamps: response.stamps,
        key,
        whereabouts: Whereabouts::Shared,
    };
    let currency = match desk.judge(stored) {
        Currency::Current => "current",
        Currency::Gone => "gone",
        Currency::Invalidated => "invalidated",
        Currency::Softened { .. } => "soft-purged",
    };
    let age = current_age(meta, now);
    let json = json
        .text("invalidation", currency)
        .number("status", response.status.into())
        .number("age_seconds", age.get().into());
    kept(json, response, desk)
}

/// What is kept with a response.
fn kept(json: Json, response: &StoredResponse<'_>, desk: &Desk<'_>) -> Json {
    let meta = &response.meta;
    let source = match meta.lifetime.source {
        FreshnessSource::Heuristic => "heuristic",
        FreshnessSource::Negative => "negative",
        FreshnessSource::Origin => "origin",
        FreshnessSource::Rule => "rule",
    };
    let tags = response.tags.names();
    let json = json
        .number("lifetime_seconds", meta.lifetime.seconds.get().into())
        .text("lifetime_source", source)
        .list(
            "tags",
            tags.map(|tag| quoted(&String::from_utf8_lossy(tag))),
        );
    match rule(desk, meta.rule) {
        Some(name) => json.text("rule", name),
        None => json.raw("rule", "null"),
    }
}

/// What the request would come to.
fn outcome(play: &Play) -> Json {
    match (&play.reply, play.reason()) {
        (Some((status, headers)), _) => {
            let fields = headers.iter();
            let json = Json::object()
                .text("is", "answered")
                .number("status", (*status).into());
            template(json, play).list("headers", fields.map(|(name, value)| field(name, value)))
        }
        (None, Some(reason)) => reasoned(Json::object().text("is", "passed"), reason),
        (None, None) => Json::object()
            .text("is", "forwarded")
            .list("headers_added", added_to_request(play)),
    }
}

/// Where a page is made of it.
fn template(json: Json, play: &Play) -> Json {
    match play.template() {
        Some(language) => json.text("template", language),
        None => json,
    }
}

/// What would become of a response.
fn stored(play: &Play, desk: &Desk<'_>) -> Json {
    let keys = play
        .stores()
        .map(|candidate| quoted(candidate.key.name().as_str()));
    let keys: Vec<_> = keys.collect();
    let response = play
        .stores()
        .find_map(|candidate| Payload::outline(&candidate.payload));
    let json = match (response, play.reason()) {
        (Some(response), _) => {
            kept(Json::object().text("is", "stored"), &response, desk).list("keys", keys)
        }
        (None, Some(reason)) => reasoned(Json::object().text("is", "not-stored"), reason),
        (None, None) => Json::object().text("is", "not-stored"),
    };
    let fields = added_to_response(play);
    let fields = fields.iter();
    template(json, play).list(
        "headers_added",
        fields.map(|(name, value)| field(name.as_bytes(), value.as_bytes())),
    )
}

fn reasoned(json: Json, reason: Reason) -> Json {
    json.text("reason", reason.code())
        .text("because", reason.description())
}

fn added_to_request(play: &Play) -> impl Iterator<Item = String> {
    play.effects.iter().filter_map(|effect| match effect {
        Effect::SetRequestHeader(name, value) => Some(field(name.as_bytes(), value)),
        Effect::AddHeader(..)
        | Effect::Compress(_)
        | Effect::Count(_)
        | Effect::Gather(_)
        | Effect::Invalidate(_)
        | Effect::Land(..)
        | Effect::Measure(..)
        | Effect::Refresh(_)
        | Effect::RemoveHeader(_)
        | Effect::RemoveRequestHeader(_)
        | Effect::SetField(_)
        | Effect::SetHeader(..)
        | Effect::Store(_)
        | Effect::Watch(_) => None,
    })
}

/// What is left of them: one may take the place of another.
fn added_to_response(play: &Play) -> Vec<(&str, &str)> {
    let mut added: Vec<(&str, &str)> = Vec::new();
    for effect in &play.effects {
        match effect {
            Effect::AddHeader(name, value) => added.push((name, value)),
            Effect::RemoveHeader(name) => added.retain(|(other, _)| other != name),
            Effect::SetHeader(name, value) => {
                added.retain(|(other, _)| other != name);
                added.push((name, value));
            }
            Effect::Compress(_)
            | Effect::Count(_)
            | Effect::Gather(_)
            | Effect::Invalidate(_)
            | Effect::Land(..)
            | Effect::Measure(..)
            | Effect::Refresh(_)
            | Effect::RemoveRequestHeader(_)
            | Effect::SetField(_)
            | Effect::SetRequestHeader(..)
            | Effect::Store(_)
            | Effect::Watch(_) => {}
        }
    }
    added
}

fn field(name: &[u8], value: &[u8]) -> String {
    let text = |bytes| quoted(&String::from_utf8_lossy(bytes));
    ["[", &text(name), ",", &text(value), "]"].concat()
}

impl Question {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            method: fields
                .optional("method", |cursor| text(cursor, 32))
                .unwrap_or("GET".to_owned()),
            url: fields
                .required("url", |cursor| text(cursor, LONGEST))
                .unwrap_or(String::new()),
            headers: fields.optional("headers", headers).unwrap_or(Vec::new()),
            response: fields
                .optional("response", |cursor| cursor.object(Response::read))
                .value(),
        }
    }

    /// The request's head; `None` for a URL that is none.
    fn request(&self, call: &Call) -> Option<Headers> {
        let called = Uri::of_request(call.head.scheme(), call.head.authority(), b"/")?;
        let uri = called.resolve(self.url.as_bytes())?;
        let mut request = Headers::from_iter([
            (":method", &self.method),
            (":scheme", &uri.scheme),
            (":authority", &uri.authority),
            (":path", &uri.target),
        ]);
        for (name, value) in &self.headers {
            request.push(name, value);
        }
        Some(request)
    }
}

impl Response {
    fn read(fields: &mut Fields<'_>) -> Self {
        Self {
            status: fields
                .optional("status", |cursor| cursor.number(200..=599))
                .unwrap_or(200),
            headers: fields.optional("headers", headers).unwrap_or(Vec::new()),
            body: fields
                .optional("body", |cursor| {
                    cursor.text(0..=usize::MAX).map(str::to_owned)
                })
                .unwrap_or(String::new()),
        }
    }

    fn fields(&self) -> Headers {
        let mut fields = Headers::from_iter([(":status", self.status.to_string())]);
        for (name, value) in &self.headers {
            fields.push(name, value);
        }
        fields
    }
}

fn text(cursor: Cursor<'_>, longest: usize) -> Given<String> {
    cursor.text(1..=longest).map(str::to_owned)
}

/// `{"name": "value", "other": ["one line", "another"]}`
fn headers(cursor: Cursor<'_>) -> Given<Vec<(String, String)>> {
    cursor.entries(MOST_FIELDS).map(|fields| {
        let mut lines = Vec::new();
        for (name, cursor) in fields {
            let name = name.to_ascii_lowercase();
            if name.starts_with(':') {
                let _: Given<()> = cursor.refuse("must be no pseudo-field");
                continue;
            }
            let values = match cursor.value.is_array() {
                true => cursor.items(MOST_FIELDS).unwrap_or(Vec::new()),
                false => vec![cursor],
            };
            for value in values {
                let value = value.text(0..=LONGEST).unwrap_or("");
                lines.push((name.clone(), value.to_owned()));
            }
        }
        lines
    })
}
