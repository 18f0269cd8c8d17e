//! Writing down an invalidation, and what has become of old ones; the steps are in [`super`].

use crate::entry::{Epoch, Stamp};
use crate::epoch::{Coverage, Invalidation, Mode, NamePattern};
use crate::sorting::sort_by;
use crate::time::Timestamp;

use super::head::{Head, Retired};
use super::page::{Page, Reading, Spot};
use super::patterns::{Added, Patterns};
use super::{ChangeHint, EpochLog, Unnoted, decode_log, encode_log, is_in_force};
use crate::tier::kv::{Cas, Cell, KvError, SetError, SharedKv};
use crate::tier::name::Name;
use crate::tier::record::Corrupt;

/// Every lost compare-and-set is another worker's success, so this many in a row are no contention.
const TRIES: usize = 10_000;

/// Whether what was wanted was done, or is no longer needed.
enum Done {
    Yes,
    /// The log has ended, and everything is over that was asked for in it.
    LogEnded,
}

impl EpochLog {
    /// Invalidates. When this returns, every worker's next request knows. Gives the invalidation's position: what was asked
    /// for at an earlier one, or in another log, is met.
    ///
    /// # Errors
    /// [`Unnoted`] when the host lets nothing be written at all.
    pub fn append(
        &mut self,
        kv: &dyn SharedKv,
        hint: &dyn ChangeHint,
        invalidation: &Invalidation,
        now: Timestamp,
    ) -> Result<Epoch, Unnoted> {
        let noted = self
            .note(kv, invalidation, now)
            .or_else(|_| self.begin_anew(kv));
        self.doubt();
        hint.advance();
        noted.map_err(|_| Unnoted)
    }

    fn note(
        &mut self,
        kv: &dyn SharedKv,
        invalidation: &Invalidation,
        now: Timestamp,
    ) -> Result<Epoch, SetError> {
        let Invalidation { coverage, mode } = invalidation;
        let how = (*mode, now);
        let head = match coverage {
            Coverage::All => self.change_head(kv, None, &|head| head.raise_floor(*mode, now))?,
            Coverage::Names(_) | Coverage::Stamps(_) => self.change_head(kv, None, &|_| {})?,
        };
        let Some(head) = head else {
            return Err(SetError::Lost); // no log was asked for, so none has ended
        };
        match coverage {
            Coverage::All => {}
            Coverage::Names(pattern) => self.note_pattern(kv, &head, how, pattern)?,
            Coverage::Stamps(stamps) => self.note_stamps(kv, head.epoch, how, stamps)?,
        }
        Ok(head.epoch)
    }

    fn note_stamps(
        &mut self,
        kv: &dyn SharedKv,
        epoch: Epoch,
        how: (Mode, Timestamp),
        stamps: &[Stamp],
    ) -> Result<(), SetError> {
        let page_of = |stamp: &Stamp| Spot::of(epoch.log, *stamp).page;
        let mut stamps = stamps.to_vec();
        sort_by(&mut stamps, |one, other| page_of(one).cmp(&page_of(other)));
        let mut pages = Vec::new();
        for stamps in stamps.chunk_by(|one, other| page_of(one) == page_of(other)) {
            let Some(page) = stamps.first().map(page_of) else {
                continue;
            };
            match self.note_page(kv, (page, stamps), epoch, how)? {
                Done::Yes => pages.push(page),
                Done::LogEnded => return Ok(()),
            }
        }
        let announce = |head: &mut Head| pages.iter().for_each(|page| head.touch(*page));
        self.change_head(kv, Some(epoch.log), &announce)?;
        Ok(())
    }

    fn note_page(
        &self,
        kv: &dyn SharedKv,
        (number, stamps): (u8, &[Stamp]),
        epoch: Epoch,
        how: (Mode, Timestamp),
    ) -> Result<Done, SetError> {
        let name = Name::epoch_page(number);
        for _ in 0..TRIES {
            let cell = read(kv, name)?;
            let value = cell.as_ref().map(|cell| cell.value.as_slice());
            let mut page = match Reading::of(value, epoch.log) {
                Reading::Page(page) => page,
                // It may be the next log's.
                Reading::None if !is_in_force(kv, epoch.log)? => return Ok(Done::LogEnded),
                Reading::None => Page::empty(),
                Reading::Corrupt => return Err(SetError::Failed),
            };
            for stamp in stamps {
                page.note(epoch, *stamp, how, self.records);
            }
            let cas = cell.map_or(Cas::NEVER, |cell| cell.cas);
            match kv.set(name.as_str(), &page.encode(epoch.log), cas) {
                Ok(()) => return Ok(Done::Yes),
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => return Err(SetError::Failed),
            }
        }
        Err(SetError::Lost)
    }

    fn note_pattern(
        &mut self,
        kv: &dyn SharedKv,
        head: &Head,
        how: (Mode, Timestamp),
        pattern: &NamePattern,
    ) -> Result<(), SetError> {
        let (mode, now) = how;
        let Some(added) = add_pattern(kv, head, how, pattern)? else {
            return Ok(()); // the log has ended
        };
        let announce = |head: &mut Head| match added {
            Added::As(number) => head.patterns = head.patterns.max(number.saturating_add(1)),
            Added::Full => head.raise_floor(mode, now),
        };
        self.change_head(kv, Some(head.epoch.log), &announce)?;
        Ok(())
    }

    /// Patterns are carried out: a sweep that began here has looked at every entry since.
    pub(in crate::tier) fn retire(
        &mut self,
        kv: &dyn SharedKv,
        hint: &dyn ChangeHint,
        log: u64,
        to: Retired,
    ) -> Result<(), SetError> {
        let retire = |head: &mut Head| {
            let so_far = &mut head.retired;
            so_far.position = so_far.position.max(to.position);
            so_far.patterns = so_far.patterns.max(to.patterns);
            so_far.soft_patterns = so_far.soft_patterns.max(to.soft_patterns);
        };
        self.change_head(kv, Some(log), &retire)?;
        self.doubt();
        hint.advance();
        Ok(())
    }

    /// Takes the next position, and changes the head in the same write; gives it as it is then. `None` where the log in
    /// force is not the one that was asked for.
    fn change_head(
        &mut self,
        kv: &dyn SharedKv,
        log: Option<u64>,
        change: &dyn Fn(&mut Head),
    ) -> Result<Option<Head>, SetError> {
        for _ in 0..TRIES {
            let (mut head, cas) = self.head_and_version(kv)?;
            if log.is_some_and(|log| log != head.epoch.log) {
                return Ok(None);
            }
            // The last position is reached by whoever writes it into the cell; the log is begun anew then.
            let next = head.epoch.position.checked_add(1);
            head.epoch.position = next.ok_or(SetError::Failed)?;
            change(&mut head);
            match kv.set(Name::epoch_head().as_str(), &head.encode(), cas) {
                Ok(()) => return Ok(Some(head)),
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => return Err(SetError::Failed),
            }
        }
        Err(SetError::Lost)
    }

    pub(super) fn head_and_version(&mut self, kv: &dyn SharedKv) -> Result<(Head, Cas), SetError> {
        for _ in 0..TRIES {
            let cell = read(kv, Name::epoch_head())?;
            let log = self.log(kv)?;
            let Some(cell) = cell else {
                return Ok((Head::first(log), Cas::NEVER));
            };
            match Head::decode(&cell.value) {
                Ok(head) if head.epoch.log == log => return Ok((head, cell.cas)),
                Ok(_) => return Ok((Head::first(log), cell.cas)),
                Err(Corrupt) => self.mend_head(kv, cell.cas)?,
            }
        }
        Err(SetError::Lost)
    }

    /// How far the log had come is lost, so another is begun; and the head is made good, or whoever reads it next would
    /// begin yet another.
    fn mend_head(&mut self, kv: &dyn SharedKv, cas: Cas) -> Result<(), SetError> {
        let head = Head::first(self.begin_anew(kv)?.log).encode();
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
    pub(super) fn begin_anew(&mut self, kv: &dyn SharedKv) -> Result<Epoch, SetError> {
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

/// `None` where the log has ended.
fn add_pattern(
    kv: &dyn SharedKv,
    head: &Head,
    how: (Mode, Timestamp),
    pattern: &NamePattern,
) -> Result<Option<Added>, SetError> {
    let log = head.epoch.log;
    for _ in 0..TRIES {
        let cell = read(kv, Name::patterns())?;
        let decoded = cell.as_ref().map(|cell| Patterns::decode(&cell.value));
        let mut patterns = match decoded {
            Some(Ok(patterns)) if patterns.log == log => patterns,
            Some(Err(Corrupt)) => return Err(SetError::Failed),
            None | Some(Ok(_)) if !is_in_force(kv, log)? => return Ok(None),
            None | Some(Ok(_)) => Patterns::none(log),
        };
        if patterns.next < head.patterns {
            return Err(SetError::Failed); // some are lost
        }
        let added = patterns.add(head, how, pattern);
        let cas = cell.map_or(Cas::NEVER, |cell| cell.cas);
        match kv.set(Name::patterns().as_str(), &patterns.encode(), cas) {
            Ok(()) => return Ok(Some(added)),
            Err(SetError::Lost) => {}
            Err(SetError::Failed) => return Err(SetError::Failed),
        }
    }
    Err(SetError::Lost)
}

pub(super) fn read(kv: &dyn SharedKv, name: Name) -> Result<Option<Cell>, SetError> {
    kv.get(name.as_str()).map_err(|KvError| SetError::Failed)
}
