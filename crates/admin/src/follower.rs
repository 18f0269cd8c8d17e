//! One replica's view of the log: a task reads it as it grows, and others ask what it has read.
//!
//! Everything that is answered from here is as of a moment at which the store was asked, and says so: an answer that is late
//! must not pass for a new one. While the store does not answer nothing is answered from here at all, and whoever waits is
//! told so at once.

mod pulse;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_core::entry::Stamps;
use larder_core::epoch::{Coverage, Invalidation, Mode};
use larder_core::fleet::Cursor;
use larder_core::key::KeyName;
use larder_core::wire::{self, Said};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::fleet::millis;
use crate::judge::{Capacity, Judge, Verdict};
use crate::metrics::{Family, Metrics};
use crate::store::{Loss, NewRecord, Reading, Record, Store, StoreError, Versioned};

pub use pulse::{Behind, Health, Pulse};

/// Records that are read at a time.
const BATCH: usize = 1000;
/// Records whose text is kept for whoever waits for them.
const RECENT: usize = 4096;
/// And the bytes of it.
const RECENT_BYTES: usize = 16 << 20;
/// The store is asked again after so long, whatever it has said.
const PERIOD: Duration = Duration::from_secs(1);
/// And after so long where it has not answered.
const PAUSE: Duration = Duration::from_millis(250);

/// What is known.
#[derive(Debug)]
struct Known {
    judge: Option<Judge>,
    recent: VecDeque<(Instant, Record)>,
    recent_bytes: usize,
    confirmed: Instant,
    /// Whether more is known to stand in the log than has been read.
    is_catching_up: bool,
    /// How far the log reaches at least, since it was told so then: what was appended here was acknowledged.
    promised: Option<(Instant, Cursor)>,
    config: Option<Versioned>,
}

impl Known {
    fn keep(&mut self, read: Instant, record: Record) {
        self.recent_bytes = self.recent_bytes.saturating_add(record.body.len());
        self.recent.push_back((read, record));
        while self.recent.len() > RECENT || self.recent_bytes > RECENT_BYTES {
            let Some((_, oldest)) = self.recent.pop_front() else {
                return;
            };
            self.recent_bytes = self.recent_bytes.saturating_sub(oldest.body.len());
        }
    }
}

/// One replica's view of the log.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    metrics: Arc<Metrics>,
    capacity: Capacity,
    known: Mutex<Known>,
    pulse: watch::Sender<Pulse>,
    /// Somebody wants to know more than is known.
    poke: Notify,
}

/// What a look at the store has come to.
enum Step {
    /// There is more.
    More,
    /// That was all.
    UpToDate,
}

impl Follower {
    /// Has read nothing yet.
    pub fn new(store: Store, metrics: Arc<Metrics>, capacity: Capacity) -> Arc<Self> {
        let pulse = Pulse {
            health: Health::Starting,
            end: None,
            config: 0,
        };
        Arc::new(Self {
            store,
            metrics,
            capacity,
            known: Mutex::new(Known {
                judge: None,
                recent: VecDeque::new(),
                recent_bytes: 0,
                confirmed: Instant::now(),
                is_catching_up: true,
                promised: None,
                config: None,
            }),
            pulse: watch::Sender::new(pulse),
            poke: Notify::new(),
        })
    }

    /// Follows, for as long as this is polled.
    pub async fn follow(&self) {
        let mut changes = self.store.watch();
        loop {
            let pause = match self.step().await {
                Ok(Step::More) => continue,
                Ok(Step::UpToDate) => PERIOD,
                Err(error) => {
                    self.lose(&error);
                    PAUSE
                }
            };
            tokio::select! {
                () = changes.changed() => {}
                () = self.poke.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn step(&self) -> Result<Step, StoreError> {
        let asked = Instant::now();
        let config = self.store.config().await?;
        let from = self.known().judge.as_ref().map(Judge::end);
        let reading = match from {
            None => self.store.read_oldest(BATCH).await?,
            Some(end) => self.store.read(end, BATCH).await?,
        };
        match reading {
            Reading::Records {
                records,
                cursor,
                more,
            } => {
                self.take_in(records, (from, cursor, more), asked, config);
                if more {
                    return Ok(Step::More);
                }
                if self.has_lost_a_promise(asked) {
                    tracing::warn!("the log is shorter than it was when something was put into it");
                    self.end_everything().await?;
                    self.forget();
                    return Ok(Step::More);
                }
                self.beat(Health::Following);
                Ok(Step::UpToDate)
            }
            Reading::Reset { loss, .. } => {
                tracing::warn!(
                    ?loss,
                    "the log is not what it was; it is read from its beginning"
                );
                if loss == Loss::Rewritten {
                    self.end_everything().await?;
                }
                self.forget();
                Ok(Step::More)
            }
        }
    }

    /// Something was put into the log here, which now ends there.
    pub fn promise(&self, end: Cursor) {
        self.known().promised = Some((Instant::now(), end));
    }

    /// Whether the log, as it was when it was `asked`, does not reach what had been put into it.
    fn has_lost_a_promise(&self, asked: Instant) -> bool {
        let known = self.known();
        let end = known.judge.as_ref().map(Judge::end);
        let promised = known.promised.filter(|(told, _)| *told < asked);
        let (Some(end), Some((_, promised))) = (end, promised) else {
            return false;
        };
        end.log == promised.log && end.position < promised.position
    }

    /// The store has lost records that were seen here, and that others may never see.
    async fn end_everything(&self) -> Result<(), StoreError> {
        let everything = Said {
            seq: None,
            invalidation: EVERYTHING,
            label: None,
        };
        let body = everything.body().into();
        self.store
            .append(&[NewRecord { said: None, body }])
            .await
            .map(drop)
    }

    fn take_in(
        &self,
        records: Vec<Record>,
        (from, cursor, more): (Option<Cursor>, Cursor, bool),
        asked: Instant,
        config: Option<Versioned>,
    ) {
        let mut known = self.known();
        if from.is_none() {
            let judge = match records.first() {
                Some(oldest) => Judge::in_front_of(oldest.at, self.capacity),
                None => Judge::new(cursor, self.capacity),
            };
            known.judge = Some(judge);
        }
        for record in records {
            if let Some(judge) = &mut known.judge {
                judge.note(record.at, &on_the_wire(&record).invalidation);
            }
            known.keep(asked, record);
        }
        known.is_catching_up = more;
        if !more {
            known.confirmed = asked;
        }
        known.config = config;
    }

    fn forget(&self) {
        let mut known = self.known();
        known.judge = None;
        known.recent.clear();
        known.recent_bytes = 0;
        known.is_catching_up = true;
        known.promised = None;
        drop(known);
        self.beat(Health::Starting);
    }

    fn lose(&self, error: &StoreError) {
        if self.pulse.borrow().health != Health::Lost {
            tracing::warn!(%error, "the store does not answer");
        }
        self.metrics.count(Family::StoreErrors, &["follow"]);
        self.beat(Health::Lost);
    }

    fn beat(&self, health: Health) {
        let (end, config) = {
            let known = self.known();
            let config = known.config.as_ref().map_or(0, |config| config.version);
            (known.judge.as_ref().map(Judge::end), config)
        };
        let now = Pulse {
            health,
            end,
            config,
        };
        self.pulse.send_if_modified(|pulse| {
            let is_new = *pulse != now;
            if is_new && pulse.health == Health::Lost && now.health == Health::Following {
                tracing::info!("the store answers again");
            }
            *pulse = now;
            is_new
        });
    }

    /// To be told of changes.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    /// How far the log was followed, where it is followed.
    pub fn end(&self) -> Option<Cursor> {
        let pulse = self.pulse.borrow();
        pulse.end.filter(|_| pulse.health == Health::Following)
    }

    /// When the store last said that nothing stands behind that.
    pub fn confirmed(&self) -> Instant {
        self.known().confirmed
    }

    /// The fleet's configuration.
    pub fn config(&self) -> Option<Versioned> {
        self.known().config.clone()
    }

    /// What is known of an entry, and up to where; `None` where the log is not followed.
    pub fn judge(
        &self,
        cursor: Cursor,
        stamps: Option<Stamps<'_>>,
        name: &KeyName,
    ) -> Option<(Verdict, Cursor)> {
        self.end()?;
        let known = self.known();
        let judge = known.judge.as_ref()?;
        Some((judge.judge(cursor, stamps, name), judge.end()))
    }

    /// Waits until the log was followed as far as that, so long at most.
    pub async fn catch_up(&self, position: u64, patience: Duration) {
        let mut pulse = self.pulse();
        self.poke.notify_one();
        let is_there = |pulse: &Pulse| pulse.end.is_some_and(|end| end.position >= position);
        // Whoever waits looks again in any case.
        let _ = timeout(patience, pulse.wait_for(is_there)).await;
    }

    /// What stands behind a cursor, at most so many records, all of it as of one moment.
    pub fn behind(&self, after: Cursor, limit: usize) -> Behind {
        let known = self.known();
        let Some(end) = known.judge.as_ref().map(Judge::end) else {
            return Behind::Elsewhere;
        };
        let confirmed = known.confirmed;
        if after == end && !known.is_catching_up {
            return Behind::Nothing(confirmed);
        }
        let is_it = |(_, record): &(Instant, Record)| record.at == after;
        // What is asked for is at the end, mostly.
        let Some(place) = known.recent.iter().rposition(is_it) else {
            return Behind::Elsewhere;
        };
        let records = known.recent.iter().skip(place.saturating_add(1));
        let records: Vec<Record> = records.take(limit).map(aged).collect();
        let cursor = records.last().map_or(after, |record| record.at);
        let more = known.is_catching_up || cursor != end;
        Behind::Records {
            records,
            cursor,
            more,
            confirmed,
        }
    }

    /// The newest records, the newest first.
    pub fn recent(&self, limit: usize) -> Vec<Record> {
        let known = self.known();
        known.recent.iter().rev().take(limit).map(aged).collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What something means that is not understood.
const EVERYTHING: Invalidation = Invalidation {
    coverage: Coverage::All,
    mode: Mode::Hard,
};

/// A record of the log, as it goes to instances; what cannot be understood covers everything.
pub fn on_the_wire(record: &Record) -> wire::Record {
    let said = (record.said.by, record.said.seq);
    wire::Record::of_body(record.at, said, millis(record.age), &record.body)
}

/// As old as it is now.
fn aged((read, record): &(Instant, Record)) -> Record {
    Record {
        age: record.age.saturating_add(read.elapsed()),
        ..record.clone()
    }
}
