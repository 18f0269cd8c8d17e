//! What this worker knows about what is asked for, and what follows for who may come in.
//!
//! Every lookup is noted, hit or miss, in this worker's memory alone: how often keys were asked for lately
//! ([`super::sketch`]), and which way to choose would have hit more ([`super::miniature`]). About 290 KiB at most.

use super::incarnation::Place;
use super::miniature::Miniature;
use super::sketch::Sketch;

/// All counts are halved after so many requests for each entry that there is room for. Less, and entries that are asked for
/// seldom but steadily cannot be told from those asked for once; more, and the past is remembered too long.
const MEMORY: u32 = 30;

/// By how much a newcomer must be more popular than what it displaces. Counts are rough, and of many ways the least
/// popular may just have been unlucky; with equals changing places all the time nobody is there when asked for.
const MARGIN: u8 = 1;

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaning {
    /// What was asked for most often; a newcomer must be more popular than what it displaces.
    Frequency,
    /// What was asked for last; every newcomer comes in.
    Recency,
}

/// Whether a newcomer so popular may displace a current entry so popular, as one of several: each doubling of their
/// number asks for one more.
pub(super) fn admits(newcomer: u8, victim: u8, before: u32) -> bool {
    let doublings = before.saturating_add(1).ilog2() as u8;
    newcomer > victim.saturating_add(MARGIN).saturating_add(doublings)
}

/// The demand as one worker sees it.
#[derive(Debug)]
pub(super) struct Demand {
    sketch: Sketch,
    miniature: Miniature,
    leaning: Leaning,
    noted: u32,
    /// About so many entries there is room for.
    capacity: u32,
    most: u32,
    /// Requests, and never fewer.
    seen: u32,
    /// Entries that were to be stored lately, and their bytes.
    weighed: u32,
    bytes: u64,
}

impl Demand {
    /// For so many slots.
    pub(super) fn new(slots: u32) -> Self {
        Self {
            sketch: Sketch::new(slots),
            miniature: Miniature::new(slots),
            leaning: Leaning::Frequency,
            noted: 0,
            capacity: slots,
            most: slots,
            seen: 0,
            weighed: 0,
            bytes: 0,
        }
    }

    /// Notes a request.
    pub(super) fn note(&mut self, place: Place) {
        self.sketch.note(place);
        self.seen = self.seen.saturating_add(1);
        self.noted = self.noted.saturating_add(1);
        if self.noted >= self.capacity.saturating_mul(MEMORY) {
            self.noted /= 2;
            self.sketch.halve();
        }
        self.leaning = self.miniature.play(place, &self.sketch, self.leaning);
    }

    /// Notes that a key is stored which nobody could ask for, because what leads to it was not there.
    pub(super) fn note_unasked(&mut self, place: Place) {
        if self.sketch.count(place) == 0 {
            self.sketch.note(place);
        }
    }

    /// How often a key was asked for lately.
    pub(super) fn popularity(&self, place: Place) -> u8 {
        self.sketch.count(place)
    }

    /// What to keep.
    pub(super) fn leaning(&self) -> Leaning {
        self.leaning
    }

    /// Whether this worker knows too little to turn anybody away: it has seen fewer requests than a quarter of the entries
    /// that there is room for.
    pub(super) fn is_young(&self) -> bool {
        self.seen < self.capacity / 4
    }

    /// Learns from an entry's bytes how many entries `max_bytes` has room for.
    pub(super) fn weigh(&mut self, bytes: u32, max_bytes: u64) {
        const FIRST: u32 = 16;
        const MANY: u32 = 512;
        self.weighed = self.weighed.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes.into());
        if self.weighed != FIRST && self.weighed < MANY {
            return;
        }
        let entries = max_bytes.saturating_mul(self.weighed.into());
        let room = entries.checked_div(self.bytes).unwrap_or(0);
        let room = u32::try_from(room).unwrap_or(u32::MAX).clamp(8, self.most);
        if self.weighed >= MANY {
            self.weighed /= 2;
            self.bytes /= 2;
        }
        if room.abs_diff(self.capacity) > self.capacity / 4 {
            self.capacity = room;
            self.miniature = Miniature::new(room);
        }
    }

    /// Forgets everything, since places mean other keys from now on.
    pub(super) fn forget(&mut self) {
        self.sketch.clear();
        self.miniature = Miniature::new(self.capacity);
        self.leaning = Leaning::Frequency;
        self.noted = 0;
        self.seen = 0;
    }
}
