//! What `explain` answers, for people.

use serde_json::Value;

use crate::output::{Printer, Style};
use crate::shown::{self, items, number, seen};

/// How wide the words at the left are.
const MARGIN: usize = 10;

/// The lines of an explanation.
pub(crate) fn lines(asked: &str, answer: &Value, out: &Printer) -> Vec<String> {
    let mut page = Page {
        out,
        lines: vec![out.styled(Style::Bold, &seen(asked))],
    };
    page.rule(answer);
    for lookup in items(answer, "/lookups") {
        page.lookup(lookup);
    }
    page.outcome(answer);
    if answer.get("response").is_some() {
        page.response(answer);
    }
    page.lines
}

struct Page<'a> {
    out: &'a Printer,
    lines: Vec<String>,
}

impl Page<'_> {
    fn say(&mut self, word: &str, said: &str) {
        let word = self.out.styled(Style::Dim, &format!("{word:<MARGIN$}"));
        self.lines.push(format!("{word} {said}"));
    }

    fn rule(&mut self, answer: &Value) {
        for tried in items(answer, "/rule/not_matched") {
            let name = tried.as_str().unwrap_or_default();
            let because = answer
                .pointer("/rule/why_not")
                .and_then(|why| why.get(name));
            let said = match because.and_then(Value::as_str) {
                Some(because) => format!("{name}: not its {because}"),
                None => format!("{name}: does not match"),
            };
            self.say("tried", &seen(&said));
        }
        let name = text(answer, "/rule/name");
        let does = match text(answer, "/rule/action").as_str() {
            "cache" if name == "-" => "by what HTTP says, as `unmatched` has it",
            "ambiguous-path" => {
                "passes: other servers read this path as that of a rule which keeps responses apart"
            }
            "bypass" => "says `cache: false`",
            "cache" => "caches",
            "none" => "requests that no rule matches are left alone",
            "refused" => "passes: what stands at the route makes no sense",
            "write" => "takes it for a write",
            _ => "is of a kind that this larderctl does not know",
        };
        let rule = match name.as_str() {
            "-" => format!("none: {does}"),
            name => format!("{} {does}", self.out.styled(Style::Bold, name)),
        };
        self.say("rule", &rule);
    }

    fn lookup(&mut self, lookup: &Value) {
        let mut key = text(lookup, "/key");
        let apart = words(lookup, "/told_apart_by");
        if !apart.is_empty() {
            key = format!("{key} (and {apart})");
        }
        self.say("key", &key);
        let found = match text(lookup, "/found").as_str() {
            found @ ("response" | "part") => self.found(found, lookup),
            "nothing" => "nothing".to_owned(),
            "expired" => "something that has expired".to_owned(),
            "variants" => "that there are variants, and what tells them apart".to_owned(),
            "no-vary-search" => "which parts of the query do not matter".to_owned(),
            other => other.to_owned(),
        };
        self.say("stored", &found);
    }

    fn found(&self, what: &str, lookup: &Value) -> String {
        let age = number(lookup, "/age_seconds");
        let lifetime = number(lookup, "/lifetime_seconds");
        let state = text(lookup, "/invalidation");
        format!(
            "a {what}, {age} s old of {lifetime} s, {state}{}",
            tags(lookup)
        )
    }

    fn outcome(&mut self, answer: &Value) {
        match text(answer, "/outcome/is").as_str() {
            "answered" => {
                let status = number(answer, "/outcome/status");
                self.say("request", &format!("is answered here with {status}"));
                self.page(answer, "/outcome");
                self.fields("shows", answer, "/outcome/headers");
            }
            "forwarded" => {
                self.say("request", "goes to the origin");
                self.fields("with", answer, "/outcome/headers_added");
            }
            "passed" => {
                let because = because(answer, "/outcome");
                self.say("request", &format!("passes: {because}"));
            }
            other => self.say("request", other),
        }
    }

    fn response(&mut self, answer: &Value) {
        let response = answer.get("response").unwrap_or(&Value::Null);
        if text(response, "/is") == "stored" {
            let seconds = number(response, "/lifetime_seconds");
            let source = match text(response, "/lifetime_source").as_str() {
                "heuristic" => "as its last change suggests".to_owned(),
                "negative" => "as `negative` says".to_owned(),
                "origin" => "as the origin says".to_owned(),
                "rule" => "as the rule says".to_owned(),
                other => other.to_owned(),
            };
            let stored = self.out.styled(Style::Good, "is stored");
            let said = format!("{stored} for {seconds} s, {source}{}", tags(response));
            self.say("response", &said);
            let keys = words(response, "/keys");
            self.say("under", &keys);
        } else {
            let stored = self.out.styled(Style::Doubtful, "is not stored");
            let because = because(answer, "/response");
            self.say("response", &format!("{stored}: {because}"));
        }
        self.page(answer, "/response");
        self.fields("adds", response, "/headers_added");
    }

    /// That the client gets something else.
    fn page(&mut self, answer: &Value, place: &str) {
        let language = match text(answer, &format!("{place}/template")).as_str() {
            "-" => return,
            "esi" => "ESI".to_owned(),
            "json" => "JSON".to_owned(),
            other => other.to_owned(),
        };
        let said = format!("is made of it: it is a template ({language})");
        self.say("page", &said);
    }

    fn fields(&mut self, word: &str, answer: &Value, place: &str) {
        for field in items(answer, place) {
            let (name, value) = (text(field, "/0"), text(field, "/1"));
            self.say(word, &format!("{name}: {value}"));
        }
    }
}

fn because(answer: &Value, place: &str) -> String {
    let because = text(answer, &format!("{place}/because"));
    match text(answer, &format!("{place}/reason")).as_str() {
        "-" => "nothing of it is kept".to_owned(),
        reason => format!("{} ({reason})", because.trim_end_matches('.')),
    }
}

fn tags(value: &Value) -> String {
    match words(value, "/tags").as_str() {
        "" => String::new(),
        tags => format!(", tags {tags}"),
    }
}

fn words(value: &Value, place: &str) -> String {
    let words = items(value, place).iter().filter_map(Value::as_str);
    seen(&words.collect::<Vec<_>>().join(", "))
}

/// What others say, of which every character is seen.
fn text(value: &Value, place: &str) -> String {
    seen(&shown::text(value, place))
}
