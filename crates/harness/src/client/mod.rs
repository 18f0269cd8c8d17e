//! A small HTTP client for tests: what was received, in order, nothing interpreted.
//!
//! A [`Client`] is one kept connection, so it stays on one worker of Envoy. Header values are
//! bytes and repeated fields stay apart, because that is what the tests are about. Requests that no
//! well-behaved client can form go through [`raw`].

mod begun;
mod crowd;
mod error;
mod message;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::http;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::body::ScriptedBody;
pub use begun::Begun;
pub use crowd::{Asking, Crowd, Told};
pub use error::ClientError;
pub use message::{Answer, Fields, Request};

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge, without TLS.
    Http2,
}

/// One kept connection, or one of those that share one ([`Client::beside`]).
#[derive(Debug)]
pub struct Client {
    sender: Sender,
    server: SocketAddr,
    connection: Arc<Connection>,
}

/// What keeps a connection going; it ends with the last client on it.
#[derive(Debug)]
struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<ScriptedBody>),
    Http2(http2::SendRequest<ScriptedBody>),
}

impl Client {
    /// Opens a connection.
    ///
    /// # Errors
    /// When nobody listens or the handshake fails.
    pub async fn connect(server: SocketAddr, protocol: Protocol) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        Self::over(stream, server, protocol).await
    }

    /// Speaks over a connection that is open already.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn over(
        stream: TcpStream,
        server: SocketAddr,
        protocol: Protocol,
    ) -> Result<Self, ClientError> {
        let io = TokioIo::new(stream);
        // How a connection ended is seen by the request on it.
        let (sender, connection) = match protocol {
            Protocol::Http1 => {
                let (sender, connection) = http1::handshake(io).await?;
                let task = tokio::spawn(async { drop(connection.await) });
                (Sender::Http1(sender), task)
            }
            Protocol::Http2 => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                let task = tokio::spawn(async { drop(connection.await) });
                (Sender::Http2(sender), task)
            }
        };
        Ok(Self {
            sender,
            server,
            connection: Arc::new(Connection(connection)),
        })
    }

    /// Another client on the same connection; `None` over HTTP/1.1, where one waits for the other.
    #[must_use]
    pub fn beside(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => Some(Self {
                sender: Sender::Http2(sender.clone()),
                server: self.server,
                connection: Arc::clone(&self.connection),
            }),
        }
    }

    /// GETs `path` and reads all of the answer.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn get(&mut self, path: &str) -> Result<Answer, ClientError> {
        self.send(Request::get(path)).await
    }

    /// Sends `request` and reads all of the answer.
    ///
    /// # Errors
    /// When the request cannot be formed, or the connection ends before the answer is complete.
    pub async fn send(&mut self, request: Request) -> Result<Answer, ClientError> {
        let response = self.start(request).await?;
        let (head, body) = response.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().map(Fields::from_map);
        Ok(Answer {
            status: head.status.as_u16(),
            headers: Fields::from_map(&head.headers),
            trailers: trailers.unwrap_or_default(),
            body: collected.to_bytes(),
        })
    }

    /// Sends `request` and returns when the head of the answer is here, the body still to be read.
    ///
    /// # Errors
    /// See [`Client::send`].
    pub async fn begin(mut self, request: Request) -> Result<Begun, ClientError> {
        let response = self.start(request).await?;
        Ok(Begun::new(self, response))
    }

    /// Sends `request`, reads at least `bytes` of the body and hangs up; returns what was read.
    ///
    /// # Errors
    /// See [`Client::send`]; a body that ends before `bytes` is no error.
    pub async fn abort_after(self, request: Request, bytes: usize) -> Result<Vec<u8>, ClientError> {
        self.begin(request).await?.read(bytes).await
    }

    /// Sends `request` and returns when the head of the answer is here, the body still to be read.
    async fn start(&mut self, request: Request) -> Result<http::Response<Incoming>, ClientError> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                let request = request.build(self.server, Protocol::Http1)?;
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                let request = request.build(self.server, Protocol::Http2)?;
                sender.ready().await?;
                sender.send_request(request).await
            }
        };
        Ok(response?)
    }
}

/// GETs `path` on a connection of its own, over HTTP/1.1.
///
/// # Errors
/// See [`Client::send`].
pub async fn get(server: SocketAddr, path: &str) -> Result<Answer, ClientError> {
    send(server, Request::get(path)).await
}

/// Sends `request` on a connection of its own, over HTTP/1.1.
///
/// # Errors
/// See [`Client::send`].
pub async fn send(server: SocketAddr, request: Request) -> Result<Answer, ClientError> {
    Client::connect(server, Protocol::Http1)
        .await?
        .send(request)
        .await
}

/// Sends all `requests` at once, each on a connection of its own, over HTTP/1.1; the answers come
/// back in the order of the requests.
pub async fn send_all(
    server: SocketAddr,
    requests: Vec<Request>,
) -> Vec<Result<Answer, ClientError>> {
    let mut running = JoinSet::new();
    for (place, request) in requests.into_iter().enumerate() {
        running.spawn(async move { (place, send(server, request).await) });
    }
    let mut answers = running.join_all().await;
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Writes `bytes` as they are on a connection of its own and returns what comes back until the
/// server hangs up. A request that is not refused should therefore carry `connection: close`.
///
/// # Errors
/// When nobody listens, or the server has not hung up within `patience`.
pub async fn raw(
    server: SocketAddr,
    bytes: &[u8],
    patience: Duration,
) -> Result<Vec<u8>, ClientError> {
    let exchange = async {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(bytes).await?;
        let mut reply = Vec::new();
        // A reset after the reply is the server's way to hang up on bytes it did not read.
        match stream.read_to_end(&mut reply).await {
            Err(error) if reply.is_empty() => Err(error),
            Ok(_) | Err(_) => Ok(reply),
        }
    };
    match timeout(patience, exchange).await {
        Ok(reply) => Ok(reply?),
        Err(_) => Err(ClientError::Unanswered(patience)),
    }
}

/// The status code in a raw reply, if it begins with a status line.
#[must_use]
pub fn raw_status(reply: &[u8]) -> Option<u16> {
    let line = reply.split(|byte| *byte == b'\r').next()?;
    let code = line.split(|byte| *byte == b' ').nth(1)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}
