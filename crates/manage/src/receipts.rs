//! What became of an invalidation.
//!
//! An invalidation is done when it is answered; what it freed is known only when the sweep has been everywhere. So a wide one
//! gets a receipt, under an id that nobody guesses, and whoever wants to know asks for it. To try one out is to ask for the
//! receipt alone: a place in the order is taken under which nothing is invalidated, and the sweep counts what stands.

use larder_core::entry::Epoch;
use larder_core::epoch::{Coverage, Invalidation, Mode};
use larder_core::policy;
use larder_core::report::{Counter, InvalidationKind, InvalidationSource};
use larder_core::tier::{Completeness, Receipt};

use crate::answer::Desk;
use crate::fleet::Named;
use crate::json::Json;
use crate::order::Receipts;
use crate::outcome::Outcome;

/// So many parts an id may have.
const MOST_PARTS: usize = 16;

/// Opens a receipt; `None` where none is wanted, or there is none left.
pub(crate) fn open(
    epoch: Epoch,
    coverage: &Coverage,
    wanted: Receipts,
    desk: &Desk<'_>,
) -> Option<u64> {
    match wanted {
        Receipts::None => None,
        Receipts::Wanted => Receipt::open(desk.kv, epoch, coverage).ok(),
    }
}

/// One id for several receipts; `None` where one is missing, since then the sum would be wrong.
pub(crate) fn joined(ids: &[Option<u64>]) -> Option<String> {
    if ids.is_empty() || ids.len() > MOST_PARTS {
        return None;
    }
    let parts = ids.iter().map(|id| id.map(hexadecimal));
    Some(parts.collect::<Option<Vec<_>>>()?.join("-"))
}

fn hexadecimal(number: u64) -> String {
    let bytes = number.to_be_bytes();
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles
        .filter_map(|nibble| char::from_digit(nibble.into(), 16))
        .collect()
}

/// Counts what an invalidation would cover.
pub(crate) fn try_out(invalidations: &[Invalidation], desk: &Desk<'_>) -> Outcome {
    if invalidations.len() > MOST_PARTS {
        return Outcome::bad_request("a dry run takes at most 15 patterns and prefixes");
    }
    let mut ids = Vec::new();
    for invalidation in invalidations {
        // A receipt's id comes from its place in the order, so each takes one.
        let Ok(epoch) = desk.take_place() else {
            return Outcome::unnoted();
        };
        ids.push(Receipt::open(desk.kv, epoch, &invalidation.coverage).ok());
    }
    match joined(&ids) {
        Some(id) => Outcome::accepted(Json::object().text("status", "counting").text("id", &id)),
        None => Outcome::busy(),
    }
}

/// `GET invalidations/{id}`.
pub(crate) fn show(id: &str, desk: &Desk<'_>) -> Outcome {
    let (mut entries, mut bytes, mut status) = (0_u64, 0_u64, "done");
    for part in id.split('-').take(MOST_PARTS) {
        let number = u64::from_str_radix(part, 16)
            .ok()
            .filter(|_| part.len() == 16);
        let found = number.map(|number| Receipt::find(desk.kv, number));
        match found {
            Some(Ok(Some(receipt))) => {
                entries = entries.saturating_add(receipt.entries);
                bytes = bytes.saturating_add(receipt.bytes);
                match receipt.progress {
                    Completeness::Done => {}
                    Completeness::Pending => status = "pending",
                }
            }
            Some(Err(_)) => return Outcome::unnoted(),
            Some(Ok(None)) | None => {
                return Outcome::absent("there is no such receipt, or not any more");
            }
        }
    }
    Outcome::ok(
        Json::object()
            .text("id", id)
            .text("status", status)
            .number("entries", entries)
            .number("bytes", bytes),
    )
}

/// `DELETE users/{id}`.
pub(crate) fn forget_user(user: &str, desk: &Desk<'_>) -> Outcome {
    let coverage = Coverage::of_tag(&policy::tags::user(user.as_bytes()));
    let mode = Mode::Hard;
    let invalidation = Invalidation { coverage, mode };
    // Who it was is not for everybody who reads the log.
    let named = || Named::new(InvalidationKind::Tag, "user:*");
    let Ok(epoch) = desk.invalidate(&invalidation, named) else {
        return Outcome::unnoted();
    };
    let (kind, source) = (InvalidationKind::Tag, InvalidationSource::Api);
    (desk.count)(Counter::Invalidated(kind, mode, source));
    let id = open(epoch, &invalidation.coverage, Receipts::Wanted, desk);
    let json = Json::object().text("status", "deleted");
    Outcome::accepted(match id {
        Some(id) => json.text("receipt", &hexadecimal(id)),
        None => json.raw("receipt", "null"),
    })
}
