//! The hot tier: what one worker keeps in its own memory. Answers ([`super::memo`]), and the bodies of stored responses that
//! it had to unzip for them: whoever asks for a part, or in words that nobody has used before, finds those.

use std::cell::{Cell, RefCell};
use std::hash::BuildHasher;
use std::rc::Rc;

use super::memo::Memo;
use super::surplus::EntryId;
use crate::config::Config;
use crate::entry::{Epoch, Meta, StampList, StoredResponse};
use crate::epoch::{Currency, Epochs, Stamped, Whereabouts};
use crate::http::Headers;
use crate::key::Key;
use crate::sorting::sort_by;
use crate::tier::{Door, Kept, Knock, NameHash, Shelf, TellingFields};

/// Counts of stores, by key; keys that share one make each other's answers ask the tiers again.
const STORES: u64 = 4096;

/// So many places are looked at for what is over at a time.
const WEEDED: usize = 1024;

/// The name of unzipped bodies begins with this, which is no configuration's number.
const PLAIN: u32 = u32::MAX;

/// The answers that a worker keeps in its own memory.
#[derive(Debug)]
pub struct HotTier {
    pub(super) state: RefCell<HotState>,
    scopes: Cell<u32>,
    weeding: Cell<Weeding>,
}

/// How far a look at everything that is kept has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Weeding {
    /// Where the order of invalidations was when it began.
    began: Epoch,
    /// The next place; `None` when all were looked at.
    next: Option<usize>,
}

#[derive(Debug)]
pub(super) struct HotState {
    pub(super) shelf: Shelf<Held>,
    door: Door,
    hash: NameHash,
    /// How often something was stored under keys of each place.
    pub(super) stores: Vec<u32>,
    /// The name of the request at hand.
    pub(super) name: Vec<u8>,
    /// Whether an answer of that name was here until now.
    pub(super) standing: Standing,
}

/// What is known of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There was an answer, given so often, which had to be asked for anew: it is wanted, without another knock.
    Renewed(u32),
    /// There was none.
    Unknown,
}

/// What stands on the shelf.
#[derive(Debug)]
pub(super) enum Held {
    Answer(Box<Memo>),
    Plain(Plain),
}

/// A body that was unzipped, and the facts of the stored response that it belongs to.
#[derive(Debug)]
pub(super) struct Plain {
    meta: Meta,
    stamps: StampList,
    body: Vec<u8>,
}

/// One configuration's part of the hot tier.
#[derive(Debug)]
pub(super) struct Scope {
    number: u32,
    pub(super) fields: RefCell<TellingFields>,
}

impl HotTier {
    /// Room for so many bytes; none turns it off. `seed` must be unpredictable.
    pub fn new(most_bytes: usize, seed: u128) -> Rc<Self> {
        let hash = NameHash::new(seed);
        Rc::new(Self {
            state: RefCell::new(HotState {
                shelf: Shelf::new(most_bytes, hash),
                door: Door::default(),
                hash,
                stores: Vec::new(),
                name: Vec::new(),
                standing: Standing::Unknown,
            }),
            scopes: Cell::new(0),
            weeding: Cell::new(Weeding {
                began: Epoch::UNKNOWN,
                next: None,
            }),
        })
    }

    /// From now on so many.
    pub fn set_limit(&self, most_bytes: usize) {
        if let Ok(mut state) = self.state.try_borrow_mut() {
            state.shelf.set_most_bytes(most_bytes);
        }
    }

    /// Something was stored under this key: answers that it was asked for are asked for again.
    pub fn note_store(&self, key: &Key) {
        if let Ok(mut state) = self.state.try_borrow_mut()
            && let Some(count) = state.stores.get_mut(place(key.digest().short()))
        {
            *count = count.wrapping_add(1);
        }
    }

    /// The body of a stored response with these facts, as it came with so many bytes, where it was unzipped lately. `None`
    /// too where there is no memory for it.
    pub(super) fn plain(&self, entry: EntryId, meta: &Meta, length: usize) -> Option<Vec<u8>> {
        let mut state = self.state.try_borrow_mut().ok()?;
        match state.shelf.ask_for(&plain_name(entry, meta))? {
            Held::Plain(plain) if plain.meta == *meta && plain.body.len() == length => {
                copy(&plain.body)
            }
            Held::Answer(_) | Held::Plain(_) => None,
        }
    }

    /// A body was unzipped; it is kept when that happens again.
    pub(super) fn keep_plain(&self, entry: EntryId, stored: &StoredResponse<'_>, body: &[u8]) {
        let Ok(mut state) = self.state.try_borrow_mut() else {
            return;
        };
        let meta = stored.meta;
        let name = plain_name(entry, &meta);
        let is_known = state.shelf.is_open() && state.knock(&name) == Knock::Again;
        if let Some(body) = is_known.then(|| copy(body)).flatten() {
            let bytes = [size_of::<Held>(), body.len(), stored.stamps.size()];
            let bytes = bytes.into_iter().fold(0, usize::saturating_add);
            let stamps = stored.stamps.iter().collect();
            let plain = Plain { meta, stamps, body };
            let _: Kept = state.shelf.put(&name, Held::Plain(plain), bytes);
        }
    }

    /// Lets go of what an invalidation has ended, a bounded number of places each time: nobody would be given it, but
    /// memory would hold it until room is needed. Gives up to where that is done.
    pub fn weed(&self, epochs: &dyn Epochs) -> Option<Epoch> {
        let mut state = self.state.try_borrow_mut().ok()?;
        let now = epochs.now();
        let Weeding { began, next } = self.weeding.get();
        let (began, from) = match next {
            Some(next) => (began, next),
            None if began == now => return Some(began),
            None => (now, 0),
        };
        let is_over = |held: &Held| match held {
            Held::Answer(memo) => memo.is_over(epochs),
            Held::Plain(plain) => plain.is_over(epochs),
        };
        let next = state.shelf.weed(from, WEEDED, is_over);
        self.weeding.set(Weeding { began, next });
        next.is_none().then_some(began)
    }

    /// The keys of the URLs that were answered most often since this was last asked, or not much longer ago, and how often, the
    /// first first: no more than `most`. Of those that stand for somebody's own, and of what is found by more than its URL, none.
    #[cold]
    #[inline(never)]
    pub fn hottest(&self, most: usize) -> Vec<(Rc<Key>, u32)> {
        let mut hottest: Vec<(Rc<Key>, u32)> = Vec::new();
        if let Ok(mut state) = self.state.try_borrow_mut() {
            state.shelf.each(|held| {
                if let Held::Answer(memo) = held {
                    let (key, times) = memo.heat();
                    take_hottest(&mut hottest, most, key, times);
                }
            });
        }
        sort_by(&mut hottest, |(_, one), (_, other)| other.cmp(one));
        hottest
    }

    /// The bytes that its answers take.
    pub fn bytes(&self) -> usize {
        self.state
            .try_borrow()
            .map_or(0, |state| state.shelf.bytes())
    }

    /// A part for this configuration, whose answers no other gives.
    pub(super) fn scope(&self, config: &Config) -> Scope {
        let number = self.scopes.get();
        self.scopes.set(number.wrapping_add(1) % PLAIN);
        Scope {
            number,
            fields: RefCell::new(TellingFields::of(config)),
        }
    }
}

impl HotState {
    /// Writes the name of this request.
    pub(super) fn name(&mut self, scope: &Scope, request: &Headers) {
        self.standing = Standing::Unknown;
        self.name.clear();
        self.name.extend_from_slice(&scope.number.to_le_bytes());
        if let Ok(fields) = scope.fields.try_borrow() {
            fields.write(request, &mut self.name);
        }
    }

    /// Whether something of this name was wanted before.
    pub(super) fn knock(&mut self, name: &[u8]) -> Knock {
        self.door.knock(self.hash.hash_one(name))
    }

    /// The counts of stores under these keys.
    pub(super) fn counts(&mut self, digests: &[u64]) -> Option<Vec<(usize, u32)>> {
        if self.stores.is_empty() {
            let length = place(STORES.saturating_sub(1)).saturating_add(1);
            self.stores.try_reserve_exact(length).ok()?;
            self.stores.resize(length, 0);
        }
        let count = |digest: &u64| Some((place(*digest), *self.stores.get(place(*digest))?));
        digests.iter().map(count).collect()
    }
}

impl Plain {
    /// Under which key it stands is not known, so patterns meet it when they are carried out.
    fn is_over(&self, epochs: &dyn Epochs) -> bool {
        let judged = epochs.judge(Stamped {
            epoch: self.meta.epoch,
            stamps: self.stamps.as_stamps(),
            key: &Key::from_canonical(Vec::new()),
            whereabouts: Whereabouts::Aside(self.meta.epoch),
        });
        judged != Currency::Current
    }
}

/// Takes one in, if it is one of the hottest so far: there can be very many, of which few are.
fn take_hottest(hottest: &mut Vec<(Rc<Key>, u32)>, most: usize, key: &Rc<Key>, times: u32) {
    let coolest = hottest
        .iter()
        .enumerate()
        .min_by_key(|(_, (_, times))| *times);
    let place = match coolest {
        _ if times == 0 => return,
        Some((place, (_, least))) if hottest.len() >= most => match *least < times {
            true => Some(place),
            false => return,
        },
        Some(_) | None => None,
    };
    // Where the key has a place for somebody, it can be nobody's.
    let is_of_url = |what: &&str| matches!(*what, "identity" | "vary");
    if key.identity().is_some() || !key.distinctions().iter().all(is_of_url) {
        return;
    }
    match place.and_then(|place| hottest.get_mut(place)) {
        Some(coolest) => *coolest = (Rc::clone(key), times),
        None => hottest.push((Rc::clone(key), times)),
    }
}

fn place(digest: u64) -> usize {
    usize::try_from(digest % STORES).unwrap_or_default()
}

fn plain_name(entry: EntryId, meta: &Meta) -> [u8; 28] {
    let mut name = [0; 28];
    let parts = [
        entry.digest,
        meta.request_time.as_nanos(),
        meta.response_time.as_nanos(),
    ];
    let bytes = parts.into_iter().flat_map(u64::to_le_bytes);
    for (place, byte) in name
        .iter_mut()
        .zip(PLAIN.to_le_bytes().into_iter().chain(bytes))
    {
        *place = byte;
    }
    name
}

fn copy(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).ok()?;
    copy.extend_from_slice(bytes);
    Some(copy)
}
