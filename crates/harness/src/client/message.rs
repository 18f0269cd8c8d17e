//! What is sent and what is received.

use std::net::SocketAddr;

use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http;

use super::{ClientError, Protocol};
use crate::body::{Content, ScriptedBody, Step};

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    path: String,
    authority: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: Content,
}

impl Request {
    /// `method` may be any token; `path` is the target with its query.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            authority: None,
            headers: Vec::new(),
            body: Content::Whole(Bytes::new()),
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// Adds a field line; the same name may be added again.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Asks for another host than the address connected to.
    #[must_use]
    pub fn authority(mut self, authority: &str) -> Self {
        self.authority = Some(authority.to_owned());
        self
    }

    /// Sends a body, with its length.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Content::Whole(body.into());
        self
    }

    /// Sends a body without its length, in these steps.
    #[must_use]
    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.body = Content::Steps(steps.into_iter().collect());
        self
    }

    pub(super) fn build(
        self,
        server: SocketAddr,
        protocol: Protocol,
    ) -> Result<Outgoing, ClientError> {
        let authority = self.authority.unwrap_or_else(|| server.to_string());
        let builder = http::Request::builder().method(self.method.as_str());
        let mut builder = match protocol {
            Protocol::Http1 => builder.uri(self.path).header("host", authority),
            Protocol::Http2 => builder.uri(format!("http://{authority}{}", self.path)),
        };
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        let body = ScriptedBody::new(self.body);
        if let Some(names) = body.trailer_names() {
            builder = builder.header("trailer", names);
        }
        builder.body(body).map_err(ClientError::Malformed)
    }
}

pub(super) type Outgoing = http::Request<ScriptedBody>;

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Field lines in the order received, repeated names apart from other names kept together.
    pub headers: Fields,
    /// The body, complete.
    pub body: Bytes,
    /// Trailer fields; empty when there were none.
    pub trailers: Fields,
}

impl Answer {
    /// The one value of `name` as text.
    ///
    /// # Panics
    /// When the field is repeated or not UTF-8: a test that means several lines asks [`Fields::all`].
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.one(name)
    }

    /// The body as text, bytes that are none replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Field lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, Vec<u8>)>);

impl Fields {
    pub(crate) fn from_map(map: &HeaderMap) -> Self {
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.as_str().to_owned(), value.as_bytes().to_vec())
        };
        Self(map.iter().map(pair).collect())
    }

    /// Every value of `name`, in order.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// The one value of `name` as text.
    ///
    /// # Panics
    /// When the field is repeated or not UTF-8.
    #[must_use]
    pub fn one(&self, name: &str) -> Option<&str> {
        let mut values = self.all(name);
        let first = values.next()?;
        assert!(values.next().is_none(), "{name} is repeated");
        Some(std::str::from_utf8(first).expect("a field value that is text"))
    }
}
