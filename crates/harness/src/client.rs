//! A small HTTP client for tests: what was received, in order, nothing interpreted.
//!
//! A [`Client`] is one kept connection, so it stays on one worker of Envoy. Header values are
//! bytes and repeated fields stay apart, because that is what the tests are about. Requests that no
//! well-behaved client can form go through [`raw`].

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::http;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge, without TLS.
    Http2,
}

/// A request to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: String,
    path: String,
    authority: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
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
            body: Bytes::new(),
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
        self.body = body.into();
        self
    }

    fn build(self, server: SocketAddr, protocol: Protocol) -> Result<Outgoing, ClientError> {
        let authority = self.authority.unwrap_or_else(|| server.to_string());
        let builder = http::Request::builder().method(self.method.as_str());
        let mut builder = match protocol {
            Protocol::Http1 => builder.uri(self.path).header("host", authority),
            Protocol::Http2 => builder.uri(format!("http://{authority}{}", self.path)),
        };
        for (name, value) in self.headers {
            builder = builder.header(name, value);
        }
        builder
            .body(Full::new(self.body))
            .map_err(ClientError::Malformed)
    }
}

type Outgoing = http::Request<Full<Bytes>>;

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

/// One kept connection.
#[derive(Debug)]
pub struct Client {
    sender: Sender,
    server: SocketAddr,
    connection: JoinHandle<()>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
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
            connection,
        })
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

    /// Sends `request`, reads at least `bytes` of the body and hangs up; returns what was read.
    ///
    /// # Errors
    /// See [`Client::send`]; a body that ends before `bytes` is no error.
    pub async fn abort_after(
        mut self,
        request: Request,
        bytes: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let mut body = self.start(request).await?.into_body();
        let mut read = Vec::new();
        while read.len() < bytes {
            match body.frame().await {
                Some(frame) => read.extend(frame?.into_data().unwrap_or_default()),
                None => break,
            }
        }
        Ok(read)
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

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.abort();
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

/// A request that was not answered completely.
#[derive(Debug)]
pub enum ClientError {
    /// The connection ended, or spoke no HTTP.
    Broken(hyper::Error),
    /// No connection.
    Io(io::Error),
    /// The request cannot be formed by a well-behaved client.
    Malformed(http::Error),
    /// The server kept the connection open without end.
    Unanswered(Duration),
}

impl From<hyper::Error> for ClientError {
    fn from(error: hyper::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(error) => write!(f, "the exchange broke: {error}"),
            Self::Io(error) => write!(f, "no connection: {error}"),
            Self::Malformed(error) => write!(f, "not a request: {error}"),
            Self::Unanswered(patience) => write!(f, "no end of the reply within {patience:?}"),
        }
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Broken(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Malformed(error) => Some(error),
            Self::Unanswered(_) => None,
        }
    }
}
