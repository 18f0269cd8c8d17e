//! Whether an entry of the fleet is still current, by what a replica has followed of the log.
//!
//! An entry stands there with the cursor up to which its fetcher had followed the log when it asked the origin. Whatever stands
//! behind that and covers the entry has ended it: also what was invalidated while the response was on its way. Which one it
//! was makes no difference to whoever looks the entry up, since the origin is asked in any case; only what is hard takes the
//! entry out of the store as well.
//!
//! ```text
//!  ├── floor ────────────── end ──▶
//!  │ forgotten │ known: checks, stamps, patterns
//! ```
//!
//! What the log has trimmed is forgotten, and so is the older part where there is too much of it: an entry from before that
//! ([`Verdict::TooOld`]) is not current, for nobody can say. Neither is one whose cursor names a place that is not in this log
//! ([`Verdict::Foreign`]): a store that has lost records and taken in others has the same positions twice.

use std::collections::{HashMap, VecDeque};

use larder_core::entry::{Stamp, Stamps};
use larder_core::epoch::{Coverage, Invalidation, Mode, NameMatcher};
use larder_core::fleet::Cursor;
use larder_core::key::KeyName;

/// How much is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Records.
    pub records: usize,
    /// Stamps.
    pub stamps: usize,
    /// Patterns, each of which is held against the name of every entry that is older.
    pub patterns: usize,
}

impl Capacity {
    /// About a hundred megabytes, when all of it is used.
    pub const USUAL: Self = Self {
        records: 200_000,
        stamps: 1_000_000,
        patterns: 1024,
    };
}

/// What is known of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing that is known has ended it.
    Current,
    /// This has; the newest that has.
    Covered {
        /// The position of the record.
        by: u64,
        /// How much is left of it.
        mode: Mode,
    },
    /// It is from before all that is remembered.
    TooOld,
    /// Its cursor is further than this replica has followed.
    Ahead,
    /// Its cursor is none of this log.
    Foreign,
}

/// What was invalidated, as far as the log has been followed.
#[derive(Debug)]
pub struct Judge {
    capacity: Capacity,
    /// Everything behind it is known.
    floor: Cursor,
    /// Whether the name of what stands at the floor is known, so that it can be told from another.
    floor_is_named: bool,
    end: Cursor,
    /// Of each record behind the floor.
    checks: VecDeque<u32>,
    stamps: HashMap<Stamp, Newest>,
    patterns: VecDeque<Pattern>,
    all: Newest,
}

/// The newest records that cover something; 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Newest {
    any: u64,
    any_mode: Option<Mode>,
    hard: u64,
}

#[derive(Debug)]
struct Pattern {
    position: u64,
    mode: Mode,
    matcher: NameMatcher,
}

impl Newest {
    fn note(&mut self, position: u64, mode: Mode) {
        self.any = position;
        self.any_mode = Some(mode);
        if mode == Mode::Hard {
            self.hard = position;
        }
    }

    fn behind(&self, position: u64) -> Option<(u64, Mode)> {
        if self.hard > position {
            return Some((self.hard, Mode::Hard));
        }
        let mode = self.any_mode.filter(|_| self.any > position)?;
        Some((self.any, mode))
    }
}

impl Judge {
    /// Knows nothing yet; the log is followed from this place on.
    pub fn new(from: Cursor, capacity: Capacity) -> Self {
        Self {
            capacity,
            floor: from,
            floor_is_named: true,
            end: from,
            checks: VecDeque::new(),
            stamps: HashMap::new(),
            patterns: VecDeque::new(),
            all: Newest::default(),
        }
    }

    /// Knows nothing yet; the log is followed from in front of this record on, its oldest.
    pub fn in_front_of(oldest: Cursor, capacity: Capacity) -> Self {
        let position = oldest.position.saturating_sub(1);
        let floor = Cursor {
            position,
            check: 0,
            ..oldest
        };
        Self {
            // The place in front of the first has no record, so its name is known.
            floor_is_named: position == 0,
            ..Self::new(floor, capacity)
        }
    }

    /// How far the log has been followed.
    pub fn end(&self) -> Cursor {
        self.end
    }

    /// The next record of the log.
    pub fn note(&mut self, at: Cursor, invalidation: &Invalidation) {
        let position = at.position;
        self.end = at;
        self.checks.push_back(at.check);
        let mode = invalidation.mode;
        match &invalidation.coverage {
            Coverage::All => self.all.note(position, mode),
            Coverage::Stamps(stamps) => {
                for stamp in stamps {
                    self.stamps.entry(*stamp).or_default().note(position, mode);
                }
            }
            Coverage::Names(pattern) => match pattern.compile() {
                Ok(matcher) => self.patterns.push_back(Pattern {
                    position,
                    mode,
                    matcher,
                }),
                // Never in fact. Then it covers everything.
                Err(_) => self.all.note(position, mode),
            },
        }
        self.make_room();
    }

    /// What is known of an entry with this cursor, these stamps (`None` where it has none, and only stands for others) and a key
    /// of this name.
    pub fn judge(&self, cursor: Cursor, stamps: Option<Stamps<'_>>, name: &KeyName) -> Verdict {
        match self.place(cursor) {
            Place::Known => {}
            Place::Ahead => return Verdict::Ahead,
            Place::Foreign => return Verdict::Foreign,
            Place::TooOld => return Verdict::TooOld,
        }
        let position = cursor.position;
        let stamps = stamps.into_iter().flat_map(Stamps::iter);
        let stamped = stamps.filter_map(|stamp| self.stamps.get(&stamp)?.behind(position));
        let newer = self.patterns.iter().rev();
        let newer = newer.take_while(|pattern| pattern.position > position);
        let named = newer
            .filter(|pattern| pattern.matcher.matches(name))
            .map(|pattern| (pattern.position, pattern.mode));
        let all = self.all.behind(position);
        // The one that leaves least; of these the newest.
        let worst = stamped
            .chain(named)
            .chain(all)
            .min_by_key(|(by, mode)| (*mode, std::cmp::Reverse(*by)));
        match worst {
            Some((by, mode)) => Verdict::Covered { by, mode },
            None => Verdict::Current,
        }
    }

    fn place(&self, cursor: Cursor) -> Place {
        if cursor.log != self.floor.log {
            return Place::Foreign;
        }
        if cursor.position > self.end.position {
            return Place::Ahead;
        }
        let Some(above) = cursor.position.checked_sub(self.floor.position) else {
            return Place::TooOld;
        };
        let check = match above.checked_sub(1).map(usize::try_from) {
            None if cursor.position == 0 => return Place::Known,
            None if self.floor_is_named => Some(&self.floor.check),
            None => return Place::TooOld,
            Some(index) => index.ok().and_then(|index| self.checks.get(index)),
        };
        match check {
            Some(check) if *check == cursor.check => Place::Known,
            Some(_) | None => Place::Foreign,
        }
    }

    fn make_room(&mut self) {
        let Capacity {
            records,
            stamps,
            patterns,
        } = self.capacity;
        while self.patterns.len() > patterns {
            let Some(oldest) = self.patterns.front() else {
                return;
            };
            self.raise(oldest.position);
        }
        if self.checks.len() > records {
            // A quarter at once, since all stamps are looked at.
            self.raise(self.floor.position.saturating_add(part(self.checks.len())));
        }
        while self.stamps.len() > stamps && !self.checks.is_empty() {
            self.raise(self.floor.position.saturating_add(part(self.checks.len())));
        }
    }

    /// Forgets what stands up to there.
    fn raise(&mut self, position: u64) {
        while self.floor.position < position {
            let Some(check) = self.checks.pop_front() else {
                break;
            };
            self.floor.position = self.floor.position.saturating_add(1);
            self.floor.check = check;
            self.floor_is_named = true;
        }
        let floor = self.floor.position;
        self.stamps.retain(|_, newest| newest.any > floor);
        self.patterns.retain(|pattern| pattern.position > floor);
    }
}

/// A quarter, and at least one.
fn part(count: usize) -> u64 {
    (count as u64).div_ceil(4).max(1)
}

enum Place {
    Known,
    Ahead,
    Foreign,
    TooOld,
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
