//! What there is to see of an exchange.

use larder_core::http::Headers;

/// What the client saw, and what was done.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Vec<u8>,
    /// The names of the keys that were looked up, the first that of the resource.
    pub(crate) keys: Vec<String>,
    /// The responses that were stored.
    pub(crate) stored: Vec<Stored>,
}

/// A response that was stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) key: String,
    pub(crate) tags: Vec<String>,
    /// How long it is fresh, in seconds.
    pub(crate) lifetime: u32,
}

/// The lines of a field, as one.
pub(crate) fn line(headers: &Headers, name: &str) -> Option<String> {
    let lines: Vec<_> = headers.all(name).map(String::from_utf8_lossy).collect();
    (!lines.is_empty()).then(|| lines.join(", "))
}
