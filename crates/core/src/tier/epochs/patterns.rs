//! The patterns in force, in one cell.
//!
//! ```text
//! "LEX2" │ u64 log │ u64 next number │ u64 dropped │ u64 dropped soft │ u16 records │ records × record
//! record: u64 number │ 3 × u64 positions and time: [`Noted`] │ u8 mode: h i s │ u8 form: g p r │ u16 length, text
//!                                                                                        in the order of numbers
//! ```
//!
//! Numbers are given in the order in which records come into the cell, which is not that of their positions. So who knows the
//! first *n* of them knows what the head means by *n* announced patterns.
//!
//! A pattern that stands there already is replaced: rules that purge by pattern note the same one again and again. Records
//! of retired patterns are dropped by whoever adds the next one. The cell says up to which number that was
//! done: a worker whose head does not know of it yet must not take the missing ones for none.

use super::super::record::{Corrupt, Fields};
use super::head::{Head, Retired};
use super::noted::Noted;
use crate::epoch::{Currency, Mode, NameMatcher, NamePattern, Stamped};
use crate::time::Timestamp;

const TAG: &[u8; 4] = b"LEX2";
/// More patterns than this are not in force at once.
pub(in crate::tier) const MOST_PATTERNS: usize = 256;

/// The patterns in force, as their cell has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patterns {
    pub(super) log: u64,
    pub(super) next: u64,
    dropped: Retired,
    records: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    number: u64,
    noted: Noted,
    mode: Mode,
    pattern: NamePattern,
}

/// What became of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It has this number.
    As(u64),
    /// There are as many as there may be.
    Full,
}

impl Patterns {
    pub(super) fn none(log: u64) -> Self {
        Self {
            log,
            next: 0,
            dropped: Retired::default(),
            records: Vec::new(),
        }
    }

    /// Adds one, and drops those that are retired, and the same one if it stands there: the new one covers all that it does.
    pub(super) fn add(
        &mut self,
        head: &Head,
        (mode, at): (Mode, Timestamp),
        pattern: &NamePattern,
    ) -> Added {
        let mut noted = Noted::NEVER;
        self.records.retain(|record| {
            let is_same = record.mode == mode && record.pattern == *pattern;
            if is_same {
                noted = record.noted; // perhaps of a later position: its worker was faster here
            }
            !is_same && !head.retired.has(record.number, record.mode)
        });
        if head.retired.includes(&self.dropped) {
            self.dropped = head.retired;
        }
        if self.records.len() >= MOST_PATTERNS {
            return Added::Full;
        }
        noted.note(head.epoch.position, at);
        let number = self.next;
        self.next = self.next.wrapping_add(1);
        self.records.push(Record {
            number,
            noted,
            mode,
            pattern: pattern.clone(),
        });
        Added::As(number)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = TAG.to_vec();
        let numbers = [
            self.log,
            self.next,
            self.dropped.patterns,
            self.dropped.soft_patterns,
        ];
        for number in numbers {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let count = u16::try_from(self.records.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        for record in &self.records {
            let (form, text) = record.pattern.to_parts();
            let [newest, before, since] = record.noted.numbers();
            for number in [record.number, newest, before, since] {
                out.extend_from_slice(&number.to_le_bytes());
            }
            out.extend_from_slice(&[mode_letter(record.mode), form]);
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Corrupt> {
        let mut fields = Fields::of(value, TAG)?;
        let mut patterns = Self {
            log: fields.u64()?,
            next: fields.u64()?,
            dropped: Retired {
                position: 0,
                patterns: fields.u64()?,
                soft_patterns: fields.u64()?,
            },
            records: Vec::new(),
        };
        let count = usize::from(fields.u16()?);
        if count > MOST_PATTERNS {
            return Err(Corrupt);
        }
        for _ in 0..count {
            patterns.records.push(read_record(&mut fields)?);
        }
        fields.end()?;
        let is_sorted = patterns
            .records
            .is_sorted_by(|one, other| one.number < other.number);
        let is_numbered = patterns
            .records
            .last()
            .is_none_or(|last| last.number < patterns.next);
        (is_sorted && is_numbered)
            .then_some(patterns)
            .ok_or(Corrupt)
    }
}

fn read_record(fields: &mut Fields<'_>) -> Result<Record, Corrupt> {
    let (number, noted) = (fields.u64()?, Noted::read(fields)?);
    let [mode, form] = *fields.take()?;
    let length = fields.u16()?;
    let text = std::str::from_utf8(fields.slice(length.into())?).map_err(|_| Corrupt)?;
    Ok(Record {
        number,
        noted,
        mode: mode_of_letter(mode)?,
        pattern: NamePattern::from_parts(form, text).ok_or(Corrupt)?,
    })
}

pub(in crate::tier) fn mode_letter(mode: Mode) -> u8 {
    match mode {
        Mode::Hard => b'h',
        Mode::Invalid => b'i',
        Mode::Soft => b's',
    }
}

pub(in crate::tier) fn mode_of_letter(letter: u8) -> Result<Mode, Corrupt> {
    match letter {
        b'h' => Ok(Mode::Hard),
        b'i' => Ok(Mode::Invalid),
        b's' => Ok(Mode::Soft),
        _ => Err(Corrupt),
    }
}

/// The patterns that one worker knows, compiled.
#[derive(Debug, Default)]
pub(super) struct Compiled {
    /// All of lower numbers are known, or retired.
    known: u64,
    records: Vec<Live>,
}

#[derive(Debug)]
struct Live {
    number: u64,
    noted: Noted,
    mode: Mode,
    matcher: NameMatcher,
}

/// What a worker that needs to know all that the head announces finds in the cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// What this worker knows of the head is older than the cell.
    Behind,
    /// The cell does not hold what it should.
    Corrupt,
}

impl Compiled {
    /// Whether it knows all that this head announces.
    pub(super) fn is_up_to(&self, head: &Head) -> bool {
        self.known >= head.patterns
    }

    /// Forgets what is retired.
    pub(super) fn retire(&mut self, head: &Head) {
        self.records
            .retain(|live| !head.retired.has(live.number, live.mode));
    }

    /// Learns what stands in the cell.
    pub(super) fn learn(&mut self, patterns: Patterns, head: &Head) -> Result<(), Unknown> {
        if !head.retired.includes(&patterns.dropped) {
            return Err(Unknown::Behind);
        }
        if patterns.next < head.patterns {
            return Err(Unknown::Corrupt);
        }
        // What stands there no more is retired, or the same pattern has come again.
        let stands = |live: &Live| {
            let mut numbers = patterns.records.iter().map(|record| record.number);
            numbers.any(|number| number == live.number)
        };
        self.records.retain(stands);
        for record in patterns.records {
            if record.number < self.known || head.retired.has(record.number, record.mode) {
                continue;
            }
            self.records.push(Live {
                number: record.number,
                noted: record.noted,
                mode: record.mode,
                matcher: record.pattern.compile().map_err(|_| Unknown::Corrupt)?,
            });
            self.known = record.number.saturating_add(1);
        }
        self.known = patterns.next;
        Ok(())
    }

    /// How many of them are in force, and how many of these are not soft.
    pub(super) fn count(&self) -> (usize, usize) {
        let soft = self.records.iter().filter(|live| live.mode == Mode::Soft);
        let all = self.records.len();
        (all, all.saturating_sub(soft.count()))
    }

    /// Whether one of them covers what was asked for before it.
    pub(super) fn judge(&self, stored: Stamped<'_>) -> Currency {
        let mut name = None;
        let mut strongest = Currency::Current;
        for live in &self.records {
            let position = stored.epoch.position;
            let met = Currency::met_by(live.mode, live.noted.since(position));
            if !live.noted.meets(position) || met >= strongest {
                continue;
            }
            let name = name.get_or_insert_with(|| stored.key.name());
            if live.matcher.matches(name) {
                strongest = met;
            }
        }
        strongest
    }
}
