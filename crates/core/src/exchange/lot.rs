//! The requests that wait for others, each held by its worker.
//!
//! A request that waits enters here, and is taken out once: because what it waits for has landed, because its time is over,
//! or because it has ended. Those that may go on are taken a few at a time, since the host nests the callbacks of those that
//! are let go in one (proxy-wasm-cpp-host `include/proxy-wasm/wasm.h`, `doAfterVmCallActions`); the others stay, and are
//! remembered as ready.
//!
//! Everything is looked for from the front, among at most a few thousand: no more than some microseconds, for who waits anyway.

use super::event::Wake;
use super::step::Parking;
use super::waiting::Full;
use crate::key::KeyDigest;
use crate::time::{Seconds, Timestamp};

/// How many wait on one worker, for whatever.
const MOST: usize = 8192;

/// How many go on at once.
const MOST_AT_ONCE: usize = 16;

/// By how much a clock may go back and nobody minds.
const SLACK: Seconds = Seconds::clamped(1);

/// The requests of a worker that wait for others, by the host's number, the first that came first.
#[derive(Debug, Default)]
pub struct Lot {
    parked: Vec<Parked>,
    ready: usize,
}

#[derive(Clone, Copy, Debug)]
struct Parked {
    stream: u32,
    parking: Parking,
    since: Timestamp,
    /// Why it may go on.
    ready: Option<Wake>,
}

impl Lot {
    /// A stream begins to wait; so many may for one key.
    ///
    /// # Errors
    /// [`Full`].
    pub fn park(
        &mut self,
        stream: u32,
        parking: Parking,
        most: usize,
        now: Timestamp,
    ) -> Result<(), Full> {
        let for_the_same = self
            .parked
            .iter()
            .filter(|one| one.waits_for(parking.digest));
        if self.parked.len() >= MOST || for_the_same.take(most).count() >= most {
            return Err(Full);
        }
        self.leave(stream); // it waits for one thing
        self.parked.push(Parked {
            stream,
            parking,
            since: now,
            ready: None,
        });
        Ok(())
    }

    /// What stands under this key has landed. Who waits for it may go on.
    pub fn wake(&mut self, digest: KeyDigest, why: Wake) {
        self.ready_where(why, |one| one.waits_for(digest));
    }

    /// Those whose time is over may go on. A clock that was set back must not keep them.
    pub fn look_at_the_clock(&mut self, now: Timestamp) {
        self.ready_where(Wake::Overdue, |one| {
            one.ready.is_none() && (one.parking.deadline <= now || now.plus(SLACK) < one.since)
        });
    }

    fn ready_where(&mut self, why: Wake, is_ready: impl Fn(&Parked) -> bool) {
        for one in &mut self.parked {
            if is_ready(one) {
                one.ready = Some(why);
                self.ready = self.ready.saturating_add(1);
            }
        }
    }

    /// The first that may go on: no more than go on at once.
    pub fn take(&mut self) -> Vec<(u32, Wake)> {
        let mut taken = Vec::new();
        if self.ready == 0 {
            return taken;
        }
        self.parked.retain(|one| match one.ready {
            Some(why) if taken.len() < MOST_AT_ONCE => {
                taken.push((one.stream, why));
                false
            }
            Some(_) | None => true,
        });
        self.ready = self.ready.saturating_sub(taken.len());
        taken
    }

    /// A stream waits no more, or is over.
    pub fn leave(&mut self, stream: u32) {
        if let Some(place) = self.parked.iter().position(|one| one.stream == stream) {
            let left = self.parked.remove(place);
            self.ready = self.ready.saturating_sub(left.ready.is_some().into());
        }
    }

    /// Whether some may go on.
    pub fn is_any_ready(&self) -> bool {
        self.ready > 0
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }
}

impl Parked {
    /// Whether it does; not, where it may go on already.
    fn waits_for(&self, digest: KeyDigest) -> bool {
        self.ready.is_none() && self.parking.digest == digest
    }
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers, and a test may fail"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_secs(100);

    fn parking(key: u8, secs: u64) -> Parking {
        Parking {
            digest: KeyDigest([key; 16]),
            deadline: Timestamp::from_secs(secs),
        }
    }

    /// So many that wait for key 1 until 105.
    fn lot(streams: u32) -> Lot {
        let mut lot = Lot::default();
        for stream in 0..streams {
            lot.park(stream, parking(1, 105), 1024, START).unwrap();
        }
        lot
    }

    #[test]
    fn who_waits_for_what_has_landed_goes_on_once() {
        let mut lot = lot(2);
        lot.park(7, parking(2, 105), 1024, START).unwrap();
        assert_eq!(lot.take(), []);
        lot.wake(KeyDigest([1; 16]), Wake::Look);
        lot.wake(KeyDigest([1; 16]), Wake::LetGo);
        assert_eq!(lot.take(), [(0, Wake::Look), (1, Wake::Look)]);
        assert!(!lot.is_any_ready() && !lot.is_empty());
        assert_eq!(lot.take(), []);
    }

    #[test]
    fn the_first_that_came_go_on_first_and_a_few_at_once() {
        let mut lot = lot(40);
        lot.wake(KeyDigest([1; 16]), Wake::LetGo);
        let mut gone = Vec::new();
        let mut sizes = Vec::new();
        while lot.is_any_ready() {
            let taken = lot.take();
            sizes.push(taken.len());
            gone.extend(taken.into_iter().map(|(stream, _)| stream));
        }
        assert_eq!(sizes, [16, 16, 8]);
        assert_eq!(gone, (0..40).collect::<Vec<_>>());
        assert!(lot.is_empty());
    }

    #[test]
    fn a_time_that_is_over_ends_the_waiting() {
        let mut lot = lot(1);
        lot.look_at_the_clock(Timestamp::from_secs(104));
        assert_eq!(lot.take(), []);
        lot.look_at_the_clock(Timestamp::from_secs(105));
        assert_eq!(lot.take(), [(0, Wake::Overdue)]);
    }

    #[test]
    fn a_clock_that_is_set_back_ends_the_waiting() {
        let mut lot = lot(1);
        lot.look_at_the_clock(Timestamp::from_secs(99));
        assert_eq!(lot.take(), []);
        lot.look_at_the_clock(Timestamp::from_secs(98));
        assert_eq!(lot.take(), [(0, Wake::Overdue)]);
    }

    #[test]
    fn there_are_only_so_many_places() {
        let mut lot = lot(3);
        assert_eq!(lot.park(3, parking(1, 105), 3, START), Err(Full));
        assert_eq!(lot.park(3, parking(2, 105), 3, START), Ok(()));
        assert_eq!(lot.park(4, parking(3, 105), 0, START), Err(Full));
        lot.wake(KeyDigest([1; 16]), Wake::Look);
        assert_eq!(lot.park(4, parking(1, 105), 3, START), Ok(()), "those go");
        for stream in 5..MOST as u32 {
            lot.park(stream, parking(9, 105), MOST, START).unwrap();
        }
        assert_eq!(lot.park(9_999, parking(8, 105), 1, START), Err(Full));
    }

    #[derive(Clone, Debug)]
    enum Deed {
        Park(u32, u8, u64),
        Leave(u32),
        Wake(u8),
        Clock(i64),
        Take,
    }

    fn deeds() -> impl Strategy<Value = Vec<Deed>> {
        let deed = prop_oneof![
            6 => (0..60u32, 0..3u8, 0..20u64).prop_map(|(stream, key, wait)| Deed::Park(stream, key, wait)),
            1 => (0..60u32).prop_map(Deed::Leave),
            1 => (0..3u8).prop_map(Deed::Wake),
            1 => (-5..10i64).prop_map(Deed::Clock),
            2 => Just(Deed::Take),
        ];
        proptest::collection::vec(deed, 0..200)
    }

    const MOST_OF_A_KEY: usize = 12;

    proptest! {
        #![proptest_config(crate::property::cases())]

        /// Against a list of who came when, for what, until when, and whether it was told to go on.
        #[test]
        fn nobody_is_lost_kept_or_taken_twice(deeds in deeds()) {
            let mut lot = Lot::default();
            let mut model: Vec<(u32, u8, u64, u64, bool)> = Vec::new();
            let mut now = 1_000u64;
            for deed in deeds {
                match deed {
                    Deed::Park(stream, key, wait) => {
                        let same = model.iter().filter(|one| one.1 == key && !one.4).count();
                        let parked = lot.park(stream, parking(key, now + wait), MOST_OF_A_KEY, Timestamp::from_secs(now));
                        prop_assert_eq!(parked.is_ok(), same < MOST_OF_A_KEY);
                        if parked.is_ok() {
                            model.retain(|one| one.0 != stream);
                            model.push((stream, key, now, now + wait, false));
                        }
                    }
                    Deed::Leave(stream) => {
                        lot.leave(stream);
                        model.retain(|one| one.0 != stream);
                    }
                    Deed::Wake(key) => {
                        lot.wake(KeyDigest([key; 16]), Wake::Look);
                        model.iter_mut().filter(|one| one.1 == key).for_each(|one| one.4 = true);
                    }
                    Deed::Clock(step) => {
                        now = now.saturating_add_signed(step);
                        lot.look_at_the_clock(Timestamp::from_secs(now));
                        let over = |one: &&mut (u32, u8, u64, u64, bool)| one.3 <= now || now + 1 < one.2;
                        model.iter_mut().filter(over).for_each(|one| one.4 = true);
                    }
                    Deed::Take => {
                        let taken: Vec<u32> = lot.take().into_iter().map(|(stream, _)| stream).collect();
                        let ready: Vec<u32> = model.iter().filter(|one| one.4).map(|one| one.0).take(MOST_AT_ONCE).collect();
                        prop_assert_eq!(&taken, &ready);
                        model.retain(|one| !taken.contains(&one.0));
                    }
                }
                prop_assert_eq!(lot.is_any_ready(), model.iter().any(|one| one.4));
                prop_assert_eq!(lot.is_empty(), model.is_empty());
            }
        }
    }
}
