//! What a client asks, what the origin answers, and what the client sees of it.

use larder_core::exchange::{Arrival, Event};
use larder_core::http::Headers;
use larder_core::key::{Attributes, Unreadable};
use larder_core::policy::request::RequestBody;

/// A request as the client sends it.
#[derive(Clone)]
pub struct Request {
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Option<Vec<u8>>,
}

/// A response as the origin sends it.
#[derive(Clone)]
pub struct Response {
    pub(super) status: u16,
    pub(super) fields: Vec<(String, String)>,
    pub(super) chunks: Vec<Vec<u8>>,
    pub(super) end: End,
    pub(super) details: &'static str,
}

/// How a response ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    BreaksOff,
}

/// What the client saw.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub status: u16,
    pub headers: Headers,
    pub body: Vec<u8>,
}

pub fn get(path: &str) -> Request {
    request("GET", path)
}

pub fn request(method: &str, path: &str) -> Request {
    let pseudo = [
        (":method", method),
        (":scheme", "http"),
        (":authority", "api.example.com"),
        (":path", path),
    ];
    Request {
        fields: pseudo
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: None,
    }
}

pub fn reply(body: &str) -> Response {
    Response {
        status: 200,
        fields: Vec::new(),
        chunks: vec![body.as_bytes().to_vec()],
        end: End::Complete,
        details: "via_upstream",
    }
}

impl Request {
    /// Its head, as the origin gets it where nobody changes it.
    pub fn headers(self) -> Headers {
        Headers::from_iter(self.fields)
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its arrival.
    pub(super) fn event(&self, sent: &Headers) -> Event<'static> {
        Event::Request(Arrival {
            headers: sent.clone(),
            body: match self.body {
                None => RequestBody::None,
                Some(_) => RequestBody::Follows,
            },
            attributes: &Details("via_upstream"),
        })
    }

    /// A body follows, of the announced length.
    pub fn body(self, body: &str) -> Self {
        let request = self.with("content-length", &body.len().to_string());
        request.unannounced(body)
    }

    /// A body follows.
    pub fn unannounced(mut self, body: &str) -> Self {
        self.body = Some(body.as_bytes().to_vec());
        self
    }

    /// Of another host.
    pub fn at(mut self, authority: &str) -> Self {
        self.fields.retain(|(name, _)| name != ":authority");
        self.with(":authority", authority)
    }
}

impl Response {
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The body comes in these pieces.
    pub fn in_chunks(mut self, chunks: &[&str]) -> Self {
        self.chunks = chunks
            .iter()
            .map(|chunk| chunk.as_bytes().to_vec())
            .collect();
        self
    }

    /// The connection is lost after the last piece.
    pub fn breaking_off(mut self) -> Self {
        self.end = End::BreaksOff;
        self
    }

    /// The proxy made it.
    pub fn by_the_proxy(mut self) -> Self {
        self.details = "upstream_reset_before_response_started";
        self
    }

    /// The proxy made it, for this reason.
    pub fn because(mut self, details: &'static str) -> Self {
        self.details = details;
        self
    }

    /// The proxy does not say who made it.
    pub fn by_nobody(mut self) -> Self {
        self.details = "";
        self
    }
}

impl Seen {
    pub(super) fn of(status: u16, mut headers: Headers, body: Vec<u8>) -> Self {
        headers.retain(|name, _| !name.starts_with(b":"));
        Self {
            status,
            headers,
            body,
        }
    }

    pub fn field(&self, name: &str) -> &str {
        self.headers
            .only(name)
            .map_or("", |value| std::str::from_utf8(value).unwrap())
    }

    /// `x-cache` and the detail of `cache-status`.
    pub fn cache(&self) -> (&str, &str) {
        let status = self.headers.all("cache-status").last().unwrap_or_default();
        (self.field("x-cache"), std::str::from_utf8(status).unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// The proxy's word for where a response came from; none where it is empty.
pub(super) struct Details(pub(super) &'static str);

impl Attributes for Details {
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        let is_told = path == ["response", "code_details"] && !self.0.is_empty();
        Ok(is_told.then(|| self.0.as_bytes().to_vec()))
    }
}
