//! Why there is no answer.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use hyper::http;

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
