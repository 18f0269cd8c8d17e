//! A connection whose heads come promptly.
//!
//! A request waits for its answer for a minute, and a connection for its next request for minutes; both are as they should be.
//! A head that is not whole some seconds after its first byte is not: who begins many of them holds all places, without any
//! secret. The first head has so long from the beginning of the connection on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A connection whose heads come promptly, or that breaks off.
#[derive(Debug)]
pub struct Prompt<S> {
    stream: S,
    phase: Phase,
    /// Until when the head that has begun has to be whole.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Heads that were whole when that was looked at last.
    heads: u64,
    patience: Duration,
}

/// Whether a request is being answered on a connection, and how many have been.
#[derive(Clone, Debug, Default)]
pub struct Phase(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_answering: AtomicBool,
    heads: AtomicU64,
}

/// A request is being answered, as long as this lives.
#[derive(Debug)]
pub struct Answering(Phase);

impl Phase {
    /// A head is whole, and its request is answered.
    pub fn answering(&self) -> Answering {
        self.0.is_answering.store(true, Ordering::Release);
        self.0.heads.fetch_add(1, Ordering::AcqRel);
        Answering(self.clone())
    }

    fn is_answering(&self) -> bool {
        self.0.is_answering.load(Ordering::Acquire)
    }

    /// How many heads have been whole.
    fn heads(&self) -> u64 {
        self.0.heads.load(Ordering::Acquire)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.0.is_answering.store(false, Ordering::Release);
    }
}

impl<S> Prompt<S> {
    /// A connection that begins, and what it has to be told of.
    pub fn new(stream: S, patience: Duration) -> (Self, Phase) {
        let phase = Phase::default();
        let prompt = Self {
            stream,
            phase: phase.clone(),
            deadline: Some(Box::pin(sleep(patience))),
            heads: 0,
            patience,
        };
        (prompt, phase)
    }

    /// Whether the head that has begun is late.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let heads = self.phase.heads();
        if heads != self.heads {
            self.heads = heads;
            self.deadline = None;
        }
        let deadline = self.deadline.as_mut();
        deadline.is_some_and(|deadline| deadline.as_mut().poll(context).is_ready())
    }

    /// Something has come: a head begins, unless a request is being answered, whose body it is.
    fn note(&mut self, is_something: bool) {
        if is_something && !self.phase.is_answering() && self.deadline.is_none() {
            self.deadline = Some(Box::pin(sleep(self.patience)));
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prompt<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_late(context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.note(buffer.filled().len() > before);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prompt<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
