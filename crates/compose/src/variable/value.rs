//! What variables stand for.

use std::borrow::Cow;

use larder_core::http::{Authority, Target, cookies, form, list};

use crate::client::Client;

/// What the client says: text without control characters.
#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) text: String,
    shape: Shape,
}

/// How it is written into an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// As a value: everything that has a meaning in an address is escaped.
    Plain,
    /// It is a part of an address, escaped already: host and path.
    Path,
    /// The same, behind the `?`.
    Query,
}

/// Fields whose values are nobody's but the origin's.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

impl Value {
    /// What has no control characters, and is UTF-8.
    fn of(text: Cow<'_, [u8]>, shape: Shape) -> Option<Self> {
        let text = String::from_utf8(text.into_owned()).ok()?;
        let is_text = !text.chars().any(char::is_control);
        is_text.then_some(Self { text, shape })
    }

    fn word(text: &str) -> Option<Self> {
        Self::of(Cow::Borrowed(text.as_bytes()), Shape::Plain)
    }

    /// Writes it behind what there is of an address.
    pub(crate) fn escape_address(&self, out: &mut Vec<u8>) {
        let is_query = out.contains(&b'?');
        let is_fit = match self.shape {
            Shape::Plain => false,
            Shape::Path => !is_query,
            Shape::Query => is_query,
        };
        // With nothing but dots it would be a step in the tree of paths. With anything else beside them it is none, since it brings no
        // slash.
        if self.text.bytes().all(|byte| byte == b'.') {
            return;
        }
        if is_fit {
            out.extend_from_slice(self.text.as_bytes());
        } else {
            let mut escaped = String::new();
            form::encode(&self.text, &mut escaped);
            out.extend_from_slice(escaped.as_bytes());
        }
    }
}

/// What a variable stands for at this client. What it comes from, the page depends on, unless that is the address.
pub(super) fn value((name, key): (&[u8], Option<&[u8]>), client: &mut Client) -> Option<Value> {
    match name {
        b"HTTP_HOST" => {
            let authority = client.request().only(":authority")?;
            Authority::parse(authority)?;
            Value::of(Cow::Borrowed(authority), Shape::Path)
        }
        b"QUERY_STRING" => query(key, client),
        b"REQUEST_METHOD" => Value::of(
            Cow::Borrowed(client.request().only(":method")?),
            Shape::Plain,
        ),
        b"REQUEST_PATH" => {
            let target = target(client)?;
            Value::of(Cow::Borrowed(target.path().as_bytes()), Shape::Path)
        }
        b"HTTP_COOKIE" => {
            client.depend(b"cookie");
            let name = std::str::from_utf8(key?).ok()?;
            let value = cookies(client.request(), name).flatten().next()?;
            Value::of(Cow::Borrowed(value), Shape::Plain)
        }
        name => field(name.strip_prefix(b"HTTP_")?, key, client),
    }
}

fn target(client: &Client) -> Option<Target> {
    Target::parse(client.request().only(":path")?).ok()
}

fn query(key: Option<&[u8]>, client: &Client) -> Option<Value> {
    let target = target(client)?;
    let query = target.query()?;
    match key {
        None => Value::of(Cow::Borrowed(query.as_bytes()), Shape::Query),
        Some(key) => {
            let mut parameters = form::parameters(query);
            let found = parameters.find(|parameter| *parameter.name == *key)?;
            Value::of(found.value, Shape::Plain)
        }
    }
}

/// A field of the request, by its name in the way of CGI.
fn field(name: &[u8], key: Option<&[u8]>, client: &mut Client) -> Option<Value> {
    let name: Vec<u8> = name
        .iter()
        .map(|byte| match byte {
            b'_' => b'-',
            byte => byte.to_ascii_lowercase(),
        })
        .collect();
    let name = std::str::from_utf8(&name).ok()?;
    if name.is_empty() || SECRET.contains(&name) {
        return None;
    }
    let name = match name {
        "referer" | "accept-language" | "user-agent" => name,
        _ if key.is_some() => return None, // nobody knows what it is made of
        _ => name,
    };
    client.depend(name.as_bytes());
    let request = client.request();
    match (name, key) {
        ("accept-language", Some(key)) => {
            let mut ranges = list::elements(request.all(name));
            Value::word(match ranges.any(|range| accepts(range.bytes(), key)) {
                true => "true",
                false => "false",
            })
        }
        ("user-agent", Some(key)) => {
            let agent = request.first(name).unwrap_or_default();
            let agent = String::from_utf8_lossy(agent.get(..512).unwrap_or(agent));
            Value::word(about_agent(&agent, key)?)
        }
        ("referer", Some(_)) => None,
        (name, _) => Value::of(Cow::Borrowed(request.first(name)?), Shape::Plain),
    }
}

/// Whether a language range with its weight is of this language, and wanted at all.
fn accepts(range: &[u8], language: &[u8]) -> bool {
    let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let tag = parts.next().unwrap_or_default();
    let (start, rest) = tag.split_at(language.len().min(tag.len()));
    let is_of_it = start.eq_ignore_ascii_case(language) && matches!(rest, [] | [b'-', ..]);
    let is_refused = parts.any(|weight| {
        let digits = weight.strip_prefix(b"q=").or(weight.strip_prefix(b"Q="));
        digits.is_some_and(|digits| digits.iter().all(|byte| matches!(byte, b'0' | b'.')))
    });
    is_of_it && !is_refused
}

/// "browser: MOZILLA, MSIE, OTHER; version; os: UNIX, MAC, WIN, OTHER" (ESI Language Specification 1.0, section 4.1).
fn about_agent<'a>(agent: &'a str, key: &[u8]) -> Option<&'a str> {
    let one_of = |words: &[(&str, &'static str)]| {
        let mut words = words.iter();
        let found = words.find(|(sign, _)| agent.contains(sign));
        found.map_or("OTHER", |(_, name)| *name)
    };
    match key {
        b"browser" => Some(one_of(&[
            ("MSIE ", "MSIE"),
            ("Trident/", "MSIE"),
            ("Mozilla/", "MOZILLA"),
        ])),
        b"os" => Some(one_of(&[
            ("Windows", "WIN"),
            ("Mac", "MAC"),
            ("Linux", "UNIX"),
            ("X11", "UNIX"),
            ("Unix", "UNIX"),
        ])),
        b"version" => {
            let behind = |sign| agent.split_once(sign).map(|(_, behind)| behind);
            let version = behind("MSIE ").or_else(|| behind("Mozilla/"))?;
            let end = version.find(|one: char| !(one.is_ascii_digit() || one == '.'));
            version.get(..end.unwrap_or(version.len()))
        }
        _ => None,
    }
}
