//! Invalidations.
//!
//! Nothing is counted before the answer: however many entries a tag has, its invalidation is a note of a few bytes.

use larder_core::epoch::Mode;
use larder_core::exchange::Call;
use larder_core::report::{Counter, InvalidationSource};

use crate::answer::Desk;
use crate::json::Json;
use crate::order::{Everything, Order, Run};
use crate::outcome::Outcome;
use crate::purge::{self, PurgeMethod};
use crate::receipts;
use crate::route::{Key, Parameters};

/// By the method alone.
pub(crate) fn purge(method: PurgeMethod, call: &Call, desk: &Desk<'_>) -> Outcome {
    ordered(purge::order(method, &call.head), call, desk)
}

/// What a body names.
pub(crate) fn many(call: &Call, desk: &Desk<'_>) -> Outcome {
    ordered(Order::parse(&call.content), call, desk)
}

/// One key.
pub(crate) fn key(key: &Key, call: &Call, desk: &Desk<'_>) -> Outcome {
    let order = purge::mode(&call.head).map(|mode| Order {
        keys: key.readings(),
        ..Order::new(mode)
    });
    ordered(order, call, desk)
}

/// One tag.
pub(crate) fn tag(tag: &str, parameters: &Parameters, call: &Call, desk: &Desk<'_>) -> Outcome {
    let order = purge::mode(&call.head).and_then(|mode| {
        let order = Order {
            tags: vec![tag.to_owned()],
            ..Order::new(mode)
        };
        order.with_parameters(parameters)
    });
    ordered(order, call, desk)
}

/// The keys that one pattern matches.
pub(crate) fn pattern(parameters: &Parameters, call: &Call, desk: &Desk<'_>) -> Outcome {
    let Some(pattern) = parameters
        .get("pattern")
        .filter(|pattern| !pattern.is_empty())
    else {
        return Outcome::bad_request("needs `?pattern=`");
    };
    let order = purge::mode(&call.head).and_then(|mode| {
        let order = Order {
            patterns: vec![pattern],
            ..Order::new(mode)
        };
        order.with_parameters(parameters)
    });
    ordered(order, call, desk)
}

fn ordered(order: Result<Order, String>, call: &Call, desk: &Desk<'_>) -> Outcome {
    let carried = order.and_then(|order| {
        let invalidations = order.invalidations(&call.head, desk.config())?;
        Ok((order, invalidations))
    });
    let (order, invalidations) = match carried {
        Ok(carried) => carried,
        Err(problem) => return Outcome::bad_request(&problem),
    };
    if order.run == Run::Dry {
        return receipts::try_out(&invalidations, desk);
    }
    let mut ids = Vec::new();
    for invalidation in &invalidations {
        let Ok(epoch) = desk.invalidate(invalidation) else {
            return Outcome::unnoted();
        };
        ids.push(receipts::open(
            epoch,
            &invalidation.coverage,
            order.receipts(),
            desk,
        ));
    }
    for kind in order.kinds() {
        let counter = Counter::Invalidated(kind, order.mode, InvalidationSource::Api);
        (desk.count)(counter);
    }
    Outcome::ok(acknowledgement(&order, receipts::joined(&ids)))
}

fn acknowledgement(order: &Order, id: Option<String>) -> Json {
    let named = order.counts().into_iter();
    let named = named.fold(Json::object(), |json, (name, count)| {
        json.number(name, count as u64)
    });
    let mode = match order.mode {
        Mode::Hard => "hard",
        Mode::Invalid | Mode::Soft => "soft",
    };
    let json = Json::object()
        .text("status", "invalidated")
        .text("mode", mode)
        .flag("all", order.everything == Everything::Covered)
        .nested("named", named);
    match id {
        Some(id) => json.text("id", &id),
        None => json,
    }
}
