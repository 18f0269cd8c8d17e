//! Which entries this worker was asked for since it last wrote their set: recency without a shared write for a hit.
//!
//! A bit for each way. It becomes a time in the directory when the set is written anyway, or at a tick; until then
//! this worker alone knows.

use super::directory::Ways;

/// The sets at most whose ways have bits of their own: 64 KiB of each worker's memory. Of more, some share them, which only
/// blurs who goes.
const SETS: usize = 1 << 14;

/// Entries asked for lately.
#[derive(Debug)]
pub(super) struct Touches {
    sets: Vec<Ways>,
    /// Where the search for something to write down goes on.
    next: u32,
}

impl Touches {
    /// Room for so many sets; without memory for it nothing is noted.
    pub(super) fn new(sets: u32) -> Self {
        let len = (sets as usize).min(SETS);
        let mut all = Vec::new();
        if all.try_reserve_exact(len).is_ok() {
            all.resize(len, Ways::NONE);
        }
        Self { sets: all, next: 0 }
    }

    /// Notes a hit.
    pub(super) fn note(&mut self, set: u32, way: usize) {
        if let Some(ways) = self.of_mut(set) {
            ways.insert(way);
        }
    }

    /// The ways that were hit.
    pub(super) fn of(&self, set: u32) -> Ways {
        let at = (set as usize).checked_rem(self.sets.len());
        let ways = at.and_then(|at| self.sets.get(at));
        ways.copied().unwrap_or(Ways::NONE)
    }

    /// They are written down.
    pub(super) fn clear(&mut self, set: u32) {
        if let Some(ways) = self.of_mut(set) {
            *ways = Ways::NONE;
        }
    }

    /// The next set in which something was hit, looking at so many of `sets`.
    pub(super) fn next(&mut self, sets: u32, looks: &mut u32) -> Option<u32> {
        while *looks > 0 {
            *looks = looks.saturating_sub(1);
            let set = self.next.checked_rem(sets).unwrap_or(0);
            self.next = set.saturating_add(1);
            if !self.of(set).is_empty() {
                return Some(set);
            }
        }
        None
    }

    fn of_mut(&mut self, set: u32) -> Option<&mut Ways> {
        let at = (set as usize).checked_rem(self.sets.len())?;
        self.sets.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_remembered_until_they_are_written_down() {
        let mut touches = Touches::new(100);
        touches.note(3, 31);
        touches.note(3, 0);
        touches.note(70, 5);
        assert_eq!(touches.of(3), [0, 31].into_iter().collect());
        let mut looks = 150;
        assert_eq!(touches.next(100, &mut looks), Some(3));
        assert_eq!(touches.next(100, &mut looks), Some(70));
        touches.clear(70);
        assert_eq!(touches.next(100, &mut looks), Some(3), "once around");
        touches.clear(3);
        assert_eq!(touches.next(100, &mut looks), None);
        assert_eq!(looks, 0, "the search is bounded");
    }
}
