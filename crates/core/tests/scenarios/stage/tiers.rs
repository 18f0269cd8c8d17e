//! What stands in the tiers of a stage, what is compressed there, and who tampers with it.

use std::rc::Rc;

use larder_core::entry::{Payload, StoredResponse};
use larder_core::key::Key;
use larder_core::report::Counter;
use larder_core::tier::{Candidate, Cas, Lookup, Removed, SharedKv, Stored, UNCONCERNED};
use larder_core::time::Timestamp;

use super::Stage;

impl Stage {
    /// An entry that another process has made, with these times.
    pub fn import(
        &mut self,
        key: &Key,
        (started, expires): (Timestamp, Timestamp),
        payload: &[u8],
    ) {
        let entry = Candidate {
            key,
            started,
            expires,
            payload,
            currency: UNCONCERNED,
        };
        self.tier.store(&*self.kv, &*self.gauge, entry, self.now);
        self.hot.note_store(key);
    }

    /// Changes one byte in every slot, so many bytes from its end.
    pub fn damage_slots(&self, place: usize) {
        for name in self
            .kv
            .names()
            .iter()
            .filter(|name| name.starts_with("larder1s"))
        {
            let mut value = self.kv.get(name).unwrap().unwrap().value;
            let at = value.len() - place;
            value[at] ^= 1;
            self.kv.set(name, &value, Cas::UNCONDITIONAL).unwrap();
        }
    }

    /// The entry that was stored last is evicted.
    pub fn evict_last(&mut self) {
        let key = self.last_key.as_ref().unwrap();
        let removed = self.tier.remove(&*self.kv, &*self.gauge, key, self.now);
        assert_eq!(removed, Removed::Emptied);
    }

    /// The tags of the response that was stored last, in order.
    pub fn last_tags(&self) -> Vec<String> {
        let payload = self
            .stored
            .iter()
            .rev()
            .find_map(|bytes| match Payload::decode(bytes) {
                Ok(Payload::Response(response)) => Some(response.tags),
                Ok(Payload::Partial(part)) => Some(part.response.tags),
                _ => None,
            });
        let text = |name: &[u8]| String::from_utf8(name.to_vec()).unwrap();
        let mut tags: Vec<_> = payload.unwrap().names().map(text).collect();
        tags.sort();
        tags
    }

    /// A tick of the worker, as far as its own memory goes.
    pub fn weed(&self) {
        assert!(self.hot.weed(&*self.log).is_some());
    }

    /// The names of what was answered most from the worker's own memory, and how often.
    pub fn hottest(&self, most: usize) -> Vec<(String, u32)> {
        let hottest = self.hot.hottest(most).into_iter();
        hottest
            .map(|(key, times)| (key.name().as_str().to_owned(), times))
            .collect()
    }

    /// Whether what was to be stored last stands in the tier.
    pub fn finds_last(&mut self) -> bool {
        let key = self.last_key.as_ref().unwrap();
        matches!(self.tier.lookup(&*self.kv, key, self.now), Lookup::Found(_))
    }

    /// Somebody who knows the format writes these bytes over the response that was stored last.
    pub fn forge_last(&mut self, forge: impl FnOnce(StoredResponse<'_>) -> Vec<u8>) {
        let key = Rc::clone(self.last_key.as_ref().unwrap());
        let Lookup::Found(found) = self.tier.lookup(&*self.kv, &key, self.now) else {
            panic!("nothing stands there");
        };
        let Ok(Payload::Response(response)) = Payload::decode(found.payload()) else {
            panic!("no response stands there");
        };
        let entry = Candidate {
            key: &key,
            started: found.started,
            expires: found.expires,
            payload: &forge(response),
            currency: UNCONCERNED,
        };
        let stored = self.tier.store(&*self.kv, &*self.gauge, entry, self.now);
        assert_eq!(stored, Stored::Published);
    }

    /// A tick of the worker, as far as compression goes; whether there is more to do.
    pub fn tick(&mut self) -> bool {
        let done = self.compressions.step(
            (&mut self.tier, &*self.kv),
            &*self.gauge,
            &*self.log,
            self.now,
        );
        for key in &done.stored {
            self.hot.note_store(key);
        }
        for (counter, number) in [
            (Counter::Compressed, done.stored.len() as u64),
            (Counter::CompressionInput, done.input_bytes),
            (Counter::CompressionSaved, done.saved_bytes),
            (Counter::CompressionWasted, done.wasted.into()),
        ] {
            *self.counts.get_mut().entry(counter).or_default() += number;
        }
        !self.compressions.is_idle()
    }

    /// Ticks until nothing is left to compress.
    pub fn compress(&mut self) {
        for _ in 0..1000 {
            if !self.tick() {
                return;
            }
        }
        panic!("compression never ends");
    }
}
