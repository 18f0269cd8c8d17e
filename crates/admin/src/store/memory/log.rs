//! The log in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use larder_core::fleet::{Cursor, InstanceId};
use tokio::time::Instant;

use crate::store::shapes::{Appended, Extent, Loss, NewRecord, READ_BYTES, Reading, Record, Said};
use crate::store::{MAX_INSTANCES, random};

/// What a record takes besides its body, about.
const OVERHEAD: usize = 64;

#[derive(Debug)]
pub(super) struct Log {
    name: u64,
    /// In order and without gaps.
    records: VecDeque<Kept>,
    /// How many there have been.
    count: u64,
    bytes: usize,
    /// What each said last, and at which position.
    spoken: HashMap<InstanceId, (u64, u64)>,
    max_records: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Kept {
    position: u64,
    check: u32,
    said: Said,
    since: Instant,
    body: Arc<str>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.body.len().saturating_add(OVERHEAD)
    }
}

impl Log {
    pub(super) fn new(max_records: usize, max_bytes: usize) -> Self {
        Self {
            name: random::number(),
            records: VecDeque::new(),
            count: 0,
            bytes: 0,
            spoken: HashMap::new(),
            max_records: max_records.max(1),
            max_bytes,
        }
    }

    pub(super) fn append(&mut self, records: &[NewRecord], now: Instant) -> Appended {
        let ids = records
            .iter()
            .map(|record| self.append_one(record, now))
            .collect();
        self.trim();
        Appended {
            ids,
            end: self.end(),
        }
    }

    fn append_one(&mut self, record: &NewRecord, now: Instant) -> Option<Cursor> {
        if let Some(said) = record.said
            && self
                .spoken
                .get(&said.by)
                .is_some_and(|(seq, _)| said.seq <= *seq)
        {
            return self.find(said);
        }
        self.count = self.count.saturating_add(1);
        let position = self.count;
        if let Some(said) = record.said {
            self.spoken.insert(said.by, (said.seq, position));
            self.forget_speakers();
        }
        let kept = Kept {
            position,
            check: random::check(),
            said: record.said.unwrap_or(Said::by_the_service(position)),
            since: now,
            body: Arc::clone(&record.body),
        };
        self.bytes = self.bytes.saturating_add(kept.bytes());
        self.records.push_back(kept);
        Some(self.end())
    }

    fn find(&self, said: Said) -> Option<Cursor> {
        let mut newest_first = self.records.iter().rev();
        newest_first
            .find(|kept| kept.said == said)
            .map(|kept| self.cursor(kept))
    }

    /// Who has been silent longest is forgotten: what it says twice is then there twice, which does no harm.
    fn forget_speakers(&mut self) {
        if self.spoken.len() <= MAX_INSTANCES {
            return;
        }
        let silent = self
            .spoken
            .iter()
            .min_by_key(|(_, (_, position))| *position);
        if let Some(id) = silent.map(|(id, _)| *id) {
            self.spoken.remove(&id);
        }
    }

    fn trim(&mut self) {
        while self.records.len() > self.max_records
            || (self.bytes > self.max_bytes && self.records.len() > 1)
        {
            let Some(oldest) = self.records.pop_front() else {
                return;
            };
            self.bytes = self.bytes.saturating_sub(oldest.bytes());
        }
    }

    pub(super) fn read(&self, after: Cursor, limit: usize, now: Instant) -> Reading {
        match self.follow(after) {
            Ok(index) => self.from(index, after, limit, now),
            Err(loss) => Reading::Reset {
                cursor: self.end(),
                loss,
            },
        }
    }

    pub(super) fn read_oldest(&self, limit: usize, now: Instant) -> Reading {
        self.from(0, self.end(), limit, now)
    }

    /// Where in `records` what stands behind `after` begins.
    fn follow(&self, after: Cursor) -> Result<usize, Loss> {
        if after.log != self.name {
            return Err(Loss::OtherLog);
        }
        if after.position > self.count {
            return Err(Loss::Rewritten);
        }
        if after.position == 0 {
            let all = self.oldest().is_none_or(|oldest| oldest == 1);
            return if all { Ok(0) } else { Err(Loss::Trimmed) };
        }
        let index = self.index(after.position).ok_or(Loss::Trimmed)?;
        let kept = self.records.get(index).ok_or(Loss::Trimmed)?;
        if kept.check == after.check {
            Ok(index.saturating_add(1))
        } else {
            Err(Loss::Rewritten)
        }
    }

    fn from(&self, index: usize, start: Cursor, limit: usize, now: Instant) -> Reading {
        let behind = self.records.iter().skip(index);
        let there = behind.len();
        let mut bytes: usize = 0;
        let records: Vec<Record> = behind
            .take(limit)
            .take_while(|kept| {
                let first = bytes == 0;
                bytes = bytes.saturating_add(kept.body.len());
                first || bytes <= READ_BYTES
            })
            .map(|kept| self.shown(kept, now))
            .collect();
        let more = records.len() < there;
        Reading::Records {
            cursor: records.last().map_or(start, |record| record.at),
            records,
            more,
        }
    }

    fn oldest(&self) -> Option<u64> {
        self.records.front().map(|kept| kept.position)
    }

    fn index(&self, position: u64) -> Option<usize> {
        usize::try_from(position.checked_sub(self.oldest()?)?).ok()
    }

    /// Whether `cursor` is of this log, as far as anybody can say.
    pub(super) fn knows(&self, cursor: Cursor) -> bool {
        matches!(self.follow(cursor), Ok(_) | Err(Loss::Trimmed))
    }

    pub(super) fn record(&self, at: Cursor, now: Instant) -> Option<Record> {
        let kept = self.records.get(self.index(at.position)?)?;
        (self.cursor(kept) == at).then(|| self.shown(kept, now))
    }

    pub(super) fn extent(&self) -> Extent {
        Extent {
            oldest: self.oldest(),
            end: self.end(),
        }
    }

    pub(super) fn last_said(&self, limit: usize) -> Vec<Said> {
        let mut spoken: Vec<(u64, Said)> = self
            .spoken
            .iter()
            .map(|(by, (seq, position))| (*position, Said { by: *by, seq: *seq }))
            .collect();
        spoken.sort_unstable_by_key(|(position, _)| std::cmp::Reverse(*position));
        spoken
            .into_iter()
            .take(limit)
            .map(|(_, said)| said)
            .collect()
    }

    fn end(&self) -> Cursor {
        let nothing = Cursor {
            log: self.name,
            position: 0,
            check: 0,
        };
        self.records
            .back()
            .map_or(nothing, |kept| self.cursor(kept))
    }

    fn cursor(&self, kept: &Kept) -> Cursor {
        Cursor {
            log: self.name,
            position: kept.position,
            check: kept.check,
        }
    }

    fn shown(&self, kept: &Kept, now: Instant) -> Record {
        Record {
            at: self.cursor(kept),
            said: kept.said,
            age: now.saturating_duration_since(kept.since),
            body: Arc::clone(&kept.body),
        }
    }
}
