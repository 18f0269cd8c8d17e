//! Which instance of the fleet this process is, in a cell into which only fresh random numbers are ever written.

use super::super::kv::{Cas, KvError, SetError, SharedKv};
use super::super::name::Name;
use super::super::random::Random;
use super::super::record::{Corrupt, Fields};
use super::{TRIES, Unwritten};
use crate::fleet::InstanceId;

const TAG: &[u8; 4] = b"LFN1";

/// The instance in force, begun where there is none.
pub(super) fn current(kv: &dyn SharedKv, random: &mut Random) -> Result<InstanceId, Unwritten> {
    for _ in 0..TRIES {
        let cell = kv.get(Name::instance().as_str());
        let cas = match cell.map_err(|KvError| Unwritten)? {
            None => Cas::NEVER,
            Some(cell) => match decode(&cell.value) {
                Ok(id) => return Ok(id),
                Err(Corrupt) => cell.cas,
            },
        };
        match begin(kv, random, cas) {
            Ok(_) | Err(SetError::Lost) => {} // read it: it may be another's
            Err(SetError::Failed) => return Err(Unwritten),
        }
    }
    Err(Unwritten)
}

/// The instance in force, if there is one.
pub(super) fn known(kv: &dyn SharedKv) -> Result<Option<InstanceId>, Unwritten> {
    let cell = kv.get(Name::instance().as_str());
    let cell = cell.map_err(|KvError| Unwritten)?;
    Ok(cell.and_then(|cell| decode(&cell.value).ok()))
}

/// Begins another instance.
pub(super) fn begin_anew(kv: &dyn SharedKv, random: &mut Random) -> Result<InstanceId, Unwritten> {
    Ok(begin(kv, random, Cas::UNCONDITIONAL)?)
}

/// Whether this instance is the one in force.
pub(super) fn is_in_force(kv: &dyn SharedKv, id: InstanceId) -> Result<bool, Unwritten> {
    let cell = kv.get(Name::instance().as_str());
    let cell = cell.map_err(|KvError| Unwritten)?;
    Ok(cell.is_some_and(|cell| decode(&cell.value) == Ok(id)))
}

fn begin(kv: &dyn SharedKv, random: &mut Random, cas: Cas) -> Result<InstanceId, SetError> {
    let id = InstanceId(random.next() | 1); // 0 is the service
    let value = [&TAG[..], &id.0.to_le_bytes()].concat();
    kv.set(Name::instance().as_str(), &value, cas)?;
    Ok(id)
}

fn decode(value: &[u8]) -> Result<InstanceId, Corrupt> {
    let mut fields = Fields::of(value, TAG)?;
    let id = fields.u64()?;
    fields.end()?;
    Ok(InstanceId(id))
}
