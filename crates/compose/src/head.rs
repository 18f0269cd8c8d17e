//! The head of a page: what is true of all its parts.
//!
//! The page may be used as long as the part that may be used shortest, by those who may have all parts, and depends on everything
//! that a part depends on. A part without a word about its freshness gives the page none. All other fields are the template's: a
//! fragment is content, and sets no cookies.

use larder_core::entry::checksum;
use larder_core::http::{Headers, ResponseDirectives, Restriction, list};
use larder_core::policy::template::is_targeted;
use larder_core::time::{Seconds, parse_http_date};
use larder_core::transform::forbids_transforming;

use crate::client::Client;

/// Fields of a template that are about its own bytes or freshness, or about how it is stored and made.
const OF_THE_TEMPLATE: [&str; 17] = [
    "accept-ranges",
    "age",
    "cache-control",
    "content-digest",
    "content-encoding",
    "content-length",
    "content-md5",
    "content-range",
    "digest",
    "etag",
    "expires",
    "last-modified",
    "pragma",
    "repr-digest",
    "surrogate-control",
    "transfer-encoding",
    "vary",
];

/// What varies by more names varies by anything.
const MOST_VARY_BYTES: usize = 1024;

/// What is known of all parts so far.
#[derive(Debug)]
pub(crate) struct Head {
    age: Seconds,
    is_aged: bool,
    no_store: bool,
    no_cache: bool,
    no_transform: bool,
    private: bool,
    public: bool,
    must_revalidate: bool,
    /// What is left, for all and for shared caches; `None` where a part does not say.
    fresh: Option<Seconds>,
    shared: Option<Seconds>,
    has_shared: bool,
    vary: Vec<u8>,
}

impl Head {
    pub(crate) fn of_template(headers: &Headers, client: &Client) -> Self {
        let mut head = Self {
            age: Seconds::ZERO,
            is_aged: false,
            no_store: false,
            no_cache: false,
            no_transform: false,
            private: !client.used.is_empty(),
            public: client.used.is_empty(),
            must_revalidate: false,
            fresh: Some(Seconds::MAX),
            shared: Some(Seconds::MAX),
            has_shared: false,
            vary: Vec::new(),
        };
        head.add(headers);
        for field in &client.used {
            head.vary_by(field);
        }
        head
    }

    /// Takes in what a part says.
    pub(crate) fn add(&mut self, headers: &Headers) {
        let said = ResponseDirectives::from_cache_control(headers);
        let age = headers.first("age").map(seconds);
        self.is_aged |= age.is_some();
        let age = age.unwrap_or(Seconds::ZERO);
        self.age = self.age.max(age);
        self.no_store |= said.no_store;
        self.no_cache |= !matches!(said.no_cache, Restriction::Nothing);
        self.no_transform |= forbids_transforming(headers);
        self.private |= !matches!(said.private, Restriction::Nothing);
        self.public &= said.public;
        self.must_revalidate |= said.revalidate;
        let fresh = said.max_age.or_else(|| until_expiry(headers));
        let left = |time: Option<Seconds>| time.map(|time| time.saturating_sub(age));
        self.has_shared |= said.s_maxage.is_some();
        self.shared = least(self.shared, left(said.s_maxage.or(fresh)));
        self.fresh = least(self.fresh, left(fresh));
        for name in list::elements(headers.all("vary")) {
            self.vary_by(name.bytes());
        }
    }

    fn vary_by(&mut self, name: &[u8]) {
        if self.vary.len() > MOST_VARY_BYTES {
            self.vary = b"*".to_vec();
        }
        if self.vary == b"*" {
            return;
        }
        let mut names = list::elements([self.vary.as_slice()]);
        let is_known = names.any(|known| known.bytes().eq_ignore_ascii_case(name));
        drop(names);
        if is_known {
            return;
        }
        if !self.vary.is_empty() {
            self.vary.extend_from_slice(b", ");
        }
        self.vary.extend(name.iter().map(u8::to_ascii_lowercase));
    }

    /// The head of the page with this body.
    pub(crate) fn write(&self, mut headers: Headers, body: &[u8], is_poorer: bool) -> Headers {
        headers.retain(|name, _| {
            !is_targeted(name)
                && !OF_THE_TEMPLATE
                    .iter()
                    .any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
        });
        let control = self.control(is_poorer);
        if !control.is_empty() {
            headers.push("cache-control", control);
        }
        if self.is_aged {
            headers.push("age", self.age.get().to_string());
        }
        match list::elements([self.vary.as_slice()]).any(|name| name.bytes() == b"*") {
            true => headers.push("vary", "*"),
            false if self.vary.is_empty() => {}
            false => headers.push("vary", &self.vary),
        }
        if !is_poorer {
            headers.push("etag", tag(body));
        }
        headers
    }

    fn control(&self, is_poorer: bool) -> String {
        if self.no_store || is_poorer {
            return "no-store".to_owned();
        }
        let mut control = String::new();
        let mut say = |word: &str| {
            if !control.is_empty() {
                control.push_str(", ");
            }
            control.push_str(word);
        };
        if self.private {
            say("private");
        } else if self.public {
            say("public");
        }
        for (is_said, word) in [
            (self.no_cache, "no-cache"),
            (self.must_revalidate, "must-revalidate"),
            (self.no_transform, "no-transform"),
        ] {
            if is_said {
                say(word);
            }
        }
        if let Some(left) = self.fresh {
            say(&["max-age=", &self.age.saturating_add(left).get().to_string()].concat());
        }
        if let Some(left) = self.shared.filter(|_| self.has_shared && !self.private) {
            say(&[
                "s-maxage=",
                &self.age.saturating_add(left).get().to_string(),
            ]
            .concat());
        }
        control
    }
}

/// The lesser; none where one is missing.
fn least(one: Option<Seconds>, other: Option<Seconds>) -> Option<Seconds> {
    one.zip(other).map(|(one, other)| one.min(other))
}

/// What says no number says that it is old.
fn seconds(value: &[u8]) -> Seconds {
    let text = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
    text.parse().map_or(Seconds::MAX, Seconds::clamped)
}

/// "If the Expires response header field is present, use its value minus the value of the Date response header field" (RFC 9111
/// section 4.2.1); what has no meaning, or no date beside it, is over.
fn until_expiry(headers: &Headers) -> Option<Seconds> {
    let expires = headers.first("expires")?;
    let date = headers.first("date").and_then(parse_http_date);
    let left = parse_http_date(expires).zip(date);
    Some(left.map_or(Seconds::ZERO, |(expires, date)| expires.since(date)))
}

/// Made of the bytes. It is weak because the sum is quick rather than beyond all doubt.
fn tag(body: &[u8]) -> Vec<u8> {
    let mut tag = b"W/\"".to_vec();
    let sum = checksum(body);
    for number in [sum, body.len() as u64] {
        for shift in (0..16).rev() {
            let nibble = number.wrapping_shr(4_u32.wrapping_mul(shift)) & 15;
            tag.extend(char::from_digit(nibble as u32, 16).map(|digit| digit as u8));
        }
    }
    tag.push(b'"');
    tag
}
