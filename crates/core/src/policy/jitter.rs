//! Lifetimes that chance makes shorter, so that what was stored together is not stale together.
//!
//! Whose word a lifetime is makes no difference: an origin that gives a thousand responses an hour, all from the same deployment
//! on, would see all of them asked for at once as well, and a cache may ask sooner than it must. What a client is told of a rule's
//! TTL is the shorter lifetime too, so that its copy is not fresh for longer than ours; what the origin has told it is left as it is.

use crate::config::{CachePolicy, Share};
use crate::entry::Lifetime;
use crate::key::Key;
use crate::policy::storable::Plan;
use crate::time::{Seconds, Timestamp};

/// How long what is stored under this key at this time is fresh.
pub fn shortened(plan: &Plan, policy: &CachePolicy, key: &Key, now: Timestamp) -> Lifetime {
    let share = policy.sparing.ttl_jitter;
    if share == Share::NONE {
        return plan.lifetime; // no digest is made for nothing
    }
    let seed = key.digest().short() ^ now.as_nanos();
    let left = plan.lifetime.seconds.saturating_sub(plan.initial_age);
    Lifetime {
        seconds: plan.lifetime.seconds.saturating_sub(cut(left, share, seed)),
        ..plan.lifetime
    }
}

/// From nothing up to this share of what is left on arrival, each with the same chance. Of a second nothing is taken.
fn cut(left: Seconds, share: Share, seed: u64) -> Seconds {
    let most = share.of(usize::try_from(left.get()).unwrap_or(usize::MAX));
    // Fibonacci hashing: the upper half depends on every bit.
    let chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let steps = (most as u64).saturating_add(1);
    Seconds::clamped(steps.saturating_mul(chance) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sparing;
    use crate::entry::{FreshnessSource, Validation};
    use crate::http::Headers;
    use crate::policy::sample;
    use proptest::prelude::*;

    /// With so much jitter, what a response that is so old on arrival gets of its lifetime.
    fn lifetime_of(
        seconds: u64,
        initial_age: u64,
        thousandths: u16,
        key: &str,
        at: u64,
    ) -> Seconds {
        let policy = CachePolicy {
            sparing: Sparing {
                ttl_jitter: Share::thousandths(thousandths),
                ..Sparing::new()
            },
            ..sample::policy()
        };
        let plan = Plan {
            initial_age: Seconds::clamped(initial_age),
            lifetime: Lifetime {
                seconds: Seconds::clamped(seconds),
                source: FreshnessSource::Rule,
            },
            validation: Validation::Never,
            staleness: sample::meta().staleness,
            headers: Headers::new(),
        };
        let key = Key::from_canonical(key.as_bytes().to_vec());
        let lifetime = shortened(&plan, &policy, &key, Timestamp::from_nanos(at));
        assert_eq!(lifetime.source, FreshnessSource::Rule);
        lifetime.seconds
    }

    #[test]
    fn what_was_stored_together_is_stale_one_after_the_other() {
        let lifetimes = |thousandths| {
            (0..1000).map(move |number| {
                lifetime_of(300, 0, thousandths, &format!("/{number}"), 1_000_000_000).get()
            })
        };
        assert!(lifetimes(0).all(|lifetime| lifetime == 300));
        let mut counts = [0; 31];
        for lifetime in lifetimes(100) {
            counts[(300 - lifetime) as usize] += 1; // more than a tenth is never taken
        }
        // 32 of each, give or take.
        assert!(
            counts.iter().all(|count| (10..60).contains(count)),
            "{counts:?}"
        );
    }

    #[test]
    fn the_same_key_is_stale_at_another_time_each_time() {
        let mut lifetimes: Vec<_> = (0..100)
            .map(|second| lifetime_of(3600, 0, 500, "/", second * 1_000_000_000).get())
            .collect();
        lifetimes.sort_unstable();
        lifetimes.dedup();
        assert!(lifetimes.len() > 90, "{}", lifetimes.len());
    }

    proptest! {
        #![proptest_config(crate::property::cases())]

        #[test]
        fn chance_takes_no_more_than_its_share_and_never_the_last_second(
            seconds in prop_oneof![0..100_u64, any::<u64>()], initial_age in prop_oneof![0..100_u64, any::<u64>()],
            thousandths in 0..=900_u16, key: String, at: u64,
        ) {
            let lifetime = lifetime_of(seconds, initial_age, thousandths, &key, at);
            let (full, age) = (Seconds::clamped(seconds), Seconds::clamped(initial_age));
            let left = full.saturating_sub(age);
            prop_assert!(lifetime <= full);
            let taken = u64::from(full.saturating_sub(lifetime).get());
            prop_assert!(taken.saturating_mul(1000) <= u64::from(left.get()).saturating_mul(thousandths.into()));
            prop_assert!(left == Seconds::ZERO || lifetime > age);
            prop_assert_eq!(lifetime, lifetime_of(seconds, initial_age, thousandths, &key, at));
        }
    }
}
