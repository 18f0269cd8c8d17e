//! What all calls of the filter's own have in common, whether they warm ([`crate::warm`]), refresh
//! ([`crate::refresh`]) or fetch fragments ([`crate::compose`]): how long
//! they may take, how one is known that comes back, and what the proxy's word for their answers is worth.

use larder_core::http::Headers;
use larder_core::key::{Attributes, Unreadable};
use larder_core::time::{Seconds, Timestamp};

use crate::host::{self, HeaderMap};
use crate::worker::Worker;

/// The origin has so long to answer.
pub(crate) const PATIENCE: Seconds = Seconds::clamped(30);
/// Beyond that, the host would have said so.
pub(crate) const LATEST: Seconds = Seconds::clamped(40);

/// The answers to our own calls are the origin's; what the proxy says of itself has been told from them.
pub(crate) struct OfTheOrigin;

impl Attributes for OfTheOrigin {
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        let is_asked_who = path == ["response", "code_details"];
        Ok(is_asked_who.then(|| b"via_upstream".to_vec()))
    }
}

/// What stands in for an answer that never came.
pub(crate) struct Nobody;

impl Attributes for Nobody {
    fn attribute(&self, path: &[&str]) -> Result<Option<Vec<u8>>, Unreadable> {
        let is_asked_who = path == ["response", "code_details"];
        Ok(is_asked_who.then(|| b"no_healthy_upstream".to_vec()))
    }
}

/// The head, of so many lines, of what a call was answered with; `None` where nobody has answered. Then there are no lines at all, or
/// the proxy says one of these statuses in the origin's place.
pub(crate) fn answered_head(lines: usize) -> Option<Headers> {
    if lines == 0 {
        return None;
    }
    let head = host::header_pairs(HeaderMap::CallResponse).ok()?;
    let head = Headers::from_pairs(head).ok()?;
    match head.first(":status").unwrap_or_default() {
        b"503" | b"504" => None,
        _ => Some(head),
    }
}

/// What a request of the filter's own carries that goes through the cluster which the configuration names: that may lead back to
/// a listener of the same proxy, where the request is to pass. No client can know the value, and nobody behind this filter sees
/// the field.
const OWN: &str = "x-larder-own";

/// Marks a request as the filter's own.
pub(crate) fn mark(worker: &Worker, request: &mut Headers, now: Timestamp) {
    if let Some(word) = worker.watchword(now) {
        request.remove(OWN);
        request.push(OWN, word);
    }
}

/// Whether a request is the filter's own; what would say so goes no further.
#[cold]
#[inline(never)]
pub(crate) fn is_own(worker: &Worker, request: &mut Headers, now: Timestamp) -> bool {
    let Some(given) = request.only(OWN).map(<[u8]>::to_vec) else {
        if request.contains(OWN) {
            request.remove(OWN);
            worker.tolerate(host::remove_request_header(OWN));
        }
        return false;
    };
    request.remove(OWN);
    worker.tolerate(host::remove_request_header(OWN));
    let word = worker.watchword(now).unwrap_or_default();
    // In a time that tells nothing of where they differ.
    let differ = word
        .iter()
        .zip(&given)
        .fold(0, |all, (one, other)| all | (one ^ other));
    given.len() == word.len() && differ == 0 && word != [0; 32]
}
