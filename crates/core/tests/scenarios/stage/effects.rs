//! What a worker does besides answering.

use std::rc::Rc;

use larder_core::exchange::Effect;
use larder_core::flight::Landing;
use larder_core::http::Headers;
use larder_core::tier::{Candidate, Stored};

use super::Stage;
use super::response::add;

impl Stage {
    pub(super) fn carry_out(&mut self, effects: Vec<Effect>, sent: &mut Headers) {
        let mut is_there = true;
        for effect in effects {
            match effect {
                Effect::AddHeader(name, value) => sent.push(name, value),
                Effect::Compress(wish) => self.compressions.note(wish),
                Effect::Count(counter) => {
                    *self.counts.get_mut().entry(counter).or_default() += 1;
                }
                // Who waits for what could not be stored goes by itself.
                Effect::Land(flight, Landing::Stored) if !is_there => {
                    flight.land(Landing::Unshared { until: self.now });
                }
                Effect::Land(flight, landing) => flight.land(landing),
                Effect::Gather(template) => self.gathered = Some(template),
                Effect::Measure(..) => {}
                Effect::Refresh(refresh) => self.refreshes.push_back(*refresh),
                Effect::Invalidate(invalidation) => {
                    self.apply(&invalidation);
                    if let Some(port) = &self.fleet {
                        port.post(invalidation);
                    }
                }
                Effect::Watch(_) => self.watched += 1,
                Effect::RemoveHeader(name) => sent.remove(name),
                Effect::RemoveRequestHeader(name) => sent.remove(name),
                Effect::SetField(field) => {
                    let name = std::str::from_utf8(&field.name).unwrap();
                    sent.remove(name);
                    for line in &field.lines {
                        add(sent, &field.name, line);
                    }
                }
                Effect::SetHeader(name, value) => {
                    sent.remove(name);
                    sent.push(name, value);
                }
                Effect::SetRequestHeader(name, value) => {
                    sent.remove(name);
                    sent.push(name, value);
                }
                Effect::Store(candidate) => {
                    self.stored.push(candidate.payload.clone());
                    self.last_key = Some(Rc::clone(&candidate.key));
                    let entry = Candidate {
                        key: &candidate.key,
                        started: candidate.started,
                        expires: candidate.expires,
                        payload: &candidate.payload,
                        currency: &|| candidate.judge(&*self.log),
                    };
                    is_there &= match self.tier.store(&*self.kv, &*self.gauge, entry, self.now) {
                        Stored::Published => true,
                        Stored::Skipped(why) => !why.is_lasting(),
                    };
                    self.hot.note_store(&candidate.key);
                    if let Some(port) = &self.fleet {
                        port.put(&candidate);
                    }
                }
            }
        }
    }
}
