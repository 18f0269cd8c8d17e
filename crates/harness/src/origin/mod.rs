//! Origins: servers behind Envoy that answer as they are told.
//!
//! [`Server`] carries any [`Handler`] over HTTP/1.1 and HTTP/2 on one port; [`Origin`] is the
//! scripted one that tests use; the demo's API is another handler. [`RawOrigin`] answers with bytes
//! that no HTTP library would send.

mod raw;
mod reply;
mod script;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::body::ScriptedBody;
pub use crate::body::{Gate, Step};
use crate::client::Fields;
pub use raw::RawOrigin;
pub use reply::Reply;
pub use script::Origin;

const MAX_REQUEST_BODY: usize = 16 << 20;

/// Connections that wait to be accepted: as many as a crowd brings at once.
const BACKLOG: u32 = 4096;

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
    handler: Shared,
    door: Mutex<Door>,
}

#[derive(Clone)]
struct Shared(Arc<dyn Handler>);

/// Whether anybody may come in. Once the handle is gone, nobody.
#[derive(Debug)]
enum Door {
    Ajar,
    /// The port stays ours: a socket that does not listen refuses connections.
    Closed(TcpSocket),
    Open(JoinHandle<()>),
}

impl Server {
    /// Listens on `listen` (port 0 for one of the kernel's choice) and answers by `handler`.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(listen: SocketAddr, handler: impl Handler) -> io::Result<Self> {
        let listener = socket(listen)?.listen(BACKLOG)?;
        let address = listener.local_addr()?;
        let handler = Shared(Arc::new(handler));
        let accepting = tokio::spawn(accept(listener, handler.clone()));
        Ok(Self {
            address,
            handler,
            door: Mutex::new(Door::Open(accepting)),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks off all connections, and refuses others from now on.
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub async fn go_down(&self) -> io::Result<()> {
        match self.swing(Door::Ajar) {
            Door::Open(accepting) => {
                accepting.abort();
                // Until it is gone the port is taken.
                let _ = accepting.await;
                self.swing(Door::Closed(socket(self.address)?));
            }
            closed @ (Door::Ajar | Door::Closed(_)) => drop(self.swing(closed)),
        }
        Ok(())
    }

    /// Listens again where it did.
    ///
    /// # Errors
    /// When the kernel refuses that.
    pub fn come_back(&self) -> io::Result<()> {
        match self.swing(Door::Ajar) {
            Door::Closed(socket) => {
                let accepting = accept(socket.listen(BACKLOG)?, self.handler.clone());
                self.swing(Door::Open(tokio::spawn(accepting)));
            }
            open @ (Door::Ajar | Door::Open(_)) => drop(self.swing(open)),
        }
        Ok(())
    }

    fn swing(&self, to: Door) -> Door {
        let door = self.door.lock();
        std::mem::replace(&mut *door.unwrap_or_else(PoisonError::into_inner), to)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Door::Open(accepting) = self.swing(Door::Ajar) {
            accepting.abort();
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a handler")
    }
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // Connections of before may still be on their way out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn accept(listener: TcpListener, handler: Shared) {
    // Dropping the set, as the abort of this task does, ends every connection.
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, handler.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, handler: Shared) {
    // A refused option or a broken connection shows at the other end, which is where the test looks.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let handler = handler.clone();
        async move { Ok::<_, Infallible>(answer(request, &*handler.0).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // A reply says itself whether it has a date.
    builder.http1().auto_date_header(false);
    builder.http2().auto_date_header(false);
    let _ = builder
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, handler: &dyn Handler) -> Response<ScriptedBody> {
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
