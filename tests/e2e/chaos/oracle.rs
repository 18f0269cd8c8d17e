//! What may come back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use larder_harness::client::Answer;

use super::world::{Manner, World, content, subject, tag, version_of};
use crate::stage::{lines, x_cache};

/// What was asked.
#[derive(Clone, Debug)]
pub struct Question {
    pub method: String,
    pub host: String,
    pub target: String,
    pub facet: String,
    pub fields: Vec<(&'static str, String)>,
    pub manner: Manner,
}

impl Question {
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }

    fn url(&self) -> String {
        url(&self.host, &self.target)
    }

    fn is_read(&self) -> bool {
        let is_safe = ["GET", "HEAD", "OPTIONS", "QUERY"].contains(&self.method.as_str());
        is_safe || (self.method == "POST" && self.target.starts_with("/q/"))
    }

    fn group(&self) -> Option<String> {
        let member: usize = self.target.strip_prefix("/g/")?.parse().ok()?;
        Some(format!("{} g{}", self.host, member % 2))
    }
}

fn url(host: &str, target: &str) -> String {
    format!("{host}{}", target.replace("%64", "d"))
}

/// Which versions the answers of the past forbid.
pub struct Oracle {
    world: Arc<World>,
    floors: Mutex<HashMap<String, u64>>,
}

impl Oracle {
    pub fn new(world: Arc<World>) -> Self {
        Self {
            world,
            floors: Mutex::default(),
        }
    }

    /// The version that the last answered write has made, or a later one: asked before the question is sent.
    pub fn floor(&self, question: &Question) -> u64 {
        let floors = self.floors.lock().unwrap();
        let names = [Some(question.url()), question.group()];
        let known = names.iter().flatten().filter_map(|name| floors.get(name));
        known.copied().max().unwrap_or_default()
    }

    fn raise(&self, name: String, version: u64) {
        let mut floors = self.floors.lock().unwrap();
        let floor = floors.entry(name).or_default();
        *floor = version.max(*floor);
    }

    /// Judges a complete answer.
    pub fn judge(&self, question: &Question, floor: u64, answer: &Answer) {
        if question.is_read() {
            Judged {
                oracle: self,
                question,
                floor,
                answer,
            }
            .read();
        } else {
            self.written(question, answer);
        }
    }

    fn written(&self, question: &Question, answer: &Answer) {
        assert!(
            [200, 201, 204, 303, 409, 500].contains(&answer.status),
            "{question:?}\n{answer:?}"
        );
        assert_eq!(x_cache(answer), "BYPASS", "{question:?}");
        let Some(version) = answer
            .header("x-version")
            .map(|version| version.parse().unwrap())
        else {
            return;
        };
        self.raise(question.url(), version);
        if let Some(made) = answer.header("location") {
            self.raise(url(&question.host, made), version);
        }
        if let Some(group) = answer.header("cache-group-invalidation") {
            self.raise(
                format!("{} {}", question.host, group.trim_matches('"')),
                version,
            );
        }
    }
}

struct Judged<'a> {
    oracle: &'a Oracle,
    question: &'a Question,
    floor: u64,
    answer: &'a Answer,
}

impl Judged<'_> {
    #[track_caller]
    fn must(&self, holds: bool, what: &str) {
        let Self {
            question,
            floor,
            answer,
            ..
        } = self;
        let head = (answer.status, answer.body.len(), &answer.headers.0);
        let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(100)]);
        let texts: Vec<_> = head
            .2
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value)))
            .collect();
        assert!(
            holds,
            "{what}; not before {floor}\n{question:?}\n{} of {} bytes\n{texts:#?}\n{start}",
            head.0, head.1
        );
    }

    fn read(&self) {
        let answer = self.answer;
        if answer.header("x-lie").is_some() {
            return self.must(
                x_cache(answer) == "MISS" || x_cache(answer) == "BYPASS",
                "a lie is passed on once",
            );
        }
        match answer.status {
            200 => self.whole(),
            206 => self.parts(),
            304 => self.confirmation(),
            404 | 410 | 500 | 503 => self.error(),
            416 => self.must(lines(answer, "content-range").len() == 1, "a length"),
            504 => self.must(
                self.question.field("cache-control") == Some("only-if-cached"),
                "who asks for a 504",
            ),
            _ => self.must(false, "a status"),
        }
    }

    /// The versions that may be seen, the newest first, by their contents.
    fn versions(&self) -> Vec<(u64, Vec<u8>)> {
        let subject = subject(&self.question.host, &self.question.target);
        let versions = self.oracle.world.versions(&subject);
        let allowed = versions
            .into_iter()
            .rev()
            .filter(|version| *version >= self.floor);
        allowed
            .map(|version| (version, content(&subject, &self.question.facet, version)))
            .collect()
    }

    fn named(&self) -> Option<u64> {
        self.answer.header("etag").and_then(version_of)
    }

    /// The tag, where there is one of ours, and these bytes must be of the same version.
    fn is_version(&self, holds: impl Fn(&[u8]) -> bool) {
        let named = self.named();
        let is_one = self.versions().into_iter().any(|(version, content)| {
            named.is_none_or(|named| named == version && self.has_tag(version)) && holds(&content)
        });
        self.must(is_one, "a version");
    }

    fn has_tag(&self, version: u64) -> bool {
        let seen = self.answer.header("etag").unwrap_or_default();
        seen.trim_start_matches("W/") == tag(&self.question.facet, version)
    }

    fn whole(&self) {
        let body = &self.answer.body;
        let length = self
            .answer
            .header("content-length")
            .map(|length| length.parse::<usize>().unwrap());
        if self.question.method == "HEAD" {
            self.must(body.is_empty(), "no content");
            self.is_version(|content| length.is_none_or(|length| length == content.len()));
        } else {
            self.must(length.is_none_or(|length| length == body.len()), "a length");
            self.is_version(|content| content == body);
        }
        self.fields();
    }

    fn fields(&self) {
        self.must(
            lines(self.answer, "content-type") == ["text/x-chaos"],
            "a type",
        );
        if x_cache(self.answer) == "HIT" && self.question.field("if-range").is_none() {
            self.must(
                lines(self.answer, "x-route") == ["1"],
                "the route's field once",
            );
            self.must(
                lines(self.answer, "link") == ["</origin>", "</route>"],
                "both links once",
            );
        }
    }

    fn parts(&self) {
        self.must(
            self.question.method == "GET" && self.question.field("range").is_some(),
            "who asks for parts",
        );
        let kind = self.answer.header("content-type").unwrap_or_default();
        let Some(boundary) = kind.strip_prefix("multipart/byteranges; boundary=") else {
            self.fields();
            let range = self.answer.header("content-range").unwrap_or_default();
            return self.is_version(|content| is_part(range, &self.answer.body, content));
        };
        let parts = multipart(&self.answer.body, boundary);
        self.must(parts.as_ref().is_some_and(|parts| parts.len() > 1), "parts");
        let parts = parts.unwrap_or_default();
        self.is_version(|content| {
            parts
                .iter()
                .all(|(range, bytes)| is_part(range, bytes, content))
        });
    }

    fn confirmation(&self) {
        let asked = self.question.field("if-none-match");
        self.must(
            asked.is_some() || self.question.field("if-modified-since").is_some(),
            "who asks for a 304",
        );
        self.must(self.answer.body.is_empty(), "no content");
        if let (Some(tag), Some(asked)) = (self.answer.header("etag"), asked) {
            let tag = tag.trim_start_matches("W/");
            self.must(
                asked == "*" || asked.contains(tag),
                "the tag that was asked about",
            );
        }
        if self.named().is_some() {
            self.is_version(|_| true);
        }
    }

    fn error(&self) {
        let text = self.answer.text();
        let Some(rest) = text.strip_prefix("error|") else {
            let is_head = self.question.method == "HEAD" && text.is_empty();
            return self.must(
                is_head || self.question.manner.breaks_off,
                "an error of the origin",
            );
        };
        let (about, version) = rest.split_once('|').unwrap();
        self.must(
            about == subject(&self.question.host, &self.question.target),
            "its subject",
        );
        self.must(version.parse::<u64>().unwrap() >= self.floor, "its version");
    }
}

fn is_part(range: &str, bytes: &[u8], content: &[u8]) -> bool {
    let read = || {
        let (range, length) = range.strip_prefix("bytes ")?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| text.parse::<usize>().ok();
        let part = content.get(number(first)?..=number(last)?)?;
        Some(number(length)? == content.len() && part == bytes)
    };
    read().unwrap_or(false)
}

/// The Content-Range and the bytes of each part.
fn multipart<'a>(body: &'a [u8], boundary: &str) -> Option<Vec<(&'a str, &'a [u8])>> {
    let find =
        |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    let delimiter = format!("\r\n--{boundary}");
    let mut rest = body.strip_prefix(&delimiter.as_bytes()[2..])?;
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let head = find(part, b"\r\n\r\n")?;
        let bytes = &part[head + 4..];
        let end = find(bytes, delimiter.as_bytes())?;
        let fields = std::str::from_utf8(&part[..head]).ok()?;
        let range = fields
            .split("\r\n")
            .find_map(|line| line.strip_prefix("content-range: "))?;
        parts.push((range, &bytes[..end]));
        rest = &bytes[end + delimiter.len()..];
    }
    (rest == b"--\r\n").then_some(parts)
}
