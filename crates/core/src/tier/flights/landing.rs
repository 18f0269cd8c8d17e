//! What becomes of a flight's record when it lands.

use crate::flight::{Landing, Token};
use crate::key::KeyDigest;
use crate::time::{Seconds, Timestamp};

use super::super::kv::{SetError, SharedKv};
use super::cell::{Cell, Kind, Record, Workers};
use super::{Member, TRIES};

/// What stood in the place of a flight that has ended.
pub(super) enum Cleared {
    /// Another flight, for which somebody may wait on these workers.
    Another(Workers),
    /// What another has left that has landed meanwhile; or nothing, and nobody expects more.
    Over,
    /// Its own record, with those that follow.
    Own(Workers),
    /// Nobody can say: it is lost, with those that followed, or cannot be changed.
    Unknown,
}

/// Takes a flight's record away.
pub(super) fn clear(
    kv: &dyn SharedKv,
    member: &Member,
    (token, landing): (&Token, Landing),
    clock: &dyn Fn() -> Timestamp,
) -> Cleared {
    for _ in 0..TRIES {
        let Ok((mut cell, cas)) = member.read(kv, token.digest) else {
            break;
        };
        let cleared = match cell.find(token.digest).map(|record| record.kind) {
            None if token.is_outside() => return Cleared::Over,
            None => break,
            Some(Kind::Flight(lead)) if lead.is_of(token) => Cleared::Own(lead.followers),
            Some(Kind::Flight(lead)) => return Cleared::Another(lead.workers()),
            // What is there now is for others again.
            Some(Kind::Resting | Kind::Unshared) if landing == Landing::Stored => Cleared::Over,
            Some(Kind::Resting | Kind::Unshared) => return Cleared::Over,
        };
        leave(&mut cell, token.digest, landing, clock);
        match member.write(kv, token.digest, (&cell, cas)) {
            Ok(()) => return cleared,
            Err(SetError::Lost) => {}
            Err(SetError::Failed) => break,
        }
    }
    Cleared::Unknown
}

/// What a landing leaves behind, in the place of the flight.
fn leave(cell: &mut Cell, digest: KeyDigest, landing: Landing, clock: &dyn Fn() -> Timestamp) {
    let (kind, until) = match landing {
        Landing::Abandoned | Landing::Stored => return cell.forget(digest),
        Landing::Failed { rest } => (Kind::Resting, rest),
        Landing::Unshared { until } => (Kind::Unshared, until),
    };
    let now = clock();
    let record = Record {
        digest,
        until,
        span: until.since(now).saturating_add(Seconds::clamped(1)),
        kind,
    };
    if until > now {
        let _ = cell.put(record, now); // there is room: its own
    } else {
        cell.forget(digest);
    }
}
