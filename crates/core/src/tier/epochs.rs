//! The order of invalidations, in cells that every worker sees.
//!
//! ```text
//! larder1e          "LEL1" │ u64 log                      which life of these cells this is
//! larder1p          "LEH3" │ u64 log │ u64 position │ u64 hard floor │ 3 × u64 soft floor │ u64 patterns
//!                   │ u64 retired position │ u64 retired patterns │ u64 retired soft patterns
//!                   │ u64 changes │ 128 × u8 page         the head
//! larder1e<page>    256 pages: [`page`]                   the newest positions of stamps
//! larder1x          [`patterns`]                          patterns over names
//! ```
//!
//! **To invalidate** takes the next position at the head; writes the pages of its stamps, or its pattern; announces at the head
//! what was written; and moves the *hint*, a number of the process that costs next to nothing to read. Then it is
//! acknowledged. What covers everything is a floor at the head, and takes but the first of these steps.
//!
//! **A request** reads the hint. If it has not moved since before the last reading of the head, what this worker knows is
//! still so; else it reads the head, and forgets the pages that the head says were written to since. An entry keeps the
//! position at the start of its request, and is judged by what has a later one. The hint is compared for equality and
//! never believed in itself, because it outlives the cells. A tick makes the worker read the head in any case.
//!
//! *The announcement comes after the writing*, because a reader between the two would read a page as it was, forget that it
//! has to be read again, and never hear of it. *Every writing of the head raises the position*, so that who has the
//! same position knows the same: an answer in a worker's memory that was judged at one position is judged anew at the next,
//! also when nothing came in between but an announcement.
//!
//! **Patterns** would slow down every hit for good, so they are retired: a sweep ([`super::sweep`]) that began when they had
//! been announced, and looked at every entry since, has emptied what they cover. Then all that is left to fear are
//! responses and copies outside of the shared memory: what is older than the beginning of that sweep is not stored, and
//! not answered with, any more. Where there are too many patterns the next one raises the floor, as do the oldest
//! stamps of a page by sharing places: too much is invalidated, never too little.
//!
//! **The log's number** tells one life of the cells from the next: an entry of another log is over, and a head or page of
//! another log says nothing. It has a cell of its own, into which only fresh random numbers are ever written. The others
//! can come back from a wipe: whoever read one before it and writes what builds on that creates the cell anew, because
//! the host lets every write to a missing cell through. For the same reason the head is read before the log: a head
//! that is missing is then not one that was lost while the log was still there; and whoever finds a page or the patterns
//! missing, or another log's, reads the log after them before he writes there. Who finds that his log has ended is done: all
//! that he wanted to invalidate is over, and what the next log knows was asked for after it.
//!
//! When a cell is damaged that is to be written, or an invalidation cannot be noted, a new log is begun, in which every
//! entry is over.

mod append;
mod head;
mod noted;
mod page;
pub(super) mod patterns;

use crate::entry::{Epoch, Stamp};
use crate::epoch::{Currency, Stamped, Whereabouts};

use super::kv::{SetError, SharedKv};
use super::name::Name;
use super::random::Random;
use super::record::{Corrupt, Fields};
use append::read;
use head::Head;
pub(super) use head::Retired;
use page::{MOST_RECORDS, Page, Spot, read_page};
use patterns::{Compiled, Patterns, Unknown};

const LOG: &[u8; 4] = b"LEL1";
const PAGES: u32 = 256;

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
    /// The stamps of one page that are remembered one by one.
    records: usize,
    known: Option<Known>,
}

/// The head, and what was asked for since.
#[derive(Debug)]
struct Known {
    hint: Option<u64>,
    head: Head,
    /// In the order of their numbers: a tree would be as quick, and five kilobytes of code.
    pages: Vec<(u8, Page)>,
    patterns: Compiled,
}

/// What speaks against an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// A stamp, a floor or its log.
    pub(super) otherwise: Currency,
    /// A pattern.
    pub(super) patterns: Currency,
}

/// What a sweep has to know of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outlook {
    pub(super) began: Epoch,
    /// Patterns announced so far.
    pub(super) patterns: u64,
    /// Patterns in force.
    pub(super) live: usize,
    /// Those of them that a sweep carries out.
    pub(super) pressing: usize,
}

impl Verdict {
    /// The same by everything.
    fn all(currency: Currency) -> Self {
        Self {
            otherwise: currency,
            patterns: Currency::Current,
        }
    }

    pub(super) fn currency(self) -> Currency {
        self.otherwise.min(self.patterns)
    }
}

impl EpochLog {
    /// A worker that has not touched the host yet. `seed` must be unpredictable and differ from worker to worker: it
    /// names logs. So many invalidated stamps are remembered one by one (`storage.log_records`).
    pub fn new(seed: u128, records: u32) -> Self {
        let mut log = Self {
            random: Random::new(seed),
            records: 1,
            known: None,
        };
        log.configure(records);
        log
    }

    /// A new configuration: from now on so many.
    pub fn configure(&mut self, records: u32) {
        let of_a_page = usize::try_from(records / PAGES).unwrap_or(MOST_RECORDS);
        self.records = of_a_page.clamp(1, MOST_RECORDS);
    }

    /// The epoch of a request that is received now.
    pub fn now(&mut self, kv: &dyn SharedKv, hint: &dyn ChangeHint) -> Epoch {
        // Read before the head is: what changes in between is seen again by the next request.
        let hint = hint.read();
        if let Some(known) = &self.known
            && known.hint.is_some()
            && known.hint == hint
        {
            return known.head.epoch;
        }
        self.read_again(kv, hint)
    }

    /// Makes the next request read the head again, whatever the hint says.
    pub fn doubt(&mut self) {
        if let Some(known) = &mut self.known {
            known.hint = None;
        }
    }

    fn read_again(&mut self, kv: &dyn SharedKv, hint: Option<u64>) -> Epoch {
        let before = self.known.take();
        let Ok((head, _)) = self.head_and_version(kv) else {
            return Epoch::UNKNOWN;
        };
        let epoch = head.epoch;
        self.known = Some(match before {
            Some(known) if known.head.epoch.log == epoch.log => known.followed_by(head, hint),
            Some(_) | None => Known {
                hint,
                head,
                pages: Vec::new(),
                patterns: Compiled::default(),
            },
        });
        epoch
    }

    /// Whether something was invalidated before the last [`EpochLog::now`].
    pub fn judge(&mut self, kv: &dyn SharedKv, stored: Stamped<'_>) -> Currency {
        self.weigh(kv, stored)
            .map_or(Currency::Gone, Verdict::currency)
    }

    /// The same, and by what; `None` where nobody can say.
    pub(super) fn weigh(&mut self, kv: &dyn SharedKv, stored: Stamped<'_>) -> Option<Verdict> {
        let weighed = self.known.as_mut()?.weigh(kv, stored);
        weighed.map_err(|unsaid| self.recover(kv, unsaid)).ok()
    }

    /// How things stand for a sweep that begins now, read anew; `None` where nobody can say.
    pub(super) fn outlook(&mut self, kv: &dyn SharedKv, hint: &dyn ChangeHint) -> Option<Outlook> {
        self.doubt();
        self.now(kv, hint);
        let known = self.known.as_mut()?;
        let learned = known.learn_patterns(kv).map(|()| {
            let (live, pressing) = known.patterns.count();
            Outlook {
                began: known.head.epoch,
                patterns: known.head.patterns,
                live,
                pressing,
            }
        });
        learned.map_err(|unsaid| self.recover(kv, unsaid)).ok()
    }

    fn recover(&mut self, kv: &dyn SharedKv, unsaid: Unsaid) {
        match unsaid {
            Unsaid::Behind => self.doubt(),
            Unsaid::Unreadable => {}
            // Else every old entry would be over for as long as nobody writes there.
            Unsaid::Corrupt => {
                let log = self.known.take().map(|known| known.head.epoch.log);
                if log.is_some_and(|log| is_in_force(kv, log) == Ok(true)) {
                    let _ = self.begin_anew(kv); // tried again by the next who comes here
                }
            }
        }
    }
}

/// Why nobody can say what speaks against an entry.
enum Unsaid {
    /// What this worker knows is too old.
    Behind,
    /// The patterns are lost.
    Corrupt,
    Unreadable,
}

impl Known {
    /// What is still known when the head has become this one.
    fn followed_by(mut self, head: Head, hint: Option<u64>) -> Self {
        match head.touched_since(self.head.changes) {
            Some(touched) => {
                for page in touched {
                    self.pages.retain(|(number, _)| *number != page);
                }
            }
            None => self.pages.clear(),
        }
        self.patterns.retire(&head);
        Self { hint, head, ..self }
    }

    fn weigh(&mut self, kv: &dyn SharedKv, stored: Stamped<'_>) -> Result<Verdict, Unsaid> {
        let (epoch, head) = (stored.epoch, &self.head);
        let is_left_behind = match stored.whereabouts {
            Whereabouts::Aside(judged) => {
                judged.log != head.epoch.log || judged.position < head.retired.position
            }
            Whereabouts::Shared => false,
        };
        if epoch.log != head.epoch.log || epoch == Epoch::UNKNOWN || is_left_behind {
            return Ok(Verdict::all(Currency::Gone));
        }
        // Nothing at all has been invalidated since.
        if epoch.position >= head.epoch.position {
            return Ok(Verdict::all(Currency::Current));
        }
        let mut otherwise = match epoch.position {
            position if position < head.hard_floor => return Ok(Verdict::all(Currency::Gone)),
            position => head.soft_floor.judge(position),
        };
        for stamp in stored.stamps.iter() {
            let judged = self.judge_stamp(kv, stamp, epoch.position);
            otherwise = otherwise.min(judged.ok_or(Unsaid::Unreadable)?);
        }
        if otherwise == Currency::Gone {
            return Ok(Verdict::all(Currency::Gone));
        }
        self.learn_patterns(kv)?;
        Ok(Verdict {
            otherwise,
            patterns: self.patterns.judge(stored),
        })
    }

    fn judge_stamp(&mut self, kv: &dyn SharedKv, stamp: Stamp, position: u64) -> Option<Currency> {
        let log = self.head.epoch.log;
        let spot = Spot::of(log, stamp);
        let place = self
            .pages
            .binary_search_by_key(&spot.page, |(number, _)| *number);
        let place = match place {
            Ok(place) => place,
            Err(place) => {
                let page = read_page(kv, spot.page, log)?;
                self.pages.insert(place, (spot.page, page));
                place
            }
        };
        let (_, page) = self.pages.get(place)?;
        Some(page.judge(spot, stamp, position))
    }

    fn learn_patterns(&mut self, kv: &dyn SharedKv) -> Result<(), Unsaid> {
        if self.patterns.is_up_to(&self.head) {
            return Ok(());
        }
        let cell = read(kv, Name::patterns()).map_err(|_| Unsaid::Unreadable)?;
        // There are some, or the head would announce none.
        let patterns = cell
            .and_then(|cell| Patterns::decode(&cell.value).ok())
            .filter(|patterns| patterns.log == self.head.epoch.log)
            .ok_or(Unsaid::Corrupt)?;
        self.patterns
            .learn(patterns, &self.head)
            .map_err(|unknown| match unknown {
                Unknown::Behind => Unsaid::Behind,
                Unknown::Corrupt => Unsaid::Corrupt,
            })
    }
}

/// Whether this log is the one in force.
fn is_in_force(kv: &dyn SharedKv, log: u64) -> Result<bool, SetError> {
    let cell = read(kv, Name::epoch_log())?;
    Ok(cell.is_some_and(|cell| decode_log(&cell.value) == Ok(log)))
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
