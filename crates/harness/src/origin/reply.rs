//! What an origin answers, including all the ways in which a real one goes wrong.

use std::time::{Duration, SystemTime};

use hyper::Response;
use hyper::body::Bytes;
use tokio::time::sleep;

use crate::body::{Content, Gate, ScriptedBody, Step, Watch};

/// A response to be sent.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    content: Content,
    delay: Duration,
    gate: Option<Gate>,
    date: Date,
    watch: Option<Watch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Date {
    Absent,
    Now,
}

impl Reply {
    /// A response with the length of its body; an empty body is sent as headers only.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Whole(body.into()),
            delay: Duration::ZERO,
            gate: None,
            date: Date::Now,
            watch: None,
        }
    }

    /// A 200 with `body`.
    #[must_use]
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(200, body)
    }

    /// A 200 whose body is sent step by step, without a length unless a header declares one.
    #[must_use]
    pub fn steps(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            content: Content::Steps(steps.into_iter().collect()),
            ..Self::ok("")
        }
    }

    /// A 200 with `body` in `count` chunks of nearly the same size.
    #[must_use]
    pub fn chunked(body: &[u8], count: usize) -> Self {
        let size = body.len().div_ceil(count).max(1);
        let chunk = |chunk: &[u8]| Step::Chunk(Bytes::copy_from_slice(chunk));
        Self::steps(body.chunks(size).map(chunk))
    }

    /// A 200 that declares `length` bytes, sends `body` and breaks off.
    #[must_use]
    pub fn dies_after(body: impl Into<Bytes>, length: usize) -> Self {
        Self::steps([Step::Chunk(body.into()), Step::Die])
            .header("content-length", length.to_string())
    }

    /// Another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a field line; the same name may be added again.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds a field line if there is no such field yet.
    #[must_use]
    pub(crate) fn default_header(self, name: &str, value: &str) -> Self {
        if self.headers.iter().any(|(known, _)| known == name) {
            self
        } else {
            self.header(name, value)
        }
    }

    /// Leaves out the Date field.
    #[must_use]
    pub fn without_date(mut self) -> Self {
        self.date = Date::Absent;
        self
    }

    /// Holds the whole response until the gate is open.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Takes at least `delay` to answer.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Drops `watch` when all of it is sent, or will never be.
    pub(super) fn watched_by(mut self, watch: Watch) -> Self {
        self.watch = Some(watch);
        self
    }

    pub(super) async fn send(mut self) -> Response<ScriptedBody> {
        if let Some(gate) = self.gate.take() {
            gate.passed().await;
        }
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        if self.date == Date::Now {
            self = self.default_header("date", &httpdate::fmt_http_date(SystemTime::now()));
        }
        let body = ScriptedBody::new(self.content).watched_by(self.watch);
        let mut builder = Response::builder().status(self.status);
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        if let Some(names) = body.trailer_names() {
            builder = builder.header("trailer", names);
        }
        builder.body(body).expect("a reply of valid fields")
    }
}
