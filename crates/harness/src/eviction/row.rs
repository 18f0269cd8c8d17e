//! One workload at one size of the cache, and how each cache did.

use super::larder::{Bound, Larder};
use super::reference::{self, Lru, S3Fifo, TinyLfu, belady};
use super::workload::Workload;

/// The keys that are asked for by popularity.
const KEYS: u32 = 51_200;

/// The requests of a run.
const REQUESTS: usize = 500_000;

/// The sizes of the cache, in hundredths of the key space.
const SIZES: [u32; 3] = [1, 10, 50];

/// What is to be measured.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    workload: Workload,
    percent: u32,
}

impl Job {
    /// All of them, in the order of the table.
    pub fn all() -> Vec<Job> {
        let sizes = |workload| SIZES.map(|percent| Job { workload, percent });
        Workload::ALL.into_iter().flat_map(sizes).collect()
    }

    /// Its name.
    pub fn name(&self) -> String {
        format!("{}, {} %", self.workload.name(), self.percent)
    }

    /// Measures it.
    pub fn run(self) -> Row {
        let capacity = KEYS / 100 * self.percent;
        let requests = self.workload.requests(REQUESTS, KEYS, capacity, 7);
        let keys = requests.iter().max().map_or(0, |last| last + 1);
        let share = |hits: usize| hits as f64 * 100.0 / requests.len() as f64;
        let ask = |cache: &mut dyn reference::Cache| share(reference::hits(cache, &requests));
        let entries = capacity as usize;
        let larder = |bound, workers| ask(&mut Larder::new(capacity, bound, workers));
        Row {
            job: self,
            lru: ask(&mut Lru::new(entries, keys)),
            s3_fifo: ask(&mut S3Fifo::new(entries, keys)),
            tiny_lfu: ask(&mut TinyLfu::new(entries, keys)),
            belady: share(belady(entries, &requests, keys)),
            alone: [larder(Bound::Slots, 1), larder(Bound::Bytes, 1)],
            together: [larder(Bound::Slots, 4), larder(Bound::Bytes, 4)],
        }
    }
}

/// The share of requests that were hits, in hundredths.
#[derive(Clone, Debug)]
pub struct Row {
    job: Job,
    pub(super) lru: f64,
    pub(super) s3_fifo: f64,
    pub(super) tiny_lfu: f64,
    pub(super) belady: f64,
    /// Larder with one worker, bound by slots and by bytes.
    pub(super) alone: [f64; 2],
    /// With four workers, the same.
    pub(super) together: [f64; 2],
}

impl Row {
    /// The best of those that do not know the future.
    pub(super) fn best(&self) -> f64 {
        self.lru.max(self.s3_fifo).max(self.tiny_lfu)
    }

    pub(super) fn workload(&self) -> String {
        self.job.workload.name()
    }

    pub(super) fn percent(&self) -> u32 {
        self.job.percent
    }
}
