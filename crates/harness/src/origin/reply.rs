//! What an origin answers, including all the ways in which a real one goes wrong.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use hyper::Response;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::watch;
use tokio::time::sleep;

/// Something that is held until the test opens it; clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<bool>>);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn closed() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Lets everybody through, now and from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    async fn passed(self) {
        // The sender lives in `self`, so the channel cannot close under us.
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// One thing that happens while a body is sent.
#[derive(Clone, Debug)]
pub enum Step {
    /// Bytes, flushed before the next step.
    Chunk(Bytes),
    /// The connection (HTTP/1.1) or stream (HTTP/2) breaks off.
    Die,
    /// The end, with these trailer fields. Over HTTP/1.1 they are sent only to who asked with `te: trailers`.
    Trailers(Vec<(String, String)>),
    /// Nothing more until the gate is open.
    Wait(Gate),
}

/// A response to be sent.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    content: Content,
    delay: Duration,
    gate: Option<Gate>,
    date: Date,
}

#[derive(Clone, Debug)]
enum Content {
    Steps(Vec<Step>),
    Whole(Bytes),
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

    pub(super) async fn send(mut self) -> Response<ReplyBody> {
        if let Some(gate) = self.gate.take() {
            gate.passed().await;
        }
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        if self.date == Date::Now {
            self = self.default_header("date", &httpdate::fmt_http_date(SystemTime::now()));
        }
        let body = ReplyBody::new(self.content);
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

/// The body of a [`Reply`] on its way.
pub struct ReplyBody {
    length: Option<u64>,
    steps: VecDeque<Step>,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    flush: Flush,
}

/// Between two steps the connection is given the chance to write out what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    Done,
    Due,
}

impl ReplyBody {
    fn new(content: Content) -> Self {
        let (length, steps) = match content {
            Content::Whole(body) if body.is_empty() => (Some(0), VecDeque::new()),
            Content::Whole(body) => (Some(body.len() as u64), [Step::Chunk(body)].into()),
            Content::Steps(steps) => (None, steps.into()),
        };
        Self {
            length,
            steps,
            waiting: None,
            flush: Flush::Done,
        }
    }

    fn trailer_names(&self) -> Option<String> {
        self.steps.iter().find_map(|step| match step {
            Step::Trailers(fields) => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                Some(names.join(", "))
            }
            Step::Chunk(_) | Step::Die | Step::Wait(_) => None,
        })
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(gate) = &mut self.waiting {
                ready!(gate.as_mut().poll(context));
                self.waiting = None;
            }
            if self.length.is_none() && mem::replace(&mut self.flush, Flush::Done) == Flush::Due {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Chunk(bytes)) => {
                    self.flush = Flush::Due;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Die) => {
                    return Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())));
                }
                Some(Step::Trailers(fields)) => {
                    return Poll::Ready(Some(Ok(Frame::trailers(map(&fields)))));
                }
                Some(Step::Wait(gate)) => self.waiting = Some(Box::pin(gate.passed())),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.waiting.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl fmt::Debug for ReplyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyBody")
            .field("length", &self.length)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

fn map(fields: &[(String, String)]) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        let name = HeaderName::try_from(name).expect("a trailer name");
        let value = HeaderValue::try_from(value).expect("a trailer value");
        (name, value)
    };
    fields.iter().map(field).collect()
}
