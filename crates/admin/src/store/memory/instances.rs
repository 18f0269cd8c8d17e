//! Instances in memory, and what they have applied.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use larder_core::fleet::{Cursor, InstanceId};
use tokio::time::Instant;

use crate::store::shapes::{Acknowledgement, Instance};
use crate::store::{INSTANCE_MEMORY, MAX_INSTANCES, MAX_STEPS};

#[derive(Debug, Default)]
pub(super) struct Instances {
    heard: HashMap<InstanceId, Heard>,
    steps: HashMap<InstanceId, Steps>,
}

#[derive(Debug)]
struct Heard {
    last: Instant,
    applied: Option<Cursor>,
    report: Arc<str>,
}

/// How far one has got, and when it first said so; positions and times grow.
#[derive(Debug)]
struct Steps {
    last: Instant,
    steps: VecDeque<(u64, Instant)>,
}

impl Instances {
    pub(super) fn report(
        &mut self,
        id: InstanceId,
        applied: Option<Cursor>,
        report: Arc<str>,
        now: Instant,
    ) {
        let before = self.heard.get(&id).and_then(|heard| heard.applied);
        let heard = Heard {
            last: now,
            applied: further(before, applied),
            report,
        };
        self.heard.insert(id, heard);
        keep_newest(&mut self.heard, |heard| heard.last);
    }

    pub(super) fn all(&mut self, now: Instant) -> Vec<Instance> {
        self.heard
            .retain(|_, heard| now.saturating_duration_since(heard.last) < INSTANCE_MEMORY);
        let mut all: Vec<Instance> = self
            .heard
            .iter()
            .map(|(id, heard)| Instance {
                id: *id,
                applied: heard.applied,
                age: now.saturating_duration_since(heard.last),
                report: Arc::clone(&heard.report),
            })
            .collect();
        all.sort_unstable_by_key(|instance| instance.id);
        all
    }

    pub(super) fn acknowledge(&mut self, id: InstanceId, applied: Cursor, now: Instant) {
        let position = applied.position;
        if let Some(heard) = self.heard.get_mut(&id) {
            heard.applied = further(heard.applied, Some(applied));
        }
        let entry = self.steps.entry(id).or_insert_with(|| Steps {
            last: now,
            steps: VecDeque::new(),
        });
        entry.last = now;
        if entry
            .steps
            .back()
            .is_some_and(|(last, _)| position <= *last)
        {
            return;
        }
        entry.steps.push_back((position, now));
        if entry.steps.len() > MAX_STEPS {
            entry.steps.pop_front();
        }
        keep_newest(&mut self.steps, |steps| steps.last);
    }

    /// Who has applied what stands at `position` since `since`, and when.
    pub(super) fn acknowledgements(&self, position: u64, since: Instant) -> Vec<Acknowledgement> {
        let mut found: Vec<Acknowledgement> = self
            .steps
            .iter()
            .filter_map(|(instance, steps)| {
                let first = steps
                    .steps
                    .partition_point(|(applied, _)| *applied < position);
                let (_, when) = steps.steps.get(first)?;
                Some(Acknowledgement {
                    instance: *instance,
                    lag: when.saturating_duration_since(since),
                })
            })
            .collect();
        found.sort_unstable_by_key(|found| (found.lag, found.instance));
        found
    }
}

/// What has been applied only grows; in another log it begins anew.
fn further(before: Option<Cursor>, now: Option<Cursor>) -> Option<Cursor> {
    match (before, now) {
        (Some(before), Some(now)) if before.log == now.log && before.position >= now.position => {
            Some(before)
        }
        (before, now) => now.or(before),
    }
}

/// Forgets who was heard of longest ago, where there are too many.
fn keep_newest<K: Copy + Eq + Hash, V>(table: &mut HashMap<K, V>, last: impl Fn(&V) -> Instant) {
    if table.len() <= MAX_INSTANCES {
        return;
    }
    let oldest = table.iter().min_by_key(|(_, value)| last(value));
    if let Some(key) = oldest.map(|(key, _)| *key) {
        table.remove(&key);
    }
}
