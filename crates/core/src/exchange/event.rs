//! Everything the outside can tell an exchange.

use super::compose::Page;
use super::echo::HeadSize;
use crate::fleet::Consulted;
use crate::http::Headers;
use crate::key::Attributes;
use crate::policy::request::RequestBody;
use crate::tier::{AbsentReason, Lookup};

/// Something happened to the exchange.
pub enum Event<'a> {
    /// The stream ended, complete or not; nothing follows.
    Aborted,
    /// What the tiers hold under the key that was asked for.
    Answer(Answer<'a>),
    /// The page of a template is made.
    Composed(Box<Page>),
    /// What the fleet had under the key that it was asked for.
    Consulted(Consulted),
    /// The next bytes of the response's body.
    Chunk(&'a [u8]),
    /// The client's request has arrived.
    Request(Arrival<'a>),
    /// The body of a request that is held is here: all of it.
    RequestBody(&'a [u8]),
    /// A response's head is on its way to the client.
    Response(Arriving<'a>),
    /// The response is complete, with or without trailers.
    ResponseEnded,
    /// Our own reply's head comes by on its way to the client, and is so large.
    Returned(HeadSize),
    /// Our own reply's head comes by on its way to the client, and is this.
    ReturnedHead(Headers),
    /// A request that was to be held goes on.
    Unheld(Unheld),
    /// A request that waits for another need not wait any more, or may not.
    Woken(Wake),
}

/// Why a request waits no more for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// The origin has failed the other: it goes by itself, if it has to.
    Failed,
    /// As many wait as may; it has not waited at all.
    Full,
    /// What the other came for is not for it, or did not come: it goes by itself.
    LetGo,
    /// The other has landed: what it came for may be there.
    Look,
    /// The other takes too long.
    Overdue,
}

/// Why a request is not held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unheld {
    /// As many are held as may be.
    Full,
    /// Nothing came of its body in time.
    Overdue,
}

/// A request's head, as it arrived.
pub struct Arrival<'a> {
    /// All fields, pseudo-fields included.
    pub headers: Headers,
    /// Whether a body follows.
    pub body: RequestBody,
    /// What the proxy knows besides.
    pub attributes: &'a dyn Attributes,
}

/// A response's head, on its way to the client.
pub struct Arriving<'a> {
    /// All fields, `:status` included.
    pub headers: Headers,
    /// Whether a body follows.
    pub body: ResponseBody,
    /// What the proxy knows besides.
    pub attributes: &'a dyn Attributes,
}

/// Whether a response's head is all there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseBody {
    /// A body, trailers or both follow.
    Follows,
    /// The head is all.
    None,
}

/// What the tiers hold under a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Nothing that can be used.
    Absent,
    /// Something that is over.
    Expired,
    /// These bytes, whose key was compared.
    Found(&'a [u8]),
}

impl<'a> Answer<'a> {
    /// What a lookup has found, as an exchange wants to hear it.
    pub fn of(found: &'a Lookup) -> Self {
        match found {
            Lookup::Absent(AbsentReason::Expired) => Self::Expired,
            Lookup::Absent(_) => Self::Absent,
            Lookup::Found(found) => Self::Found(found.payload()),
        }
    }
}
