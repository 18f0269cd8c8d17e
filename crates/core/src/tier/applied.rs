//! Up to where each worker has let go of what invalidations have ended in its own memory; receipts wait for that.
//!
//! ```text
//! "LAP1" │ u64 log │ n × u64, n ≤ 256: by worker id, one more than the position; 0 for nothing said    all little-endian
//! ```
//!
//! A worker that takes over an id has nothing in its memory that is older than what its predecessor has said.

use super::incarnation::Incarnation;
use super::kv::{Cas, KvError, SetError, SharedKv};
use super::lease::Lease;
use super::name::Name;
use super::progress::Progress;
use super::record::{Corrupt, Fields};
use super::shared::SharedTier;
use crate::entry::Epoch;
use crate::time::Timestamp;

const TAG: &[u8; 4] = b"LAP1";
const TRIES: usize = 16;

impl SharedTier {
    /// Says that this worker keeps nothing in its own memory any more that was ended by this epoch. Without a worker id, or
    /// where the host fails, it is said the next time.
    pub fn note_applied(&mut self, kv: &dyn SharedKv, epoch: Epoch) {
        let Some((worker, holder)) = self
            .lease
            .as_ref()
            .map(|lease| (lease.worker(), lease.holder()))
        else {
            return;
        };
        if epoch == Epoch::UNKNOWN || self.applied == Some((holder, epoch)) {
            return;
        }
        if note(kv, worker, epoch).is_ok() {
            self.applied = Some((holder, epoch));
        }
    }

    /// Up to where everything that was invalidated is gone: a sweep that looked at every entry has begun since then and is
    /// complete, and every worker has let go of what it kept itself. Where nothing has ever been stored, that is up to now, which
    /// is this epoch. `None` where it cannot be said.
    pub fn erased(&self, kv: &dyn SharedKv, (epoch, now): (Epoch, Timestamp)) -> Option<Epoch> {
        if Incarnation::current(kv) == Ok(None) {
            return Some(epoch).filter(|epoch| *epoch != Epoch::UNKNOWN);
        }
        let cell = kv.get(Name::sweeper().as_str()).ok()??;
        let (life, progress) = Progress::decode(&cell.value).ok()?;
        let swept = progress.swept;
        if self.life?.id != life || swept == Epoch::UNKNOWN {
            return None;
        }
        let applied = self.applied_by_all(kv, swept.log, now)?;
        Some(Epoch {
            position: swept.position.min(applied),
            ..swept
        })
    }

    /// Up to where in this log every live worker has; `None` where one has not said so.
    pub(super) fn applied_by_all(
        &self,
        kv: &dyn SharedKv,
        log: u64,
        now: Timestamp,
    ) -> Option<u64> {
        let life = self.life?;
        let (of, positions, _) = read(kv).ok()?;
        let live = Lease::live(kv, &life, now)?;
        let mut least = u64::MAX;
        for worker in live {
            let position = positions.get(usize::from(worker))?.checked_sub(1)?;
            least = least.min(position);
        }
        (of == log).then_some(least)
    }
}

fn note(kv: &dyn SharedKv, worker: u8, epoch: Epoch) -> Result<(), SetError> {
    for _ in 0..TRIES {
        let (log, mut positions, cas) = read(kv)?;
        if log != epoch.log {
            positions.clear();
        }
        let place = usize::from(worker);
        if positions.len() <= place {
            positions.resize(place.saturating_add(1), 0);
        }
        if let Some(position) = positions.get_mut(place) {
            *position = epoch.position.saturating_add(1);
        }
        let mut value = TAG.to_vec();
        value.extend_from_slice(&epoch.log.to_le_bytes());
        for position in positions {
            value.extend_from_slice(&position.to_le_bytes());
        }
        match kv.set(Name::applied().as_str(), &value, cas) {
            Ok(()) => return Ok(()),
            Err(SetError::Lost) => {}
            Err(SetError::Failed) => return Err(SetError::Failed),
        }
    }
    Err(SetError::Lost)
}

fn read(kv: &dyn SharedKv) -> Result<(u64, Vec<u64>, Cas), SetError> {
    let cell = kv.get(Name::applied().as_str());
    let Some(cell) = cell.map_err(|KvError| SetError::Failed)? else {
        return Ok((0, Vec::new(), Cas::NEVER));
    };
    // What cannot be read says nothing.
    let (log, positions) = decode(&cell.value).unwrap_or_default();
    Ok((log, positions, cell.cas))
}

fn decode(value: &[u8]) -> Result<(u64, Vec<u64>), Corrupt> {
    let mut fields = Fields::of(value, TAG)?;
    let log = fields.u64()?;
    let (positions, rest) = fields.rest().as_chunks();
    if positions.len() > 256 || !rest.is_empty() {
        return Err(Corrupt);
    }
    let positions = positions.iter().map(|bytes| u64::from_le_bytes(*bytes));
    Ok((log, positions.collect()))
}
