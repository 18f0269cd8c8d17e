//! Origins: servers behind Envoy that answer as they are told.
//!
//! [`Server`] carries any [`Handler`] over HTTP/1.1 and HTTP/2 on one port; [`Origin`] is the
//! scripted one that tests use; the demo's API is another handler. [`RawOrigin`] answers with bytes
//! that no HTTP library would send.

mod raw;
mod reply;
mod script;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::body::ScriptedBody;
pub use crate::body::{Gate, Step};
use crate::client::Fields;
pub use raw::RawOrigin;
pub use reply::Reply;
pub use script::Origin;

const MAX_REQUEST_BODY: usize = 16 << 20;

/// A request as the origin received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// The target: path and query.
    pub path: String,
    /// The field lines.
    pub headers: Fields,
    /// The body; empty when it broke off or was longer than 16 MiB.
    pub body: Bytes,
    /// The trailer fields.
    pub trailers: Fields,
}

impl Received {
    /// The path without its query.
    #[must_use]
    pub fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The one value of a field as text.
    ///
    /// # Panics
    /// When the field is repeated or not UTF-8.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.one(name)
    }
}

/// Decides what is answered; called once a request, concurrently.
pub trait Handler: Send + Sync + 'static {
    /// The answer to `request`. It may be slow by its own means ([`Reply::after`]), never by blocking.
    fn reply(&self, request: &Received) -> Reply;
}

impl<F: Fn(&Received) -> Reply + Send + Sync + 'static> Handler for F {
    fn reply(&self, request: &Received) -> Reply {
        self(request)
    }
}

/// A running server; it and all its connections end with the handle.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on `listen` (port 0 for one of the kernel's choice) and answers by `handler`.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(listen: SocketAddr, handler: impl Handler) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let accepting = tokio::spawn(accept(listener, Arc::new(handler)));
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, handler: Arc<impl Handler>) {
    // Dropping the set, as the abort of this task does, ends every connection.
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, Arc::clone(&handler)));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, handler: Arc<impl Handler>) {
    // A refused option or a broken connection shows at the other end, which is where the test looks.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(answer(request, &*handler).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // A reply says itself whether it has a date.
    builder.http1().auto_date_header(false);
    builder.http2().auto_date_header(false);
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, handler: &impl Handler) -> Response<ScriptedBody> {
    let (head, body) = request.into_parts();
    let body = Limited::new(body, MAX_REQUEST_BODY).collect().await;
    let (body, trailers) = match body {
        Ok(body) => {
            let trailers = body.trailers().map(Fields::from_map);
            (body.to_bytes(), trailers.unwrap_or_default())
        }
        Err(_) => (Bytes::new(), Fields::default()),
    };
    let target = head.uri.path_and_query();
    let received = Received {
        method: head.method.to_string(),
        path: target.map_or_else(|| head.uri.to_string(), ToString::to_string),
        headers: Fields::from_map(&head.headers),
        body,
        trailers,
    };
    handler.reply(&received).send().await
}
