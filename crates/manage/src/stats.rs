//! The numbers that people ask for first, and what could be better.

use larder_core::report::Gauge;
use larder_core::tier::AbsentReason;
use larder_core::time::Timestamp;
use larder_observe::{Census, advise};

use crate::answer::Desk;
use crate::outcome::Outcome;

/// What `GET stats` and `GET performance` say, in JSON.
pub fn figures(desk: &Desk<'_>, now: Timestamp) -> [String; 2] {
    [stats(desk, now), performance(desk, now)].map(|outcome| outcome.body().to_owned())
}

/// `GET stats`.
pub(crate) fn stats(desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let (_, stored_lately) = desk.board.collect(desk.kv, desk.observer, now);
    let census = Census {
        entries: entries(desk, now),
        bytes: desk.numbers.gauge(Gauge::Bytes),
        tags: tags(desk).unwrap_or(stored_lately),
    };
    Outcome::ok(larder_observe::stats(desk.numbers, desk.config(), census))
}

/// `GET performance`.
pub(crate) fn performance(desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let (seen, _) = desk.board.collect(desk.kv, desk.observer, now);
    let document = desk.settings.now(desk.kv);
    let advice = advise(&seen, desk.config(), &document);
    let shown = larder_observe::performance(desk.numbers, desk.config(), now, &advice);
    Outcome::ok(shown)
}

/// Counted now, or where there are too many to be counted while somebody waits, as of the last sweep.
fn entries(desk: &Desk<'_>, now: Timestamp) -> u64 {
    let counted = match desk.tier.try_borrow_mut() {
        Ok(mut tier) => match tier.count(desk.kv, now) {
            Ok(counted) => counted,
            Err(AbsentReason::Unfounded) => Some(0),
            Err(_) => None,
        },
        Err(_) => None,
    };
    counted.unwrap_or_else(|| desk.numbers.gauge(Gauge::Entries))
}

/// Of what is stored, as of the last sweep that has looked at all of it; `None` before that.
fn tags(desk: &Desk<'_>) -> Option<u64> {
    let counted = desk.tier.try_borrow().ok()?.totals()?.counted;
    (counted.original_bytes > 0).then_some(counted.tags)
}
