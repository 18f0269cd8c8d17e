//! Invalidations.
//!
//! Nothing is counted before the answer: however many entries a tag has, its invalidation is a note of a few bytes.

use larder_core::entry::Payload;
use larder_core::epoch::{Coverage, Currency, Mode, Stamped, Whereabouts};
use larder_core::exchange::Call;
use larder_core::http::Headers;
use larder_core::report::{Counter, InvalidationSource};
use larder_core::time::Timestamp;

use crate::answer::Desk;
use crate::fleet::Named;
use crate::json::Json;
use crate::order::{Everything, Order, Run};
use crate::outcome::Outcome;
use crate::play::{Look, Play};
use crate::purge::{self, PurgeMethod};
use crate::receipts;
use crate::route::{Key, Parameters};

/// By the method alone. What a plain request for a URL would find is counted at once.
pub(crate) fn purge(method: PurgeMethod, call: &Call, desk: &Desk<'_>, now: Timestamp) -> Outcome {
    let order = purge::order(method, &call.head);
    let is_of_url = order.as_ref().is_ok_and(|order| !order.urls.is_empty());
    let found = is_of_url.then(|| found(call, desk, now));
    acknowledged(order, call, desk, found)
}

/// How many responses stand for a plain GET of the URL: one, or its variants, under either scheme.
fn found(call: &Call, desk: &Desk<'_>, now: Timestamp) -> u64 {
    let mut found = 0_u64;
    for scheme in [&b"http"[..], b"https"] {
        let mut request = Headers::from_iter([(":method", "GET")]);
        request.push(":scheme", scheme);
        request.push(":authority", call.head.authority());
        request.push(":path", call.head.target());
        let play = Play::ask(desk, request, Look::IntoTheTiers, now);
        let (mut responses, mut variants) = (0_u64, 0_u64);
        for (key, entry) in &play.lookups {
            let payload = entry.as_ref().map(|entry| Payload::decode(entry.payload()));
            match payload {
                Ok(Ok(Payload::Variants(list))) => {
                    let marks = list.marks().iter().filter(|mark| mark.expires > now);
                    variants = marks.count() as u64;
                }
                Ok(Ok(Payload::Response(response))) => {
                    let stored = Stamped {
                        epoch: response.meta.epoch,
                        stamps: response.stamps,
                        key,
                        whereabouts: Whereabouts::Shared,
                    };
                    if desk.judge(stored) != Currency::Gone {
                        responses = responses.saturating_add(1);
                    }
                }
                Ok(Ok(Payload::Partial(_) | Payload::Search(_)) | Err(_)) | Err(_) => {}
            }
        }
        found = found.saturating_add(match variants {
            0 => responses,
            variants => variants,
        });
    }
    found
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
    acknowledged(order, call, desk, None)
}

fn acknowledged(
    order: Result<Order, String>,
    call: &Call,
    desk: &Desk<'_>,
    found: Option<u64>,
) -> Outcome {
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
    let mut patterns = order.pattern_names();
    let together = || Named::together(&order, call.head.authority());
    for invalidation in &invalidations {
        let named = || match invalidation.coverage {
            Coverage::Names(_) => patterns.next().unwrap_or_else(together),
            Coverage::All | Coverage::Stamps(_) => together(),
        };
        let Ok(epoch) = desk.invalidate(invalidation, named) else {
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
    let json = acknowledgement(&order, receipts::joined(&ids), desk);
    Outcome::ok(match found {
        Some(found) => json.number("entries", found),
        None => json,
    })
}

fn acknowledgement(order: &Order, id: Option<String>, desk: &Desk<'_>) -> Json {
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
        Some(id) => json.text(desk.receipt_name(), &id),
        None => json,
    }
}
