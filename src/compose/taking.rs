//! What the origin answers to a fragment's request, on its way to a page.

use larder_compose::{Failure, Language, Part};
use larder_core::exchange::{Effect, Field, Reply, Template};
use larder_core::flight::Landing;
use larder_core::http::Headers;
use larder_core::tier::Stored;
use larder_core::time::Timestamp;

use super::{Fetched, Road, spoken};
use crate::fleet::Parcel;
use crate::stream::settled;
use crate::worker::Worker;

/// The head of a response on its way to a page, and what an exchange does to it.
pub(super) struct Taking {
    pub(super) headers: Headers,
    pub(super) language: Option<Language>,
    stored: Option<Stored>,
    pub(super) parcel: Parcel,
    road: Road,
}

impl Taking {
    pub(super) fn begin(headers: Headers, road: Road) -> Self {
        Self {
            headers,
            language: None,
            stored: None,
            parcel: Parcel::default(),
            road,
        }
    }

    pub(super) fn carry_out(&mut self, worker: &Worker, effects: Vec<Effect>, now: Timestamp) {
        for effect in effects {
            match effect {
                Effect::AddHeader(name, value) => self.headers.push(name, value),
                Effect::RemoveHeader(name) => self.headers.remove(name),
                Effect::SetHeader(name, value) => {
                    self.headers.remove(name);
                    self.headers.push(name, value);
                }
                Effect::SetField(Field { name, lines }) => {
                    let is_other = |other: &[u8]| !other.eq_ignore_ascii_case(&name);
                    self.headers.retain(|other, _| is_other(other));
                    for line in lines {
                        self.headers.push(&name, line);
                    }
                }
                // Its head is a template's, as the client would get it: not what is said where there is a page in its place.
                Effect::Gather(template) => {
                    self.language = Some(spoken(template.language));
                    let status = self.headers.only(":status").map(<[u8]>::to_vec);
                    self.headers = template.headers;
                    self.headers.push(":status", status.unwrap_or_default());
                }
                Effect::Count(counter) => worker.count(counter),
                Effect::Measure(histogram, micros) => worker.measure(histogram, micros),
                Effect::Store(candidate) => {
                    let became = worker.store(&candidate, now);
                    self.parcel.add(&worker.fleet, &candidate, became, now);
                    self.stored = Some(became);
                    if let Road::Cluster(route, _) = &self.road {
                        worker.composing.note_stored(*route, &candidate.key);
                    }
                }
                Effect::Land(flight, landing) => {
                    flight.land(self.landing(landing, now));
                }
                Effect::Compress(_)
                | Effect::Invalidate(_)
                | Effect::Refresh(_)
                | Effect::RemoveRequestHeader(_)
                | Effect::SetRequestHeader(..)
                | Effect::Watch(_) => {}
            }
        }
    }

    fn landing(&self, landing: Landing, now: Timestamp) -> Landing {
        settled(landing, self.stored, now)
    }
}

/// A part that is answered here.
pub(super) fn of_reply(reply: &Reply<'_>) -> Result<Fetched, Failure> {
    let headers = Headers::copy_of_pairs(&reply.pairs).map_err(|_| Failure::Unreadable)?;
    let part = Part {
        status: reply.status,
        headers,
        body: reply.body.to_vec(),
    };
    Ok((part, None))
}

/// A part that is a template itself.
pub(super) fn of_template(template: Template<'_>) -> Fetched {
    let part = Part {
        status: template.status,
        headers: template.headers,
        body: template.body.to_vec(),
    };
    (part, Some(spoken(template.language)))
}
