//! Small documents in memory.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug)]
pub(super) struct Documents {
    kept: HashMap<String, (Instant, String)>,
    max: usize,
}

impl Documents {
    pub(super) fn new(max: usize) -> Self {
        let kept = HashMap::new();
        Self { kept, max }
    }

    pub(super) fn get(&self, name: &str, now: Instant) -> Option<String> {
        let (until, body) = self.kept.get(name)?;
        (now < *until).then(|| body.clone())
    }

    pub(super) fn put(&mut self, name: &str, body: &str, keep: Duration, now: Instant) {
        let Some(until) = now.checked_add(keep) else {
            return;
        };
        self.kept.insert(name.to_owned(), (until, body.to_owned()));
        if self.kept.len() > self.max {
            self.make_room(now);
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.kept.remove(name);
    }

    fn make_room(&mut self, now: Instant) {
        self.kept.retain(|_, (until, _)| now < *until);
        while self.kept.len() > self.max {
            let first = self.kept.iter().min_by_key(|(_, (until, _))| *until);
            let Some(name) = first.map(|(name, _)| name.clone()) else {
                return;
            };
            self.kept.remove(&name);
        }
    }
}
