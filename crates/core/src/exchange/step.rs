//! What an exchange asks of the outside.

use std::borrow::Cow;
use std::ops::Deref;
use std::rc::Rc;

use super::compose::Template;
use super::deferred::Compress;
use super::manage::Call;
use super::refresh::Refresh;
use crate::entry::{Epoch, StampList};
use crate::epoch::{Currency, Epochs, Invalidation, Stamped, Whereabouts};
use crate::fleet::Consultation;
use crate::flight::{Flight, Landing};
use crate::http::Headers;
use crate::key::{Key, KeyDigest};
use crate::report::Counter;
use crate::time::Timestamp;

/// The answer to an event: one verdict to obey at once, and effects to carry out in order.
#[derive(Debug)]
#[must_use]
pub struct Step<'a> {
    /// To be obeyed at once.
    pub verdict: Verdict<'a>,
    /// To be carried out in order; each may fail without harm to the request.
    pub effects: Vec<Effect>,
}

/// What happens to the message now.
#[derive(Debug)]
pub enum Verdict<'a> {
    /// What is here is a template: its page is made, and comes back as an event.
    Compose(Box<Template<'a>>),
    /// The request waits while the fleet is asked, and the answer comes back as an event.
    Consult(Consultation),
    /// It goes on its way.
    Continue,
    /// The request waits, and so does what comes of its body, until all of that is here.
    Hold,
    /// Our own reply is not what was given; its head is read, and comes back as an event.
    Inspect,
    /// The tiers are asked for this key, and the answer comes back as an event.
    Lookup(Rc<Key>),
    /// The request waits for another, and how that ends comes back as an event.
    Park(Parking),
    /// The request is a call of the management API, and is answered with what comes of it.
    Manage(Box<Call>),
    /// The request is answered here.
    Reply(Reply<'a>),
}

/// A request waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parking {
    /// For the flight to what stands under the key with this digest.
    pub digest: KeyDigest,
    /// Until then and no longer.
    pub deadline: Timestamp,
}

/// A response made here.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The status.
    pub status: u16,
    /// The fields as a block of pairs (see [`crate::http::Headers::to_pairs`]).
    pub pairs: Rc<Vec<u8>>,
    /// The body; given for HEAD too, because the proxy takes the content-length from it.
    pub body: Body<'a>,
    /// A word for the proxy's access log.
    pub details: &'static str,
}

/// The bytes of a reply's body, wherever they stand.
#[derive(Clone, Debug)]
pub enum Body<'a> {
    /// In what the tiers have found.
    Borrowed(&'a [u8]),
    /// In memory made for this reply.
    Owned(Vec<u8>),
    /// In the worker's memory, from where they are given again and again.
    Shared(Rc<Vec<u8>>),
}

impl Deref for Body<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

impl PartialEq for Body<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Body<'_> {}

impl<'a> From<Cow<'a, [u8]>> for Body<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => Self::Borrowed(bytes),
            Cow::Owned(bytes) => Self::Owned(bytes),
        }
    }
}

/// Something to be done beside the message.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// A line is added to the response's head.
    AddHeader(&'static str, String),
    /// What was answered with should be compressed, some time.
    Compress(Compress),
    /// A number grows by one.
    Count(Counter),
    /// Entries are over, for every worker, before the message goes on.
    Invalidate(Invalidation),
    /// A flight has ended, after what came before in the same step is done.
    Land(Flight, Landing),
    /// Something took so many microseconds.
    Measure(Histogram, u64),
    /// What comes is a template: its body is gathered, its page is made, and comes back as an event.
    Gather(Box<Template<'static>>),
    /// The origin is asked behind the client's back.
    Refresh(Box<Refresh>),
    /// All lines of that name go from the response's head.
    RemoveHeader(&'static str),
    /// All lines of that name go from the request's head.
    RemoveRequestHeader(&'static str),
    /// These lines take the place of all lines of that name in the response's head.
    SetField(Field),
    /// One line takes the place of all lines of that name in the response's head.
    SetHeader(&'static str, String),
    /// One line takes the place of all lines of that name in the request's head.
    SetRequestHeader(&'static str, Vec<u8>),
    /// An entry is stored.
    Store(Candidate),
    /// When the stream is over, it matters whether the proxy has sent the request as it came, with this head.
    Watch(Headers),
}

/// What is measured one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Histogram {
    /// See [`crate::report::Family::FetchTimes`].
    Fetch,
    /// See [`crate::report::Family::HitTimes`].
    Hit,
}

/// What stands under a name in a head.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// The name.
    pub name: Vec<u8>,
    /// Its lines in order; without any the name is not there.
    pub lines: Vec<Vec<u8>>,
}

impl Field {
    /// The values of these lines under this name.
    pub(super) fn new(name: &[u8], lines: &[(&[u8], &[u8])]) -> Self {
        Self {
            name: name.to_vec(),
            lines: lines.iter().map(|(_, value)| value.to_vec()).collect(),
        }
    }
}

/// An entry that wants to be stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Under which key.
    pub key: Rc<Key>,
    /// When the request that fetched it was received; it never replaces one that started later.
    pub started: Timestamp,
    /// When it is of no use any more.
    pub expires: Timestamp,
    /// Its bytes, in the form of [`crate::entry`].
    pub payload: Vec<u8>,
    /// What an invalidation that concerns it would name; `None` of what only says where responses stand.
    pub provenance: Option<Provenance>,
    /// Whether other processes may have it.
    pub shareable: Shareable,
}

/// Whether other processes of a fleet may have what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shareable {
    /// It is of use in this process only.
    Here,
    /// They may: it was asked for at this epoch, or says where stands what was.
    Since(Epoch),
}

/// What ties a response to invalidations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// That of the request that fetched it.
    pub epoch: Epoch,
    /// What it is stamped with.
    pub stamps: StampList,
    /// When it was last known to be current; the same, where it has just been fetched.
    pub judged: Epoch,
}

impl Candidate {
    /// Whether something has been invalidated by now that covers it.
    pub fn judge(&self, epochs: &dyn Epochs) -> Currency {
        match &self.provenance {
            Some(provenance) => provenance.judge(&self.key, epochs),
            None => Currency::Current,
        }
    }
}

impl Provenance {
    /// The same, of what is to stand under this key.
    pub(super) fn judge(&self, key: &Key, epochs: &dyn Epochs) -> Currency {
        epochs.now();
        epochs.judge(Stamped {
            epoch: self.epoch,
            stamps: self.stamps.as_stamps(),
            key,
            whereabouts: Whereabouts::Aside(self.judged),
        })
    }
}

impl<'a> Step<'a> {
    /// Nothing to do.
    pub fn pass() -> Self {
        Self {
            verdict: Verdict::Continue,
            effects: Vec::new(),
        }
    }

    /// The message goes on its way, with these effects.
    pub fn continue_with(effects: Vec<Effect>) -> Self {
        Self {
            verdict: Verdict::Continue,
            effects,
        }
    }

    /// The request waits.
    pub fn hold() -> Self {
        Self {
            verdict: Verdict::Hold,
            effects: Vec::new(),
        }
    }

    /// The tiers are asked.
    pub fn lookup(key: Rc<Key>) -> Self {
        Self {
            verdict: Verdict::Lookup(key),
            effects: Vec::new(),
        }
    }
}
