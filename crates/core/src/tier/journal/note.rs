//! What is invalidated here, on its way to the fleet; the steps are in [`super`].

use super::outbox::Outbox;
use super::sheet::Sheet;
use super::{Journal, LocalOrder, TRIES, Unwritten, instance};
use crate::entry::Epoch;
use crate::epoch::Invalidation;
use crate::fleet::InstanceId;
use crate::tier::epochs::Unnoted;
use crate::tier::kv::SharedKv;
use crate::wire::{Batch, Label, MAX_RECORDS, Posted, Said, WriteToken};

/// Something is invalidated here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Its position in the local order, as [`super::EpochLog::append`] gives it.
    pub epoch: Epoch,
    /// What a client can show for it elsewhere; `None` where nobody else will hear of it.
    pub token: Option<WriteToken>,
}

impl Journal {
    /// Invalidates, here at once and in the fleet once the outbox has been posted. In the place of
    /// [`super::EpochLog::append`], which it calls.
    ///
    /// # Errors
    /// [`Unnoted`]: nothing is invalidated here yet. Where the outbox could be written, it will be when it comes back from the
    /// fleet.
    pub fn note(
        &mut self,
        order: &LocalOrder<'_>,
        invalidation: &Invalidation,
        label: Option<&Label>,
    ) -> Result<Noted, Unnoted> {
        let before = order.head().unwrap_or(Epoch::UNKNOWN);
        let token = self.intend(order, before, invalidation, label).ok();
        let epoch = order.append(invalidation, order.now)?;
        if let Some(token) = token {
            // Where this fails, it is noted a second time when it comes back.
            let _ = self.confirm(order.kv, token);
        }
        Ok(Noted { epoch, token })
    }

    /// Invalidates where there is no fleet now. Where this process has followed a log it may be of that fleet again, whose store has
    /// entries from before: then this is kept for it, as while its service cannot be reached.
    ///
    /// # Errors
    /// As [`Journal::note`].
    pub fn note_apart(
        &mut self,
        order: &LocalOrder<'_>,
        invalidation: &Invalidation,
    ) -> Result<Epoch, Unnoted> {
        match has_followed(order.kv) {
            Ok(false) => order.append(invalidation, order.now),
            Ok(true) | Err(Unwritten) => Ok(self.note(order, invalidation, None)?.epoch),
        }
    }

    fn intend(
        &mut self,
        order: &LocalOrder<'_>,
        before: Epoch,
        invalidation: &Invalidation,
        label: Option<&Label>,
    ) -> Result<WriteToken, Unwritten> {
        let kv = order.kv;
        for _ in 0..TRIES {
            let mut seq = 0;
            let outbox = Outbox::change(kv, &mut self.random, |outbox| {
                seq = outbox.push(before, invalidation, label);
            })?;
            // Cells that were lost meanwhile may have come back by this very write, and the number may have been given before.
            if instance::is_in_force(kv, outbox.id)? {
                return Ok(WriteToken::new(outbox.id, seq, order.now));
            }
        }
        Err(Unwritten)
    }

    fn confirm(&mut self, kv: &dyn SharedKv, token: WriteToken) -> Result<(), Unwritten> {
        Outbox::change(kv, &mut self.random, |outbox| {
            let is_its = outbox.id == token.instance;
            let mut records = outbox.records.iter_mut().filter(|_| is_its);
            if let Some(record) = records.find(|record| record.has(token.seq)) {
                record.intended = record.intended.saturating_sub(1);
            }
        })?;
        Ok(())
    }

    /// What the fleet has not been told, or has not said that it has; in order. `None` where there is nothing.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn batch(&mut self, kv: &dyn SharedKv) -> Result<Option<Batch>, Unwritten> {
        // What comes from now on goes with the next.
        let outbox = Outbox::change(kv, &mut self.random, |outbox| {
            let unsaid = outbox
                .records
                .iter()
                .rfind(|record| record.durable.is_none());
            let last = unsaid.map_or(0, |record| record.seq);
            outbox.sent = outbox.sent.max(last);
        })?;
        let records = outbox.records.into_iter();
        let records = records.filter(|record| record.durable.is_none());
        let said = records.take(MAX_RECORDS).map(|record| Said {
            seq: Some(record.seq),
            invalidation: record.invalidation,
            label: record.label,
        });
        let records: Vec<_> = said.collect();
        Ok((!records.is_empty()).then_some(Batch {
            instance: Some(outbox.id),
            records,
        }))
    }

    /// The service has them.
    ///
    /// # Errors
    /// [`Unwritten`]: they will be posted again, which does no harm.
    pub fn acknowledge(
        &mut self,
        kv: &dyn SharedKv,
        sent: &Batch,
        posted: &Posted,
    ) -> Result<(), Unwritten> {
        let Some(id) = sent.instance else {
            return Ok(());
        };
        let sheet = sheet_of(kv, id)?;
        Outbox::change(kv, &mut self.random, |outbox| {
            if outbox.id != id {
                return;
            }
            for (place, said) in sent.records.iter().enumerate() {
                // Where the service does not say, or it is in the log no more, it is in front of the end.
                let id = posted.ids.get(place).copied().flatten();
                let mut records = outbox.records.iter_mut();
                if let Some(record) = records.find(|record| Some(record.seq) == said.seq) {
                    record.durable = Some(id.unwrap_or(posted.cursor));
                }
            }
            outbox.let_go(&sheet);
        })?;
        Ok(())
    }
}

impl Outbox {
    /// What has come back is in the sheet.
    pub(super) fn let_go(&mut self, sheet: &Sheet) {
        if let Some(place) = &sheet.place
            && sheet.id == self.id
        {
            self.records.retain(|record| !record.is_passed(place));
        }
    }
}

/// Whether this process has ever been in touch with a fleet. One that has not leaves no cells for it.
fn has_followed(kv: &dyn SharedKv) -> Result<bool, Unwritten> {
    let id = instance::known(kv)?;
    let sheet = id.map(|id| sheet_of(kv, id)).transpose()?;
    Ok(sheet.is_some_and(|sheet| sheet.place.is_some()))
}

fn sheet_of(kv: &dyn SharedKv, id: InstanceId) -> Result<Sheet, Unwritten> {
    let (sheet, _) = Sheet::read(kv, id)?;
    Ok(sheet)
}
