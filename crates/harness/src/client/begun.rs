//! An answer whose body is still to come.

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::http::Response;

use super::{Client, ClientError, Fields};

/// An answer whose head is here; whoever drops it hangs up.
#[derive(Debug)]
pub struct Begun {
    /// The status code.
    pub status: u16,
    /// Field lines.
    pub headers: Fields,
    body: Incoming,
    /// Behind the body: the connection ends last.
    _client: Client,
}

impl Begun {
    pub(super) fn new(client: Client, response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: Fields::from_map(&head.headers),
            body,
            _client: client,
        }
    }

    /// Reads at least `bytes` more of the body.
    ///
    /// # Errors
    /// When the connection ends before; a body that ends before `bytes` is no error.
    pub async fn read(&mut self, bytes: usize) -> Result<Vec<u8>, ClientError> {
        let mut read = Vec::new();
        while read.len() < bytes {
            match self.body.frame().await {
                Some(frame) => read.extend(frame?.into_data().unwrap_or_default()),
                None => break,
            }
        }
        Ok(read)
    }
}
