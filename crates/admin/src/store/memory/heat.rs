//! What is asked for most, in memory.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use crate::store::shapes::{HEAT_HALF_LIFE, Heat, MAX_HEAT_NAME};

/// Less than this counts as never.
const LEAST: f64 = 0.5;

#[derive(Debug)]
pub(super) struct Table {
    counts: HashMap<Arc<str>, f64>,
    /// When the counts were worth what they say.
    at: Option<Instant>,
    max: usize,
}

impl Table {
    pub(super) fn new(max: usize) -> Self {
        Self {
            counts: HashMap::new(),
            at: None,
            max,
        }
    }

    pub(super) fn add(&mut self, asked: &[Heat], now: Instant) {
        self.decay(now);
        for heat in asked.iter().filter(|heat| heat.name.len() <= MAX_HEAT_NAME) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a count of so many may be off by one"
            )]
            let count = heat.count as f64;
            *self.counts.entry(Arc::clone(&heat.name)).or_default() += count;
        }
        if self.counts.len() > self.max.saturating_mul(2) {
            let kept = self.top(self.max);
            self.counts = kept.into_iter().collect();
        }
    }

    fn decay(&mut self, now: Instant) {
        let at = *self.at.get_or_insert(now);
        let lives = now.saturating_duration_since(at).as_secs_f64() / HEAT_HALF_LIFE.as_secs_f64();
        if lives > 0.0 {
            let factor = (-lives).exp2();
            for count in self.counts.values_mut() {
                *count *= factor;
            }
            self.counts.retain(|_, count| *count >= LEAST);
            self.at = Some(now);
        }
    }

    pub(super) fn hottest(&mut self, limit: usize, now: Instant) -> Vec<Heat> {
        self.decay(now);
        self.top(limit.min(self.max))
            .into_iter()
            .map(|(name, count)| Heat {
                name,
                count: rounded(count),
            })
            .collect()
    }

    fn top(&self, limit: usize) -> Vec<(Arc<str>, f64)> {
        let mut all: Vec<(Arc<str>, f64)> = self
            .counts
            .iter()
            .map(|(name, count)| (Arc::clone(name), *count))
            .collect();
        all.sort_unstable_by(|(a, one), (b, other)| other.total_cmp(one).then_with(|| a.cmp(b)));
        all.truncate(limit);
        all
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast from a float saturates"
)]
fn rounded(count: f64) -> u64 {
    count.round() as u64
}
