//! What a client was given stale is made fresh behind its back: an exchange of its own, whose request is ready to be sent.

use super::Exchange;
use crate::http::Headers;

/// A request to the origin that no client waits for.
#[derive(Debug)]
pub struct Refresh {
    /// What the origin is asked, pseudo-fields included.
    pub request: Headers,
    /// What takes its response in; the next event is the response, or the end without one.
    pub exchange: Exchange,
}

/// Two are the same where they ask the same.
impl PartialEq for Refresh {
    fn eq(&self, other: &Self) -> bool {
        self.request == other.request
    }
}

impl Eq for Refresh {}
