//! The numbers that people ask for first, and what could be better.

use larder_core::report::Gauge;
use larder_core::time::Timestamp;
use larder_observe::{Census, advise};

use crate::answer::Desk;
use crate::outcome::Outcome;

/// `GET stats`.
pub(crate) fn stats(desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let (_, tags) = desk.board.collect(desk.kv, desk.observer, now);
    let entries = desk.numbers.gauge(Gauge::Entries);
    let tier = desk.tier.try_borrow().ok();
    let totals = tier.and_then(|tier| tier.totals());
    let census = Census {
        entries: totals.map_or(entries, |totals| totals.entries),
        bytes: desk.numbers.gauge(Gauge::Bytes),
        tags,
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
