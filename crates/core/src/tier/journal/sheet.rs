//! How far the fleet's log has been followed, in one cell. All numbers little-endian.
//!
//! ```text
//! "LFJ1" │ u64 instance │ u64 turn │ u64 config │ u64 leader │ u64 led until
//! u8 0: in no contact yet
//! u8 1: │ u64 fleet's log │ u64 own │ u64 synced │ u64 local log │ u64 local position │ u16 steps, the base first, each:
//!       u64 position │ u32 check │ u64 before │ u64 after
//! u16 instances, each: u64 id │ u64 highest number
//! u64 checksum of all before it
//! ```

use super::super::coverage::push_count;
use super::super::kv::{Cas, KvError, SetError, SharedKv};
use super::super::name::Name;
use super::super::record::{Corrupt, Fields};
use super::seqs::{self, Seqs};
use super::steps::{self, Step, Steps};
use super::{LEAD, Lead, TRIES, Unwritten};
use crate::entry::{Epoch, checksum};
use crate::fleet::{Cursor, InstanceId};
use crate::time::Timestamp;

const TAG: &[u8; 4] = b"LFJ1";

/// What all workers know of the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sheet {
    pub(super) id: InstanceId,
    /// Counts how often `place` was changed.
    pub(super) turn: u64,
    /// The version of the fleet's configuration that is in force.
    pub(super) config: u64,
    /// Who polls, and until when nobody else does.
    pub(super) leader: u64,
    pub(super) led_until: Timestamp,
    /// `None` before the first contact.
    pub(super) place: Option<Place>,
    pub(super) seqs: Seqs,
}

/// How far the fleet's log has been followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) steps: Steps,
    /// The highest number of this instance's own that has come back.
    pub(super) own: u64,
    /// When the service said that this is the end of its log.
    pub(super) synced: Timestamp,
}

/// What becomes of a sheet that was read.
pub(super) enum Change {
    Keep,
    Write,
}

impl Sheet {
    fn fresh(id: InstanceId) -> Self {
        Self {
            id,
            turn: 0,
            config: 0,
            leader: 0,
            led_until: Timestamp::from_nanos(0),
            place: None,
            seqs: Seqs::default(),
        }
    }

    /// That of this instance. One that cannot be read, or is another's, is none.
    pub(super) fn read(kv: &dyn SharedKv, id: InstanceId) -> Result<(Self, Cas), Unwritten> {
        let cell = kv.get(Name::journal().as_str());
        let Some(cell) = cell.map_err(|KvError| Unwritten)? else {
            return Ok((Self::fresh(id), Cas::NEVER));
        };
        let sheet = Self::decode(&cell.value).ok();
        let sheet = sheet.filter(|sheet| sheet.id == id);
        Ok((sheet.unwrap_or_else(|| Self::fresh(id)), cell.cas))
    }

    /// Changes it in one write.
    pub(super) fn change(
        kv: &dyn SharedKv,
        id: InstanceId,
        mut change: impl FnMut(&mut Self) -> Change,
    ) -> Result<(), Unwritten> {
        for _ in 0..TRIES {
            let (mut sheet, cas) = Self::read(kv, id)?;
            match change(&mut sheet) {
                Change::Keep => return Ok(()),
                Change::Write => {}
            }
            match kv.set(Name::journal().as_str(), &sheet.encode(), cas) {
                Ok(()) => return Ok(()),
                Err(SetError::Lost) => {}
                Err(SetError::Failed) => return Err(Unwritten),
            }
        }
        Err(Unwritten)
    }

    /// Whose lead it is.
    pub(super) fn lead_of(&self, worker: u64, now: Timestamp) -> Lead {
        // Where the clock was set back, a lead must not last for years.
        let is_held = now < self.led_until && self.led_until <= now.plus(LEAD).plus(LEAD);
        match self.leader == worker || !is_held {
            true => Lead::Ours,
            false => Lead::Others,
        }
    }

    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.place.as_ref().map(|place| place.steps.cursor())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = TAG.to_vec();
        push(
            &mut out,
            &[
                self.id.0,
                self.turn,
                self.config,
                self.leader,
                self.led_until.as_nanos(),
            ],
        );
        match &self.place {
            None => out.push(0),
            Some(place) => {
                out.push(1);
                push_place(&mut out, place);
            }
        }
        push_count(&mut out, self.seqs.0.len());
        for (id, seq) in &self.seqs.0 {
            push(&mut out, &[id.0, *seq]);
        }
        let sum = checksum(&out);
        push(&mut out, &[sum]);
        out
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, Corrupt> {
        let mut fields = Fields::of(unsealed(value)?, TAG)?;
        let sheet = Self {
            id: InstanceId(fields.u64()?),
            turn: fields.u64()?,
            config: fields.u64()?,
            leader: fields.u64()?,
            led_until: Timestamp::from_nanos(fields.u64()?),
            place: match fields.take()? {
                [0] => None,
                [1] => Some(read_place(&mut fields)?),
                _ => return Err(Corrupt),
            },
            seqs: read_seqs(&mut fields)?,
        };
        fields.end()?;
        Ok(sheet)
    }
}

/// What stands in front of a checksum that fits.
pub(super) fn unsealed(value: &[u8]) -> Result<&[u8], Corrupt> {
    let (content, sum) = value.split_last_chunk::<8>().ok_or(Corrupt)?;
    match checksum(content) == u64::from_le_bytes(*sum) {
        true => Ok(content),
        false => Err(Corrupt),
    }
}

pub(super) fn push(out: &mut Vec<u8>, numbers: &[u64]) {
    for number in numbers {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

fn push_place(out: &mut Vec<u8>, place: &Place) {
    let Steps {
        log, local, base, ..
    } = &place.steps;
    let synced = place.synced.as_nanos();
    push(out, &[*log, place.own, synced, local.log, local.position]);
    let steps = &place.steps.steps;
    push_count(out, steps.len().saturating_add(1));
    for step in [base].into_iter().chain(steps) {
        push(out, &[step.position]);
        out.extend_from_slice(&step.check.to_le_bytes());
        push(out, &[step.before, step.after]);
    }
}

fn read_place(fields: &mut Fields<'_>) -> Result<Place, Corrupt> {
    let (log, own, synced) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let local = Epoch {
        log: fields.u64()?,
        position: fields.u64()?,
    };
    let count = fields.u16()?;
    let count = count.checked_sub(1).ok_or(Corrupt)?;
    if usize::from(count) > steps::MOST {
        return Err(Corrupt);
    }
    let base = read_step(fields)?;
    let steps = (0..count).map(|_| read_step(fields));
    Ok(Place {
        steps: Steps {
            log,
            local,
            base,
            steps: steps.collect::<Result<_, _>>()?,
        },
        own,
        synced: Timestamp::from_nanos(synced),
    })
}

fn read_step(fields: &mut Fields<'_>) -> Result<Step, Corrupt> {
    Ok(Step {
        position: fields.u64()?,
        check: fields.u32()?,
        before: fields.u64()?,
        after: fields.u64()?,
    })
}

fn read_seqs(fields: &mut Fields<'_>) -> Result<Seqs, Corrupt> {
    let count = fields.u16()?;
    if usize::from(count) > seqs::MOST {
        return Err(Corrupt);
    }
    let seqs = (0..count).map(|_| Ok((InstanceId(fields.u64()?), fields.u64()?)));
    seqs.collect::<Result<_, _>>().map(Seqs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(position: u64) -> Step {
        Step {
            position,
            check: 2,
            before: 3,
            after: 4,
        }
    }

    #[test]
    fn the_form_is_frozen() {
        let sheet = Sheet {
            id: InstanceId(0x11),
            turn: 1,
            config: 2,
            leader: 3,
            led_until: Timestamp::from_nanos(4),
            place: Some(Place {
                steps: Steps {
                    log: 5,
                    local: Epoch {
                        log: 8,
                        position: 9,
                    },
                    base: step(0xa),
                    steps: vec![step(0xb)],
                },
                own: 6,
                synced: Timestamp::from_nanos(7),
            }),
            seqs: Seqs(vec![(InstanceId(0xc), 0xd)]),
        };
        let numbers = |numbers: &[u64]| -> Vec<u8> {
            let bytes = numbers.iter().map(|number| number.to_le_bytes());
            bytes.flatten().collect()
        };
        let golden = [
            &b"LFJ1"[..],
            &numbers(&[0x11, 1, 2, 3, 4]),
            b"\x01",
            &numbers(&[5, 6, 7, 8, 9]),
            b"\x02\0",
            &numbers(&[0xa]),
            b"\x02\0\0\0",
            &numbers(&[3, 4, 0xb]),
            b"\x02\0\0\0",
            &numbers(&[3, 4]),
            b"\x01\0",
            &numbers(&[0xc, 0xd]),
        ]
        .concat();
        let golden = [&golden[..], &checksum(&golden).to_le_bytes()].concat();
        assert_eq!(sheet.encode(), golden);
        assert_eq!(Sheet::decode(&golden), Ok(sheet));
        for cut in 0..golden.len() {
            assert_eq!(Sheet::decode(&golden[..cut]), Err(Corrupt), "{cut}");
        }
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn any_bytes_are_a_sheet_or_none(rest in proptest::collection::vec(prop_oneof![Just(0u8), 0..3u8], 0..180)) {
            let mut value = [&TAG[..], &rest].concat();
            let sum = checksum(&value);
            value.extend_from_slice(&sum.to_le_bytes());
            if let Ok(sheet) = Sheet::decode(&value) {
                prop_assert_eq!(sheet.encode(), value);
            }
        }
    }
}
