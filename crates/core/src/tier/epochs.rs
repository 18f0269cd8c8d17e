//! The order of invalidations, in cells that every worker sees.
//!
//! ```text
//! larder1e          "LEL1" │ u64 log                      which life of these cells this is
//! larder1p          "LEH1" │ u64 log │ u64 position       the head: how many invalidations there were
//! larder1e<page>    "LEP1" │ u64 log │ 256 × 3 × u64      the newest positions under each hash, one a mode; 256 pages
//! ```
//!
//! An invalidation takes the next position at the head, notes it under each of its stamps, and only then moves the
//! *hint*, a number of the process that costs next to nothing to read; that is before it is acknowledged. A worker
//! reads the hint when a request starts: if it has not moved since before the last reading of the head, what the
//! worker knows is still so. The hint is compared for equality and never believed in itself, because it outlives the
//! cells. A tick makes the worker read again in any case.
//!
//! 65,536 places are shared by all stamps. Two that share one invalidate each other's entries: too much, never too
//! little. Places are chosen with the log's random number, so that nobody can aim at somebody's.
//!
//! The log's number tells one life of the cells from the next: an entry of another log is over, and a head or page of
//! another log says nothing. It has a cell of its own, into which only fresh random numbers are ever written. The others
//! can come back from a wipe: whoever read one before it and writes what builds on that creates the cell anew, because
//! the host lets every write to a missing cell through. For the same reason the head is read before the log: a head
//! that is missing is then not one that was lost while the log was still there.
//!
//! When a head is damaged, or an invalidation cannot be noted, a new log is begun, in which every entry is over. So it is
//! when everything is invalidated, or what a pattern covers.

use std::collections::BTreeMap;

use crate::entry::{Epoch, Stamp};
use crate::epoch::{Coverage, Currency, Invalidation, Mode, Stamped};

use super::kv::{Cas, KvError, SetError, SharedKv};
use super::name::Name;
use super::random::{Random, scramble};
use super::record::{Corrupt, Fields};

const LOG: &[u8; 4] = b"LEL1";
const HEAD: &[u8; 4] = b"LEH1";
const PAGE: &[u8; 4] = b"LEP1";
const PLACES: usize = 256;
const MODES: usize = 3;
/// Every lost compare-and-set is another worker's success, so this many in a row are no contention.
const TRIES: usize = 10_000;

/// A number that all workers of a process can read and move, and that tells that something has changed.
pub trait ChangeHint {
    /// The number; `None` where the host fails, and then everything may have changed.
    fn read(&self) -> Option<u64>;

    /// Moves it.
    fn advance(&self);
}

/// An invalidation could not be noted, nor could everything be invalidated in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unnoted;

/// What one worker knows of the order of invalidations.
#[derive(Debug)]
pub struct EpochLog {
    random: Random,
    known: Option<Known>,
}

/// The head, and those pages that were asked for since.
#[derive(Debug)]
struct Known {
    hint: Option<u64>,
    head: Epoch,
    pages: BTreeMap<u8, Page>,
}

/// The newest invalidation under each hash of one page.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page(Vec<[u64; MODES]>);

/// What stands where a page should.
enum Reading {
    Page(Page),
    /// A page that another log has left behind, or none.
    None,
    Corrupt,
}

impl EpochLog {
    /// A worker that has not touched the host yet. `seed` must be unpredictable and differ from worker to worker: it
    /// names logs.
    pub fn new(seed: u128) -> Self {
        Self {
            random: Random::new(seed),
            known: None,
        }
    }

    /// The epoch of a request that is received now.
    pub fn now(&mut self, kv: &dyn SharedKv, hint: &dyn ChangeHint) -> Epoch {
        // Read before the head is: what changes in between is seen again by the next request.
        let hint = hint.read();
        if let Some(known) = &self.known
            && known.hint.is_some()
            && known.hint == hint
        {
            return known.head;
        }
        self.read_again(kv, hint)
    }

    /// Makes the next request read again, whatever the hint says.
    pub fn doubt(&mut self) {
        self.known = None;
    }

    fn read_again(&mut self, kv: &dyn SharedKv, hint: Option<u64>) -> Epoch {
        self.known = None;
        let Ok(head) = self.head(kv) else {
            return Epoch::UNKNOWN;
        };
        self.known = Some(Known {
            hint,
            head,
            pages: BTreeMap::new(),
        });
        head
    }

    /// Whether something was invalidated before the last [`EpochLog::now`].
    pub fn judge(&mut self, kv: &dyn SharedKv, stored: Stamped<'_>) -> Currency {
        let Stamped { epoch, stamps, .. } = stored;
        let Some(known) = &mut self.known else {
            return Currency::Gone;
        };
        if epoch.log != known.head.log || epoch == Epoch::UNKNOWN {
            return Currency::Gone;
        }
        // Nothing at all has been invalidated since.
        if epoch.position >= known.head.position {
            return Currency::Current;
        }
        let mut strongest = Currency::Current;
        for stamp in stamps.iter() {
            let Some([hard, invalid, soft]) = known.newest(kv, stamp) else {
                return Currency::Gone;
            };
            strongest = strongest.min(match epoch.position {
                at if hard > at => Currency::Gone,
                at if invalid > at => Currency::Invalidated,
                at if soft > at => Currency::Softened,
                _ => Currency::Current,
            });
        }
        strongest
    }

    /// Invalidates. When this returns, every worker's next request knows. Gives the invalidation's position.
    ///
    /// # Errors
    /// [`Unnoted`] when the host lets nothing be written at all.
    pub fn append(
        &mut self,
        kv: &dyn SharedKv,
        hint: &dyn ChangeHint,
        invalidation: &Invalidation,
    ) -> Result<Epoch, Unnoted> {
        let noted = match &invalidation.coverage {
            Coverage::Stamps(stamps) => self
                .note(kv, stamps, invalidation.mode)
                .or_else(|_| self.begin_anew(kv)),
            Coverage::All | Coverage::Names(_) => self.begin_anew(kv),
        };
        self.known = None;
        hint.advance();
        noted.map_err(|_| Unnoted)
    }

    /// A wipe in the middle loses the notes, and every entry with them: those of the next log were asked for after it.
    fn note(&mut self, kv: &dyn SharedKv, stamps: &[Stamp], mode: Mode) -> Result<Epoch, SetError> {
        let epoch = self.take_position(kv)?;
        for stamp in stamps {
            note_one(kv, epoch, *stamp, mode)?;
        }
        Ok(epoch)
    }

    fn take_position(&mut self, kv: &dyn SharedKv) -> Result<Epoch, SetError> {
        for _ in 0..TRIES {
            let (head, cas) = self.head_and_version(kv)?;
            let next = Epoch {
                position: head.position.saturating_add(1),
                ..head
            };
            match kv.set(Name::epoch_head().as_str(), &encode_head(next), cas) {
                Ok(()) => return Ok(next),
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => return Err(SetError::Failed),
            }
        }
        Err(SetError::Lost)
    }

    fn head(&mut self, kv: &dyn SharedKv) -> Result<Epoch, SetError> {
        self.head_and_version(kv).map(|(head, _)| head)
    }

    fn head_and_version(&mut self, kv: &dyn SharedKv) -> Result<(Epoch, Cas), SetError> {
        for _ in 0..TRIES {
            let cell = read(kv, Name::epoch_head())?;
            let log = self.log(kv)?;
            let start = Epoch { log, position: 0 };
            let Some(cell) = cell else {
                return Ok((start, Cas::NEVER));
            };
            match decode_head(&cell.value) {
                Ok(head) if head.log == log => return Ok((head, cell.cas)),
                Ok(_) => return Ok((start, cell.cas)),
                Err(Corrupt) => self.mend_head(kv, cell.cas)?,
            }
        }
        Err(SetError::Lost)
    }

    /// How far the log had come is lost, so another is begun; and the head is made good, or whoever reads it next would
    /// begin yet another.
    fn mend_head(&mut self, kv: &dyn SharedKv, cas: Cas) -> Result<(), SetError> {
        let head = encode_head(self.begin_anew(kv)?);
        match kv.set(Name::epoch_head().as_str(), &head, cas) {
            Ok(()) | Err(SetError::Lost) => Ok(()),
            Err(SetError::Failed) => Err(SetError::Failed),
        }
    }

    /// The log in force, begun where there is none.
    fn log(&mut self, kv: &dyn SharedKv) -> Result<u64, SetError> {
        for _ in 0..TRIES {
            let cas = match read(kv, Name::epoch_log())? {
                None => Cas::NEVER,
                Some(cell) => match decode_log(&cell.value) {
                    Ok(log) => return Ok(log),
                    Err(Corrupt) => cell.cas,
                },
            };
            let log = self.fresh_log();
            match kv.set(Name::epoch_log().as_str(), &encode_log(log), cas) {
                Ok(()) | Err(SetError::Lost) => {} // read it: it may be another's
                Err(SetError::Failed) => return Err(SetError::Failed),
            }
        }
        Err(SetError::Lost)
    }

    /// Begins another log, under which every entry so far is over.
    fn begin_anew(&mut self, kv: &dyn SharedKv) -> Result<Epoch, SetError> {
        let log = self.fresh_log();
        kv.set(
            Name::epoch_log().as_str(),
            &encode_log(log),
            Cas::UNCONDITIONAL,
        )?;
        Ok(Epoch { log, position: 0 })
    }

    fn fresh_log(&mut self) -> u64 {
        self.random.next() | 1 // 0 is that of no log
    }
}

impl Known {
    /// The newest invalidations under a stamp; `None` where nobody can say.
    fn newest(&mut self, kv: &dyn SharedKv, stamp: Stamp) -> Option<[u64; MODES]> {
        let (number, place) = place(self.head.log, stamp);
        if !self.pages.contains_key(&number) {
            let page = self.read_page(kv, number)?;
            self.pages.insert(number, page);
        }
        self.pages.get(&number)?.0.get(place).copied()
    }

    fn read_page(&self, kv: &dyn SharedKv, number: u8) -> Option<Page> {
        let cell = kv.get(Name::epoch_page(number).as_str()).ok()?;
        match Reading::of(
            cell.as_ref().map(|cell| cell.value.as_slice()),
            self.head.log,
        ) {
            Reading::Page(page) => Some(page),
            Reading::Corrupt => None,
            Reading::None => {
                // No page of this log, if this log is still the one: else it may be that of the next.
                let log = kv.get(Name::epoch_log().as_str()).ok()??;
                let log = decode_log(&log.value).ok()?;
                (log == self.head.log).then_some(Page::empty())
            }
        }
    }
}

fn note_one(kv: &dyn SharedKv, epoch: Epoch, stamp: Stamp, mode: Mode) -> Result<(), SetError> {
    let at = match mode {
        Mode::Hard => 0,
        Mode::Invalid => 1,
        Mode::Soft => 2,
    };
    let (number, place) = place(epoch.log, stamp);
    for _ in 0..TRIES {
        let name = Name::epoch_page(number);
        let cell = read(kv, name)?;
        let value = cell.as_ref().map(|cell| cell.value.as_slice());
        let mut page = match Reading::of(value, epoch.log) {
            Reading::Page(page) => page,
            Reading::None => Page::empty(),
            // What stood there is lost; it was no later than this.
            Reading::Corrupt => Page(vec![[epoch.position; MODES]; PLACES]),
        };
        if let Some(newest) = page.0.get_mut(place).and_then(|modes| modes.get_mut(at)) {
            *newest = epoch.position.max(*newest);
        }
        let cas = cell.map_or(Cas::NEVER, |cell| cell.cas);
        match kv.set(name.as_str(), &page.encode(epoch.log), cas) {
            Ok(()) => return Ok(()),
            Err(SetError::Lost) => {}
            Err(SetError::Failed) => return Err(SetError::Failed),
        }
    }
    Err(SetError::Lost)
}

/// Where a stamp's newest invalidation is noted.
fn place(log: u64, stamp: Stamp) -> (u8, usize) {
    let mixed = scramble(stamp.0 ^ log);
    let [page, place, ..] = mixed.to_le_bytes();
    (page, usize::from(place))
}

fn read(kv: &dyn SharedKv, name: Name) -> Result<Option<super::kv::Cell>, SetError> {
    kv.get(name.as_str()).map_err(|KvError| SetError::Failed)
}

fn encode_log(log: u64) -> Vec<u8> {
    [&LOG[..], &log.to_le_bytes()].concat()
}

fn decode_log(value: &[u8]) -> Result<u64, Corrupt> {
    let mut fields = Fields::of(value, LOG)?;
    let log = fields.u64()?;
    fields.end()?;
    Ok(log)
}

fn encode_head(head: Epoch) -> Vec<u8> {
    let mut out = HEAD.to_vec();
    out.extend_from_slice(&head.log.to_le_bytes());
    out.extend_from_slice(&head.position.to_le_bytes());
    out
}

fn decode_head(value: &[u8]) -> Result<Epoch, Corrupt> {
    let mut fields = Fields::of(value, HEAD)?;
    let head = Epoch {
        log: fields.u64()?,
        position: fields.u64()?,
    };
    fields.end()?;
    Ok(head)
}

impl Page {
    fn empty() -> Self {
        Self(vec![[0; MODES]; PLACES])
    }

    fn encode(&self, log: u64) -> Vec<u8> {
        let mut out = PAGE.to_vec();
        out.extend_from_slice(&log.to_le_bytes());
        for position in self.0.as_flattened() {
            out.extend_from_slice(&position.to_le_bytes());
        }
        out
    }

    fn decode(value: &[u8]) -> Result<(u64, Self), Corrupt> {
        let mut fields = Fields::of(value, PAGE)?;
        let log = fields.u64()?;
        let positions = (0..PLACES)
            .map(|_| Ok([fields.u64()?, fields.u64()?, fields.u64()?]))
            .collect::<Result<_, Corrupt>>()?;
        fields.end()?;
        Ok((log, Self(positions)))
    }
}

impl Reading {
    fn of(value: Option<&[u8]>, log: u64) -> Self {
        match value.map(Page::decode) {
            None => Self::None,
            Some(Ok((of, page))) if of == log => Self::Page(page),
            Some(Ok(_)) => Self::None,
            Some(Err(Corrupt)) => Self::Corrupt,
        }
    }
}
