//! Bodies, of requests and responses, that are sent as a test says: whole, in pieces, held back, broken off.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::watch;

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

    pub(crate) async fn passed(self) {
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

/// What a body is made of.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// This happens, one after the other.
    Steps(Vec<Step>),
    /// These bytes, whose number is announced.
    Whole(Bytes),
}

/// What is dropped when a body has ended, however it did.
pub(crate) type Watch = Arc<dyn fmt::Debug + Send + Sync>;

/// A body on its way.
pub(crate) struct ScriptedBody {
    _watch: Option<Watch>,
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

impl ScriptedBody {
    pub(crate) fn new(content: Content) -> Self {
        let (length, steps) = match content {
            Content::Whole(body) if body.is_empty() => (Some(0), VecDeque::new()),
            Content::Whole(body) => (Some(body.len() as u64), [Step::Chunk(body)].into()),
            Content::Steps(steps) => (None, steps.into()),
        };
        Self {
            _watch: None,
            length,
            steps,
            waiting: None,
            flush: Flush::Done,
        }
    }

    pub(crate) fn watched_by(self, watch: Option<Watch>) -> Self {
        Self {
            _watch: watch,
            ..self
        }
    }

    /// The names of its trailer fields, for the field that announces them.
    pub(crate) fn trailer_names(&self) -> Option<String> {
        self.steps.iter().find_map(|step| match step {
            Step::Trailers(fields) => {
                let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
                Some(names.join(", "))
            }
            Step::Chunk(_) | Step::Die | Step::Wait(_) => None,
        })
    }
}

impl Body for ScriptedBody {
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

impl fmt::Debug for ScriptedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedBody")
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
